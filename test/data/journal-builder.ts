// Makes small journals by hand: what happened is said in ms of the load's clock, the counts are worked out from a list
// of losses. For tests of the judge and of reports.
import type { EndpointSliceFacts, Facts, PodFacts } from '../../harness/model/facts.ts';
import {
  type ClusterInfo,
  type HeaderRecord,
  type JournalRecord,
  type KernelAnswer,
  kernelAnswers,
  type RecordOf,
} from '../../harness/model/journal.ts';
import {
  type Bucket,
  type Failure,
  isLost,
  type Lane,
  type LostInterval,
  type Outcome,
  type OutcomeCounts,
  type Phase,
  type StreamDelta,
  type StreamEnd,
  type TargetPhase,
  timeoutCodes,
} from '../../harness/model/load.ts';
import { type ScenarioInput, type Step, scenarioSchema } from '../../harness/model/scenario.ts';

/** A lost attempt (or one that ended otherwise than ok). `dueMs` is moved to the arrival at or before it. */
export interface Loss {
  readonly dueMs: number;
  readonly outcome?: Outcome;
  readonly phase?: Phase;
  readonly endMs?: number;
  readonly reused?: boolean;
  readonly race?: boolean;
  readonly bytes?: number;
  readonly status?: number;
  readonly pod?: string;
  readonly podKnownBy?: Failure['podKnownBy'];
  readonly localPort?: number;
  readonly openedMs?: number;
  /** Counted, but beyond the agent's bounded list. */
  readonly unlisted?: boolean;
  /** Its number, as its request id says. */
  readonly sequence?: number;
}

export interface StreamOptions {
  readonly id?: string;
  /** Name of the entry that it comes in by, and the prefix of its request ids. */
  readonly entry?: string;
  readonly requestIds?: string;
  readonly ratePerSecond?: number;
  readonly durationMs?: number;
  readonly losses?: readonly Loss[];
  /** Due times of arrivals for which no slot was free. */
  readonly shed?: readonly number[];
  readonly sendLagMs?: Partial<StreamEnd['sendLagMs']>;
  /** Answers say which pod: the pod of an arrival, by due time. */
  readonly answeredBy?: (dueMs: number) => string | undefined;
  /** Changes the totals, to break an identity. */
  readonly breakEnd?: (end: StreamEnd) => StreamEnd;
}

export interface BuilderOptions {
  readonly variant?: string;
  readonly settings?: readonly string[];
  readonly scenario?: Partial<ScenarioInput>;
  readonly path?: HeaderRecord['path'];
  readonly entries?: HeaderRecord['entries'];
  readonly agents?: number;
  readonly repeat?: number;
  /** Clock of agent N: the journal's time at its load's start; one per agent. Default: 1500 for all. */
  readonly offsetsMs?: readonly number[];
  readonly clockErrorMs?: number;
  readonly cluster?: Partial<ClusterInfo>;
  readonly replicas?: number;
  readonly startedAt?: string;
  readonly runId?: string;
  readonly manifests?: string;
  /** host:port that the load is sent to. */
  readonly address?: string;
  /** Frames that fell out of every agent's spool; the gap is recorded. */
  readonly lostFrames?: { readonly fromSeq: number; readonly toSeq: number };
}

type EndpointWord = 'ready' | 'unready' | 'terminating' | 'stopped';

interface PodOptions {
  readonly role?: string;
  readonly node?: string;
  readonly ip?: string;
  readonly templateHash?: string;
  readonly owner?: string;
  readonly graceSeconds?: number;
  /** A second container, which ends this long after the first; both are seen ended then. */
  readonly second?: {
    readonly name: string;
    readonly laterMs: number;
    readonly exitCode?: number;
    /** An init container that goes on. */
    readonly sidecar?: boolean;
  };
}

