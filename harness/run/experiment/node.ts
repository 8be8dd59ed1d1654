// Which nodes an experiment uses.
import type { RunningCluster } from '../../cluster/provider.ts';
import { FaultError } from '../../model/errors.ts';

/** The control plane where there is one apart from the workers (steps do not touch it), else the first node. */
export function agentNodeOf(cluster: RunningCluster): string {
  const { nodes, agentNode } = cluster.info;
  const chosen = agentNode ?? nodes.find((node) => node.role === 'control-plane')?.name ?? nodes[0]?.name;
  if (!chosen) throw new FaultError(`Cluster ${cluster.info.name} has no node for the load agent.`);
  return chosen;
}

/** A node that takes the target's pods. */
export function workerOf({ info }: RunningCluster): string {
  const worker = info.nodes.find((node) => node.role !== 'control-plane') ?? info.nodes[0];
  if (!worker) throw new FaultError(`Cluster ${info.name} has no node for the target.`);
  return worker.name;
}
