// What the queue beside a consuming target counts, and what follows from two readings. Pure.
import { z } from 'zod';

const count = z.number().int().nonnegative();

/** As the queue answers GET /counters; enqueued = processed + backlog + inHand. */
export const queueCountersSchema = z.object({
  /** The queue's own clock, ms: rates do not suffer from the way that the answer takes. */
  atMs: z.number(),
  enqueued: count,
  processed: count,
  /** Items that wait. */
  backlog: count,
  /** Items that a consumer works on. */
  inHand: count,
  /** Times that an item was handed out again because its consumer did not finish it. */
  returned: count,
  /** Items that found the queue full. */
  rejected: count,
});
export type QueueCounters = z.infer<typeof queueCountersSchema>;

/** Rates are means over this long: at 30 items per second one item more or less is 2 % of it. */
const RATE_WINDOW_MS = 2000;

/**
 * Items processed per second over the last {@link RATE_WINDOW_MS}, for each reading that has one that old; undefined for
 * the others.
 */
export function processedPerSecond(readings: readonly QueueCounters[]): (number | undefined)[] {
  let first = 0;
  return readings.map((reading) => {
    // The youngest reading that is old enough.
    for (;;) {
      const next = readings[first + 1];
      if (!next || reading.atMs - next.atMs < RATE_WINDOW_MS) break;
      first++;
    }
    const from = readings[first];
    if (!from || reading.atMs - from.atMs < RATE_WINDOW_MS) return undefined;
    return ((reading.processed - from.processed) * 1000) / (reading.atMs - from.atMs);
  });
}