interface PodBuilder {
  readonly name: string;
  created(atMs: number): PodBuilder;
  running(atMs: number): PodBuilder;
  ready(atMs: number): PodBuilder;
  /** Running and Ready in one status: no readinessProbe. */
  runningReady(atMs: number): PodBuilder;
  unready(atMs: number): PodBuilder;
  terminating(atMs: number, graceSeconds?: number): PodBuilder;
  ended(atMs: number, exitCode: number, reason?: string): PodBuilder;
  /** A restart in place. */
  restarted(atMs: number, exitCode: number, reason?: string): PodBuilder;
  deleted(atMs: number): PodBuilder;
  phase(atMs: number, phase: TargetPhase['phase']): PodBuilder;
}

const FRAME_MS = 1000;
const TIMEOUT_MS = 3000;
const BUCKET_MS = 100;
/** An answer takes this long. */
const ANSWER_MS = 1;
const answerTimes = { p50: ANSWER_MS, p90: ANSWER_MS, p99: ANSWER_MS, p999: ANSWER_MS, max: ANSWER_MS };
const lagTimes = { p50: 1, p90: 2, p99: 3, p999: 3, max: 3 };

export class JournalBuilder {
  private readonly options: BuilderOptions;
  private readonly records: { t: number; record: JournalRecord }[] = [];
  private readonly streams: (Required<Pick<StreamOptions, 'id' | 'ratePerSecond' | 'durationMs'>> &
    StreamOptions & { lane: Lane })[] = [];
  private readonly phases: TargetPhase[] = [];
  private readonly endOptions: Partial<RecordOf<'end'>> = {};
  private readonly dropped = new Set<string>();

  constructor(options: BuilderOptions = {}) {
    this.options = options;
  }

  /** Journal time of a moment of the load's clock. */
  private t(atMs: number): number {
    return atMs + Math.min(...this.offsets());
  }

  private offsets(): readonly number[] {
    return this.options.offsetsMs ?? Array.from({ length: this.options.agents ?? 1 }, () => 1500);
  }

  record(atMs: number, record: JournalRecord): this {
    const t = this.t(atMs);
    this.records.push({ t, record: record.type === 'header' ? record : { ...record, t } });
    return this;
  }

  watch(atMs: number, event: RecordOf<'watch'>['event'], name: string, facts: Facts): this {
    return this.record(atMs, {
      type: 'watch',
      t: 0,
      event,
      namespace: 'rollproof-test',
      name,
      uid: `uid-${name}`,
      facts,
    });
  }

  step(atMs: number, step: Step, endMs = atMs + 20, detail: Record<string, unknown> = {}): this {
    const index = this.records.filter(({ record }) => record.type === 'step' && record.event === 'begin').length;
    this.record(atMs, { type: 'step', t: 0, index, event: 'begin', step });
    return this.record(endMs, { type: 'step', t: 0, index, event: 'end', step, detail });
  }

  /** Connections that a node's kernel tracked; `atMs`: when they began, of the load's clock. */
  witness(
    atMs: number,
    connections: readonly {
      readonly port: number;
      readonly pod: string;
      readonly atMs: number;
      readonly answer?: KernelAnswer;
      readonly answerMs?: number;
      readonly to?: string;
      readonly from?: string;
    }[],
    more: Partial<RecordOf<'witness'>> = {},
  ): this {
    const sinceMs = Math.min(atMs, ...connections.map((one) => one.atMs));
    const from = [...new Set(connections.map((one) => one.from ?? '10.0.9.1'))];
    const to = [...new Set(connections.map((one) => one.to ?? '10.96.0.10:80'))];
    const pods = [...new Set(connections.map((one) => one.pod))];
    return this.record(atMs, {
      type: 'witness',
      t: 0,
      node: 'node0',
      by: 'events',
      lost: false,
      errorMs: 2,
      sinceT: this.t(sinceMs),
      from,
      to,
      pods,
      connections: connections.map((one) => [
        one.port,
        from.indexOf(one.from ?? '10.0.9.1'),
        to.indexOf(one.to ?? '10.96.0.10:80'),
        pods.indexOf(one.pod),
        one.atMs - sinceMs,
        kernelAnswers.indexOf(one.answer ?? 'refused'),
        one.answerMs ?? 0.2,
      ]),
      ...more,
    });
  }

