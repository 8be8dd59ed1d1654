// The node life cycle, as far as a cluster without failing machines needs it: taints for cordoned and unready nodes, the
// eviction of pods that do not tolerate NoExecute, and the end of pods whose node is gone.
// Source: pkg/controller/{nodelifecycle,tainteviction,podgc}.
import { equalObjects, timestamp } from '../api/objects.ts';
import type { Node, Pod } from '../api/types.ts';
import { type ControllerContext, clientFor, queueFor } from './runtime/controller.ts';
import { splitKey } from './runtime/informers.ts';
import { drawMs } from './runtime/latencies.ts';
import { isTerminal, isTerminating } from './runtime/pods.ts';
import { type Taint, tolerates } from './scheduler/plugins/taints.ts';

const unschedulable = 'node.kubernetes.io/unschedulable';
const notReady = 'node.kubernetes.io/not-ready';
const unreachable = 'node.kubernetes.io/unreachable';
const managed = new Set([unschedulable, notReady, unreachable]);
/** podgc looks this often (its quarantine for pods of vanished nodes is 40 s). */
const goneNodeDelayMs = 40_000;

export function startNodeLifecycle(context: ControllerContext): void {
  const { informers, clock, latencies, random } = context;
  const client = clientFor(context, 'node-controller');
  const queue = queueFor(context, 'node-lifecycle', sync);
  informers.on('nodes', ({ object }) => queue.add(object.metadata.name));
  informers.on('pods', ({ object, previous }) => {
    const isNew = object.spec?.nodeName && !previous?.spec?.nodeName;
    if (isNew) queue.add(object.spec?.nodeName ?? '');
  });

  async function sync(key: string): Promise<void> {
    const [, name] = splitKey(key);
    await clock.sleep(drawMs(latencies.budgetSync, random));
    const node = informers.get('nodes', undefined, name);
    const pods = informers.list('pods').filter((pod) => pod.spec?.nodeName === name && !isTerminating(pod));
    if (!node) return removePodsOfGoneNode(key, pods);
    const taints = taintsOf(node, timestamp(clock.nowMs()));
    if (!equalObjects(taints, node.spec?.taints ?? [])) {
      await client.mutate('nodes', undefined, name, (draft) => {
        const wanted = taintsOf(draft, timestamp(clock.nowMs()));
        draft.spec = { ...draft.spec };
        if (wanted.length > 0) draft.spec.taints = wanted;
        else delete draft.spec.taints;
      });
    }
    await evictIntolerant(key, taints, pods);
  }

  async function evictIntolerant(key: string, taints: readonly Taint[], pods: readonly Pod[]): Promise<void> {
    const evicting = taints.filter(({ effect }) => effect === 'NoExecute');
    for (const pod of evicting.length > 0 ? pods : []) {
      const stays = toleratedForMs(pod, evicting);
      const sinceMs = Math.max(...evicting.map(({ timeAdded }) => Date.parse(timeAdded ?? '') || 0));
      const leftMs = stays === 0 ? 0 : sinceMs + stays - clock.nowMs();
      if (leftMs === Number.POSITIVE_INFINITY || isTerminal(pod)) continue;
      if (leftMs > 0) {
        queue.addAfter(key, leftMs);
        continue;
      }
      const { namespace, name, uid } = pod.metadata;
      client.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
      await client.delete('pods', namespace, name, { uid });
    }
  }

  async function removePodsOfGoneNode(key: string, pods: readonly Pod[]): Promise<void> {
    if (pods.length === 0) return;
    const firstSeenMs = goneSince.get(key) ?? clock.nowMs();
    goneSince.set(key, firstSeenMs);
    const leftMs = firstSeenMs + goneNodeDelayMs - clock.nowMs();
    if (leftMs > 0) return queue.addAfter(key, leftMs);
    goneSince.delete(key);
    for (const { metadata } of pods) {
      const { namespace, name, uid } = metadata;
      await client.delete('pods', namespace, name, { uid, gracePeriodSeconds: 0 });
    }
  }

  const goneSince = new Map<string, number>();
}

/** The node's taints with those that follow from its spec and its Ready condition. */
export function taintsOf(node: Node, now: string): Taint[] {
  const present = node.spec?.taints ?? [];
  const wanted: Taint[] = [];
  if (node.spec?.unschedulable) wanted.push({ key: unschedulable, effect: 'NoSchedule' });
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  const trouble = ready === 'False' ? notReady : ready === 'Unknown' ? unreachable : undefined;
  if (trouble) wanted.push({ key: trouble, effect: 'NoSchedule' }, { key: trouble, effect: 'NoExecute' });
  const others = present.filter(({ key }) => !managed.has(key));
  return [
    ...others,
    ...wanted.map(
      (taint) =>
        present.find(({ key, effect }) => key === taint.key && effect === taint.effect) ?? {
          ...taint,
          timeAdded: now,
        },
    ),
  ];
}

/** The shortest toleration of these taints; 0: one is not tolerated; Infinity: for ever. */
export function toleratedForMs(pod: Pod, taints: readonly Taint[]): number {
  let shortest = Number.POSITIVE_INFINITY;
  for (const taint of taints) {
    const matching = (pod.spec?.tolerations ?? []).filter((toleration) => tolerates([toleration], taint));
    if (matching.length === 0) return 0;
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds !== undefined)
        shortest = Math.min(shortest, Math.max(0, tolerationSeconds) * 1000);
    }
  }
  return shortest;
}
