// One stream of load, counted exactly: when each attempt is due, which slot fires it, how it ended. Every attempt ends
// in one outcome; at the end the counts must agree with each other and with autocannon's own (identities.ts).
import type { Socket } from 'node:net';
import type { Failure, Outcome, Phase, StreamDelta, StreamEnd, StreamPlan } from '../model/load.ts';
import { isLost, outcomes } from '../model/load.ts';
import { sharedLookup } from './addresses.ts';
import { AutocannonClients } from './autocannon-clients.ts';
import { Buckets, outcomeIndex } from './buckets.ts';
import { Deadlines } from './deadlines.ts';
import { Fifo } from './fifo.ts';
import { Histogram } from './histogram.ts';
import { brokenIdentities } from './identities.ts';
import { LostIntervals } from './lost-intervals.ts';
import { outcomeOfStatus } from './outcome.ts';
import { Pacer } from './pacer.ts';
import { type NumberedRequest, numberedRequest, withRequestId } from './request-id.ts';
import { ResponseParser } from './response-parser.ts';
import { RetiredSockets } from './retired-sockets.ts';
import { type Route, Slot, type SlotOwner } from './slot.ts';
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
export interface LiveFigures {
  readonly attempts: number;
  readonly lost: number;
  readonly shed: number;
  readonly inFlight: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The lag of the sends since it was last asked. */
export interface LagFigures {
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A closed loop waits so long on a slot after a failed attempt: a refused port must not become a hot loop. */
const pauseAfterFailureMs = 10;
/** autocannon clients behind the slots of lanes `new` and `long`: each costs it memory, and one can serve many slots. */
const clientsLimit = 50;
const queueLimit = 100_000;
/** What fell due just before the end and waits for a kept connection may start so long after it. */
const lastStartsMs = 100;

export class Meter implements SlotOwner {
  readonly plan: StreamPlan;
  readonly ended: Promise<StreamEnd>;
  readonly #clock: () => number;
  readonly #clients: AutocannonClients;
  readonly #numbered: NumberedRequest | undefined;
  /** No schedule: each slot fires again when its attempt has ended. */
  readonly closedLoop: boolean;
  readonly #pacer: Pacer | undefined;
  readonly #podHeader: string;
  readonly #podNames = new Map<number, { bytes: Buffer; name: string }>();
  readonly #route: (() => Route | undefined) | undefined;
  readonly #failuresLimit: number;
  readonly #deadlines: Deadlines<Slot>;
  readonly #retired: RetiredSockets;
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
  /** Answers by class of status, 1xx first, as autocannon counts them. */
  readonly #classes: [number, number, number, number, number] = [0, 0, 0, 0, 0];
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

  // What slots ask for (SlotOwner).
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly servername: string | undefined;
  readonly insecure: boolean;
  readonly keepsConnections: boolean;
  readonly noDelay: boolean;
  readonly head: boolean;
  readonly lookup;
  readonly sourcePorts: SourcePorts | undefined;
  readonly readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

