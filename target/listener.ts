// Serves HTTP and stops in the ways that an app can stop. The listening socket is a net.Server of its own: closing an
// http.Server also closes its idle connections, and whether to do that is exactly what the modes differ in.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import type { TargetConfig } from './config.ts';
import { type Connection, isExpected, isFresh } from './connection.ts';
import { serveEvents } from './event-stream.ts';
import { acceptedAs, Protocols } from './protocols.ts';

const POLL_MS = 20;

export class HttpListener {
  /** What /healthz says: 200 or 503. */
  healthy = true;
  listening = false;
  private readonly config: TargetConfig;
  private readonly received: (requestId: string) => void;
  private answers = 0;
  private readonly http: Server;
  private readonly net: NetServer;
  /** What it speaks beside HTTP/1.1. */
  private readonly protocols: Protocols | undefined;
  private readonly connections = new Map<Socket, Connection>();
  private inFlight = 0;
  /** From now on every answer is the last one on its connection. */
  private closing = false;

  /** `received`: is told the request ids of what came in. */
  constructor(config: TargetConfig, received: (requestId: string) => void = () => {}) {
    this.config = config;
    this.received = received;
    this.http = createServer({ keepAliveTimeout: config.keepAliveMs }, (request, response) => {
      this.serve(request, response);
    });
    this.protocols = config.allProtocols
      ? new Protocols(config, this.http, {
          healthy: () => this.healthy,
          answer: (request, response) => this.respond(request.url, response as ServerResponse, false),
        })
      : undefined;
    this.net = createNetServer({ noDelay: true }, (socket) => {
      this.track(socket);
      if (this.protocols) this.protocols.accept(socket);
      else this.http.emit('connection', socket);
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.net.once('error', reject);
      this.net.listen({ port: this.config.port, host: this.config.bindAddress }, resolve);
    });
    this.listening = true;
    // After its other work it first closes what has been idle for too long, then reads: as immediates do, and no timer.
    if (this.config.stallMs > 0)
      setInterval(() => setImmediate(busy, this.config.stallMs), this.config.stallEveryMs).unref();
  }

  /**
   * Goes on serving, with `Connection: close` in every answer, until at least lingerMs have passed and every connection
   * that is in use has come by once more; then stops listening and waits for what is in flight. The wait for requests in
   * flight has no limit of its own: the pod's grace period is the limit.
   */
  async linger(): Promise<void> {
    this.closing = true;
    if (!this.listening) return;
    this.protocols?.stop(this.config.streamDrain);
    const startedAt = performance.now();
    const elapsedMs = () => performance.now() - startedAt;
    while (
      elapsedMs() < this.config.lingerMs ||
      (this.expectsMore() && elapsedMs() < this.config.lingerLimitMs)
    ) {
      await delay(POLL_MS);
    }
    this.net.close();
    while (this.inFlight > 0 || this.someConnection((connection, now) => isFresh(connection, now))) {
      await delay(POLL_MS);
    }
    await this.streamsEnded();
  }

  /** Stops listening and closes idle connections at once, then waits for what is in flight. */
  async drain(): Promise<void> {
    this.closing = true;
    if (!this.listening) return;
    this.net.close();
    for (const [socket, connection] of this.connections) {
      // What speaks another protocol has no requests here, and ends as that protocol says.
      if (connection.inFlight === 0 && (connection.requests > 0 || !this.protocols)) socket.end();
    }
    this.protocols?.stop(this.config.streamDrain);
    while (this.inFlight > 0) await delay(POLL_MS);
    await this.streamsEnded();
  }

  /** Where streams are drained the pod's grace period is the limit, as for requests in flight. */
  private async streamsEnded(): Promise<void> {
    while (this.config.streamDrain && this.protocols && !this.protocols.idle) await delay(POLL_MS);
  }

  private expectsMore(): boolean {
    return this.someConnection((connection, now) => isExpected(connection, now, this.config.lingerMs));
  }

  private someConnection(holds: (connection: Connection, nowMs: number) => boolean): boolean {
    const now = performance.now();
    for (const connection of this.connections.values()) if (holds(connection, now)) return true;
    return false;
  }

  private track(socket: Socket): void {
    const now = performance.now();
    this.connections.set(socket, {
      openedAtMs: now,
      lastUsedAtMs: now,
      longestGapMs: 0,
      requests: 0,
      inFlight: 0,
    });
    socket.on('close', () => this.connections.delete(socket));
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    if (this.protocols && (request.url ?? '').startsWith('/events')) {
      serveEvents(this.config, request, response, this.protocols.streams);
      return;
    }
    const connection = this.connections.get(acceptedAs(request.socket));
    if (!connection) return;
    const now = performance.now();
    if (connection.requests > 0) {
      connection.longestGapMs = Math.max(connection.longestGapMs, now - connection.lastUsedAtMs);
    }
    connection.lastUsedAtMs = now;
    connection.requests++;
    connection.inFlight++;
    this.inFlight++;
    // Node.js keeps an idle connection for a second longer than it is told to; here it is as long as is said.
    response.on('finish', () => request.socket.setTimeout(this.config.keepAliveMs));
    response.on('close', () => {
      connection.inFlight--;
      connection.lastUsedAtMs = performance.now();
      this.inFlight--;
    });
    request.resume();

    const requestId = request.headers['x-request-id'];
    if (typeof requestId === 'string') this.received(requestId);
    this.respond(request.url, response, this.closing);
  }

  private respond(url: string | undefined, response: ServerResponse, last: boolean): void {
    const [path, query] = (url ?? '/').split('?', 2);
    if (path === '/livez') {
      this.answer(response, 200, last);
    } else if (path === '/healthz') {
      this.answer(response, this.healthy ? 200 : 503, last);
    } else {
      setTimeout(() => {
        busy(this.config.cpuMs);
        this.answer(
          response,
          this.fails() ? 502 : 200,
          last || (this.closing && response.req?.httpVersionMajor === 1),
        );
      }, heldMs(query) ?? this.config.workMs);
    }
  }

  /** Every so many-th request, from the first answer on. */
  private fails(): boolean {
    const { failEvery } = this.config;
    return failEvery > 0 && ++this.answers % failEvery === 0;
  }

  private answer(response: ServerResponse, status: number, last: boolean): void {
    const { version, podName } = this.config;
    const body = `${JSON.stringify({ version, pod: podName })}\n`;
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-rollproof-version': version,
      'x-rollproof-pod': podName,
      ...(last && { connection: 'close' }),
    });
    response.end(body);
  }
}

/** `?ms=N`: how long the client wants this request to take; undefined: as long as any. */
function heldMs(query: string | undefined): number | undefined {
  const ms = Number(new URLSearchParams(query).get('ms') ?? Number.NaN);
  return ms >= 0 ? Math.min(ms, 600_000) : undefined;
}

/** Keeps the CPU busy, so that an autoscaler has something to measure. */
function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
