// exec and logs over WebSocket. exec: the first byte of a frame is its channel; from v4 on the end is told as a Status,
// before only a failure is, as text. logs: frames are what the container wrote.
// Source: client-go/tools/remotecommand/websocket.go, apimachinery/pkg/util/{remotecommand,httpstream/wsstream}.
import type { IncomingMessage } from 'node:http';
import { type Duplex, PassThrough, Writable } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { badRequest, failure } from '../errors.ts';
import { StatusError } from '../types.ts';
import type { ServerContext } from './context.ts';
import { internalError } from './responses.ts';
import { type ExecSession, exitStatus, type LogSession, readSession } from './sessions.ts';

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 } as const;
const execProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];
const logProtocols = ['binary.k8s.io', 'base64.binary.k8s.io'];
const protocols = [...execProtocols, ...logProtocols];
const isBase64 = (socket: WebSocket): boolean => socket.protocol.startsWith('base64.');

export interface Sessions {
  /** Takes the connection over. Throws StatusError while it has not. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
}

export function webSocketSessions(context: ServerContext): Sessions {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 4 * 1024 * 1024,
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  return {
    upgrade(req, socket, head) {
      const session = readSession(context, req, { name: 'WebSocket', serves: ['exec', 'log'] as const });
      const offered = String(req.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/);
      const spoken = session.type === 'log' ? logProtocols : execProtocols;
      if (!spoken.some((protocol) => offered.includes(protocol))) {
        throw badRequest(`unable to upgrade: supported WebSocket subprotocols are ${spoken.join(', ')}`);
      }
      sockets.handleUpgrade(req, socket, head, (webSocket) => {
        webSocket.on('error', () => webSocket.terminate());
        const work =
          session.type === 'log'
            ? sendLog(context, session, webSocket)
            : runSession(context, session, webSocket);
        work.catch(() => webSocket.terminate());
      });
    },
    close() {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
    },
  };
}

async function sendLog(context: ServerContext, session: LogSession, socket: WebSocket): Promise<void> {
  const { namespace, pod, container, follow } = session;
  const ended = new AbortController();
  socket.on('close', () => ended.abort());
  const options = { follow, previous: false, timestamps: false };
  for await (const line of context.hooks.podLogs(namespace, pod, container, options, ended.signal)) {
    if (socket.readyState !== socket.OPEN) return;
    const data = Buffer.from(line);
    await new Promise<void>((resolve) =>
      socket.send(isBase64(socket) ? data.toString('base64') : data, () => resolve()),
    );
  }
  socket.close(1000);
}

async function runSession(context: ServerContext, session: ExecSession, socket: WebSocket): Promise<void> {
  const ended = new AbortController();
  const stdin = session.stdin ? new PassThrough() : undefined;
  socket.on('close', () => {
    ended.abort();
    stdin?.end();
  });
  socket.on('message', (data) => {
    const raw = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer);
    // With base64 the channel is a digit in front.
    const frame = isBase64(socket)
      ? Buffer.concat([Buffer.from([(raw[0] ?? 0) - ZERO]), Buffer.from(raw.toString('latin1', 1), 'base64')])
      : raw;
    if (frame[0] === channel.stdin) stdin?.write(frame.subarray(1));
    // v5: the client closes one of its channels.
    if (frame[0] === channel.close && frame[1] === channel.stdin) stdin?.end();
  });
  let status: { status?: string; message?: string };
  try {
    const exitCode = await context.hooks.podExec(
      session.namespace,
      session.pod,
      session.container,
      session.command,
      {
        stdin,
        stdout: channelStream(socket, channel.stdout),
        stderr: channelStream(socket, channel.stderr),
        signal: ended.signal,
      },
    );
    status = exitStatus(exitCode);
  } catch (error) {
    status = failure(error instanceof StatusError ? error : internalError(error));
  }
  if (socket.readyState !== socket.OPEN) return;
  const tellsStatus = /^v[45]\./.test(socket.protocol);
  const last = tellsStatus
    ? JSON.stringify(status)
    : status.status === 'Success'
      ? ''
      : (status.message ?? '');
  socket.send(framed(socket, channel.error, Buffer.from(last)));
  socket.close(1000);
}

function channelStream(socket: WebSocket, number: number): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (socket.readyState !== socket.OPEN) return done();
      socket.send(framed(socket, number, chunk), () => done());
    },
  });
}

const ZERO = '0'.charCodeAt(0);

const framed = (socket: WebSocket, number: number, data: Buffer): Buffer | string =>
  isBase64(socket) ? `${number}${data.toString('base64')}` : Buffer.concat([Buffer.from([number]), data]);
