// Derives what the page shows of one experiment from its journal's facts, bounded in size.

import type { JournalFacts, ObjectChange, StepFact } from '../../harness/journal/facts.ts';
import { listeningOf } from '../../harness/journal/listening.ts';
import type { EndpointSliceFacts, PodFacts } from '../../harness/model/facts.ts';
import { parseLineId } from '../../harness/model/line.ts';
import {
  BUCKET_MS,
  isLost,
  type Lane,
  type Outcome,
  outcomes,
  type RateProfile,
  type StreamDelta,
  type StreamPlan,
} from '../../harness/model/load.ts';
import { processedPerSecond } from '../../harness/model/queue.ts';
import type { Results } from '../../harness/model/results.ts';
import { clip } from '../../harness/words/figures.ts';
import { asideSteps, describeStep } from '../../harness/words/steps.ts';
import { nodeLanes, workersOf } from './nodes.ts';
import {
  type EndpointState,
  type EventMark,
  type FailureRow,
  type JournalView,
  type LaneSeries,
  limits,
  type PhaseMark,
  type PodLane,
  type PodShares,
  type PodState,
  type QueuePoint,
  type ReadyPoint,
  type Span,
  type StepMark,
  type Timeline,
} from './types.ts';

/** @param cited lines that the page will link to (see {@link citedLines}). */
export function journalView(facts: JournalFacts, cited: ReadonlySet<number> = new Set()): JournalView {
  const { header, end } = facts;
  return {
    runId: header.runId,
    startedAt: header.startedAt,
    loadFromMs: Math.round(-facts.clocks.fromHarness(0)),
    profile: header.profile,
    seed: header.seed,
    tool: [header.tool.name, header.tool.version, header.tool.commit].filter(Boolean).join(' '),
    images: header.target.images,
    target: `${header.target.workload} behind Service ${header.target.service}${header.target.builtIn ? ' (built in)' : ''}`,
    streams: header.plan.streams.map((plan) => ({
      id: plan.id,
      lane: plan.lane,
      url: plan.url,
      rate: rateWords(plan.rate, header.agents),
      connections: plan.connections,
      timeoutMs: plan.timeoutMs,
    })),
    settingsDiff: clip(header.settingsDiff, limits.diffChars),
    configuration: clip(JSON.stringify(header.configuration, undefined, 1), 6000),
    arguments: header.arguments,
    timeline: timeline(facts),
    cited: citedTexts(facts, cited),
    records: end.records,
    truncated: end.truncated,
    notes: facts.notes
      .slice(0, limits.notes)
      .map(({ atMs, level, text, line }) => ({ atMs: Math.round(atMs), level, text: clip(text, 500), line })),
  };
}

/** The lines of each journal that facts of these results point at, by the journal's file name. */
export function citedLines(results: Results): ReadonlyMap<string, ReadonlySet<number>> {
  const byJournal = new Map<string, Set<number>>();
  for (const scenario of results.scenarios) {
    for (const experiment of scenario.experiments) {
      const lines = byJournal.get(experiment.journal) ?? new Set<number>();
      byJournal.set(experiment.journal, lines);
      for (const lane of Object.values(experiment.lanes)) {
        for (const window of lane.windows) {
          for (const cause of window.causes) {
            for (const fact of cause.facts) if (fact.line !== undefined) lines.add(fact.line);
          }
        }
      }
    }
  }
  return byJournal;
}

