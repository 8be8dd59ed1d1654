// What waits in the queue, what is in a consumer's hand and what became of the rest. Pure: the time is passed in, ms of
// one monotonic clock. At every time enqueued = processed + backlog + inHand.
import type { QueueConfig } from './config.ts';

export interface QueueCounters {
  readonly enqueued: number;
  readonly processed: number;
  /** Items that wait. */
  readonly backlog: number;
  /** Items that a consumer has taken and not finished. */
  readonly inHand: number;
  /** Times that an item was handed out again because its consumer did not finish it in time. */
  readonly returned: number;
  /** Items that found the queue full. */
  readonly rejected: number;
}

export class WorkQueue {
  private readonly config: QueueConfig;
  private beginsAtMs = Number.POSITIVE_INFINITY;
  private readonly waiting: number[] = [];
  /** Item → end of its lease, in the order in which leases end. */
  private readonly hands = new Map<number, number>();
  private arrived = 0;
  private enqueued = 0;
  private processed = 0;
  private returned = 0;
  private rejected = 0;

  constructor(config: QueueConfig) {
    this.config = config;
  }

  /** The item that waits longest; undefined: none waits. */
  take(nowMs: number): number | undefined {
    this.beginsAtMs = Math.min(this.beginsAtMs, nowMs + this.config.quietMs);
    this.advance(nowMs);
    const item = this.waiting.shift();
    if (item !== undefined) this.hands.set(item, nowMs + this.config.leaseMs);
    return item;
  }

  /** False for an item that is in nobody's hand: it was finished too late, or never handed out. */
  finish(item: number, nowMs: number): boolean {
    this.advance(nowMs);
    if (!this.hands.delete(item)) return false;
    this.processed++;
    return true;
  }

  counters(nowMs: number): QueueCounters {
    this.advance(nowMs);
    const { enqueued, processed, returned, rejected } = this;
    return {
      enqueued,
      processed,
      backlog: this.waiting.length,
      inHand: this.hands.size,
      returned,
      rejected,
    };
  }

  /** What has happened by itself until now: items came in, leases ended. */
  private advance(nowMs: number): void {
    const goingMs = Math.max(0, nowMs - this.beginsAtMs);
    const due = Math.floor((goingMs * this.config.enqueuePerSecond) / 1000);
    for (; this.arrived < due; this.arrived++) {
      if (this.waiting.length >= this.config.limit) this.rejected++;
      else this.waiting.push(this.enqueued++);
    }
    for (const [item, endsAtMs] of this.hands) {
      if (endsAtMs > nowMs) break;
      this.hands.delete(item);
      this.waiting.unshift(item);
      this.returned++;
    }
  }
}
