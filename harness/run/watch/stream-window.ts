// One stream of a load that goes on, cut to the time of one change: what was due in it, on a clock that begins with it, and
// the totals that an agent would have told had it fired only then. Exact for counts, losses and failures; answer times and
// send lag are upper bounds (the slowest answer of each 100 ms, the slowest send of each frame), exact in their maximum.
import {
  type AgentHealth,
  BUCKET_MS,
  type Failure,
  isLost,
  type Lane,
  type LostInterval,
  type OutcomeCounts,
  type Percentiles,
  type StreamDelta,
  type StreamEnd,
} from '../../model/load.ts';
import { addOutcomes } from '../../model/merge-load.ts';

const answered = ['ok', 'http3xx', 'http4xx', 'http5xx'] as const;
type Weighted = readonly [ms: number, weight: number];

export class StreamWindow {
  readonly #stream: { readonly id: string; readonly lane: Lane };
  readonly #fromMs: number;
  #untilMs = Number.POSITIVE_INFINITY;
  #sent = 0;
  #shed = 0;
  #outcomes: OutcomeCounts = {};
  readonly #failures: Failure[] = [];
  readonly #intervals: LostInterval[] = [];
  readonly #connections = new Map<number, number>();
  readonly #answers: Weighted[] = [];

  /** `fromMs`: a whole number of buckets on the agent's clock. */
  constructor(stream: { readonly id: string; readonly lane: Lane }, fromMs: number) {
    this.#stream = stream;
    this.#fromMs = fromMs;
  }

  /** Nothing that is due later counts; a whole number of buckets on the agent's clock. */
  closeAt(untilMs: number): void {
    this.#untilMs = untilMs;
  }

