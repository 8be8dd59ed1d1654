// autocannon 9.0.0 as the thing that fires: it checks the options, builds the request, owns the clients and keeps its
// own totals, which the meter must agree with at the end. Its `setupClient` hook gives us each client before it opens a
// socket; we replace how a client connects, counts an answer and is destroyed, because its own ways miscount
// (docs/load.md). That rests on private members, so the version is pinned and a start-up check fails when they change.
import type { EventEmitter } from 'node:events';
import { METHODS } from 'node:http';
import autocannon from 'autocannon';
import { FaultError, UsageError } from '../model/errors.ts';
import type { StreamEnd, StreamPlan } from '../model/load.ts';
import type { Identity } from './engine.ts';

/** Members of autocannon's Client (lib/httpClient.js) that the meter uses. */
interface Client extends EventEmitter {
  opts: { pipelining: number; hostname: string; port: number | string; servername?: string };
  rate: number | undefined;
  secure: boolean;
  reqsMade: number;
  destroyed: boolean;
  timeoutTicker: { clear(): void };
  parser: object;
  pipelinedRequests: { insertRequest(): void; clear(): void };
  requestIterator: { nextRequest(): unknown; currentRequest: unknown };
  getRequestBuffer(): Buffer;
  _connect(): void;
  _doRequest(): void;
  destroy(): void;
}

/** autocannon's own totals, by the names of its result. */
interface AutocannonTotals {
  readonly errors: number;
  readonly timeouts: number;
  readonly sent: number;
  readonly classes: readonly [number, number, number, number, number];
}

/** autocannon ends at our word; its own limits must never be met before. Seconds, below 2^31 ms. */
const NEVER_SECONDS = 2_000_000;
/** Between two samples, which nobody reads; its run ends at one. A load that may last for hours need not end so soon. */
const sampleMs = ({ maxDurationMs }: StreamPlan): number => (maxDurationMs > 3_600_000 ? 1000 : 100);

export class AutocannonClients {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly servername: string | undefined;
  /** The request as autocannon built it, with the Connection header that the lane asks for. */
  readonly request: Buffer;
  readonly #clients: Client[] = [];
  readonly #run: ReturnType<typeof autocannon>;
  #unused: number;

