// Reads HTTP/1 responses byte-exactly as they arrive: where the head ends, how the body is framed (RFC 9112 section 6),
// and whether the connection may be used again. Nothing is stored but an unfinished line and the pod's name.

/** What stands for a message that breaks the protocol, in the order of the checks. */
export type ParseProblem =
  | 'BAD_STATUS_LINE'
  | 'BAD_HEADER'
  | 'BAD_CONTENT_LENGTH'
  | 'BAD_CHUNK'
  | 'HEAD_TOO_LARGE';

/** Same limit as autocannon's own parser; far above what servers send, and a bound on what a hostile one can. */
const headLimitBytes = 80 * 1024;

const STATUS_LINE = 0;
const HEADER_LINE = 1;
const BODY_FIXED = 2;
const BODY_UNTIL_FIN = 3;
const CHUNK_SIZE = 4;
const CHUNK_EXTENSION = 5;
const CHUNK_DATA = 6;
const CHUNK_END = 7;
const TRAILER_LINE = 8;
const DONE = 9;
const BROKEN = 10;

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
const HTTP_1 = Buffer.from('HTTP/1.');
const NOTHING = Buffer.alloc(0);
/** Pod names kept as strings; more than any workload has. */
const podNamesLimit = 2048;

export class ResponseParser {
  status = 0;
  /** The connection may carry another request once the message is complete. */
  keepAlive = true;
  /** Pod that answered, by the pod header. */
  pod: string | undefined = undefined;
  problem: ParseProblem | undefined = undefined;
  /** Told of every header, name in lower case, where somebody wants to know. */
  onHeader: ((name: string, value: string) => void) | undefined = undefined;
  /** Told of the bytes of the body, without its framing. */
  onBody: ((buffer: Buffer, start: number, end: number) => void) | undefined = undefined;

  readonly #podHeader: string;
  readonly #podNames: Map<number, { bytes: Buffer; name: string }>;
  #state = STATUS_LINE;
  #head = false;
  #minor = 1;
  /** Options of the Connection header: `close` wins; HTTP/1.0 keeps a connection only when it says so. */
  #closes = false;
  #persists = false;
  #body = false;
  #headBytes = 0;
  /** Bytes left in a body with a length or in a chunk; digits seen while a chunk size is read. */
  #left = 0;
  #digits = 0;
  #contentLength = -1;
  #chunked = false;
  #encoded = false;
  #framingHeader = false;
  #carry: Buffer = NOTHING;

  /** `podNames` may be shared by all parsers of a stream. */
  constructor(podHeader: string, podNames: Map<number, { bytes: Buffer; name: string }> = new Map()) {
    this.#podHeader = podHeader.toLowerCase();
    this.#podNames = podNames;
  }

  /** Call before each request. `head`: the request was a HEAD, so that its response has no body. */
  reset(head: boolean): void {
    this.#head = head;
    this.pod = undefined;
    this.problem = undefined;
    this.#carry = NOTHING;
    this.#nextHead();
  }

  get done(): boolean {
    return this.#state === DONE;
  }
  /** The head is complete: what came or failed behind it is the body's. */
  get inBody(): boolean {
    return this.#body;
  }
  /** The body ends with the connection: a FIN now completes the message. */
  get endsWithFin(): boolean {
    return this.#state === BODY_UNTIL_FIN;
  }

