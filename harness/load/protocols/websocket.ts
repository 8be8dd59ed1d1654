// WebSocket (RFC 6455): a conversation that HTTP/1.1 begins. Lane `new`: an attempt opens one, sends a message, gets it
// back and closes in order. Lane `stream`: streams.ts.
import { createHash, randomBytes } from 'node:crypto';
import type { Outcome, Phase } from '../../model/load.ts';
import type { Ending, EngineOwner } from '../engine.ts';
import { outcomeOfStatus } from '../outcome.ts';
import { ResponseParser } from '../response-parser.ts';
import { type Channel, type ChannelUser, type Conversation, SingleEngine } from './single.ts';
import { cuts, hasHeader } from './sse.ts';
import { closeFrame, pongFrame, textFrame, WebSocketFrames } from './websocket-frames.ts';
import { Destination, phaseOn, Wire, type WireUser } from './wire.ts';

export class WebSocketEngine extends SingleEngine {
  constructor(owner: EngineOwner) {
    super(owner, new Destination(owner), openWebSocket(owner), () => new OneEcho());
  }
}

class OneEcho implements Conversation {
  opened(channel: Channel): void {
    channel.send?.(1);
  }
  message(): Ending {
    return { outcome: 'ok', code: 'ECHO' };
  }
  ended(code: string): Ending {
    return { outcome: 'stream-ended', code };
  }
}

export const openWebSocket =
  ({ plan, podHeader }: EngineOwner) =>
  (to: Destination, user: ChannelUser): Channel =>
    new WebSocketChannel(to, user, plan.headers, plan.message ?? '', podHeader);

const acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** A server that goes away, restarts or says that all is done closes in order; any other code is a cut. */
const inOrder: ReadonlySet<number> = new Set([1000, 1001, 1005, 1012, 1013]);

const pongsMost = 1000;

class WebSocketChannel implements Channel, WireUser {
  readonly wire: Wire;
  readonly #to: Destination;
  readonly #user: ChannelUser;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #text: string;
  readonly #parser: ResponseParser;
  readonly #frames: WebSocketFrames;
  readonly #key = randomBytes(16).toString('base64');
  #accept = '';
  #extensions = '';
  #subprotocol = '';
  #upgrade = '';
  #connection = '';
  /** Pongs that the server does not read yet, and the ping that came last meanwhile. */
  #pongsUnread = 0;
  #lastPing: Buffer | undefined;
  #open = false;
  #over = false;

  constructor(
    to: Destination,
    user: ChannelUser,
    headers: Readonly<Record<string, string>>,
    text: string,
    podHeader: string,
  ) {
    this.#to = to;
    this.#user = user;
    this.#headers = headers;
    this.#text = text;
    this.#parser = new ResponseParser(podHeader);
    this.#parser.reset(false);
    this.#parser.onHeader = (name, value) => {
      if (name === 'sec-websocket-accept') this.#accept = value;
      else if (name === 'sec-websocket-extensions') this.#extensions = value;
      else if (name === 'sec-websocket-protocol') this.#subprotocol = value;
      else if (name === 'upgrade') this.#upgrade = value;
      else if (name === 'connection') this.#connection += `,${value}`;
    };
    this.#frames = new WebSocketFrames({
      message: (start) => {
        if (!this.#over) user.message(numberOf(start));
      },
      ping: (data) => this.#pong(data),
      close: (code) => this.#closed(code),
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
    return phaseOn(this.wire, this.#open);
  }

  send(number: number): void {
    this.wire.write(textFrame(`${number} ${this.#text}`));
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#open) this.wire.end(closeFrame(1000));
    else this.wire.destroy();
  }

  opened(): void {
    const head = [
      `GET ${this.#to.path} HTTP/1.1`,
      ...(hasHeader(this.#headers, 'host') ? [] : [`Host: ${this.#to.authority}`]),
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${this.#key}`,
      'Sec-WebSocket-Version: 13',
      ...Object.entries(this.#headers).map(([name, value]) => `${name}: ${value}`),
      '',
      '',
    ];
    this.wire.write(Buffer.from(head.join('\r\n'), 'latin1'));
  }

  read(buffer: Buffer, length: number): void {
    let at = 0;
    if (!this.#open) {
      at = this.#parser.execute(buffer, 0, length);
      if (this.#parser.problem) this.#broke('protocol', this.#parser.problem);
      else if (this.#parser.inBody) this.#begin();
      if (!this.#open || this.#over) return;
    }
    const problem = this.#frames.read(buffer, at, length);
    if (problem && !this.#over) {
      this.wire.write(
        closeFrame(problem === 'INVALID_UTF8' ? 1007 : problem === 'MESSAGE_TOO_LARGE' ? 1009 : 1002),
      );
      this.#broke('protocol', problem);
    }
  }

  broke(outcome: Outcome, code: string): void {
    if (!this.#over) this.#broke(this.#open && cuts.has(outcome) ? 'stream-cut' : outcome, code);
  }

  #begin(): void {
    const { status } = this.#parser;
    const expected = createHash('sha1').update(`${this.#key}${acceptSuffix}`).digest('base64');
    if (status !== 101) {
      const outcome = outcomeOfStatus(status, []);
      this.#broke(outcome === 'ok' ? 'protocol' : outcome, outcome === 'ok' ? 'NO_UPGRADE' : String(status));
    } else if (
      this.#upgrade.toLowerCase() !== 'websocket' ||
      !/(^|,)\s*upgrade\s*(,|$)/i.test(this.#connection)
    )
      this.#broke('protocol', 'NO_UPGRADE');
    else if (this.#accept !== expected) this.#broke('protocol', 'BAD_ACCEPT');
    else if (this.#subprotocol !== '' && !hasHeader(this.#headers, 'sec-websocket-protocol'))
      this.#broke('protocol', 'UNASKED_SUBPROTOCOL');
    else if (this.#extensions !== '') this.#broke('protocol', 'UNASKED_EXTENSION');
    else {
      this.#open = true;
      this.#user.opened();
    }
  }

  /** Of pings that come faster than pongs are read only the last need be answered (section 5.5.3). */
  #pong(data: Buffer): void {
    if (this.#pongsUnread >= pongsMost) {
      this.#lastPing = data;
      return;
    }
    this.#pongsUnread++;
    this.wire.write(pongFrame(data), () => {
      this.#pongsUnread--;
      const last = this.#lastPing;
      this.#lastPing = undefined;
      if (last && !this.#over) this.#pong(last);
    });
  }

  #closed(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.wire.end(closeFrame(code === 1005 ? undefined : code));
    if (inOrder.has(code)) this.#user.ended(String(code), undefined);
    else this.#user.broke('stream-cut', String(code));
  }

  #broke(outcome: Outcome, code: string): void {
    this.#over = true;
    this.wire.destroy();
    this.#user.broke(outcome, code);
  }
}

/** "17 …", or a JSON object whose first member is a number, as our own target counts: {"n":17 …. */
function numberOf(start: string): number | undefined {
  const [, digits] = /^(?:\{"n":)?(\d{1,15})(?!\d)/.exec(start) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
