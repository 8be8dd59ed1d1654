// One place for a request in flight: it opens sockets, writes autocannon's request and finds out how the attempt ends.
// Lane `kept`: the slot's socket lasts from attempt to attempt. Lanes `new` and `long`: a socket per attempt.
import {
  connect as connectTcp,
  isIP,
  type LookupFunction,
  type Socket,
  type TcpNetConnectOpts,
  type TcpSocketConnectOpts,
} from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { type Outcome, type Phase, timeoutCodes } from '../model/load.ts';
import type { Ending, Slot as MeterSlot, Route } from './engine.ts';
import { decisiveError, outcomeOfError, type SystemError } from './outcome.ts';
import { type CertificatesSeen, resetInHandshake } from './protocols/tls.ts';
import type { ResponseParser } from './response-parser.ts';
import type { RetiredSockets } from './retired-sockets.ts';
import { isPortTaken, PORTS_TRIED, type SourcePorts } from './source-ports.ts';

/** What a slot needs from its stream, and tells it. */
export interface SlotOwner {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly tls: ConnectionOptions;
  readonly certificates: CertificatesSeen;
  readonly keepsConnections: boolean;
  readonly noDelay: boolean;
  readonly head: boolean;
  readonly lookup: LookupFunction;
  /** All sockets read into it: what is read is parsed before the next read. */
  readonly readBuffer: Buffer;
  /** `undefined`: connect to host and port. `null`: no endpoint, connect to a port that refuses. */
  route(): Route | null | undefined;
  /** Numbers a connection that is about to be opened, from 1. */
  connectionOpened(): number;
  /** Ports to bind new connections to; undefined: the kernel chooses. */
  readonly sourcePorts: SourcePorts | undefined;
  requestOf(slot: Slot): Buffer;
  /** The response is complete. */
  answered(slot: Slot): void;
  failed(slot: Slot, outcome: Outcome, code: string, error: Error | undefined): void;
  /** Its time was over. */
  expired(slot: Slot, ending: Ending): void;
  /** Sockets that are no longer needed, whose response was complete: they close at the FIN, or when their time is over. */
  readonly retired: RetiredSockets;
}

/** Nobody listens on TCP port 1 (tcpmux, unused): the kernel refuses, as kube-proxy's REJECT rule does. */
const refusing: Route = { host: '127.0.0.1', port: 1 };
const EMPTY = Buffer.alloc(0);
/** Sent only into a TLS connection that has already ended, to find out how. */
const ONE_BYTE = Buffer.from(' ');

const ofSocket = Symbol('slot');
const freePort = Symbol('free port');
/** It was given up: nothing came from the other side that ended it. */
const wasSilent = Symbol('was silent');
const retiredIn = Symbol('retired in');
/** Of a retired socket: its FIN was read, and nothing was left to be written. */
const endedInOrder = Symbol('ended in order');
type SlotSocket = Socket & {
  [ofSocket]?: Slot | undefined;
  [freePort]?: (() => void) | undefined;
  [wasSilent]?: boolean;
  [retiredIn]?: RetiredSockets | undefined;
  [endedInOrder]?: boolean;
};

export class Slot implements MeterSlot {
  deadlineMs = 0;
  earlier: Slot | undefined;
  later: Slot | undefined;
  busy = false;
  sequence = 0;
  dueMs = 0;
  startMs = 0;
  phase: Phase = 'connect';
  reused = false;
  bytes = 0;
  /** Number of the connection in the stream, and of the attempt on it, from 1. */
  connection = 0;
  nth = 0;
  routedTo: string | undefined = undefined;
  /** The connection's own port where it was bound to one, and the start of the attempt that opened it. */
  localPort: number | undefined = undefined;
  openedMs = 0;
  /** The name of the host is being looked up. */
  resolving = false;
  /** Pod of the last answer on this connection. */
  answeredBefore: string | undefined = undefined;
  /** Index of the autocannon client that fires for this slot. */
  readonly client: number;
  readonly parser: ResponseParser;
  readonly #owner: SlotOwner;
  #socket: SlotSocket | undefined;
  #usable = false;
  #wasReset: (() => boolean) | undefined;
  #otherPort: (() => void) | undefined;

  constructor(owner: SlotOwner, client: number, parser: ResponseParser) {
    this.#owner = owner;
    this.client = client;
    this.parser = parser;
  }

