// When each request is due: a pure function of the rate profile. Arrival k (from 0) is due when the profile's integral
// reaches k, so that arrivals are evenly spaced at a constant rate and follow steps and ramps without jumps.
import type { RateProfile } from '../model/load.ts';

interface PacerOptions {
  readonly profile: RateProfile;
  /** No arrival is due at or after this time, ms. */
  readonly maxDurationMs: number;
  /** Of arrivals k = 0, 1, 2 ... those with k % of = index are ours. */
  readonly split?: { readonly index: number; readonly of: number };
}

/** A straight line of rate (requests per second) over [fromMs, toMs); `before`: arrivals that fall due before it. */
interface Segment {
  readonly fromMs: number;
  toMs: number;
  readonly rateFrom: number;
  rateTo: number;
  readonly before: number;
}

export class Pacer {
  readonly #maxDurationMs: number;
  readonly #of: number;
  #segments: Segment[];
  #k: number;
  #dueMs: number;

  constructor({ profile, maxDurationMs, split = { index: 0, of: 1 } }: PacerOptions) {
    this.#maxDurationMs = maxDurationMs;
    this.#of = split.of;
    this.#segments = segmentsOf(profile);
    this.#k = split.index;
    this.#dueMs = this.#dueOf(this.#k);
  }

  /** Due time of the next arrival, ms since the start; Infinity when none follows. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Goes on to the arrival after it. */
  advance(): void {
    this.#k += this.#of;
    this.#dueMs = this.#dueOf(this.#k);
  }

  rateAt(ms: number): number {
    const segment = this.#segments.findLast((one) => one.fromMs <= ms) ?? (this.#segments[0] as Segment);
    return rateIn(segment, Math.max(ms, segment.fromMs));
  }

  /** From `nowMs` on the profile is a line from the present rate to this one, then constant. 0 pauses. */
  setRate(nowMs: number, ratePerSecond: number, overMs = 0): void {
    const present = this.rateAt(nowMs);
    const kept = this.#segments.filter((segment) => segment.fromMs < nowMs);
    const last = kept.at(-1);
    if (last && last.toMs > nowMs) {
      last.rateTo = present;
      last.toMs = nowMs;
    }
    const before = last ? arrivalsBefore(last, nowMs) : 0;
    if (overMs > 0)
      kept.push({ fromMs: nowMs, toMs: nowMs + overMs, rateFrom: present, rateTo: ratePerSecond, before });
    const ramp = kept.at(-1);
    const from = nowMs + Math.max(0, overMs);
    kept.push({
      fromMs: from,
      toMs: Number.POSITIVE_INFINITY,
      rateFrom: ratePerSecond,
      rateTo: ratePerSecond,
      before: overMs > 0 && ramp ? arrivalsBefore(ramp, from) : before,
    });
    this.#segments = kept;
    this.#dueMs = this.#dueOf(this.#k);
  }

  #dueOf(k: number): number {
    while (this.#segments.length > 1) {
      const first = this.#segments[0] as Segment;
      if (k < arrivalsBefore(first, first.toMs)) break;
      this.#segments.shift();
    }
    const dueMs = solve(this.#segments[0] as Segment, k);
    return dueMs < this.#maxDurationMs ? dueMs : Number.POSITIVE_INFINITY;
  }
}

function segmentsOf(profile: RateProfile): Segment[] {
  switch (profile.shape) {
    case 'constant':
      return chain([{ atMs: 0, ratePerSecond: profile.ratePerSecond }], 'steps');
    case 'steps':
      return chain(profile.steps, 'steps');
    case 'ramp':
      return chain(profile.points, 'ramp');
  }
}

function chain(
  points: readonly { atMs: number; ratePerSecond: number }[],
  shape: 'steps' | 'ramp',
): Segment[] {
  const sorted = points.toSorted((a, b) => a.atMs - b.atMs);
  const first = sorted[0] as { atMs: number; ratePerSecond: number };
  if (first.atMs > 0) sorted.unshift({ atMs: 0, ratePerSecond: first.ratePerSecond });
  const segments: Segment[] = [];
  let before = 0;
  for (const [index, point] of sorted.entries()) {
    const next = sorted[index + 1];
    const segment: Segment = {
      fromMs: Math.max(0, point.atMs),
      toMs: next?.atMs ?? Number.POSITIVE_INFINITY,
      rateFrom: point.ratePerSecond,
      rateTo: shape === 'ramp' && next ? next.ratePerSecond : point.ratePerSecond,
      before,
    };
    if (segment.toMs <= segment.fromMs) continue;
    segments.push(segment);
    if (next) before = arrivalsBefore(segment, next.atMs);
  }
  return segments;
}

function rateIn(segment: Segment, ms: number): number {
  if (segment.rateFrom === segment.rateTo) return segment.rateFrom;
  const share = Math.min(1, (ms - segment.fromMs) / (segment.toMs - segment.fromMs));
  return segment.rateFrom + (segment.rateTo - segment.rateFrom) * share;
}

/** Integral of the rate up to `ms`: before + mean rate × seconds. */
function arrivalsBefore(segment: Segment, ms: number): number {
  if (ms === Number.POSITIVE_INFINITY)
    return segment.rateFrom > 0 ? Number.POSITIVE_INFINITY : segment.before;
  return segment.before + ((segment.rateFrom + rateIn(segment, ms)) / 2) * ((ms - segment.fromMs) / 1000);
}

/**
 * Time at which the integral reaches k. Constant rate r: from + 1000 m / r with m = k − before (multiplied first, so
 * that 900 × 1000 / 300 is exactly 3000). A ramp solves a x² + b x = m for x in ms, with a = Δrate / 2000 / length and
 * b = rate / 1000, in the form that loses no digits: x = 2 m / (b + √(b² + 4 a m)).
 */
function solve(segment: Segment, k: number): number {
  const m = Math.max(0, k - segment.before);
  if (segment.rateFrom === segment.rateTo) {
    return segment.rateFrom > 0 ? segment.fromMs + (m * 1000) / segment.rateFrom : Number.POSITIVE_INFINITY;
  }
  const a = (segment.rateTo - segment.rateFrom) / 2000 / (segment.toMs - segment.fromMs);
  const b = segment.rateFrom / 1000;
  if (m === 0) return segment.fromMs;
  return segment.fromMs + (2 * m) / (b + Math.sqrt(Math.max(0, b * b + 4 * a * m)));
}
