// One stream of load, counted exactly: when each attempt is due, which slot fires it, how it ended. Every attempt ends
// in one outcome; at the end the counts must agree with each other and with autocannon's own (identities.ts).
import type { LookupFunction } from 'node:net';
import type { Failure, Outcome, StreamDelta, StreamEnd, StreamPlan } from '../model/load.ts';
import { isLost, outcomes, peakRate } from '../model/load.ts';
import { sharedLookup } from './addresses.ts';
import { Buckets, outcomeIndex } from './buckets.ts';
import { Deadlines } from './deadlines.ts';
import type { Attempt, Beginning, Engine, EngineOwner, Route, Slot, SlotEngine } from './engine.ts';
import { Fifo } from './fifo.ts';
import { Histogram } from './histogram.ts';
import { brokenIdentities } from './identities.ts';
import { LostIntervals } from './lost-intervals.ts';
import { Pacer } from './pacer.ts';
import { engineOf } from './protocols/index.ts';
import type { SourcePorts } from './source-ports.ts';

export interface MeterOptions {
  readonly plan: StreamPlan;
  /** Names the response header that says which pod answered. */
  readonly podHeader?: string;
  /** Where each new connection goes. `undefined`: no endpoint, so that the kernel refuses. Absent: the URL decides. */
  readonly route?: (() => Route | undefined) | undefined;
  /** To bind new connections to; shared by the streams of an agent. Absent: the kernel chooses. */
  readonly sourcePorts?: SourcePorts | undefined;
  /** Monotonic, ms. */
  readonly clock?: () => number;
  /** Failures listed one by one; those beyond are counted only. */
  readonly failuresLimit?: number;
}

/** Totals so far, for people who watch. */
interface LiveFigures {
  readonly attempts: number;
  readonly lost: number;
  readonly shed: number;
  readonly inFlight: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The lag of the sends since it was last asked. */
interface LagFigures {
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A closed loop waits so long on a slot after a failed attempt: a refused port must not become a hot loop. */
const pauseAfterFailureMs = 10;
const queueLimit = 100_000;
/** What fell due just before the end and waits for a kept connection may start so long after it. */
const lastStartsMs = 100;

export class Meter implements EngineOwner {
  readonly plan: StreamPlan;
  readonly ended: Promise<StreamEnd>;
  readonly #clock: () => number;
  readonly #engine: Engine;
  /** No schedule: each slot fires again when its attempt has ended. */
  readonly closedLoop: boolean;
  readonly #pacer: Pacer | undefined;
  readonly #route: (() => Route | undefined) | undefined;
  readonly #failuresLimit: number;
  readonly #deadlines: Deadlines<Attempt>;
  readonly #buckets = new Buckets();
  readonly #intervals = new LostIntervals();
  readonly #latency = new Histogram();
  readonly #service = new Histogram();
  readonly #sendLag = new Histogram();
  readonly #recentLag = new Histogram();
  readonly #slots: Slot[] = [];
  readonly #idle = new Fifo<Slot>();
  /** Due times of arrivals that wait for a kept connection. */
  readonly #waiting = new Fifo<number>();
  readonly #outcomes = new Array<number>(outcomes.length).fill(0);
  readonly #phases = new Map<string, number>();
  /** What frames have carried so far; must add up to the totals. */
  readonly #carried = { sent: 0, shed: 0, outcomes: 0, lostInIntervals: 0 };
  #failures: Failure[] = [];
  #failuresListed = 0;
  #failuresDropped = 0;
  #scheduled = 0;
  #attempts = 0;
  #shed = 0;
  #inFlight = 0;
  #races = 0;
  #connections = 0;
  #peakRate = 0;
  #t0 = 0;
  #state: 'new' | 'running' | 'draining' | 'ended' = 'new';
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #endTimer: NodeJS.Timeout | undefined;
  readonly #pauses = new Set<NodeJS.Timeout>();
  #lastDelta: StreamDelta | undefined;
  #resolve: (end: StreamEnd) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  // What engines ask for (EngineOwner).
  readonly podHeader: string;
  readonly lookup: LookupFunction;
  readonly sourcePorts: SourcePorts | undefined;

