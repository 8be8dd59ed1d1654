// Lane `stream`: streams that stay open, each expected message an attempt. A stream that ends is opened again at once,
// and after a failure a little later each time; every life of it is told. Nothing that a cut costs is hidden by the
// reconnect: what was under way is lost with it, or else the message that is due next.
import { UsageError } from '../../model/errors.ts';
import type { Outcome, Phase, StreamLife, StreamPlan } from '../../model/load.ts';
import type { Attempt, Beginning, Ending, EngineOwner, Identity, StreamEngine } from '../engine.ts';
import { Fifo } from '../fifo.ts';
import { grpcStreams } from './grpc-stream.ts';
import type { Channel, ChannelUser } from './single.ts';
import { openEventStream } from './sse.ts';
import { openWebSocket } from './websocket.ts';
import { Destination } from './wire.ts';

/** Messages that a stream may owe at a time; more are shed. */
const owedMost = 1000;
const retryFirstMs = 100;
const retryMostMs = 1000;
/** Lives that wait to be told; those beyond are counted only. */
const livesMost = 50_000;

type Expect = NonNullable<StreamPlan['stream']>['expect'];

export class OpenStreams implements StreamEngine {
  readonly kind = 'streams';
  readonly #streams: OpenStream[] = [];
  readonly #count: number;
  readonly #shared: Shared;
  #at = 0;

  constructor(owner: EngineOwner) {
    const { plan } = owner;
    const to = new Destination(owner, plan.protocol === 'grpc' ? ['h2'] : undefined);
    this.#count = plan.connections;
    const expect = plan.stream?.expect ?? (plan.protocol === 'websocket' ? 'echo' : 'push');
    if (expect === 'echo' && plan.protocol !== 'websocket')
      throw new UsageError(`load: on ${plan.protocol} only the server sends; expect "push" or "open".`);
    this.#shared = new Shared(owner, to, expect, plan.stream?.lateMs ?? 1000);
  }

