// Amounts that pods ask for and nodes have. Source: component-helpers/resource, pkg/scheduler/util/pod_resources.go.
import { parseQuantity } from '../../api/quantity.ts';
import type { Node, Pod } from '../../api/types.ts';

/** CPU in millicores, everything else in its unit (bytes, pieces). */
export type Resources = Readonly<Record<string, number>>;

/** What counts for scores when a container asks for nothing, so that such pods spread, too. */
const leastForScore: Resources = { cpu: 100, memory: 200 * 1024 * 1024 };

/**
 * max(Σ containers + sidecars, each init container + the sidecars before it) + overhead.
 */
export function requestsOf(pod: Pod, mode: 'as-given' | 'at-least-a-little'): Resources {
  const amounts = (container: {
    resources?: { requests?: Record<string, string> };
    restartPolicy?: string;
  }) => {
    const requests = parseAll(container.resources?.requests);
    return mode === 'as-given' ? requests : { ...leastForScore, ...requests };
  };
  let sidecars: Resources = {};
  let whileStarting: Resources = {};
  for (const container of pod.spec?.initContainers ?? []) {
    const own = addResources([amounts(container), sidecars]);
    if (container.restartPolicy === 'Always') sidecars = own;
    whileStarting = largest(whileStarting, own);
  }
  const whileRunning = addResources([...(pod.spec?.containers ?? []).map(amounts), sidecars]);
  return addResources([largest(whileRunning, whileStarting), parseAll(pod.spec?.overhead)]);
}

export function allocatableOf(node: Node): Resources {
  return parseAll(node.status?.allocatable ?? node.status?.capacity);
}

export function addResources(list: readonly Resources[]): Resources {
  const total: Record<string, number> = {};
  for (const resources of list) {
    for (const [name, amount] of Object.entries(resources)) total[name] = (total[name] ?? 0) + amount;
  }
  return total;
}

/** "250m" → 250, "1Gi" → 1073741824; parts are rounded up, as Kubernetes does. */
export function amountOf(name: string, text: string): number {
  const nano = parseQuantity(text)?.nano ?? 0n;
  const unit = name === 'cpu' ? 1_000_000n : 1_000_000_000n;
  return Number((nano + unit - 1n) / unit);
}

function parseAll(quantities: Readonly<Record<string, string>> | undefined): Resources {
  return Object.fromEntries(
    Object.entries(quantities ?? {}).map(([name, text]) => [name, amountOf(name, text)]),
  );
}

function largest(left: Resources, right: Resources): Resources {
  const result: Record<string, number> = { ...left };
  for (const [name, amount] of Object.entries(right)) result[name] = Math.max(result[name] ?? 0, amount);
  return result;
}