  /** Throws a UsageError when autocannon refuses the plan, a FaultError when autocannon is another version. */
  constructor(options: MeterOptions) {
    const { plan, podHeader = 'x-rollproof-pod', route, failuresLimit = 20_000 } = options;
    this.plan = plan;
    this.#clock = options.clock ?? (() => performance.now());
    this.#podHeader = podHeader;
    this.#route = route;
    this.sourcePorts = options.sourcePorts;
    this.#failuresLimit = failuresLimit;
    this.closedLoop = plan.rate.shape === 'constant' && plan.rate.ratePerSecond === 0;
    this.#pacer = this.closedLoop
      ? undefined
      : new Pacer({ profile: plan.rate, maxDurationMs: plan.maxDurationMs, split: plan.split });
    this.#peakRate = peakRate(plan);
    this.keepsConnections = plan.lane === 'kept';
    this.#clients = new AutocannonClients(
      withRequestId(plan),
      this.keepsConnections ? plan.connections : Math.min(plan.connections, clientsLimit),
    );
    this.#numbered = numberedRequest(plan, this.#clients.request);
    this.secure = this.#clients.secure;
    this.host = this.#clients.host;
    this.port = this.#clients.port;
    this.servername = this.#clients.servername;
    this.insecure = plan.insecure;
    this.head = plan.method.toUpperCase() === 'HEAD';
    // One write per request: Nagle's algorithm matters only where a request may span packets.
    this.noDelay = this.keepsConnections || this.#clients.request.length > 1400;
    this.lookup = sharedLookup(this.#clock);
    this.#deadlines = new Deadlines(this.#clock, (slot) => this.#timedOut(slot));
    this.#retired = new RetiredSockets(this.#clock);
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
    if (this.closedLoop) {
      for (let index = 0; index < this.plan.connections; index++) this.#next(this.#newSlot());
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
    for (const slot of this.#slots) {
      if (!slot.busy) continue;
      this.#deadlines.remove(slot);
      slot.giveUp();
      this.#settle(slot, 'aborted', 'ABORTED', false, undefined);
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

  /** Timers have whole milliseconds: sleep up to the last whole one before the next arrival. */
  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#state !== 'running' || !this.#pacer || this.#pacer.dueMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.min(this.#pacer.dueMs - this.#now(), 0x7fffffff);
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        // Fired behind the poll phase, when every FIN and byte that the kernel holds for idle connections has been read.
        this.#immediate ??= setImmediate(() => this.#arrivals());
      },
      Math.max(1, Math.floor(waitMs)),
    );
  }

  #arrive(due: number, now: number): void {
    const slot = this.#waiting.length > 0 ? undefined : this.#freeSlot();
    if (slot) this.#fire(slot, due, now);
    else if (this.keepsConnections && this.#waiting.length < this.#waitingLimit()) this.#waiting.push(due);
    else this.#shedAt(due);
  }

  /** As many arrivals as fall due within one time limit at the highest rate. */
  #waitingLimit(): number {
    const withinTimeout = Math.ceil((this.#peakRate * this.plan.timeoutMs) / 1000);
    return Math.min(queueLimit, Math.max(this.plan.connections, withinTimeout));
  }

  #freeSlot(): Slot | undefined {
    // Connections are opened one by one until there are as many as the lane keeps; then they are used in turn.
    return this.#slots.length < this.plan.connections && (this.keepsConnections || this.#idle.length === 0)
      ? this.#newSlot()
      : this.#idle.shift();
  }

  #newSlot(): Slot {
    const index = this.#slots.length;
    const clients = this.keepsConnections
      ? this.plan.connections
      : Math.min(this.plan.connections, clientsLimit);
    const slot = new Slot(this, index % clients, new ResponseParser(this.#podHeader, this.#podNames));
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
    this.#attempts++;
    this.#inFlight++;
    this.#buckets.sent(due);
    this.#clients.fired(slot.client);
    this.#deadlines.add(slot, now + this.#t0 + this.plan.timeoutMs);
    slot.fire(this.#intervals.begin(due), due, now);
  }

  // --- what slots ask and tell (SlotOwner) ---------------------------------------------------------------------------

  route(): Route | null | undefined {
    return this.#route ? (this.#route() ?? null) : undefined;
  }

  connectionOpened(): number {
    return ++this.#connections;
  }

  requestOf(slot: Slot): Buffer {
    return this.#numbered?.of(slot.sequence) ?? this.#clients.request;
  }

  retire(socket: Socket): void {
    this.#retired.add(socket);
  }

  answered(slot: Slot): void {
    this.#deadlines.remove(slot);
    const { status } = slot.parser;
    const now = this.#now();
    const statusClass = Math.floor(status / 100) - 1;
    if (statusClass < 5) this.#classes[statusClass] = (this.#classes[statusClass] as number) + 1;
    this.#clients.answered(slot.client, status, slot.bytes, now - slot.startMs);
    const outcome = outcomeOfStatus(status, this.plan.expectStatus);
    this.#settle(slot, outcome, String(status), true, now);
    this.#release(slot, outcome !== 'ok');
  }

  failed(slot: Slot, outcome: Outcome, code: string, error: Error | undefined): void {
    this.#deadlines.remove(slot);
    this.#failed(slot, outcome, code, error);
  }

  #failed(slot: Slot, outcome: Outcome, code: string, error: Error | undefined): void {
    this.#settle(slot, outcome, code, false, undefined);
    // autocannon's totals: one `connError` or one `timeout` per failed attempt.
    if (outcome === 'timeout') this.#clients.timedOut(slot.client);
    else this.#clients.failed(slot.client, error ?? new Error(code));
    this.#release(slot, true);
  }

  #timedOut(slot: Slot): void {
    slot.giveUp();
    if (slot.resolving) this.#failed(slot, 'dns', 'LOOKUP_TIMEOUT', undefined);
    else this.#failed(slot, 'timeout', timeoutCodes[slot.phase], undefined);
  }