  /** Begins an attempt. */
  fire(sequence: number, dueMs: number, startMs: number): void {
    this.busy = true;
    this.sequence = sequence;
    this.dueMs = dueMs;
    this.startMs = startMs;
    this.bytes = 0;
    this.parser.reset(this.#owner.head);
    if (this.#usable) {
      this.reused = true;
      this.#write();
    } else {
      this.reused = false;
      this.#open();
    }
  }

  get pod(): string | undefined {
    return this.parser.pod;
  }

  get status(): number {
    return this.parser.status;
  }

  expire(): Ending {
    this.giveUp();
    const ending = this.resolving
      ? ({ outcome: 'dns', code: 'LOOKUP_TIMEOUT' } as const)
      : ({ outcome: 'timeout', code: timeoutCodes[this.phase] } as const);
    this.#owner.expired(this, ending);
    return ending;
  }

  /** Ends an attempt from outside: its time is over, or the load is interrupted. */
  giveUp(): void {
    this.busy = false;
    if (this.#socket) this.#socket[wasSilent] = true;
    this.#drop();
  }

  /** Ends an idle connection. */
  close(): void {
    this.#drop();
  }

  #open(): void {
    const owner = this.#owner;
    this.phase = 'connect';
    this.nth = 1;
    this.answeredBefore = undefined;
    this.connection = owner.connectionOpened();
    const route = owner.route();
    this.routedTo = route?.pod;
    this.resolving = false;
    const { host, port } = route ?? (route === null ? refusing : owner);
    this.openedMs = this.startMs;
    this.#connect(host, port, PORTS_TRIED);
  }

  #connect(host: string, port: number, tries: number): void {
    const owner = this.#owner;
    const destination = `${host}:${port}`;
    const localPort = owner.sourcePorts?.take(destination);
    this.localPort = localPort;
    this.#otherPort = undefined;
    const to: TcpSocketConnectOpts = {
      host,
      port,
      ...(localPort !== undefined && { localPort }),
      ...(isIP(host) === 0 && { lookup: this.#lookup }),
    };
    let socket: SlotSocket;
    try {
      socket = this.#spareTo(to) ?? this.#socketTo(to);
    } catch (error) {
      // Only an option that Node refuses gets here (a port out of range, for example).
      if (localPort !== undefined) owner.sourcePorts?.release(destination, localPort);
      setImmediate(() => this.#fail(error as SystemError));
      return;
    }
    socket[ofSocket] = this;
    if (localPort !== undefined) {
      socket[freePort] = () => owner.sourcePorts?.release(destination, localPort, socket[wasSilent]);
      // Nothing has left yet: another port, and it is the same attempt.
      this.#otherPort = tries > 1 ? () => this.#connect(host, port, tries - 1) : undefined;
    }
    this.#socket = socket;
  }

  /** A closed one that is connected again. */
  #spareTo(to: TcpSocketConnectOpts): SlotSocket | undefined {
    const spare: SlotSocket | undefined = this.#owner.retired.takeSpare();
    if (!spare) return undefined;
    spare[retiredIn] = undefined;
    spare[endedInOrder] = false;
    return spare.connect(to);
  }

  #socketTo(to: TcpSocketConnectOpts): SlotSocket {
    const owner = this.#owner;
    const options: TcpNetConnectOpts = {
      ...to,
      allowHalfOpen: true,
      noDelay: owner.noDelay,
      onread: {
        buffer: owner.readBuffer,
        callback: (length: number): boolean => {
          socket[ofSocket]?.received(length);
          return true;
        },
      },
    };
    const socket: SlotSocket = owner.secure ? this.#connectTls(options) : connectTcp(options);
    socket.on(owner.secure ? 'secureConnect' : 'connect', onReady);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
    return socket;
  }

  #connectTls(options: TcpNetConnectOpts): TLSSocket {
    const socket = connectTls({ ...options, ...this.#owner.tls });
    this.#wasReset = resetInHandshake(socket);
    socket.once('connect', () => {
      if (this.#socket === socket) this.phase = 'tls';
    });
    return socket;
  }

  readonly #lookup: LookupFunction = (name, options, callback) => {
    const attempt = this.sequence;
    this.resolving = true;
    this.#owner.lookup(name, options, (error, address, family) => {
      if (this.sequence === attempt) this.resolving = false;
      callback(error, address, family);
    });
  };