export function timeline(facts: JournalFacts): Timeline {
  const { header } = facts;
  const series = new LaneCollector(facts);
  const pods = new PodCollector();
  const events: EventMark[] = [];
  let lastMs = facts.steps.reduce((last, step) => Math.max(last, Math.round(step.endMs ?? step.atMs)), 0);
  for (const change of facts.changes) {
    const atMs = Math.round(change.atMs);
    if (change.facts.kind === 'Event') {
      const { type, reason, message, involvedKind, involvedName, count } = change.facts;
      events.push({
        atMs,
        warning: type === 'Warning',
        reason,
        message: clip(message, 300),
        object: `${involvedKind} ${involvedName}`,
        count,
        line: change.line,
      });
      continue;
    }
    pods.watch(change, atMs);
    if (change.facts.kind === 'Pod') lastMs = Math.max(lastMs, atMs);
  }
  for (const { stream, delta, shiftMs, line } of facts.load) series.add(stream, delta, shiftMs, line);
  for (const { pod, phase, atMs, line } of facts.phases)
    pods.phase({ phase, atMs: Math.round(atMs), line }, pod);
  for (const { pod, phase, atMs, line } of heardPhases(facts))
    pods.phase({ phase, atMs: Math.round(atMs), line }, pod);
  const milestones = facts.milestones.map(({ name, atMs, line }) => ({ name, atMs: Math.round(atMs), line }));
  const lastLoadMs = facts.lastFrameMs;

  const toMs = Math.max(1000, Math.ceil((lastLoadMs > 0 ? lastLoadMs : lastMs) / 100) * 100);
  const shownEvents = mostTelling(events.filter((event) => event.atMs >= 0 && event.atMs <= toMs));
  const { all, ...shownPods } = pods.lanes(toMs);
  return {
    fromMs: 0,
    toMs,
    steps: facts.steps.map(stepMark),
    milestones: milestones.filter((mark) => mark.atMs >= 0 && mark.atMs <= toMs),
    events: shownEvents,
    lanes: series.finish(toMs),
    ready: pods.readiness(toMs),
    queue: queuePoints(facts, toMs),
    pods: shownPods.lanes,
    nodes: nodeLanes(all, workersOf(header), toMs),
    omitted: {
      pods: shownPods.podsOmitted,
      events: events.filter((event) => event.atMs >= 0).length - shownEvents.length,
      spans: shownPods.spansOmitted,
    },
  };
}

const stepMark = ({ index, step, atMs, endMs, failed, line }: StepFact): StepMark => ({
  index,
  label: describeStep(step),
  aside: asideSteps.has(step.step),
  fromMs: Math.round(atMs),
  failed,
  line,
  ...(endMs === undefined ? {} : { toMs: Math.round(endMs) }),
});

/** The fullest queue of each stretch when there are too many readings. */
function queuePoints({ queue }: JournalFacts, toMs: number): readonly QueuePoint[] {
  const rates = processedPerSecond(queue.map(({ counters }) => counters));
  const stretchMs = toMs / limits.queuePoints;
  const fullest = new Map<number, QueuePoint>();
  queue.forEach(({ atMs: exactMs, counters: { backlog } }, index) => {
    const atMs = Math.round(exactMs);
    if (atMs < 0 || atMs > toMs) return;
    const rate = rates[index];
    const point = {
      atMs,
      backlog,
      ...(rate === undefined ? {} : { perSecond: Math.round(rate * 10) / 10 }),
    };
    const key = Math.floor(atMs / stretchMs);
    const known = fullest.get(key);
    if (!known || backlog > known.backlog) fullest.set(key, point);
  });
  return [...fullest.values()];
}

function rateWords(rate: RateProfile, agents: number): string {
  const by = agents > 1 ? ` from ${agents} agents` : '';
  switch (rate.shape) {
    case 'constant':
      return `${rate.ratePerSecond}/s${by}`;
    case 'steps':
      return `${rate.steps.map((step) => `${step.ratePerSecond}/s`).join(' → ')}${by}`;
    case 'ramp':
      return `${rate.points.map((point) => `${point.ratePerSecond}/s`).join(' ↗ ')}${by}`;
  }
}

/** Warnings first when there are too many events, then in order of time again. */
function mostTelling(events: readonly EventMark[]): readonly EventMark[] {
  return events
    .toSorted((a, b) => Number(b.warning) - Number(a.warning) || a.atMs - b.atMs)
    .slice(0, limits.events)
    .toSorted((a, b) => a.atMs - b.atMs);
}

function citedTexts(facts: JournalFacts, cited: ReadonlySet<number>): Readonly<Record<number, string>> {
  const texts: Record<number, string> = {};
  for (const line of [...cited].sort((a, b) => a - b).slice(0, limits.cited)) {
    const text = facts.textOf(line);
    if (text !== undefined) texts[line] = clip(text, limits.citedChars);
  }
  return texts;
}

/** Adds up the frames' increments per stream in the agent's own buckets and merges them at the end. */
class LaneCollector {
  readonly #plans: ReadonlyMap<string, StreamPlan>;
  readonly #streams = new Map<
    string,
    {
      ok: number[];
      shed: number[];
      slowestMs: number[];
      lost: Map<Outcome, Map<number, number>>;
      failures: FailureRow[];
      failuresSeen: number;
      pods: Map<string, number[]>;
      ended: number[];
      back: number[];
    }
  >();

  /** Pods that connection tracking found for attempts, by stream, line, connection and its request. */
  readonly #asked: ReadonlyMap<string, string>;

