// A ReplicaSet's status, counted over its active pods. Source: pkg/controller/replicaset/replica_set_utils.go.

import { matchesLabels } from '../../api/label-selector.ts';
import { timestamp } from '../../api/objects.ts';
import type { Pod, ReplicaSet } from '../../api/types.ts';
import { availableAtMs, isAvailable, isReady } from '../runtime/pods.ts';

export type ReplicaSetStatus = NonNullable<ReplicaSet['status']>;

/**
 * @param pods Active pods as they were before this sync's creations and deletions.
 * @param error What creating or deleting failed with.
 */
export function replicaSetStatus(
  replicaSet: ReplicaSet,
  pods: readonly Pod[],
  error: Error | undefined,
  nowMs: number,
): ReplicaSetStatus {
  const minReadySeconds = replicaSet.spec?.minReadySeconds ?? 0;
  const labels = replicaSet.spec?.template?.metadata?.labels;
  const count = (matches: (pod: Pod) => boolean) => pods.filter(matches).length;
  const counters = {
    fullyLabeledReplicas: count((pod) => matchesLabels(labels, pod.metadata.labels)),
    readyReplicas: count(isReady),
    availableReplicas: count((pod) => isAvailable(pod, minReadySeconds, nowMs)),
    observedGeneration: replicaSet.metadata.generation ?? 0,
  };
  const present = Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0));
  const status: ReplicaSetStatus = { replicas: pods.length, ...present };
  const conditions = conditionsAfter(replicaSet, pods.length, error, nowMs);
  if (conditions.length > 0) status.conditions = conditions;
  return status;
}

/** ms until the next pod becomes available by minReadySeconds; undefined: none is on its way. */
export function nextAvailabilityMs(
  replicaSet: ReplicaSet,
  pods: readonly Pod[],
  nowMs: number,
): number | undefined {
  const minReadySeconds = replicaSet.spec?.minReadySeconds ?? 0;
  const times = pods
    .map((pod) => availableAtMs(pod, minReadySeconds, nowMs))
    .filter((atMs) => atMs !== undefined);
  return times.length > 0 ? Math.max(0, Math.min(...times) - nowMs) : undefined;
}

function conditionsAfter(replicaSet: ReplicaSet, podCount: number, error: Error | undefined, nowMs: number) {
  const conditions = replicaSet.status?.conditions ?? [];
  const failed = conditions.some(({ type }) => type === 'ReplicaFailure');
  if (!error) return conditions.filter(({ type }) => type !== 'ReplicaFailure');
  if (failed) return conditions;
  return [
    ...conditions,
    {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: timestamp(nowMs),
      reason: podCount < (replicaSet.spec?.replicas ?? 0) ? 'FailedCreate' : 'FailedDelete',
      message: error.message,
    },
  ];
}
