// What the API server asks the kubelets for: logs, commands in containers, requests to a pod's port, usage.
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ExecStreams, KubeletHooks, LogOptions } from '../api/hooks.ts';
import { StatusError } from '../api/types.ts';
import { LaunchError } from './container-process.ts';
import type { Kubelet } from './kubelet.ts';
import type { PodWorker } from './pod-worker.ts';
import type { Metrics } from './resource-usage.ts';

/** Headers that belong to one connection (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const EXEC_NOT_FOUND = 126;

export function kubeletHooks(kubelets: readonly Kubelet[], metrics: Metrics): KubeletHooks {
  const workerOf = (namespace: string, name: string): PodWorker => {
    const key = `${namespace}/${name}`;
    for (const kubelet of kubelets) {
      const found = kubelet.pods().find((worker) => worker.key === key);
      if (found) return found;
    }
    throw new StatusError(400, 'BadRequest', `pod ${name} does not have a host assigned`);
  };

  return {
    podLogs: (namespace, pod, container, options, signal) =>
      readLog(workerOf(namespace, pod), container, options, signal),

    podExec: (namespace, pod, container, command, streams) =>
      runInContainer(workerOf(namespace, pod), container, command, streams),

    podProxy(namespace, pod, port, path, req, res) {
      const worker = workerOf(namespace, pod);
      const wanted = port ?? worker.object.spec?.containers[0]?.ports?.[0]?.containerPort ?? 80;
      forward(worker, wanted, path, req, res);
    },

    podConnect: (namespace, pod, port) => connectTo(workerOf(namespace, pod).runtime.reach(port)),

    metrics: () => metrics.read(),
  };
}

async function* readLog(
  worker: PodWorker,
  container: string,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const log = worker.runtime.log(container, options.previous);
  const { name } = worker.object.metadata;
  if (!log) {
    if (options.previous) {
      const message = `previous terminated container "${container}" in pod "${name}" not found`;
      throw new StatusError(400, 'BadRequest', message);
    }
    const message = `container "${container}" in pod "${name}" is waiting to start: ${waitingReason(worker, container)}`;
    throw new StatusError(400, 'BadRequest', message);
  }
  const sinceMs = Math.max(
    options.sinceSeconds === undefined ? 0 : Date.now() - options.sinceSeconds * 1000,
    options.sinceTime === undefined ? 0 : Date.parse(options.sinceTime),
  );
  const first = options.tailLines === undefined ? 0 : Math.max(0, log.count - options.tailLines);
  let bytesLeft = options.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const { wallMs, text, open } of log.read(first, options.follow, signal)) {
    if (wallMs < sinceMs) continue;
    const line = `${options.timestamps ? `${new Date(wallMs).toISOString().replace('Z', '000000Z')} ` : ''}${text}${open ? '' : '\n'}`;
    const bytes = Buffer.byteLength(line);
    if (bytes > bytesLeft) {
      yield Buffer.from(line).subarray(0, bytesLeft).toString();
      return;
    }
    bytesLeft -= bytes;
    yield line;
  }
}

function waitingReason(worker: PodWorker, container: string): string {
  const status = worker.object.status?.containerStatuses?.find(({ name }) => name === container);
  const reason = status?.state?.waiting?.reason ?? 'ContainerCreating';
  return reason === 'ErrImagePull' || reason === 'ImagePullBackOff'
    ? 'trying and failing to pull image'
    : reason;
}

async function runInContainer(
  worker: PodWorker,
  container: string,
  command: readonly string[],
  streams: ExecStreams,
): Promise<number> {
  const process = worker.runtime.processOf(container);
  if (!process?.running) {
    throw new StatusError(500, 'InternalError', `container not found ("${container}")`);
  }
  try {
    const exec = await process.exec(worker.runtime.command(container, command), streams);
    const stop = () => exec.killAll();
    if (streams.signal.aborted) stop();
    streams.signal.addEventListener('abort', stop, { once: true });
    const exitCode = await exec.ended;
    streams.signal.removeEventListener('abort', stop);
    return exitCode;
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    streams.stderr.write(`${error.message}\n`);
    return EXEC_NOT_FOUND;
  }
}

function forward(
  worker: PodWorker,
  port: number,
  path: string,
  req: IncomingMessage,
  res: ServerResponse,
): void {
  const headers = Object.fromEntries(
    Object.entries(req.headers).filter(([name]) => !HOP_BY_HOP.has(name) && name !== 'host'),
  );
  const target = worker.runtime.reach(port);
  const onward = request({
    ...target,
    method: req.method ?? 'GET',
    path,
    headers: { ...headers, host: `${worker.runtime.podIP ?? target.host}:${port}` },
    agent: false,
  });
  onward.once('response', (answer) => {
    const kept = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name));
    res.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept) as Record<string, string>);
    answer.pipe(res);
    answer.once('error', () => res.destroy());
  });
  onward.once('error', async (error) => {
    const words = await wordsOf(error, target);
    if (res.headersSent) res.destroy();
    else {
      // The API server's own words when a pod cannot be reached through its proxy.
      const message = `error trying to reach service: ${words}`;
      res.writeHead(503, { 'content-type': 'application/json' });
      res.end(
        JSON.stringify({
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Failure',
          message,
          reason: 'ServiceUnavailable',
          code: 503,
        }),
      );
    }
  });
  res.once('close', () => onward.destroy());
  req.pipe(onward);
}

const CONNECT_LIMIT_MS = 10_000;

/** Half-closed as the other side closes it. */
function connectTo({ host, port }: Reached): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const limit = setTimeout(() => socket.destroy(new Error('i/o timeout')), CONNECT_LIMIT_MS);
    socket.once('error', reject);
    socket.once('close', () => clearTimeout(limit));
    socket.once('connect', () => {
      clearTimeout(limit);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

interface Reached {
  readonly host: string;
  readonly port: number;
}

const FIRST_BYTES = 12;
const HANDSHAKE_LIMIT_MS = 1000;

/**
 * Bytes that came and are no HTTP/1.1 are shown as the API server shows them. A server of TLS answers a plain request with
 * an alert; those of OpenSSL close without a byte, so they are asked whether they shake hands, and that is what is said.
 */
async function wordsOf(error: Error & { rawPacket?: Buffer }, target: Reached): Promise<string> {
  if (error.rawPacket) return malformed(error.rawPacket.subarray(0, FIRST_BYTES));
  const hungUp = (error as NodeJS.ErrnoException).code === 'ECONNRESET';
  return hungUp && (await shakesHands(target))
    ? 'it closed the connection on a plain HTTP request, and it completes a TLS handshake'
    : error.message;
}

const malformed = (bytes: Buffer): string =>
  `malformed HTTP response "${[...bytes].map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`)).join('')}"`;

const shakesHands = (target: Reached): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connectTls({ ...target, rejectUnauthorized: false });
    const done = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => done(false), HANDSHAKE_LIMIT_MS);
    socket.once('secureConnect', () => done(true));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
