// Times in µs, kept to three significant digits in the bucket layout of HdrHistogram (2048 sub-buckets), because
// recording is on the hot path: an index computation and one addition. Encoded as HdrHistogram V2 for merging.
import * as hdr from 'hdr-histogram-js';
import type { Percentiles } from '../model/load.ts';

/** 2^31 − 1 µs, about 36 minutes: longer than any timeout. */
const MAX_US = 0x7fffffff;
const SUB_BUCKETS_HALF = 1024;
/** Index of MAX_US plus one: shift 20 × 1024 + 2047 + 1. */
const SIZE = 20 * SUB_BUCKETS_HALF + 2 * SUB_BUCKETS_HALF;

export class Histogram {
  count = 0;
  #maxUs = 0;
  /** Of what was recorded: most of the buckets are never touched. */
  #lowest = SIZE;
  #highest = 0;
  readonly #counts = new Uint32Array(SIZE);

  /** `ms` below 0 counts as 0. */
  recordMs(ms: number): void {
    const us = ms <= 0 ? 0 : ms >= MAX_US / 1000 ? MAX_US : (ms * 1000 + 0.5) | 0;
    if (us > this.#maxUs) this.#maxUs = us;
    this.count++;
    const index = indexOf(us);
    if (index < this.#lowest) this.#lowest = index;
    if (index > this.#highest) this.#highest = index;
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  /** Value (ms) that `share` (0 to 1) of the recorded ones do not exceed, as HdrHistogram rounds; 0 when none was recorded. */
  atShareMs(share: number): number {
    if (this.count === 0) return 0;
    const wanted = Math.max(1, Math.floor(share * this.count + 0.5));
    let seen = 0;
    for (let index = this.#lowest; index <= this.#highest; index++) {
      seen += this.#counts[index] as number;
      if (seen >= wanted) return Math.min(highestOf(index), this.#maxUs) / 1000;
    }
    return this.#maxUs / 1000;
  }

  get maxMs(): number {
    return this.#maxUs / 1000;
  }

  percentiles(): Percentiles {
    return {
      p50: this.atShareMs(0.5),
      p90: this.atShareMs(0.9),
      p99: this.atShareMs(0.99),
      p999: this.atShareMs(0.999),
      max: this.maxMs,
    };
  }

  clear(): void {
    if (this.count === 0) return;
    this.#counts.fill(0, this.#lowest, this.#highest + 1);
    this.count = 0;
    this.#maxUs = 0;
    this.#lowest = SIZE;
    this.#highest = 0;
  }

  /** HdrHistogram V2, compressed, base64; values in µs. */
  encode(): string {
    const histogram = hdr.build({
      bitBucketSize: 32,
      autoResize: false,
      lowestDiscernibleValue: 1,
      highestTrackableValue: MAX_US,
      numberOfSignificantValueDigits: 3,
    });
    for (let index = this.#lowest; index <= this.#highest; index++) {
      const count = this.#counts[index] as number;
      if (count > 0) histogram.recordValueWithCount(Math.min(highestOf(index), this.#maxUs), count);
    }
    return hdr.encodeIntoCompressedBase64(histogram);
  }
}

/** Below 2048 each µs has its own bucket; above, each power of two is cut in 1024. */
function indexOf(us: number): number {
  const shift = us < 2 * SUB_BUCKETS_HALF ? 0 : 21 - Math.clz32(us);
  return shift * SUB_BUCKETS_HALF + (us >>> shift);
}

function highestOf(index: number): number {
  if (index < 2 * SUB_BUCKETS_HALF) return index;
  const shift = Math.floor(index / SUB_BUCKETS_HALF) - 1;
  const sub = index - shift * SUB_BUCKETS_HALF;
  return (sub + 1) * 2 ** shift - 1;
}