  /** Throws a UsageError when the protocol refuses the plan, a FaultError when autocannon is another version. */
  constructor(options: MeterOptions) {
    const { plan, podHeader = 'x-rollproof-pod', route, failuresLimit = 20_000 } = options;
    this.plan = plan;
    this.#clock = options.clock ?? (() => performance.now());
    this.podHeader = podHeader;
    this.#route = route;
    this.sourcePorts = options.sourcePorts;
    this.#failuresLimit = failuresLimit;
    this.closedLoop = plan.rate.shape === 'constant' && plan.rate.ratePerSecond === 0;
    this.#pacer = this.closedLoop
      ? undefined
      : new Pacer({ profile: plan.rate, maxDurationMs: plan.maxDurationMs, split: plan.split });
    this.#peakRate = peakRate(plan.rate);
    this.lookup = sharedLookup(this.#clock);
    this.#deadlines = new Deadlines(this.#clock, (attempt) => this.#timedOut(attempt));
    this.#engine = engineOf(this);
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get state(): 'new' | 'running' | 'draining' | 'ended' {
    return this.#state;
  }

  /** `t0Ms`: the start of the schedule on the meter's clock; streams of one agent share it. */
  start(t0Ms: number = this.#clock()): void {
    if (this.#state !== 'new') return;
    this.#t0 = t0Ms;
    this.#state = 'running';
    this.#armEnd();
    const engine = this.#engine;
    if (this.closedLoop && engine.kind === 'slots') {
      for (let index = 0; index < engine.places; index++) this.#next(this.#newSlot(engine));
    } else this.#arrivals();
  }

  /** No arrival from now on. Attempts in flight are seen to their end; what waits for a connection gets a moment. */
  stop(): void {
    if (this.#state !== 'running') return;
    this.#state = 'draining';
    this.#clearTimers();
    if (this.#waiting.length > 0) {
      this.#endTimer = setTimeout(() => {
        this.#shedWaiting();
        this.#finishWhenDone();
      }, lastStartsMs);
    }
    this.#finishWhenDone();
  }

  /** An interrupt: attempts in flight end as `aborted`, arrivals that wait are shed. Also before it has started. */
  abort(): void {
    if (this.#state === 'ended') return;
    // autocannon's run began with the meter: it must end, too, or its timers keep the process.
    if (this.#state === 'new') this.#t0 = this.#clock();
    this.#state = 'draining';
    this.#clearTimers();
    this.#shedWaiting();
    for (let attempt = this.#deadlines.takeFirst(); attempt; attempt = this.#deadlines.takeFirst()) {
      attempt.giveUp();
      this.#settle(attempt, 'aborted', 'ABORTED', false, undefined);
    }
    this.#finishWhenDone();
  }

  /** A new rate from now on, in a straight line over `overMs`. Open loop only. */
  setRate(ratePerSecond: number, overMs = 0): void {
    if (!this.#pacer || this.#state !== 'running') return;
    this.#takeDueArrivals();
    this.#pacer.setRate(this.#now(), ratePerSecond, overMs);
    this.#peakRate = Math.max(this.#peakRate, ratePerSecond);
    this.#arm();
  }

  /** What happened since the last call. */
  drain(): StreamDelta {
    const last = this.#lastDelta;
    this.#lastDelta = undefined;
    return last ?? this.#takeDelta();
  }

  live(): LiveFigures {
    return {
      attempts: this.#attempts,
      lost: this.#lost(),
      shed: this.#shed,
      inFlight: this.#inFlight,
      p50Ms: this.#latency.atShareMs(0.5),
      p99Ms: this.#latency.atShareMs(0.99),
    };
  }

  takeLag(): LagFigures {
    const lag = { p99Ms: this.#recentLag.atShareMs(0.99), maxMs: this.#recentLag.maxMs };
    this.#recentLag.clear();
    return lag;
  }

  // --- arrivals -----------------------------------------------------------------------------------------------------

  #now(): number {
    return this.#clock() - this.#t0;
  }

  #arrivals(): void {
    this.#immediate = undefined;
    if (this.#state !== 'running') return;
    this.#takeDueArrivals();
    this.#arm();
  }

  #takeDueArrivals(): void {
    const pacer = this.#pacer;
    if (!pacer) return;
    for (let now = this.#now(); pacer.dueMs <= now; now = this.#now()) {
      const due = pacer.dueMs;
      pacer.advance();
      this.#scheduled++;
      this.#sendLag.recordMs(now - due);
      this.#recentLag.recordMs(now - due);
      this.#arrive(due, now);
    }
  }

  /**
   * Timers have whole milliseconds. Rounded, a sleep ends before the arrival as often as behind it (then another is slept);
   * rounded down nearly always before it, which costs a wake-up per arrival and makes none of them more exact.
   */
  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#state !== 'running' || !this.#pacer || this.#pacer.dueMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.min(this.#pacer.dueMs - this.#now(), 0x7fffffff);
    this.#timer = setTimeout(() => this.#woken(), Math.max(1, Math.round(waitMs)));
  }

  #woken(): void {
    this.#timer = undefined;
    if (this.#pacer && this.#pacer.dueMs > this.#now()) this.#arm();
    // Fired behind the poll phase, when every FIN and byte that the kernel holds for idle connections has been read.
    else this.#immediate ??= setImmediate(() => this.#arrivals());
  }

  #arrive(due: number, now: number): void {
    const engine = this.#engine;
    if (engine.kind === 'streams') {
      const message = engine.next();
      if (message) this.#begin(message, due, now);
      else this.#shedAt(due);
      return;
    }
    const slot = this.#waiting.length > 0 ? undefined : this.#freeSlot(engine);
    if (slot) this.#fire(slot, due, now);
    else if (engine.inTurn && this.#waiting.length < this.#waitingLimit()) this.#waiting.push(due);
    else this.#shedAt(due);
  }

  /** As many arrivals as fall due within one time limit at the highest rate. */
  #waitingLimit(): number {
    const withinTimeout = Math.ceil((this.#peakRate * this.plan.timeoutMs) / 1000);
    return Math.min(queueLimit, Math.max(this.plan.connections, withinTimeout));
  }

  #freeSlot(engine: SlotEngine): Slot | undefined {
    // Connections are opened one by one until there are as many as the lane keeps; then they are used in turn.
    return this.#slots.length < engine.places && (engine.inTurn || this.#idle.length === 0)
      ? this.#newSlot(engine)
      : this.#idle.shift();
  }

  #newSlot(engine: SlotEngine): Slot {
    const slot = engine.newSlot(this.#slots.length);
    this.#slots.push(slot);
    return slot;
  }

  #shedAt(due: number): void {
    this.#shed++;
    this.#buckets.shed(due);
  }

  #shedWaiting(): void {
    for (let due = this.#waiting.shift(); due !== undefined; due = this.#waiting.shift()) this.#shedAt(due);
  }

  #fire(slot: Slot, due: number, now: number): void {
    (this.#engine as SlotEngine).fired(slot);
    this.#begin(slot, due, now);
  }

  #begin(attempt: Beginning, due: number, now: number): void {
    this.#attempts++;
    this.#inFlight++;
    this.#buckets.sent(due);
    this.#deadlines.add(attempt, now + this.#t0 + this.plan.timeoutMs);
    attempt.fire(this.#intervals.begin(due), due, now);
  }

  // --- what engines ask and tell (EngineOwner) -----------------------------------------------------------------------

  now(): number {
    return this.#now();
  }

  route(): Route | null | undefined {
    return this.#route ? (this.#route() ?? null) : undefined;
  }

  connectionOpened(): number {
    return ++this.#connections;
  }

  settle(attempt: Attempt, outcome: Outcome, code: string, answered: boolean): void {
    this.#deadlines.remove(attempt);
    this.#settle(attempt, outcome, code, answered, undefined);
    this.#over(attempt, outcome !== 'ok');
  }

  #timedOut(attempt: Attempt): void {
    const { outcome, code } = attempt.expire();
    this.#settle(attempt, outcome, code, false, undefined);
    this.#over(attempt, true);
  }

  #over(attempt: Attempt, failed: boolean): void {
    if (this.#engine.kind === 'slots') this.#release(attempt as Slot, failed);
    else this.#finishWhenDone();
  }

  // --- the end of an attempt ----------------------------------------------------------------------------------------

  #settle(slot: Attempt, outcome: Outcome, code: string, answered: boolean, nowMs: number | undefined): void {
    const now = nowMs ?? this.#now();
    const index = outcomeIndex[outcome];
    this.#inFlight--;
    this.#outcomes[index] = (this.#outcomes[index] as number) + 1;
    const lost = isLost(outcome);
    this.#intervals.end(slot.sequence, lost ? 'lost' : answered ? 'answered' : 'neutral');
    const latencyMs = now - slot.dueMs;
    if (answered) {
      this.#latency.recordMs(latencyMs);
      this.#service.recordMs(now - slot.startMs);
    }
    this.#buckets.ended(slot.dueMs, index, answered ? latencyMs : undefined, answered ? slot.pod : undefined);
    if (outcome !== 'ok') this.#recordFailure(slot, outcome, code, now);
  }

