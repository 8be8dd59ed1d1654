// Server-sent events (HTML standard, section 9.2) on HTTP/1.1. Lane `long`: an attempt is a whole answer that streams,
// as tokens do. Lane `stream`: streams.ts.
import type { Outcome, Phase } from '../../model/load.ts';
import type { Ending, EngineOwner } from '../engine.ts';
import { outcomeOfStatus } from '../outcome.ts';
import { ResponseParser } from '../response-parser.ts';
import { EventParser } from './event-parser.ts';
import { type Channel, type ChannelUser, type Conversation, SingleEngine } from './single.ts';
import { Destination, phaseOn, Wire, type WireUser } from './wire.ts';

/** What our own target calls the last event of a stream that it ends before it is whole. */
const endedEarly = 'end';

export class EventStreamEngine extends SingleEngine {
  constructor(owner: EngineOwner) {
    super(owner, new Destination(owner), openEventStream(owner), () => new WholeStream());
  }
}

/** Whole: it ended as HTTP says that it ends, after an event, and not with our target's word that it is cut short. */
class WholeStream implements Conversation {
  #messages = 0;

  opened(): void {
    this.#messages = 0;
  }
  message(): undefined {
    this.#messages++;
  }
  ended(code: string): Ending {
    if (code === endedEarly) return { outcome: 'stream-ended', code: 'ENDED_EARLY' };
    return this.#messages > 0 ? { outcome: 'ok', code } : { outcome: 'protocol', code: 'NO_EVENT' };
  }
}

export const openEventStream =
  ({ plan, podHeader }: EngineOwner) =>
  (to: Destination, user: ChannelUser, lastNumber?: number): Channel => {
    const head = [
      `${plan.method.toUpperCase()} ${to.path} HTTP/1.1`,
      ...(hasHeader(plan.headers, 'host') ? [] : [`Host: ${to.authority}`]),
      'Accept: text/event-stream',
      'Cache-Control: no-cache',
      ...(lastNumber === undefined ? [] : [`Last-Event-ID: ${lastNumber}`]),
      ...Object.entries(plan.headers).map(([name, value]) => `${name}: ${value}`),
      ...(plan.body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(plan.body)}`]),
      '',
      plan.body ?? '',
    ].join('\r\n');
    return new EventStream(to, user, Buffer.from(head), podHeader, plan.expectStatus);
  };

export const hasHeader = (headers: Readonly<Record<string, string>>, wanted: string): boolean =>
  Object.keys(headers).some((name) => name.toLowerCase() === wanted);

class EventStream implements Channel, WireUser {
  readonly wire: Wire;
  readonly #user: ChannelUser;
  readonly #request: Buffer;
  readonly #parser: ResponseParser;
  readonly #events: EventParser;
  readonly #expected: readonly number[];
  #contentType = '';
  #open = false;
  #over = false;

  constructor(
    to: Destination,
    user: ChannelUser,
    request: Buffer,
    podHeader: string,
    expected: readonly number[],
  ) {
    this.#user = user;
    this.#request = request;
    this.#expected = expected;
    this.#parser = new ResponseParser(podHeader);
    this.#parser.reset(false);
    this.#parser.onHeader = (name, value) => {
      if (name === 'content-type') this.#contentType = value;
    };
    this.#parser.onBody = (buffer, start, end) => this.#body(buffer, start, end);
    this.#events = new EventParser(() => {
      if (!this.#over && this.#events.type !== endedEarly) user.message(this.#events.number);
    });
    this.wire = new Wire(to, this);
  }

  get bytes(): number {
    return this.wire.bytes;
  }
  get status(): number {
    return this.#parser.status;
  }
  get pod(): string | undefined {
    return this.#parser.pod;
  }
  get phase(): Phase {
    return phaseOn(this.wire, this.#parser.inBody);
  }

  close(): void {
    this.#over = true;
    this.wire.destroy();
  }

  opened(): void {
    this.wire.write(this.#request);
  }

  read(buffer: Buffer, length: number): void {
    const parser = this.#parser;
    parser.execute(buffer, 0, length);
    if (this.#over) return;
    // It has opened whatever came behind the head in the same packet.
    if (parser.inBody && !this.#begin()) return;
    if (parser.problem) this.#broke('protocol', parser.problem);
    else if (this.#events.tooLong) this.#broke('protocol', 'EVENT_TOO_LARGE');
    else if (parser.done) this.#ended('END');
  }

  broke(outcome: Outcome, code: string): void {
    if (this.#over) return;
    // A body without a length ends with the connection: nobody can tell whether it was whole.
    if (outcome === 'closed' && code === 'FIN' && this.#open && this.#parser.endsWithFin) this.#ended('FIN');
    else this.#broke(this.#open && cuts.has(outcome) ? 'stream-cut' : outcome, code);
  }

  #body(buffer: Buffer, start: number, end: number): void {
    if (this.#begin() && !this.#over) this.#events.read(buffer, start, end);
  }

  /** The head is there: false when it is no event stream. */
  #begin(): boolean {
    if (this.#open || this.#over) return this.#open;
    const { status } = this.#parser;
    const outcome = outcomeOfStatus(status, this.#expected);
    if (outcome !== 'ok') this.#broke(outcome, String(status));
    else if (!/^text\/event-stream\b/i.test(this.#contentType)) this.#broke('protocol', 'NOT_EVENT_STREAM');
    else {
      this.#open = true;
      this.#user.opened();
      return true;
    }
    return false;
  }

  #ended(code: string): void {
    this.close();
    const early = this.#events.type === endedEarly;
    this.#user.ended(early ? endedEarly : code, this.#events.retryMs);
  }

  #broke(outcome: Outcome, code: string): void {
    this.close();
    this.#user.broke(outcome, code);
  }
}

/** How a connection ends that had carried a stream. */
export const cuts: ReadonlySet<Outcome> = new Set(['closed', 'reset', 'timeout', 'unreachable']);
