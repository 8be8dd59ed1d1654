// The scheduler: pods without a node get one; those that fit nowhere wait until something changes that can help.
// Source: pkg/scheduler/{scheduler,schedule_one,eventhandlers}.go, backend/queue/scheduling_queue.go.
import { timestamp } from '../../api/objects.ts';
import { type Change, type Pod, StatusError } from '../../api/types.ts';
import { createClient } from '../runtime/client.ts';
import type { ControllerContext } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { drawMs } from '../runtime/latencies.ts';
import { isTerminal, isTerminating } from '../runtime/pods.ts';
import { type Attempt, plugins, schedule } from './framework.ts';
import { nodeStates } from './node-state.ts';
import type { ClusterEvent, Snapshot } from './plugins/plugin.ts';

/** A pod that did not fit is tried again at the earliest 1 s × 2ⁿ, up to 10 s, after its last attempt. */
const firstBackoffMs = 1000;
const longestBackoffMs = 10_000;
/** Without any event that helps it is tried again after this long. */
const forgottenAfterMs = 5 * 60_000;

interface Waiting {
  attempts: number;
  lastAttemptMs: number;
  refusedBy: ReadonlySet<string>;
  timer: unknown;
  /** Waits for its back-off to end, not for an event. */
  isComing: boolean;
}

