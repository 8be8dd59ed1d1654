// Percentiles against the histograms that they were read from.
import { decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { Percentiles, StreamEnd, StreamPlan } from '../../model/load.ts';
import { answeredAtLeast } from './answered.ts';
import { ROUNDING_MS } from './broken.ts';

const shares = [
  ['p50', 50],
  ['p90', 90],
  ['p99', 99],
  ['p999', 99.9],
  ['max', 100],
] as const;

export function* brokenHistograms(end: StreamEnd, plan: StreamPlan | undefined): Generator<string> {
  const { histograms } = end;
  const answered = answeredAtLeast(end);
  const closedLoop = plan?.rate.shape === 'constant' && plan.rate.ratePerSecond === 0;
  const sends = closedLoop ? 0 : end.scheduled;
  const all = [
    ['latencyMs', end.latencyMs, histograms?.latency, answered.least, answered.most],
    ['serviceMs', end.serviceMs, histograms?.service, answered.least, answered.most],
    ['sendLagMs', end.sendLagMs, histograms?.sendLag, sends, sends],
  ] as const;
  for (const [name, percentiles, encoded, least, most] of all) {
    let before = 0;
    for (const [share] of shares) {
      if (percentiles[share] < before) yield `${name}.${share} is not below the one before it`;
      before = percentiles[share];
    }
    if (encoded === undefined) continue;
    const histogram = decoded(encoded);
    if (!histogram) {
      yield `histograms.${name.slice(0, -2)} is an HdrHistogram`;
      continue;
    }
    const { totalCount } = histogram;
    if (totalCount < least || totalCount > most) {
      yield `histograms.${name.slice(0, -2)} has ${totalCount} values, ${least} were measured`;
    }
    yield* brokenPercentiles(name, percentiles, histogram);
  }
}

/**
 * The largest value is known to the µs; a percentile is its bucket's upper edge, but never above it. Agent and library
 * round the rank differently, by one at most.
 */
function* brokenPercentiles(name: string, percentiles: Percentiles, histogram: Histogram): Generator<string> {
  const { totalCount } = histogram;
  if (totalCount === 0) {
    if (percentiles.max > 0) yield `${name} of nothing is 0`;
    return;
  }
  // The library makes a rank of the percentile again and rounds it up: from the middle between two ranks it is the upper
  // one, whatever the last digit of a double says.
  const edgeMs = (rank: number) =>
    histogram.getValueAtPercentile(((Math.min(totalCount, Math.max(1, rank)) - 0.5) / totalCount) * 100) /
    1000;
  const highestMs = edgeMs(totalCount);
  // The maximum is finer than the histogram's three digits.
  if (percentiles.max > highestMs + ROUNDING_MS || percentiles.max < highestMs * 0.998 - ROUNDING_MS) {
    yield `${name}.max (${percentiles.max} ms) is that of its histogram (${highestMs} ms)`;
  }
  for (const [share, percent] of shares) {
    if (share === 'max') continue;
    const rank = Math.floor((percent / 100) * totalCount + 0.5);
    const edges = [rank - 1, rank, rank + 1].map((one) => Math.min(edgeMs(one), percentiles.max));
    if (edges.some((edge) => Math.abs(edge - percentiles[share]) <= ROUNDING_MS)) continue;
    yield `${name}.${share} (${percentiles[share]} ms) is that of its histogram (${edges[1]} ms)`;
  }
}

function decoded(encoded: string): Histogram | undefined {
  try {
    return decodeFromCompressedBase64(encoded) as Histogram;
  } catch {
    return undefined;
  }
}
