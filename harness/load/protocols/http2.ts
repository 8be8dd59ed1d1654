// HTTP/2: an attempt is a request on a stream of a connection that others share (lane `kept`), or on a connection of
// its own (`new`, `long`).
import type { EngineOwner, Identity, Slot, SlotEngine } from '../engine.ts';
import { outcomeOfStatus } from '../outcome.ts';
import type { H2Headers } from './h2/connection.ts';
import { encodeHeaders } from './h2/hpack.ts';
import { type AnswerReader, H2Pool, H2Slot, type Judged } from './h2/slot.ts';
import { Destination } from './wire.ts';

export class Http2Engine implements SlotEngine {
  readonly kind = 'slots';
  readonly places: number;
  readonly inTurn: boolean;
  readonly #owner: EngineOwner;
  readonly #pool: H2Pool;

  constructor(owner: EngineOwner) {
    const { plan } = owner;
    const to = new Destination(owner, ['h2']);
    this.#owner = owner;
    this.inTurn = plan.lane === 'kept';
    this.places = plan.connections * (this.inTurn ? (plan.streamsPerConnection ?? 1) : 1);
    const body = plan.body === undefined ? undefined : Buffer.from(plan.body);
    const block = encodeHeaders([
      [':method', plan.method.toUpperCase()],
      [':scheme', to.secure ? 'https' : 'http'],
      [':authority', authorityOf(plan.headers) ?? to.authority],
      [':path', to.path],
      ...ownHeaders(plan.headers),
      ...(body ? ([['content-length', String(body.length)]] as const) : []),
    ]);
    this.#pool = new H2Pool(owner, to, { block, body }, this.inTurn);
  }

  newSlot(index: number): Slot {
    const { expectStatus, connections } = this.#owner.plan;
    return new H2Slot(this.#owner, this.#pool, index % connections, new HttpReader(expectStatus));
  }

  fired(): void {}

  counters(): Readonly<Record<string, number>> {
    return this.#pool.counters();
  }

  identities(): readonly Identity[] {
    return [];
  }

  close(): void {
    this.#pool.close();
  }
}

class HttpReader implements AnswerReader {
  readonly #expected: readonly number[];
  #status = 0;

  constructor(expected: readonly number[]) {
    this.#expected = expected;
  }

  begin(): void {
    this.#status = 0;
  }
  headers({ status }: H2Headers): undefined {
    this.#status = status;
  }
  data(): undefined {}
  complete(): Judged {
    return {
      outcome: outcomeOfStatus(this.#status, this.#expected),
      code: String(this.#status),
      answered: true,
    };
  }
}

const authorityOf = (headers: Readonly<Record<string, string>>): string | undefined =>
  Object.entries(headers).find(([name]) => name.toLowerCase() === 'host')?.[1];

/** Names in lower case, without those that HTTP/2 does not have. */
export function ownHeaders(headers: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(headers)
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => !notHttp2.has(name));
}

const notHttp2: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'content-length',
]);
