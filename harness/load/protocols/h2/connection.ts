// One HTTP/2 connection as a client (RFC 9113): requests on streams of it, and exactly how each of them ended. Written
// for load: a request's bytes are made once, nothing is retried, and what the server did is told, not smoothed over.
import type { Outcome } from '../../../model/load.ts';
import { type Destination, Wire } from '../wire.ts';
import {
  errorName,
  flag,
  frame,
  frameType,
  goaway,
  type H2Error,
  prefaceText,
  rstStream,
  settings,
  windowUpdate,
} from './frames.ts';
import { HpackDecoder } from './hpack.ts';

/** What an answer's header list holds that we look at. */
export interface H2Headers {
  readonly status: number;
  readonly pod: string | undefined;
  readonly contentType: string;
  readonly contentLength: number;
  /** `undefined`: no such header. */
  readonly grpcStatus: string | undefined;
  readonly grpcMessage: string | undefined;
}

/** One request. All of its calls come while its connection reads, or when the connection ends. */
export interface H2User {
  /** Written: from now on the server may have it. */
  sent(): void;
  /** Bytes of frames of its stream, before what they mean is told. */
  received(bytes: number): void;
  headers(headers: H2Headers): void;
  data(buffer: Buffer, start: number, end: number): void;
  /** The last. `trailers`: undefined when the stream ended with data or its first headers. */
  complete(trailers: H2Headers | undefined): void;
  /** The last. */
  failed(outcome: Outcome, code: string): void;
}

export interface H2Request {
  /** Header block. */
  readonly block: Buffer;
  readonly body: Buffer | undefined;
  /** HEAD: its answer says a length and has no body. */
  readonly head?: boolean;
}

interface Stream {
  readonly id: number;
  readonly user: H2User;
  readonly head: boolean;
  headersCame: boolean;
  /** −1: not stated. */
  contentLength: number;
  bodyBytes: number;
  /** Of ours: what the server may still send, and bytes that came since it was told of more. */
  receiveWindow: number;
  sendWindow: number;
  unsent: Buffer | undefined;
}

const streamWindow = 1 << 20;
const connectionWindow = 1 << 24;
const initialWindow = 65_535;
const frameLimit = 16_384;
const blockLimit = 256 * 1024;
const lastStreamId = 2 ** 31 - 1;
/** Answers to PING and SETTINGS that the server does not read; more would only fill our memory (section 10.5). */
const answersMost = 10_000;
const preface = Buffer.concat([
  Buffer.from(prefaceText),
  settings([
    [2, 0],
    [4, streamWindow],
    [6, 64 * 1024],
  ]),
  windowUpdate(0, connectionWindow - initialWindow),
]);
const settingsAck = frame(frameType.settings, flag.ack, 0, Buffer.alloc(0));
const HTTP_1 = Buffer.from('HTTP/1.');

export interface H2Owner {
  /** No more streams on this connection: it ended, or the server asked us to leave it. */
  left(connection: H2Connection): void;
  /** Header that says which pod answered, in lower case. */
  readonly podHeader: string;
  /** The server said GOAWAY, and everything that was under way on it ended well. */
  honoured(): void;
  goawayCame(): void;
}

