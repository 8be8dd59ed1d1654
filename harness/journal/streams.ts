// Adds up what the agents counted, stream by stream: totals, buckets of 100 ms, lost runs and listed failures, all in
// ms since the load's start.
import { decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js';
import { isProxied } from '../model/entry.ts';
import type { RecordOf } from '../model/journal.ts';
import {
  BUCKET_MS,
  type Failure,
  isLost,
  type Lane,
  type Outcome,
  type OutcomeCounts,
  outcomes,
  type Percentiles,
  type StreamLife,
  type StreamPlan,
} from '../model/load.ts';
import { sumOfCounts } from '../model/merge-load.ts';
import { hostPortOf } from '../model/url-path.ts';
import type { Clocks } from './clocks.ts';
import type { Journal } from './journal.ts';
import type { Asked, Witness } from './witness.ts';

/** `kernel`: connection tracking says to whom the connection was sent. */
export type PodKnownBy = NonNullable<Failure['podKnownBy']> | 'kernel';

export interface PlacedFailure extends Omit<Failure, 'podKnownBy'> {
  readonly podKnownBy?: PodKnownBy | undefined;
  /** What connection tracking says of its connection. */
  readonly asked?: Asked | undefined;
  /** The bucket that counts it. */
  readonly bucket: number;
  readonly agent: string;
  readonly line: number;
}

/** A maximal run of lost attempts; endMs is the due time of the next success, or the load's end. */
export interface LostRun {
  readonly startMs: number;
  readonly endMs: number;
  readonly lost: number;
  readonly agent: string;
}

export interface SumBucket {
  sent: number;
  shed: number;
  outcomes: OutcomeCounts;
}

export interface AnswerSpan {
  /** Start of the first and end of the last bucket in which the pod answered (by due time). */
  firstMs: number;
  lastMs: number;
  answers: number;
  /** By second since the load's start (by due time); seconds without one have no entry. */
  readonly perSecond: Map<number, number>;
}

export interface Stream {
  readonly id: string;
  readonly lane: Lane;
  readonly control: boolean;
  /** It goes through a proxy (an ingress, a gateway, somebody's URL). */
  readonly proxied: boolean;
  /** Connections, streams or slots of the plan. */
  readonly connections: number;
  /** Prefix of its request ids; undefined: they have none. */
  readonly requestIds: string | undefined;
  readonly ends: readonly RecordOf<'stream-end'>['end'][];
  readonly scheduled: number;
  readonly attempts: number;
  readonly shed: number;
  readonly inFlight: number;
  readonly outcomes: OutcomeCounts;
  readonly lost: number;
  readonly races: number;
  /** What its protocol counts beside outcomes, by name. */
  readonly counters: Readonly<Record<string, number>>;
  /** Of lane `stream`, in order of their ends; each agent numbers its own streams from 0. */
  readonly lives: readonly StreamLife[];
  readonly failures: readonly PlacedFailure[];
  readonly failuresDropped: number;
  readonly runs: readonly LostRun[];
  readonly buckets: ReadonlyMap<number, SumBucket>;
  /** Answers per pod, where answers say which. */
  readonly answers: ReadonlyMap<string, AnswerSpan>;
  readonly latencyMs: Percentiles;
  readonly sendLagMs: Percentiles;
  readonly endMs: number;
  /** Mean time between two arrivals of all agents, ms. */
  readonly spacingMs: number;
  /** Identities that do not hold between what agents say and what their frames add up to, as sentences. */
  readonly broken: readonly string[];
}

/** The stream that loads the control target is the one with this id. */
const CONTROL_STREAM = 'control';

export function sumStreams(journal: Journal, clocks: Clocks, witness: Witness): readonly Stream[] {
  return journal.header.plan.streams.map((plan) => {
    const askedOf = askedIn(witness, hostPortOf(plan.url));
    return sumStream(journal, clocks, plan, askedOf);
  });
}

type AskedOf = (
  failure: Failure,
  agent: string,
  shiftMs: number,
) => Pick<PlacedFailure, 'pod' | 'podKnownBy' | 'asked'>;

/** What an answer said of the pod goes before what the kernel says of the connection. */
function askedIn(witness: Witness, address: string): AskedOf {
  return ({ localPort, openedMs, endMs, outcome, reused, pod, podKnownBy }, agent, shiftMs) => {
    const own = { ...(pod !== undefined && { pod, podKnownBy }) };
    if (localPort === undefined || openedMs === undefined || witness.connections.length === 0) return own;
    const asked = witness.asked({
      port: localPort,
      openedMs: openedMs + shiftMs,
      endMs: endMs + shiftMs,
      address,
      agent,
      failed: !reused && (outcome === 'refused' || outcome === 'unreachable'),
    });
    if (asked === undefined) return own;
    return {
      asked,
      ...(asked === 'nobody' || pod !== undefined ? own : { pod: asked.pod, podKnownBy: 'kernel' as const }),
    };
  };
}

function sumStream(journal: Journal, clocks: Clocks, plan: StreamPlan, askedOf: AskedOf): Stream {
  const { id, lane, requestIds } = plan;
  const entry = journal.header.entries?.find(({ name }) => name === plan.entry);
  const ends = journal.streamEnds.filter((record) => record.end.stream === id);
  const buckets = new Map<number, SumBucket>();
  const answers = new Map<string, AnswerSpan>();
  const failures: PlacedFailure[] = [];
  const runs: LostRun[] = [];
  const lives: StreamLife[] = [];
  const endMs = Math.max(0, ...ends.map((record) => clocks.fromAgent(record.agent, record.end.durationMs)));
  for (const { agent, frame, line } of journal.frames) {
    const delta = frame.streams[id];
    if (!delta) continue;
    const shiftMs = clocks.fromAgent(agent, 0);
    const shift = Math.round(shiftMs / BUCKET_MS);
    for (const bucket of delta.buckets) {
      const index = bucket.i + shift;
      const sum = buckets.get(index) ?? { sent: 0, shed: 0, outcomes: {} };
      buckets.set(index, sum);
      sum.sent += bucket.sent;
      sum.shed += bucket.shed;
      addOutcomes(sum.outcomes, bucket.outcomes);
      for (const pod in bucket.pods) {
        const count = bucket.pods[pod] ?? 0;
        const fromMs = bucket.i * BUCKET_MS + shiftMs;
        const span = answers.get(pod);
        const second = Math.max(0, Math.floor(fromMs / 1000));
        if (!span)
          answers.set(pod, {
            firstMs: fromMs,
            lastMs: fromMs + BUCKET_MS,
            answers: count,
            perSecond: new Map([[second, count]]),
          });
        else {
          span.firstMs = Math.min(span.firstMs, fromMs);
          span.lastMs = Math.max(span.lastMs, fromMs + BUCKET_MS);
          span.answers += count;
          span.perSecond.set(second, (span.perSecond.get(second) ?? 0) + count);
        }
      }
    }
    for (const failure of delta.failures) {
      const { pod: _, podKnownBy: __, ...rest } = failure;
      failures.push({
        ...rest,
        ...askedOf(failure, agent, shiftMs),
        bucket: Math.floor(failure.dueMs / BUCKET_MS) + shift,
        dueMs: failure.dueMs + shiftMs,
        startMs: failure.startMs + shiftMs,
        endMs: failure.endMs + shiftMs,
        agent,
        line,
      });
    }
    for (const life of delta.lives ?? [])
      lives.push({ ...life, openedMs: life.openedMs + shiftMs, endedMs: life.endedMs + shiftMs });
    for (const run of delta.intervals) {
      runs.push({
        agent,
        lost: run.lost,
        startMs: run.startMs + shiftMs,
        endMs: run.endMs === null ? Math.max(endMs, run.startMs + shiftMs) : run.endMs + shiftMs,
      });
    }
  }
  failures.sort((a, b) => a.dueMs - b.dueMs);
  if (runs.length === 0) runs.push(...runsOfFailures(failures, ends, endMs));
  runs.sort((a, b) => a.startMs - b.startMs);
  const framed = sumBuckets(buckets);
  const total: OutcomeCounts = {};
  for (const { end } of ends) addOutcomes(total, end.outcomes);
  if (ends.length === 0) addOutcomes(total, framed.outcomes);
  const sum = (pick: (end: RecordOf<'stream-end'>['end']) => number) =>
    ends.reduce((value, record) => value + pick(record.end), 0);
  // Without totals (an experiment that was interrupted) the frames are what there is.
  const scheduled = ends.length > 0 ? sum((end) => end.scheduled) : framed.sent + framed.shed;
  const stream = {
    id,
    lane,
    control: id === CONTROL_STREAM,
    proxied: entry !== undefined && isProxied(entry),
    requestIds,
    connections: plan.connections,
    ends: ends.map((record) => record.end),
    scheduled,
    attempts: ends.length > 0 ? sum((end) => end.attempts) : framed.sent,
    shed: ends.length > 0 ? sum((end) => end.shed) : framed.shed,
    inFlight: sum((end) => end.inFlight),
    outcomes: total,
    lost: countLost(total),
    races: sum((end) => end.races),
    counters: ends.reduce<Record<string, number>>((sum, { end }) => sumOfCounts(sum, end.counters ?? {}), {}),
    lives: lives.sort((a, b) => a.endedMs - b.endedMs),
    failures,
    failuresDropped: sum((end) => end.failuresDropped),
    runs,
    buckets,
    answers,
    latencyMs: mergePercentiles(ends.map(({ end }) => [end.histograms?.latency, end.latencyMs])),
    sendLagMs: mergePercentiles(ends.map(({ end }) => [end.histograms?.sendLag, end.sendLagMs])),
    endMs,
    spacingMs: scheduled > 0 ? endMs / scheduled : 0,
  };
  // One agent alone loads the control target.
  const agents = stream.control ? 1 : journal.header.agents;
  return { ...stream, broken: brokenIdentities(stream, agents) };
}

/**
 * Runs from listed failures, for journals that carry no runs at all: failures in arrivals that follow one another are
 * of one run. Only when every loss is listed.
 */
function runsOfFailures(
  failures: readonly PlacedFailure[],
  ends: readonly RecordOf<'stream-end'>[],
  endMs: number,
): LostRun[] {
  const runs: { startMs: number; endMs: number; lost: number; agent: string }[] = [];
  for (const { agent, end } of ends) {
    const own = failures.filter((failure) => failure.agent === agent && isLost(failure.outcome));
    if (own.length === 0 || own.length !== countLost(end.outcomes)) continue;
    const spacingMs = end.scheduled > 0 ? end.durationMs / end.scheduled : 0;
    for (const { dueMs } of own) {
      const last = runs.at(-1);
      const nextMs = Math.min(Math.max(endMs, dueMs), dueMs + spacingMs);
      if (last && last.agent === agent && dueMs - last.endMs <= spacingMs / 2) {
        last.endMs = nextMs;
        last.lost++;
      } else runs.push({ startMs: dueMs, endMs: nextMs, lost: 1, agent });
    }
  }
  return runs;
}

export function addOutcomes(into: OutcomeCounts, more: OutcomeCounts): void {
  for (const name in more) {
    const outcome = name as Outcome;
    const count = more[outcome] ?? 0;
    if (count > 0) into[outcome] = (into[outcome] ?? 0) + count;
  }
}

export function countLost(counts: OutcomeCounts): number {
  let lost = 0;
  for (const outcome of outcomes) if (isLost(outcome)) lost += counts[outcome] ?? 0;
  return lost;
}

/** Percentiles of several agents: exact from their histograms; without them the worst agent's (an upper bound). */
function mergePercentiles(parts: readonly (readonly [string | undefined, Percentiles])[]): Percentiles {
  const worst = (name: keyof Percentiles) =>
    Math.max(0, ...parts.map(([, percentiles]) => percentiles[name]));
  const upper = {
    p50: worst('p50'),
    p90: worst('p90'),
    p99: worst('p99'),
    p999: worst('p999'),
    max: worst('max'),
  };
  const encoded = parts.map(([text]) => text).filter((text) => text !== undefined);
  if (parts.length < 2 || encoded.length < parts.length) return upper;
  let merged: Histogram | undefined;
  try {
    for (const text of encoded) {
      const one = decodeFromCompressedBase64(text);
      if (merged) merged.add(one);
      else merged = one;
    }
  } catch {
    return upper;
  }
  if (!merged) return upper;
  const histogram = merged;
  const at = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: upper.max };
}

function sumBuckets(buckets: ReadonlyMap<number, SumBucket>): SumBucket {
  const sum: SumBucket = { sent: 0, shed: 0, outcomes: {} };
  for (const bucket of buckets.values()) {
    sum.sent += bucket.sent;
    sum.shed += bucket.shed;
    addOutcomes(sum.outcomes, bucket.outcomes);
  }
  return sum;
}

/** What the agents found themselves, and totals that never came. Everything else was checked when the journal was read. */
function brokenIdentities(stream: Omit<Stream, 'broken'>, agents: number): string[] {
  const broken = stream.ends.flatMap((end) => end.brokenIdentities);
  if (stream.ends.length !== agents) {
    broken.push(`stream ${stream.id}: totals of ${stream.ends.length} agents instead of ${agents}`);
  }
  return broken;
}
