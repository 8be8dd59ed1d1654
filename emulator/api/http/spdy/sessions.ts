// exec and portforward over SPDY/3.1, as kubectl and client-go before 1.31 do them, and later ones when a WebSocket is
// refused. A stream says in its headers what it is.
// Source: client-go/tools/{remotecommand,portforward}, kubelet/pkg/cri/streaming/{remotecommand,portforward}.
import type { IncomingMessage } from 'node:http';
import type { Duplex, Writable } from 'node:stream';
import { PassThrough } from 'node:stream';
import { failure } from '../../errors.ts';
import { StatusError } from '../../types.ts';
import type { ServerContext } from '../context.ts';
import { internalError } from '../responses.ts';
import { type ExecSession, exitStatus, readSession } from '../sessions.ts';
import type { Sessions } from '../websocket-sessions.ts';
import { SpdyConnection, type SpdyStream } from './connection.ts';
import { forwardPorts } from './port-forward.ts';

const execProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];
const forwardProtocols = ['portforward.k8s.io'];
/** A client opens the streams that it announced right away. */
const STREAMS_LIMIT_MS = 30_000;

export function spdySessions(context: ServerContext): Sessions {
  const sockets = new Set<Duplex>();
  return {
    upgrade(req, socket, head) {
      const session = readSession(context, req, { name: 'SPDY', serves: ['exec', 'portforward'] as const });
      const protocol = negotiate(req, session.type === 'exec' ? execProtocols : forwardProtocols);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
      );
      if (head.length > 0) socket.unshift(head);
      const connection = new SpdyConnection(socket);
      if (session.type === 'exec') runSession(context, session, protocol, connection, socket);
      else forwardPorts(context, session, connection);
    },
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The first that the client offers and the server speaks. */
function negotiate({ headers }: IncomingMessage, spoken: readonly string[]): string {
  const offered = String(headers['x-stream-protocol-version'] ?? '').split(/\s*,\s*/);
  const found = offered.find((protocol) => spoken.includes(protocol));
  if (found) return found;
  const words = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${spoken.join(' ')}]`;
  throw new StatusError(403, 'Forbidden', words);
}

function runSession(
  context: ServerContext,
  session: ExecSession,
  protocol: string,
  connection: SpdyConnection,
  socket: Duplex,
): void {
  const ended = new AbortController();
  socket.once('close', () => ended.abort());
  const { stdin, stdout, stderr } = session;
  const missing = new Set([
    'error',
    ...Object.entries({ stdin, stdout, stderr }).flatMap(([name, is]) => (is ? [name] : [])),
  ]);
  const streams = new Map<string, SpdyStream>();
  const limit = setTimeout(() => connection.end(), STREAMS_LIMIT_MS);
  socket.once('close', () => clearTimeout(limit));
  connection.serve((stream) => {
    const type = stream.headers.get('streamtype') ?? '';
    // A terminal's sizes come on a stream of their own, and there is no terminal.
    if (type !== 'stdin') stream.resume();
    if (!missing.delete(type)) return;
    streams.set(type, stream);
    if (missing.size > 0) return;
    clearTimeout(limit);
    void execute(context, session, protocol, streams, ended.signal).then(() => connection.end());
  });
}

/** Runs the command and says how it ended; each stream that the client reads is at its end then. */
async function execute(
  { hooks }: ServerContext,
  { namespace, pod, container, command }: ExecSession,
  protocol: string,
  streams: ReadonlyMap<string, SpdyStream>,
  signal: AbortSignal,
): Promise<void> {
  const outputs = ['stdout', 'stderr'].map(
    (name): Writable => streams.get(name) ?? new PassThrough().resume(),
  );
  const [stdout, stderr] = outputs as [Writable, Writable];
  const stdin = streams.get('stdin');
  let status: { status?: string; message?: string };
  try {
    status = exitStatus(
      await hooks.podExec(namespace, pod, container, command, { stdin, stdout, stderr, signal }),
    );
  } catch (error) {
    status = failure(error instanceof StatusError ? error : internalError(error));
  }
  stdin?.resume();
  const asText = status.status === 'Success' ? '' : (status.message ?? '');
  streams.get('error')?.write(protocol.startsWith('v4.') ? JSON.stringify(status) : asText);
  await Promise.all([...streams.values()].map(finish));
}

/** Resolves when the stream is closed in our direction, or gone. */
function finish(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    if (stream.destroyed) resolve();
    else stream.end(resolve);
  });
}