  milestone(atMs: number, name: RecordOf<'milestone'>['name']): this {
    return this.record(atMs, { type: 'milestone', t: 0, name });
  }

  event(atMs: number, reason: string, message: string, involvedName: string, involvedKind = 'Pod', count = 1): this {
    return this.watch(atMs, 'ADDED', `${involvedName}.${reason}.${atMs}`, {
      kind: 'Event',
      type: 'Warning',
      reason,
      message,
      count,
      involvedKind,
      involvedName,
    });
  }

  /** The target's one EndpointSlice from `atMs` on. `terminating`: serving and terminating; `stopped`: neither. */
  endpoints(atMs: number, pods: Readonly<Record<string, EndpointWord>>): this {
    const facts: EndpointSliceFacts = {
      kind: 'EndpointSlice',
      service: 'web',
      endpoints: Object.entries(pods).map(([pod, word], index) => ({
        ip: `10.0.0.${index + 1}`,
        pod,
        node: 'node1',
        ready: word === 'ready',
        serving: word === 'ready' || word === 'terminating',
        terminating: word === 'terminating' || word === 'stopped',
      })),
    };
    return this.watch(atMs, 'MODIFIED', 'web-abcde', facts);
  }

  deployment(atMs: number, facts: Partial<Extract<Facts, { kind: 'Deployment' }>> = {}): this {
    const replicas = facts.specReplicas ?? this.options.replicas ?? 3;
    return this.watch(atMs, 'MODIFIED', 'web', {
      kind: 'Deployment',
      role: 'target',
      generation: 1,
      observedGeneration: 1,
      images: ['target:2'],
      specReplicas: replicas,
      paused: false,
      replicas,
      updated: replicas,
      ready: replicas,
      available: replicas,
      unavailable: 0,
      conditions: [],
      ...facts,
    });
  }

  replicaSet(atMs: number, name: string, specReplicas: number, revision = '1', event: 'EXISTING' | 'ADDED' | 'MODIFIED' = 'MODIFIED'): this {
    return this.watch(atMs, event, name, {
      kind: 'ReplicaSet',
      role: 'target',
      images: ['target:1'],
      owner: 'web',
      templateHash: name,
      revision,
      specReplicas,
      replicas: specReplicas,
      ready: specReplicas,
      available: specReplicas,
    });
  }

