// A DaemonSet's status. Source: updateDaemonSetStatus in pkg/controller/daemon/daemon_controller.go.
import type { DaemonSet, Node, Pod } from '../../api/types.ts';
import { isAvailable, isReady } from '../runtime/pods.ts';
import { placementOn } from './placement.ts';
import { isUpdated } from './rolling.ts';

type DaemonSetStatus = NonNullable<DaemonSet['status']>;

/** Per node the oldest pod counts; one that terminates counts like any other. */
export function daemonSetStatus(
  daemonSet: DaemonSet,
  nodes: readonly Node[],
  podsOnNode: ReadonlyMap<string, readonly Pod[]>,
  hash: string,
  nowMs: number,
): DaemonSetStatus {
  const minReadySeconds = daemonSet.spec?.minReadySeconds ?? 0;
  const counters = { desired: 0, current: 0, misscheduled: 0, ready: 0, updated: 0, available: 0 };
  for (const node of nodes) {
    const [oldest] = [...(podsOnNode.get(node.metadata.name) ?? [])].sort(byAge);
    if (!placementOn(daemonSet, node).shouldRun) {
      if (oldest) counters.misscheduled++;
      continue;
    }
    counters.desired++;
    if (!oldest) continue;
    counters.current++;
    if (isReady(oldest)) counters.ready++;
    if (isAvailable(oldest, minReadySeconds, nowMs)) counters.available++;
    if (isUpdated(daemonSet, oldest, hash)) counters.updated++;
  }
  const unavailable = counters.desired - counters.available;
  const { collisionCount, conditions } = daemonSet.status ?? {};
  return {
    currentNumberScheduled: counters.current,
    numberMisscheduled: counters.misscheduled,
    desiredNumberScheduled: counters.desired,
    numberReady: counters.ready,
    ...(counters.updated > 0 ? { updatedNumberScheduled: counters.updated } : {}),
    ...(counters.available > 0 ? { numberAvailable: counters.available } : {}),
    ...(unavailable > 0 ? { numberUnavailable: unavailable } : {}),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  };
}

export function byAge(left: Pod, right: Pod): number {
  const [a, b] = [left.metadata, right.metadata];
  if (a.creationTimestamp !== b.creationTimestamp) return a.creationTimestamp < b.creationTimestamp ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}
