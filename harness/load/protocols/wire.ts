// One connection of any protocol but HTTP/1.1: TCP, then TLS where the URL says so. Tells exactly once how it ended.
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { Outcome, Phase } from '../../model/load.ts';
import type { Ending, EngineOwner, Route } from '../engine.ts';
import { decisiveError, outcomeOfError, type SystemError } from '../outcome.ts';
import { isPortTaken, PORTS_TRIED } from '../source-ports.ts';
import { CertificatesSeen, resetInHandshake, tlsOptions } from './tls.ts';

/** Where a stream's connections go. */
export class Destination {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Path and query. */
  readonly path: string;
  /** host:port as a request names it. */
  readonly authority: string;
  readonly tls: ConnectionOptions;
  /** What the server showed, connection by connection. */
  readonly certificates = new CertificatesSeen();
  readonly owner: EngineOwner;
  /** All connections read into it: what is read is used before the next read. */
  readonly readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

  /** `alpn`: protocols that are offered over TLS. */
  constructor(owner: EngineOwner, alpn?: readonly string[]) {
    const url = new URL(owner.plan.url);
    this.owner = owner;
    this.host = url.hostname.replace(/^\[|\]$/g, '');
    this.secure = url.protocol === 'https:' || owner.plan.tls !== undefined;
    this.port = Number(url.port) || (this.secure ? 443 : 80);
    this.path = `${url.pathname}${url.search}`;
    this.authority = url.host;
    this.tls = this.secure ? tlsOptions(owner.plan, this.host, alpn) : {};
  }
}

export interface WireUser {
  /** TCP is there, and TLS. */
  opened(): void;
  /** The first `length` bytes of the buffer, which the next read overwrites. */
  read(buffer: Buffer, length: number): void;
  /** The other side or the system ended it. Not called after `destroy`. */
  broke(outcome: Outcome, code: string): void;
}

/** How far a request and its answer are that a connection carries alone. */
export function phaseOn({ phase, bytes }: Wire, inBody: boolean): Phase {
  if (phase !== 'open') return phase;
  if (inBody) return 'body';
  return bytes > 0 ? 'headers' : 'first-byte';
}

/** Nobody listens on TCP port 1 (tcpmux, unused): the kernel refuses, as kube-proxy's REJECT rule does. */
const refusing: Route = { host: '127.0.0.1', port: 1 };
const EMPTY = Buffer.alloc(0);
/** Sent only into a TLS connection that has already ended, to find out how. */
const ONE_BYTE = Buffer.from(' ');

export class Wire {
  /** `open`: bytes of the protocol may flow. */
  phase: 'connect' | 'tls' | 'open' = 'connect';
  /** Received. */
  bytes = 0;
  /** Number of the connection in the stream of load. */
  readonly number: number;
  readonly routedTo: string | undefined;
  /** The connection's own port where it was bound to one, and when it was begun, ms since the start of the load. */
  localPort: number | undefined = undefined;
  readonly openedMs: number;
  /** The name of the host is being looked up. */
  resolving = false;
  readonly #to: Destination;
  #user: WireUser | undefined;
  #socket: Socket | undefined;
  #wasReset: (() => boolean) | undefined;
  /** Tries another port of its own, as long as there are tries. */
  #otherPort: (() => void) | undefined;

  constructor(to: Destination, user: WireUser) {
    this.#to = to;
    this.#user = user;
    const { owner } = to;
    this.number = owner.connectionOpened();
    const route = owner.route();
    this.routedTo = route?.pod;
    const { host, port } = route ?? (route === null ? refusing : to);
    this.openedMs = owner.now();
    this.#connect(host, port, PORTS_TRIED);
  }