  /** Throws a sentence when autocannon refuses the plan or is not the version that this was written for. */
  constructor(plan: StreamPlan, count: number) {
    if (!METHODS.includes(plan.method)) {
      throw new UsageError(
        `load: "${plan.method}" is not an HTTP method. Use GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS ...`,
      );
    }
    this.#unused = count;
    try {
      this.#run = autocannon({
        url: plan.url,
        method: plan.method as NonNullable<autocannon.Options['method']>,
        headers: plan.headers,
        ...(plan.body !== undefined && { body: plan.body }),
        connections: count,
        pipelining: 1,
        duration: NEVER_SECONDS,
        timeout: NEVER_SECONDS,
        sampleInt: sampleMs(plan),
        setupClient: (client) => this.#takeOver(client as unknown as Client),
      } as autocannon.Options);
    } catch (error) {
      throw error instanceof FaultError ? error : refused(plan, error);
    }
    // A refusal arrives later than we need it, so that we see only that no client was made.
    this.#run.then(undefined, () => undefined);
    const first = this.#clients[0];
    if (!first) throw refused(plan, 'it opened no client');
    this.host = first.opts.hostname;
    // autocannon takes port 80 with TLS for 443.
    this.port = Number(new URL(plan.url).port || first.opts.port);
    this.secure = first.secure;
    this.servername = first.opts.servername;
    this.request = withConnectionHeader(first.getRequestBuffer(), plan);
  }

  fired(index: number): void {
    const client = this.#clients[index] as Client;
    // autocannon counts one request of each client before it was made.
    if (client.reqsMade++ > 0) client.emit('request');
    else this.#unused--;
  }

  answered(index: number, status: number, bytes: number, durationMs: number): void {
    (this.#clients[index] as Client).emit('response', status, bytes, durationMs, undefined);
  }

  failed(index: number, error: Error): void {
    (this.#clients[index] as Client).emit('connError', error);
  }

  timedOut(index: number): void {
    (this.#clients[index] as Client).emit('timeout');
  }

  /** Ends autocannon's run, which takes it up to one sample interval. */
  async totals(): Promise<AutocannonTotals> {
    (this.#run as unknown as { stop(): void }).stop();
    const result = (await this.#run) as autocannon.Result & { requests: { sent: number } };
    const { errors, timeouts } = result;
    return {
      errors,
      timeouts,
      sent: result.requests.sent - this.#unused,
      classes: [result['1xx'], result['2xx'], result['3xx'], result['4xx'], result['5xx']],
    };
  }

  #takeOver(client: Client): void {
    client._connect = () => {
      assertKnown(client);
      client.timeoutTicker.clear();
      this.#clients.push(client);
    };
    client._doRequest = () => undefined;
    client.destroy = () => {
      if (client.destroyed) return;
      client.destroyed = true;
      client.timeoutTicker.clear();
      client.emit('done');
    };
  }
}

/** `answered`: attempts that ended with a whole response; `classes`: answers by class of status, 1xx first. */
export function autocannonIdentities(
  totals: AutocannonTotals,
  { end, answered, classes }: { end: StreamEnd; answered: number; classes: readonly number[] },
): Identity[] {
  const unanswered = end.attempts - end.inFlight - answered - (end.outcomes.aborted ?? 0);
  return [
    ['autocannon: sent = attempts', totals.sent, end.attempts],
    ['autocannon: timeouts = timeout', totals.timeouts, end.outcomes.timeout ?? 0],
    ['autocannon: errors = failures without an answer', totals.errors, unanswered],
    ...classes.map(
      (ours, index): Identity => [`autocannon: ${index + 1}xx = ours`, totals.classes[index] ?? 0, ours],
    ),
  ];
}

function assertKnown(client: Client): void {
  const known: Record<string, boolean> = {
    'opts.pipelining = 1': client.opts?.pipelining === 1,
    'opts.hostname': typeof client.opts?.hostname === 'string',
    'no rate': !client.rate,
    secure: typeof client.secure === 'boolean',
    'reqsMade = 0': client.reqsMade === 0,
    'destroyed = false': client.destroyed === false,
    timeoutTicker: typeof client.timeoutTicker?.clear === 'function',
    parser: typeof client.parser === 'object',
    pipelinedRequests: typeof client.pipelinedRequests?.clear === 'function',
    requestIterator: typeof client.requestIterator?.nextRequest === 'function',
    getRequestBuffer: Buffer.isBuffer(client.getRequestBuffer?.()),
    events: ['response', 'connError', 'timeout', 'request', 'done'].every((name) => typeof name === 'string'),
  };
  const changed = Object.keys(known).filter((name) => !known[name]);
  if (changed.length > 0) {
    throw new FaultError(
      `load: autocannon is not the version that the meter was written for (9.0.0): ${changed.join(', ')} of its client changed. Run "npm ci".`,
    );
  }
}

function refused(plan: StreamPlan, error: unknown): UsageError {
  const why = error instanceof Error ? error.message : String(error);
  return new UsageError(`load: autocannon refuses the plan for ${plan.url}: ${why}.`);
}

/**
 * Lane `kept` asks to keep the connection, the others ask the server to close it: then the server closes first and
 * keeps the TIME_WAIT, and this machine does not run out of ports. A Connection header of the plan's own wins.
 */
function withConnectionHeader(request: Buffer, plan: StreamPlan): Buffer {
  const built = '\r\nConnection: keep-alive\r\n';
  const headEnd = request.indexOf('\r\n\r\n') + 4;
  const head = request.toString('latin1', 0, headEnd);
  const own = Object.keys(plan.headers).some((name) => name.toLowerCase() === 'connection');
  const wanted = own ? '\r\n' : plan.lane === 'kept' ? built : '\r\nConnection: close\r\n';
  return Buffer.concat([Buffer.from(head.replace(built, wanted), 'latin1'), request.subarray(headEnd)]);
}
