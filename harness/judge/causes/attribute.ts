// Attributes every lost attempt of a lane to causes, window by window, so that each window's causes add up to its losses
// exactly, including losses beyond the agents' bounded list of failures.

import type { Stream } from '../../journal/streams.ts';
import type { Hop } from '../../model/entry.ts';
import {
  BUCKET_MS,
  isLost,
  type Lane,
  lostOutcomes,
  type Outcome,
  type OutcomeCounts,
  type Phase,
} from '../../model/load.ts';
import type { Cause, CauseShare, Confidence, Fact, LossWindow } from '../../model/results.ts';
import { apportion } from '../statistics.ts';
import type { Window } from '../windows.ts';
import type { LostAttempt, Share } from './attempt.ts';
import { decideCause } from './decide.ts';
import type { Scene } from './scene.ts';
import { decideThrough, type Way } from './through.ts';

/** Facts listed per cause and window; what is more says the same of other pods. */
const MAX_FACTS = 24;

interface Attribution {
  readonly windows: readonly LossWindow[];
  /** The last attempt that was surely routed to a pod that had stopped, by pod, ms. */
  readonly lastRouted: ReadonlyMap<string, number>;
}

/** `streams`: those of one lane. */
export function attributeWindows(
  lane: Lane,
  streams: readonly Stream[],
  windows: readonly Window[],
  scene: Scene,
  /** What the line goes through; undefined: the Service alone. */
  way?: Way,
): Attribution {
  const lastRouted = new Map<string, number>();
  const groups = streams.flatMap((stream) => lostAttempts(lane, stream));
  const sums = windows.map(() => ({ counts: {} as OutcomeCounts, causes: new Map<string, CauseSum>() }));
  for (const { attempt, count } of groups) {
    const sum = sums[windowOf(windows, attempt.dueMs)];
    if (!sum) continue;
    sum.counts[attempt.outcome] = (sum.counts[attempt.outcome] ?? 0) + count;
    for (const share of way ? decideThrough(attempt, scene, way) : decideCause(attempt, scene)) {
      addShare(sum.causes, share, count);
      const [pod] = share.pods;
      if (share.cause !== 'routed-after-stop' || share.weight < 1 || share.pods.length !== 1 || !pod)
        continue;
      lastRouted.set(pod, Math.max(lastRouted.get(pod) ?? 0, attempt.startMs));
    }
  }
  const attributed = windows.map((window, index) => {
    const { counts, causes } = sums[index] as (typeof sums)[number];
    return {
      startMs: window.startMs,
      endMs: window.endMs,
      lost: window.lost,
      outcomes: counts,
      causes: causeShares(window.lost, causes),
    };
  });
  return { windows: attributed, lastRouted };
}

/** The window that a due time lies in, or the nearest one (a bucket's losses are placed in its middle). */
function windowOf(windows: readonly Window[], dueMs: number): number {
  let best = -1;
  let distance = Number.POSITIVE_INFINITY;
  for (const [index, { startMs, endMs }] of windows.entries()) {
    const away = dueMs < startMs ? startMs - dueMs : dueMs > endMs ? dueMs - endMs : 0;
    if (away < distance) {
      best = index;
      distance = away;
    }
  }
  return best;
}

interface CauseSum {
  readonly cause: Cause;
  readonly hop: Hop | undefined;
  weight: number;
  readonly pods: Set<string>;
  readonly facts: Map<string, Fact>;
  readonly confidence: Record<Confidence, number>;
}

function addShare(causes: Map<string, CauseSum>, share: Share, count: number): void {
  const key = `${share.hop ?? ''}/${share.cause}`;
  const sum = causes.get(key) ?? {
    cause: share.cause,
    hop: share.hop,
    weight: 0,
    pods: new Set<string>(),
    facts: new Map<string, Fact>(),
    confidence: { high: 0, medium: 0, low: 0 },
  };
  causes.set(key, sum);
  sum.weight += share.weight * count;
  sum.confidence[share.confidence] += share.weight * count;
  for (const pod of share.pods) sum.pods.add(pod);
  for (const fact of share.facts) {
    if (sum.facts.size >= MAX_FACTS) break;
    if (!sum.facts.has(fact.text)) sum.facts.set(fact.text, fact);
  }
}

function causeShares(lost: number, causes: ReadonlyMap<string, CauseSum>): CauseShare[] {
  const list = [...causes].sort(([, a], [, b]) => b.weight - a.weight);
  if (list.length === 0 && lost > 0) {
    const text = 'the journal lists none of these losses';
    return [{ cause: 'unknown', lost, pods: [], facts: [{ text }], confidence: 'low' }];
  }
  const parts = apportion(
    lost,
    list.map(([, sum]) => sum.weight),
  );
  return list
    .map(([, sum], index) => ({
      cause: sum.cause,
      ...(sum.hop && { hop: sum.hop }),
      lost: parts[index] ?? 0,
      pods: [...sum.pods],
      facts: [...sum.facts.values()],
      confidence: overall(sum),
    }))
    .filter((share) => share.lost > 0);
}

/** The confidence that at least half of the losses have. */
function overall({ weight, confidence }: CauseSum): Confidence {
  if (confidence.high >= weight / 2) return 'high';
  return confidence.high + confidence.medium >= weight / 2 ? 'medium' : 'low';
}

interface Group {
  readonly attempt: LostAttempt;
  readonly count: number;
}

/** Listed failures as they are; the rest, known by 100 ms counts only, in the middle of their bucket. */
function lostAttempts(lane: Lane, stream: Stream): Group[] {
  const failures = stream.failures.filter((failure) => isLost(failure.outcome));
  const groups: Group[] = failures.map((attempt) => ({ attempt, count: 1 }));
  if (failures.length >= stream.lost) return groups;
  const listed = new Map<string, number>();
  for (const { bucket, outcome } of failures) {
    const key = `${bucket}/${outcome}`;
    listed.set(key, (listed.get(key) ?? 0) + 1);
  }
  for (const [index, bucket] of stream.buckets) {
    for (const outcome of lostOutcomes) {
      const count = (bucket.outcomes[outcome] ?? 0) - (listed.get(`${index}/${outcome}`) ?? 0);
      if (count > 0) groups.push({ attempt: unlisted(lane, index, outcome), count });
    }
  }
  return groups;
}

function unlisted(lane: Lane, bucket: number, outcome: Outcome): LostAttempt {
  const atMs = (bucket + 0.5) * BUCKET_MS;
  const atConnect: ReadonlySet<Outcome> = new Set(['refused', 'unreachable', 'dns']);
  const connecting = atConnect.has(outcome) || (lane !== 'kept' && outcome === 'timeout');
  const phase: Phase = connecting ? 'connect' : 'first-byte';
  return {
    dueMs: atMs,
    startMs: atMs,
    endMs: atMs,
    outcome,
    phase,
    reused: lane === 'kept' && !connecting,
    race: false,
    bytes: 0,
  };
}
