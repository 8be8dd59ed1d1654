// Frames that wait to be pulled, numbered from 1, bounded in number and size. What falls out is seen by the puller as a
// missing number, never as silence.
import type { Frame } from '../model/load.ts';

/** At five frames a second ten minutes without a pull, longer at fewer. */
const framesLimit = 3000;
const bytesLimit = 64 * 1024 * 1024;
/** One answer; the puller asks again at once for what is left. */
const answerBytesLimit = 4 * 1024 * 1024;

interface Entry {
  readonly seq: number;
  readonly json: string;
}

export class Spool {
  #entries: Entry[] = [];
  #bytes = 0;
  #nextSeq = 1;

  get nextSeq(): number {
    return this.#nextSeq;
  }

  add(frame: Omit<Frame, 'seq'>): void {
    const seq = this.#nextSeq++;
    const json = JSON.stringify({ seq, ...frame });
    this.#entries.push({ seq, json });
    this.#bytes += json.length;
    while (this.#entries.length > framesLimit || (this.#bytes > bytesLimit && this.#entries.length > 1)) {
      this.#bytes -= this.#entries.shift()?.json.length ?? 0;
    }
  }

  /** Frames behind `after` as JSON texts, as many as fit in one answer. Those up to `after` are dropped. */
  pull(after: number): string[] {
    const first = this.#entries.findIndex((entry) => entry.seq > after);
    const acknowledged = first < 0 ? this.#entries.length : first;
    for (const entry of this.#entries.splice(0, acknowledged)) this.#bytes -= entry.json.length;
    const answer: string[] = [];
    let bytes = 0;
    for (const { json } of this.#entries) {
      bytes += json.length;
      if (answer.length > 0 && bytes > answerBytesLimit) break;
      answer.push(json);
    }
    return answer;
  }
}
