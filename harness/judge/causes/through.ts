// An attempt that went through an entry (docs/causes.md, "Through an entry"): on which hop it was lost, and why there.
// Decided by what the entry's own pods, the target's pods and endpoints did, never by the status alone; the entry's access
// log and the direct line only add to that.
import { LAG_BOUND_MS, type Routing } from '../../journal/endpoints.ts';
import type { PodLife } from '../../journal/pods.ts';
import type { PlacedFailure, Stream } from '../../journal/streams.ts';
import type { AccessLine } from '../../model/access.ts';
import type { Hop } from '../../model/entry.ts';
import type { Confidence, Fact, LaneResult } from '../../model/results.ts';
import { at } from '../../words/figures.ts';
import { appError } from './app-error.ts';
import { type LostAttempt, type Share, unknown } from './attempt.ts';
import { cutOff, stopAround } from './cut-off.ts';
import { decideCause, harnessNoise } from './decide.ts';
import { notAccepted } from './not-accepted.ts';
import type { Scene } from './scene.ts';

export type AccessFact = AccessLine & {
  /** The entry's pod that wrote it, the journal's line, and when it was read. */
  readonly pod: string;
  readonly line: number;
  readonly readMs: number;
};

export interface Way {
  /** Of the entry. */
  readonly name: string;
  /** The entry's own pods and endpoints in the target's place; undefined: they are not known. */
  readonly own: Scene | undefined;
  /** Losses of the direct line between two times; undefined: it was not measured beside. */
  readonly direct: ((fromMs: number, toMs: number) => readonly PlacedFailure[]) | undefined;
  /** What the entry wrote about the attempt with this number. */
  accessOf(sequence: number | undefined): AccessFact | undefined;
  /** The target's pod with this address. */
  podAt(address: string): string | undefined;
  /** What the target received more than once, and what the entry says it sent again. */
  retries(streams: readonly Stream[]): Pick<LaneResult, 'deliveries' | 'retriedByLog'>;
}

/** A proxy keeps a list of its own: it hears of a change by a watch and may gather changes for seconds (Traefik: 2 s). */
const PROXY_LAG_MS = 2500;
/** Losses of both lines this close are of the same moment. */
const SAME_MOMENT_MS = 1000;
/** An answer within this time was not waited for: nothing timed out. */
const AT_ONCE_MS = 1000;

export function decideThrough(attempt: LostAttempt, scene: Scene, way: Way): readonly Share[] {
  const noise = harnessNoise(attempt, scene);
  if (noise) return [noise];
  const shares = isAnswer(attempt) ? answered(attempt, scene, way) : unanswered(attempt, scene, way);
  return shares.map((share) => withDirect(share, attempt, way));
}

/** What is known of the connection to the entry says nothing of the one to the pod. */
const nobody = { pod: undefined, podKnownBy: undefined, asked: undefined };

const isAnswer = ({ outcome }: LostAttempt): boolean =>
  outcome === 'http3xx' || outcome === 'http4xx' || outcome === 'http5xx';

const on = (hop: Hop, shares: readonly Share[], more: Partial<Share> = {}): readonly Share[] =>
  shares.map((share) => ({ ...share, hop, ...more, facts: [...share.facts, ...(more.facts ?? [])] }));

const isUnknown = (shares: readonly Share[]): boolean => shares.every(({ cause }) => cause === 'unknown');

