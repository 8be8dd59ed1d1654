// A server that answers each request, or greets each connection, with the fault that its plan says, and keeps the tally
// of what it did: the truth that an exact client must agree with.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { type FaultName, faultOf } from './faults.ts';

/** What a fault may do to the connection that it is used on. */
export interface Exchange {
  readonly open: boolean;
  /** Requests that have come on the connection so far. */
  readonly requests: number;
  /** Resolves when the kernel has taken the bytes. `text`: one byte per character. */
  write(text: string): Promise<void>;
  pause(ms: number): Promise<void>;
  fin(): void;
  rst(): void;
}

interface FaultServerOptions {
  /** Fault for the request with this number (from 0), or for a connection with this number. */
  readonly plan: (number: number) => FaultName;
  /** Fault for a connection when it is accepted; undefined: none. */
  readonly acceptPlan?: (number: number) => FaultName | undefined;
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly host?: string;
}

/** Done to a request on a new connection, and on one that has carried requests before. */
export interface Tally {
  readonly onNew: Map<FaultName, number>;
  readonly onReused: Map<FaultName, number>;
}

export interface FaultServer {
  readonly port: number;
  readonly tally: Tally;
  readonly connections: () => number;
  close(): Promise<void>;
}

export async function startFaultServer(options: FaultServerOptions): Promise<FaultServer> {
  const tally: Tally = { onNew: new Map(), onReused: new Map() };
  const sockets = new Set<Socket>();
  let requests = 0;
  let connections = 0;
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (raw) => {
    const number = connections++;
    sockets.add(raw);
    raw.on('close', () => sockets.delete(raw));
    raw.on('error', () => undefined);
    const socket = options.tls ? new TLSSocket(raw, { isServer: true, ...options.tls }) : raw;
    socket.on('error', () => undefined);
    const greeting = options.acceptPlan?.(number);
    serve(raw, socket, greeting);
  });
  await new Promise<void>((resolve) =>
    server.listen({ port: 0, host: options.host ?? '127.0.0.1', backlog: 4096 }, resolve),
  );
  return {
    port: (server.address() as AddressInfo).port,
    tally,
    connections: () => connections,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };

  function serve(raw: Socket, socket: Socket, greeting: FaultName | undefined): void {
    let served = 0;
    const exchange = exchangeOn(raw, socket, () => served);
    // A greeting answers the first request before it has come, whatever it is then.
    let answered = greeting !== undefined;
    let waiting: Buffer = Buffer.alloc(0);
    if (greeting) {
      count(tally.onNew, greeting);
      served++;
      void run(greeting, exchange);
    }
    socket.on('data', (chunk: Buffer) => {
      waiting = waiting.length > 0 ? Buffer.concat([waiting, chunk]) : chunk;
      for (let end = endOfRequest(waiting); end > 0; end = endOfRequest(waiting)) {
        waiting = waiting.subarray(end);
        if (answered) {
          answered = false;
          continue;
        }
        // A server that has closed its side does not read requests any more.
        if (!exchange.open) return;
        const fault = options.plan(requests++);
        count(served++ === 0 ? tally.onNew : tally.onReused, fault);
        void run(fault, exchange);
      }
    });
    // The client's FIN ends the connection; what stalls is over then.
    socket.on('end', () => socket.destroy());
  }
}

async function run(name: FaultName, exchange: Exchange): Promise<void> {
  await faultOf(name).act(exchange);
}

function exchangeOn(raw: Socket, socket: Socket, served: () => number): Exchange {
  let ended = false;
  return {
    get open() {
      return !ended && !socket.destroyed && socket.writable;
    },
    get requests() {
      return served();
    },
    write: (text) =>
      new Promise((resolve) => {
        if (ended || !socket.writable) resolve();
        else socket.write(Buffer.from(text, 'latin1'), () => resolve());
      }),
    pause: (ms) => sleep(ms).then(() => undefined),
    fin() {
      ended = true;
      if (!raw.destroyed) raw.end();
    },
    rst() {
      ended = true;
      if (!raw.destroyed) raw.resetAndDestroy();
    },
  };
}

function count(into: Map<FaultName, number>, name: FaultName): void {
  into.set(name, (into.get(name) ?? 0) + 1);
}

/** Index behind the first whole request (head and Content-Length), 0 when there is none yet. */
function endOfRequest(bytes: Buffer): number {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return 0;
  const [, length = '0'] = /\r\ncontent-length: *(\d+)/i.exec(bytes.toString('latin1', 0, headEnd)) ?? [];
  const end = headEnd + 4 + Number(length);
  return bytes.length >= end ? end : 0;
}
