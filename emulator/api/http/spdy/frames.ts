// The frames of SPDY/3.1 as bytes. A control frame: 1 bit (1), version (15), type (16), flags (8), length (24); a data
// frame: 1 bit (0), stream (31), flags (8), length (24).
// Source: SPDY Protocol, Draft 3.1, section 2.2 and 2.6.
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { dictionary } from './dictionary.ts';

export type Headers = ReadonlyMap<string, string>;

export const controlType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  ping: 6,
  goAway: 7,
  windowUpdate: 9,
} as const;
const finFlag = 1;

export type Frame =
  | { readonly type: 'data'; readonly stream: number; readonly fin: boolean; readonly data: Buffer }
  | { readonly type: 'control'; readonly control: number; readonly fin: boolean; readonly body: Buffer };

const VERSION = 3;
const HEAD_BYTES = 8;
/** Clients write 32 KiB at once; what is far beyond is no client of ours. */
const MOST_FRAME_BYTES = 4 * 1024 * 1024;
const MOST_HEADER_BYTES = 64 * 1024;
const STREAM_MASK = 0x7fffffff;

export class SpdyError extends Error {}

/** Frames of a stream of bytes, one after another. Throws SpdyError where they are none. */
export async function* framesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  let held: Buffer[] = [];
  let bytes = 0;
  let wanted = HEAD_BYTES;
  for await (const chunk of chunks) {
    held.push(chunk);
    bytes += chunk.length;
    while (bytes >= wanted) {
      const all = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held);
      const length = all.readUIntBE(5, 3);
      if (length > MOST_FRAME_BYTES) throw new SpdyError(`a frame of ${length} bytes`);
      wanted = HEAD_BYTES + length;
      held = [all];
      if (bytes < wanted) break;
      yield frameFrom(all.subarray(0, wanted));
      held = [all.subarray(wanted)];
      bytes -= wanted;
      wanted = HEAD_BYTES;
    }
  }
}

function frameFrom(bytes: Buffer): Frame {
  const fin = ((bytes[4] ?? 0) & finFlag) !== 0;
  const body = bytes.subarray(HEAD_BYTES);
  const first = bytes.readUInt32BE(0);
  if ((first & ~STREAM_MASK) === 0) return { type: 'data', stream: first, fin, data: body };
  const version = (first >>> 16) & 0x7fff;
  if (version !== VERSION) throw new SpdyError(`SPDY version ${version}`);
  return { type: 'control', control: first & 0xffff, fin, body };
}

export function dataFrame(stream: number, data: Buffer, fin: boolean): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(stream & STREAM_MASK, 0);
  head[4] = fin ? finFlag : 0;
  head.writeUIntBE(data.length, 5, 3);
  return Buffer.concat([head, data]);
}

export function controlFrame(control: number, body: Buffer, flags = 0): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(control, 2);
  head[4] = flags;
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

/** The body of control frames that say no more than numbers. */
export function numbers(...values: number[]): Buffer {
  const body = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) body.writeUInt32BE(value >>> 0, 4 * index);
  return body;
}

export const streamIn = (body: Buffer): number => (body.length < 4 ? 0 : body.readUInt32BE(0) & STREAM_MASK);

/** Header blocks of one connection: one zlib stream in each direction, which goes on from block to block. */
export class HeaderCodec {
  private readonly inflate: Inflate = createInflate({ dictionary });
  private readonly deflate: Deflate = createDeflate({ dictionary });

  constructor() {
    for (const stream of [this.inflate, this.deflate]) stream.on('error', () => {});
  }

  async read(block: Buffer): Promise<Headers> {
    const bytes = await through(this.inflate, block);
    let at = 0;
    const number = () => {
      if (at + 4 > bytes.length) throw new SpdyError('a header block that is cut off');
      const value = bytes.readUInt32BE(at);
      at += 4;
      return value;
    };
    const text = () => {
      const length = number();
      if (at + length > bytes.length) throw new SpdyError('a header block that is cut off');
      at += length;
      return bytes.toString('utf8', at - length, at);
    };
    const headers = new Map<string, string>();
    for (let count = number(); count > 0; count--) {
      const name = text().toLowerCase();
      headers.set(name, text());
    }
    return headers;
  }

  write(headers: Headers): Promise<Buffer> {
    const parts = [numbers(headers.size)];
    for (const part of [...headers].flat()) {
      const bytes = Buffer.from(part);
      parts.push(numbers(bytes.length), bytes);
    }
    return through(this.deflate, Buffer.concat(parts));
  }

  close(): void {
    this.inflate.close();
    this.deflate.close();
  }
}

/** What comes out of a zlib stream for this input, up to its next flush. */
function through(stream: Inflate | Deflate, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    let bytes = 0;
    const settle = (end: () => void) => {
      stream.off('data', take);
      stream.off('error', fail);
      stream.off('close', gone);
      end();
    };
    const fail = (error: Error) => settle(() => reject(new SpdyError(error.message)));
    const gone = () => fail(new Error('the connection is closed'));
    const take = (chunk: Buffer) => {
      out.push(chunk);
      bytes += chunk.length;
      if (bytes > MOST_HEADER_BYTES) fail(new Error('a header block that is too large'));
    };
    stream.on('data', take);
    stream.once('error', fail);
    stream.once('close', gone);
    stream.write(input);
    stream.flush(constants.Z_SYNC_FLUSH, () => settle(() => resolve(Buffer.concat(out))));
  });
}
