// Shares of the causes when the pods are found that were routed to and could not accept, with their facts.

import type { RoutingState } from '../../journal/endpoints.ts';
import type { PodLife } from '../../journal/pods.ts';
import type { Cause, Confidence, Fact } from '../../model/results.ts';
import { at } from '../../words/figures.ts';
import type { Candidate, LostAttempt, Share } from './attempt.ts';
import type { Scene } from './scene.ts';
import { nodeFacts } from './trouble.ts';

export function sharesOf(
  attempt: LostAttempt,
  fitting: readonly Candidate[],
  {
    states: empty,
    weight: emptyWeight,
  }: { readonly states: readonly RoutingState[]; readonly weight: number },
  possible: readonly RoutingState[],
  scene: Scene,
  late: boolean,
  known: boolean,
): Share[] {
  const starting = fitting.filter(({ acceptance }) => acceptance.state === 'starting');
  const likely = fitting.filter(
    (candidate) => candidate.acceptance.state === 'stopped' && !isSilent(attempt, candidate, scene),
  );
  const rejects = attempt.outcome === 'timeout' ? [] : empty;
  // A pod that is stopping may still be serving, and one whose network is gone does not refuse: they count only when
  // nothing else explains the loss.
  const unlikely = fitting.filter(
    (candidate) => candidate.acceptance.state !== 'starting' && !likely.includes(candidate),
  );
  const inferred = starting.length > 0 && starting.every(({ acceptance }) => acceptance.by === 'inferred');
  const explained = likely.length > 0 || rejects.length > 0 || (starting.length > 0 && !inferred);
  const ended = explained ? likely : unlikely;
  const kinds = [starting, ended, rejects].filter((kind) => kind.length > 0).length;
  const total = sumOfWeights(starting) + sumOfWeights(ended) + (rejects.length > 0 ? emptyWeight : 0);
  if (kinds === 0) {
    // Dropped instead of rejected: what a Service does whose traffic policy is Local.
    return empty.length > 0 && attempt.outcome === 'timeout'
      ? [noEndpoint(attempt, empty, scene, 'low')]
      : [];
  }
  const confidence = (candidates: readonly Candidate[]): Confidence => {
    if (kinds > 1) return 'low';
    if (candidates.some(({ acceptance }) => acceptance.by === 'inferred')) return known ? 'medium' : 'low';
    if (
      known &&
      candidates.every(({ acceptance }) => acceptance.by === 'phase' || acceptance.by === 'kernel')
    )
      return 'high';
    const solid = candidates.every(
      ({ acceptance }) =>
        acceptance.by === 'phase' || (acceptance.state === 'stopped' && acceptance.by === 'watch'),
    );
    if (!solid || candidates === unlikely) return late ? 'low' : 'medium';
    return late ? 'medium' : 'high';
  };
  const split: Fact[] =
    kinds > 1
      ? [
          {
            text: 'which pod was asked is not known: split by the number of pods that may have been, and how likely rules pointed to them',
          },
        ]
      : [];
  const shares: Share[] = [];
  if (starting.length > 0) {
    shares.push({
      cause: 'routed-before-listening',
      weight: sumOfWeights(starting) / total,
      pods: starting.map(({ pod }) => pod.name),
      facts: [
        ...starting.flatMap((one) => [routedFact(one.pod, attempt.startMs, scene), stateFact(one)]),
        ...split,
      ].filter((fact) => fact !== undefined),
      confidence: confidence(starting),
    });
  }
  for (const group of groupByEnding(ended)) {
    shares.push({
      cause: group.cause,
      weight: sumOfWeights(group.members) / total,
      pods: group.members.map(({ pod }) => pod.name),
      facts: [
        ...group.members.flatMap((one) => [
          stateFact(one),
          ...(group.fact(one.pod) ?? []),
          unroutedFact(one.pod, attempt.startMs, possible, scene),
        ]),
        ...split,
      ].filter((fact) => fact !== undefined),
      confidence: confidence(ended),
    });
  }
  if (rejects.length > 0) {
    const share = noEndpoint(attempt, rejects, scene, kinds > 1 ? 'low' : 'medium');
    shares.push({ ...share, weight: emptyWeight / total, facts: [...share.facts, ...split] });
  }
  return shares;
}

