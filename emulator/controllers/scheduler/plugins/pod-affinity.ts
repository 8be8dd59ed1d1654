// InterPodAffinity: pods that want to be near to, or away from, other pods; and pods that are there and do not want them.
// Source: pkg/scheduler/framework/plugins/interpodaffinity/{filtering,scoring}.go.

import { matchesSelector } from '../../../api/label-selector.ts';
import type { Pod } from '../../../api/types.ts';
import type { NodeState } from '../node-state.ts';
import { isNodeEvent, type Namespace, type Plugin, refuse, type Scores, type Snapshot } from './plugin.ts';

type PodAffinity = NonNullable<NonNullable<NonNullable<Pod['spec']>['affinity']>['podAffinity']>;
type Term = NonNullable<PodAffinity['requiredDuringSchedulingIgnoredDuringExecution']>[number];
type WeightedTerm = NonNullable<PodAffinity['preferredDuringSchedulingIgnoredDuringExecution']>[number];

/** Weight of an existing pod's required affinity to the incoming one (InterPodAffinityArgs default). */
const hardPodAffinityWeight = 1;

export const podAffinity: Plugin = {
  name: 'InterPodAffinity',
  weight: 2,
  filter(pod, snapshot) {
    const affinity = required(pod, 'podAffinity');
    const antiAffinity = required(pod, 'podAntiAffinity');
    const near = countDomains(snapshot, (other) =>
      affinity.length > 0 && affinity.every((term) => matchesTerm(term, pod, other, snapshot.namespaces))
        ? affinity
        : [],
    );
    const away = countDomains(snapshot, (other) =>
      antiAffinity.filter((term) => matchesTerm(term, pod, other, snapshot.namespaces)),
    );
    const unwelcome = countDomains(snapshot, (other) =>
      required(other, 'podAntiAffinity').filter((term) => matchesTerm(term, other, pod, snapshot.namespaces)),
    );
    // The first of a group that wants to be together has nobody to be near to.
    const isFirst =
      near.size === 0 && affinity.every((term) => matchesTerm(term, pod, pod, snapshot.namespaces));
    return ({ node }) => {
      const labels = node.metadata.labels ?? {};
      const isNear = affinity.every(
        ({ topologyKey }) =>
          labels[topologyKey] !== undefined &&
          (isFirst || near.has(domain(topologyKey, labels[topologyKey]))),
      );
      if (!isNear) return refuse("node(s) didn't match pod affinity rules", false);
      if (antiAffinity.some(({ topologyKey }) => away.has(domain(topologyKey, labels[topologyKey])))) {
        return refuse("node(s) didn't match pod anti-affinity rules", true);
      }
      if (Object.entries(labels).some(([key, value]) => unwelcome.has(domain(key, value)))) {
        return refuse("node(s) didn't satisfy existing pods anti-affinity rules", true);
      }
      return undefined;
    };
  },
  score(pod, snapshot, feasible) {
    const points = preferencePoints(pod, snapshot);
    if (points.size === 0) return new Map();
    const raw = new Map(
      feasible.map(({ node }) => [
        node.metadata.name,
        Object.entries(node.metadata.labels ?? {}).reduce(
          (total, [key, value]) => total + (points.get(domain(key, value)) ?? 0),
          0,
        ),
      ]),
    );
    return spreadScores(raw);
  },
  helps(pod, event) {
    if (isNodeEvent(event)) return true;
    if (!('pod' in event)) return false;
    const { pod: other } = event;
    const isWanted = required(pod, 'podAffinity').some((term) => matchesTerm(term, pod, other, []));
    const isInTheWay =
      required(pod, 'podAntiAffinity').some((term) => matchesTerm(term, pod, other, [])) ||
      required(other, 'podAntiAffinity').some((term) => matchesTerm(term, other, pod, []));
    if (event.kind === 'pod-deleted') return isInTheWay;
    if (event.kind === 'pod-added') return isWanted;
    const { former } = event;
    const wasInTheWay =
      former !== undefined &&
      required(pod, 'podAntiAffinity').some((term) => matchesTerm(term, pod, former, []));
    return isWanted || (wasInTheWay && !isInTheWay);
  },
};

function required(pod: Pod, kind: 'podAffinity' | 'podAntiAffinity'): Term[] {
  return pod.spec?.affinity?.[kind]?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}

function preferred(pod: Pod, kind: 'podAffinity' | 'podAntiAffinity'): WeightedTerm[] {
  return pod.spec?.affinity?.[kind]?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
}

/**
 * Whether `holder`'s term means `other`: its labels match and it is in one of the term's namespaces (none named: the
 * holder's). matchLabelKeys are part of the selector already: the API server merges them in when a pod is created.
 */
function matchesTerm(term: Term, holder: Pod, other: Pod, namespaces: readonly Namespace[]): boolean {
  const namespace = other.metadata.namespace ?? '';
  const named = term.namespaces ?? [];
  const isNamespace =
    named.length === 0 && !term.namespaceSelector
      ? namespace === holder.metadata.namespace
      : named.includes(namespace) ||
        namespaces.some(
          ({ metadata }) =>
            metadata.name === namespace && matchesSelector(term.namespaceSelector, metadata.labels),
        );
  return isNamespace && matchesSelector(term.labelSelector, other.metadata.labels);
}

/** In which topology domains a pod for which `termsFor` returns terms is, by those terms' keys. */
function countDomains(snapshot: Snapshot, termsFor: (other: Pod) => readonly Term[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { node, pods } of snapshot.nodes) {
    for (const other of pods) {
      for (const { topologyKey } of termsFor(other)) {
        const value = node.metadata.labels?.[topologyKey];
        if (value === undefined) continue;
        const key = domain(topologyKey, value);
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/**
 * Points per topology domain: the incoming pod's preferences about pods that are there, and theirs about it; affinity
 * adds the weight, anti-affinity takes it, a required affinity of an existing pod adds 1.
 */
function preferencePoints(pod: Pod, snapshot: Snapshot): Map<string, number> {
  const points = new Map<string, number>();
  const give = (term: Term, weight: number, { node }: NodeState) => {
    const value = node.metadata.labels?.[term.topologyKey];
    if (value === undefined) return;
    const key = domain(term.topologyKey, value);
    points.set(key, (points.get(key) ?? 0) + weight);
  };
  const rate = (holder: Pod, other: Pod, state: NodeState, sign: 1 | -1) => {
    for (const { podAffinityTerm, weight } of preferred(
      holder,
      sign > 0 ? 'podAffinity' : 'podAntiAffinity',
    )) {
      if (matchesTerm(podAffinityTerm, holder, other, snapshot.namespaces)) {
        give(podAffinityTerm, sign * weight, state);
      }
    }
  };
  for (const state of snapshot.nodes) {
    for (const other of state.pods) {
      for (const sign of [1, -1] as const) {
        rate(pod, other, state, sign);
        rate(other, pod, state, sign);
      }
      for (const term of required(other, 'podAffinity')) {
        if (matchesTerm(term, other, pod, snapshot.namespaces)) give(term, hardPodAffinityWeight, state);
      }
    }
  }
  return points;
}

/** Lowest → 0, highest → 100. */
function spreadScores(raw: Scores): Scores {
  const lowest = Math.min(...raw.values());
  const range = Math.max(...raw.values()) - lowest;
  return new Map(
    [...raw].map(([node, score]) => [node, range > 0 ? Math.floor((100 * (score - lowest)) / range) : 0]),
  );
}

function domain(key: string, value: string | undefined): string {
  return `${key}=${value}`;
}
