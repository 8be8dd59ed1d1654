// Frames of WebSocket (RFC 6455 section 5): what a server sends is read and held against the rules, of a message only
// its beginning is kept; and the frames that we send, masked as a client's must be.
import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';

type FrameProblem =
  | 'RESERVED_BITS'
  | 'UNKNOWN_OPCODE'
  | 'MASKED_FRAME'
  | 'BAD_CONTROL_FRAME'
  | 'BAD_FRAGMENT'
  | 'BAD_CLOSE_CODE'
  | 'INVALID_UTF8'
  | 'MESSAGE_TOO_LARGE';

interface FrameEvents {
  /** A whole message; its first bytes as Latin-1. */
  message(start: string): void;
  ping(data: Buffer): void;
  /** 1005: the frame said no code. */
  close(code: number): void;
}

const messageLimitBytes = 16 * 1024 * 1024;
const keptBytes = 64;
const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class WebSocketFrames {
  readonly #events: FrameEvents;
  #rest: Buffer = Buffer.alloc(0);
  /** Of the data frame that is read: bytes that are still to come, and whether it is its message's last. */
  #left = -1;
  #last = false;
  /** Of the message: TEXT or BINARY, 0: none has begun. */
  #type = 0;
  #bytes = 0;
  #start = '';
  #text: InstanceType<typeof TextDecoder> | undefined;
  #over = false;

  constructor(events: FrameEvents) {
    this.#events = events;
  }

  /** After a problem or a close frame nothing is read any more. */
  read(buffer: Buffer, from: number, to: number): FrameProblem | undefined {
    let bytes = buffer;
    let at = from;
    let end = to;
    if (this.#rest.length > 0) {
      bytes = Buffer.concat([this.#rest, buffer.subarray(from, to)]);
      at = 0;
      end = bytes.length;
      this.#rest = Buffer.alloc(0);
    }
    while (!this.#over) {
      if (this.#left >= 0) {
        const part = Math.min(this.#left, end - at);
        const problem = this.#payload(bytes, at, at + part);
        if (problem) return this.#stop(problem);
        at += part;
        this.#left -= part;
        if (this.#left > 0) return undefined;
        this.#left = -1;
        const wrong = this.#last ? this.#wholeMessage() : undefined;
        if (wrong) return this.#stop(wrong);
        continue;
      }
      const head = this.#head(bytes, at, end);
      if (typeof head === 'string') return this.#stop(head);
      if (head === undefined) {
        this.#rest = Buffer.from(bytes.subarray(at, end));
        return undefined;
      }
      at = head;
    }
    return undefined;
  }

  #stop(problem: FrameProblem): FrameProblem {
    this.#over = true;
    return problem;
  }

  /** Reads a frame's head, and the whole of a control frame. Undefined: not enough bytes yet. */
  #head(bytes: Buffer, at: number, end: number): number | FrameProblem | undefined {
    if (end - at < 2) return undefined;
    const first = bytes[at] as number;
    const second = bytes[at + 1] as number;
    const opcode = first & 15;
    const final = first >= 0x80;
    // No extension was agreed on; compression would set the first of them.
    if (first & 0x70) return 'RESERVED_BITS';
    if (second & 0x80) return 'MASKED_FRAME';
    if (opcode > PONG || (opcode > BINARY && opcode < CLOSE)) return 'UNKNOWN_OPCODE';
    let length = second & 0x7f;
    let body = at + 2;
    if (opcode >= CLOSE) {
      if (!final || length > 125 || (opcode === CLOSE && length === 1)) return 'BAD_CONTROL_FRAME';
      if (end - body < length) return undefined;
      return this.#control(opcode, bytes.subarray(body, body + length)) ?? body + length;
    }
    if (length === 126) {
      if (end - body < 2) return undefined;
      length = bytes.readUInt16BE(body);
      body += 2;
    } else if (length === 127) {
      if (end - body < 8) return undefined;
      const high = bytes.readUInt32BE(body);
      length = high > 0 ? Number.POSITIVE_INFINITY : bytes.readUInt32BE(body + 4);
      body += 8;
    }
    if ((opcode === CONTINUATION) !== this.#type > 0) return 'BAD_FRAGMENT';
    if (opcode !== CONTINUATION) {
      this.#type = opcode;
      this.#bytes = 0;
      this.#start = '';
      this.#text = undefined;
    }
    if (this.#bytes + length > messageLimitBytes) return 'MESSAGE_TOO_LARGE';
    this.#left = length;
    this.#last = final;
    return body;
  }

  #control(opcode: number, data: Buffer): FrameProblem | undefined {
    if (opcode === PING) this.#events.ping(Buffer.from(data));
    if (opcode !== CLOSE) return undefined;
    if (data.length === 0) {
      this.#over = true;
      this.#events.close(1005);
      return undefined;
    }
    const code = data.readUInt16BE(0);
    if (
      code < 1000 ||
      code === 1004 ||
      code === 1005 ||
      code === 1006 ||
      (code > 1014 && code < 3000) ||
      code > 4999
    )
      return 'BAD_CLOSE_CODE';
    if (!isUtf8(data.subarray(2))) return 'INVALID_UTF8';
    this.#over = true;
    this.#events.close(code);
    return undefined;
  }

  #payload(bytes: Buffer, from: number, to: number): FrameProblem | undefined {
    const whole = this.#last && this.#bytes === 0 && to - from === this.#left;
    this.#bytes += to - from;
    if (this.#start.length < keptBytes)
      this.#start += bytes.toString('latin1', from, Math.min(to, from + keptBytes - this.#start.length));
    if (this.#type !== TEXT) return undefined;
    const part = bytes.subarray(from, to);
    if (whole) return isUtf8(part) ? undefined : 'INVALID_UTF8';
    this.#text ??= new TextDecoder('utf-8', { fatal: true });
    try {
      this.#text.decode(part, { stream: true });
      return undefined;
    } catch {
      return 'INVALID_UTF8';
    }
  }

  #wholeMessage(): FrameProblem | undefined {
    const text = this.#text;
    this.#type = 0;
    this.#text = undefined;
    try {
      text?.decode();
    } catch {
      return 'INVALID_UTF8';
    }
    this.#events.message(this.#start);
    return undefined;
  }
}

/** One key for all: what it hides from proxies is not secret here, and drawing one per frame costs. */
const mask = randomBytes(4);

function clientFrame(opcode: number, data: Buffer): Buffer {
  const { length } = data;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const bytes = Buffer.allocUnsafe(6 + extra + length);
  bytes[0] = 0x80 | opcode;
  bytes[1] = 0x80 | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) bytes.writeUInt16BE(length, 2);
  if (extra === 8) bytes.writeBigUInt64BE(BigInt(length), 2);
  mask.copy(bytes, 2 + extra);
  for (let at = 0; at < length; at++) {
    bytes[6 + extra + at] = (data[at] as number) ^ (mask[at & 3] as number);
  }
  return bytes;
}

export const textFrame = (text: string): Buffer => clientFrame(TEXT, Buffer.from(text));
export const pongFrame = (data: Buffer): Buffer => clientFrame(PONG, data);

export function closeFrame(code: number | undefined): Buffer {
  if (code === undefined) return clientFrame(CLOSE, Buffer.alloc(0));
  const data = Buffer.alloc(2);
  data.writeUInt16BE(code);
  return clientFrame(CLOSE, data);
}