  pod(name: string, options: PodOptions = {}): PodBuilder {
    const { role = 'target', node = 'node1', ip = '10.0.0.1', templateHash = 'aaa', owner = `web-${templateHash}` } = options;
    const second: PodFacts['containers'] = options.second
      ? [{ name: options.second.name, image: 'second:1', ready: true, started: true, restarts: 0, state: 'running' }]
      : [];
    let facts: PodFacts = {
      kind: 'Pod',
      role,
      ownerKind: 'ReplicaSet',
      owner,
      templateHash,
      node,
      ip,
      phase: 'Pending',
      ready: false,
      terminating: false,
      terminationGracePeriodSeconds: options.graceSeconds ?? 30,
      containers: [{ name: 'app', image: 'target:1', ready: false, started: false, restarts: 0, state: 'waiting' }, ...(options.second?.sidecar ? [] : second)],
      ...(options.second?.sidecar && { sidecars: second }),
      conditions: [],
    };
    const put = (atMs: number, event: RecordOf<'watch'>['event'], change: Partial<PodFacts>, container: Partial<PodFacts['containers'][number]> = {}) => {
      const [first] = facts.containers as [PodFacts['containers'][number]];
      const both = options.second && container.state === 'terminated';
      const finishedAt = (laterMs: number) => new Date(Date.UTC(2026, 0, 1) + atMs - laterMs).toISOString().replace(/\.\d+/, '');
      const others: PodFacts['containers'] = both
        ? second.map((one) => ({ ...one, ready: false, state: 'terminated', exitCode: options.second?.exitCode ?? 0, finishedAt: finishedAt(0) }))
        : second;
      const own = both ? { finishedAt: finishedAt(options.second?.laterMs ?? 0) } : {};
      const sidecar = options.second?.sidecar === true;
      facts = { ...facts, ...change, containers: [{ ...first, ...container, ...own }, ...(sidecar ? [] : others)], ...(sidecar && { sidecars: others }) };
      this.watch(atMs, event, name, facts);
      return builder;
    };
    const running = { state: 'running', started: true } as const;
    const builder: PodBuilder = {
      name,
      created: (atMs) => put(atMs, atMs < 0 ? 'EXISTING' : 'ADDED', {}),
      running: (atMs) => put(atMs, 'MODIFIED', { phase: 'Running' }, running),
      ready: (atMs) => put(atMs, 'MODIFIED', { ready: true }, { ready: true }),
      runningReady: (atMs) => put(atMs, atMs < 0 ? 'EXISTING' : 'MODIFIED', { phase: 'Running', ready: true }, { ...running, ready: true }),
      unready: (atMs) => put(atMs, 'MODIFIED', { ready: false }, { ready: false }),
      terminating: (atMs, graceSeconds = options.graceSeconds ?? 30) =>
        put(atMs, 'MODIFIED', { terminating: true, deletionGracePeriodSeconds: graceSeconds }),
      ended: (atMs, exitCode, reason = exitCode === 0 ? 'Completed' : 'Error') =>
        put(
          atMs,
          'MODIFIED',
          { ready: false, phase: facts.terminating ? (exitCode === 0 ? 'Succeeded' : 'Failed') : facts.phase },
          { state: 'terminated', ready: false, exitCode, reason },
        ),
      restarted: (atMs, exitCode, reason = 'Error') => {
        const restarts = (facts.containers[0]?.restarts ?? 0) + 1;
        return put(atMs, 'MODIFIED', {}, { ...running, restarts, last: { exitCode, reason }, exitCode: undefined, reason: undefined });
      },
      deleted: (atMs) => put(atMs, 'DELETED', {}),
      phase: (atMs, phase) => {
        this.phases.push({ tMs: atMs, pod: name, phase });
        return builder;
      },
    };
    return builder;
  }

  /** A pod that ran and was ready long before the load. */
  oldPod(name: string, options: PodOptions = {}): PodBuilder {
    return this.pod(name, options).runningReady(-1000).phase(-900, 'listening');
  }

  lane(lane: Lane, options: StreamOptions = {}): this {
    this.streams.push({ ...options, lane, id: options.id ?? lane, ratePerSecond: options.ratePerSecond ?? 200, durationMs: options.durationMs ?? 20_000 });
    return this;
  }

  control(options: StreamOptions = {}): this {
    return this.lane('new', { ratePerSecond: 20, ...options, id: 'control' });
  }

  failedStep(atMs: number, step: Step, error: string): this {
    const index = this.records.filter(({ record }) => record.type === 'step' && record.event === 'begin').length;
    this.record(atMs, { type: 'step', t: 0, index, event: 'begin', step });
    return this.record(atMs, { type: 'step', t: 0, index, event: 'failed', step, detail: { error } });
  }

  /** Changes the `end` record. */
  ends(end: Partial<RecordOf<'end'>>): this {
    Object.assign(this.endOptions, end);
    return this;
  }

  /** Leaves out all records of a type that are made by themselves ("clock", "stream-end", "load"). */
  without(type: JournalRecord['type']): this {
    this.dropped.add(type);
    return this;
  }

