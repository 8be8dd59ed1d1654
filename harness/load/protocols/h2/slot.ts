// A place for one request at a time on HTTP/2: in lane `kept` on a connection that it shares with other places, else on
// one of its own. What an answer means, HTTP or gRPC, is the reader's.
import { type Outcome, type Phase, timeoutCodes } from '../../../model/load.ts';
import type { Attempt, Ending, EngineOwner, Slot } from '../../engine.ts';
import type { Destination } from '../wire.ts';
import { H2Connection, type H2Headers, type H2Owner, type H2Request, type H2User } from './connection.ts';

/** Reads one answer after the other. */
export interface AnswerReader {
  begin(): void;
  /** Undefined: go on. */
  headers(headers: H2Headers): Judged | undefined;
  data(buffer: Buffer, start: number, end: number): Judged | undefined;
  complete(trailers: H2Headers | undefined): Judged;
}
/** `answered`: it was a whole answer, whatever it says. */
export interface Judged extends Ending {
  readonly answered: boolean;
}

export class H2Pool implements H2Owner {
  readonly podHeader: string;
  readonly to: Destination;
  readonly request: H2Request;
  readonly shared: boolean;
  readonly #connections: (H2Connection | undefined)[] = [];
  readonly #all = new Set<H2Connection>();
  goaways = 0;
  goawaysHonoured = 0;

  constructor(owner: EngineOwner, to: Destination, request: H2Request, shared: boolean) {
    this.podHeader = owner.podHeader.toLowerCase();
    this.to = to;
    this.request = request;
    this.shared = shared;
  }

  /** `index`: below the number of connections. */
  connection(index: number): H2Connection {
    const known = this.shared ? this.#connections[index] : undefined;
    if (known?.usable) return known;
    const connection = new H2Connection(this.to, this);
    if (this.shared) this.#connections[index] = connection;
    this.#all.add(connection);
    return connection;
  }

  left(connection: H2Connection): void {
    this.#all.delete(connection);
    const index = this.#connections.indexOf(connection);
    if (index >= 0) this.#connections[index] = undefined;
  }

  goawayCame(): void {
    this.goaways++;
  }
  honoured(): void {
    this.goawaysHonoured++;
  }

  counters(): Readonly<Record<string, number>> {
    return {
      goaways: this.goaways,
      goawaysHonoured: this.goawaysHonoured,
      ...this.to.certificates.counters(),
    };
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }
}

export class H2Slot implements Slot, H2User {
  deadlineMs = 0;
  earlier: Attempt | undefined;
  later: Attempt | undefined;
  sequence = 0;
  dueMs = 0;
  startMs = 0;
  reused = false;
  bytes = 0;
  status = 0;
  nth = 0;
  pod: string | undefined = undefined;
  answeredBefore: string | undefined = undefined;
  readonly #owner: EngineOwner;
  readonly #pool: H2Pool;
  readonly #index: number;
  readonly #reader: AnswerReader;
  #connection: H2Connection | undefined;
  #phase: Phase = 'connect';
  /** What the connection had received when the attempt began: to tell a silent connection from a slow answer. */
  #receivedBefore = 0;

  constructor(owner: EngineOwner, pool: H2Pool, index: number, reader: AnswerReader) {
    this.#owner = owner;
    this.#pool = pool;
    this.#index = index;
    this.#reader = reader;
  }

  get phase(): Phase {
    const opening = this.#connection?.wire.phase;
    return this.#phase === 'connect' && opening && opening !== 'connect'
      ? opening === 'tls'
        ? 'tls'
        : 'first-byte'
      : this.#phase;
  }

  get connection(): number {
    return this.#connection?.wire.number ?? 0;
  }

  get routedTo(): string | undefined {
    return this.#connection?.wire.routedTo;
  }
  get localPort(): number | undefined {
    return this.#connection?.wire.localPort;
  }
  get openedMs(): number {
    return this.#connection?.wire.openedMs ?? this.startMs;
  }

  fire(sequence: number, dueMs: number, startMs: number): void {
    this.sequence = sequence;
    this.dueMs = dueMs;
    this.startMs = startMs;
    this.bytes = 0;
    this.status = 0;
    this.pod = undefined;
    this.#phase = 'connect';
    const connection = this.#pool.connection(this.#index);
    this.#connection = connection;
    this.answeredBefore = connection.answeredBefore;
    this.reused = connection.requests > 0;
    this.nth = connection.requests + 1;
    this.#receivedBefore = connection.wire.bytes;
    this.#reader.begin();
    connection.request(this.#pool.request, this);
  }

  expire(): Ending {
    const connection = this.#connection;
    const { phase } = this;
    const opening = connection && connection.wire.phase !== 'open';
    const ending: Ending =
      opening && connection.wire.resolving
        ? { outcome: 'dns', code: 'LOOKUP_TIMEOUT' }
        : { outcome: 'timeout', code: timeoutCodes[phase] };
    connection?.cancel(this);
    // Nothing at all came on it meanwhile: whoever waits for it waits in vain.
    if (connection && (!this.#pool.shared || connection.wire.bytes === this.#receivedBefore))
      connection.retire();
    return ending;
  }

  giveUp(): void {
    this.#connection?.cancel(this);
    if (!this.#pool.shared) this.#connection?.retire();
  }

  close(): void {}

  // --- what the connection tells (H2User) ---------------------------------------------------------------------------

  sent(): void {
    const connection = this.#connection as H2Connection;
    this.nth = connection.requests;
    this.reused = connection.requests > 1;
    this.#phase = 'first-byte';
  }

  received(bytes: number): void {
    this.bytes += bytes;
    if (this.#phase === 'first-byte') this.#phase = 'headers';
  }

  headers(headers: H2Headers): void {
    this.status = headers.status;
    this.pod = headers.pod;
    this.#phase = 'body';
    this.#judge(this.#reader.headers(headers));
  }

  data(buffer: Buffer, start: number, end: number): void {
    this.#judge(this.#reader.data(buffer, start, end));
  }

  complete(trailers: H2Headers | undefined): void {
    this.#end(this.#reader.complete(trailers));
  }

  failed(outcome: Outcome, code: string): void {
    // What came on the connection before our answer did was the server's to say about the connection.
    if (outcome === 'protocol' && this.#phase === 'first-byte') this.#phase = 'headers';
    this.#end({ outcome, code, answered: false });
  }

  #judge(judged: Judged | undefined): void {
    if (!judged) return;
    this.#connection?.cancel(this);
    this.#end(judged);
  }

  #end({ outcome, code, answered }: Judged): void {
    if (!this.#pool.shared) this.#connection?.retire();
    this.#owner.settle(this, outcome, code, answered);
  }
}