/** Somebody answered: the app, or the entry in its place. */
function answered(attempt: LostAttempt, scene: Scene, way: Way): readonly Share[] {
  const status = attempt.status ?? 0;
  if (attempt.podKnownBy === 'answer' && attempt.pod !== undefined)
    return byApp(
      attempt,
      scene.pods.get(attempt.pod),
      scene,
      'the answer carries the name of its pod',
      'high',
    );
  const access = way.accessOf(attempt.sequence);
  const asked = access?.upstream === undefined ? undefined : scene.pods.get(way.podAt(access.upstream) ?? '');
  const facts = access ? [accessFact(access, way)] : [];
  switch (access?.answered) {
    case 'app':
      return on('pod', byApp(attempt, asked, scene, 'the entry’s access log says so', 'high'), { facts });
    case 'no-route':
      return on('client-entry', notConfigured(attempt, way), { facts });
    case 'no-endpoint':
      return on('entry-pod', withoutEndpoint(attempt, scene), { facts });
    case 'refused':
    case 'cut':
    case 'timeout':
    case 'proxy':
      return on('entry-pod', betweenEntryAndPod(attempt, asked, scene, way, access), { facts });
    default:
      break;
  }
  if (status === 404 && way.own && !isUnknown(ownChange(attempt, way.own)))
    return on('client-entry', notConfigured(attempt, way));
  const byDirect = sameAnswers(attempt, way);
  if (byDirect) return on('pod', byApp(attempt, undefined, scene, byDirect, 'medium'));
  if (status === 502 || status === 503 || status === 504)
    return on('entry-pod', betweenEntryAndPod(attempt, undefined, scene, way, undefined));
  return on('pod', [appError(attempt, undefined, scene, `answered ${status}`)]);

  /** The direct line got the same answer just then, where nothing but pods answers; what its pod was need not be known. */
  function sameAnswers(lost: LostAttempt, { direct }: Way): string | undefined {
    const near = direct?.(lost.startMs - SAME_MOMENT_MS, lost.endMs + SAME_MOMENT_MS) ?? [];
    const alike = near.filter(({ outcome }) => outcome === lost.outcome);
    const found =
      alike.find(({ pod }) => pod !== undefined) ?? alike.find(({ status: same }) => same === status);
    if (!found) return undefined;
    const who = found.pod === undefined ? 'a pod' : `pod ${found.pod}`;
    return `${who} answered ${found.status ?? found.outcome} to a request that came by the Service at ${at(found.startMs)}`;
  }
}

function byApp(
  attempt: LostAttempt,
  pod: PodLife | undefined,
  scene: Scene,
  how: string,
  confidence: Confidence,
): readonly Share[] {
  const share = appError(attempt, pod, scene, `answered ${attempt.status ?? attempt.outcome}`);
  return [
    {
      ...share,
      cause: 'app-error',
      hop: 'pod',
      confidence,
      pods: share.pods.length > 0 ? share.pods : attempt.pod === undefined ? [] : [attempt.pod],
      facts: [
        ...share.facts.filter(() => share.cause === 'app-error'),
        { text: `the app itself answered ${attempt.status}: ${how}`, tMs: attempt.endMs },
      ],
    },
  ];
}

function notConfigured(attempt: LostAttempt, way: Way): readonly Share[] {
  const change = way.own ? ownChange(attempt, way.own) : [];
  const [share] = change;
  return [
    {
      cause: 'app-error',
      weight: 1,
      pods: share?.pods ?? [],
      facts: [
        {
          text: `entry ${way.name} answered ${attempt.status}: no rule of its own led on`,
          tMs: attempt.endMs,
        },
        ...(share && !isUnknown(change) ? share.facts : []),
      ],
      confidence: isUnknown(change) ? 'medium' : 'high',
    },
  ];
}

/** Was one of the entry's own pods starting or stopping? */
const ownChange = (attempt: LostAttempt, own: Scene): readonly Share[] => [
  appError({ ...attempt, ...nobody }, undefined, own, `answered ${attempt.status}`),
];

/** As the entry sees its request to a pod. */
const asSeen = (
  attempt: LostAttempt,
  fields: Pick<LostAttempt, 'outcome' | 'phase' | 'reused'>,
): LostAttempt => ({ ...attempt, ...fields, race: false, bytes: 0, ...nobody });

/** The entry took the request and got no answer: what the pods that it may have asked were doing. */
function betweenEntryAndPod(
  attempt: LostAttempt,
  asked: PodLife | undefined,
  scene: Scene,
  way: Way,
  access: AccessFact | undefined,
): readonly Share[] {
  const timedOut = attempt.status === 504 || access?.answered === 'timeout';
  const refused = asSeen(attempt, {
    outcome: timedOut ? 'timeout' : 'refused',
    phase: 'connect',
    reused: false,
  });
  const cut = asSeen(attempt, {
    outcome: timedOut ? 'timeout' : 'reset',
    phase: 'first-byte',
    reused: false,
  });
  const empty = attempt.status === 503 || access?.answered === 'no-endpoint';
  for (const [extraMs, confidence] of [
    [0, undefined],
    [PROXY_LAG_MS, 'medium'],
  ] as const) {
    const later = extraMs === 0 ? scene : { ...scene, routing: lagging(scene.routing, extraMs) };
    const candidates = asked ? [asked] : candidatesOf(attempt, later);
    const during = candidates.filter((pod) => {
      const stop = stopAround(cut, pod, scene);
      return stop !== undefined && attempt.startMs < stop.endMs;
    });
    const orders =
      during.length > 0
        ? [() => cutOff(cut, asked ?? only(during), later), () => notAccepted(refused, asked, later)]
        : [() => notAccepted(refused, asked, later), () => cutOff(cut, asked, later)];
    for (const decide of orders) {
      const shares = decide().filter(({ cause }) => cause !== 'no-endpoint' || empty);
      if (shares.length > 0 && !isUnknown(shares))
        return shares.map((share) => (confidence && !asked ? { ...share, confidence: lower(share) } : share));
    }
  }
  return [keptByEntry(attempt, asked, way, access, timedOut)];
}

