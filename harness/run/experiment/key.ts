// What distinguishes one experiment from the others of a run, and the names that follow from it.

import { createHash } from 'node:crypto';
import type { Entry } from '../../model/entry.ts';
import type { HeaderRecord } from '../../model/journal.ts';
import type { Scenario } from '../../model/scenario.ts';
import type { Variant } from '../../model/setting.ts';

/** What distinguishes one experiment from the others of a run. */
export interface ExperimentKey {
  readonly scenario: Scenario;
  readonly variant: Variant;
  readonly path: HeaderRecord['path'];
  /** Fired at side by side; empty: `path` alone. */
  readonly entries?: readonly Entry[];
  readonly agents: number;
  readonly repeat: number;
  /** How many times it was measured before, because something disturbed it; 0 when undefined. */
  readonly attempt?: number;
}

export const experimentName = ({
  scenario,
  variant,
  path,
  entries = [],
  agents,
  repeat,
}: ExperimentKey): string =>
  [
    scenario.id,
    variant.name,
    path !== 'cluster-ip' && path,
    entries.map(({ name }) => name).join('-'),
    agents > 1 && `agents-${agents}`,
    repeat > 0 && `repeat-${repeat + 1}`,
  ]
    .filter(Boolean)
    .join('.');

/**
 * A DNS label for the run and an experiment's name. What cannot be said in one (capital letters, "only:preStop", more
 * than 63 characters) ends in a hash, so that two experiments never share a namespace.
 */
export function namespaceOf(runId: string, name: string): string {
  const prefix = `rollproof-${runId}-`;
  const plain = name.replaceAll('.', '-');
  const fit = plain.toLowerCase().replace(/[^a-z0-9-]/g, '-');
  const room = 63 - prefix.length;
  if (fit === plain && fit.length <= room) return prefix + fit.replace(/-+$/, '');
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 6);
  return `${prefix}${fit.slice(0, room - hash.length - 1).replace(/-+$/, '')}-${hash}`;
}

export const labelValue = (name: string): string =>
  name
    .replace(/[^A-Za-z0-9_.-]/g, '-')
    .slice(0, 63)
    .replace(/[^A-Za-z0-9]+$/, '');
