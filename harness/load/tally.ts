// What targets received, added up: how much, and which requests more than once.
import type { Deliveries } from '../model/load.ts';

/** A plan has a handful of streams; what else comes over the link is none of ours. */
const PREFIXES_LIMIT = 64;
/** Numbers that are remembered for each: hours of load. Beyond it repetitions are not found any more. */
const NUMBERS_LIMIT = 2_000_000;

export class Tally {
  readonly #seen = new Map<string, Set<number>>();
  #fresh = new Map<string, { received: number; again: number[] }>();

  add(prefix: string, numbers: readonly number[]): void {
    const seen = this.#seen.get(prefix) ?? new Set();
    if (!this.#seen.has(prefix)) {
      if (this.#seen.size >= PREFIXES_LIMIT) return;
      this.#seen.set(prefix, seen);
    }
    const fresh = this.#fresh.get(prefix) ?? { received: 0, again: [] };
    this.#fresh.set(prefix, fresh);
    fresh.received += numbers.length;
    for (const number of numbers) {
      if (seen.has(number)) fresh.again.push(number);
      else if (seen.size < NUMBERS_LIMIT) seen.add(number);
    }
  }

  /** Since the last call; undefined: nothing. */
  take(): Deliveries | undefined {
    if (this.#fresh.size === 0) return undefined;
    const taken = Object.fromEntries(this.#fresh);
    this.#fresh = new Map();
    return taken;
  }
}
