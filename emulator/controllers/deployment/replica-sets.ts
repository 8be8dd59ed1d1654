// Counts and orders over a Deployment's ReplicaSets. Source: pkg/controller/deployment/util/deployment_util.go.
import type { Deployment, ReplicaSet } from '../../api/types.ts';

export function desiredOf(object: Deployment | ReplicaSet): number {
  return object.spec?.replicas ?? 0;
}

export function totalDesired(replicaSets: readonly ReplicaSet[]): number {
  return sum(replicaSets, desiredOf);
}

/** What the ReplicaSets say they have; each one's status may be older than its spec. */
export function totalOf(
  replicaSets: readonly ReplicaSet[],
  counter: 'replicas' | 'readyReplicas' | 'availableReplicas',
): number {
  return sum(replicaSets, (replicaSet) => replicaSet.status?.[counter] ?? 0);
}

function sum<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((total, item) => total + count(item), 0);
}

/** Those that want at least one pod. */
export function active(replicaSets: readonly ReplicaSet[]): ReplicaSet[] {
  return replicaSets.filter((replicaSet) => desiredOf(replicaSet) > 0);
}

export function present(replicaSets: readonly (ReplicaSet | undefined)[]): ReplicaSet[] {
  return replicaSets.filter((replicaSet) => replicaSet !== undefined);
}

/** Oldest first; in the same second by name. */
export function oldestFirst(left: ReplicaSet, right: ReplicaSet): number {
  const [a, b] = [left.metadata, right.metadata];
  if (a.creationTimestamp !== b.creationTimestamp) return a.creationTimestamp < b.creationTimestamp ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Largest first; of equal ones the newer first. */
export function largestThenNewest(left: ReplicaSet, right: ReplicaSet): number {
  return desiredOf(right) - desiredOf(left) || oldestFirst(right, left);
}

/** Largest first; of equal ones the older first. */
export function largestThenOldest(left: ReplicaSet, right: ReplicaSet): number {
  return desiredOf(right) - desiredOf(left) || oldestFirst(left, right);
}

/** The only one with pods; if none has any, the newest; undefined when several have. */
export function activeOrLatest(
  newReplicaSet: ReplicaSet | undefined,
  oldReplicaSets: readonly ReplicaSet[],
): ReplicaSet | undefined {
  const withPods = active(present([...oldReplicaSets, newReplicaSet]));
  if (withPods.length > 1) return undefined;
  return withPods[0] ?? newReplicaSet ?? [...oldReplicaSets].sort(oldestFirst).at(-1);
}
