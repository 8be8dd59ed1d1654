// One scheduling attempt: filters in the default order, scores with the default weights, and the words when none fits.
// Source: pkg/scheduler/{schedule_one.go,framework/types.go,apis/config/v1/default_plugins.go}.
import type { Pod } from '../../api/types.ts';
import type { NodeState } from './node-state.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { nodeAffinity } from './plugins/node-affinity.ts';
import { nodePorts } from './plugins/node-ports.ts';
import type { Plugin, Refusal, Snapshot } from './plugins/plugin.ts';
import { podAffinity } from './plugins/pod-affinity.ts';
import { balancedAllocation, resourcesFit } from './plugins/resources-fit.ts';
import { nodeName, nodeUnschedulable, taintToleration } from './plugins/taints.ts';
import { topologySpread } from './plugins/topology-spread.ts';

export const plugins: readonly Plugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  resourcesFit,
  topologySpread,
  podAffinity,
  balancedAllocation,
  imageLocality,
];

export type Attempt =
  | { readonly node: string }
  | {
      readonly node: undefined;
      /** Text of the FailedScheduling event and of the PodScheduled condition. */
      readonly message: string;
      /** Names of the plug-ins that refused a node. */
      readonly refusedBy: ReadonlySet<string>;
    };

export function schedule(pod: Pod, snapshot: Snapshot, random: () => number): Attempt {
  if (snapshot.nodes.length === 0) {
    return {
      node: undefined,
      message: 'no nodes available to schedule pods',
      refusedBy: new Set(['NodeName']),
    };
  }
  const filters = plugins.flatMap(({ name, filter }) =>
    filter ? [{ name, refuses: filter(pod, snapshot) }] : [],
  );
  const feasible: NodeState[] = [];
  const refusals: Refusal[] = [];
  const refusedBy = new Set<string>();
  for (const state of snapshot.nodes) {
    const refusal = firstRefusal(state);
    if (refusal) refusals.push(refusal);
    else feasible.push(state);
  }
  if (feasible.length === 0) return { node: undefined, message: unschedulableMessage(refusals), refusedBy };
  return { node: best(pod, snapshot, feasible, random) };

  function firstRefusal(state: NodeState): Refusal | undefined {
    for (const { name, refuses } of filters) {
      const refusal = refuses(state);
      if (!refusal) continue;
      refusedBy.add(name);
      return refusal;
    }
    return undefined;
  }
}

/** Σ weight × score; of equal ones any. */
function best(pod: Pod, snapshot: Snapshot, feasible: readonly NodeState[], random: () => number): string {
  const [only] = feasible;
  if (only && feasible.length === 1) return only.node.metadata.name;
  const totals = totalScores(pod, snapshot, feasible);
  const highest = Math.max(...totals.values());
  const candidates = [...totals].filter(([, score]) => score === highest).map(([name]) => name);
  return candidates[Math.floor(random() * candidates.length)] ?? '';
}

export function totalScores(
  pod: Pod,
  snapshot: Snapshot,
  feasible: readonly NodeState[],
): Map<string, number> {
  const totals = new Map(feasible.map(({ node }) => [node.metadata.name, 0]));
  for (const { weight, score } of plugins) {
    if (!score) continue;
    for (const [name, points] of score(pod, snapshot, feasible)) {
      totals.set(name, (totals.get(name) ?? 0) + weight * points);
    }
  }
  return totals;
}

/**
 * "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 … . no new claims to deallocate, preemption: 0/4 nodes
 * are available: …": the reasons counted and sorted as text; then what preemption found, which never finds victims here:
 * all pods have the same priority.
 */
function unschedulableMessage(refusals: readonly Refusal[]): string {
  const reasons = refusals.flatMap((refusal) => refusal.reasons);
  const preemption = refusals.map(({ resolvable }) =>
    resolvable ? 'No preemption victims found for incoming pod' : 'Preemption is not helpful for scheduling',
  );
  const total = `0/${refusals.length} nodes are available`;
  return `${total}: ${histogram(reasons)}. no new claims to deallocate, preemption: ${total}: ${histogram(preemption)}.`;
}

function histogram(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts]
    .map(([text, count]) => `${count} ${text}`)
    .sort()
    .join(', ');
}
