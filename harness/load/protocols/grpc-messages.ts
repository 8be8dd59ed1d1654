// Messages of gRPC in the data of an HTTP/2 stream: a flag, a length, bytes. Only the first bytes of a message are kept.

type MessageProblem = 'COMPRESSED_MESSAGE' | 'BAD_MESSAGE_FLAG' | 'MESSAGE_TOO_LARGE';

/** As most gRPC libraries' own limit on what they receive. */
const messageLimitBytes = 4 * 1024 * 1024;
const prefixBytes = 5;
/** Enough for what our own target says in its messages. */
const keptBytes = 64;

export class GrpcMessages {
  count = 0;
  readonly #prefix = Buffer.alloc(prefixBytes);
  readonly #kept = Buffer.alloc(keptBytes);
  #prefixLength = 0;
  #length = 0;
  #came = 0;
  readonly #onMessage: ((firstBytes: Buffer) => void) | undefined;

  /** `onMessage`: the first bytes of each message, which the next one overwrites. */
  constructor(onMessage?: (firstBytes: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  reset(): void {
    this.count = 0;
    this.#prefixLength = 0;
  }

  /** A message has begun and not ended. */
  get partial(): boolean {
    return this.#prefixLength > 0;
  }

  read(buffer: Buffer, start: number, end: number): MessageProblem | undefined {
    let at = start;
    while (at < end || (this.#prefixLength === prefixBytes && this.#came === this.#length)) {
      if (this.#prefixLength < prefixBytes) {
        this.#prefix[this.#prefixLength++] = buffer[at++] as number;
        if (this.#prefixLength < prefixBytes) continue;
        const flag = this.#prefix[0];
        // No compression was offered.
        if (flag === 1) return 'COMPRESSED_MESSAGE';
        if (flag !== 0) return 'BAD_MESSAGE_FLAG';
        this.#length = this.#prefix.readUInt32BE(1);
        this.#came = 0;
        if (this.#length > messageLimitBytes) return 'MESSAGE_TOO_LARGE';
      }
      const taken = Math.min(this.#length - this.#came, end - at);
      if (this.#came < keptBytes) buffer.copy(this.#kept, this.#came, at, at + taken);
      this.#came += taken;
      at += taken;
      if (this.#came < this.#length) continue;
      this.#prefixLength = 0;
      this.count++;
      this.#onMessage?.(this.#kept.subarray(0, Math.min(keptBytes, this.#length)));
    }
    return undefined;
  }
}
