// Measures of the queue that a consuming target pulls from: what waited, and how fast work was done.

import type { Clocks } from '../journal/clocks.ts';
import type { Journal } from '../journal/journal.ts';
import type { Rollout } from '../journal/rollout.ts';
import { processedPerSecond } from '../model/queue.ts';

/** Readings that are further apart than this leave room for a backlog that nobody saw. */
const GAP_LIMIT_MS = 2000;

/**
 * From the first step's begin to the load's end. Where readings are missing for longer than 2 s only
 * the gap is a figure, so that a claim on the others is undecided. Without readings: nothing.
 */
export function queueMeasures(
  journal: Journal,
  clocks: Clocks,
  { fromMs, toMs, completedMs }: Pick<Rollout, 'fromMs' | 'toMs' | 'completedMs'>,
): Readonly<Record<string, number>> {
  const rates = processedPerSecond(journal.queue.map(({ counters }) => counters));
  const readings = journal.queue
    // The answer was made somewhere between the question and its arrival.
    .map(({ t, tookMs, counters }, index) => ({
      atMs: clocks.fromHarness(t - tookMs / 2),
      counters,
      rate: rates[index],
    }))
    .filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  const first = readings[0];
  const last = readings.at(-1);
  if (!first || !last) return {};
  const times = [fromMs, ...readings.map(({ atMs }) => atMs), toMs];
  const queueGapMsMax = Math.max(...times.slice(1).map((atMs, index) => atMs - (times[index] as number)));
  if (queueGapMsMax > GAP_LIMIT_MS) return { queueGapMsMax };
  const perSecond = (count: 'enqueued' | 'processed', to: typeof first) =>
    ((to.counters[count] - first.counters[count]) * 1000) / (to.counters.atMs - first.counters.atMs);
  const complete = readings.findLast(({ atMs }) => completedMs !== null && atMs <= fromMs + completedMs);
  const known = readings.flatMap(({ rate }) => rate ?? []);
  return {
    queueGapMsMax,
    backlogAtStart: first.counters.backlog,
    maxBacklog: Math.max(...readings.map(({ counters }) => counters.backlog)),
    backlogAtEnd: last.counters.backlog,
    itemsReturned: last.counters.returned - first.counters.returned,
    itemsRejected: last.counters.rejected - first.counters.rejected,
    ...(last !== first && {
      enqueuedPerSecond: perSecond('enqueued', last),
      processedPerSecond: perSecond('processed', last),
    }),
    ...(complete && complete !== first && { processedPerSecondInRollout: perSecond('processed', complete) }),
    ...(known.length > 0 && { processedPerSecondMin: Math.min(...known) }),
  };
}
