// What a pod speaks that does not answer HTTP/1.1: decided by its own first bytes, or by what the API server's proxy saw.
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Kube, podProxyPath } from '../kube/client.ts';

export type Spoken = 'tls' | 'http2';

interface Asked {
  readonly name: string;
  readonly ip: string;
}

const LOOK_LIMIT_MS = 3000;

/** Undefined: neither, as far as can be seen. */
export async function spokenBy(
  kube: Kube,
  namespace: string,
  pod: Asked,
  port: number,
  signal: AbortSignal,
): Promise<Spoken | undefined> {
  // Pods of the embedded cluster are processes on loopback.
  if (pod.ip.startsWith('127.')) {
    if (await handshakes(pod.ip, port, signal)) return 'tls';
    return (await answersPreface(pod.ip, port, signal)) ? 'http2' : undefined;
  }
  const answer = await kube
    .raw('GET', podProxyPath(namespace, `https:${pod.name}`, port, '/'), { signal, timeoutMs: LOOK_LIMIT_MS })
    .catch(() => undefined);
  // The API server's own answers say nothing about the pod.
  return answer && !/"kind":\s*"Status"/.test(answer.text) ? 'tls' : undefined;
}

/**
 * What an answer, or the words about one that could not be read, give away: a server of TLS that answers a plain request
 * with an alert (0x15 0x03) or with 400, one of HTTP/2 that begins with its SETTINGS frame (type 4).
 */
export function spokenIn({
  status,
  text,
}: {
  readonly status: number;
  readonly text: string;
}): Spoken | undefined {
  if (
    status === 400 &&
    /HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port|combination of host and port requires TLS/i.test(
      text,
    )
  )
    return 'tls';
  if (/malformed HTTP response \\*"\\+x15\\+x03|completes a TLS handshake/.test(text)) return 'tls';
  if (/malformed HTTP response \\*"\\+x00\\+x00.{1,6}\\+x04/.test(text)) return 'http2';
  return undefined;
}

export const spokenWords: Readonly<Record<Spoken, string>> = {
  tls: 'speaks TLS, and no lane of the load does. Say so in rollproof.yaml, as load: {lanes: [{lane: new, tls: {insecure: true}}]}, with ca in place of insecure to have its certificate verified',
  http2:
    'speaks HTTP/2 without TLS (h2c, as gRPC does) and no HTTP/1.1, and no lane of the load does. Say so in rollproof.yaml, as load: {lanes: [{lane: kept, protocol: grpc}]}, or protocol: http2',
};

function handshakes(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return looked(signal, (done) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1', 'h2'] });
    socket.once('secureConnect', () => done(true));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
    return socket;
  });
}

/** RFC 9113 §3.4: the client's preface with empty SETTINGS; the server's first frame is its own. */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const FRAME_TYPE_AT = 3;
const SETTINGS = 4;

function answersPreface(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return looked(signal, (done) => {
    const socket = connect({ host, port }, () => socket.write(preface));
    let got = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes]);
      if (got.length > FRAME_TYPE_AT) done(got[FRAME_TYPE_AT] === SETTINGS && got[0] === 0);
    });
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
    return socket;
  });
}

function looked(
  signal: AbortSignal,
  act: (done: (answer: boolean) => void) => { destroy(): unknown },
): Promise<boolean> {
  return new Promise((resolve) => {
    let socket: { destroy(): unknown } | undefined;
    const done = (answer: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      socket?.destroy();
      resolve(answer);
    };
    const stop = () => done(false);
    const timer = setTimeout(stop, LOOK_LIMIT_MS);
    signal.addEventListener('abort', stop, { once: true });
    socket = act(done);
  });
}