  #recordFailure(slot: Attempt, outcome: Outcome, code: string, endMs: number): void {
    const race = slot.reused && slot.bytes === 0 && (outcome === 'closed' || outcome === 'reset');
    if (race) this.#races++;
    const key = `${outcome}/${slot.phase}/${slot.reused ? 'reused' : 'new'}`;
    this.#phases.set(key, (this.#phases.get(key) ?? 0) + 1);
    if (this.#failuresListed >= this.#failuresLimit) {
      this.#failuresDropped++;
      return;
    }
    this.#failuresListed++;
    const { status } = slot;
    this.#failures.push({
      dueMs: rounded(slot.dueMs),
      startMs: rounded(slot.startMs),
      endMs: rounded(endMs),
      outcome,
      phase: slot.phase,
      code,
      reused: slot.reused,
      race,
      bytes: slot.bytes,
      ...(status > 0 && { status }),
      connection: slot.connection,
      nth: slot.nth,
      ...(slot.localPort !== undefined && {
        localPort: slot.localPort,
        openedMs: rounded(slot.openedMs ?? 0),
      }),
      ...podOf(slot),
      ...(this.#engine.numbersRequests && { sequence: slot.sequence }),
    });
  }

  /** The slot is free again: the next attempt of a closed loop, an arrival that waits, or idle. */
  #release(slot: Slot, failed: boolean): void {
    if (this.closedLoop) {
      if (this.#state !== 'running') this.#finishWhenDone();
      else if (!failed) this.#next(slot);
      else this.#nextAfterPause(slot);
      return;
    }
    const now = this.#now();
    for (let due = this.#waiting.shift(); due !== undefined; due = this.#waiting.shift()) {
      if (now - due <= this.plan.timeoutMs) {
        this.#fire(slot, due, now);
        return;
      }
      this.#shedAt(due);
    }
    this.#idle.push(slot);
    if (this.#state !== 'running') this.#finishWhenDone();
  }

  #next(slot: Slot): void {
    const now = this.#now();
    this.#scheduled++;
    this.#fire(slot, now, now);
  }

