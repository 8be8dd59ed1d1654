// RollingUpdate: which ReplicaSet gets which size next. Source: pkg/controller/deployment/rolling.go.
import type { Deployment, ReplicaSet } from '../../api/types.ts';
import { maxUnavailable, newReplicaSetSize } from './fenceposts.ts';
import { active, desiredOf, oldestFirst, totalDesired, totalOf } from './replica-sets.ts';

export interface Resize {
  readonly replicaSet: ReplicaSet;
  readonly to: number;
}

/** The new ReplicaSet's next size; equal to its present one: nothing to do. */
export function nextNewSize(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newReplicaSet: ReplicaSet,
): number {
  const replicas = desiredOf(deployment);
  const size = desiredOf(newReplicaSet);
  if (size === replicas) return size;
  if (size > replicas) return replicas;
  return newReplicaSetSize(deployment, all, newReplicaSet);
}

/**
 * How many old pods may go, assuming that the new ReplicaSet's unavailable pods never come up:
 *
 *   budget = Σ desired - (replicas - maxUnavailable) - (new desired - new available)
 *
 * First old pods that are not available anyway, the oldest ReplicaSet first; then available ones, as far as Σ available
 * stays at replicas - maxUnavailable. Availability is what the ReplicaSets' status says, however old that is; the second
 * step reads it as it was before the first.
 *
 *   10 replicas, maxUnavailable 2, surge 3: old 8 (one lost with its node), new 5 that crash: 13 - 8 - 5 = 0, stuck.
 *   After an undo the 8 are the new ones: 13 - 8 - 1 = 4 of the 5 go. With a third template instead: 13 - 8 - 0 = 5.
 *   10 replicas, maxUnavailable 2, surge 0: old 10 (8 ready) → clean-up 10 → 8, then none: 8 available = the least.
 */
export function nextOldSizes(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newReplicaSet: ReplicaSet | undefined,
  oldReplicaSets: readonly ReplicaSet[],
): Resize[] {
  if (totalDesired(oldReplicaSets) === 0) return [];
  const minAvailable = desiredOf(deployment) - maxUnavailable(deployment);
  const newUnavailable = newReplicaSet
    ? desiredOf(newReplicaSet) - (newReplicaSet.status?.availableReplicas ?? 0)
    : 0;
  const budget = totalDesired(all) - minAvailable - newUnavailable;
  if (budget <= 0) return [];

  const old = active(oldReplicaSets).sort(oldestFirst);
  const sizes = new Map(old.map((replicaSet) => [replicaSet, desiredOf(replicaSet)]));
  const resizes: Resize[] = [];
  const shrink = (replicaSet: ReplicaSet, by: number) => {
    const to = (sizes.get(replicaSet) ?? 0) - by;
    sizes.set(replicaSet, to);
    resizes.push({ replicaSet, to });
  };

  let unhealthyBudget = budget;
  for (const replicaSet of old) {
    if (unhealthyBudget <= 0) break;
    const unavailable = desiredOf(replicaSet) - (replicaSet.status?.availableReplicas ?? 0);
    // More available than wanted: a status from before the last resize. There this is an error that ends the step.
    if (unavailable < 0) return resizes;
    const by = Math.min(unhealthyBudget, unavailable);
    if (by === 0) continue;
    shrink(replicaSet, by);
    unhealthyBudget -= by;
  }

  let spare = totalOf(all, 'availableReplicas') - minAvailable;
  for (const replicaSet of old) {
    if (spare <= 0) break;
    const by = Math.min(spare, sizes.get(replicaSet) ?? 0);
    if (by <= 0) continue;
    shrink(replicaSet, by);
    spare -= by;
  }
  return resizes;
}
