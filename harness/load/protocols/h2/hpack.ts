// Header compression of HTTP/2 (RFC 7541): a decoder with its dynamic table, and an encoder that uses none, so that a
// request's bytes are the same on every connection and are made once.

/** Appendix A, in order: name, then value where the entry has one. */
const staticEntries: readonly (readonly [name: string, value: string])[] = (
  ':authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|' +
  ':status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|' +
  'accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|' +
  'content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|' +
  'cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|' +
  'last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|' +
  'server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
)
  .split('|')
  .map((entry) => {
    const [name = '', value = ''] = entry.split('=');
    return [name, value] as const;
  });

/**
 * Appendix B: how many bits the code of each byte has, a digit of base 36 each. The code is canonical: shorter codes
 * first, within a length in the order of the bytes; the code that ends a string is the last one, of 30 bits.
 */
const codeBits = [
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca',
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds',
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn',
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq',
].flatMap((row) => [...row].map((digit) => Number.parseInt(digit, 36)));

/** Two numbers a node: where 0 and where 1 lead; negative: the byte −1 − n. 0: nowhere. */
const huffman = buildTree();

function buildTree(): Int16Array {
  const tree = new Int16Array(1024);
  let nodes = 1;
  let code = 0;
  let length = 5;
  const inOrder = codeBits
    .map((bits, byte) => ({ bits, byte }))
    .sort((a, b) => a.bits - b.bits || a.byte - b.byte);
  for (const { bits, byte } of inOrder) {
    code *= 2 ** (bits - length);
    length = bits;
    let node = 0;
    for (let bit = bits - 1; bit >= 0; bit--) {
      const at = node * 2 + (Math.floor(code / 2 ** bit) & 1);
      if (bit === 0) tree[at] = -1 - byte;
      else {
        if (tree[at] === 0) tree[at] = nodes++;
        node = tree[at] as number;
      }
    }
    code++;
  }
  return tree;
}

/** Bytes of a decoded header list that are read; more is refused. */
const listLimitBytes = 64 * 1024;
const entryOverheadBytes = 32;

type HeaderProblem = 'COMPRESSION_ERROR' | 'HEADERS_TOO_LARGE';

export class HpackDecoder {
  /** Newest first would shift on every entry: newest last. */
  #entries: (readonly [name: string, value: string])[] = [];
  #bytes = 0;
  /** What we allow in our SETTINGS, and what the other side uses of it. */
  readonly #most: number;
  #limit: number;
  #at = 0;
  #end = 0;
  #buffer: Buffer = Buffer.alloc(0);
  #decoded = Buffer.allocUnsafe(256);

  constructor(mostBytes = 4096) {
    this.#most = mostBytes;
    this.#limit = mostBytes;
  }

  /** Reads one whole header block. Names and values are Latin-1. After a problem the connection cannot be used. */
  decode(block: Buffer, field: (name: string, value: string) => void): HeaderProblem | undefined {
    this.#buffer = block;
    this.#at = 0;
    this.#end = block.length;
    let bytes = 0;
    let fields = 0;
    try {
      while (this.#at < this.#end) {
        const first = block[this.#at] as number;
        if (first >= 0x80) {
          const entry = this.#entry(this.#integer(7));
          field(entry[0], entry[1]);
          bytes += entry[0].length + entry[1].length;
        } else if (first >= 0x20 && first < 0x40) {
          // A new size of the table comes before the first field.
          const size = this.#integer(5);
          if (fields > 0 || size > this.#most) return 'COMPRESSION_ERROR';
          this.#limit = size;
          this.#evict(0);
          continue;
        } else {
          const indexed = first >= 0x40;
          const index = this.#integer(indexed ? 6 : 4);
          const name = index > 0 ? this.#entry(index)[0] : this.#string();
          const value = this.#string();
          if (indexed) this.#insert(name, value);
          field(name, value);
          bytes += name.length + value.length;
        }
        fields++;
        if (bytes + fields * entryOverheadBytes > listLimitBytes) return 'HEADERS_TOO_LARGE';
      }
    } catch (error) {
      if (error instanceof Damaged) return 'COMPRESSION_ERROR';
      throw error;
    } finally {
      this.#buffer = Buffer.alloc(0);
    }
    return undefined;
  }

  #entry(index: number): readonly [string, string] {
    const fixed = staticEntries[index - 1];
    if (fixed) return fixed;
    const entry = this.#entries[this.#entries.length - (index - staticEntries.length)];
    if (index === 0 || !entry) throw new Damaged();
    return entry;
  }

  #insert(name: string, value: string): void {
    const size = name.length + value.length + entryOverheadBytes;
    this.#evict(size);
    if (size > this.#limit) return;
    this.#entries.push([name, value]);
    this.#bytes += size;
  }

  #evict(room: number): void {
    let gone = 0;
    while (this.#bytes + room > this.#limit && gone < this.#entries.length) {
      const [name, value] = this.#entries[gone++] as readonly [string, string];
      this.#bytes -= name.length + value.length + entryOverheadBytes;
    }
    if (gone > 0) this.#entries.splice(0, gone);
  }

  /** Section 5.1, at most 28 bits: no length or index is larger. */
  #integer(prefixBits: number): number {
    const mask = 2 ** prefixBits - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Damaged();
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new Damaged();
    return this.#buffer[this.#at++] as number;
  }

  #string(): string {
    if (this.#at >= this.#end) throw new Damaged();
    const compressed = (this.#buffer[this.#at] as number) >= 0x80;
    const length = this.#integer(7);
    const from = this.#at;
    if (length > this.#end - from) throw new Damaged();
    this.#at = from + length;
    return compressed ? this.#huffman(from, this.#at) : this.#buffer.toString('latin1', from, this.#at);
  }

  /** What is left at the end must be less than a byte, and the beginning of the code that ends a string: ones. */
  #huffman(from: number, end: number): string {
    // The shortest code has five bits.
    const most = Math.ceil(((end - from) * 8) / 5);
    if (this.#decoded.length < most) this.#decoded = Buffer.allocUnsafe(most * 2);
    const into = this.#decoded;
    let length = 0;
    let node = 0;
    let pending = 0;
    let ones = true;
    for (let at = from; at < end; at++) {
      const byte = this.#buffer[at] as number;
      for (let bit = 7; bit >= 0; bit--) {
        const one = (byte >> bit) & 1;
        const next = huffman[node * 2 + one] as number;
        pending++;
        if (one === 0) ones = false;
        if (next < 0) {
          into[length++] = -1 - next;
          node = 0;
          pending = 0;
          ones = true;
        } else if (next === 0) throw new Damaged();
        else node = next;
      }
    }
    if (pending > 7 || !ones) throw new Damaged();
    return into.toString('latin1', 0, length);
  }
}

class Damaged extends Error {}

/** A block of fields that no table remembers. Names in lower case. */
export function encodeHeaders(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    const whole = staticEntries.findIndex((entry) => entry[0] === name && entry[1] === value && value !== '');
    if (whole >= 0) {
      parts.push(integer(0x80, 7, whole + 1));
      continue;
    }
    const named = staticEntries.findIndex((entry) => entry[0] === name);
    parts.push(integer(0, 4, named + 1));
    if (named < 0) parts.push(string(name));
    parts.push(string(value));
  }
  return Buffer.concat(parts);
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(0, 7, bytes.length), bytes]);
}

function integer(flags: number, prefixBits: number, number: number): Buffer {
  const mask = 2 ** prefixBits - 1;
  if (number < mask) return Buffer.from([flags | number]);
  const bytes = [flags | mask];
  let rest = number - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
