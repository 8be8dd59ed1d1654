// The server's side of a SPDY/3.1 connection: streams that the client opens, each a Duplex. Flow control is that of the
// socket: Kubernetes' clients know no windows, and one that does is told of what was read.
// Source: SPDY Protocol, Draft 3.1; github.com/moby/spdystream is the client that it must understand.
import { Duplex } from 'node:stream';
import {
  controlFrame,
  controlType,
  dataFrame,
  type Frame,
  framesOf,
  HeaderCodec,
  type Headers,
  numbers,
  SpdyError,
  streamIn,
} from './frames.ts';

/** In a SYN_STREAM before its headers: stream, associated stream, priority and slot. */
const SYN_STREAM_HEAD = 10;
const MOST_STREAMS = 1024;
const HANG_UP_LIMIT_MS = 5000;
const resetReason = { protocolError: 1, refused: 3, cancel: 5 } as const;

/** One that has been opened by the client and answered. Who is not interested resumes or destroys it. */
export class SpdyStream extends Duplex {
  readonly headers: Headers;
  private readonly id: number;
  private readonly connection: SpdyConnection;
  private wake: (() => void) | undefined;
  private inputEnded = false;

  constructor(connection: SpdyConnection, id: number, headers: Headers) {
    super({ allowHalfOpen: true });
    this.connection = connection;
    this.id = id;
    this.headers = headers;
    // Who resets it is told on 'close'.
    this.on('error', () => {});
  }

  /** From the client. Resolves when there is room for more. */
  async receive(data: Buffer, fin: boolean): Promise<void> {
    if (this.destroyed || this.inputEnded) return;
    const hasRoom = data.length === 0 || this.push(data);
    if (fin) {
      this.inputEnded = true;
      this.push(null);
    } else if (!hasRoom) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** What waits for room waits no more. */
  release(): void {
    this.wake?.();
    this.wake = undefined;
  }

  override _read(): void {
    this.release();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.connection.send(dataFrame(this.id, chunk, false), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.connection.send(dataFrame(this.id, Buffer.alloc(0), true), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.release();
    this.connection.forget(this.id, this.inputEnded && this.writableFinished);
    done(error);
  }
}

export class SpdyConnection {
  private readonly socket: Duplex;
  private readonly streams = new Map<number, SpdyStream>();
  private readonly headers = new HeaderCodec();
  /** A client numbers its streams upwards. */
  private lastStream = 0;
  private ending = false;

  constructor(socket: Duplex) {
    this.socket = socket;
  }

  /**
   * Reads until the client goes away, with `onStream` for each stream that it opens. Never rejects: what is no SPDY ends
   * the connection.
   */
  async serve(onStream: (stream: SpdyStream) => void): Promise<void> {
    try {
      for await (const frame of framesOf(this.socket)) await this.handle(frame, onStream);
    } catch {
      // Not SPDY, or the socket broke: the end is the same.
    }
    this.ending = true;
    for (const stream of this.streams.values()) stream.destroy();
    this.headers.close();
    this.socket.destroy();
  }

  /** No new streams, and the end when what was written is out. A client that does not hang up is hung up on. */
  end(): void {
    if (this.ending) return;
    this.ending = true;
    for (const stream of this.streams.values()) stream.release();
    this.socket.end(controlFrame(controlType.goAway, numbers(this.lastStream, 0)));
    const limit = setTimeout(() => this.socket.destroy(), HANG_UP_LIMIT_MS);
    this.socket.once('close', () => clearTimeout(limit));
  }

  send(bytes: Buffer, done: (error?: Error | null) => void = () => {}): void {
    if (this.socket.writable) this.socket.write(bytes, done);
    else done(new SpdyError('the connection is closed'));
  }

  forget(stream: number, finished: boolean): void {
    if (this.streams.delete(stream) && !finished && !this.ending) this.reset(stream, resetReason.cancel);
  }

  private async handle(frame: Frame, onStream: (stream: SpdyStream) => void): Promise<void> {
    if (this.ending) return;
    if (frame.type === 'data') {
      const { stream, data, fin } = frame;
      await this.streams.get(stream)?.receive(data, fin);
      if (data.length === 0) return;
      for (const id of fin ? [0] : [0, stream]) {
        this.send(controlFrame(controlType.windowUpdate, numbers(id, data.length)));
      }
      return;
    }
    const { body, fin } = frame;
    switch (frame.control) {
      case controlType.synStream: {
        const headers = await this.headers.read(body.subarray(SYN_STREAM_HEAD));
        return this.open(streamIn(body), headers, fin, onStream);
      }
      case controlType.rstStream:
        this.streams.get(streamIn(body))?.destroy();
        return;
      case controlType.ping:
        // Those of the client, which have odd numbers, come back as they are.
        if (streamIn(body) % 2 === 1) this.send(controlFrame(controlType.ping, body));
        return;
      case controlType.goAway:
        throw new SpdyError('the client goes away');
      default:
        return;
    }
  }

  private async open(
    id: number,
    headers: Headers,
    fin: boolean,
    onStream: (stream: SpdyStream) => void,
  ): Promise<void> {
    if (id % 2 !== 1 || id <= this.lastStream) return this.reset(id, resetReason.protocolError);
    this.lastStream = id;
    if (this.streams.size >= MOST_STREAMS) return this.reset(id, resetReason.refused);
    const stream = new SpdyStream(this, id, headers);
    this.streams.set(id, stream);
    // Before anything else: a client drops what comes earlier.
    const none = await this.headers.write(new Map());
    this.send(controlFrame(controlType.synReply, Buffer.concat([numbers(id), none])));
    onStream(stream);
    if (fin) await stream.receive(Buffer.alloc(0), true);
  }

  private reset(id: number, reason: number): void {
    this.send(controlFrame(controlType.rstStream, numbers(id, reason)));
  }
}
