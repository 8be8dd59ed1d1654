// Recreate: the new pods come only when no old one is left. Source: pkg/controller/deployment/recreate.go.
import type { Pod, ReplicaSet } from '../../api/types.ts';
import { controllerOf } from '../runtime/ownership.ts';
import { isTerminal } from '../runtime/pods.ts';
import { totalOf } from './replica-sets.ts';

/**
 * Old ReplicaSets report pods, or one that is not finished is still there, terminating ones included. In recordings the
 * new ReplicaSet came 18 to 89 ms after the last old pod's object was gone, not when it was Succeeded: only the pod's
 * deletion wakes the controller.
 */
export function oldPodsRemain(
  newReplicaSet: ReplicaSet | undefined,
  oldReplicaSets: readonly ReplicaSet[],
  pods: readonly Pod[],
): boolean {
  if (totalOf(oldReplicaSets, 'replicas') > 0) return true;
  return pods.some((pod) => controllerOf(pod)?.uid !== newReplicaSet?.metadata.uid && !isTerminal(pod));
}