  constructor({ header, streams }: JournalFacts) {
    this.#plans = new Map(header.plan.streams.map((plan) => [plan.id, plan]));
    this.#asked = new Map(
      streams.flatMap(({ id, failures }) =>
        failures.flatMap(({ line, connection, nth, pod, podKnownBy }): [string, string][] =>
          pod !== undefined && podKnownBy === 'kernel' ? [[`${id} ${line} ${connection} ${nth}`, pod]] : [],
        ),
      ),
    );
  }

  add(stream: string, delta: StreamDelta, shiftMs: number, line: number): void {
    let known = this.#streams.get(stream);
    if (!known) {
      known = {
        ok: [],
        shed: [],
        slowestMs: [],
        lost: new Map(),
        failures: [],
        failuresSeen: 0,
        pods: new Map(),
        ended: [],
        back: [],
      };
      this.#streams.set(stream, known);
    }
    const shift = Math.round(shiftMs / BUCKET_MS);
    for (const bucket of delta.buckets) {
      const i = Math.max(0, bucket.i + shift);
      known.shed[i] = (known.shed[i] ?? 0) + bucket.shed;
      known.slowestMs[i] = Math.max(known.slowestMs[i] ?? 0, bucket.maxMs);
      for (const pod in bucket.pods) {
        const answers = known.pods.get(pod) ?? [];
        known.pods.set(pod, answers);
        answers[i] = (answers[i] ?? 0) + (bucket.pods[pod] ?? 0);
      }
      for (const outcome of outcomes) {
        const n = bucket.outcomes[outcome];
        if (!n) continue;
        if (outcome === 'ok') known.ok[i] = (known.ok[i] ?? 0) + n;
        else if (isLost(outcome)) {
          const perBucket = known.lost.get(outcome) ?? new Map<number, number>();
          known.lost.set(outcome, perBucket.set(i, (perBucket.get(i) ?? 0) + n));
        }
      }
    }
    for (const { end, endedMs, backMs } of delta.lives ?? []) {
      if (end === 'held') continue;
      const add = (into: number[], ms: number) => {
        const second = Math.max(0, Math.floor((ms + shiftMs) / 1000));
        into[second] = (into[second] ?? 0) + 1;
      };
      add(known.ended, endedMs);
      if (backMs !== null) add(known.back, endedMs + backMs);
    }
    for (const failure of delta.failures) {
      if (!isLost(failure.outcome)) continue;
      known.failuresSeen++;
      // Twice the limit before sorting: rows come in order of their end, not of their due time.
      if (known.failures.length >= limits.failures * 2) continue;
      const pod = failure.pod ?? this.#asked.get(`${stream} ${line} ${failure.connection} ${failure.nth}`);
      known.failures.push({
        dueMs: Math.round(failure.dueMs + shiftMs),
        endMs: Math.round(failure.endMs + shiftMs),
        outcome: failure.outcome,
        phase: failure.phase,
        code: clip(failure.code, 60),
        connection: failure.connection,
        nth: failure.nth,
        reused: failure.reused,
        race: failure.race,
        ...(pod === undefined ? {} : { pod }),
        line,
      });
    }
  }

  finish(toMs: number): readonly LaneSeries[] {
    const order = (stream: string) => {
      const index = [...this.#plans.keys()].indexOf(stream);
      return index < 0 ? Number.MAX_SAFE_INTEGER : index;
    };
    return [...this.#streams.entries()]
      .toSorted(([a], [b]) => order(a) - order(b))
      .map(([stream, counts]) => {
        const wanted = Math.ceil(toMs / BUCKET_MS);
        const factor = niceFactor(wanted / limits.buckets);
        const size = Math.ceil(wanted / factor);
        const lost: Partial<Record<Outcome, readonly (readonly [number, number])[]>> = {};
        let lostTotal = 0;
        for (const [outcome, perBucket] of counts.lost) {
          const merged = new Map<number, number>();
          for (const [i, n] of perBucket) {
            const j = Math.min(size - 1, Math.floor(i / factor));
            merged.set(j, (merged.get(j) ?? 0) + n);
            lostTotal += n;
          }
          lost[outcome] = [...merged].sort(([a], [b]) => a - b);
        }
        const failures = counts.failures.toSorted((a, b) => a.dueMs - b.dueMs).slice(0, limits.failures);
        const plan = this.#plans.get(stream);
        const keeps = plan?.lane === 'kept' || plan?.lane === 'stream';
        const seconds = Math.ceil(toMs / 1000);
        return {
          stream,
          lane: plan?.lane ?? laneOfName(stream),
          control: stream === 'control',
          bucketMs: BUCKET_MS * factor,
          ok: merge(counts.ok, factor, size, (a, b) => a + b),
          shed: merge(counts.shed, factor, size, (a, b) => a + b),
          slowestMs: merge(counts.slowestMs, factor, size, Math.max).map(Math.round),
          lost,
          totals: { ok: total(counts.ok), lost: lostTotal, shed: total(counts.shed) },
          failures,
          failuresOmitted: counts.failuresSeen - failures.length,
          ...(keeps && counts.pods.size > 1 && { shares: sharesOf(counts.pods, toMs) }),
          ...(plan?.lane === 'stream' &&
            counts.ended.length > 0 &&
            seconds <= limits.buckets && {
              comings: {
                streams: plan.connections,
                ended: merge(counts.ended, 1, seconds, (a, b) => a + b),
                back: merge(counts.back, 1, seconds, (a, b) => a + b),
              },
            }),
        };
      });
  }
}

/** Of the pods that answered most, where there are too many. */
function sharesOf(pods: ReadonlyMap<string, readonly number[]>, toMs: number): PodShares {
  // Half a second at least: in less the luck of single calls is drawn.
  const factor = Math.max(5, niceFactor(Math.ceil(toMs / BUCKET_MS) / limits.shares));
  const size = Math.ceil(toMs / BUCKET_MS / factor);
  const shown = [...pods]
    .toSorted(([, a], [, b]) => total(b) - total(a))
    .slice(0, limits.sharePods)
    .toSorted(([, a], [, b]) => firstOf(a) - firstOf(b));
  return {
    bucketMs: BUCKET_MS * factor,
    pods: shown.map(([name, answers]) => ({ name, answers: merge(answers, factor, size, (a, b) => a + b) })),
  };
}

const firstOf = (answers: readonly (number | undefined)[]): number => answers.findIndex((one) => one);

const laneOfName = (stream: string): Lane => parseLineId(stream)?.kind ?? 'new';

/** The smallest round number that is at least `wanted`: 1 to 6, 8, 10, 20 to 60, 80, 100 … */
function niceFactor(wanted: number): number {
  for (let scale = 1; ; scale *= 10) {
    for (const step of [1, 2, 3, 4, 5, 6, 8]) if (step * scale >= wanted) return step * scale;
  }
}

function merge(
  values: readonly (number | undefined)[],
  factor: number,
  size: number,
  fold: (a: number, b: number) => number,
): number[] {
  const merged = new Array<number>(size).fill(0);
  values.forEach((value, i) => {
    const j = Math.min(size - 1, Math.floor(i / factor));
    merged[j] = fold(merged[j]!, value ?? 0);
  });
  return merged;
}

const total = (values: readonly (number | undefined)[]): number =>
  values.reduce<number>((sum, value) => sum + (value ?? 0), 0);

interface PodHistory {
  readonly name: string;
  facts: PodFacts;
  readonly states: Span<PodState>[];
  open: Open<PodState> | undefined;
}
interface EndpointHistory {
  readonly spans: Span<EndpointState>[];
  open: Open<EndpointState> | undefined;
}
interface Open<S extends string> {
  readonly state: S;
  readonly fromMs: number;
  readonly line: number;
}

/** Of apps that say nothing of themselves: their answers to connections, where the kernel's tracking saw them. */
function heardPhases(facts: JournalFacts): (PhaseMark & { readonly pod: string })[] {
  const speaking = new Set(facts.phases.map(({ pod }) => pod));
  return [...listeningOf(facts.witness).values()].flatMap(({ pod, accepted, refused, line }) => {
    const first = accepted[0];
    const last = accepted.at(-1);
    if (speaking.has(pod) || first === undefined || last === undefined) return [];
    const before = refused.find((atMs) => atMs < first);
    const gone = facts.pods.get(pod)?.terminating !== undefined || refused.some((atMs) => atMs > last);
    return [
      ...(before === undefined ? [] : [{ pod, phase: 'starting' as const, atMs: before, line }]),
      { pod, phase: 'listening' as const, atMs: first, line },
      ...(gone ? [{ pod, phase: 'closed' as const, atMs: last, line }] : []),
    ];
  });
}

/** Follows the target's pods and their endpoints through the watches. */
class PodCollector {
  readonly #pods = new Map<string, PodHistory>();
  /** By the pod's name; a slice may be seen before its pod. */
  readonly #endpoints = new Map<string, EndpointHistory>();
  readonly #phases = new Map<string, PhaseMark[]>();
  readonly #templates: string[] = [];
  readonly #slices = new Map<string, Map<string, EndpointState>>();
  readonly #ready: ReadyPoint[] = [];
  #readyNow = 0;
  #wanted: number | undefined;

  phase(mark: PhaseMark, pod: string): void {
    const known = this.#phases.get(pod) ?? [];
    this.#phases.set(pod, known);
    if (known.length < limits.spansPerPod) known.push(mark);
  }

  watch(change: ObjectChange, atMs: number): void {
    const { facts, line } = change;
    switch (facts.kind) {
      case 'Pod':
        if (facts.role !== undefined && facts.role !== 'target') return;
        this.#pod(change.name, facts, change.event === 'DELETED', atMs, line);
        break;
      case 'EndpointSlice':
        this.#slice(change, facts, atMs, line);
        break;
      case 'Deployment':
      case 'StatefulSet':
      case 'Rollout':
        if (facts.role !== undefined && facts.role !== 'target') return;
        this.#count(atMs, this.#readyNow, facts.specReplicas);
        break;
      case 'DaemonSet':
        if (facts.role !== undefined && facts.role !== 'target') return;
        this.#count(atMs, this.#readyNow, facts.desired);
        break;
      default:
        break;
    }
  }

  #pod(name: string, facts: PodFacts, deleted: boolean, atMs: number, line: number): void {
    let pod = this.#pods.get(name);
    if (!pod) {
      pod = { name, facts, states: [], open: undefined };
      this.#pods.set(name, pod);
      if (facts.templateHash !== undefined && !this.#templates.includes(facts.templateHash)) {
        this.#templates.push(facts.templateHash);
      }
    }
    const wasReady = pod.open?.state === 'ready';
    pod.facts = facts;
    const state = deleted ? undefined : podState(facts);
    if (state !== pod.open?.state) {
      if (pod.open) pod.states.push({ ...pod.open, toMs: atMs });
      pod.open = state && { state, fromMs: atMs, line };
    }
    if (deleted) this.#endpointState(name, undefined, atMs, line);
    const isReady = state === 'ready';
    if (isReady !== wasReady) this.#count(atMs, this.#readyNow + (isReady ? 1 : -1), this.#wanted);
  }

  #slice({ name: slice, event }: ObjectChange, facts: EndpointSliceFacts, atMs: number, line: number): void {
    const now = new Map<string, EndpointState>();
    if (event !== 'DELETED') {
      for (const endpoint of facts.endpoints) {
        if (endpoint.pod !== undefined) now.set(endpoint.pod, endpointState(endpoint));
      }
    }
    const before = this.#slices.get(slice) ?? new Map<string, EndpointState>();
    this.#slices.set(slice, now);
    for (const name of new Set([...before.keys(), ...now.keys()])) {
      this.#endpointState(name, now.get(name), atMs, line);
    }
  }

  #endpointState(name: string, state: EndpointState | undefined, atMs: number, line: number): void {
    const known = this.#endpoints.get(name) ?? { spans: [], open: undefined };
    this.#endpoints.set(name, known);
    if (state === known.open?.state) return;
    if (known.open) known.spans.push({ ...known.open, toMs: atMs });
    known.open = state && { state, fromMs: atMs, line };
  }

  #count(atMs: number, ready: number, wanted: number | undefined): void {
    this.#readyNow = ready;
    this.#wanted = wanted;
    const last = this.#ready.at(-1);
    if (last && last.ready === ready && last.wanted === wanted) return;
    if (last && last.atMs === atMs) this.#ready.pop();
    this.#ready.push({ atMs, ready, ...(wanted === undefined ? {} : { wanted }) });
  }

  /** Ready and wanted as steps from 0 to `toMs`; the lowest count of each stretch when there are too many. */
  readiness(toMs: number): readonly ReadyPoint[] {
    const before = this.#ready.findLast((point) => point.atMs <= 0);
    const points = [
      ...(before ? [{ ...before, atMs: 0 }] : []),
      ...this.#ready.filter((point) => point.atMs > 0 && point.atMs <= toMs),
    ];
    if (points.length <= limits.readyPoints) return points;
    const stretchMs = toMs / limits.readyPoints;
    const lowest = new Map<number, ReadyPoint>();
    for (const point of points) {
      const key = Math.floor(point.atMs / stretchMs);
      const known = lowest.get(key);
      if (!known || point.ready < known.ready) lowest.set(key, point);
    }
    return [...lowest.values()];
  }

  lanes(toMs: number): {
    lanes: readonly PodLane[];
    /** Also those beyond the page's bounds. */
    all: readonly PodLane[];
    podsOmitted: number;
    spansOmitted: number;
  } {
    let spansOmitted = 0;
    const all = [...this.#pods.values()].map((pod): PodLane => {
      const states = closed(pod.states, pod.open, toMs).filter((span) => span.toMs > 0 && span.fromMs < toMs);
      const seen = this.#endpoints.get(pod.name);
      const endpoint = closed(seen?.spans ?? [], seen?.open, toMs).filter(
        (span) => span.toMs > 0 && span.fromMs < toMs,
      );
      const phases = this.#phases.get(pod.name) ?? [];
      spansOmitted +=
        Math.max(0, states.length - limits.spansPerPod) + Math.max(0, endpoint.length - limits.spansPerPod);
      const { facts } = pod;
      const image = facts.containers[0]?.image;
      return {
        name: pod.name,
        ...(facts.node === undefined ? {} : { node: facts.node }),
        ...(image === undefined ? {} : { image }),
        ...(facts.templateHash === undefined ? {} : { templateHash: facts.templateHash }),
        generation: Math.max(0, this.#templates.indexOf(facts.templateHash ?? '')),
        restarts: facts.containers.reduce((sum, container) => sum + container.restarts, 0),
        states: states.slice(0, limits.spansPerPod),
        endpoint: endpoint.slice(0, limits.spansPerPod),
        phases,
        exposed: exposedSpans(endpoint, phases, toMs).slice(0, limits.spansPerPod),
      };
    });
    const seen = all
      .filter((pod) => pod.states.length > 0)
      .toSorted(
        (a, b) => a.generation - b.generation || beganMs(a) - beganMs(b) || endingMs(a) - endingMs(b),
      );
    return {
      lanes: seen.slice(0, limits.pods),
      all: seen,
      podsOmitted: Math.max(0, seen.length - limits.pods),
      spansOmitted,
    };
  }
}

