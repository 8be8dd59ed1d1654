// What the target speaks beside HTTP/1.1, all on one port: the first bytes of a connection say what it is. HTTP/2 with
// prior knowledge, gRPC on it, WebSocket, event streams, lines that come back; and each of them through TLS.
import { readFileSync, statSync } from 'node:fs';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { TargetConfig } from './config.ts';
import { answerGrpc, isGrpc } from './grpc.ts';
import { Streams } from './streams.ts';
import { TlsStream } from './tls-stream.ts';
import { serveWebSocket } from './websocket.ts';

const TLS_HANDSHAKE = 0x16;
const HTTP2_PREFACE = 'PRI * HTTP/2.0';
const HTTP1 = /^[A-Z]+ \S/;
/** How long a two-step GOAWAY waits between its steps for a client that answers no PING. */
const GOAWAY_STEP_LIMIT_MS = 1000;

type Wrapped = Socket & { accepted?: Socket };
/** The connection as it was accepted: through TLS a request's socket is another one. */
export const acceptedAs = (socket: Socket): Socket => (socket as Wrapped).accepted ?? socket;

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/** Changes with the file, also where a link leads to another one. */
function versionOf(file: string): string {
  const { ino, mtimeMs, size } = statSync(file);
  return `${ino} ${mtimeMs} ${size}`;
}

interface Serving {
  healthy(): boolean;
  /** A request of HTTP/2 that is no gRPC: as the one of HTTP/1.1. */
  answer(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void;
}

export class Protocols {
  readonly streams: Streams;
  private readonly config: TargetConfig;
  private readonly http: HttpServer;
  private readonly http2 = createHttp2Server();
  private readonly tls = createTlsServer({ ALPNProtocols: ['h2', 'http/1.1'] });
  /** Accepted, their handshakes under way, by peer: TLS makes another socket of each. */
  private readonly greeting = new Map<string, Socket>();
  private readonly sessions = new Map<ServerHttp2Session, Duplex>();
  /** Of the session that is being made. */
  private opening: Duplex | undefined;
  private readonly lines = new Set<Socket>();
  private closing = false;
  /** Which certificate and key new connections are shown. */
  private shown = '';