  /** Reads buffer[start, end) and returns the index behind the last byte that belongs to the message. */
  execute(buffer: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end) {
      switch (this.#state) {
        case HEADER_LINE:
        case STATUS_LINE:
        case TRAILER_LINE:
          at = this.#line(buffer, at, end);
          break;
        case BODY_FIXED: {
          const taken = Math.min(this.#left, end - at);
          this.onBody?.(buffer, at, at + taken);
          this.#left -= taken;
          at += taken;
          if (this.#left === 0) this.#state = DONE;
          break;
        }
        case BODY_UNTIL_FIN:
          this.onBody?.(buffer, at, end);
          at = end;
          break;
        case CHUNK_SIZE:
        case CHUNK_EXTENSION:
          at = this.#chunkSize(buffer, at, end);
          break;
        case CHUNK_DATA: {
          const taken = Math.min(this.#left, end - at);
          this.onBody?.(buffer, at, at + taken);
          this.#left -= taken;
          at += taken;
          if (this.#left === 0) this.#state = CHUNK_END;
          break;
        }
        case CHUNK_END: {
          const byte = buffer[at++] as number;
          if (byte === LF) {
            this.#state = CHUNK_SIZE;
            this.#left = 0;
            this.#digits = 0;
          } else if (byte !== CR || this.#digits < 0) this.#broken('BAD_CHUNK');
          else this.#digits = -1;
          break;
        }
        default:
          return at;
      }
    }
    return at;
  }

  #nextHead(): void {
    this.#state = STATUS_LINE;
    this.#body = false;
    this.#headBytes = 0;
    this.#contentLength = -1;
    this.#chunked = false;
    this.#encoded = false;
    this.#framingHeader = false;
    this.#closes = false;
    this.#persists = false;
    this.status = 0;
    this.keepAlive = true;
  }

  #broken(problem: ParseProblem): void {
    this.problem = problem;
    this.#state = BROKEN;
  }

  /** One line of the head or of the trailers. Ends at LF; a CR before it is part of the end (RFC 9112 section 2.2). */
  #line(buffer: Buffer, from: number, end: number): number {
    let at = from;
    let colon = -1;
    let returns = 0;
    let nul = false;
    for (; at < end; at++) {
      const byte = buffer[at] as number;
      if (byte > CR) {
        if (byte === COLON && colon < 0) colon = at;
      } else if (byte === LF) break;
      else if (byte === CR) returns++;
      else if (byte === 0) nul = true;
    }
    this.#headBytes += at - from;
    if (this.#headBytes >= headLimitBytes) {
      this.#broken('HEAD_TOO_LARGE');
      return at;
    }
    if (at === end) {
      this.#carry = this.#carry.length
        ? Buffer.concat([this.#carry, buffer.subarray(from, end)])
        : Buffer.from(buffer.subarray(from, end));
      if (this.#state === STATUS_LINE && !startsLikeStatusLine(this.#carry)) this.#broken('BAD_STATUS_LINE');
      return end;
    }
    this.#headBytes++;
    if (this.#carry.length > 0) {
      // The line's beginning came before: it is read as a whole.
      const whole = Buffer.concat([this.#carry, buffer.subarray(from, at + 1)]);
      this.#carry = NOTHING;
      this.#headBytes -= whole.length;
      this.#line(whole, 0, whole.length);
      return at + 1;
    }
    const hasReturn = returns > 0 && buffer[at - 1] === CR;
    if (nul || returns > (hasReturn ? 1 : 0))
      this.#broken(this.#state === STATUS_LINE ? 'BAD_STATUS_LINE' : 'BAD_HEADER');
    else this.#wholeLine(buffer, from, hasReturn ? at - 1 : at, colon);
    return at + 1;
  }

  /** `end`: without the characters that end the line. */
  #wholeLine(buffer: Buffer, from: number, end: number, colon: number): void {
    if (this.#state === STATUS_LINE) this.#statusLine(buffer, from, end);
    else if (end === from) this.#endOfLines();
    else this.#headerLine(buffer, from, end, colon);
  }

  /** "HTTP/1.1 200 OK": version 1.x, three digits; the reason may be missing. */
  #statusLine(buffer: Buffer, from: number, end: number): void {
    const length = end - from;
    if (length < 12 || !matches(buffer, from, HTTP_1)) {
      this.#broken('BAD_STATUS_LINE');
      return;
    }
    const minor = (buffer[from + 7] as number) - 48;
    const a = (buffer[from + 9] as number) - 48;
    const b = (buffer[from + 10] as number) - 48;
    const c = (buffer[from + 11] as number) - 48;
    const digits = isDigit(minor) && a > 0 && a < 10 && isDigit(b) && isDigit(c);
    if (!digits || buffer[from + 8] !== SPACE || (length > 12 && buffer[from + 12] !== SPACE)) {
      this.#broken('BAD_STATUS_LINE');
      return;
    }
    this.#minor = minor;
    this.status = a * 100 + b * 10 + c;
    this.#state = HEADER_LINE;
  }

  #headerLine(buffer: Buffer, from: number, end: number, colon: number): void {
    const first = buffer[from] as number;
    if (first === SPACE || first === TAB) {
      // A folded line goes on with the header before it (RFC 9112 section 5.2); never in one that frames the body.
      if (this.#framingHeader) this.#broken('BAD_HEADER');
      return;
    }
    const length = colon - from;
    const beforeColon = buffer[colon - 1];
    if (colon < 0 || colon >= end || length === 0 || beforeColon === SPACE || beforeColon === TAB) {
      this.#broken('BAD_HEADER');
      return;
    }
    this.#framingHeader = false;
    if (this.#state === TRAILER_LINE) return;
    this.onHeader?.(buffer.toString('latin1', from, colon).toLowerCase(), value(buffer, colon + 1, end));
    if (length === 14 && matchesIgnoringCase(buffer, from, 'content-length')) {
      this.#framingHeader = true;
      this.#readContentLength(buffer, colon + 1, end);
    } else if (length === 17 && matchesIgnoringCase(buffer, from, 'transfer-encoding')) {
      this.#framingHeader = true;
      const codings = value(buffer, colon + 1, end)
        .toLowerCase()
        .split(',');
      this.#encoded = true;
      this.#chunked = codings.at(-1)?.trim() === 'chunked';
    } else if (length === 10 && matchesIgnoringCase(buffer, from, 'connection')) {
      for (const option of value(buffer, colon + 1, end)
        .toLowerCase()
        .split(',')) {
        if (option.trim() === 'close') this.#closes = true;
        else if (option.trim() === 'keep-alive') this.#persists = true;
      }
    } else if (length === this.#podHeader.length && matchesIgnoringCase(buffer, from, this.#podHeader)) {
      this.pod = this.#podName(buffer, colon + 1, end);
    }
  }

  /** A list of equal lengths counts once (RFC 9110 section 8.6); anything else is a framing error. */
  #readContentLength(buffer: Buffer, from: number, end: number): void {
    const plain = plainNumber(buffer, from, end);
    if (plain >= 0 && this.#contentLength < 0) {
      this.#contentLength = plain;
      return;
    }
    for (const part of value(buffer, from, end).split(',')) {
      const digits = part.trim();
      const length = Number(digits);
      const known = this.#contentLength;
      if (!/^\d+$/.test(digits) || !Number.isSafeInteger(length) || (known >= 0 && known !== length)) {
        this.#broken('BAD_CONTENT_LENGTH');
        return;
      }
      this.#contentLength = length;
    }
  }

  /** Which pod answered; the same few names come again and again, so that they are looked up by their bytes. */
  #podName(buffer: Buffer, valueStart: number, valueEnd: number): string | undefined {
    let from = valueStart;
    let end = valueEnd;
    while (from < end && isBlank(buffer[from])) from++;
    while (end > from && isBlank(buffer[end - 1])) end--;
    if (from === end) return undefined;
    let hash = end - from;
    for (let at = from; at < end; at++) hash = (Math.imul(hash, 31) + (buffer[at] as number)) | 0;
    const known = this.#podNames.get(hash);
    if (known && known.bytes.length === end - from && matches(buffer, from, known.bytes)) return known.name;
    const bytes = Buffer.from(buffer.subarray(from, end));
    const name = bytes.toString('latin1');
    if (this.#podNames.size < podNamesLimit) this.#podNames.set(hash, { bytes, name });
    return name;
  }

  /** The empty line: after the head it decides how the body is framed (RFC 9112 section 6.3), after trailers it ends. */
  #endOfLines(): void {
    if (this.#state === TRAILER_LINE) {
      this.#state = DONE;
      return;
    }
    const { status } = this;
    this.keepAlive = !this.#closes && (this.#minor > 0 || this.#persists);
    if (status < 200 && status !== 101) {
      // 100 and 103 announce the response; they are not it.
      this.#nextHead();
      return;
    }
    this.#body = true;
    if (status === 101) {
      // What follows is another protocol: the message is complete and the connection is spent.
      this.keepAlive = false;
      this.#state = DONE;
    } else if (this.#head || status === 204 || status === 304) {
      this.#state = DONE;
    } else if (this.#encoded) {
      // A length beside an encoding, or an encoding from HTTP/1.0, makes the framing suspect: read it, then close.
      if (this.#contentLength >= 0 || this.#minor === 0) this.keepAlive = false;
      this.#left = 0;
      this.#digits = 0;
      this.#state = this.#chunked ? CHUNK_SIZE : BODY_UNTIL_FIN;
      if (!this.#chunked) this.keepAlive = false;
    } else if (this.#contentLength >= 0) {
      this.#left = this.#contentLength;
      this.#state = this.#left === 0 ? DONE : BODY_FIXED;
    } else {
      this.keepAlive = false;
      this.#state = BODY_UNTIL_FIN;
    }
  }

  /** Hexadecimal digits, then optional extensions of any length (skipped, never stored), then the end of the line. */
  #chunkSize(buffer: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at++) {
      const byte = buffer[at] as number;
      if (byte === LF) {
        if (this.#digits === 0) {
          this.#broken('BAD_CHUNK');
          return at;
        }
        this.#headBytes = 0;
        this.#digits = 0;
        this.#framingHeader = false;
        this.#state = this.#left === 0 ? TRAILER_LINE : CHUNK_DATA;
        return at + 1;
      }
      if (this.#state === CHUNK_EXTENSION) continue;
      const digit = hexDigit(byte);
      if (digit >= 0) {
        this.#left = this.#left * 16 + digit;
        this.#digits++;
      } else if (byte === CR || byte === 59 || byte === SPACE || byte === TAB) {
        this.#state = CHUNK_EXTENSION;
      }
      const known = digit >= 0 || this.#state === CHUNK_EXTENSION;
      if (!known || this.#digits === 0 || !Number.isSafeInteger(this.#left)) {
        this.#broken('BAD_CHUNK');
        return at;
      }
    }
    return end;
  }
}

function startsLikeStatusLine(line: Buffer): boolean {
  const length = Math.min(line.length, HTTP_1.length);
  for (let at = 0; at < length; at++) if (line[at] !== HTTP_1[at]) return false;
  return true;
}

function matches(buffer: Buffer, from: number, expected: Buffer): boolean {
  for (let at = 0; at < expected.length; at++) if (buffer[from + at] !== expected[at]) return false;
  return true;
}

/** `name` in lower case. */
function matchesIgnoringCase(buffer: Buffer, from: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const byte = buffer[from + at] as number;
    const lower = byte >= 65 && byte <= 90 ? byte + 32 : byte;
    if (lower !== name.charCodeAt(at)) return false;
  }
  return true;
}

const isDigit = (value: number): boolean => value >= 0 && value <= 9;
const isBlank = (byte: number | undefined): boolean => byte === SPACE || byte === TAB;

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** The number of up to 15 digits behind one space, as nearly every server writes it; else -1. */
function plainNumber(buffer: Buffer, from: number, end: number): number {
  const first = buffer[from] === SPACE ? from + 1 : from;
  if (first === end || end - first > 15) return -1;
  let number = 0;
  for (let at = first; at < end; at++) {
    const digit = (buffer[at] as number) - 48;
    if (!isDigit(digit)) return -1;
    number = number * 10 + digit;
  }
  return number;
}

/** A header's value without the white space around it. */
function value(buffer: Buffer, from: number, end: number): string {
  return buffer.toString('latin1', from, end).trim();
}
