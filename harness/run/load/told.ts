// What the meter tells while a load runs, kept for its end.
import type { Bucket, Failure, LostInterval, StreamDelta, StreamLife } from '../../model/load.ts';
import { addBuckets } from '../../model/merge-load.ts';
import { tlsReason } from '../../words/names.ts';

/** Longer lists would not be read, and the totals are exact without them. */
const intervalsListed = 100_000;

/** Everything that the meter has told so far. */
export class Told {
  readonly buckets = new Map<number, Bucket>();
  readonly failures: Failure[] = [];
  readonly intervals: LostInterval[] = [];
  readonly lives: StreamLife[] = [];
  /** Of the listed failures. */
  readonly tlsReasons = new Map<string, number>();
  intervalsDropped = 0;
  longest: LostInterval | undefined;

  add({ buckets, failures, intervals, lives = [] }: StreamDelta): void {
    addBuckets(this.buckets, buckets);
    this.failures.push(...failures);
    for (const { outcome, code } of failures) {
      if (outcome !== 'tls') continue;
      const reason = tlsReason(code) ?? code;
      this.tlsReasons.set(reason, (this.tlsReasons.get(reason) ?? 0) + 1);
    }
    for (const life of lives) if (this.lives.length < intervalsListed) this.lives.push(life);
    for (const interval of intervals) {
      if (lengthMs(interval) > (this.longest ? lengthMs(this.longest) : -1)) this.longest = interval;
      if (this.intervals.length < intervalsListed) this.intervals.push(interval);
      else this.intervalsDropped++;
    }
  }
}

/** An interval that no success ended is as long as is known: from its start on. */
const lengthMs = ({ startMs, endMs }: LostInterval): number => (endMs ?? Number.POSITIVE_INFINITY) - startMs;
