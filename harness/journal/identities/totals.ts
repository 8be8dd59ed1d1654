// A stream's totals against what its frames add up to, and against themselves.

import {
  type Failure,
  isLost,
  type Outcome,
  outcomes,
  type StreamEnd,
  type StreamPlan,
  timeoutCodes,
} from '../../model/load.ts';
import { watchedName } from '../../model/setting.ts';
import type { Journal, Lined } from '../journal.ts';
import { answeredAtLeast } from './answered.ts';
import { ROUNDING_MS } from './broken.ts';
import type { Counting } from './frames.ts';
import { brokenHistograms } from './histograms.ts';
import { brokenIntervals } from './intervals.ts';
import { brokenSchedule } from './schedule.ts';

/** `counting` undefined: frames of the agent are missing. */
export function* brokenTotals(
  journal: Journal,
  { end }: Lined<'stream-end'>,
  plan: StreamPlan | undefined,
  counting: Counting | undefined,
): Generator<string> {
  // What the agent itself found broken makes the experiment faulted: the judge says it.
  if (end.brokenIdentities.length > 0) return;
  yield* brokenEnd(end);
  yield* brokenHistograms(end, plan);
  if (!counting) return;
  yield* brokenSums(end, counting);
  yield* brokenTimes(end, counting);
  if (plan && (plan.protocol ?? 'http1') === 'http1') yield* brokenEndings(counting.failures, plan);
  // A load that went on before its episode may have had the answer then.
  if (journal.header.variant.name !== watchedName && (plan?.protocol ?? 'http1') === 'http1') {
    yield* brokenEarlierAnswers(counting);
  }
  yield* brokenIntervals(counting, end.failuresDropped === 0);
  yield* brokenSchedule(journal, end, counting);
}

function* brokenEnd(end: StreamEnd): Generator<string> {
  const count = (outcome: Outcome) => end.outcomes[outcome] ?? 0;
  const all = outcomes.reduce((sum, outcome) => sum + count(outcome), 0);
  const failed = all - count('ok');
  yield* equal('attempts + shed = scheduled', end.attempts + end.shed, end.scheduled);
  yield* equal('outcomes + in flight = attempts', all + end.inFlight, end.attempts);
  yield* equal(
    'listed + dropped failures = outcomes but ok',
    end.failuresListed + end.failuresDropped,
    failed,
  );
  const byOutcome = new Map<string, number>();
  for (const [key, n] of Object.entries(end.phases)) {
    const outcome = key.slice(0, key.indexOf('/'));
    byOutcome.set(outcome, (byOutcome.get(outcome) ?? 0) + n);
  }
  for (const outcome of outcomes) {
    if (outcome !== 'ok')
      yield* equal(`phases of ${outcome} = ${outcome}`, byOutcome.get(outcome) ?? 0, count(outcome));
  }
  if (end.races > (end.outcomes.closed ?? 0) + (end.outcomes.reset ?? 0)) {
    yield 'races are among what was closed or reset';
  }
  // A stream that was cut is opened again whether or not a message is due; its messages share one connection.
  if (end.lane === 'stream') return;
  if (end.connectionsOpened > end.attempts) yield 'no more connections than attempts';
  if (end.lane !== 'kept') yield* equal('a connection per attempt', end.connectionsOpened, end.attempts);
}

