// Eviction: a deletion that asks the PodDisruptionBudget first.
// Source: kubernetes/pkg/registry/core/pod/storage/eviction.go.
import { decideEviction } from '../controllers/disruption/eviction.ts';
import { timestamp } from './objects.ts';
import type { ApiRegistry } from './registry.ts';
import { definitionOf } from './resources.ts';
import type { Pod } from './types.ts';
import type { RemoveOptions } from './writes.ts';

/** The budget's status, the pod's DisruptionTarget condition, the deletion. Throws 429 when the budget forbids it. */
export function evictPod(registry: ApiRegistry, pod: Pod, options: RemoveOptions): void {
  const { namespace, name } = pod.metadata;
  const decision = decideEviction(pod, registry.list('poddisruptionbudgets', namespace), registry.now());
  if (!decision.allow) throw decision.error;
  const { budget, budgetStatus } = decision;
  if (budget && !options.dryRun) {
    registry.update('poddisruptionbudgets', { ...structuredClone(budget), status: budgetStatus }, 'status');
  }
  if (!options.dryRun && !pod.metadata.deletionTimestamp) {
    registry.mutate('pods', namespace, name, (draft) => markDisrupted(draft, registry.now()), 'status');
  }
  registry.writes.delete(definitionOf('pods'), namespace, name, options);
}

function markDisrupted(pod: Pod, nowMs: number): void {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: timestamp(nowMs),
    observedGeneration: pod.metadata.generation,
  };
  const others = pod.status?.conditions?.filter(({ type }) => type !== 'DisruptionTarget') ?? [];
  pod.status = { ...pod.status, conditions: [...others, condition] };
}
