// Eviction: a deletion that asks the PodDisruptionBudget first.
// Source: kubernetes/pkg/registry/core/pod/storage/eviction.go.
import { selectorMatches } from './label-selector.ts';
import type { ApiRegistry } from './registry.ts';
import { definitionOf } from './resources.ts';
import { type DisruptionBudget, type Pod, StatusError } from './types.ts';
import type { RemoveOptions } from './writes.ts';

/** Throws 429 when the budget forbids it. */
export function evictPod(registry: ApiRegistry, pod: Pod, options: RemoveOptions): void {
  const { namespace, name } = pod.metadata;
  if (!ignoresBudgets(pod)) {
    const budgets = registry
      .list('poddisruptionbudgets', namespace)
      .filter(({ spec }) => selectorMatches(spec?.selector, pod.metadata.labels));
    if (budgets.length > 1) {
      throw new StatusError(
        500,
        '',
        'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      );
    }
    const [budget] = budgets;
    if (budget && !mayGoUnready(pod, budget)) spend(registry, budget, name, options.dryRun ?? false);
  }
  if (!options.dryRun && !pod.metadata.deletionTimestamp) {
    registry.mutate('pods', namespace, name, (draft) => markDisrupted(draft, registry.now()), 'status');
  }
  registry.writes.delete(definitionOf('pods'), namespace, name, options);
}

function ignoresBudgets({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp !== undefined ||
    status?.phase === 'Succeeded' ||
    status?.phase === 'Failed' ||
    status?.phase === 'Pending'
  );
}

/** A running pod that is not ready: its going costs nothing when the policy says so. */
function mayGoUnready(pod: Pod, { spec, status }: DisruptionBudget): boolean {
  const ready = pod.status?.conditions?.some(
    (condition) => condition.type === 'Ready' && condition.status === 'True',
  );
  if (ready) return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const desired = status?.desiredHealthy ?? 0;
  return desired > 0 && (status?.currentHealthy ?? 0) >= desired;
}

function spend(registry: ApiRegistry, budget: DisruptionBudget, podName: string, dryRun: boolean): void {
  const { metadata, status } = budget;
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    throw refused(`The disruption budget ${metadata.name} is still being processed by the server.`, 10);
  }
  if ((status?.disruptionsAllowed ?? 0) <= 0) {
    throw refused(
      `The disruption budget ${metadata.name} needs ${status?.desiredHealthy ?? 0} healthy pods and has ${status?.currentHealthy ?? 0} currently`,
    );
  }
  if (dryRun) return;
  registry.mutate(
    'poddisruptionbudgets',
    metadata.namespace,
    metadata.name,
    (draft) => {
      draft.status!.disruptionsAllowed--;
      draft.status!.disruptedPods = {
        ...draft.status!.disruptedPods,
        [podName]: new Date(registry.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
      };
    },
    'status',
  );
}

function markDisrupted(pod: Pod, nowMs: number): void {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    observedGeneration: pod.metadata.generation,
  };
  const others = pod.status?.conditions?.filter(({ type }) => type !== 'DisruptionTarget') ?? [];
  pod.status = { ...pod.status, conditions: [...others, condition] };
}

function refused(message: string, retryAfterSeconds?: number): StatusError {
  return new StatusError(
    429,
    'TooManyRequests',
    "Cannot evict pod as it would violate the pod's disruption budget.",
    {
      causes: [{ reason: 'DisruptionBudget', message }],
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
  );
}