  get inFlight(): number {
    return this.#sent - total(this.#outcomes);
  }
  get lost(): number {
    return lostOf(this.#outcomes);
  }

  take(delta: StreamDelta): StreamDelta {
    const from = this.#fromMs / BUCKET_MS;
    const until = this.#untilMs / BUCKET_MS;
    const buckets = delta.buckets
      .filter(({ i }) => i >= from && i < until)
      .map((bucket) => ({ ...bucket, i: bucket.i - from }));
    for (const { sent, shed, outcomes, maxMs } of buckets) {
      this.#sent += sent;
      this.#shed += shed;
      this.#outcomes = addOutcomes(this.#outcomes, outcomes);
      const answers = answered.reduce((sum, outcome) => sum + (outcomes[outcome] ?? 0), 0);
      if (answers > 0 && maxMs > 0) this.#answers.push([maxMs, answers]);
    }
    const failures = delta.failures
      .filter(({ dueMs }) => this.#isDue(dueMs))
      .map((one) => this.#failure(one));
    this.#failures.push(...failures);
    const intervals = delta.intervals.flatMap((one) => this.#interval(one));
    this.#intervals.push(...intervals);
    return { buckets, failures, intervals };
  }

  /** A run of losses that goes on while the window is closed: the part of it that is inside. */
  openInterval(): LostInterval | undefined {
    const lost = this.lost - this.#intervals.reduce((sum, interval) => sum + interval.lost, 0);
    if (lost <= 0) return undefined;
    const after = this.#intervals.at(-1)?.endMs ?? 0;
    const first = this.#failures
      .filter(({ outcome, dueMs }) => isLost(outcome) && dueMs >= after)
      .reduce((least, { dueMs }) => Math.min(least, dueMs), Number.POSITIVE_INFINITY);
    const interval = { startMs: Number.isFinite(first) ? first : after, endMs: null, lost };
    this.#intervals.push(interval);
    return interval;
  }

  /** `durationMs`: of the window; `lag`: of all frames in it. */
  end(durationMs: number, lag: Percentiles): StreamEnd {
    const attempts = this.#sent;
    const failed = total(this.#outcomes) - (this.#outcomes.ok ?? 0);
    const phases: Record<string, number> = {};
    for (const { outcome, phase, reused } of this.#failures) {
      const key = `${outcome}/${phase}/${reused ? 'reused' : 'new'}`;
      phases[key] = (phases[key] ?? 0) + 1;
    }
    const answers = percentilesOf(this.#answers);
    return {
      stream: this.#stream.id,
      lane: this.#stream.lane,
      scheduled: attempts + this.#shed,
      attempts,
      shed: this.#shed,
      inFlight: this.inFlight,
      outcomes: this.#outcomes,
      races: this.#failures.filter(({ race }) => race).length,
      phases,
      failuresListed: this.#failures.length,
      failuresDropped: failed - this.#failures.length,
      connectionsOpened: this.#stream.lane === 'kept' ? Math.min(attempts, this.#connections.size) : attempts,
      durationMs,
      latencyMs: answers,
      serviceMs: answers,
      sendLagMs: lag,
      brokenIdentities: [],
    };
  }

  #isDue(ms: number): boolean {
    return ms >= this.#fromMs && ms < this.#untilMs;
  }

  /** Connections are numbered anew, in the order in which the window sees them fail. */
  #failure(failure: Failure): Failure {
    const known = this.#connections.get(failure.connection) ?? this.#connections.size + 1;
    this.#connections.set(failure.connection, known);
    return {
      ...failure,
      dueMs: this.#shifted(failure.dueMs),
      startMs: this.#shifted(failure.startMs),
      endMs: this.#shifted(failure.endMs),
      connection: known,
      // One that is older than the window was there when it began.
      ...(failure.openedMs !== undefined && { openedMs: Math.max(0, this.#shifted(failure.openedMs)) }),
    };
  }

  /** What an earlier window has of it stays there, and what is due after this one is not in it: it has no end then. */
  #interval({ startMs, endMs, lost }: LostInterval): LostInterval[] {
    if (startMs >= this.#untilMs || (endMs !== null && endMs <= this.#fromMs)) return [];
    const inside = this.lost - this.#intervals.reduce((sum, interval) => sum + interval.lost, 0);
    const end = endMs === null || endMs > this.#untilMs ? null : this.#shifted(endMs);
    if (this.#isDue(startMs)) {
      const part = end === null ? Math.min(lost, inside) : lost;
      return part > 0 ? [{ startMs: this.#shifted(startMs), endMs: end, lost: part }] : [];
    }
    const first = this.#failures.find(({ outcome }) => isLost(outcome))?.dueMs ?? 0;
    const part = Math.min(lost, inside);
    return part > 0 ? [{ startMs: first, endMs: end, lost: part }] : [];
  }

  #shifted(ms: number): number {
    return Math.round((ms - this.#fromMs) * 1000) / 1000;
  }
}

/** Of the sends in these frames, as far as frames tell: each percentile over the frames' own 99th, and the true maximum. */
export function lagOf(frames: readonly Pick<AgentHealth, 'sendLagP99Ms' | 'sendLagMaxMs'>[]): Percentiles {
  const max = Math.max(0, ...frames.map(({ sendLagMaxMs }) => sendLagMaxMs));
  const parts = percentilesOf(frames.map(({ sendLagP99Ms }) => [Math.min(max, sendLagP99Ms), 1] as const));
  return { ...parts, max };
}

/** Each value stands for `weight` that are no larger. */
function percentilesOf(values: readonly Weighted[]): Percentiles {
  const sorted = values.toSorted((a, b) => a[0] - b[0]);
  const all = sorted.reduce((sum, [, weight]) => sum + weight, 0);
  const at = (share: number): number => {
    let seen = 0;
    for (const [ms, weight] of sorted) {
      seen += weight;
      if (seen >= share * all) return ms;
    }
    return 0;
  };
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: sorted.at(-1)?.[0] ?? 0 };
}

const total = (counts: OutcomeCounts): number =>
  Object.values(counts).reduce<number>((sum, count) => sum + (count ?? 0), 0);

export const lostOf = (counts: OutcomeCounts): number =>
  Object.entries(counts).reduce(
    (sum, [outcome, count]) => sum + (isLost(outcome as keyof OutcomeCounts) ? (count ?? 0) : 0),
    0,
  );