  ready(): void {
    if (!this.busy) return;
    if (this.#owner.secure) this.#owner.certificates.saw(this.#socket as Socket as TLSSocket);
    this.#usable = true;
    this.#write();
  }

  #write(): void {
    this.phase = 'first-byte';
    if (this.reused) this.nth++;
    this.#socket?.write(this.#owner.requestOf(this));
  }

  received(length: number): void {
    if (!this.busy) {
      // Bytes that nobody asked for must never meet the next request.
      this.#drop();
      return;
    }
    const { parser } = this;
    this.bytes += length;
    const consumed = parser.execute(this.#owner.readBuffer, 0, length);
    this.phase = parser.inBody ? 'body' : 'headers';
    if (parser.problem) this.#end('protocol', parser.problem, undefined);
    else if (parser.done) this.#complete(consumed === length && parser.keepAlive);
  }

  /** `reusable`: nothing came behind the response, and neither side wants to close. */
  #complete(reusable: boolean): void {
    const owner = this.#owner;
    this.busy = false;
    this.answeredBefore = this.parser.pod ?? this.answeredBefore;
    if (!reusable || !owner.keepsConnections) this.#retire();
    owner.answered(this);
  }

  /** The other side has sent its FIN, or so Node says. */
  ended(): void {
    const socket = this.#socket;
    if (!this.busy || !socket) {
      this.#drop();
      return;
    }
    // A RST right behind the last bytes reads as a clean end (libuv before the fix of its issue 4997). A write tells
    // them apart: of no byte on a plain socket; TLS writes nothing for no byte. ECONNRESET is a RST; EPIPE is a RST
    // that answered our own bytes after the FIN.
    socket.write(this.#owner.secure ? ONE_BYTE : EMPTY, (error) => {
      if (this.#socket !== socket || !this.busy) return;
      if ((error as SystemError | null)?.code === 'ECONNRESET') this.#fail(error as SystemError);
      else if (this.parser.endsWithFin) this.#complete(false);
      else this.#end('closed', 'FIN', undefined);
    });
  }

  broke(error: SystemError): void {
    if (this.busy) this.#fail(error);
    else this.#drop();
  }

  closed(): void {
    if (this.busy) this.#end('closed', 'CLOSE', undefined);
    else this.#drop();
  }

  #fail(any: SystemError): void {
    const error = decisiveError(any);
    const otherPort = this.#otherPort;
    this.#otherPort = undefined;
    if (otherPort && this.phase === 'connect' && isPortTaken(error)) {
      this.#drop();
      otherPort();
      return;
    }
    const connected = this.phase !== 'connect';
    // A RST behind a completed handshake that we had no time to see: the kernel reports it as a failed connect.
    if (!connected && error.code === 'ECONNRESET') this.phase = this.#owner.secure ? 'tls' : 'first-byte';
    const handshake = connected && this.phase === 'tls';
    const outcome = handshake && this.#wasReset?.() ? 'reset' : outcomeOfError(error, handshake);
    this.#end(outcome, outcome === 'closed' ? 'FIN' : (error.code ?? error.message), error);
  }

  #end(outcome: Outcome, code: string, error: Error | undefined): void {
    this.busy = false;
    if (this.#socket && outcome === 'unreachable') this.#socket[wasSilent] = true;
    this.#drop();
    this.#owner.failed(this, outcome, code, error);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#usable = false;
    if (!socket) return;
    socket[ofSocket] = undefined;
    socket.destroy();
  }

  #retire(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#usable = false;
    if (!socket) return;
    socket[ofSocket] = undefined;
    const { retired } = this.#owner;
    socket[retiredIn] = retired;
    retired.add(socket);
  }
}

function onReady(this: SlotSocket): void {
  this[ofSocket]?.ready();
}
/** A retired socket waits for exactly this. */
function onEnd(this: SlotSocket): void {
  const slot = this[ofSocket];
  if (slot) {
    slot.ended();
    return;
  }
  this[endedInOrder] = !this.destroyed && this.writableLength === 0;
  this.destroy();
}
/** Stays for the socket's whole life: an error of a socket that was given up is nobody's. */
function onError(this: SlotSocket, error: SystemError): void {
  this[ofSocket]?.broke(error);
}
function onClose(this: SlotSocket): void {
  this[freePort]?.();
  this[freePort] = undefined;
  this[ofSocket]?.closed();
  this[retiredIn]?.closed(this, this[endedInOrder] === true);
}
