// ControllerRevisions of a StatefulSet. Source: pkg/controller/statefulset/stateful_set_utils.go, controller/history.
import type { Draft, Kinds, Pod, StatefulSet } from '../../api/types.ts';
import { inFieldOrder, templateHash } from '../deployment/template-hash.ts';
import type { PodTemplate } from '../runtime/pod-control.ts';
import { revisionDraft } from '../runtime/revision.ts';

export type Revision = Kinds['controllerrevisions'];

/** On pods: the name of their revision. */
export const revisionLabel = 'controller-revision-hash';
const hashLabel = 'controller.kubernetes.io/hash';

export function snapshot(
  set: StatefulSet,
  revision: number,
  collisionCount: number | undefined,
): Draft<'controllerrevisions'> {
  const data = inFieldOrder({ spec: { template: { ...set.spec?.template, $patch: 'replace' } } });
  const hash = templateHash(data, collisionCount || undefined);
  return revisionDraft(set, { hash, label: hashLabel, data, revision });
}

export function templateOf({ data }: Revision): PodTemplate | undefined {
  const template = (data as { spec?: { template?: PodTemplate & { $patch?: string } } } | undefined)?.spec
    ?.template;
  if (!template) return undefined;
  const { $patch: _patch, ...rest } = template;
  return rest;
}

/** The oldest beyond revisionHistoryLimit that neither a pod nor the set itself is of. */
export function surplusRevisions(
  set: StatefulSet,
  all: readonly Revision[],
  used: readonly Revision[],
  pods: readonly Pod[],
): Revision[] {
  const live = new Set([
    ...used.map(({ metadata }) => metadata.name),
    ...pods.map(({ metadata }) => metadata.labels?.[revisionLabel]),
  ]);
  const history = all.filter(({ metadata }) => !live.has(metadata.name));
  const excess = history.length - (set.spec?.revisionHistoryLimit ?? 10);
  return [...history].sort((left, right) => left.revision - right.revision).slice(0, Math.max(0, excess));
}