const only = (pods: readonly PodLife[]): PodLife | undefined => (pods.length === 1 ? pods[0] : undefined);
const lower = ({ confidence }: Share): Confidence => (confidence === 'high' ? 'medium' : confidence);

/** Pods that may have been in the entry's list. */
function candidatesOf(attempt: LostAttempt, scene: Scene): PodLife[] {
  const lagMs = LAG_BOUND_MS + scene.routing.delayAt(attempt.startMs);
  const names = new Set(
    scene.routing.possible(attempt.startMs, lagMs, scene.watchErrorMs).flatMap(({ routed }) => [...routed]),
  );
  return [...names].flatMap((name) => scene.pods.get(name) ?? []);
}

const lagging = (routing: Routing, ms: number): Routing => ({
  ...routing,
  delayAt: (atMs) => routing.delayAt(atMs) + ms,
});

/** No endpoint to ask: when the target's own endpoints say so, surely. */
function withoutEndpoint(attempt: LostAttempt, scene: Scene): readonly Share[] {
  const seen = asSeen(attempt, { outcome: 'refused', phase: 'connect', reused: false });
  for (const extraMs of [0, PROXY_LAG_MS]) {
    const later = extraMs === 0 ? scene : { ...scene, routing: lagging(scene.routing, extraMs) };
    const found = notAccepted(seen, undefined, later).filter(({ cause }) => cause === 'no-endpoint');
    if (found.length > 0) return found.map((share) => ({ ...share, weight: 1 / found.length }));
  }
  return [
    {
      cause: 'no-endpoint',
      weight: 1,
      pods: [],
      facts: [{ text: 'the entry knew no endpoint, although the Service had some', tMs: attempt.endMs }],
      confidence: 'medium',
    },
  ];
}

/**
 * No pod was starting or stopping, and nothing timed out: the entry sent the request over a connection that it had kept,
 * just when the pod closed it. What says so is that everything else went well.
 */
function keptByEntry(
  attempt: LostAttempt,
  asked: PodLife | undefined,
  way: Way,
  access: AccessFact | undefined,
  timedOut: boolean,
): Share {
  const tookMs = attempt.endMs - attempt.startMs;
  const direct = way.direct?.(attempt.startMs - SAME_MOMENT_MS, attempt.endMs + SAME_MOMENT_MS);
  const quiet = direct !== undefined && direct.length === 0;
  if (timedOut || tookMs > AT_ONCE_MS || (attempt.status !== 502 && access?.answered !== 'cut')) {
    return unknown(
      `entry ${way.name} answered ${attempt.status ?? attempt.outcome} after ${at(tookMs)}, and no pod that it may have asked was starting or stopping`,
      { tMs: attempt.endMs },
    );
  }
  const facts: Fact[] = [
    {
      text: `entry ${way.name} answered ${attempt.status} within ${at(tookMs)} although no pod that it may have asked was starting or stopping: a connection that it had kept was closed as the request went over it`,
      tMs: attempt.endMs,
      ...(asked && { pod: asked.name }),
    },
    ...(quiet
      ? [{ text: 'the direct line, which opens connections of its own, lost nothing at that time' }]
      : []),
  ];
  return {
    cause: 'kept-connection-cut',
    weight: 1,
    pods: asked ? [asked.name] : [],
    facts,
    confidence: quiet && access !== undefined ? 'high' : quiet || access !== undefined ? 'medium' : 'low',
  };
}

