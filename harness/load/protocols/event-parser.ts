// Events of an event stream, line by line. What they say is dropped; their number (field `id`), name and the hint when
// to come back stay.

const LF = 10;
const CR = 13;
/** A byte order mark in front of the stream is not part of its first line. */
const BOM = '\xef\xbb\xbf';
/** A line and an event of any length are read; beyond this they are taken for an attack on the reader's memory. */
const lineLimitBytes = 1024 * 1024;

export class EventParser {
  /** Of the last event: its number where its id is one, and its name. */
  number: number | undefined;
  type = '';
  /** What the server asks clients to wait before they come back, ms. */
  retryMs: number | undefined;
  tooLong = false;
  readonly #onEvent: () => void;
  #line = '';
  #first = true;
  #afterReturn = false;
  #data = false;
  #name = '';

  constructor(onEvent: () => void) {
    this.#onEvent = onEvent;
  }

  read(buffer: Buffer, start: number, end: number): void {
    let from = start;
    for (let at = start; at < end && !this.tooLong; at++) {
      const byte = buffer[at];
      if (byte !== LF && byte !== CR) {
        this.#afterReturn = false;
        continue;
      }
      // A line ends with CR, LF or both.
      if (byte === LF && this.#afterReturn) this.#afterReturn = false;
      else {
        this.#afterReturn = byte === CR;
        this.#whole(this.#line + buffer.toString('latin1', from, at));
        this.#line = '';
      }
      from = at + 1;
    }
    this.#line += buffer.toString('latin1', from, end);
    if (this.#line.length > lineLimitBytes) this.tooLong = true;
  }

  #whole(whole: string): void {
    const line = this.#first && whole.startsWith(BOM) ? whole.slice(BOM.length) : whole;
    this.#first = false;
    if (line === '') {
      // A name without data is no event: browsers drop it, too.
      if (this.#data) {
        this.type = this.#name;
        this.#onEvent();
      }
      this.#data = false;
      this.#name = '';
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#data = true;
    else if (field === 'event') this.#name = value;
    else if (field === 'id') this.number = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
    else if (field === 'retry' && /^\d{1,9}$/.test(value)) this.retryMs = Number(value);
  }
}
