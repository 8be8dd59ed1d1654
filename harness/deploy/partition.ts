// A StatefulSet's partition: pods below that ordinal keep their revision, so a change says nothing of them.
import type { Manifest } from '../model/manifest.ts';
import type { Scenario } from '../model/scenario.ts';
import { isWorkload, podsWanted, withScenario } from './assemble.ts';
import type { TargetDefinition } from './definition.ts';

interface StatefulSetSpec {
  readonly replicas?: number | null;
  readonly updateStrategy?: { readonly rollingUpdate?: { readonly partition?: number | null } | null } | null;
  /** Number of the first pod. */
  readonly ordinals?: { readonly start?: number | null } | null;
}

interface Partition {
  readonly partition: number;
  readonly replicas: number;
  /** Pods that a new revision reaches. */
  readonly reached: number;
}

/** Undefined: it has none. */
export function partitionOf({ kind, spec }: Manifest): Partition | undefined {
  const { replicas, updateStrategy, ordinals } = (spec ?? {}) as StatefulSetSpec;
  const { partition } = updateStrategy?.rollingUpdate ?? {};
  if (kind !== 'StatefulSet' || !partition) return undefined;
  const count = replicas ?? 1;
  return { partition, replicas: count, reached: Math.min(count, (ordinals?.start ?? 0) + count - partition) };
}

/** What a partition leaves out of what is measured, a sentence; none without one. */
export function partitionWarnings(workload: Manifest): string[] {
  const found = partitionOf(workload);
  if (!found || found.reached <= 0 || found.reached === found.replicas) return [];
  const { partition, replicas, reached } = found;
  return [
    `StatefulSet ${workload.metadata.name} has partition ${partition}: a new revision reaches ${reached} of its ${replicas} pods, and the others keep theirs: what is lost when those are replaced is not measured.`,
  ];
}

/** Why a scenario would replace no pod with the number that it sets; undefined: it would, or is not about that. */
export function heldByPartition(
  target: TargetDefinition,
  scenario: Pick<Scenario, 'target' | 'steps'>,
): string | undefined {
  if (target.workload.kind !== 'StatefulSet' || !scenario.steps.some(({ step }) => replacing.has(step)))
    return undefined;
  const manifests = withScenario(target, scenario);
  const workload = manifests.find((manifest) => isWorkload(manifest, target));
  const found = workload && partitionOf(workload);
  if (!found || found.reached > 0) return undefined;
  return `The partition ${found.partition} of the StatefulSet keeps each of the ${podsWanted(manifests, target)} pods that it sets at its revision, so its change would replace none.`;
}

/** Steps that make a new revision. */
const replacing: ReadonlySet<string> = new Set(['set-image', 'set-env', 'restart', 'rollback']);