/** No answer came: the entry itself was not there, or it passed on that a pod broke off. */
function unanswered(attempt: LostAttempt, scene: Scene, way: Way): readonly Share[] {
  const begun = attempt.bytes > 0;
  const access = way.accessOf(attempt.sequence);
  const asked = access?.upstream === undefined ? undefined : scene.pods.get(way.podAt(access.upstream) ?? '');
  const facts = access ? [accessFact(access, way)] : [];
  const byOwn = () => {
    if (!way.own) return undefined;
    // The node's kernel knows to which of the entry's own pods the connection was sent.
    const kernel = attempt.podKnownBy === 'kernel';
    const shares = decideCause(kernel ? attempt : { ...attempt, ...nobody }, way.own);
    return isUnknown(shares) ? undefined : on('client-entry', shares);
  };
  const byPod = () => {
    if (attempt.phase === 'connect' || attempt.phase === 'tls') return undefined;
    const seen = { ...attempt, reused: false, ...nobody };
    const shares = cutOff(seen, asked, { ...scene, routing: lagging(scene.routing, PROXY_LAG_MS) });
    return isUnknown(shares) ? undefined : on('entry-pod', shares, { facts });
  };
  const decided = begun ? (byPod() ?? byOwn()) : (byOwn() ?? byPod());
  if (decided) return decided;
  if (attempt.phase === 'connect' || attempt.phase === 'tls' || attempt.outcome === 'dns') {
    const going = way.own && ownPodsGoing(attempt, way.own);
    if (going) return [going];
    const text = way.own
      ? `entry ${way.name} did not take the connection, and none of its pods was starting or stopping`
      : `entry ${way.name} did not take the connection; its own pods are not known`;
    return on('client-entry', [unknown(text, { tMs: attempt.endMs })]);
  }
  const apart = decideCause({ ...attempt, ...nobody }, noPods(scene));
  return on('client-entry', apart);
}

/**
 * The entry's own pods say nothing of when they stop listening, so that the moment is known to the watch's latency only. One
 * that is on its way out, or was until the routing may have forgotten it, explains why nobody took the connection.
 */
function ownPodsGoing(attempt: LostAttempt, own: Scene): Share | undefined {
  const going = [...own.pods.values()].filter(({ terminating, deleted, endings }) => {
    if (!terminating || terminating.atMs - own.watchErrorMs > attempt.endMs) return false;
    const endMs = deleted?.atMs ?? endings.at(-1)?.atMs ?? Number.POSITIVE_INFINITY;
    return attempt.startMs <= endMs + LAG_BOUND_MS;
  });
  if (going.length === 0) return undefined;
  return {
    cause: 'routed-after-stop',
    hop: 'client-entry',
    weight: 1,
    pods: going.map(({ name }) => name),
    facts: going.map(({ name, terminating }) => ({
      text: `pod ${name} of the entry was being deleted from ${at(terminating?.atMs ?? 0)} on`,
      tMs: terminating?.atMs,
      pod: name,
      line: terminating?.line,
    })),
    confidence: going.length === 1 ? 'medium' : 'low',
  };
}

/** Nothing is known of the entry's pods: what the attempt alone says. */
const noPods = (scene: Scene): Scene => ({ ...scene, pods: new Map() });

function accessFact(access: AccessFact, { name }: Way): Fact {
  const whom = access.upstream === undefined ? '' : `, having asked ${access.upstream}`;
  const often = access.retries > 0 ? `, ${access.retries} times more` : '';
  const flags = access.flags === undefined ? '' : ` (${access.flags})`;
  return {
    text: `pod ${access.pod} of entry ${name} logged status ${access.status}${flags}${whom}${often}`,
    tMs: access.readMs,
    line: access.line,
  };
}

/** The same pod lost attempts of the direct line at the same time: what the entry saw was the pod's doing. */
function withDirect(share: Share, attempt: LostAttempt, { direct }: Way): Share {
  if (share.hop !== 'entry-pod' || share.cause === 'kept-connection-cut') return share;
  const losses = direct?.(attempt.startMs - SAME_MOMENT_MS, attempt.endMs + SAME_MOMENT_MS) ?? [];
  if (losses.length === 0) return share;
  return {
    ...share,
    facts: [...share.facts, { text: 'the direct line lost attempts at the same time' }],
  };
}
