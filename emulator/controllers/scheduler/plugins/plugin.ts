// What a scheduling plug-in is: it refuses nodes, and it rates those that are left.
import type { Kinds, Pod, ReplicaSet, Service } from '../../../api/types.ts';
import type { NodeState } from '../node-state.ts';

export type Namespace = Kinds['namespaces'];

/** The cluster as one scheduling attempt sees it. */
export interface Snapshot {
  readonly nodes: readonly NodeState[];
  readonly namespaces: readonly Namespace[];
  readonly services: readonly Service[];
  readonly replicaSets: readonly ReplicaSet[];
}

/** Why a node will not do. Not resolvable: removing pods from it would not help. */
export interface Refusal {
  readonly reasons: readonly string[];
  readonly resolvable: boolean;
}

/** undefined: the node will do. */
export type NodeFilter = (node: NodeState) => Refusal | undefined;

/** Per node name, higher is better; normalized to 0 … 100 where the plug-in does so. */
export type Scores = ReadonlyMap<string, number>;

export interface Plugin {
  readonly name: string;
  readonly weight: number;
  /** Looked up once per attempt; absent: it refuses nothing. */
  readonly filter?: (pod: Pod, snapshot: Snapshot) => NodeFilter;
  /** Absent: it rates nothing. `feasible` are the nodes that passed every filter. */
  readonly score?: (pod: Pod, snapshot: Snapshot, feasible: readonly NodeState[]) => Scores;
  /** Whether a change in the cluster can make a pod schedulable that this plug-in refused. */
  readonly helps: (pod: Pod, event: ClusterEvent) => boolean;
}

/** A change that may let waiting pods in. Finished pods count as deleted. */
export type ClusterEvent =
  | { readonly kind: 'pod-added' | 'pod-updated' | 'pod-deleted'; readonly pod: Pod; readonly former?: Pod }
  | { readonly kind: 'node-added' | 'node-updated' | 'node-deleted'; readonly node: NodeState['node'] };

export function refuse(reason: string, resolvable: boolean): Refusal {
  return { reasons: [reason], resolvable };
}

/** Highest raw score → 100, the others in proportion; reversed: highest → 0. Whole numbers, cut. */
export function normalize(raw: Scores, reversed = false): Scores {
  const highest = Math.max(0, ...raw.values());
  return new Map(
    [...raw].map(([node, score]) => {
      const share = highest === 0 ? 0 : Math.floor((100 * score) / highest);
      return [node, reversed ? 100 - share : share];
    }),
  );
}

export function isNodeEvent(event: ClusterEvent): boolean {
  return event.kind === 'node-added' || event.kind === 'node-updated';
}
