// The Kubernetes API as the harness uses it: every request by one way, with a limit, a signal, credentials that are
// renewed, and one pool of kept-alive connections.
import { setMaxListeners } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import { KubeConfig } from '@kubernetes/client-node';
import { FaultError } from '../model/errors.ts';
import { type Answer, NoAnswerError, toApiError } from './api-error.ts';
import { credentialsOf, type Identity } from './credentials.ts';
import { createObjectClient, type ObjectClient } from './objects.ts';
import type { RequestOptions } from './request-options.ts';

export interface WatchOptions {
  readonly query?: RequestOptions['query'];
  readonly signal: AbortSignal;
}

export interface WatchLine<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

export interface Kube {
  /** As it was read, for what of client-node is used beside this. */
  readonly config: KubeConfig;
  readonly objects: ObjectClient;
  /**
   * A request to an API path; any status is an answer. Throws NoAnswerError when there is no answer at all, and the
   * signal's reason when it is aborted. A 401 renews the credentials and asks once more.
   */
  raw(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** The same, parsed; throws ApiError outside 200–299. */
  json<T>(method: string, path: string, options?: RequestOptions): Promise<T>;
  /**
   * One watch connection, a line at a time. Resolves when the server ends it; rejects with ApiError when it refuses, with
   * NoAnswerError when the connection breaks, with the signal's reason when it is aborted.
   */
  watch<T>(path: string, options: WatchOptions, line: (line: WatchLine<T>) => void): Promise<void>;
  /**
   * An answer that goes on, such as a log that is followed, a line at a time. Resolves and rejects as `watch` does.
   */
  lines(path: string, options: WatchOptions, line: (text: string) => void): Promise<void>;
  /** The same client, each of whose requests also ends with this signal. Closing it closes nothing. */
  during(signal: AbortSignal): Kube;
  close(): void;
}

const LIMIT_MS = 15_000;
const MOST_CONNECTIONS = 64;
/** Without this a watch over a dead connection would wait for ever. */
const KEEP_ALIVE_MS = 30_000;
/**
 * An API server that comes back forbids for some seconds what it allowed before: it answers before it has read the roles
 * again. Seen on v1.34.4, right after its process was killed.
 */
const READS_ROLES_MS = 15_000;

export async function connectKube(kubeconfig: string): Promise<Kube> {
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  const server = config.getCurrentCluster()?.server;
  if (!server) throw new FaultError('kubeconfig: it names no current cluster.');
  const connections = new Connections(new URL(server));
  const credentials = credentialsOf(kubeconfig);
  // What the kubeconfig names and is not there is said now, not with the first request.
  await credentials.current();

  /** `send` with credentials that hold. */
  async function authorized<T extends { readonly status: number }>(
    send: (identity: Identity) => Promise<T>,
  ): Promise<T> {
    const identity = await credentials.current();
    const answer = await send(identity);
    if (answer.status !== 401) return answer;
    const renewed = await credentials.renewed(identity);
    return renewed === identity ? answer : send(renewed);
  }

  const kubeDuring = (lifetime: AbortSignal | undefined, close: () => void): Kube => {
    const raw: Kube['raw'] = async (method, path, options = {}) => {
      const signal = both(lifetime, options.signal);
      // After the end nothing is sent any more.
      signal?.throwIfAborted();
      return authorized((identity) => connections.exchange(identity, method, path, { ...options, signal }));
    };
    const json = async <T>(method: string, path: string, options?: RequestOptions): Promise<T> => {
      const answer = await raw(method, path, options);
      if (answer.status < 200 || answer.status > 299) throw toApiError(answer);
      return JSON.parse(answer.text) as T;
    };
    const lines: Kube['lines'] = async (path, options, line) => {
      const answer = await authorized((identity) =>
        connections.follow(identity, path, { ...options, signal: both(lifetime, options.signal) }, line),
      );
      if (answer.status !== 200) throw toApiError(answer);
    };
    return {
      config,
      objects: createObjectClient(json),
      raw,
      json,
      lines,
      watch: <T>(path: string, { query, signal }: WatchOptions, line: (line: WatchLine<T>) => void) =>
        lines(path, { query: { ...query, watch: true }, signal }, (text) => {
          const read = readLine<T>(text);
          if (read) line(read);
        }),
      during: (signal) => kubeDuring(both(lifetime, signal), () => {}),
      close,
    };
  };
  return kubeDuring(undefined, () => connections.close());
}

function both(one: AbortSignal | undefined, other: AbortSignal): AbortSignal;
function both(one: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined;
function both(one: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined {
  if (!one || !other) return one ?? other;
  const either = AbortSignal.any([one, other]);
  // As many requests listen to it as are under way.
  setMaxListeners(0, either);
  return either;
}

/** Sends requests to one server; pools of connections for each TLS identity, of which there is one at a time. */
class Connections {
  readonly #base: URL;
  readonly #requests = new Map<Identity['tls'], http.Agent>();
  /** A watch holds its connection for minutes: however many there are, requests do not wait for them. */
  readonly #watches = new Map<Identity['tls'], http.Agent>();
  /** When the first request was made that nobody answered, after the last answer. */
  #silentSince: number | undefined;
  /** When a connection last broke or could not be made. */
  #brokeAt = Number.NEGATIVE_INFINITY;

  constructor(base: URL) {
    this.#base = base;
  }

  /** A request and its whole answer. */
  async exchange(identity: Identity, method: string, path: string, options: RequestOptions): Promise<Answer> {
    try {
      return await this.#exchange(identity, method, path, options);
    } catch (error) {
      // The server closed an idle connection just when it was used again: the request was not taken.
      if (!(error instanceof StaleConnection)) throw error;
      return this.#exchange(identity, method, path, options);
    }
  }

  #exchange(identity: Identity, method: string, path: string, options: RequestOptions): Promise<Answer> {
    const { signal, timeoutMs: limitMs = LIMIT_MS } = options;
    const askedAt = performance.now();
    return new Promise((resolve, reject) => {
      const request = this.#request(identity, this.#requests, method, path, options);
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${limitMs} ms`)), limitMs);
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(
          signal?.aborted
            ? signal.reason
            : isStale(request, error) && method === 'GET'
              ? new StaleConnection()
              : this.#noAnswer(method, path, error, askedAt),
        );
      };
      request.on('error', fail);
      request.on('response', (response) => {
        const status = response.statusCode ?? 0;
        if (status !== 403) this.#silentSince = undefined;
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(timer);
          const answer = { status, text: Buffer.concat(chunks).toString('utf8') };
          const early = this.#tooEarly(answer);
          if (early) return fail(early);
          this.#silentSince = undefined;
          resolve(answer);
        });
      });
      request.end(options.body === undefined ? undefined : JSON.stringify(options.body));
    });
  }

  /** An answer that goes on, to its end; status 200: it was one. */
  follow(
    identity: Identity,
    path: string,
    { query, signal }: WatchOptions,
    line: (text: string) => void,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = this.#request(identity, this.#watches, 'GET', path, { query, signal });
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${LIMIT_MS} ms`)), LIMIT_MS);
      const fail = (error: Error) => {
        clearTimeout(timer);
        // It was answered when it began: silent from now on.
        reject(
          signal.aborted
            ? signal.reason
            : this.#noAnswer(query?.watch ? 'WATCH' : 'GET', path, error, performance.now()),
        );
      };
      request.on('error', fail);
      request.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
      request.on('response', (response) => {
        response.on('error', fail);
        const status = response.statusCode ?? 0;
        if (status !== 200) {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            clearTimeout(timer);
            const answer = { status, text: Buffer.concat(chunks).toString('utf8') };
            const early = this.#tooEarly(answer);
            if (early) fail(early);
            else resolve(answer);
          });
          return;
        }
        clearTimeout(timer);
        const lines = createInterface({ input: response });
        // The reader passes on the errors of what it reads, which `fail` has taken already.
        lines.on('error', () => {});
        lines.on('line', (text) => {
          // What is read ahead of an abort is nobody's business any more.
          if (!signal.aborted) line(text);
        });
        lines.on('close', () => (response.complete ? resolve({ status, text: '' }) : undefined));
        response.on('close', () => {
          if (!response.complete) fail(new Error('the connection broke'));
        });
      });
      request.end();
    });
  }

  #request(
    identity: Identity,
    pools: Map<Identity['tls'], http.Agent>,
    method: string,
    path: string,
    { query = {}, body, contentType = 'application/json', signal }: RequestOptions,
  ): http.ClientRequest {
    const { origin, pathname, protocol } = this.#base;
    const url = new URL(origin + (pathname === '/' ? '' : pathname) + path);
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(key, String(value));
    }
    return (protocol === 'https:' ? https : http).request(url, {
      agent: identity.agent ?? this.#agentOf(identity.tls, pools),
      method,
      ...(signal && { signal }),
      headers: {
        ...identity.headers,
        accept: 'application/json',
        ...(body !== undefined && {
          'content-type': contentType,
          'content-length': Buffer.byteLength(JSON.stringify(body)),
        }),
      },
    });
  }

  #agentOf(tls: Identity['tls'], pools: Map<Identity['tls'], http.Agent>): http.Agent {
    const known = pools.get(tls);
    if (known) return known;
    const pool = pools === this.#watches ? {} : { keepAlive: true, maxSockets: MOST_CONNECTIONS };
    const agent =
      this.#base.protocol === 'https:' ? new https.Agent({ ...pool, ...tls }) : new http.Agent(pool);
    pools.set(tls, agent);
    return agent;
  }

  /** A refusal that counts as no answer yet: the server has just come back. */
  #tooEarly(answer: Answer): Error | undefined {
    if (answer.status !== 403 || performance.now() - this.#brokeAt > READS_ROLES_MS) return undefined;
    return new EarlyRefusal(`refused just after it came back: ${toApiError(answer).message}`);
  }

  #noAnswer(method: string, path: string, error: Error, askedAt: number): NoAnswerError {
    this.#silentSince ??= askedAt;
    if (!(error instanceof EarlyRefusal)) this.#brokeAt = performance.now();
    const silentMs = performance.now() - this.#silentSince;
    return new NoAnswerError(`${method} ${path}`, error.message, silentMs, { cause: error });
  }

  close(): void {
    for (const agent of [...this.#requests.values(), ...this.#watches.values()]) agent.destroy();
  }
}

class StaleConnection extends Error {}
class EarlyRefusal extends Error {}

const isStale = (request: http.ClientRequest, error: Error): boolean =>
  request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';

/** undefined: cut off by the end of the stream. */
function readLine<T>(text: string): WatchLine<T> | undefined {
  try {
    return JSON.parse(text) as WatchLine<T>;
  } catch {
    return undefined;
  }
}

/** Path of a pod's port by way of the API server's proxy. */
export const podProxyPath = (namespace: string, pod: string, port: number, path: string): string =>
  `/api/v1/namespaces/${namespace}/pods/${pod}:${port}/proxy${path}`;