  #connect(host: string, port: number, tries: number): void {
    const to = this.#to;
    const { owner } = to;
    const destination = `${host}:${port}`;
    const localPort = owner.sourcePorts?.take(destination);
    this.localPort = localPort;
    const options: TcpNetConnectOpts = {
      host,
      port,
      ...(localPort !== undefined && { localPort }),
      allowHalfOpen: true,
      noDelay: true,
      ...(isIP(host) === 0 && {
        lookup: (name, lookupOptions, callback) => {
          this.resolving = true;
          owner.lookup(name, lookupOptions, (error, address, family) => {
            this.resolving = false;
            callback(error, address, family);
          });
        },
      }),
      onread: {
        buffer: to.readBuffer,
        callback: (length: number): boolean => {
          if (this.#socket !== socket) return true;
          this.bytes += length;
          this.#user?.read(to.readBuffer, length);
          return true;
        },
      },
    };
    // Given up, or unreachable, before anything came from the other side.
    const release = (silent = false) => {
      if (localPort !== undefined) owner.sourcePorts?.release(destination, localPort, silent);
    };
    let answered = false;
    let socket: Socket;
    try {
      socket = to.secure ? this.#connectTls(options) : connectTcp(options);
    } catch (error) {
      // Only an option that Node refuses gets here (a port out of range, for example).
      release();
      setImmediate(() => this.#failed(error as SystemError));
      return;
    }
    this.#socket = socket;
    this.#otherPort =
      localPort !== undefined && tries > 1 ? () => this.#connect(host, port, tries - 1) : undefined;
    socket.once('connect', () => {
      answered = true;
    });
    socket.on(to.secure ? 'secureConnect' : 'connect', () => {
      if (!this.#user) return;
      this.phase = 'open';
      if (to.secure) to.certificates.saw(socket as TLSSocket);
      this.#user.opened();
    });
    socket.on('end', () => this.#ended());
    // Stays for the socket's whole life: an error of a socket that was given up is nobody's.
    socket.on('error', (error: SystemError) => {
      if (error.code === 'ECONNREFUSED' || isPortTaken(error)) answered = true;
      if (this.#socket === socket) this.#failed(error);
    });
    socket.on('close', () => {
      release(!answered);
      if (this.#socket === socket) this.#broke('closed', 'CLOSE');
    });
  }

  /** The protocol that TLS agreed on; undefined: none. */
  get alpn(): string | undefined {
    return (this.#socket as TLSSocket | undefined)?.alpnProtocol || undefined;
  }

  /** Two writes in a row travel together. */
  cork(): void {
    this.#socket?.cork();
  }
  uncork(): void {
    this.#socket?.uncork();
  }

  /** `taken`: told when the kernel has them. */
  write(bytes: Buffer, taken?: () => void): void {
    this.#socket?.write(bytes, taken);
  }

  /** How an attempt ends whose time is over while this has not opened. */
  openingExpired(): Ending {
    if (this.resolving) return { outcome: 'dns', code: 'LOOKUP_TIMEOUT' };
    return { outcome: 'timeout', code: this.phase === 'tls' ? 'TLS_TIMEOUT' : 'CONNECT_TIMEOUT' };
  }

  /** Ends it from here: its user hears nothing any more. Last bytes are sent if the kernel takes them at once. */
  destroy(lastBytes?: Buffer): void {
    const socket = this.#socket;
    this.#user = undefined;
    this.#socket = undefined;
    if (!socket) return;
    if (lastBytes && this.phase === 'open' && socket.writable) socket.write(lastBytes);
    socket.destroy();
  }

  /** A FIN behind these bytes; what still comes is not read. The other side has the same moment to close. */
  end(lastBytes?: Buffer): void {
    const socket = this.#socket;
    this.#user = undefined;
    this.#socket = undefined;
    if (!socket) return;
    if (this.phase !== 'open' || !socket.writable) socket.destroy();
    else {
      socket.end(lastBytes ?? EMPTY);
      setTimeout(() => socket.destroy(), closeWaitMs).unref();
    }
  }

  #connectTls(options: TcpNetConnectOpts): TLSSocket {
    const socket = connectTls({ ...options, ...this.#to.tls });
    this.#wasReset = resetInHandshake(socket);
    socket.once('connect', () => {
      if (this.phase === 'connect') this.phase = 'tls';
    });
    return socket;
  }

  /** The other side has sent its FIN, or so Node says. */
  #ended(): void {
    const socket = this.#socket;
    if (!socket || !this.#user) {
      socket?.destroy();
      return;
    }
    // A RST right behind the last bytes reads as a clean end (libuv before the fix of its issue 4997). A write tells
    // them apart: of no byte on a plain socket; TLS writes nothing for no byte.
    socket.write(this.#to.secure ? ONE_BYTE : EMPTY, (error) => {
      if ((error as SystemError | null)?.code === 'ECONNRESET') this.#failed(error as SystemError);
      else this.#broke('closed', 'FIN');
    });
  }

  #failed(any: SystemError): void {
    if (!this.#user) return;
    const error = decisiveError(any);
    const otherPort = this.#otherPort;
    this.#otherPort = undefined;
    if (otherPort && this.phase === 'connect' && isPortTaken(error)) {
      // Nothing has left yet: another port, and it is the same connection.
      this.#socket?.destroy();
      otherPort();
      return;
    }
    const connected = this.phase !== 'connect';
    // A RST behind a completed handshake that we had no time to see: the kernel reports it as a failed connect.
    if (!connected && error.code === 'ECONNRESET') this.phase = this.#to.secure ? 'tls' : 'open';
    const handshake = connected && this.phase === 'tls';
    const outcome = handshake && this.#wasReset?.() ? 'reset' : outcomeOfError(error, handshake);
    this.#broke(outcome, outcome === 'closed' ? 'FIN' : (error.code ?? error.message));
  }

  #broke(outcome: Outcome, code: string): void {
    const user = this.#user;
    if (!user) return;
    this.destroy();
    user.broke(outcome, code);
  }
}

/** A connection that was closed in order waits so long for the other side to close, too. */
const closeWaitMs = 200;
