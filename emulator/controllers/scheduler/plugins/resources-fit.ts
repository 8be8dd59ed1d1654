// NodeResourcesFit (room for the requests, least allocated first) and NodeResourcesBalancedAllocation.
// Source: pkg/scheduler/framework/plugins/noderesources/{fit,least_allocated,balanced_allocation}.go.
import type { Pod } from '../../../api/types.ts';
import type { NodeState } from '../node-state.ts';
import { addResources, allocatableOf, type Resources, requestsOf } from '../resources.ts';
import type { Plugin, Refusal } from './plugin.ts';

const scored = ['cpu', 'memory'] as const;
/** KubeletConfiguration maxPods, for a node that does not say. */
const defaultMaxPods = 110;

export const resourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  weight: 1,
  filter(pod) {
    const wanted = requestsOf(pod, 'as-given');
    return (state) => fit(wanted, state);
  },
  // Σ (allocatable - requested) × 100 / allocatable over CPU and memory, divided by two; whole numbers, cut.
  score(pod, _snapshot, feasible) {
    const own = requestsOf(pod, 'at-least-a-little');
    return new Map(
      feasible.map((state) => {
        const allocatable = allocatableOf(state.node);
        const requested = addResources([state.requestedForScore, own]);
        const shares = scored
          .filter((name) => (allocatable[name] ?? 0) > 0)
          .map((name) => {
            const [all = 0, used = 0] = [allocatable[name], requested[name]];
            return used > all ? 0 : Math.floor(((all - used) * 100) / all);
          });
        return [state.node.metadata.name, mean(shares)];
      }),
    );
  },
  helps: (pod, event) =>
    event.kind === 'node-added' ||
    event.kind === 'node-updated' ||
    event.kind === 'pod-deleted' ||
    (event.kind === 'pod-updated' && event.former !== undefined && shrank(event.former, event.pod, pod)),
};

/** (1 - |cpu share - memory share| / 2) × 100; a pod that asks for nothing is not rated. */
export const balancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  score(pod, _snapshot, feasible) {
    const own = requestsOf(pod, 'as-given');
    if (scored.every((name) => (own[name] ?? 0) === 0)) return new Map();
    return new Map(
      feasible.map((state) => {
        const allocatable = allocatableOf(state.node);
        const requested = addResources([state.requested, own]);
        const [cpu = 0, memory = 0] = scored.map((name) =>
          Math.min(1, (requested[name] ?? 0) / (allocatable[name] || Number.POSITIVE_INFINITY)),
        );
        return [state.node.metadata.name, Math.floor((1 - Math.abs(cpu - memory) / 2) * 100)];
      }),
    );
  },
  helps: () => false,
};

function fit(wanted: Resources, { node, pods, requested }: NodeState): Refusal | undefined {
  const allocatable = allocatableOf(node);
  const reasons: string[] = [];
  let resolvable = true;
  if (pods.length + 1 > (allocatable.pods ?? defaultMaxPods)) reasons.push('Too many pods');
  for (const [name, amount] of Object.entries(wanted)) {
    if (amount === 0) continue;
    const all = allocatable[name] ?? 0;
    if (amount <= all - (requested[name] ?? 0)) continue;
    reasons.push(`Insufficient ${name}`);
    if (amount > all) resolvable = false;
  }
  return reasons.length > 0 ? { reasons, resolvable } : undefined;
}

function shrank(before: Pod, after: Pod, waiting: Pod): boolean {
  const [former, present] = [requestsOf(before, 'as-given'), requestsOf(after, 'as-given')];
  return Object.keys(requestsOf(waiting, 'as-given')).some(
    (name) => (present[name] ?? 0) < (former[name] ?? 0),
  );
}

function mean(values: readonly number[]): number {
  return values.length === 0
    ? 0
    : Math.floor(values.reduce((total, value) => total + value, 0) / values.length);
}
