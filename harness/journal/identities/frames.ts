// One stream of one agent, frame by frame: what a frame carries happened since the frame before it.
import {
  BUCKET_MS,
  type Failure,
  type LostInterval,
  type OutcomeCounts,
  type StreamDelta,
} from '../../model/load.ts';
import { answeredOutcomes, maybeAnsweredOutcomes } from './answered.ts';
import { ROUNDING_MS } from './broken.ts';

export interface CountedBucket {
  sent: number;
  shed: number;
  outcomes: OutcomeCounts;
}

/** What the frames of one stream of one agent add up to. */
export interface Counting {
  readonly buckets: Map<number, CountedBucket>;
  readonly failures: Failure[];
  readonly intervals: LostInterval[];
  /** Pods that gave answers: when the first one was due, at the earliest, ms. */
  readonly answeredFromMs: Map<string, number>;
  /** The slowest answer of all buckets, ms. */
  maxMs: number;
  /** Between these two frames the stream ended, as far as what they carry tells: the agent's clock, ms. */
  endsFromMs: number;
  lastFrameMs: number;
}

export const startCounting = (): Counting => ({
  buckets: new Map(),
  failures: [],
  intervals: [],
  answeredFromMs: new Map(),
  maxMs: 0,
  endsFromMs: 0,
  lastFrameMs: 0,
});

/** Adds a frame's part and yields what does not hold in it. */
export function* brokenDelta(
  into: Counting,
  { buckets, failures, intervals }: StreamDelta,
  fromMs: number,
  toMs: number,
  pods: ReadonlySet<string>,
): Generator<string> {
  into.lastFrameMs = toMs;
  if (buckets.length + failures.length + intervals.length > 0) into.endsFromMs = fromMs;
  for (const bucket of buckets) {
    const { i, sent, shed, outcomes, maxMs } = bucket;
    if (i * BUCKET_MS > toMs) yield `bucket ${i} was due before the frame that carries it`;
    let sum = into.buckets.get(i);
    if (!sum) {
      sum = { sent: 0, shed: 0, outcomes: {} };
      into.buckets.set(i, sum);
    }
    sum.sent += sent;
    sum.shed += shed;
    let answers = 0;
    for (const outcome of maybeAnsweredOutcomes) answers += outcomes[outcome] ?? 0;
    for (const name in outcomes) {
      const outcome = name as keyof OutcomeCounts;
      sum.outcomes[outcome] = (sum.outcomes[outcome] ?? 0) + (outcomes[outcome] ?? 0);
    }
    for (const outcome of answeredOutcomes) answers += outcomes[outcome] ?? 0;
    if (maxMs > 0 && answers === 0) yield `bucket ${i}: the slowest of no answers is 0`;
    into.maxMs = Math.max(into.maxMs, maxMs);
    let named = 0;
    for (const pod in bucket.pods) {
      named += bucket.pods[pod] ?? 0;
      const before = into.answeredFromMs.get(pod) ?? Infinity;
      if (i * BUCKET_MS < before) into.answeredFromMs.set(pod, i * BUCKET_MS);
    }
    if (named > answers) yield `bucket ${i}: pods gave ${named} answers, ${answers} came`;
  }
  for (const failure of failures) {
    into.failures.push(failure);
    for (const identity of brokenFailure(failure, fromMs, toMs, pods))
      yield `failure due at ${failure.dueMs}: ${identity}`;
  }
  for (const interval of intervals) {
    const last = into.intervals.at(-1);
    into.intervals.push(interval);
    const { startMs, endMs } = interval;
    if (endMs !== null && endMs <= startMs) yield `interval from ${startMs}: it begins before it ends`;
    if ((endMs ?? startMs) > toMs + ROUNDING_MS)
      yield `interval from ${startMs}: it ended before the frame that carries it`;
    if (last && (last.endMs === null || startMs < last.endMs - ROUNDING_MS)) {
      yield `interval from ${startMs}: intervals follow one another`;
    }
  }
}

function* brokenFailure(
  failure: Failure,
  fromMs: number,
  toMs: number,
  pods: ReadonlySet<string>,
): Generator<string> {
  const { dueMs, startMs, endMs, outcome, reused, race, bytes, pod, podKnownBy, nth, openedMs } = failure;
  if (outcome === 'ok') yield 'an attempt that ended ok is no failure';
  if (dueMs > startMs + ROUNDING_MS || startMs > endMs + ROUNDING_MS) yield 'due ≤ start ≤ end';
  if (endMs < fromMs - ROUNDING_MS || endMs > toMs + ROUNDING_MS) {
    yield `it ended between its frame and the one before (${fromMs} to ${toMs} ms)`;
  }
  const crossed = reused && bytes === 0 && (outcome === 'closed' || outcome === 'reset');
  if (race !== crossed) yield 'a race is a reused connection that was closed or reset before a byte came';
  if (reused !== nth > 1) yield 'a connection is reused from its second request on';
  if (openedMs !== undefined && openedMs > endMs + ROUNDING_MS)
    yield 'its connection was opened before it ended';
  if (pod !== undefined && !pods.has(pod)) yield `pod ${pod} was never seen`;
  if ((pod === undefined) !== (podKnownBy === undefined))
    yield 'a pod is named together with how it is known';
}