function* brokenSums(end: StreamEnd, counting: Counting): Generator<string> {
  let sent = 0;
  let shed = 0;
  const counted: Partial<Record<Outcome, number>> = {};
  for (const bucket of counting.buckets.values()) {
    sent += bucket.sent;
    shed += bucket.shed;
    for (const outcome of outcomes)
      counted[outcome] = (counted[outcome] ?? 0) + (bucket.outcomes[outcome] ?? 0);
  }
  yield* equal('sent in frames = attempts', sent, end.attempts);
  yield* equal('shed in frames = shed', shed, end.shed);
  for (const outcome of outcomes) {
    yield* equal(`${outcome} in frames = ${outcome}`, counted[outcome] ?? 0, end.outcomes[outcome] ?? 0);
  }
  for (const [i, bucket] of counting.buckets) {
    const ended = outcomes.reduce((sum, outcome) => sum + (bucket.outcomes[outcome] ?? 0), 0);
    if (end.inFlight === 0) yield* equal(`bucket ${i}: outcomes = sent`, ended, bucket.sent);
    else if (ended > bucket.sent) yield `bucket ${i}: no more outcomes than were sent`;
  }
  const lost = outcomes.filter(isLost).reduce((sum, outcome) => sum + (end.outcomes[outcome] ?? 0), 0);
  const inIntervals = counting.intervals.reduce((sum, interval) => sum + interval.lost, 0);
  yield* equal('lost in intervals = lost', inIntervals, lost);
  yield* equal('failures in frames = failures listed', counting.failures.length, end.failuresListed);
  const races = counting.failures.filter((failure) => failure.race).length;
  const complete = end.failuresDropped === 0;
  if (complete ? races !== end.races : races > end.races)
    yield `races in frames (${races}) = races (${end.races})`;
  const phases = new Map<string, number>();
  for (const { outcome, phase, reused } of counting.failures) {
    const key = `${outcome}/${phase}/${reused ? 'reused' : 'new'}`;
    phases.set(key, (phases.get(key) ?? 0) + 1);
  }
  for (const key of new Set([...phases.keys(), ...Object.keys(end.phases)])) {
    const [listed, total] = [phases.get(key) ?? 0, end.phases[key] ?? 0];
    if (complete ? listed !== total : listed > total)
      yield `${key}: failures in frames (${listed}) = phases (${total})`;
  }
  const { least } = answeredAtLeast(end);
  if (least > 0 && Math.abs(counting.maxMs - end.latencyMs.max) > ROUNDING_MS) {
    yield `the slowest answer of the buckets (${counting.maxMs} ms) = latencyMs.max (${end.latencyMs.max} ms)`;
  }
  const connection = counting.failures.reduce((most, failure) => Math.max(most, failure.connection), 0);
  if (connection > end.connectionsOpened) yield 'connections are numbered up to connectionsOpened';
}

/** How an attempt over HTTP/1.1 ended, by its code, its phase and how long it took. */
function* brokenEndings(failures: readonly Failure[], { timeoutMs }: StreamPlan): Generator<string> {
  for (const { outcome, phase, code, dueMs, startMs, endMs } of failures) {
    const failed = (identity: string) => `failure due at ${dueMs}: ${identity}`;
    if ((outcome === 'refused') !== (code === 'ECONNREFUSED'))
      yield failed('refused is ECONNREFUSED, and no other');
    if (outcome === 'refused' && phase !== 'connect')
      yield failed('a connection is refused before it is one');
    // The kernel gives up by itself, too (ETIMEDOUT), sooner or later.
    if (outcome !== 'timeout' || code === 'ETIMEDOUT') continue;
    if (code !== timeoutCodes[phase]) yield failed(`a time-out in phase ${phase} is ${timeoutCodes[phase]}`);
    if (endMs - startMs < timeoutMs - ROUNDING_MS * 2)
      yield failed(`a time-out takes the stream’s timeoutMs (${timeoutMs})`);
  }
}

/** On a connection that asks one after the other, the pod of an earlier answer has answered, and was counted. */
function* brokenEarlierAnswers({ failures, answeredFromMs }: Counting): Generator<string> {
  for (const { pod, podKnownBy, reused, dueMs, endMs } of failures) {
    if (podKnownBy !== 'previous-answer' || pod === undefined || !reused) continue;
    if ((answeredFromMs.get(pod) ?? Infinity) <= endMs + ROUNDING_MS) continue;
    yield `failure due at ${dueMs}: pod ${pod} had answered before`;
    return;
  }
}

/** A stream ends when its last attempt has: after the frame before the last one that carries something of it. */
function* brokenTimes({ durationMs }: StreamEnd, counting: Counting): Generator<string> {
  if (durationMs < counting.endsFromMs - ROUNDING_MS || durationMs > counting.lastFrameMs + ROUNDING_MS) {
    yield `durationMs (${durationMs}) is between the last frames (${counting.endsFromMs} and ${counting.lastFrameMs} ms)`;
  }
  for (const { endMs } of counting.failures) {
    if (endMs > durationMs + ROUNDING_MS) {
      yield `no attempt ends after durationMs (${durationMs}): one ended at ${endMs}`;
      return;
    }
  }
}

function* equal(identity: string, left: number, right: number): Generator<string> {
  if (left !== right) yield `${identity}: ${left} is not ${right}`;
}