  #nextAfterPause(slot: Slot): void {
    const pause = setTimeout(() => {
      this.#pauses.delete(pause);
      this.#next(slot);
    }, pauseAfterFailureMs);
    this.#pauses.add(pause);
  }

  /** The schedule's end: what fell due before it is fired, however late the timer was; timers may also be early. */
  #armEnd(): void {
    this.#endTimer = setTimeout(
      () => {
        if (this.#now() < this.plan.maxDurationMs) {
          this.#armEnd();
          return;
        }
        this.#takeDueArrivals();
        this.stop();
      },
      Math.max(1, Math.ceil(this.plan.maxDurationMs - this.#now())),
    );
  }

  // --- the end of the load ------------------------------------------------------------------------------------------

  #clearTimers(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#endTimer);
    clearImmediate(this.#immediate);
    for (const pause of this.#pauses) clearTimeout(pause);
    this.#pauses.clear();
  }

  #finishWhenDone(): void {
    if (this.#state !== 'draining' || this.#inFlight > 0 || this.#waiting.length > 0) return;
    this.#state = 'ended';
    clearTimeout(this.#endTimer);
    const durationMs = this.#now();
    this.#deadlines.close();
    for (const slot of this.#slots) slot.close();
    this.#engine.close();
    this.#intervals.finish();
    this.#lastDelta = this.#takeDelta();
    const end = this.#end(durationMs);
    const answered = this.#latency.count;
    Promise.resolve(this.#engine.identities(end, answered)).then((own) => {
      const broken = brokenIdentities({ end, carried: this.#carried, own });
      this.#resolve({ ...end, brokenIdentities: broken });
    }, this.#reject);
  }

  #end(durationMs: number): StreamEnd {
    const counters = this.#engine.counters();
    return {
      stream: this.plan.id,
      lane: this.plan.lane,
      scheduled: this.#scheduled,
      attempts: this.#attempts,
      shed: this.#shed,
      inFlight: this.#inFlight,
      outcomes: Object.fromEntries(
        outcomes.flatMap((name, index) => (this.#outcomes[index] ? [[name, this.#outcomes[index]]] : [])),
      ),
      races: this.#races,
      phases: Object.fromEntries(this.#phases),
      failuresListed: this.#failuresListed,
      failuresDropped: this.#failuresDropped,
      connectionsOpened: this.#connections,
      ...(Object.keys(counters).length > 0 && { counters }),
      durationMs: rounded(durationMs),
      latencyMs: this.#latency.percentiles(),
      serviceMs: this.#service.percentiles(),
      sendLagMs: this.#sendLag.percentiles(),
      histograms: {
        latency: this.#latency.encode(),
        service: this.#service.encode(),
        sendLag: this.#sendLag.encode(),
      },
      brokenIdentities: [],
    };
  }

  #takeDelta(): StreamDelta {
    const lives = this.#engine.kind === 'streams' ? this.#engine.takeLives() : [];
    const delta = {
      buckets: this.#buckets.take(),
      failures: this.#failures,
      intervals: this.#intervals.take().map((one) => ({
        ...one,
        startMs: rounded(one.startMs),
        endMs: one.endMs === null ? null : rounded(one.endMs),
      })),
      ...(lives.length > 0 && {
        lives: lives.map((life) => ({
          ...life,
          openedMs: rounded(life.openedMs),
          endedMs: rounded(life.endedMs),
          backMs: life.backMs === null ? null : rounded(life.backMs),
        })),
      }),
    };
    this.#failures = [];
    for (const bucket of delta.buckets) {
      this.#carried.sent += bucket.sent;
      this.#carried.shed += bucket.shed;
      for (const count of Object.values(bucket.outcomes)) this.#carried.outcomes += count ?? 0;
    }
    for (const interval of delta.intervals) this.#carried.lostInIntervals += interval.lost;
    return delta;
  }

  #lost(): number {
    return outcomes.reduce(
      (sum, name, index) => sum + (isLost(name) ? (this.#outcomes[index] as number) : 0),
      0,
    );
  }
}

function podOf(slot: Attempt): Pick<Failure, 'pod' | 'podKnownBy'> {
  if (slot.pod !== undefined) return { pod: slot.pod, podKnownBy: 'answer' };
  if (slot.reused && slot.answeredBefore !== undefined) {
    return { pod: slot.answeredBefore, podKnownBy: 'previous-answer' };
  }
  if (slot.routedTo !== undefined) return { pod: slot.routedTo, podKnownBy: 'route' };
  return {};
}

/** µs are enough for a reader. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
