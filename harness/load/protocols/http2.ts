// HTTP/2: an attempt is a request on a stream of a connection that others share (lane `kept`), or on a connection of
// its own (`new`, `long`).
import type { EngineOwner } from '../engine.ts';
import { outcomeOfStatus } from '../outcome.ts';
import type { H2Headers, H2Request } from './h2/connection.ts';
import { H2Engine } from './h2/engine.ts';
import { encodeHeaders } from './h2/hpack.ts';
import type { AnswerReader, Judged } from './h2/slot.ts';
import type { Destination } from './wire.ts';

export class Http2Engine extends H2Engine {
  constructor(owner: EngineOwner) {
    super(owner, httpRequest, (expected) => new HttpReader(expected));
  }
}

function httpRequest({ plan }: EngineOwner, to: Destination): H2Request {
  const body = plan.body === undefined ? undefined : Buffer.from(plan.body);
  const block = encodeHeaders([
    [':method', plan.method.toUpperCase()],
    [':scheme', to.secure ? 'https' : 'http'],
    [':authority', authorityOf(plan.headers) ?? to.authority],
    [':path', to.path],
    ...ownHeaders(plan.headers),
    ...(body ? ([['content-length', String(body.length)]] as const) : []),
  ]);
  return { block, body, head: plan.method.toUpperCase() === 'HEAD' };
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
