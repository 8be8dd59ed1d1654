// Counts per 100 ms of due time, as increments since they were last taken: what a frame carries.
import { type Bucket, type Outcome, outcomes } from '../model/load.ts';

const bucketMs = 100;

interface Counts {
  readonly i: number;
  sent: number;
  shed: number;
  readonly outcomes: Uint32Array;
  pods: Map<string, number> | undefined;
  maxMs: number;
}

/** Outcomes by number, for arrays on the hot path. */
export const outcomeIndex = Object.fromEntries(outcomes.map((name, index) => [name, index])) as Record<
  Outcome,
  number
>;

export class Buckets {
  #open = new Map<number, Counts>();
  /** The bucket of the last call: most calls hit it again. */
  #last: Counts | undefined;

  sent(dueMs: number): void {
    this.#at(dueMs).sent++;
  }

  shed(dueMs: number): void {
    this.#at(dueMs).shed++;
  }

  /** `latencyMs` only of an answered attempt. */
  ended(dueMs: number, outcome: number, latencyMs: number | undefined, pod: string | undefined): void {
    const counts = this.#at(dueMs);
    counts.outcomes[outcome] = (counts.outcomes[outcome] as number) + 1;
    if (latencyMs !== undefined && latencyMs > counts.maxMs) counts.maxMs = latencyMs;
    if (pod !== undefined) {
      counts.pods ??= new Map();
      counts.pods.set(pod, (counts.pods.get(pod) ?? 0) + 1);
    }
  }

  take(): Bucket[] {
    const taken = [...this.#open.values()].sort((a, b) => a.i - b.i).map(toBucket);
    this.#open = new Map();
    this.#last = undefined;
    return taken;
  }

  #at(dueMs: number): Counts {
    const i = dueMs <= 0 ? 0 : Math.floor(dueMs / bucketMs);
    if (this.#last?.i === i) return this.#last;
    let counts = this.#open.get(i);
    if (!counts) {
      counts = { i, sent: 0, shed: 0, outcomes: new Uint32Array(outcomes.length), pods: undefined, maxMs: 0 };
      this.#open.set(i, counts);
    }
    this.#last = counts;
    return counts;
  }
}

function toBucket(counts: Counts): Bucket {
  return {
    i: counts.i,
    sent: counts.sent,
    shed: counts.shed,
    outcomes: Object.fromEntries(
      outcomes.flatMap((name, index) => (counts.outcomes[index] ? [[name, counts.outcomes[index]]] : [])),
    ),
    ...(counts.pods && { pods: Object.fromEntries(counts.pods) }),
    maxMs: Math.round(counts.maxMs * 1000) / 1000,
  };
}
