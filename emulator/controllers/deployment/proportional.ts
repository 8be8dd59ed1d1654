// Scaling while a rollout is under way or paused: every ReplicaSet with pods gets its share.
// Source: scale() in pkg/controller/deployment/sync.go, GetReplicaSetProportion in util/deployment_util.go.
import type { Deployment, ReplicaSet } from '../../api/types.ts';
import { isRolling, maxSurge } from './fenceposts.ts';
import {
  active,
  activeOrLatest,
  desiredOf,
  largestThenNewest,
  largestThenOldest,
  present,
  totalDesired,
} from './replica-sets.ts';
import { desiredReplicasAnnotation, maxReplicasAnnotation } from './revision.ts';
import type { Resize } from './rolling.ts';

/**
 * toAdd = replicas + surge - Σ desired, shared from the largest ReplicaSet to the smallest (equal ones: newer first when
 * adding, older first when removing). Each gets
 *
 *   round(desired × (replicas + surge) / its max-replicas annotation) - desired
 *
 * as long as something is left; what rounding leaves over goes to the first.
 *
 *   6 → 10 with rs1 4, rs2 4, max 8 → 13: rs2 (newer) round(6.5) - 4 = 3 → 7; rs1 the rest, 2 → 6
 *   5 → 3 with [2, 3], surge 0: 3 → round(1.8) = 2, 2 → round(1.2) = 1
 *
 * A ReplicaSet whose size stays is listed, too: its annotations are refreshed.
 */
export function proportionalSizes(
  deployment: Deployment,
  newReplicaSet: ReplicaSet | undefined,
  oldReplicaSets: readonly ReplicaSet[],
): Resize[] {
  const replicas = desiredOf(deployment);
  const only = activeOrLatest(newReplicaSet, oldReplicaSets);
  if (only) return desiredOf(only) === replicas ? [] : [{ replicaSet: only, to: replicas }];
  if (newReplicaSet && isSaturated(deployment, newReplicaSet)) {
    return active(oldReplicaSets).map((replicaSet) => ({ replicaSet, to: 0 }));
  }
  if (!isRolling(deployment)) return [];

  const all = active(present([...oldReplicaSets, newReplicaSet]));
  const toAdd = (replicas > 0 ? replicas + maxSurge(deployment) : 0) - totalDesired(all);
  if (toAdd > 0) all.sort(largestThenNewest);
  if (toAdd < 0) all.sort(largestThenOldest);
  let added = 0;
  const sizes = all.map((replicaSet) => {
    const share = toAdd === 0 ? 0 : proportion(deployment, replicaSet, toAdd, added);
    added += share;
    return desiredOf(replicaSet) + share;
  });
  return all.map((replicaSet, index) => {
    const leftover = index === 0 ? toAdd - added : 0;
    return { replicaSet, to: Math.max(0, (sizes[index] ?? 0) + leftover) };
  });
}

/** The new ReplicaSet is complete for the present size. */
function isSaturated(deployment: Deployment, replicaSet: ReplicaSet): boolean {
  const replicas = desiredOf(deployment);
  return (
    desiredOf(replicaSet) === replicas &&
    desiredReplicasAnnotation(replicaSet) === replicas &&
    replicaSet.status?.availableReplicas === replicas
  );
}

function proportion(deployment: Deployment, replicaSet: ReplicaSet, toAdd: number, added: number): number {
  if (desiredOf(replicaSet) === 0 || toAdd === added) return 0;
  const fraction = fractionOf(deployment, replicaSet);
  return toAdd > 0 ? Math.min(fraction, toAdd - added) : Math.max(fraction, toAdd - added);
}

function fractionOf(deployment: Deployment, replicaSet: ReplicaSet): number {
  const size = desiredOf(replicaSet);
  const replicas = desiredOf(deployment);
  if (replicas === 0) return -size;
  const before = maxReplicasAnnotation(replicaSet) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  // Math.round agrees with Go's here: sizes are not negative.
  return Math.round((size * (replicas + maxSurge(deployment))) / before) - size;
}
