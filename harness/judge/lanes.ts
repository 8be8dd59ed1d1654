// The result of one lane: counts merged over agents, windows, outage, rates and causes.

import { addOutcomes, countLost, type Stream } from '../journal/streams.ts';
import type { Hop } from '../model/entry.ts';
import { BUCKET_MS, isLost, type Lane, type OutcomeCounts, type Percentiles } from '../model/load.ts';
import { sumOfCounts } from '../model/merge-load.ts';
import type { Cause, LaneResult, LossWindow } from '../model/results.ts';
import { attributeWindows } from './causes/attribute.ts';
import type { Scene } from './causes/scene.ts';
import type { Way } from './causes/through.ts';
import { judgeOpenStreams } from './open-streams.ts';
import { judgePodShares } from './pod-shares.ts';
import { lossRate } from './statistics.ts';
import { longestOutage, lossWindows, type Window } from './windows.ts';

interface JudgedLane {
  readonly result: LaneResult;
  /** The last attempt that was surely routed to a pod that had stopped, by pod, ms. */
  readonly lastRouted: ReadonlyMap<string, number>;
}

/** `streams`: those of one lane (usually one). */
export function judgeLane(
  lane: Lane,
  streams: readonly Stream[],
  agents: number,
  scene: Scene,
  /** When the first step began. */
  changeMs: number,
  way?: Way,
): JudgedLane {
  const outcomes: OutcomeCounts = {};
  for (const stream of streams) addOutcomes(outcomes, stream.outcomes);
  const sum = (pick: (stream: Stream) => number) =>
    streams.reduce((value, stream) => value + pick(stream), 0);
  const attempts = sum((stream) => stream.attempts);
  const lost = countLost(outcomes);
  const runs = streams.flatMap((stream) => stream.runs);
  const spacingMs = Math.max(0, ...streams.map((stream) => stream.spacingMs));
  const windows = lossWindows(runs, spacingMs);
  const { windows: attributed, lastRouted } = attributeWindows(lane, streams, windows, scene, way);
  const result: LaneResult = {
    scheduled: sum((stream) => stream.scheduled),
    attempts,
    shed: sum((stream) => stream.shed),
    shedInWindows: shedInside(streams, windows),
    outcomes,
    lost,
    races: sum((stream) => stream.races),
    longestOutageMs: longestOutage(runs, agents, spacingMs),
    recoveredMs: recovery(streams, windows),
    // Neither stopped by an interrupt nor by this machine: what says something about the target.
    lossRate: lossRate(lost, attempts - (outcomes.aborted ?? 0) - (outcomes.local ?? 0)),
    latencyMs: worst(streams.map((stream) => stream.latencyMs)),
    sendLagMs: worst(streams.map((stream) => stream.sendLagMs)),
    causes: sumCauses(attributed),
    ...(way && { hops: sumHops(attributed), ...way.retries(streams) }),
    ...countersOf(streams),
    ...podSharesOf(lane, streams, changeMs),
    ...tlsReasonsOf(streams),
    ...(lane === 'stream' && {
      openStreams: judgeOpenStreams(
        sum((stream) => stream.connections),
        streams.flatMap((stream) => stream.lives),
      ),
    }),
    windows: attributed,
  };
  return { result, lastRouted };
}

/** Of handshakes that failed, as far as failures are listed: how many each reason. */
function tlsReasonsOf(streams: readonly Stream[]): Pick<LaneResult, 'tlsReasons'> {
  const reasons: Record<string, number> = {};
  for (const { outcome, code } of streams.flatMap((stream) => stream.failures))
    if (outcome === 'tls') reasons[code] = (reasons[code] ?? 0) + 1;
  return Object.keys(reasons).length > 0 ? { tlsReasons: reasons } : {};
}

function podSharesOf(
  lane: Lane,
  streams: readonly Stream[],
  changeMs: number,
): Pick<LaneResult, 'podShares'> {
  const podShares = lane === 'kept' || lane === 'stream' ? judgePodShares(streams, changeMs) : undefined;
  return podShares ? { podShares } : {};
}

function countersOf(streams: readonly Stream[]): Pick<LaneResult, 'counters'> {
  const counters = streams.reduce<Record<string, number>>((sum, one) => sumOfCounts(sum, one.counters), {});
  return Object.keys(counters).length > 0 ? { counters } : {};
}

/** From the first lost attempt's due time to the last loss's end (a timeout ends later than the next success is due). */
function recovery(streams: readonly Stream[], windows: readonly Window[]): number {
  const first = windows[0];
  const last = windows.at(-1);
  if (!first || !last) return 0;
  return Math.max(last.lastLostMs, lastEnd(streams)) - first.startMs;
}

const lastEnd = (streams: readonly Stream[]) => {
  let endMs = Number.NEGATIVE_INFINITY;
  for (const stream of streams) {
    for (const failure of stream.failures)
      if (isLost(failure.outcome)) endMs = Math.max(endMs, failure.endMs);
  }
  return endMs;
};

/** Arrivals shed while a window's lost attempts still hung. */
function shedInside(streams: readonly Stream[], windows: readonly Window[]): number {
  const spans = windows.map((window) => ({ fromMs: window.startMs, toMs: window.endMs }));
  for (const stream of streams) {
    for (const { dueMs, endMs } of stream.failures) {
      const span = spans.find((one) => one.fromMs <= dueMs && dueMs <= one.toMs + BUCKET_MS);
      if (span) span.toMs = Math.max(span.toMs, endMs);
    }
  }
  let shed = 0;
  for (const stream of streams) {
    for (const [index, bucket] of stream.buckets) {
      if (bucket.shed === 0) continue;
      const fromMs = index * BUCKET_MS;
      if (spans.some((span) => span.fromMs <= fromMs + BUCKET_MS && fromMs <= span.toMs)) shed += bucket.shed;
    }
  }
  return shed;
}

const worst = (parts: readonly Percentiles[]): Percentiles => {
  const of = (name: keyof Percentiles) => Math.max(0, ...parts.map((part) => part[name]));
  return { p50: of('p50'), p90: of('p90'), p99: of('p99'), p999: of('p999'), max: of('max') };
};

function sumHops(windows: readonly LossWindow[]): NonNullable<LaneResult['hops']> {
  const sums: Partial<Record<Hop, number>> = {};
  for (const { hop, lost } of windows.flatMap((window) => window.causes))
    if (hop) sums[hop] = (sums[hop] ?? 0) + lost;
  return sums;
}

function sumCauses(windows: readonly LossWindow[]): Partial<Record<Cause, number>> {
  const causes: Partial<Record<Cause, number>> = {};
  for (const window of windows) {
    for (const { cause, lost } of window.causes) causes[cause] = (causes[cause] ?? 0) + lost;
  }
  return causes;
}