  next(): Beginning | undefined {
    const index = this.#at;
    this.#at = (index + 1) % this.#count;
    let stream = this.#streams[index];
    if (!stream) {
      stream = new OpenStream(this.#shared, index);
      this.#streams[index] = stream;
    }
    return stream.owed >= owedMost ? undefined : new Message(stream);
  }

  takeLives(): StreamLife[] {
    return this.#shared.lives.splice(0);
  }

  counters(): Readonly<Record<string, number>> {
    const { counts, pool, certificates } = this.#shared;
    return { ...counts, ...(pool ? pool.counters() : certificates.counters()) };
  }

  identities(): readonly Identity[] {
    const { counts } = this.#shared;
    return [
      [
        'streams opened = cut + ended + silent + broken + held',
        counts.streamsOpened,
        counts.streamsCut +
          counts.streamsEnded +
          counts.streamsSilent +
          counts.streamsBroken +
          counts.streamsHeld,
      ],
    ];
  }

  close(): void {
    for (const stream of this.#streams) stream.close();
    this.#shared.pool?.close();
  }
}

/** What all streams of the lane have in common. */
class Shared {
  readonly owner: EngineOwner;
  readonly certificates: Destination['certificates'];
  readonly expect: Expect;
  readonly lateMs: number;
  readonly lives: StreamLife[] = [];
  readonly pool: { counters(): Readonly<Record<string, number>>; close(): void } | undefined;
  readonly open: (stream: number, user: ChannelUser, lastNumber: number | undefined) => Channel;
  /** The server goes on counting in the next life of a stream. */
  readonly resumes: boolean;
  /** Between two messages of one stream; undefined: it changes. */
  readonly intervalMs: number | undefined;
  readonly counts = {
    streamsOpened: 0,
    streamsCut: 0,
    streamsEnded: 0,
    streamsSilent: 0,
    streamsBroken: 0,
    streamsHeld: 0,
    openFailures: 0,
    messagesRepeated: 0,
    messagesUnexpected: 0,
    livesDropped: 0,
  };

  constructor(owner: EngineOwner, to: Destination, expect: Expect, lateMs: number) {
    this.owner = owner;
    this.certificates = to.certificates;
    this.expect = expect;
    this.lateMs = lateMs;
    const { protocol } = owner.plan;
    this.resumes = protocol === 'sse';
    const { rate, connections, split } = owner.plan;
    this.intervalMs =
      rate.shape === 'constant' ? (connections * split.of * 1000) / rate.ratePerSecond : undefined;
    if (protocol === 'grpc') {
      const { pool, open } = grpcStreams(owner, to);
      this.pool = pool;
      this.open = open;
    } else {
      const open = protocol === 'sse' ? openEventStream(owner) : openWebSocket(owner);
      this.open = (_stream, user, lastNumber) => open(to, user, lastNumber);
    }
  }

  tell(life: StreamLife): void {
    if (this.lives.length < livesMost) this.lives.push(life);
    else this.counts.livesDropped++;
  }
}

/** A message that a stream owes. */
class Message implements Beginning {
  deadlineMs = 0;
  earlier: Attempt | undefined;
  later: Attempt | undefined;
  sequence = 0;
  dueMs = 0;
  startMs = 0;
  phase: Phase = 'connect';
  reused = false;
  bytes = 0;
  status = 0;
  connection = 0;
  nth = 0;
  pod: string | undefined = undefined;
  answeredBefore: string | undefined = undefined;
  routedTo: string | undefined = undefined;
  localPort: number | undefined = undefined;
  openedMs = 0;
  /** Echo: on its way to the server. */
  sent = false;
  /** Echo: by which it comes back. */
  number = 0;
  /** Echo: the answer to a later one has come. It may come yet, and is missing if it does not. */
  passedOver = false;
  readonly #stream: OpenStream;

  constructor(stream: OpenStream) {
    this.#stream = stream;
  }

  fire(sequence: number, dueMs: number, startMs: number): void {
    this.sequence = sequence;
    this.dueMs = dueMs;
    this.startMs = startMs;
    this.#stream.owe(this);
  }

  expire(): Ending {
    return this.#stream.expired(this);
  }

  giveUp(): void {
    this.#stream.forget(this);
  }
}

const skipped: Ending = { outcome: 'message-missing', code: 'SKIPPED' };

interface Debt extends Ending {
  readonly channel: Channel;
  readonly messages: number;
}

class OpenStream implements ChannelUser {
  readonly #shared: Shared;
  readonly #index: number;
  #owed = new Fifo<Message>();
  #channel: Channel | undefined;
  #state: 'closed' | 'opening' | 'open' | 'waiting' = 'closed';
  #openingMs = 0;
  #openedMs = 0;
  #messages = 0;
  /** A message came before it was due: the next one due has come. */
  #early = 0;
  #lastNumber: number | undefined;
  /** Messages that the server left out, and no due one has been counted for them. */
  #missing = 0;
  /** When a message came last, ms, and whether the server's numbers seem to go up by one. */
  #lastCameMs = 0;
  #consecutive = true;
  #sent = 0;
  /** What a cut with nothing under way costs: the message due next. */
  #debt: Debt | undefined;
  /** The life that has ended and whose stream is not back. */
  #gone: Omit<StreamLife, 'backMs'> | undefined;
  #lastFailure: Ending | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(shared: Shared, index: number) {
    this.#shared = shared;
    this.#index = index;
  }

  get owed(): number {
    return this.#owed.length;
  }

  owe(message: Message): void {
    const debt = this.#debt;
    if (debt) {
      this.#debt = undefined;
      this.#describe(message, debt.channel, debt.messages);
      this.#settle(message, debt.outcome, debt.code, false);
      return;
    }
    this.#describe(message, this.#channel, this.#messages);
    if (this.#missing > 0) {
      this.#missing--;
      this.#settle(message, skipped.outcome, skipped.code, false);
      return;
    }
    if (this.#state === 'open') {
      if (this.#shared.expect === 'open') {
        this.#settle(message, 'ok', 'OPEN', true);
        return;
      }
      if (this.#early > 0) {
        this.#early--;
        this.#settle(message, 'ok', 'MESSAGE', true);
        return;
      }
    }
    this.#owed.push(message);
    if (this.#state === 'open' && this.#shared.expect === 'echo') this.#send(message);
    else if (this.#state === 'closed') this.#open();
  }

  /** The oldest that is owed, because all have the same limit. */
  expired(message: Message): Ending {
    this.forget(message);
    const channel = this.#channel;
    this.#describe(message, channel, this.#messages);
    if (message.passedOver) return skipped;
    if (this.#state === 'open' && channel) {
      const ending: Ending = { outcome: 'timeout', code: 'MESSAGE_TIMEOUT' };
      message.phase = 'body';
      // It waited for an earlier stream, or others came: this one is not silent.
      if (this.#isYoung(Math.max(this.#openedMs, this.#lastCameMs)))
        return this.#shared.expect === 'push' && this.#lastCameMs > message.dueMs ? skipped : ending;
      this.#endLife('silent', 'SILENT');
      this.#lose('stream-cut', 'SILENT');
      this.#drop();
      this.#openLater(0);
      return ending;
    }
    if (this.#state === 'opening' && channel) {
      // It waited for an earlier stream: this one has hardly begun to open.
      if (this.#isYoung(this.#openingMs)) return { outcome: 'timeout', code: 'MESSAGE_TIMEOUT' };
      const { phase } = channel;
      const ending: Ending =
        phase === 'connect' || phase === 'tls'
          ? channel.wire.openingExpired()
          : { outcome: 'timeout', code: phase === 'headers' ? 'HEADERS_TIMEOUT' : 'RESPONSE_TIMEOUT' };
      this.#shared.counts.openFailures++;
      this.#drop();
      this.#again(ending);
      return ending;
    }
    return this.#lastFailure ?? { outcome: 'timeout', code: 'CONNECT_TIMEOUT' };
  }

  /** What was so short ago is not to blame for a message whose time is over. */
  #isYoung(sinceMs: number): boolean {
    const { owner } = this.#shared;
    return owner.now() - sinceMs < owner.plan.timeoutMs / 2;
  }

  forget(message: Message): void {
    if (this.#owed.peek() === message) {
      this.#owed.shift();
      return;
    }
    const kept = new Fifo<Message>();
    for (let one = this.#owed.shift(); one; one = this.#owed.shift()) if (one !== message) kept.push(one);
    this.#owed = kept;
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    if (this.#state === 'open') this.#endLife('held', 'END_OF_LOAD');
    if (this.#gone) this.#shared.tell({ ...this.#gone, backMs: null });
    this.#gone = undefined;
    this.#channel?.close();
    this.#channel = undefined;
    this.#state = 'closed';
  }

  // --- what the channel tells (ChannelUser) -------------------------------------------------------------------------

  opened(): void {
    const { owner, counts, expect } = this.#shared;
    this.#state = 'open';
    this.#failures = 0;
    this.#lastFailure = undefined;
    this.#openedMs = owner.now();
    this.#messages = 0;
    this.#early = 0;
    if (!this.#shared.resumes) this.#lastNumber = undefined;
    counts.streamsOpened++;
    if (this.#gone) this.#shared.tell({ ...this.#gone, backMs: this.#openedMs - this.#gone.endedMs });
    this.#gone = undefined;
    if (expect === 'push') return;
    const owed = this.#owed;
    if (expect === 'echo') {
      const again = new Fifo<Message>();
      for (let one = owed.shift(); one; one = owed.shift()) {
        this.#send(one);
        again.push(one);
      }
      this.#owed = again;
      return;
    }
    for (let one = owed.shift(); one; one = owed.shift()) {
      this.#describe(one, this.#channel, 0);
      this.#settle(one, 'ok', 'OPEN', true);
    }
  }

  message(number: number | undefined): void {
    if (this.#state !== 'open') return;
    this.#messages++;
    const { counts, owner, lateMs, expect, resumes } = this.#shared;
    if (expect === 'open') return;
    const before = this.#lastNumber;
    const again = number !== undefined && before !== undefined && number <= before;
    if (number !== undefined && !again) this.#lastNumber = number;
    let oldest: Message | undefined;
    if (expect === 'echo' && number !== undefined) oldest = this.#answeredBy(number);
    else if (!again) {
      if (number !== undefined && before !== undefined)
        this.#skip(number - before - 1, owner.now() - this.#lastCameMs);
      // Numbers that go on from the stream before say themselves what is missing.
      if (expect === 'push' && !(resumes && number !== undefined)) this.#leaveBehind();
      oldest = this.#owed.shift();
    }
    this.#lastCameMs = owner.now();
    if (again && !oldest) {
      counts.messagesRepeated++;
      return;
    }
    if (!oldest) {
      if (expect === 'push' && this.#early === 0) this.#early = 1;
      else counts.messagesUnexpected++;
      return;
    }
    this.#describe(oldest, this.#channel, this.#messages);
    const late = owner.now() - oldest.dueMs > lateMs;
    this.#settle(oldest, late ? 'message-late' : 'ok', late ? 'LATE' : 'MESSAGE', true);
  }

  ended(code: string, retryMs: number | undefined): void {
    const wasOpen = this.#state === 'open';
    if (!wasOpen) {
      this.#failedToOpen({ outcome: 'stream-ended', code });
      return;
    }
    this.#endLife('ended', code);
    // What the server sends by itself comes on the next stream; what we sent and it has not answered does not.
    if (this.#shared.expect === 'echo') this.#lose('stream-ended', code);
    this.#channel = undefined;
    this.#openLater(retryMs ?? 0);
  }

  broke(outcome: Outcome, code: string): void {
    if (this.#state !== 'open') {
      this.#failedToOpen({ outcome, code });
      return;
    }
    const channel = this.#channel as Channel;
    this.#endLife(outcome === 'stream-cut' ? 'cut' : 'protocol', code);
    if (!this.#lose(outcome, code)) this.#debt = { outcome, code, channel, messages: this.#messages };
    this.#channel = undefined;
    this.#openLater(0);
  }

  // --- opening ------------------------------------------------------------------------------------------------------

  #open(): void {
    this.#state = 'opening';
    this.#openingMs = this.#shared.owner.now();
    this.#channel = undefined;
    this.#channel = this.#shared.open(this.#index, this, this.#shared.resumes ? this.#lastNumber : undefined);
  }

  #openLater(ms: number): void {
    this.#state = 'waiting';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        if (!this.#over) this.#open();
      },
      Math.min(ms, 60_000),
    );
  }

  /** A stream that could not be opened: who waits for it ends with that. */
  #failedToOpen(ending: Ending): void {
    this.#shared.counts.openFailures++;
    this.#lose(ending.outcome, ending.code);
    this.#channel = undefined;
    this.#again(ending);
  }

  #again(ending: Ending): void {
    this.#lastFailure = ending;
    this.#openLater(Math.min(retryMostMs, retryFirstMs * 2 ** this.#failures++));
  }

  #drop(): void {
    const channel = this.#channel as (Channel & { drop?(): void }) | undefined;
    this.#channel = undefined;
    if (channel?.drop) channel.drop();
    else channel?.close();
  }

  // --- accounting ---------------------------------------------------------------------------------------------------

  #send(message: Message): void {
    message.sent = true;
    message.number = ++this.#sent;
    this.#describe(message, this.#channel, this.#messages);
    this.#channel?.send?.(message.number);
  }

  /** Echo: the message of that number. Those before it that are still owed have been passed over. */
  #answeredBy(number: number): Message | undefined {
    if (this.#owed.peek()?.number === number) return this.#owed.shift();
    let answered: Message | undefined;
    const kept = new Fifo<Message>();
    for (let one = this.#owed.shift(); one; one = this.#owed.shift()) {
      if (one.number === number) answered = one;
      else kept.push(one);
      if (one.sent && one.number < number) one.passedOver = true;
    }
    this.#owed = kept;
    return answered;
  }

  /**
   * Push: the server's numbers left so many out. Numbers that go up by more than one are not the server's fault, nor is
   * a count of others' messages: what is missing has been due, in the time since the message before.
   */
  #skip(numbers: number, sinceMs: number): void {
    const { intervalMs } = this.#shared;
    // Either may come a quarter of an interval late.
    const due = intervalMs === undefined ? this.#owed.length - 1 : Math.floor(sinceMs / intervalMs - 0.25);
    const missing = this.#consecutive ? Math.max(0, Math.min(numbers, due)) : 0;
    this.#consecutive = numbers === 0 || missing > 0;
    for (let left = missing; left > 0; left--) {
      const one = this.#owed.shift();
      if (!one) {
        // What was due has gone with a cut; the next one pays.
        this.#missing += left;
        return;
      }
      this.#describe(one, this.#channel, this.#messages);
      this.#settle(one, skipped.outcome, skipped.code, false);
    }
  }

  /**
   * Push: what was due before this stream opened is sent at once when it opens, if at all. A message at the usual pace is
   * not one of those: they are missing, and it is not late.
   */
  #leaveBehind(): void {
    const { owner, intervalMs, lateMs } = this.#shared;
    const now = owner.now();
    if (intervalMs === undefined || now - Math.max(this.#openedMs, this.#lastCameMs) < intervalMs / 2) return;
    const allowedMs = Math.max(lateMs, intervalMs * 1.25);
    for (let one = this.#owed.peek(); one; one = this.#owed.peek()) {
      if (one.dueMs >= this.#openedMs || now - one.dueMs <= allowedMs) return;
      this.#owed.shift();
      this.#describe(one, this.#channel, this.#messages);
      this.#settle(one, skipped.outcome, skipped.code, false);
    }
  }

  /** Everything that is owed ends so; false: nothing was. */
  #lose(outcome: Outcome, code: string): boolean {
    const owed = this.#owed;
    this.#owed = new Fifo();
    let lost = false;
    for (let one = owed.shift(); one; one = owed.shift()) {
      this.#describe(one, this.#channel, this.#messages);
      const ending = one.passedOver ? skipped : { outcome, code };
      this.#settle(one, ending.outcome, ending.code, false);
      lost ||= !one.passedOver;
    }
    return lost;
  }

  #settle(message: Message, outcome: Outcome, code: string, answered: boolean): void {
    this.#shared.owner.settle(message, outcome, code, answered);
  }

  /** What is known of the connection when a message begins or ends. */
  #describe(message: Message, channel: Channel | undefined, messages: number): void {
    if (!channel) return;
    const { wire } = channel;
    message.connection = wire.number;
    message.localPort = wire.localPort;
    message.openedMs = wire.openedMs;
    message.nth = messages + 1;
    message.phase = channel.phase;
    message.reused = messages > 0;
    message.bytes = 0;
    message.status = channel.status;
    message.pod = channel.pod;
    message.routedTo = wire.routedTo;
  }

  #endLife(end: StreamLife['end'], code: string): void {
    const { owner, counts } = this.#shared;
    const channel = this.#channel;
    switch (end) {
      case 'cut':
        counts.streamsCut++;
        break;
      case 'ended':
        counts.streamsEnded++;
        break;
      case 'silent':
        counts.streamsSilent++;
        break;
      case 'protocol':
        counts.streamsBroken++;
        break;
      case 'held':
        counts.streamsHeld++;
        break;
    }
    this.#gone = {
      stream: this.#index,
      openedMs: this.#openedMs,
      endedMs: owner.now(),
      end,
      code,
      ...(channel?.pod !== undefined && { pod: channel.pod }),
      messages: this.#messages,
    };
  }
}