const sumOfWeights = (candidates: readonly Candidate[]) =>
  candidates.reduce((sum, candidate) => sum + candidate.weight, 0);

/**
 * The kubelet takes a deleted pod's network down right after its containers have ended, before it says so: what was
 * seen ended does not refuse any more, it is silent.
 */
function isSilent(attempt: LostAttempt, { pod }: Candidate, scene: Scene): boolean {
  if (attempt.outcome === 'timeout' || attempt.outcome === 'unreachable' || !pod.terminating) return false;
  const { atMs } = pod.terminating;
  const ended = pod.endings.find((ending) => ending.atMs >= atMs) ?? pod.deleted;
  return ended !== undefined && attempt.startMs > ended.atMs + scene.watchErrorMs;
}

export function stateFact({ pod, acceptance }: Candidate): Fact | undefined {
  const { moment } = acceptance;
  return moment && { text: moment.text, tMs: moment.atMs, pod: pod.name, line: moment.line };
}

/** Since when the Service routed to the pod. */
function routedFact(pod: PodLife, atMs: number, scene: Scene): Fact | undefined {
  let since: RoutingState | undefined;
  for (const state of scene.routing.states) {
    if (state.atMs > atMs + scene.watchErrorMs) break;
    if (!state.routed.has(pod.name)) since = undefined;
    else since ??= state;
  }
  return (
    since && {
      text: `pod ${pod.name} was ready in the EndpointSlice from ${at(since.atMs)} on`,
      tMs: since.atMs,
      pod: pod.name,
      line: since.line,
    }
  );
}

/** When the Service stopped routing to the pod, as far as it did. */
function unroutedFact(
  pod: PodLife,
  atMs: number,
  possible: readonly RoutingState[],
  scene: Scene,
): Fact | undefined {
  const left = scene.routing.states.find(
    (state, index) =>
      index > 0 && !state.routed.has(pod.name) && scene.routing.states[index - 1]?.routed.has(pod.name),
  );
  if (left && left.atMs <= atMs) {
    return {
      text: `pod ${pod.name} left the routed endpoints at ${at(left.atMs)}; rules follow up to a second or more later`,
      tMs: left.atMs,
      pod: pod.name,
      line: left.line,
    };
  }
  const state = possible.at(-1);
  return (
    state && {
      text: `pod ${pod.name} was still among the routed endpoints${left ? ` until ${at(left.atMs)}` : ''}`,
      tMs: left?.atMs ?? state.atMs,
      pod: pod.name,
      line: left?.line ?? state.line,
    }
  );
}

export function noEndpoint(
  attempt: LostAttempt,
  empty: readonly RoutingState[],
  scene: Scene,
  confidence: Confidence,
): Share {
  const state = empty[0] as RoutingState;
  const next = scene.routing.states.find((other) => other.atMs > state.atMs && other.routed.size > 0);
  const text = `no endpoint was ready or serving from ${at(state.atMs)} ${next ? `to ${at(next.atMs)}` : 'on'}`;
  return {
    cause: 'no-endpoint',
    weight: 1,
    pods: [],
    facts: [{ text, tMs: state.atMs, line: state.line }],
    confidence: attempt.outcome === 'timeout' ? 'low' : confidence,
  };
}

interface EndingGroup {
  readonly cause: Cause;
  readonly members: readonly Candidate[];
  fact(pod: PodLife): readonly Fact[] | undefined;
}

/** Pods that a node or kubelet took down are `node-event`; the others had stopped by themselves or were deleted. */
function groupByEnding(candidates: readonly Candidate[]): readonly EndingGroup[] {
  const byNode = candidates.filter(({ pod }) => pod.nodeEvents.length > 0 && !pod.terminating);
  const others = candidates.filter((candidate) => !byNode.includes(candidate));
  const groups: EndingGroup[] = [];
  if (others.length > 0) groups.push({ cause: 'routed-after-stop', members: others, fact: () => undefined });
  if (byNode.length > 0) groups.push({ cause: 'node-event', members: byNode, fact: nodeFacts });
  return groups;
}