  private header(): HeaderRecord {
    const { variant = 'baseline', settings = [], replicas = 3, agents = 1 } = this.options;
    const scenario = scenarioSchema.parse({
      id: 'image-change',
      title: 'New image under load',
      question: 'Does a new image lose connections?',
      group: 'connections',
      target: { replicas },
      // What was done and what was fired is what was planned.
      steps: this.records.flatMap(({ record }) => (record.type === 'step' && record.event === 'begin' ? [record.step] : [])),
      load: this.streams
        .filter(({ id, lane }, index, all) => id !== 'control' && all.findIndex((one) => one.lane === lane && one.id !== 'control') === index)
        .map(({ lane, ratePerSecond }) => ({ lane, rate: { shape: 'constant', ratePerSecond }, timeoutMs: TIMEOUT_MS })),
      claims: [],
      ...this.options.scenario,
    });
    return {
      type: 'header',
      schemaVersion: 1,
      tool: { name: 'rollproof', version: '0.1.0', commit: 'abc1234' },
      runId: this.options.runId ?? 'run1',
      startedAt: this.options.startedAt ?? '2026-01-02T03:04:05.000Z',
      seed: 1,
      scenario,
      profile: 'quick',
      variant: { name: variant, version: 1, settings: [...settings] },
      path: this.options.path ?? 'cluster-ip',
      ...(this.options.entries && { entries: this.options.entries }),
      agents,
      repeat: this.options.repeat ?? 0,
      cluster: {
        name: 'rollproof',
        kind: 'kind',
        kubernetesVersion: 'v1.34.4',
        emulated: false,
        nodes: [
          { name: 'node0', role: 'control-plane' },
          { name: 'node1', role: 'worker' },
        ],
        proxyMode: 'iptables',
        agentNode: 'node0',
        notes: [],
        ...this.options.cluster,
      },
      target: { builtIn: true, workload: 'Deployment/web', service: 'web:80', images: { current: 'target:1', next: 'target:2' } },
      plan: {
        runId: this.options.runId ?? 'run1',
        podHeader: 'x-rollproof-pod',
        preflightMs: 0,
        streams: this.streams.map(({ id, lane, ratePerSecond, entry, requestIds }) => ({
          id,
          lane,
          ...(entry && { entry }),
          ...(requestIds && { requestIds }),
          url: `http://${this.options.address ?? '10.96.0.1:80'}/${id}`,
          method: 'GET',
          headers: {},
          expectStatus: [],
          insecure: false,
          rate: { shape: 'constant', ratePerSecond },
          connections: lane === 'kept' ? 20 : 620,
          timeoutMs: TIMEOUT_MS,
          maxDurationMs: 300_000,
          split: { index: 0, of: agents },
        })),
      },
      manifests: this.options.manifests ?? '',
      settingsDiff: settings.length > 0 ? '+  readinessProbe: {}\n' : '',
      configuration: {},
      arguments: ['verify'],
    };
  }

