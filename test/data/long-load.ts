// A load that goes on, as agents tell it in frames, at any speed: for tests of what is cut out of it.
import type { EndpointSliceFacts, PodFacts } from '../../harness/model/facts.ts';
import type { HeaderRecord } from '../../harness/model/journal.ts';
import type { Failure, LostInterval, StreamDelta } from '../../harness/model/load.ts';
import { scenarioSchema } from '../../harness/model/scenario.ts';
import type { JournalWriter } from '../../harness/record/journal-writer.ts';
import type { EpisodeBegin } from '../../harness/run/watch/episodes.ts';

const RATE = 20;
const SPACING_MS = 1000 / RATE;
const FRAME_MS = 200;
/** Of the harness's clock when the load began. */
const OFFSET_MS = 1234.5;

export interface LongLoad {
  readonly streams: readonly {
    readonly id: string;
    readonly lost?: (dueMs: number) => boolean;
    /** What else its failures say. */
    readonly failing?: (dueMs: number) => Partial<Failure>;
  }[];
  readonly untilMs: number;
  /** What happens meanwhile, by the load's clock. */
  readonly happens?: readonly (readonly [atMs: number, act: (t: number) => void])[];
}

/** Writes what an agent would tell; `setNow` moves the clock of the journal. */
export function fireLong(
  journal: Pick<JournalWriter, 'write'>,
  setNow: (t: number) => void,
  { streams, untilMs, happens = [] }: LongLoad,
): void {
  const open = new Map<string, { startMs: number; lost: number }>();
  const pending = [...happens].sort((a, b) => a[0] - b[0]);
  const agent = 'agent-0';
  setNow(OFFSET_MS);
  journal.write({ type: 'clock', agent, offsetMs: OFFSET_MS, errorMs: 1 });
  for (let seq = 1; seq * FRAME_MS <= untilMs; seq++) {
    const toMs = seq * FRAME_MS;
    for (let next = pending[0]; next && next[0] <= toMs; next = pending[0]) {
      setNow(next[0] + OFFSET_MS);
      next[1](next[0] + OFFSET_MS);
      pending.shift();
    }
    setNow(toMs + OFFSET_MS + 30);
    const deltas = streams.map((stream) => [stream.id, deltaOf(stream, toMs - FRAME_MS, toMs, open)] as const);
    journal.write({
      type: 'frame',
      agent,
      frame: {
        seq,
        atMs: toMs,
        streams: Object.fromEntries(deltas),
        phases: [],
        health: { sendLagP99Ms: 1, sendLagMaxMs: 2, eventLoopP99Ms: 1, cpuShare: 0.01, rssBytes: 50_000_000 },
      },
    });
  }
}

function deltaOf(
  { id, lost = () => false, failing = () => ({}) }: LongLoad['streams'][number],
  fromMs: number,
  toMs: number,
  open: Map<string, { startMs: number; lost: number }>,
): StreamDelta {
  const delta: StreamDelta = { buckets: [], failures: [], intervals: [] };
  for (let i = fromMs / 100; i < toMs / 100; i++) {
    const bucket = { i, sent: 0, shed: 0, outcomes: {} as Record<string, number>, maxMs: 0 };
    for (let dueMs = i * 100; dueMs < (i + 1) * 100; dueMs += SPACING_MS) {
      bucket.sent++;
      const outcome = lost(dueMs) ? (failing(dueMs).outcome ?? 'refused') : 'ok';
      bucket.outcomes[outcome] = (bucket.outcomes[outcome] ?? 0) + 1;
      const run = open.get(id);
      if (outcome !== 'ok') {
        open.set(id, { startMs: run?.startMs ?? dueMs, lost: (run?.lost ?? 0) + 1 });
        delta.failures.push({ ...failure(dueMs), ...failing(dueMs) });
      } else {
        bucket.maxMs = 1;
        if (run) delta.intervals.push({ ...run, endMs: dueMs } satisfies LostInterval);
        open.delete(id);
      }
    }
    delta.buckets.push(bucket);
  }
  return delta;
}

const failure = (dueMs: number): Failure => ({
  dueMs,
  startMs: dueMs,
  endMs: dueMs + 1,
  outcome: 'refused',
  phase: 'connect',
  code: 'ECONNREFUSED',
  reused: false,
  race: false,
  bytes: 0,
  connection: Math.round(dueMs / SPACING_MS) + 1,
  nth: 1,
});

export function podFacts(service: string, change: Partial<PodFacts> = {}): PodFacts {
  return {
    kind: 'Pod',
    services: [service],
    ownerKind: 'ReplicaSet',
    owner: `${service}-1`,
    phase: 'Running',
    ready: true,
    terminating: false,
    containers: [
      { name: 'app', image: 'app:1', ready: change.ready ?? true, started: true, restarts: 0, state: 'running' },
    ],
    conditions: [],
    ...change,
  };
}

export const sliceFacts = (service: string, pods: readonly string[]): EndpointSliceFacts => ({
  kind: 'EndpointSlice',
  service,
  endpoints: pods.map((pod, index) => ({
    ip: `10.0.0.${index + 1}`,
    pod,
    ready: true,
    serving: true,
    terminating: false,
  })),
});

export function episodeHeader({ service, number, fromLoadMs, trigger, startedAt }: EpisodeBegin): HeaderRecord {
  const load = [{ lane: 'new', rate: { shape: 'constant', ratePerSecond: RATE }, timeoutMs: 3000 }];
  const stream = {
    url: 'http://10.0.0.1/',
    method: 'GET',
    headers: {},
    expectStatus: [],
    insecure: false,
    rate: { shape: 'constant' as const, ratePerSecond: RATE },
    connections: 20,
    timeoutMs: 3000,
    maxDurationMs: 86_400_000,
    split: { index: 0, of: 1 },
    lane: 'new' as const,
  };
  return {
    type: 'header',
    schemaVersion: 1,
    tool: { name: 'rollproof', version: '0.1.0' },
    runId: 'run1',
    startedAt,
    seed: 1,
    scenario: scenarioSchema.parse({
      id: `watch-${service}`,
      title: service,
      question: `What did changes of ${service} lose?`,
      group: 'connections',
      load,
      steps: [],
      claims: [],
      until: 'no-terminating',
    }),
    profile: 'full',
    variant: { name: 'watched', version: 1, settings: [] },
    path: 'cluster-ip',
    agents: 1,
    repeat: number - 1,
    cluster: { name: 'c', kind: 'context', kubernetesVersion: 'v1.34.0', emulated: false, nodes: [], proxyMode: 'iptables', notes: [] },
    target: { builtIn: false, workload: `Deployment/${service}`, service: `${service}:80`, images: {} },
    plan: {
      runId: 'run1',
      streams: [{ ...stream, id: 'new' }, { ...stream, id: 'control' }],
      podHeader: 'x-rollproof-pod',
      preflightMs: 0,
    },
    manifests: '',
    settingsDiff: '',
    episode: { service, number, fromLoadMs, trigger, owners: [] },
    configuration: {},
    arguments: [],
  };
}
