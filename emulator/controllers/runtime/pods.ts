// What controllers ask of a pod: is it ready, available, active, terminal. Source: pkg/api/v1/pod/util.go.
import type { Pod } from '../../api/types.ts';

type PodCondition = NonNullable<NonNullable<Pod['status']>['conditions']>[number];

export function conditionOf(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export function isReady(pod: Pod): boolean {
  return conditionOf(pod, 'Ready')?.status === 'True';
}

/** Unix ms since when Ready is what it is; whole seconds, as the API stores them. */
export function readySinceMs(pod: Pod): number | undefined {
  const since = conditionOf(pod, 'Ready')?.lastTransitionTime;
  return since ? Date.parse(since) : undefined;
}

/**
 * Ready for minReadySeconds. Ready.lastTransitionTime is cut to whole seconds, so with minReadySeconds 6 a pod that
 * became ready at 12.9 s is available at 18.0 s, 5.1 s later.
 */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  if (!isReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const sinceMs = readySinceMs(pod);
  return sinceMs !== undefined && sinceMs + minReadySeconds * 1000 <= nowMs;
}

/** Unix ms when a ready pod becomes available; undefined when it is so already or is not ready. */
export function availableAtMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  if (!isReady(pod) || isAvailable(pod, minReadySeconds, nowMs)) return undefined;
  const sinceMs = readySinceMs(pod);
  return sinceMs === undefined ? undefined : sinceMs + minReadySeconds * 1000;
}

/** Succeeded or Failed. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** Counts for a ReplicaSet: neither finished nor being deleted. */
export function isActive(pod: Pod): boolean {
  return !isTerminal(pod) && !isTerminating(pod);
}