  build(): JournalRecord[] {
    const agents = this.options.agents ?? 1;
    const first = Math.min(...this.offsets());
    const endMs = Math.max(1000, ...this.streams.map((stream) => stream.durationMs));
    for (let agent = 0; agent < agents; agent++) {
      const name = `agent-${agent}`;
      const offsetMs = this.offsets()[agent] ?? first;
      const shiftMs = offsetMs - first;
      this.make(shiftMs, { type: 'load', t: 0, agent: name, event: 'started' });
      this.make(shiftMs, { type: 'clock', t: 0, agent: name, offsetMs, errorMs: this.options.clockErrorMs ?? 2 });
      const shares = this.streams
        .filter((stream) => stream.id !== 'control' || agent === 0)
        .map((stream) => fire(stream, agent, stream.id === 'control' ? 1 : agents, shiftMs));
      const stopMs = Math.max(endMs, ...shares.map(({ end }) => end.durationMs));
      let overMs = stopMs;
      for (const frame of framesOf(shares, agent === 0 ? this.phases : [], stopMs)) {
        const lost = this.options.lostFrames;
        if (lost && frame.seq === lost.toSeq + 1) this.make(frame.atMs + shiftMs, { type: 'frame-gap', t: 0, agent: name, ...lost });
        if (!lost || frame.seq < lost.fromSeq || frame.seq > lost.toSeq) {
          this.make(frame.atMs + shiftMs, { type: 'frame', t: 0, agent: name, frame });
        }
        overMs = Math.max(overMs, frame.atMs);
      }
      this.make(overMs + shiftMs + 10, { type: 'load', t: 0, agent: name, event: 'stopping' });
      for (const { end } of shares) this.make(overMs + shiftMs + 20, { type: 'stream-end', t: 0, agent: name, end });
      this.make(overMs + shiftMs + 30, { type: 'load', t: 0, agent: name, event: 'ended' });
    }
    const body = asWatched([...this.records].sort((a, b) => a.t - b.t).map(({ record }) => record));
    const t = Math.max(this.t(endMs + 100), ...this.records.map((record) => record.t));
    const records: JournalRecord[] = [this.header(), ...body];
    records.push({ type: 'end', t, status: 'complete', truncated: false, records: records.length + 1, ...this.endOptions });
    return records;
  }

  private make(atMs: number, record: JournalRecord): void {
    if (!this.dropped.has(record.type)) this.record(atMs, record);
  }

  lines(): string[] {
    return this.build().map((record) => JSON.stringify(record));
  }
}

/** All arrivals of a rate in [fromMs, toMs) lost in one way. */
export function lossesBetween(fromMs: number, toMs: number, loss: Omit<Loss, 'dueMs'> = {}, ratePerSecond = 200): Loss[] {
  const spacingMs = 1000 / ratePerSecond;
  const losses: Loss[] = [];
  for (let k = Math.ceil(fromMs / spacingMs); k * spacingMs < toMs; k++) losses.push({ dueMs: k * spacingMs, ...loss });
  return losses;
}

interface Fired {
  readonly id: string;
  readonly frames: Map<number, StreamDelta>;
  readonly end: StreamEnd;
}

