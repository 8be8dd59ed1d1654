// kubectl port-forward: for each connection that it takes on this machine a pair of streams with the same request number,
// one with the connection's bytes, one for what goes wrong.
// Source: kubelet/pkg/cri/streaming/portforward/httpstream.go.
import type { Duplex } from 'node:stream';
import type { ServerContext } from '../context.ts';
import type { ForwardSession } from '../sessions.ts';
import type { SpdyConnection, SpdyStream } from './connection.ts';

/** The second stream of a pair comes right after the first. */
const PAIR_LIMIT_MS = 30_000;

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
  readonly limit: NodeJS.Timeout;
}

export function forwardPorts(
  context: ServerContext,
  session: ForwardSession,
  connection: SpdyConnection,
): void {
  const pairs = new Map<string, Pair>();
  const drop = (request: string) => {
    const pair = pairs.get(request);
    pair?.error?.destroy();
    pair?.data?.destroy();
    pairs.delete(request);
  };
  const take = (stream: SpdyStream) => {
    const type = stream.headers.get('streamtype');
    const port = Number(stream.headers.get('port'));
    if ((type !== 'error' && type !== 'data') || !(port > 0 && port < 65_536)) return void stream.destroy();
    const request = stream.headers.get('requestid') ?? '';
    const pair = pairs.get(request) ?? { limit: setTimeout(() => drop(request), PAIR_LIMIT_MS) };
    pairs.set(request, pair);
    if (pair[type]) return void stream.destroy();
    pair[type] = stream;
    const { error, data } = pair;
    if (!error || !data) return;
    clearTimeout(pair.limit);
    pairs.delete(request);
    error.resume();
    void forward(context, session, port, data, error);
  };
  void connection.serve(take).then(() => {
    for (const { limit } of pairs.values()) clearTimeout(limit);
  });
}

async function forward(
  { hooks }: ServerContext,
  { namespace, pod }: ForwardSession,
  port: number,
  data: SpdyStream,
  error: SpdyStream,
): Promise<void> {
  let socket: Duplex;
  try {
    socket = await hooks.podConnect(namespace, pod, port);
  } catch (reason) {
    const words = reason instanceof Error ? reason.message : String(reason);
    error.end(`error forwarding port ${port} to pod ${namespace}/${pod}: ${words}`);
    data.end();
    data.resume();
    return;
  }
  socket.on('error', () => socket.destroy());
  // Each direction ends for itself; what breaks off takes the other with it.
  for (const [one, other] of [
    [socket, data],
    [data, socket],
  ] as const) {
    one.pipe(other);
    one.once('close', () => {
      if (!one.readableEnded) other.destroy();
    });
  }
  data.once('close', () => error.end());
}
