// Runs of lost attempts in the order in which they were due, exact however many there are and in whatever order they
// end: a window of attempts, from the oldest that has not ended to the newest, is kept; everything before is folded.
import type { LostInterval } from '../model/load.ts';

const PENDING = 0;
const ANSWERED = 1;
const LOST = 2;
/** Neither lost nor answered: this machine's own limits, or an interrupt. */
const NEUTRAL = 3;
type AttemptEnd = 'answered' | 'lost' | 'neutral';
const stateOf = { answered: ANSWERED, lost: LOST, neutral: NEUTRAL } as const;

export class LostIntervals {
  readonly #closed: LostInterval[] = [];
  #due = new Float64Array(1024);
  #state = new Uint8Array(1024);
  /** Sequence numbers: the oldest attempt in the window and the one behind the newest. */
  #oldest = 0;
  #next = 0;
  #lost = 0;
  #startMs = 0;

  /** Announces the next attempt, in order of due time; returns its sequence number. */
  begin(dueMs: number): number {
    if (this.#next - this.#oldest === this.#due.length) this.#grow();
    const at = this.#next & (this.#due.length - 1);
    this.#due[at] = dueMs;
    this.#state[at] = PENDING;
    return this.#next++;
  }

  end(sequence: number, how: AttemptEnd): void {
    this.#state[sequence & (this.#due.length - 1)] = stateOf[how];
    if (sequence === this.#oldest) this.#fold();
  }

  /** Runs that a success has closed since the last call. */
  take(): LostInterval[] {
    return this.#closed.splice(0);
  }

  /** Closes a run that no success followed; call when every attempt has ended. */
  finish(): void {
    if (this.#lost > 0) this.#closed.push({ startMs: this.#startMs, endMs: null, lost: this.#lost });
    this.#lost = 0;
  }

  #fold(): void {
    const mask = this.#due.length - 1;
    for (; this.#oldest < this.#next; this.#oldest++) {
      const at = this.#oldest & mask;
      const state = this.#state[at];
      if (state === PENDING) return;
      if (state === LOST) {
        if (this.#lost === 0) this.#startMs = this.#due[at] as number;
        this.#lost++;
      } else if (state === ANSWERED && this.#lost > 0) {
        this.#closed.push({ startMs: this.#startMs, endMs: this.#due[at] as number, lost: this.#lost });
        this.#lost = 0;
      }
    }
  }

  /** The window holds at most rate × (timeout + wait for a connection) attempts, so that doubling ends. */
  #grow(): void {
    const size = this.#due.length;
    const due = new Float64Array(size * 2);
    const state = new Uint8Array(size * 2);
    for (let sequence = this.#oldest; sequence < this.#next; sequence++) {
      due[sequence & (size * 2 - 1)] = this.#due[sequence & (size - 1)] as number;
      state[sequence & (size * 2 - 1)] = this.#state[sequence & (size - 1)] as number;
    }
    this.#due = due;
    this.#state = state;
  }
}
