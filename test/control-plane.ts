// A control plane in a test: the real registry, controllers and scheduler on a clock that the test turns, and nodes whose
// pods start, become ready and stop after as many ms as the test says.
import { type ApiRegistry, createRegistry } from '../emulator/api/registry.ts';
import type { Change, Draft, Pod } from '../emulator/api/types.ts';
import { type ControllersOptions, startControllers } from '../emulator/controllers/index.ts';
import type { Clock } from '../emulator/controllers/runtime/clock.ts';

export interface TurnedClock extends Clock {
  /** Turns on, timer by timer; whatever awaits one goes on before the next. */
  advance(byMs: number): Promise<void>;
  readonly pendingTimers: number;
}

export function turnedClock(startMs = Date.UTC(2026, 0, 1)): TurnedClock {
  let nowMs = startMs;
  let serial = 0;
  const timers = new Map<number, { atMs: number; callback: () => void }>();
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    nowMs: () => nowMs,
    setTimeout(callback, delayMs) {
      timers.set(++serial, { atMs: nowMs + Math.max(0, delayMs), callback });
      return serial;
    },
    clearTimeout: (handle) => void timers.delete(handle as number),
    async advance(byMs) {
      const endMs = nowMs + byMs;
      await settle();
      for (;;) {
        let next: [number, { atMs: number; callback: () => void }] | undefined;
        for (const each of timers) if (!next || each[1].atMs < next[1].atMs) next = each;
        if (!next || next[1].atMs > endMs) break;
        timers.delete(next[0]);
        nowMs = Math.max(nowMs, next[1].atMs);
        next[1].callback();
        await settle();
      }
      nowMs = endMs;
    },
    get pendingTimers() {
      return timers.size;
    },
  };
}

/** mulberry32: the same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What happens to a pod on its node, ms after it was scheduled, was running, was deleted, had ended. */
export interface PodLife {
  readonly runningAfterMs: number;
  /** undefined: when the test calls makeReady. */
  readonly readyAfterMs?: number;
  readonly stoppedAfterMs: number;
  readonly removedAfterMs: number;
}

interface ControlPlaneOptions extends Partial<Pick<ControllersOptions, 'hpaSyncMs' | 'metrics'>> {
  readonly seed?: number;
  readonly life?: (pod: Pod, random: () => number) => PodLife;
  readonly latencyFactor?: number;
}

export interface ControlPlane {
  readonly clock: TurnedClock;
  readonly registry: ApiRegistry;
  readonly changes: (Change & { readonly atMs: number })[];
  /** Defects that controllers reported. */
  readonly defects: string[];
  makeReady(pod: Pod, isReady?: boolean): void;
  /** Turns the clock until it is true; throws after the limit. */
  until(what: string, isTrue: () => boolean, limitMs?: number): Promise<void>;
  pods(namespace?: string): Pod[];
  stop(): void;
}

const defaultLife = (_pod: Pod, random: () => number): PodLife => ({
  runningAfterMs: 900 + random() * 900,
  readyAfterMs: 1000 + random() * 1000,
  stoppedAfterMs: 3200 + random() * 400,
  removedAfterMs: 300 + random() * 600,
});

export function controlPlane(options: ControlPlaneOptions = {}): ControlPlane {
  const clock = turnedClock();
  const random = seeded(options.seed ?? 1);
  const registry = createRegistry({ now: () => clock.nowMs(), random });
  const changes: (Change & { atMs: number })[] = [];
  const defects: string[] = [];
  const life = options.life ?? defaultLife;
  for (const draft of nodes()) registry.create('nodes', draft);
  registry.subscribe((change) => changes.push({ ...change, atMs: clock.nowMs() }));
  registry.subscribe(runPods(registry, clock, random, life));
  const controllers = startControllers({
    registry,
    clock,
    random,
    latencyFactor: options.latencyFactor,
    hpaSyncMs: options.hpaSyncMs,
    metrics: options.metrics,
    onDefect: (controller, key, error) =>
      defects.push(`${controller} ${key}: ${error instanceof Error ? error.stack : String(error)}`),
  });
  return {
    clock,
    registry,
    changes,
    defects,
    makeReady: (pod, isReady = true) => setReady(registry, clock, pod, isReady),
    async until(what, isTrue, limitMs = 120_000) {
      for (const endMs = clock.nowMs() + limitMs; !isTrue(); ) {
        if (clock.nowMs() >= endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
        await clock.advance(20);
      }
    },
    pods: (namespace = 'default') => [...registry.list('pods', namespace)],
    stop: () => controllers.stop(),
  };
}

/** One control plane with the usual taint and three workers, as the recordings have them. */
function nodes(): Draft<'nodes'>[] {
  return ['control-plane', 'node1', 'node2', 'node3'].map((name) => ({
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } },
    spec:
      name === 'control-plane'
        ? { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] }
        : {},
    status: {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      capacity: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  }));
}

