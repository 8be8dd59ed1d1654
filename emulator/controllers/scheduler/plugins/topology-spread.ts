// PodTopologySpread: pods of a kind evenly over nodes and zones. Terminating pods are not counted.
// Source: pkg/scheduler/framework/plugins/podtopologyspread/{common,filtering,scoring}.go.

import {
  isEmptySelector,
  type LabelSelector,
  matchesLabels,
  matchesSelector,
} from '../../../api/label-selector.ts';
import type { Node, Pod } from '../../../api/types.ts';
import { controllerOf } from '../../runtime/ownership.ts';
import { isTerminating } from '../../runtime/pods.ts';
import type { NodeState } from '../node-state.ts';
import { matchesRequiredNodeAffinity } from './node-affinity.ts';
import { isNodeEvent, type Plugin, refuse, type Snapshot } from './plugin.ts';
import { hasUntoleratedTaint } from './taints.ts';

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: LabelSelector | undefined;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
}

const hostname = 'kubernetes.io/hostname';
const zone = 'topology.kubernetes.io/zone';
/** For pods without constraints of their own, by Services and ReplicaSet; never refuses. */
const systemDefaults = [
  { topologyKey: hostname, maxSkew: 3 },
  { topologyKey: zone, maxSkew: 5 },
];
const reason = "node(s) didn't match pod topology spread constraints";

export const topologySpread: Plugin = {
  name: 'PodTopologySpread',
  weight: 2,
  /**
   * pods in the node's domain + 1 (when the pod counts itself) - pods in the emptiest domain ≤ maxSkew
   *
   * The emptiest domain is looked for among nodes that have all keys, match the pod's node affinity (unless told to
   * ignore it) and, only with nodeTaintsPolicy Honor, have no taint against it. By default a tainted control plane is
   * thus a domain that stays empty: 3 pods on 3 workers, a 4th would make a skew of 2 (recorded: stuck for good).
   */
  filter(pod, snapshot) {
    const constraints = ownConstraints(pod, 'DoNotSchedule');
    const counts = constraints.map((constraint) => domainCounts(pod, constraint, constraints, snapshot));
    return ({ node }) => {
      for (const [index, constraint] of constraints.entries()) {
        const value = node.metadata.labels?.[constraint.topologyKey];
        if (value === undefined) return refuse(`${reason} (missing required label)`, false);
        const domains = counts[index] ?? new Map<string, number>();
        const least = domains.size < constraint.minDomains ? 0 : Math.min(...domains.values());
        const self = matchesSelector(constraint.selector, pod.metadata.labels) ? 1 : 0;
        const skew = (domains.get(value) ?? 0) + self - (Number.isFinite(least) ? least : 0);
        if (skew > constraint.maxSkew) return refuse(reason, true);
      }
      return undefined;
    };
  },
  /** Σ count × log(domains + 2) + maxSkew - 1; the lowest gets 100. */
  score(pod, snapshot, feasible) {
    const own = ownConstraints(pod, 'ScheduleAnyway');
    const isOwn = (pod.spec?.topologySpreadConstraints ?? []).length > 0;
    const constraints = isOwn ? own : defaultConstraints(pod, snapshot);
    if (constraints.length === 0) return new Map();
    const hasKeys = (node: Node) =>
      constraints.every(({ topologyKey }) => node.metadata.labels?.[topologyKey] !== undefined);
    const rated = feasible.filter(({ node }) => !isOwn || hasKeys(node));
    const counters = constraints.map((constraint) => {
      const values = new Set(rated.map(({ node }) => node.metadata.labels?.[constraint.topologyKey]));
      values.delete(undefined);
      const size = constraint.topologyKey === hostname ? rated.length : values.size;
      const counted = snapshot.nodes.filter(
        ({ node }) => (!isOwn || hasKeys(node)) && isEligible(pod, node, constraint),
      );
      return { constraint, weight: Math.log(size + 2), counts: countByDomain(pod, constraint, counted) };
    });
    const raw = new Map(
      rated.map(({ node }) => {
        let score = 0;
        for (const { constraint, weight, counts } of counters) {
          const value = node.metadata.labels?.[constraint.topologyKey];
          if (value !== undefined) score += (counts.get(value) ?? 0) * weight + constraint.maxSkew - 1;
        }
        return [node.metadata.name, Math.round(score)];
      }),
    );
    return reverseScores(raw, feasible);
  },
  helps(pod, event) {
    if (isNodeEvent(event) || event.kind === 'node-deleted') return true;
    if (!('pod' in event) || event.pod.metadata.namespace !== pod.metadata.namespace) return false;
    const { pod: other, former } = event;
    return ownConstraints(pod, 'DoNotSchedule').some(({ selector }) => {
      const matches = matchesSelector(selector, other.metadata.labels);
      if (event.kind !== 'pod-updated') return matches;
      return matches !== (former !== undefined && matchesSelector(selector, former.metadata.labels));
    });
  },
};

