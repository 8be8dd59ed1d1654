// Adding up what several agents (or many frames of one) counted: exact for counts, buckets and histograms, because each
// agent fires its own share of one schedule.
import * as hdr from 'hdr-histogram-js';
import {
  type Bucket,
  type OutcomeCounts,
  outcomes,
  type Percentiles,
  percentilesSchema,
  type StreamEnd,
} from './load.ts';

/** Adds increments to the buckets by number. */
export function addBuckets(into: Map<number, Bucket>, buckets: readonly Bucket[]): void {
  for (const bucket of buckets) {
    const known = into.get(bucket.i);
    into.set(bucket.i, known ? sumOfBuckets(known, bucket) : bucket);
  }
}

export function addOutcomes(a: OutcomeCounts, b: OutcomeCounts): OutcomeCounts {
  const sum: OutcomeCounts = {};
  for (const outcome of outcomes) {
    const count = (a[outcome] ?? 0) + (b[outcome] ?? 0);
    if (count > 0) sum[outcome] = count;
  }
  return sum;
}

/**
 * The end of one stream that several agents fired. Percentiles come from the merged histograms; where one of them is
 * missing, each is the highest of the agents' own (an upper bound). Throws on an empty list.
 */
export function mergeStreamEnds(ends: readonly StreamEnd[]): StreamEnd {
  const [first, ...others] = ends;
  if (!first) throw new Error('mergeStreamEnds: no stream end to merge');
  return others.reduce(sumOfEnds, first);
}

/** Merges HdrHistograms (V2, compressed, base64; µs) into one of the same form. */
export function mergeHistograms(encoded: readonly string[]): string {
  return hdr.encodeIntoCompressedBase64(sumOfHistograms(encoded));
}

/** Percentiles in ms of an encoded histogram of µs. */
export function percentilesOf(encoded: string): Percentiles {
  const histogram = hdr.decodeFromCompressedBase64(encoded);
  // The maximum of an empty histogram is 0, and so are its percentiles.
  const at = (percent: number) =>
    histogram.totalCount > 0 ? histogram.getValueAtPercentile(percent) / 1000 : 0;
  return { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) };
}

function sumOfBuckets(a: Bucket, b: Bucket): Bucket {
  const pods = a.pods || b.pods ? sumOfCounts(a.pods ?? {}, b.pods ?? {}) : undefined;
  return {
    i: a.i,
    sent: a.sent + b.sent,
    shed: a.shed + b.shed,
    outcomes: addOutcomes(a.outcomes, b.outcomes),
    ...(pods && { pods }),
    maxMs: Math.max(a.maxMs, b.maxMs),
  };
}

/** By name. */
export function sumOfCounts(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> {
  const sum: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

function sumOfEnds(a: StreamEnd, b: StreamEnd): StreamEnd {
  const histograms =
    a.histograms && b.histograms
      ? {
          latency: mergeHistograms([a.histograms.latency, b.histograms.latency]),
          service: mergeHistograms([a.histograms.service, b.histograms.service]),
          sendLag: mergeHistograms([a.histograms.sendLag, b.histograms.sendLag]),
        }
      : undefined;
  const slower = (x: Percentiles, y: Percentiles): Percentiles =>
    percentilesSchema.parse(
      Object.fromEntries(
        Object.keys(x).map((name) => [
          name,
          Math.max(x[name as keyof Percentiles], y[name as keyof Percentiles]),
        ]),
      ),
    );
  return {
    stream: a.stream,
    lane: a.lane,
    scheduled: a.scheduled + b.scheduled,
    attempts: a.attempts + b.attempts,
    shed: a.shed + b.shed,
    inFlight: a.inFlight + b.inFlight,
    outcomes: addOutcomes(a.outcomes, b.outcomes),
    races: a.races + b.races,
    phases: sumOfCounts(a.phases, b.phases),
    failuresListed: a.failuresListed + b.failuresListed,
    failuresDropped: a.failuresDropped + b.failuresDropped,
    connectionsOpened: a.connectionsOpened + b.connectionsOpened,
    ...((a.counters || b.counters) && { counters: sumOfCounts(a.counters ?? {}, b.counters ?? {}) }),
    durationMs: Math.max(a.durationMs, b.durationMs),
    latencyMs: histograms ? percentilesOf(histograms.latency) : slower(a.latencyMs, b.latencyMs),
    serviceMs: histograms ? percentilesOf(histograms.service) : slower(a.serviceMs, b.serviceMs),
    sendLagMs: histograms ? percentilesOf(histograms.sendLag) : slower(a.sendLagMs, b.sendLagMs),
    ...(histograms && { histograms }),
    brokenIdentities: [...a.brokenIdentities, ...b.brokenIdentities],
  };
}

function sumOfHistograms(encoded: readonly string[]): hdr.Histogram {
  const [first, ...others] = encoded.map((one) => hdr.decodeFromCompressedBase64(one));
  if (!first) throw new Error('mergeHistograms: no histogram to merge');
  for (const other of others) first.add(other);
  return first;
}