function runPods(
  registry: ApiRegistry,
  clock: TurnedClock,
  random: () => number,
  life: (pod: Pod, random: () => number) => PodLife,
): (change: Change) => void {
  let address = 1;
  const current = (pod: Pod) => {
    const now = registry.get('pods', pod.metadata.namespace, pod.metadata.name);
    return now?.metadata.uid === pod.metadata.uid ? now : undefined;
  };
  const start = (pod: Pod) => {
    const { runningAfterMs, readyAfterMs } = life(pod, random);
    const podIP = `10.244.0.${address++}`;
    clock.setTimeout(() => {
      if (!current(pod) || current(pod)?.metadata.deletionTimestamp) return;
      setPhase(registry, clock, pod, 'Running', podIP);
      if (readyAfterMs === undefined) return;
      clock.setTimeout(() => {
        const now = current(pod);
        if (now && now.status?.phase === 'Running') setReady(registry, clock, now, true);
      }, readyAfterMs);
    }, runningAfterMs);
  };
  const stop = (pod: Pod) => {
    const { stoppedAfterMs, removedAfterMs } = life(pod, random);
    clock.setTimeout(() => {
      if (!current(pod)) return;
      setPhase(registry, clock, pod, 'Succeeded', pod.status?.podIP);
      clock.setTimeout(() => {
        const { namespace, name, uid } = pod.metadata;
        if (current(pod)) registry.delete('pods', namespace, name, { gracePeriodSeconds: 0, uid });
      }, removedAfterMs);
    }, stoppedAfterMs);
  };
  return ({ type, resource, object, previous }) => {
    if (resource !== 'pods' || type === 'DELETED') return;
    const [pod, before] = [object as Pod, previous as Pod | undefined];
    if (pod.spec?.nodeName && !before?.spec?.nodeName) start(pod);
    if (pod.metadata.deletionTimestamp && !before?.metadata.deletionTimestamp) stop(pod);
  };
}

function setPhase(
  registry: ApiRegistry,
  clock: Clock,
  pod: Pod,
  phase: string,
  podIP: string | undefined,
): void {
  const { namespace, name } = pod.metadata;
  const time = wire(clock);
  registry.mutate(
    'pods',
    namespace,
    name,
    (draft) => {
      const scheduled = draft.status?.conditions?.find(({ type }) => type === 'PodScheduled');
      const reason = phase === 'Succeeded' ? 'PodCompleted' : 'ContainersNotReady';
      const notReady = { status: 'False', reason, lastTransitionTime: time };
      draft.status = {
        ...draft.status,
        phase,
        podIP,
        startTime: draft.status?.startTime ?? time,
        conditions: [
          { type: 'Initialized', status: 'True', lastTransitionTime: time },
          { type: 'Ready', ...notReady },
          { type: 'ContainersReady', ...notReady },
          ...(scheduled ? [scheduled] : []),
        ],
      };
    },
    'status',
  );
}

function setReady(registry: ApiRegistry, clock: Clock, pod: Pod, isReady: boolean): void {
  const { namespace, name } = pod.metadata;
  const status = isReady ? 'True' : 'False';
  registry.mutate(
    'pods',
    namespace,
    name,
    (draft) => {
      for (const condition of draft.status?.conditions ?? []) {
        if (condition.type !== 'Ready' && condition.type !== 'ContainersReady') continue;
        if (condition.status === status) continue;
        condition.status = status;
        condition.lastTransitionTime = wire(clock);
        if (isReady) delete condition.reason;
        else condition.reason = 'ContainersNotReady';
      }
    },
    'status',
  );
}

function wire(clock: Clock): string {
  return `${new Date(clock.nowMs()).toISOString().slice(0, 19)}Z`;
}