function ownConstraints(pod: Pod, action: 'DoNotSchedule' | 'ScheduleAnyway'): Constraint[] {
  return (pod.spec?.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === action)
    .map((constraint) => ({
      topologyKey: constraint.topologyKey,
      maxSkew: constraint.maxSkew,
      minDomains: constraint.minDomains ?? 1,
      selector: withMatchLabelKeys(constraint.labelSelector, constraint.matchLabelKeys, pod),
      honorAffinity: constraint.nodeAffinityPolicy !== 'Ignore',
      honorTaints: constraint.nodeTaintsPolicy === 'Honor',
    }));
}

/** The API server has merged them since v1.34; doing it again changes nothing. */
function withMatchLabelKeys(
  selector: LabelSelector | undefined,
  keys: readonly string[] | undefined,
  pod: Pod,
): LabelSelector | undefined {
  if (!selector || !keys) return selector;
  const labels = pod.metadata.labels ?? {};
  const own = keys.filter((key) => labels[key] !== undefined);
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...own.map(isOwnValue)] };
  function isOwnValue(key: string) {
    return { key, operator: 'In', values: [labels[key] ?? ''] };
  }
}

function defaultConstraints(pod: Pod, { services, replicaSets }: Snapshot): Constraint[] {
  const { namespace, labels } = pod.metadata;
  const matchLabels: Record<string, string> = {};
  for (const { metadata, spec } of services) {
    const selects = spec?.selector && matchesLabels(spec.selector, labels);
    if (metadata.namespace === namespace && selects) Object.assign(matchLabels, spec.selector);
  }
  const owner = controllerOf(pod)?.uid;
  const replicaSet = replicaSets.find(({ metadata }) => metadata.uid === owner);
  Object.assign(matchLabels, replicaSet?.spec?.selector?.matchLabels);
  const selector = { matchLabels, matchExpressions: replicaSet?.spec?.selector?.matchExpressions ?? [] };
  if (isEmptySelector(selector)) return [];
  return systemDefaults.map((constraint) => ({
    ...constraint,
    minDomains: 1,
    selector,
    honorAffinity: true,
    honorTaints: false,
  }));
}

function domainCounts(
  pod: Pod,
  constraint: Constraint,
  all: readonly Constraint[],
  snapshot: Snapshot,
): Map<string, number> {
  const eligible = snapshot.nodes.filter(
    ({ node }) =>
      all.every(({ topologyKey }) => node.metadata.labels?.[topologyKey] !== undefined) &&
      isEligible(pod, node, constraint),
  );
  return countByDomain(pod, constraint, eligible);
}

function isEligible(pod: Pod, node: Node, { honorAffinity, honorTaints }: Constraint): boolean {
  if (honorAffinity && !matchesRequiredNodeAffinity(pod, node)) return false;
  return !(honorTaints && hasUntoleratedTaint(pod, node));
}

function countByDomain(pod: Pod, constraint: Constraint, nodes: readonly NodeState[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { node, pods } of nodes) {
    const value = node.metadata.labels?.[constraint.topologyKey];
    if (value === undefined) continue;
    const matching = pods.filter(
      (other) =>
        other.metadata.namespace === pod.metadata.namespace &&
        !isTerminating(other) &&
        !isEmptySelector(constraint.selector) &&
        matchesSelector(constraint.selector, other.metadata.labels),
    ).length;
    counts.set(value, (counts.get(value) ?? 0) + matching);
  }
  return counts;
}

/** 100 × (highest + lowest - score) / highest; nodes without the keys get 0. */
function reverseScores(
  raw: ReadonlyMap<string, number>,
  feasible: readonly NodeState[],
): Map<string, number> {
  const highest = Math.max(0, ...raw.values());
  const lowest = Math.min(...raw.values());
  return new Map(
    feasible.map(({ node }) => {
      const score = raw.get(node.metadata.name);
      if (score === undefined) return [node.metadata.name, 0];
      return [
        node.metadata.name,
        highest === 0 ? 100 : Math.floor((100 * (highest + lowest - score)) / highest),
      ];
    }),
  );
}