  constructor(config: TargetConfig, http: HttpServer, serving: Serving) {
    this.config = config;
    this.http = http;
    this.streams = new Streams(config);
    this.http2.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      if (isGrpc(request)) answerGrpc(config, request, response, serving.healthy, this.streams);
      else serving.answer(request, response);
    });
    this.http2.on('session', (session) => this.watch(session));
    this.http2.on('sessionError', () => {});
    // Nothing is read before it is known who reads: node:http2 takes the handle itself.
    this.tls.on('secureConnection', (secure: Wrapped & TLSSocket) => {
      secure.accepted = this.greeting.get(peerOf(secure));
      this.greeting.delete(peerOf(secure));
      secure.on('error', () => {});
      if (secure.alpnProtocol === 'h2') this.openHttp2(new TlsStream(secure));
      else secure.once('data', (first: Buffer) => this.hand(secure, first));
    });
    this.tls.on('tlsClientError', () => {});
    http.on('upgrade', (request: IncomingMessage, socket: Socket) => {
      serveWebSocket(config, request, socket, this.streams);
    });
  }

  /** A connection of which nothing is known yet. */
  accept(socket: Socket): void {
    socket.on('error', () => {});
    socket.once('data', (first: Buffer) => {
      if (first[0] === TLS_HANDSHAKE && this.config.tlsFolder !== undefined) this.acceptTls(socket, first);
      else this.hand(socket, first);
    });
  }

  /**
   * `wait`: what is under way on HTTP/2 ends first; without it the connection closes right behind the GOAWAY. Open
   * streams are told that the server goes away and end in order.
   */
  stop(wait: boolean): void {
    this.closing = true;
    for (const [session, socket] of this.sessions) leave(session, socket, wait);
    if (wait) this.streams.end();
  }

  /** Nothing is under way that would be cut. */
  get idle(): boolean {
    return this.sessions.size === 0 && this.streams.open === 0 && this.lines.size === 0;
  }

  private acceptTls(socket: Socket, hello: Buffer): void {
    const folder = this.config.tlsFolder as string;
    const [cert, key] = [`${folder}/tls.crt`, `${folder}/tls.key`];
    try {
      // Looked at for each connection: a Secret's update is in the files soon after it was made. What it is made into is kept:
      // that costs a third of a handshake.
      const version = [cert, key].map(versionOf).join();
      if (version !== this.shown) {
        this.tls.setSecureContext({ cert: readFileSync(cert), key: readFileSync(key) });
        this.shown = version;
      }
    } catch (error) {
      process.stderr.write(`target: no certificate: ${(error as Error).message}\n`);
      socket.destroy();
      return;
    }
    socket.pause();
    socket.unshift(hello);
    const peer = peerOf(socket);
    this.greeting.set(peer, socket);
    socket.on('close', () => {
      if (this.greeting.get(peer) === socket) this.greeting.delete(peer);
    });
    this.tls.emit('connection', socket);
  }

  private hand(socket: Socket, first: Buffer): void {
    const text = first.toString('latin1', 0, HTTP2_PREFACE.length);
    if (text === HTTP2_PREFACE) {
      socket.pause();
      socket.unshift(first);
      this.openHttp2(socket);
    } else if (HTTP1.test(text)) {
      socket.pause();
      socket.unshift(first);
      this.http.emit('connection', socket);
      socket.resume();
    } else this.echo(socket, first);
  }

  private openHttp2(socket: Duplex): void {
    this.opening = socket;
    this.http2.emit('connection', socket);
    this.opening = undefined;
  }

  /** Lines come back; our own client's carries the pod's name. While stopping each connection ends behind its next line. */
  private echo(socket: Socket, first: Buffer): void {
    let rest = '';
    this.lines.add(socket);
    socket.on('close', () => this.lines.delete(socket));
    const take = (data: Buffer): void => {
      rest += data.toString('latin1');
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const line = rest.slice(0, end).replace(/\r$/, '');
        rest = rest.slice(end + 1);
        socket.write(
          Buffer.from(`${line === 'rollproof' ? `${line} ${this.config.podName}` : line}\n`, 'latin1'),
        );
        if (this.closing) socket.end();
      }
      if (rest.length > 64 * 1024) socket.destroy();
    };
    socket.on('data', take);
    take(first);
  }

  private watch(session: ServerHttp2Session): void {
    const socket = this.opening as Duplex;
    this.sessions.set(session, socket);
    session.on('close', () => this.sessions.delete(session));
    session.on('error', () => {});
    // Behind its SETTINGS, which come first on a connection.
    if (this.closing) setImmediate(() => leave(session, socket, this.config.streamDrain));
    const { connectionAgeMs, connectionAgeGraceMs } = this.config;
    if (connectionAgeMs === 0) return;
    // Not all at once: a tenth more or less, as servers of gRPC do.
    const age = connectionAgeMs * (0.9 + Math.random() * 0.2);
    const timer = setTimeout(() => {
      leave(session, socket, true);
      setTimeout(() => session.destroy(), connectionAgeGraceMs).unref();
    }, age);
    timer.unref();
    session.on('close', () => clearTimeout(timer));
  }
}

/**
 * GOAWAY. In order: first without a last stream and with a PING behind it; what the client sent before it read them has
 * come when the PING is answered, however busy both are; then with the last stream, then wait for what is under way.
 * Node has no call for the first (its own takes no stream any more from then on, and what crosses it is lost), so the
 * frame is written beside the session, which writes whole frames only.
 */
function leave(session: ServerHttp2Session, socket: Duplex, wait: boolean): void {
  if (session.destroyed || session.closed) return;
  if (!wait) {
    session.goaway(0);
    setImmediate(() => session.destroy());
    return;
  }
  if (socket.writable) socket.write(SHUTDOWN_NOTICE);
  const close = () => {
    clearTimeout(limit);
    if (!session.destroyed) session.close();
  };
  const limit = setTimeout(close, GOAWAY_STEP_LIMIT_MS);
  session.ping(close);
}

/** A GOAWAY of 8 bytes on stream 0: last stream 2^31 − 1, NO_ERROR. */
const SHUTDOWN_NOTICE = Buffer.from('0000080700000000007fffffff00000000', 'hex');
