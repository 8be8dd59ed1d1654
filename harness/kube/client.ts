// The Kubernetes API as the harness uses it: client-node's typed clients, plus raw requests (pod proxy, patches as
// kubectl sends them) over the same credentials and one kept-alive connection pool.
import http from 'node:http';
import https from 'node:https';
import {
  AppsV1Api,
  AutoscalingV2Api,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
} from '@kubernetes/client-node';
import { FaultError } from '../model/errors.ts';

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Default 15 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** An answer outside 200–299. `status` is the HTTP status, `message` the API server's own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

export interface Kube {
  readonly config: KubeConfig;
  readonly core: CoreV1Api;
  readonly apps: AppsV1Api;
  readonly autoscaling: AutoscalingV2Api;
  readonly objects: KubernetesObjectApi;
  /** A request to an API path; any status is an answer. Throws FaultError when there is no answer at all. */
  raw(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** The same, parsed; throws ApiError outside 200–299. */
  json<T>(method: string, path: string, options?: RequestOptions): Promise<T>;
  close(): void;
}

export async function connectKube(kubeconfig: string): Promise<Kube> {
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  const server = config.getCurrentCluster()?.server;
  if (!server) throw new FaultError('kubeconfig: it names no current cluster.');
  const base = new URL(server);
  const credentials: https.RequestOptions = {};
  await config.applyToHTTPSOptions(credentials);
  // client-node hands over an agent of its own that keeps nothing alive.
  delete credentials.agent;
  const secure = base.protocol === 'https:';
  const pool = { keepAlive: true, maxSockets: 64 };
  const agent = secure ? new https.Agent({ ...pool, ...tlsOptions(credentials) }) : new http.Agent(pool);

  const raw: Kube['raw'] = (method, path, options = {}) =>
    new Promise((resolve, reject) => {
      const url = new URL(base.origin + (base.pathname === '/' ? '' : base.pathname) + path);
      for (const [key, value] of Object.entries(options.query ?? {})) {
        if (value !== undefined) url.searchParams.set(key, String(value));
      }
      const body = options.body === undefined ? undefined : JSON.stringify(options.body);
      const limitMs = options.timeoutMs ?? 15_000;
      const request = (secure ? https : http).request(url, {
        ...credentials,
        agent,
        method,
        signal: options.signal,
        headers: {
          ...(credentials.headers as Record<string, string> | undefined),
          accept: 'application/json',
          ...(body === undefined
            ? {}
            : {
                'content-type': options.contentType ?? 'application/json',
                'content-length': Buffer.byteLength(body),
              }),
        },
      });
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${limitMs} ms`)), limitMs);
      const fail = (error: Error) => {
        clearTimeout(timer);
        if (options.signal?.aborted) reject(error);
        else reject(new FaultError(`API server: ${method} ${path}: ${error.message}.`, { cause: error }));
      };
      request.on('error', fail);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
        });
      });
      request.end(body);
    });

  return {
    config,
    core: config.makeApiClient(CoreV1Api),
    apps: config.makeApiClient(AppsV1Api),
    autoscaling: config.makeApiClient(AutoscalingV2Api),
    objects: KubernetesObjectApi.makeApiClient(config),
    raw,
    async json<T>(method: string, path: string, options?: RequestOptions): Promise<T> {
      const answer = await raw(method, path, options);
      if (answer.status < 200 || answer.status > 299) throw toApiError(answer);
      return JSON.parse(answer.text) as T;
    },
    close: () => agent.destroy(),
  };
}

export function toApiError(answer: Answer): ApiError {
  try {
    const status = JSON.parse(answer.text) as { reason?: string; message?: string };
    return new ApiError(answer.status, status.reason ?? '', status.message ?? answer.text);
  } catch {
    return new ApiError(answer.status, '', answer.text.trim().slice(0, 300) || `HTTP ${answer.status}`);
  }
}

/** The HTTP status of an error of the API, from our requests or client-node's; undefined for other errors. */
export function apiStatus(error: unknown): number | undefined {
  if (error instanceof ApiError) return error.status;
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}

/** The API server's own words, from our requests or client-node's. */
export function apiMessage(error: unknown): string {
  const body = (error as { body?: unknown } | null)?.body;
  if (typeof body === 'string') {
    try {
      return (JSON.parse(body) as { message?: string }).message ?? body;
    } catch {
      return body.trim() || String(error);
    }
  }
  if (body && typeof body === 'object' && 'message' in body) return String(body.message);
  return error instanceof Error ? error.message : String(error);
}

/** Path of a pod's port by way of the API server's proxy. */
export const podProxyPath = (namespace: string, pod: string, port: number, path: string): string =>
  `/api/v1/namespaces/${namespace}/pods/${pod}:${port}/proxy${path}`;

function tlsOptions(options: https.RequestOptions): https.AgentOptions {
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
  return Object.fromEntries(
    Object.entries({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}
