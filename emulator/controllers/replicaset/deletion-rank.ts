// Which pods go first when a ReplicaSet shrinks. Source: ActivePodsWithRanks in pkg/controller/controller_utils.go,
// getPodsToDelete in pkg/controller/replicaset/replica_set.go.
import type { Pod } from '../../api/types.ts';
import { isActive, isReady, readySinceMs } from '../runtime/pods.ts';

/**
 * The `count` pods to delete. First goes, in this order of criteria:
 *
 *   1. not assigned to a node          5. more active pods of all ReplicaSets of the same owner on its node
 *   2. Pending, then Unknown, Running  6. ready for a shorter time, by floor(log2(ns)); equal: lower UID
 *   3. not ready                       7. more restarts of a container
 *   4. lower pod-deletion-cost         8. created later, by floor(log2(ns)); equal: lower UID
 *
 * When all go there is no order.
 * @param related All pods of the owner's ReplicaSets, for criterion 5.
 */
export function podsToDelete(
  pods: readonly Pod[],
  related: readonly Pod[],
  count: number,
  nowMs: number,
): Pod[] {
  if (count >= pods.length) return [...pods];
  const onNode = new Map<string, number>();
  for (const pod of related) {
    if (!isActive(pod)) continue;
    const node = pod.spec?.nodeName ?? '';
    onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  return [...pods].sort((left, right) => compareForDeletion(left, right, onNode, nowMs)).slice(0, count);
}

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

function compareForDeletion(
  left: Pod,
  right: Pod,
  onNode: ReadonlyMap<string, number>,
  nowMs: number,
): number {
  const byNumber = (criterion: (pod: Pod) => number) => criterion(left) - criterion(right);
  return (
    byNumber((pod) => (pod.spec?.nodeName ? 1 : 0)) ||
    byNumber((pod) => phaseRank[pod.status?.phase ?? ''] ?? 0) ||
    byNumber((pod) => (isReady(pod) ? 1 : 0)) ||
    byNumber(deletionCost) ||
    -byNumber((pod) => onNode.get(pod.spec?.nodeName ?? '') ?? 0) ||
    (isReady(left) && isReady(right)
      ? compareAge(left, right, readySinceMs(left), readySinceMs(right), nowMs)
      : 0) ||
    -byNumber((pod) => mostRestarts(pod, false)) ||
    -byNumber((pod) => mostRestarts(pod, true)) ||
    compareAge(
      left,
      right,
      Date.parse(left.metadata.creationTimestamp),
      Date.parse(right.metadata.creationTimestamp),
      nowMs,
    )
  );
}

/** Younger first; of about the same age (the same power of two) the lower UID, which is random. */
function compareAge(
  left: Pod,
  right: Pod,
  leftMs: number | undefined,
  rightMs: number | undefined,
  nowMs: number,
): number {
  if (leftMs === rightMs) return 0;
  if (leftMs === undefined) return -1;
  if (rightMs === undefined) return 1;
  return (
    ageRank(nowMs - leftMs) - ageRank(nowMs - rightMs) || (left.metadata.uid < right.metadata.uid ? -1 : 1)
  );
}

function ageRank(ageMs: number): number {
  return ageMs > 0 ? Math.floor(Math.log2(ageMs * 1e6)) : -1;
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'];
  return text !== undefined && /^-?(0|[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

function mostRestarts(pod: Pod, sidecars: boolean): number {
  const restartable = new Set(
    (pod.spec?.initContainers ?? [])
      .filter(({ restartPolicy }) => restartPolicy === 'Always')
      .map(({ name }) => name),
  );
  const statuses = sidecars
    ? (pod.status?.initContainerStatuses ?? []).filter(({ name }) => restartable.has(name))
    : (pod.status?.containerStatuses ?? []);
  return Math.max(0, ...statuses.map(({ restartCount }) => restartCount ?? 0));
}
