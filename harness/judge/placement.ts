// Where the pods were: per node, how uneven, and how that changed from one rollout to the next.
import type { Clocks } from '../journal/clocks.ts';
import type { Journal } from '../journal/journal.ts';
import { type PodCounts, type Rollout, within } from '../journal/rollout.ts';

type PerNode = PodCounts['perNode'];

/**
 * Pods that are neither terminating nor ended, node by node. Skew: most minus fewest per node, over the nodes that ever
 * carried one and as many empty ones as the pods could have had for themselves: three pods on one of three workers have a
 * skew of 3, on one of thirty, too.
 */
export function placementMeasures({
  journal,
  clocks,
  rollout,
}: {
  readonly journal: Journal;
  readonly clocks: Clocks;
  readonly rollout: Rollout;
}): Readonly<Record<string, number | string | undefined>> {
  const nodes = new Set(rollout.counts.flatMap((count) => [...count.perNode.keys()]));
  if (nodes.size === 0) return {};
  const inRange = within(rollout.counts, rollout.fromMs, rollout.toMs);
  const last = inRange.at(-1);
  const first = inRange[0];
  const shapeOf = shapes(journal, nodes, rollout);
  const skew = (perNode: PerNode) => skewOf(shapeOf(perNode));
  const text = (perNode: PerNode) =>
    [...nodes]
      .sort()
      .map((node) => `${node} ${perNode.get(node) ?? 0}`)
      .join(', ');
  const settled = settledTimes(journal, clocks).flatMap((atMs) =>
    within(rollout.counts, atMs, atMs).slice(-1),
  );
  return {
    nodesUsed: nodes.size,
    placementSkewMax: Math.max(0, ...inRange.map((count) => skew(count.perNode))),
    placementSkewStart: first && skew(first.perNode),
    placementSkewEnd: last && skew(last.perNode),
    placementSkewSettledMax:
      settled.length > 0 ? Math.max(...settled.map((count) => skew(count.perNode))) : undefined,
    placements:
      first && settled.length > 0
        ? [first, ...settled].map((count) => shapeOf(count.perNode).join('/')).join(', ')
        : undefined,
    podsPerNodeMax: Math.max(0, ...inRange.flatMap((count) => [...count.perNode.values()])),
    podsPerNodeStart: first && text(first.perNode),
    podsPerNodeEnd: last && text(last.perNode),
  };
}

/** The ends of the steps that waited until a rollout was over. */
const settledTimes = (journal: Journal, clocks: Clocks): number[] =>
  journal.steps
    .filter(({ step, event }) => event === 'end' && step.step === 'wait' && step.for === 'settled')
    .map(({ t }) => clocks.fromHarness(t));

/** Numbers of pods without the nodes' names, most first: [2, 1, 0]. */
function shapes(journal: Journal, nodes: ReadonlySet<string>, rollout: Rollout) {
  const { nodes: all } = journal.header.cluster;
  const workers = all.filter(({ role }) => role !== 'control-plane').length || all.length;
  const wanted = Math.max(
    0,
    ...within(rollout.counts, rollout.fromMs, rollout.toMs).map((one) => one.wanted),
  );
  const length = Math.max(nodes.size, Math.min(workers, wanted));
  return (perNode: PerNode): number[] => {
    const numbers = [...perNode.values()].sort((a, b) => b - a);
    return [...numbers, ...Array.from({ length: Math.max(0, length - numbers.length) }, () => 0)];
  };
}

const skewOf = (shape: readonly number[]): number => (shape[0] ?? 0) - (shape.at(-1) ?? 0);