/** Works out what an agent says of its share of the schedule: arrivals k with k % of = agent. Its clock lags `shiftMs`. */
function fire(stream: JournalBuilder['streams'][number], agent: number, of: number, shiftMs: number): Fired {
  const { id, lane, ratePerSecond, durationMs } = stream;
  const spacingMs = 1000 / ratePerSecond;
  const arrivals = Math.floor((durationMs * ratePerSecond) / 1000);
  const at = (dueMs: number) => Math.floor(dueMs / spacingMs + 1e-9);
  const losses = new Map((stream.losses ?? []).map((loss) => [at(loss.dueMs), loss]));
  const shed = new Set((stream.shed ?? []).map(at));
  const frames = new Map<number, StreamDelta>();
  const buckets = new Map<string, Bucket>();
  const totals: OutcomeCounts = {};
  const phases: Record<string, number> = {};
  /** When the last attempt had ended; a run is folded when all attempts up to its end have. */
  let endedMs = 0;
  const counts = { scheduled: 0, attempts: 0, shed: 0, races: 0, listed: 0, dropped: 0 };
  let run: { startMs: number; lost: number } | undefined;
  let connection = 0;
  /** A frame carries what happened since the one before it. */
  const delta = (atMs: number) => {
    const number = Math.floor(atMs / FRAME_MS);
    const found = frames.get(number) ?? { buckets: [], failures: [], intervals: [] };
    frames.set(number, found);
    return found;
  };
  const bucketOf = (dueMs: number, atMs = dueMs) => {
    const i = Math.floor(dueMs / BUCKET_MS);
    const key = `${Math.floor(atMs / FRAME_MS)}/${i}`;
    let bucket = buckets.get(key);
    if (!bucket) {
      bucket = { i, sent: 0, shed: 0, outcomes: {}, maxMs: 0 };
      buckets.set(key, bucket);
      delta(atMs).buckets.push(bucket);
    }
    return bucket;
  };
  const closeRun = (endMs: number | null, atMs: number) => {
    if (!run) return;
    const interval: LostInterval = { startMs: run.startMs, endMs, lost: run.lost };
    delta(atMs).intervals.push(interval);
    run = undefined;
  };
  // A kept connection knows its pod by an answer before: the first ones are theirs.
  const keptWith = [...losses.values()].filter((loss) => loss.reused || lane === 'kept');
  const earlier = [...new Set(keptWith.flatMap(({ pod }) => pod ?? []))];
  for (let k = agent; k < arrivals; k += of) {
    // Losses are given on the first agent's clock; this agent's due times are its own.
    const dueMs = k * spacingMs;
    const loss = losses.get(Math.floor((dueMs + shiftMs) / spacingMs + 1e-9));
    const bucket = bucketOf(dueMs);
    counts.scheduled++;
    if (shed.has(k)) {
      counts.shed++;
      bucket.shed++;
      continue;
    }
    counts.attempts++;
    bucket.sent++;
    connection++;
    const outcome = loss ? (loss.outcome ?? 'refused') : 'ok';
    totals[outcome] = (totals[outcome] ?? 0) + 1;
    const failure = loss && outcome !== 'ok' ? failureOf(loss, outcome, dueMs, shiftMs, lane, connection) : undefined;
    const endMs = failure?.endMs ?? dueMs + ANSWER_MS;
    endedMs = Math.max(endedMs, endMs);
    const ended = bucketOf(dueMs, endMs);
    ended.outcomes[outcome] = (ended.outcomes[outcome] ?? 0) + 1;
    if (answered.has(outcome)) ended.maxMs = ANSWER_MS;
    if (!failure) {
      const pod = stream.answeredBy?.(dueMs + shiftMs) ?? earlier.shift();
      if (pod) {
        ended.pods ??= {};
        ended.pods[pod] = (ended.pods[pod] ?? 0) + 1;
      }
      closeRun(dueMs, endedMs);
      continue;
    }
    if (isLost(outcome)) {
      run ??= { startMs: dueMs, lost: 0 };
      run.lost++;
    }
    if (failure.race) counts.races++;
    const phase = `${outcome}/${failure.phase}/${failure.reused ? 'reused' : 'new'}`;
    phases[phase] = (phases[phase] ?? 0) + 1;
    if (loss?.unlisted) {
      counts.dropped++;
      continue;
    }
    counts.listed++;
    delta(endMs).failures.push(failure);
  }
  closeRun(null, Math.max(0, durationMs - 1, endedMs));
  const answers = [...answered].reduce((sum, outcome) => sum + (totals[outcome] ?? 0), 0);
  const end: StreamEnd = {
    stream: id,
    lane,
    scheduled: counts.scheduled,
    attempts: counts.attempts,
    shed: counts.shed,
    inFlight: 0,
    outcomes: totals,
    races: counts.races,
    phases,
    failuresListed: counts.listed,
    failuresDropped: counts.dropped,
    connectionsOpened: connection,
    durationMs: Math.max(durationMs, endedMs),
    latencyMs: answers > 0 ? answerTimes : nothing,
    serviceMs: answers > 0 ? answerTimes : nothing,
    sendLagMs: rising({ ...lagTimes, ...stream.sendLagMs }),
    brokenIdentities: [],
  };
  return { id, frames, end: stream.breakEnd ? stream.breakEnd(end) : end };
}

const answered: ReadonlySet<Outcome> = new Set(['ok', 'http3xx', 'http4xx', 'http5xx']);
const nothing = { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };

