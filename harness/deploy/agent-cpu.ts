// CPU that load agents ask for. A pod that asks for none gets next to no share of a busy node's CPU (cpu.shares 2 beside
// 250 of an API server): then it is the agent that stands still, and a rollout's busiest moments are not measured.
import type { Kube } from '../kube/client.ts';

/** Enough for some thousand requests a second, m. */
const WANTED_MILLIS = 500;
/** Less is not worth asking for, m. */
const LEAST_MILLIS = 10;

interface CpuRequests {
  readonly resources?: { readonly requests?: { readonly cpu?: string } };
}
interface PodOnNode {
  readonly spec: {
    readonly containers: readonly CpuRequests[];
    readonly initContainers?: readonly CpuRequests[];
  };
}

/**
 * Millicores that each of `agents` may ask for on a node of ours: at most half of what nobody has asked for there, so
 * that two experiments can be deployed at once. Undefined: none, the node is full.
 */
export async function agentCpuMillis(
  kube: Kube,
  node: string,
  agents: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const running = encodeURIComponent(`spec.nodeName=${node},status.phase!=Succeeded,status.phase!=Failed`);
  const [{ status }, { items }] = await Promise.all([
    kube.json<{ status: { allocatable?: { cpu?: string } } }>('GET', `/api/v1/nodes/${node}`, { signal }),
    kube.json<{ items: PodOnNode[] }>('GET', `/api/v1/pods?fieldSelector=${running}`, { signal }),
  ]);
  const asked = items.reduce((sum, pod) => sum + askedBy(pod), 0);
  return shareOf(millis(status.allocatable?.cpu) - asked, agents);
}

export function shareOf(spareMillis: number, agents: number): number | undefined {
  const each = Math.min(WANTED_MILLIS, Math.floor(spareMillis / 2 / agents));
  return each >= LEAST_MILLIS ? each : undefined;
}

/** As the scheduler counts: all containers together, or the largest init container. */
function askedBy({ spec: { containers, initContainers = [] } }: PodOnNode): number {
  const of = ({ resources }: CpuRequests) => millis(resources?.requests?.cpu);
  return Math.max(
    containers.reduce((sum, container) => sum + of(container), 0),
    ...initContainers.map(of),
  );
}

/** Of a quantity in the API's canonical form: "2", "250m"; smaller units are none. */
export function millis(quantity = '0'): number {
  const [, digits, unit] = /^(\d+)(m?)$/.exec(quantity) ?? [];
  return digits === undefined ? 0 : Number(digits) * (unit === 'm' ? 1 : 1000);
}
