// How many pods a rollout may have too many or too few.
// Source: ResolveFenceposts, NewRSNewReplicas in pkg/controller/deployment/util/deployment_util.go.
import type { Deployment, ReplicaSet } from '../../api/types.ts';
import { type IntOrString, scaledValue } from '../runtime/int-or-string.ts';
import { desiredOf, totalDesired } from './replica-sets.ts';

/**
 * Surge rounds up, unavailability down; when both come out as 0, one pod may be unavailable, or nothing could move.
 *
 *   10 replicas, 39 % / 39 %  → surge ceil(3.9) = 4, unavailable floor(3.9) = 3
 *    2 replicas, 25 % /  1 %  → surge 1, unavailable 0: new+1, old-1, new+1, old-1
 *    2 replicas,  0 % /  1 %  → surge 0, unavailable 0 → 1: old-1, new+1, old-1, new+1
 */
export function resolveFenceposts(
  maxSurge: IntOrString | undefined,
  maxUnavailable: IntOrString | undefined,
  desired: number,
): { surge: number; unavailable: number } {
  const surge = scaledValue(maxSurge, desired, 'up');
  const unavailable = scaledValue(maxUnavailable, desired, 'down');
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

export function isRolling(deployment: Deployment): boolean {
  return deployment.spec?.strategy?.type !== 'Recreate';
}

/** 0 for Recreate. */
export function maxSurge(deployment: Deployment): number {
  return isRolling(deployment) ? fencepostsOf(deployment).surge : 0;
}

/** 0 for Recreate and for 0 replicas; never more than there are replicas. */
export function maxUnavailable(deployment: Deployment): number {
  const replicas = desiredOf(deployment);
  if (!isRolling(deployment) || replicas === 0) return 0;
  return Math.min(fencepostsOf(deployment).unavailable, replicas);
}

function fencepostsOf(deployment: Deployment) {
  const rolling = deployment.spec?.strategy?.rollingUpdate;
  return resolveFenceposts(rolling?.maxSurge, rolling?.maxUnavailable, desiredOf(deployment));
}

/**
 * The size that the new ReplicaSet may have now. It counts what ReplicaSets want, so terminating pods leave room:
 *
 *   Σ desired ≥ replicas + surge → as it is
 *   else                          → + min(replicas + surge - Σ desired, replicas - new)
 *
 *   10 replicas, surge 2: old 10, new 0 → 2;  old 5, new 0 → 7;  old 10, new 2 → 2
 */
export function newReplicaSetSize(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newReplicaSet: ReplicaSet,
): number {
  const replicas = desiredOf(deployment);
  const size = desiredOf(newReplicaSet);
  if (!isRolling(deployment)) return replicas;
  const room = replicas + maxSurge(deployment) - totalDesired(all);
  if (room <= 0) return size;
  return size + Math.min(room, replicas - size);
}
