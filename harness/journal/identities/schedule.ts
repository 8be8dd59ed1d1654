// The schedule of a constant rate is known: how many attempts fall due in each bucket, and when an interval may end.
import { BUCKET_MS, type StreamEnd } from '../../model/load.ts';
import type { Journal } from '../journal.ts';
import { ROUNDING_MS } from './broken.ts';
import type { Counting } from './frames.ts';

export function* brokenSchedule({ header }: Journal, end: StreamEnd, counting: Counting): Generator<string> {
  const plan = header.plan.streams.find((stream) => stream.id === end.stream);
  if (plan?.rate.shape !== 'constant' || plan.rate.ratePerSecond <= 0) return;
  const changed = header.scenario.steps.some(
    (step) => step.step === 'load-rate' && (step.lane === undefined || step.lane === end.stream),
  );
  if (changed && end.stream !== 'control') return;
  const spacingMs = 1000 / plan.rate.ratePerSecond;
  // Which share of the arrivals an agent has is not recorded: it is known to within one.
  const of = end.stream === 'control' ? 1 : header.agents;
  const last = Math.max(-1, ...counting.buckets.keys());
  let due = 0;
  for (let i = 0; i < last; i++) {
    const bucket = counting.buckets.get(i);
    due += (bucket?.sent ?? 0) + (bucket?.shed ?? 0);
    const arrivals = ((i + 1) * BUCKET_MS) / spacingMs;
    const [least, most] =
      of === 1 ? exactly(arrivals) : [Math.floor(arrivals / of), Math.ceil(arrivals / of)];
    if (due < least || due > most) {
      yield `up to bucket ${i} the plan has ${least === most ? least : `${least} to ${most}`} arrivals, not ${due}`;
      return;
    }
  }
  if (of === 1) yield* intervalsOnSchedule(counting, spacingMs);
}

/** Arrivals k = 0, 1, 2 … at k × spacing, before a time: exact, but for the last digit of a float. */
const exactly = (arrivals: number): [number, number] => [
  Math.ceil(arrivals - 1e-9),
  Math.ceil(arrivals + 1e-9),
];

/** Between an interval's begin and end only lost attempts fall due, and what was shed, stopped or cut short. */
function* intervalsOnSchedule({ intervals, buckets }: Counting, spacingMs: number): Generator<string> {
  for (const { startMs, endMs, lost } of intervals) {
    if (endMs === null) continue;
    const arrivals = (endMs - startMs) / spacingMs;
    const name = `interval from ${startMs}`;
    if (Math.abs(arrivals - Math.round(arrivals)) * spacingMs > 3 * ROUNDING_MS) {
      yield `${name}: it begins and ends when an attempt is due`;
      continue;
    }
    let others = 0;
    for (let i = Math.floor(startMs / BUCKET_MS); i <= Math.floor(endMs / BUCKET_MS); i++) {
      const bucket = buckets.get(i);
      others += (bucket?.shed ?? 0) + (bucket?.outcomes.local ?? 0) + (bucket?.outcomes.aborted ?? 0);
    }
    const wanted = Math.round(arrivals);
    if (lost > wanted || lost + others < wanted)
      yield `${name}: ${wanted} attempts are due in it, ${lost} are lost`;
  }
}
