// One run of a probe or of a lifecycle hook's action, with the words of the kubelet's probers (pkg/probe).
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Pod } from '../api/types.ts';

export type Container = NonNullable<Pod['spec']>['containers'][number];
export type Probe = NonNullable<Container['readinessProbe']>;
type HttpGet = NonNullable<Probe['httpGet']>;

export interface ProbeOutcome {
  readonly success: boolean;
  /** What the event Unhealthy says after "Readiness probe failed: ". */
  readonly output: string;
}

/** Where a pod's port can be reached: its own address and port, or a stand-in where pods have no own address. */
type Reach = (port: number) => { readonly host: string; readonly port: number };

interface ProbeTarget {
  readonly podIP: string;
  readonly container: Container;
  readonly reach: Reach;
}

const MOST_REDIRECTS = 10;
const MOST_BODY_BYTES = 10 * 1024;

/** Status 200 to 399 is success, and so is a redirect that leaves the host. */
export async function probeHttp(
  target: ProbeTarget,
  action: HttpGet,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const first = httpUrl(target, action);
  if (!first) return { success: false, output: unknownPort(target.container, action.port) };
  const signal = AbortSignal.timeout(timeoutMs);
  let url = first;
  for (let redirects = 0; ; redirects++) {
    try {
      const response = await get(target, url, action, signal);
      const status = response.statusCode ?? 0;
      const location = response.headers.location;
      if (status >= 300 && status < 400 && location) {
        const next = new URL(location, url);
        if (next.hostname !== url.hostname) return { success: true, output: `Probe terminated redirects` };
        if (redirects >= MOST_REDIRECTS) {
          return { success: false, output: `Get "${url}": stopped after ${MOST_REDIRECTS} redirects` };
        }
        url = next;
        continue;
      }
      if (status >= 200 && status < 400) return { success: true, output: '' };
      return { success: false, output: `HTTP probe failed with statuscode: ${status}` };
    } catch (error) {
      const where = `${target.podIP}:${url.port}`;
      return { success: false, output: `Get "${shown(url)}": ${goError(error, where, 'http')}` };
    }
  }
}

export function probeTcp(
  target: ProbeTarget,
  action: { readonly port: string | number; readonly host?: string },
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const port = portNumber(target.container, action.port);
  if (port === undefined) {
    return Promise.resolve({ success: false, output: unknownPort(target.container, action.port) });
  }
  const where = `${action.host ?? target.podIP}:${port}`;
  return new Promise((resolve) => {
    const socket = connect(action.host ? { host: action.host, port } : target.reach(port));
    const timer = setTimeout(
      () => end({ success: false, output: `dial tcp ${where}: i/o timeout` }),
      timeoutMs,
    );
    const end = (outcome: ProbeOutcome) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    socket.once('connect', () => end({ success: true, output: '' }));
    socket.once('error', (error) => end({ success: false, output: goError(error, where, 'tcp') }));
  });
}

/** An httpGet hook: any answer counts as success. Rejects with Go's words when there was none. */
export async function callHook(target: ProbeTarget, action: HttpGet, signal: AbortSignal): Promise<void> {
  const url = httpUrl(target, action);
  if (!url) throw new Error(unknownPort(target.container, action.port));
  const response = await get(target, url, action, signal);
  response.destroy();
}

function get(target: ProbeTarget, url: URL, action: HttpGet, signal: AbortSignal): Promise<IncomingMessage> {
  const headers: Record<string, string> = {
    'User-Agent': 'kube-probe/1.34',
    Accept: '*/*',
    Connection: 'close',
  };
  let host = `${url.hostname}:${url.port}`;
  for (const { name, value } of action.httpHeaders ?? []) {
    const lower = name.toLowerCase();
    if (lower === 'host') host = value;
    else if (lower === 'user-agent') headers['User-Agent'] = value;
    else if (lower === 'accept') headers.Accept = value;
    else headers[name] = value;
  }
  if (headers.Accept === '') delete headers.Accept;
  const place = action.host ? { host: url.hostname, port: Number(url.port) } : target.reach(Number(url.port));
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = request({
      ...place,
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: { ...headers, Host: host },
      agent: false,
      signal,
      ...(url.protocol === 'https:' && { rejectUnauthorized: false }),
    });
    let connected = false;
    sent.once('socket', (socket) => socket.once('connect', () => (connected = true)));
    sent.once('response', (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MOST_BODY_BYTES) response.destroy();
      });
      response.once('close', () => resolve(response));
      response.once('error', reject);
    });
    sent.once('error', (error) => {
      if (signal.aborted) reject(new TimedOut(connected));
      else reject(error);
    });
    sent.end();
  });
}

class TimedOut extends Error {
  readonly connected: boolean;
  constructor(connected: boolean) {
    super('timed out');
    this.connected = connected;
  }
}

function httpUrl(target: ProbeTarget, action: HttpGet): URL | undefined {
  const port = portNumber(target.container, action.port);
  if (port === undefined) return undefined;
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const path = action.path ?? '/';
  const url = new URL(
    `${scheme}://${action.host ?? target.podIP}:1${path.startsWith('/') ? path : `/${path}`}`,
  );
  url.port = String(port);
  // URL drops a scheme's default port; the text of the kubelet always has it.
  return url.port === '' ? Object.defineProperty(url, 'port', { value: String(port) }) : url;
}

const shown = (url: URL): string =>
  `${url.protocol}//${url.hostname}:${url.port}${url.pathname}${url.search}`;

/** A port by number or by the name that the container gives it. */
function portNumber(container: Container, port: string | number): number | undefined {
  if (typeof port === 'number') return port;
  if (/^\d+$/.test(port)) return Number(port);
  return container.ports?.find((candidate) => candidate.name === port)?.containerPort;
}

const unknownPort = (container: Container, port: string | number): string =>
  `couldn't find port: ${port} in container ${container.name}`;

/** The words of Go's net package for an error of Node's. */
function goError(error: unknown, where: string, protocol: 'http' | 'tcp'): string {
  if (error instanceof TimedOut) {
    return error.connected
      ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
      : `dial tcp ${where}: i/o timeout (Client.Timeout exceeded while awaiting headers)`;
  }
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ECONNREFUSED':
      return `dial tcp ${where}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${where}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${where}: connect: network is unreachable`;
    case 'ETIMEDOUT':
      return `dial tcp ${where}: connect: connection timed out`;
    case 'ECONNRESET':
      return message.includes('hang up') && protocol === 'http'
        ? 'EOF'
        : `read tcp ${where}: read: connection reset by peer`;
    default:
      return message;
  }
}
