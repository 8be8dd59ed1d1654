// Which nodes an experiment uses.
import type { RunningCluster } from '../../cluster/provider.ts';
import { FaultError } from '../../model/errors.ts';
import type { Placement } from '../../model/own-pods.ts';
import { READY_LIMIT_MS } from './context.ts';

/** The control plane where there is one apart from the workers (steps do not touch it), else the first node. */
export function agentNodeOf(cluster: RunningCluster): string {
  const { nodes, agentNode } = cluster.info;
  const chosen = agentNode ?? nodes.find((node) => node.role === 'control-plane')?.name ?? nodes[0]?.name;
  if (!chosen) throw new FaultError(`Cluster ${cluster.info.name} has no node for the load agent.`);
  return chosen;
}

/** On a cluster of ours a node is named; on somebody's the scheduler chooses, which knows taints, pools and priorities. */
export const agentPlacement = (cluster: RunningCluster): Placement =>
  cluster.info.kind === 'context' ? 'with-agents' : { node: agentNodeOf(cluster) };

/** A node that takes the target's pods; undefined: the nodes are not known. */
export function workerOf({ info }: RunningCluster): string | undefined {
  return (info.nodes.find((node) => node.role !== 'control-plane') ?? info.nodes[0])?.name;
}

/** Two experiments may be deployed at once, and each may be waited for as long as the other takes, ms. */
export const agentsEndWithin = (limitMs: number): number => 2 * (limitMs + 2 * READY_LIMIT_MS);