export class H2Connection {
  readonly wire: Wire;
  /** Pod that answered last on it. */
  answeredBefore: string | undefined = undefined;
  /** Streams that were opened. */
  requests = 0;
  /** Takes new requests. */
  usable = true;
  readonly #owner: H2Owner;
  readonly #secure: boolean;
  readonly #decoder = new HpackDecoder();
  readonly #streams = new Map<number, Stream>();
  /** Requests that wait for the connection, or for a stream that the server allows. */
  #waiting: { readonly request: H2Request; readonly user: H2User }[] = [];
  #nextId = 1;
  #rest: Buffer | undefined;
  #settled = false;
  #begun = false;
  #block: Buffer[] | undefined;
  #blockBytes = 0;
  #blockStream = 0;
  #blockEnds = false;
  #receiveWindow = connectionWindow;
  #sendWindow = initialWindow;
  #peerStreamWindow = initialWindow;
  #peerFrameLimit = frameLimit;
  #peerStreams = Number.POSITIVE_INFINITY;
  #goawayLast: number | undefined;
  #goawayLost = false;
  #answersUnread = 0;
  readonly #answerTaken = (): void => {
    this.#answersUnread--;
  };
  #reading = false;
  #ended = false;

  constructor(to: Destination, owner: H2Owner) {
    this.#owner = owner;
    this.#secure = to.secure;
    this.wire = new Wire(to, this);
  }

  /** Under way or waiting. */
  get busy(): number {
    return this.#streams.size + this.#waiting.length;
  }

  request(request: H2Request, user: H2User): void {
    this.#waiting.push({ request, user });
    if (this.#begun) this.#openStreams();
  }

  /** The request is of no use any more; the user hears nothing. */
  cancel(user: H2User): void {
    const waiting = this.#waiting.findIndex((one) => one.user === user);
    if (waiting >= 0) this.#waiting.splice(waiting, 1);
    for (const stream of this.#streams.values()) {
      if (stream.user !== user) continue;
      this.#streams.delete(stream.id);
      this.wire.write(rstStream(stream.id, 'CANCEL'));
      break;
    }
    this.#afterStream();
  }

  /** No new requests; it closes when those under way have ended. */
  retire(): void {
    if (!this.usable) return;
    this.usable = false;
    this.#owner.left(this);
    this.#afterStream();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.usable = false;
    this.wire.end(goaway('NO_ERROR'));
  }

  // --- the connection (WireUser) ------------------------------------------------------------------------------------

  opened(): void {
    if (this.#secure && this.wire.alpn !== 'h2') {
      this.#fail('protocol', 'NO_H2_IN_ALPN');
      return;
    }
    this.#begun = true;
    this.wire.cork();
    this.wire.write(preface);
    this.#openStreams();
    this.wire.uncork();
  }

  broke(outcome: Outcome, code: string): void {
    if (this.#goawayLast !== undefined) this.#endAll('goaway-lost', 'GOAWAY_PROCESSED');
    else this.#endAll(outcome, code);
  }

  read(buffer: Buffer, length: number): void {
    let bytes = buffer;
    let end = length;
    if (this.#rest) {
      bytes = Buffer.concat([this.#rest, buffer.subarray(0, length)]);
      end = bytes.length;
      this.#rest = undefined;
    }
    let at = 0;
    this.#reading = true;
    this.wire.cork();
    while (end - at >= 9 && !this.#ended) {
      const size = bytes.readUIntBE(at, 3);
      const type = bytes[at + 3] as number;
      if (!this.#settled && (type !== frameType.settings || size % 6 !== 0 || size > 6 * 64)) {
        this.#notHttp2(bytes, at, end);
        break;
      }
      if (size > frameLimit) {
        this.#violated('FRAME_SIZE_ERROR');
        break;
      }
      if (end - at < 9 + size) break;
      this.#frame(
        bytes,
        type,
        bytes[at + 4] as number,
        bytes.readUInt32BE(at + 5) & 0x7fffffff,
        at + 9,
        size,
      );
      at += 9 + size;
    }
    this.wire.uncork();
    this.#reading = false;
    if (this.#ended) return;
    // A frame of SETTINGS begins with a zero; anything else need not be waited for.
    if (!this.#settled && at < end && bytes[at] !== 0) {
      this.#notHttp2(bytes, at, end);
      return;
    }
    if (at < end) this.#rest = Buffer.from(bytes.subarray(at, end));
    this.#afterStream();
  }

  // --- frames -------------------------------------------------------------------------------------------------------

  #frame(bytes: Buffer, type: number, flags: number, id: number, at: number, size: number): void {
    if (this.#block && (type !== frameType.continuation || id !== this.#blockStream)) {
      this.#violated('PROTOCOL_ERROR');
      return;
    }
    const stream = id > 0 ? this.#streams.get(id) : undefined;
    stream?.user.received(9 + size);
    switch (type) {
      case frameType.data:
        this.#data(stream, bytes, flags, id, at, size);
        return;
      case frameType.headers: {
        if (!this.#wasOpened(id)) return;
        const body = this.#unpadded(bytes, flags, at, size);
        if (!body) return;
        const skip = flags & flag.priority ? 5 : 0;
        if (body.length < skip) {
          this.#violated('FRAME_SIZE_ERROR');
          return;
        }
        this.#blockStream = id;
        this.#blockEnds = (flags & flag.endStream) !== 0;
        this.#blockPart(body.subarray(skip), flags);
        return;
      }
      case frameType.continuation:
        if (!this.#block) this.#violated('PROTOCOL_ERROR');
        else this.#blockPart(bytes.subarray(at, at + size), flags);
        return;
      case frameType.rstStream:
        if (size !== 4) this.#violated('FRAME_SIZE_ERROR');
        else if (this.#wasOpened(id) && stream) this.#reset(stream, bytes.readUInt32BE(at));
        return;
      case frameType.settings:
        this.#settings(bytes, flags, id, at, size);
        return;
      case frameType.ping:
        if (size !== 8) this.#violated('FRAME_SIZE_ERROR');
        else if (id !== 0) this.#violated('PROTOCOL_ERROR');
        else if (!(flags & flag.ack))
          this.#answer(frame(frameType.ping, flag.ack, 0, Buffer.from(bytes.subarray(at, at + 8))));
        return;
      case frameType.goaway:
        if (size < 8) this.#violated('FRAME_SIZE_ERROR');
        else if (id !== 0) this.#violated('PROTOCOL_ERROR');
        else this.#goaway(bytes.readUInt32BE(at) & 0x7fffffff, bytes.readUInt32BE(at + 4));
        return;
      case frameType.windowUpdate:
        this.#windowUpdate(stream, bytes, id, at, size);
        return;
      case frameType.pushPromise:
        // We have said that we take none.
        this.#violated('PROTOCOL_ERROR');
        return;
      case frameType.priority:
        if (id === 0) this.#violated('PROTOCOL_ERROR');
        else if (size !== 5 && stream) this.#malformed(stream, 'FRAME_SIZE_ERROR');
        return;
      default:
      // Extensions are to be ignored.
    }
  }

  /** Only streams that we opened can have frames; a violation otherwise. */
  #wasOpened(id: number): boolean {
    if (id > 0 && id % 2 === 1 && id < this.#nextId) return true;
    this.#violated('PROTOCOL_ERROR');
    return false;
  }

  #unpadded(bytes: Buffer, flags: number, at: number, size: number): Buffer | undefined {
    if (!(flags & flag.padded)) return bytes.subarray(at, at + size);
    const padding = size > 0 ? (bytes[at] as number) : size;
    if (padding + 1 > size) {
      this.#violated(size > 0 ? 'PROTOCOL_ERROR' : 'FRAME_SIZE_ERROR');
      return undefined;
    }
    return bytes.subarray(at + 1, at + size - padding);
  }

  #data(
    stream: Stream | undefined,
    bytes: Buffer,
    flags: number,
    id: number,
    at: number,
    size: number,
  ): void {
    if (!this.#wasOpened(id)) return;
    // Padding counts, and so do streams that we have given up.
    this.#receiveWindow -= size;
    if (this.#receiveWindow < 0) {
      this.#violated('FLOW_CONTROL_ERROR');
      return;
    }
    if (this.#receiveWindow < connectionWindow / 2) {
      this.wire.write(windowUpdate(0, connectionWindow - this.#receiveWindow));
      this.#receiveWindow = connectionWindow;
    }
    const body = this.#unpadded(bytes, flags, at, size);
    if (!body || !stream) return;
    if (!stream.headersCame) {
      this.#malformed(stream, 'DATA_BEFORE_HEADERS');
      return;
    }
    stream.receiveWindow -= size;
    if (stream.receiveWindow < 0) {
      this.#malformed(stream, 'FLOW_CONTROL_ERROR');
      return;
    }
    stream.bodyBytes += body.length;
    const ends = (flags & flag.endStream) !== 0;
    const { contentLength } = stream;
    if (
      contentLength >= 0 &&
      (stream.bodyBytes > contentLength || (ends && stream.bodyBytes < contentLength))
    ) {
      this.#malformed(stream, 'BAD_CONTENT_LENGTH');
      return;
    }
    if (body.length > 0) stream.user.data(body, 0, body.length);
    // The user may have given the stream up.
    if (!this.#streams.has(id)) return;
    if (ends) {
      this.#streams.delete(id);
      stream.user.complete(undefined);
    } else if (stream.receiveWindow < streamWindow / 2) {
      this.wire.write(windowUpdate(id, streamWindow - stream.receiveWindow));
      stream.receiveWindow = streamWindow;
    }
  }

  #blockPart(part: Buffer, flags: number): void {
    const first = !this.#block;
    if (flags & flag.endHeaders && first) {
      this.#wholeBlock(part);
      return;
    }
    this.#block ??= [];
    this.#blockBytes = first ? part.length : this.#blockBytes + part.length;
    this.#block.push(Buffer.from(part));
    if (this.#blockBytes > blockLimit || this.#block.length > 1000) {
      this.#fail('protocol', 'HEADERS_TOO_LARGE', 'ENHANCE_YOUR_CALM');
      return;
    }
    if (flags & flag.endHeaders) {
      const whole = Buffer.concat(this.#block);
      this.#block = undefined;
      this.#wholeBlock(whole);
    }
  }

  #wholeBlock(block: Buffer): void {
    let status = 0;
    let pod: string | undefined;
    let contentType = '';
    let contentLength = -1;
    let grpcStatus: string | undefined;
    let grpcMessage: string | undefined;
    let malformed = false;
    let regular = false;
    const { podHeader } = this.#owner;
    const problem = this.#decoder.decode(block, (name, value) => {
      if (name.charCodeAt(0) === 58) {
        if (regular || name !== ':status' || status !== 0 || !/^[1-9]\d\d$/.test(value)) malformed = true;
        else status = Number(value);
        return;
      }
      regular = true;
      if (badValue.test(value)) malformed = true;
      if (name === podHeader) pod = value;
      else if (name === 'content-type') contentType = value;
      else if (name === 'grpc-status') grpcStatus = value;
      else if (name === 'grpc-message') grpcMessage = value;
      else if (name === 'content-length') {
        const length = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
        if (Number.isNaN(length) || (contentLength >= 0 && contentLength !== length)) malformed = true;
        contentLength = length;
      } else if (!fieldName.test(name) || connectionHeaders.has(name)) malformed = true;
    });
    if (problem) {
      this.#fail(
        'protocol',
        problem,
        problem === 'COMPRESSION_ERROR' ? 'COMPRESSION_ERROR' : 'ENHANCE_YOUR_CALM',
      );
      return;
    }
    const stream = this.#streams.get(this.#blockStream);
    if (!stream) return;
    const trailers = stream.headersCame;
    const ends = this.#blockEnds;
    const headers = { status, pod, contentType, contentLength, grpcStatus, grpcMessage };
    if (malformed || (trailers ? status !== 0 || !ends : status === 0)) {
      this.#malformed(stream, 'BAD_HEADERS');
    } else if (!trailers && status < 200) {
      // 100 and 103 announce the answer and are not it; 101 does not exist in HTTP/2.
      if (ends || status === 101) this.#malformed(stream, 'BAD_HEADERS');
    } else if (trailers) {
      if (stream.contentLength >= 0 && stream.bodyBytes !== stream.contentLength) {
        this.#malformed(stream, 'BAD_CONTENT_LENGTH');
        return;
      }
      this.#streams.delete(stream.id);
      stream.user.complete(headers);
    } else {
      stream.headersCame = true;
      stream.contentLength = status === 304 || status === 204 || stream.head ? -1 : contentLength;
      if (ends && stream.contentLength > 0) {
        this.#malformed(stream, 'BAD_CONTENT_LENGTH');
        return;
      }
      if (pod !== undefined) this.answeredBefore = pod;
      stream.user.headers(headers);
      if (!ends || !this.#streams.has(stream.id)) return;
      this.#streams.delete(stream.id);
      stream.user.complete(undefined);
    }
  }

  #reset(stream: Stream, code: number): void {
    this.#streams.delete(stream.id);
    const name = errorName(code);
    stream.user.failed(name === 'REFUSED_STREAM' ? 'refused-stream' : 'stream-reset', name);
  }

  #settings(bytes: Buffer, flags: number, id: number, at: number, size: number): void {
    if (id !== 0) {
      this.#violated('PROTOCOL_ERROR');
      return;
    }
    if (flags & flag.ack) {
      if (size !== 0) this.#violated('FRAME_SIZE_ERROR');
      // The server's own come first.
      else if (!this.#settled) this.#violated('PROTOCOL_ERROR');
      return;
    }
    if (size % 6 !== 0) {
      this.#violated('FRAME_SIZE_ERROR');
      return;
    }
    this.#settled = true;
    for (let entry = at; entry < at + size; entry += 6) {
      const value = bytes.readUInt32BE(entry + 2);
      switch (bytes.readUInt16BE(entry)) {
        case 2:
          // A server does not say whether it takes pushes (section 6.5.2).
          if (value !== 0) {
            this.#violated('PROTOCOL_ERROR');
            return;
          }
          break;
        case 3:
          this.#peerStreams = value;
          break;
        case 4: {
          if (value > lastStreamId) {
            this.#violated('FLOW_CONTROL_ERROR');
            return;
          }
          const change = value - this.#peerStreamWindow;
          this.#peerStreamWindow = value;
          for (const stream of this.#streams.values()) {
            stream.sendWindow += change;
            // Section 6.9.2: a change by which a window becomes too large breaks the connection.
            if (stream.sendWindow > lastStreamId) {
              this.#violated('FLOW_CONTROL_ERROR');
              return;
            }
          }
          break;
        }
        case 5:
          if (value < frameLimit || value > 2 ** 24 - 1) {
            this.#violated('PROTOCOL_ERROR');
            return;
          }
          this.#peerFrameLimit = value;
          break;
        default:
      }
    }
    this.#answer(settingsAck);
    this.#sendBodies();
    this.#openStreams();
  }

  #windowUpdate(stream: Stream | undefined, bytes: Buffer, id: number, at: number, size: number): void {
    if (size !== 4) {
      this.#violated('FRAME_SIZE_ERROR');
      return;
    }
    if (id > 0 && !this.#wasOpened(id)) return;
    const increment = bytes.readUInt32BE(at) & 0x7fffffff;
    if (id === 0) {
      this.#sendWindow += increment;
      if (increment === 0) this.#violated('PROTOCOL_ERROR');
      else if (this.#sendWindow > lastStreamId) this.#violated('FLOW_CONTROL_ERROR');
      else this.#sendBodies();
    } else if (stream) {
      stream.sendWindow += increment;
      if (increment === 0) this.#malformed(stream, 'PROTOCOL_ERROR');
      else if (stream.sendWindow > lastStreamId) this.#malformed(stream, 'FLOW_CONTROL_ERROR');
      else this.#sendBodies();
    }
  }

  /**
   * Streams above the last one were not looked at and are told so at once; the others may still be answered. A server
   * that shuts down in two steps says 2^31 − 1 first.
   */
  #goaway(last: number, code: number): void {
    if (this.#goawayLast === undefined) this.#owner.goawayCame();
    else if (last > this.#goawayLast) {
      this.#violated('PROTOCOL_ERROR');
      return;
    }
    this.#goawayLast = last;
    const unprocessed = [...this.#streams.values()].filter((stream) => stream.id > last);
    if (this.usable) {
      this.usable = false;
      this.#owner.left(this);
    }
    for (const stream of unprocessed) {
      this.#streams.delete(stream.id);
      this.#goawayLost = true;
      stream.user.failed('goaway-lost', code === 0 ? 'GOAWAY_UNPROCESSED' : `GOAWAY_${errorName(code)}`);
    }
    // What had waited for a stream was never sent: it goes to the next connection.
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { user } of waiting) {
      this.#goawayLost = true;
      user.failed('goaway-lost', 'GOAWAY_UNPROCESSED');
    }
  }

  // --- sending ------------------------------------------------------------------------------------------------------

  #openStreams(): void {
    while (this.#waiting.length > 0 && this.#streams.size < this.#peerStreams && !this.#ended) {
      const { request, user } = this.#waiting.shift() as { request: H2Request; user: H2User };
      const id = this.#nextId;
      this.#nextId += 2;
      this.requests++;
      const { block, body, head = false } = request;
      const stream: Stream = {
        id,
        user,
        head,
        headersCame: false,
        contentLength: -1,
        bodyBytes: 0,
        receiveWindow: streamWindow,
        sendWindow: this.#peerStreamWindow,
        unsent: body,
      };
      this.#streams.set(id, stream);
      this.#writeHead(id, block, body === undefined);
      if (body) this.#sendBody(stream);
      user.sent();
    }
    if (this.usable && this.#nextId > lastStreamId) this.retire();
  }

  /** To a frame of the connection. A server that makes us say more than it reads breaks it. */
  #answer(bytes: Buffer): void {
    if (this.#answersUnread >= answersMost) {
      this.#violated('ENHANCE_YOUR_CALM');
      return;
    }
    this.#answersUnread++;
    this.wire.write(bytes, this.#answerTaken);
  }

  #writeHead(id: number, block: Buffer, ends: boolean): void {
    const last = ends ? flag.endStream : 0;
    if (block.length <= this.#peerFrameLimit) {
      this.wire.write(frame(frameType.headers, last | flag.endHeaders, id, block));
      return;
    }
    for (let at = 0; at < block.length; at += this.#peerFrameLimit) {
      const part = block.subarray(at, at + this.#peerFrameLimit);
      const done = at + part.length === block.length ? flag.endHeaders : 0;
      this.wire.write(
        at === 0
          ? frame(frameType.headers, last | done, id, part)
          : frame(frameType.continuation, done, id, part),
      );
    }
  }

  #sendBodies(): void {
    for (const stream of this.#streams.values()) if (stream.unsent) this.#sendBody(stream);
  }

  #sendBody(stream: Stream): void {
    for (let unsent = stream.unsent; unsent; unsent = stream.unsent) {
      const most = Math.min(this.#sendWindow, stream.sendWindow, this.#peerFrameLimit);
      if (most <= 0 && unsent.length > 0) return;
      const part = unsent.subarray(0, most);
      const rest = unsent.length - part.length;
      this.#sendWindow -= part.length;
      stream.sendWindow -= part.length;
      this.wire.write(frame(frameType.data, rest === 0 ? flag.endStream : 0, stream.id, part));
      stream.unsent = rest === 0 ? undefined : unsent.subarray(part.length);
    }
  }

  // --- ends ---------------------------------------------------------------------------------------------------------

  /** The server broke the rules for one stream: it is reset, the connection stays. */
  #malformed(stream: Stream, code: string): void {
    this.#streams.delete(stream.id);
    this.wire.write(
      rstStream(stream.id, code === 'FLOW_CONTROL_ERROR' ? 'FLOW_CONTROL_ERROR' : 'PROTOCOL_ERROR'),
    );
    stream.user.failed('protocol', code);
  }

  #violated(error: H2Error): void {
    this.#fail('protocol', error, error);
  }

  #notHttp2(bytes: Buffer, at: number, end: number): void {
    const record = bytes[at] === 0x15 || bytes[at] === 0x16;
    const code = startsWith(bytes, at, end, HTTP_1)
      ? 'ANSWERED_HTTP_1'
      : record && bytes[at + 1] === 3
        ? 'ANSWERED_TLS'
        : 'NOT_HTTP_2';
    this.#fail('protocol', code, 'PROTOCOL_ERROR');
  }

  #fail(outcome: Outcome, code: string, said: H2Error = 'NO_ERROR'): void {
    if (this.#ended) return;
    this.wire.destroy(this.#begun ? goaway(said) : undefined);
    this.#endAll(outcome, code);
  }

  #endAll(outcome: Outcome, code: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.usable = false;
    this.#owner.left(this);
    const users = [...this.#streams.values()]
      .map(({ user }) => user)
      .concat(this.#waiting.map(({ user }) => user));
    this.#streams.clear();
    this.#waiting = [];
    if (users.length > 0) this.#goawayLost = true;
    else if (this.#goawayLast !== undefined && !this.#goawayLost) this.#owner.honoured();
    for (const user of users) user.failed(outcome, code);
  }

  /** A connection that takes no more requests closes when it carries none. */
  #afterStream(): void {
    if (this.#ended || this.usable || this.#reading || this.busy > 0) return;
    if (this.#goawayLast !== undefined && !this.#goawayLost) this.#owner.honoured();
    this.close();
  }
}

/** Section 8.2.1: visible characters, none in upper case, no colon. */
const fieldName = /^[!-9;-@[-~]+$/;
/** There: no NUL, no line end, no white space around it. */
const badValue = /[\0\r\n]|^[ \t]|[ \t]$/;

/** Section 8.2.2: they belong to HTTP/1.1 and make a message malformed. */
const connectionHeaders: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

function startsWith(bytes: Buffer, at: number, end: number, expected: Buffer): boolean {
  const length = Math.min(end - at, expected.length);
  return bytes.subarray(at, at + length).equals(expected.subarray(0, length));
}
