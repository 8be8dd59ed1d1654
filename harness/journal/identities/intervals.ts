// Intervals of lost attempts against the buckets and the listed failures of the same stream. An interval goes from a
// lost attempt's due time to the next success's: all that is lost in it, and nothing else, is due inside, and no
// success is.
import { BUCKET_MS, isLost, type OutcomeCounts, outcomes } from '../../model/load.ts';
import { ROUNDING_MS } from './broken.ts';
import type { Counting } from './frames.ts';

/** `complete`: every failure is listed. */
export function* brokenIntervals(counting: Counting, complete: boolean): Generator<string> {
  yield* againstBuckets(counting);
  yield* failuresInBuckets(counting, complete);
  if (complete) yield* againstFailures(counting);
}

const lostOf = (counts: OutcomeCounts): number =>
  outcomes.reduce((sum, outcome) => sum + (isLost(outcome) ? (counts[outcome] ?? 0) : 0), 0);

/** A due time that was rounded to µs may have stood just before the edge. */
const lowBucket = (ms: number) => Math.floor(Math.max(0, ms - ROUNDING_MS) / BUCKET_MS);
const highBucket = (ms: number) => Math.floor((ms + ROUNDING_MS) / BUCKET_MS);

function* againstBuckets({ buckets, intervals }: Counting): Generator<string> {
  const numbers = [...buckets.keys()].sort((a, b) => a - b);
  const sums = [0];
  for (const i of numbers) sums.push((sums.at(-1) ?? 0) + lostOf(buckets.get(i)?.outcomes ?? {}));
  /** Lost in all buckets below `i`. */
  const lostBelow = (i: number): number => {
    let [low, high] = [0, numbers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[middle] as number) < i) low = middle + 1;
      else high = middle;
    }
    return sums[low] as number;
  };
  let soFar = 0;
  for (const { startMs, endMs, lost } of intervals) {
    const name = `interval from ${startMs}`;
    if (soFar < lostBelow(lowBucket(startMs)))
      yield `${name}: what is lost before it is in earlier intervals`;
    const startsIn = lostBelow(highBucket(startMs) + 1);
    if (soFar >= startsIn) yield `${name}: something is lost in the bucket in which it begins`;
    soFar += lost;
    if (endMs === null) continue;
    if (highBucket(startMs) < lowBucket(endMs) && soFar < lostBelow(lowBucket(endMs))) {
      yield `${name}: all that is lost before its end is in it`;
    }
    for (let i = highBucket(startMs) + 1; i < lowBucket(endMs); i++) {
      if ((buckets.get(i)?.outcomes.ok ?? 0) > 0) {
        yield `${name}: no success is due inside (bucket ${i})`;
        break;
      }
    }
    if (soFar > lostBelow(highBucket(endMs) + 1)) yield `${name}: ${lost} are lost in its buckets`;
    if ((buckets.get(lowBucket(endMs))?.sent ?? 0) + (buckets.get(highBucket(endMs))?.sent ?? 0) === 0) {
      yield `${name}: a success is due at its end (${endMs})`;
    }
  }
}

/** Per bucket and outcome no more failures than counted, and as many when all are listed. */
function* failuresInBuckets({ buckets, failures }: Counting, complete: boolean): Generator<string> {
  const sure = new Map<string, number>();
  const atEdge = new Map<string, number>();
  const add = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  for (const { dueMs, outcome } of failures) {
    const [low, high] = [lowBucket(dueMs), highBucket(dueMs)];
    if (low === high) add(sure, `${low}/${outcome}`);
    else for (const i of [low, high]) add(atEdge, `${i}/${outcome}`);
  }
  const told = new Set([...sure.keys(), ...atEdge.keys()]);
  for (const [i, bucket] of buckets) {
    for (const outcome in bucket.outcomes) if (outcome !== 'ok') told.add(`${i}/${outcome}`);
  }
  for (const key of told) {
    const [i, outcome] = key.split('/') as [string, keyof OutcomeCounts];
    const counted = buckets.get(Number(i))?.outcomes[outcome] ?? 0;
    const least = sure.get(key) ?? 0;
    const most = least + (atEdge.get(key) ?? 0);
    if (counted < least || (complete && counted > most)) {
      yield `bucket ${i}: ${outcome} is counted as often as it is listed (${counted} and ${least})`;
    }
  }
}

function* againstFailures({ failures, intervals }: Counting): Generator<string> {
  const dues = failures.filter((failure) => isLost(failure.outcome)).map((failure) => failure.dueMs);
  dues.sort((a, b) => a - b);
  let next = 0;
  for (const { startMs, endMs, lost } of intervals) {
    const name = `interval from ${startMs}`;
    const first = dues[next];
    if (first === undefined || Math.abs(first - startMs) > ROUNDING_MS) {
      yield `${name}: it begins with a lost attempt (the next is due at ${first ?? 'no time'})`;
      return;
    }
    next += lost;
    const last = dues[next - 1];
    if (last === undefined || (endMs !== null && last > endMs + ROUNDING_MS)) {
      yield `${name}: its ${lost} lost attempts are due before its end`;
      return;
    }
    const following = dues[next];
    if (following !== undefined && (endMs === null || following < endMs - ROUNDING_MS)) {
      yield `${name}: all that is lost before its end is in it`;
      return;
    }
  }
}
