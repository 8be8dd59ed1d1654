// A new connection that was accepted, and then cut or left alone: the end of which pod did it.

import { LAG_BOUND_MS } from '../../journal/endpoints.ts';
import type { PodLife } from '../../journal/pods.ts';
import type { Cause, Confidence, Fact } from '../../model/results.ts';
import { at } from '../../words/figures.ts';
import { acceptanceAt, exitWords, type Stop, stopsOf } from './acceptance.ts';
import { type Candidate, type Cut, type LostAttempt, type Share, unknown } from './attempt.ts';
import { sharesOf } from './routed-shares.ts';
import type { Scene } from './scene.ts';
import { hang, nodeFacts, nodeTrouble } from './trouble.ts';

export function cutOff(attempt: LostAttempt, known: PodLife | undefined, scene: Scene): readonly Share[] {
  const lagMs = LAG_BOUND_MS + scene.routing.delayAt(attempt.startMs);
  const names = known
    ? [known.name]
    : [
        ...new Set(
          scene.routing
            .possible(attempt.startMs, lagMs, scene.watchErrorMs)
            .flatMap((state) => [...state.routed]),
        ),
      ];
  const after: Candidate[] = [];
  const cuts: Cut[] = [];
  for (const name of names) {
    const pod = scene.pods.get(name);
    if (!pod) continue;
    const acceptance = acceptanceAt(pod, attempt.startMs, scene);
    const stop = stopAround(attempt, pod, scene, known !== undefined);
    if (known && isAsked(attempt)) {
      // Whatever the app had said by then: it was there, and took the connection with it.
      const near = stop ?? stopNear(attempt, pod, scene);
      if (near) cuts.push({ pod, stop: near });
      continue;
    }
    // The kernel took the connection, so the process was there; unless the pod had surely ended before.
    if (acceptance.state === 'stopped' && acceptance.sure && !(stop && stop.endMs >= attempt.startMs)) {
      after.push({ pod, acceptance, weight: 1 });
    } else if (stop) cuts.push({ pod, stop });
  }
  // A cut is the closer explanation: it happened while the request was under way.
  if (cuts.length > 0) return killed(cuts, 'killed-in-flight', known !== undefined);
  if (after.length > 0) {
    const possible = scene.routing.possible(attempt.startMs, lagMs, scene.watchErrorMs);
    return sharesOf(attempt, after, { states: [], weight: 0 }, possible, scene, true, known !== undefined);
  }
  const trouble = nodeTrouble(attempt, known, scene) ?? hang(attempt, known, scene);
  return [trouble ?? unknown('no pod that may have been asked was stopping at that time')];
}

/** It is known whom the connection was made to, and it was made. */
const isAsked = ({ podKnownBy }: LostAttempt): boolean => podKnownBy === 'kernel' || podKnownBy === 'route';

/** A watch event may come this much later than what it tells of where the machine is busy, ms (seen: 150). */
const LATE_WATCH_MS = 500;

/**
 * The stop during which this attempt was cut: a FIN or RST arrives at once, silence may have begun at any time. `known`:
 * it is this pod that was asked, so nothing else can have cut it, and its stop may have been seen late.
 */
export function stopAround(
  attempt: LostAttempt,
  pod: PodLife,
  scene: Scene,
  known = false,
): Stop | undefined {
  return stopsOf(pod, scene).find((stop) => {
    const earliestMs = stop.earliestMs - (known && stop.by === 'watch' ? LATE_WATCH_MS : 0);
    return attempt.outcome === 'timeout'
      ? earliestMs <= attempt.endMs && stop.latestMs >= attempt.startMs
      : earliestMs <= attempt.endMs && attempt.endMs <= stop.latestMs;
  });
}

/** A process says that it ends before it has, and watch events of it may come late, ms (seen: 700). */
const NEAR_MS = 2000;

/**
 * The stop at about the time of the cut. One that had not begun yet, as far as was seen, is it only where the kernel says
 * that the pod accepted nothing after the cut.
 */
export function stopNear(attempt: LostAttempt, pod: PodLife, scene: Scene): Stop | undefined {
  const heard = scene.listening.get(pod.name);
  if (heard?.firstAcceptedAfter(attempt.endMs) !== undefined) return undefined;
  const lateMs = heard && !scene.ignoreRouteKnowledge ? NEAR_MS : 0;
  return stopsOf(pod, scene).find(
    ({ earliestMs, latestMs }) => attempt.endMs >= earliestMs - lateMs && attempt.endMs <= latestMs + NEAR_MS,
  );
}

/** Attempts cut by the end of these pods: by kubelet or node, by SIGKILL at the end of the grace period, or `otherwise`. */
export function killed(cuts: readonly Cut[], otherwise: Cause, known: boolean): Share[] {
  const groups = new Map<Cause, Cut[]>();
  for (const cut of cuts) {
    const { pod } = cut;
    const cause: Cause = pod.graceExceeded
      ? 'grace-exceeded'
      : pod.nodeEvents.length > 0 && !pod.terminating
        ? 'node-event'
        : otherwise;
    groups.set(cause, [...(groups.get(cause) ?? []), cut]);
  }
  const confidence: Confidence =
    groups.size > 1
      ? 'low'
      : known || (cuts.length === 1 && cuts[0]?.stop.by === 'phase')
        ? cuts.every(({ stop }) => stop.by === 'phase')
          ? 'high'
          : 'medium'
        : 'medium';
  return [...groups].map(([cause, members]) => ({
    cause,
    weight: members.length / cuts.length,
    pods: members.map(({ pod }) => pod.name),
    facts: members.flatMap(({ pod, stop }) => [
      ...stop.texts.map(({ text, atMs, line }) => ({ text, tMs: atMs, pod: pod.name, line })),
      ...(cause === 'grace-exceeded' ? graceFacts(pod) : []),
      ...(cause === 'node-event' ? nodeFacts(pod) : []),
    ]),
    confidence,
  }));
}

function graceFacts(pod: PodLife): Fact[] {
  const { graceExceeded, preStopCut, graceMs } = pod;
  const facts: Fact[] = [];
  if (graceExceeded) {
    facts.push({
      text: `pod ${pod.name} was killed (${exitWords(graceExceeded.exitCode, graceExceeded.reason)}) when its grace period of ${at(graceMs ?? 0)} was over`,
      tMs: graceExceeded.atMs,
      pod: pod.name,
      line: graceExceeded.line,
    });
  }
  if (preStopCut) {
    facts.push({
      text: `the preStop hook of pod ${pod.name} was cut at ${at(preStopCut.atMs)}`,
      tMs: preStopCut.atMs,
      pod: pod.name,
      line: preStopCut.line,
    });
  }
  return facts;
}