  // --- the end of an attempt ----------------------------------------------------------------------------------------

  #settle(slot: Slot, outcome: Outcome, code: string, answered: boolean, nowMs: number | undefined): void {
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
    this.#buckets.ended(
      slot.dueMs,
      index,
      answered ? latencyMs : undefined,
      answered ? slot.parser.pod : undefined,
    );
    if (outcome !== 'ok') this.#recordFailure(slot, outcome, code, now);
  }

  #recordFailure(slot: Slot, outcome: Outcome, code: string, endMs: number): void {
    const race = slot.reused && slot.bytes === 0 && (outcome === 'closed' || outcome === 'reset');
    if (race) this.#races++;
    const key = `${outcome}/${slot.phase}/${slot.reused ? 'reused' : 'new'}`;
    this.#phases.set(key, (this.#phases.get(key) ?? 0) + 1);
    if (this.#failuresListed >= this.#failuresLimit) {
      this.#failuresDropped++;
      return;
    }
    this.#failuresListed++;
    const { status } = slot.parser;
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
      ...(slot.localPort !== undefined && { localPort: slot.localPort, openedMs: rounded(slot.openedMs) }),
      ...podOf(slot),
      ...(this.#numbered && { sequence: slot.sequence }),
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
    this.#retired.close();
    this.#intervals.finish();
    this.#lastDelta = this.#takeDelta();
    this.#clients.totals().then((totals) => {
      const end = this.#end(durationMs);
      const broken = brokenIdentities({
        end,
        carried: this.#carried,
        answered: this.#latency.count,
        classes: this.#classes,
        autocannon: totals,
      });
      this.#resolve({ ...end, brokenIdentities: broken });
    }, this.#reject);
  }

  #end(durationMs: number): StreamEnd {
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
    const delta = {
      buckets: this.#buckets.take(),
      failures: this.#failures,
      intervals: this.#intervals.take().map((one) => ({
        ...one,
        startMs: rounded(one.startMs),
        endMs: one.endMs === null ? null : rounded(one.endMs),
      })),
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

const timeoutCodes: Readonly<Record<Phase, string>> = {
  connect: 'CONNECT_TIMEOUT',
  tls: 'TLS_TIMEOUT',
  'first-byte': 'RESPONSE_TIMEOUT',
  headers: 'HEADERS_TIMEOUT',
  body: 'BODY_TIMEOUT',
};

function podOf(slot: Slot): Pick<Failure, 'pod' | 'podKnownBy'> {
  if (slot.parser.pod !== undefined) return { pod: slot.parser.pod, podKnownBy: 'answer' };
  if (slot.reused && slot.answeredBefore !== undefined) {
    return { pod: slot.answeredBefore, podKnownBy: 'previous-answer' };
  }
  if (slot.routedTo !== undefined) return { pod: slot.routedTo, podKnownBy: 'route' };
  return {};
}

function peakRate({ rate }: StreamPlan): number {
  switch (rate.shape) {
    case 'constant':
      return rate.ratePerSecond;
    case 'steps':
      return Math.max(...rate.steps.map((step) => step.ratePerSecond));
    case 'ramp':
      return Math.max(...rate.points.map((point) => point.ratePerSecond));
  }
}

/** µs are enough for a reader. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