export function startScheduler(context: ControllerContext): void {
  const { informers, clock, latencies, random } = context;
  const client = createClient({
    registry: context.registry,
    clock,
    random,
    latencies,
    component: 'default-scheduler',
    qps: latencies.schedulerQps,
    burst: latencies.schedulerBurst,
  });
  const waiting = new Map<string, Waiting>();
  const queued = new Set<string>();
  // Decided, but the cache does not show it yet.
  const assumed = new Map<string, Pod>();
  let lastTurnMs = 0;
  watch();

  /** Pods are tried in the order in which they came; the latency is a way, not a bottleneck. */
  function enqueue(key: string): void {
    if (queued.has(key)) return;
    queued.add(key);
    lastTurnMs = Math.max(lastTurnMs, clock.nowMs() + drawMs(latencies.schedule, random));
    clock.setTimeout(() => {
      queued.delete(key);
      attempt(key);
    }, lastTurnMs - clock.nowMs());
  }

  function attempt(key: string): void {
    const [namespace, name] = splitKey(key);
    const pod = informers.get('pods', namespace, name);
    if (!pod || !isOurs(pod) || isTerminating(pod) || assumed.has(key)) return;
    const result = schedule(pod, snapshot(), random);
    if (result.node === undefined) {
      defer(key, pod, result);
      return;
    }
    const { node } = result;
    forget(key);
    assumed.set(key, { ...pod, spec: { ...pod.spec, nodeName: node } as Pod['spec'] });
    bind(key, pod, node).catch((error: unknown) => {
      assumed.delete(key);
      if (!(error instanceof StatusError)) context.onDefect('scheduler', key, error);
      else if (error.code !== 404) enqueue(key);
    });
  }

  async function bind(key: string, pod: Pod, node: string): Promise<void> {
    const { namespace, name } = pod.metadata;
    const bound = await client.mutate('pods', namespace, name, (draft) => {
      if (draft.metadata.uid !== pod.metadata.uid || draft.metadata.deletionTimestamp) return;
      if (draft.spec) draft.spec.nodeName = node;
    });
    if (bound?.metadata.uid !== pod.metadata.uid || bound.spec?.nodeName !== node) {
      assumed.delete(key);
      return;
    }
    client.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
  }

  function defer(key: string, pod: Pod, { message, refusedBy }: Attempt & { node: undefined }): void {
    const attempts = (waiting.get(key)?.attempts ?? 0) + 1;
    forget(key);
    waiting.set(key, {
      attempts,
      lastAttemptMs: clock.nowMs(),
      refusedBy,
      isComing: false,
      timer: clock.setTimeout(() => enqueue(key), forgottenAfterMs),
    });
    client.event(pod, 'Warning', 'FailedScheduling', message);
    markUnschedulable(pod, message).catch((error: unknown) => {
      if (!(error instanceof StatusError)) context.onDefect('scheduler', key, error);
    });
  }

  async function markUnschedulable(pod: Pod, message: string): Promise<void> {
    const { namespace, name, uid, generation } = pod.metadata;
    const now = timestamp(clock.nowMs());
    await client.mutate(
      'pods',
      namespace,
      name,
      (draft) => {
        if (draft.metadata.uid !== uid || draft.spec?.nodeName) return;
        const conditions = draft.status?.conditions ?? [];
        const current = conditions.find(({ type }) => type === 'PodScheduled');
        const condition = {
          type: 'PodScheduled',
          status: 'False',
          lastProbeTime: undefined,
          lastTransitionTime: current?.status === 'False' ? current.lastTransitionTime : now,
          reason: 'Unschedulable',
          message,
          ...(generation === undefined ? {} : { observedGeneration: generation }),
        };
        draft.status = {
          ...draft.status,
          conditions: [...conditions.filter(({ type }) => type !== 'PodScheduled'), condition],
        };
      },
      'status',
    );
  }

  function snapshot(): Snapshot {
    const pods = informers.list('pods').filter((pod) => pod.spec?.nodeName && !isTerminal(pod));
    return {
      nodes: nodeStates(informers.list('nodes'), [...pods, ...assumed.values()]),
      namespaces: informers.list('namespaces'),
      services: informers.list('services'),
      replicaSets: informers.list('replicasets'),
    };
  }

  /** Lets those waiting pods try again that a plug-in which refused them says may fit now. */
  function tell(event: ClusterEvent): void {
    for (const [key, entry] of waiting) {
      if (entry.isComing) continue;
      const [namespace, name] = splitKey(key);
      const pod = informers.get('pods', namespace, name);
      if (!pod) continue;
      const mayHelp = plugins.some((plugin) => entry.refusedBy.has(plugin.name) && plugin.helps(pod, event));
      if (mayHelp) comeBack(key, entry);
    }
  }

  function comeBack(key: string, entry: Waiting): void {
    const backoffMs = Math.min(firstBackoffMs * 2 ** (entry.attempts - 1), longestBackoffMs);
    const leftMs = entry.lastAttemptMs + backoffMs - clock.nowMs();
    clock.clearTimeout(entry.timer);
    entry.isComing = true;
    if (leftMs <= 0) enqueue(key);
    else entry.timer = clock.setTimeout(() => enqueue(key), leftMs);
  }

  function forget(key: string): void {
    const entry = waiting.get(key);
    if (entry) clock.clearTimeout(entry.timer);
    waiting.delete(key);
  }

  function watch(): void {
    informers.on('pods', podChanged);
    informers.on('nodes', ({ type, object: node, previous }) => {
      if (type === 'ADDED') tell({ kind: 'node-added', node });
      else if (type === 'DELETED') tell({ kind: 'node-deleted', node });
      else if (!previous || relevantOf(previous) !== relevantOf(node)) tell({ kind: 'node-updated', node });
    });
  }

  function podChanged({ type, object: pod, previous }: Change<'pods'>): void {
    const key = keyOf(pod.metadata.namespace, pod.metadata.name);
    const isGone = type === 'DELETED' || isTerminal(pod);
    if (isGone) {
      forget(key);
      assumed.delete(key);
      if (pod.spec?.nodeName && !(previous && isTerminal(previous))) tell({ kind: 'pod-deleted', pod });
      return;
    }
    if (!pod.spec?.nodeName) {
      if (!isOurs(pod) || isTerminating(pod)) return;
      const hasNewSpec = previous && previous.metadata.generation !== pod.metadata.generation;
      const waits = waiting.get(key);
      if (waits && hasNewSpec && !waits.isComing) comeBack(key, waits);
      else if (!waits && !assumed.has(key)) enqueue(key);
      return;
    }
    assumed.delete(key);
    forget(key);
    if (!previous?.spec?.nodeName) tell({ kind: 'pod-added', pod });
    else if (hasOtherProperties(previous, pod)) tell({ kind: 'pod-updated', pod, former: previous });
  }
}

function isOurs(pod: Pod): boolean {
  return (
    !pod.spec?.nodeName &&
    (pod.spec?.schedulerName ?? 'default-scheduler') === 'default-scheduler' &&
    (pod.spec?.schedulingGates ?? []).length === 0
  );
}

function hasOtherProperties(before: Pod, after: Pod): boolean {
  const relevant = (pod: Pod) =>
    JSON.stringify([pod.metadata.labels, pod.spec?.containers.map(({ resources }) => resources)]);
  return relevant(before) !== relevant(after);
}

/** What of a node can let a pod in; heartbeats do not. */
function relevantOf({
  metadata,
  spec,
  status,
}: {
  metadata: object;
  spec?: object;
  status?: object;
}): string {
  const { labels } = metadata as { labels?: object };
  const { allocatable, conditions } = (status ?? {}) as {
    allocatable?: object;
    conditions?: { type: string; status: string }[];
  };
  return JSON.stringify([labels, spec, allocatable, conditions?.map(({ type, status: s }) => [type, s])]);
}
