// exec and logs over WebSocket. exec: the first byte of a frame is its channel; from v4 on the end is told as a Status,
// before only a failure is, as text. logs: frames are what the container wrote.
// Source: client-go/tools/remotecommand/websocket.go, apimachinery/pkg/util/{remotecommand,httpstream/wsstream}.
import type { IncomingMessage } from 'node:http';
import { type Duplex, PassThrough, Writable } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { admitRequest } from '../auth/admission.ts';
import { badRequest, failure, notFound } from '../errors.ts';
import { definitionOf } from '../resources.ts';
import { StatusError } from '../types.ts';
import type { ServerContext } from './context.ts';
import { isTrue, parseResourcePath } from './request.ts';
import { internalError } from './responses.ts';

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 } as const;
const execProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];
const logProtocols = ['binary.k8s.io', 'base64.binary.k8s.io'];
const protocols = [...execProtocols, ...logProtocols];
const isBase64 = (socket: WebSocket): boolean => socket.protocol.startsWith('base64.');

interface ExecServer {
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
}

export function createExecServer(context: ServerContext): ExecServer {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 4 * 1024 * 1024,
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  return {
    upgrade(req, socket, head) {
      socket.on('error', () => socket.destroy());
      try {
        admitRequest(context.access, req);
        const session = checkSession(context, req);
        sockets.handleUpgrade(req, socket, head, (webSocket) => {
          webSocket.on('error', () => webSocket.terminate());
          const work =
            'follow' in session
              ? sendLog(context, session, webSocket)
              : runSession(context, session, webSocket);
          work.catch(() => webSocket.terminate());
        });
      } catch (error) {
        refuse(socket, error instanceof StatusError ? error : internalError(error));
      }
    },
    close() {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
    },
  };
}

interface LogSession {
  namespace: string;
  pod: string;
  container: string;
  follow: boolean;
}

interface Session {
  namespace: string;
  pod: string;
  container: string;
  command: string[];
  stdin: boolean;
}

function checkSession(context: ServerContext, req: IncomingMessage): Session | LogSession {
  const url = new URL(req.url ?? '/', 'http://localhost');
  const {
    namespace = '',
    name = '',
    subresource,
    served,
  } = parseResourcePath(url.pathname, url.searchParams);
  const isLog = subresource === 'log';
  if (served.resource !== 'pods' || !(isLog || subresource === 'exec')) {
    const what = subresource ?? url.pathname;
    throw badRequest(`the emulated cluster has no ${what} over WebSocket (exec and log only)`);
  }
  const offered = String(req.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/);
  const spoken = isLog ? logProtocols : execProtocols;
  if (!spoken.some((protocol) => offered.includes(protocol))) {
    throw badRequest(`unable to upgrade: supported WebSocket subprotocols are ${spoken.join(', ')}`);
  }
  const pod = context.registry.get('pods', namespace, name);
  if (!pod) throw notFound(definitionOf('pods'), name);
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const wanted = url.searchParams.get('container') || pod.spec?.containers[0]?.name || '';
  const status = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ].find((each) => each.name === wanted);
  if (!containers.some((container) => container.name === wanted)) {
    throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  }
  if (isLog) return { namespace, pod: name, container: wanted, follow: isTrue(url.searchParams, 'follow') };
  if (!status?.state?.running) {
    throw new StatusError(
      500,
      'InternalError',
      `Internal error occurred: unable to upgrade connection: container not found ("${wanted}")`,
    );
  }
  const command = url.searchParams.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least one command');
  return { namespace, pod: name, container: wanted, command, stdin: isTrue(url.searchParams, 'stdin') };
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

async function runSession(context: ServerContext, session: Session, socket: WebSocket): Promise<void> {
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

function exitStatus(exitCode: number): {
  metadata: object;
  status: string;
  message?: string;
  reason?: string;
  details?: object;
} {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

function refuse(socket: Duplex, error: StatusError): void {
  const body = JSON.stringify(failure(error));
  socket.end(
    `HTTP/1.1 ${error.code} ${error.reason || 'Error'}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
