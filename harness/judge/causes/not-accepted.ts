// A new connection that no pod accepted: which pods may have been asked, and which of them could not accept.
import { LAG_BOUND_MS, type RoutingState, SYNC_MS } from '../../journal/endpoints.ts';
import type { PodLife } from '../../journal/pods.ts';
import { at } from '../../words/figures.ts';
import { type Acceptance, acceptanceAt } from './acceptance.ts';
import { type Candidate, knownPod, type LostAttempt, type Share, unknown } from './attempt.ts';
import { byKernel } from './by-kernel.ts';
import { noEndpoint, sharesOf } from './routed-shares.ts';
import type { Scene } from './scene.ts';
import { hang, nodeTrouble } from './trouble.ts';

/**
 * The pods that the connection may have been sent to (routed to now or until less than the routing's lag ago) and that
 * could not accept it. First with the usual lag of one sync, then with the bound.
 */
export function notAccepted(
  attempt: LostAttempt,
  known: PodLife | undefined,
  scene: Scene,
): readonly Share[] {
  const told = byKernel(attempt, known, scene);
  if (told) return told;
  const atMs = attempt.startMs;
  const delayMs = scene.routing.delayAt(atMs);
  const unsure: Candidate[] = [];
  const lags = known ? [LAG_BOUND_MS + delayMs] : [SYNC_MS + delayMs, LAG_BOUND_MS + delayMs];
  for (const [tier, lagMs] of lags.entries()) {
    const possible = scene.routing.possible(atMs, lagMs, scene.watchErrorMs);
    const empty = possible.filter((state) => state.routed.size === 0);
    if (!known && possible.length > 0 && empty.length === possible.length) {
      return [noEndpoint(attempt, empty, scene, 'high')];
    }
    const names = known ? [known.name] : [...new Set(possible.flatMap((state) => [...state.routed]))];
    const fitting: Candidate[] = [];
    for (const name of names) {
      const pod = scene.pods.get(name);
      if (!pod) continue;
      const acceptance = acceptanceAt(pod, atMs, scene);
      const weight = known ? 1 : routedChance(possible, (state) => state.routed.has(name), atMs, delayMs);
      const candidate = { pod, acceptance, weight };
      if (acceptance.sure && fits(attempt, acceptance)) fitting.push(candidate);
      else if (!acceptance.sure) unsure.push(candidate);
    }
    const rejects = {
      states: known ? [] : empty,
      weight: routedChance(possible, (state) => state.routed.size === 0, atMs, delayMs),
    };
    const shares = sharesOf(attempt, fitting, rejects, possible, scene, tier > 0, known !== undefined);
    if (shares.length > 0) return shares;
  }
  const trouble = nodeTrouble(attempt, known, scene) ?? hang(attempt, known, scene);
  if (trouble) return [trouble];
  const close = unsure[0];
  if (close) {
    if (known && (attempt.outcome === 'refused' || leftBefore(known, atMs, scene)))
      return byRefusal(attempt, close, scene);
    const { moment } = close.acceptance;
    return [
      unknown(
        `${moment?.text ?? `pod ${close.pod.name} changed`}, too close to the attempt at ${at(atMs)} to tell which came first`,
        { tMs: moment?.atMs, line: moment?.line, pod: close.pod.name },
      ),
    ];
  }
  return [
    known
      ? unknown(`pod ${known.name} was asked, and no recorded fact says that it could not accept`, {
          pod: known.name,
        })
      : unknown('no pod that the Service may have routed to was unable to accept'),
  ];
}

/** It was being deleted: whether it had ended already or was about to makes no other cause. */
const leftBefore = ({ terminating }: PodLife, atMs: number, scene: Scene): boolean =>
  terminating !== undefined && atMs - terminating.atMs > scene.watchErrorMs;

/**
 * The pod that was asked is known and refused, close to a change of its state: that it refused tells on which side of
 * the change the attempt was, better than the clocks do. Or it did not answer, close to the end of a deleted pod.
 */