/** Pods that were there before the load began all began at 0; they come in the order in which they end. */
const beganMs = (pod: PodLane): number => Math.max(0, pod.states[0]?.fromMs ?? 0);
const endingMs = (pod: PodLane): number =>
  pod.states.find((span) => span.state === 'terminating')?.fromMs ?? Number.MAX_SAFE_INTEGER;

function podState(facts: PodFacts): PodState {
  if (facts.terminating) return 'terminating';
  if (facts.ready) return 'ready';
  if (facts.containers.some((container) => container.state === 'running')) return 'not-ready';
  return facts.node === undefined ? 'pending' : 'starting';
}

function endpointState(endpoint: { ready: boolean; serving: boolean; terminating: boolean }): EndpointState {
  if (endpoint.ready) return 'ready';
  if (endpoint.terminating) return endpoint.serving ? 'serving' : 'terminating';
  return 'not-ready';
}

function closed<S extends string>(
  spans: readonly Span<S>[],
  open: Open<S> | undefined,
  toMs: number,
): Span<S>[] {
  return open ? [...spans, { ...open, toMs: Math.max(toMs, open.fromMs) }] : [...spans];
}

/**
 * Endpoint ready ∧ app not listening. Only for apps that report their phases; before the first report nothing is
 * known, so nothing is claimed.
 */
function exposedSpans(
  endpoint: readonly Span<EndpointState>[],
  phases: readonly PhaseMark[],
  toMs: number,
): readonly Span<'exposed'>[] {
  const deaf: { fromMs: number; toMs: number; line: number }[] = [];
  let since: PhaseMark | undefined;
  for (const mark of phases.toSorted((a, b) => a.atMs - b.atMs)) {
    const listens = mark.phase === 'listening' || mark.phase === 'unready' || mark.phase === 'sigterm';
    if (listens && since) {
      deaf.push({ fromMs: since.atMs, toMs: mark.atMs, line: since.line });
      since = undefined;
    } else if (!listens) since ??= mark;
  }
  if (since) deaf.push({ fromMs: since.atMs, toMs, line: since.line });
  return endpoint
    .filter((span) => span.state === 'ready')
    .flatMap((span) =>
      deaf.flatMap((gap): Span<'exposed'>[] => {
        const fromMs = Math.max(span.fromMs, gap.fromMs);
        const until = Math.min(span.toMs, gap.toMs);
        return until > fromMs ? [{ state: 'exposed', fromMs, toMs: until, line: gap.line }] : [];
      }),
    );
}