/** A percentile is not below the one before it. */
function rising(times: StreamEnd['sendLagMs']): StreamEnd['sendLagMs'] {
  const { p50 } = times;
  const p90 = Math.max(p50, times.p90);
  const p99 = Math.max(p90, times.p99);
  const p999 = Math.max(p99, times.p999);
  return { p50, p90, p99, p999, max: Math.max(p999, times.max) };
}

const connectOutcomes: ReadonlySet<Outcome> = new Set(['refused', 'unreachable', 'dns', 'timeout']);

function failureOf(loss: Loss, outcome: Outcome, dueMs: number, shiftMs: number, lane: Lane, connection: number): Failure {
  const reused = loss.reused ?? (loss.race || (lane === 'kept' && (outcome === 'reset' || outcome === 'closed')));
  const phase = loss.phase ?? (connectOutcomes.has(outcome) && !reused ? 'connect' : 'first-byte');
  const endMs = loss.endMs === undefined ? dueMs + (outcome === 'timeout' ? 3000 : 1) : loss.endMs - shiftMs;
  return {
    dueMs,
    startMs: dueMs,
    endMs,
    outcome,
    phase,
    code: outcome === 'timeout' ? timeoutCodes[phase] : (codeOf[outcome] ?? outcome.toUpperCase()),
    reused,
    race: reused && (loss.bytes ?? 0) === 0 && (outcome === 'closed' || outcome === 'reset'),
    bytes: loss.bytes ?? 0,
    ...(loss.status !== undefined && { status: loss.status }),
    connection,
    nth: reused ? 5 : 1,
    ...(loss.localPort !== undefined && { localPort: loss.localPort, openedMs: loss.openedMs ?? dueMs }),
    ...(loss.sequence !== undefined && { sequence: loss.sequence }),
    ...(loss.pod !== undefined && { pod: loss.pod, podKnownBy: loss.podKnownBy ?? 'previous-answer' }),
  };
}

const codeOf: Partial<Record<Outcome, string>> = {
  refused: 'ECONNREFUSED',
  reset: 'ECONNRESET',
  closed: 'FIN',
  unreachable: 'EHOSTUNREACH',
};

function framesOf(shares: readonly Fired[], phases: readonly TargetPhase[], endMs: number) {
  const last = Math.max(0, ...shares.flatMap(({ frames }) => [...frames.keys()]));
  const numbers = Math.max(last + 1, Math.ceil(endMs / FRAME_MS));
  const lagMs = Math.max(3, ...shares.map(({ end }) => end.sendLagMs.max));
  return Array.from({ length: numbers }, (_, number) => ({
    seq: number + 1,
    atMs: (number + 1) * FRAME_MS,
    streams: Object.fromEntries(
      shares.flatMap(({ id, frames }) => {
        const found = frames.get(number);
        return found ? [[id, found] as const] : [];
      }),
    ),
    phases: phases.filter(({ tMs }) => (number === 0 ? tMs < FRAME_MS : Math.floor(tMs / FRAME_MS) === number || (number === numbers - 1 && tMs >= endMs))),
    // What stood still did so at the end, where it moves no phase.
    health: { sendLagP99Ms: 1, sendLagMaxMs: number === numbers - 1 ? lagMs : 3, eventLoopP99Ms: 2, cpuShare: 0.1, rssBytes: 80_000_000 },
  }));
}

/** Objects come before they change, and their versions grow as the watch delivers them. */
function asWatched(records: readonly JournalRecord[]): JournalRecord[] {
  const present = new Set<string>();
  let version = 1000;
  return records.map((record) => {
    if (record.type !== 'watch') return record;
    const key = `${record.facts.kind}/${record.name}`;
    const event = record.event === 'MODIFIED' && !present.has(key) ? 'ADDED' : record.event;
    if (event === 'DELETED') present.delete(key);
    else present.add(key);
    return { ...record, event, resourceVersion: String(version++) };
  });
}
