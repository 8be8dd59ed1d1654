// The counters of a queue: at every time enqueued = processed + backlog + inHand, and totals only grow.
import type { Journal } from '../journal.ts';
import type { Broken } from './broken.ts';

export function* brokenQueue({ queue }: Journal): Generator<Broken> {
  for (const [index, { counters, t, tookMs, line }] of queue.entries()) {
    const broken = (identity: string): Broken => ({ line, record: 'queue', identity });
    const { enqueued, processed, backlog, inHand } = counters;
    if (tookMs > t) yield broken('the answer did not take longer than the journal is old');
    if (enqueued !== processed + backlog + inHand) yield broken('enqueued = processed + backlog + inHand');
    const before = queue[index - 1]?.counters;
    if (!before) continue;
    for (const total of ['atMs', 'enqueued', 'processed', 'returned', 'rejected'] as const) {
      if (counters[total] < before[total]) yield broken(`${total} does not go back`);
    }
  }
}