function byRefusal(attempt: LostAttempt, candidate: Candidate, scene: Scene): readonly Share[] {
  const { pod, acceptance } = candidate;
  const starting = acceptance.state === 'starting';
  const stopped: Candidate = {
    ...candidate,
    acceptance: { ...acceptance, state: starting ? 'starting' : 'stopped', sure: true },
  };
  const [share] = sharesOf(attempt, [stopped], { states: [], weight: 0 }, [], scene, false, true);
  if (!share) return [unknown(`pod ${pod.name} did not accept`, { pod: pod.name })];
  const text =
    attempt.outcome === 'refused'
      ? `pod ${pod.name} was asked and refused, so it was not listening, although the clocks alone do not tell`
      : `pod ${pod.name} was asked and did not answer; it was being deleted, whether or not it had ended already`;
  return [{ ...share, facts: [...share.facts, { text, pod: pod.name }], confidence: 'medium' }];
}

/**
 * The pod of which nothing is known but that it was fresh, when nothing else explains the attempt: it is known that it was
 * asked; or there was no pod that had stopped, was stopping or said itself that it was starting, and no time without
 * endpoints. The freshest of several.
 */
export function onlyFreshPod(attempt: LostAttempt, scene: Scene): PodLife | undefined {
  if (attempt.reused || attempt.phase !== 'connect') return undefined;
  const known = knownPod(attempt, scene);
  if (known) {
    const acceptance = acceptanceAt(known, attempt.startMs, scene);
    return acceptance.by === 'inferred' && fits(attempt, acceptance) ? known : undefined;
  }
  const lagMs = LAG_BOUND_MS + scene.routing.delayAt(attempt.startMs);
  const possible = scene.routing.possible(attempt.startMs, lagMs, scene.watchErrorMs);
  if (possible.some((state) => state.routed.size === 0)) return undefined;
  let freshest: PodLife | undefined;
  for (const name of new Set(possible.flatMap((state) => [...state.routed]))) {
    const pod = scene.pods.get(name);
    if (!pod) continue;
    const acceptance = acceptanceAt(pod, attempt.startMs, scene);
    if (acceptance.state === 'listening' && acceptance.sure) continue;
    if (acceptance.by !== 'inferred' || !fits(attempt, acceptance)) return undefined;
    if (!freshest || (pod.running?.atMs ?? 0) > (freshest.running?.atMs ?? 0)) freshest = pod;
  }
  return freshest;
}

const LEAST_CHANCE = 0.05;

/**
 * How likely the rules in force were those of a state that `holds`: a change takes effect some time within a second (on
 * top of a recorded delay), evenly spread. Two cases without delay: left the endpoints 0.2 s ago → 0.8; joined them
 * 0.2 s ago → 0.2.
 */
function routedChance(
  possible: readonly RoutingState[],
  holds: (state: RoutingState) => boolean,
  atMs: number,
  delayMs: number,
): number {
  let chance = 0;
  for (const [index, state] of possible.entries()) {
    if (!holds(state)) continue;
    const inForce = (since: number) => Math.min(1, Math.max(0, (atMs - since - delayMs) / SYNC_MS));
    const next = possible[index + 1];
    chance += (index === 0 ? 1 : inForce(state.atMs)) - (next ? inForce(next.atMs) : 0);
  }
  // Possible, however unlikely: what nothing else explains must not be divided by zero.
  return Math.max(LEAST_CHANCE, chance);
}

/** An outcome rules states out: a pod that is still starting has a network, so it refuses; it neither hangs nor is unreachable. */
function fits(attempt: LostAttempt, acceptance: Acceptance): boolean {
  const silent = attempt.outcome === 'timeout' || attempt.outcome === 'unreachable';
  switch (acceptance.state) {
    case 'listening':
      return false;
    case 'starting':
      return !silent;
    case 'stopping':
      return !silent || acceptance.by === 'watch';
    case 'stopped':
      return true;
  }
}
