// The disruption controller: keeps the budgets' statuses up to date. Rollouts do not ask them; evictions do.
// Source: pkg/controller/disruption/disruption.go.

import { matchesSelector } from '../../api/label-selector.ts';
import { equalObjects } from '../../api/objects.ts';
import { type DisruptionBudget, type Pod, StatusError } from '../../api/types.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { drawMs } from '../runtime/latencies.ts';
import { controllerOf } from '../runtime/ownership.ts';
import { scalableOf, sizeOf } from '../runtime/scalable.ts';
import {
  type BudgetStatus,
  budgetStatus,
  deletionTimeoutMs,
  failedBudgetStatus,
  needsScale,
  recheckAfterMs,
} from './budget.ts';

export function startDisruptionController(context: ControllerContext): void {
  const { informers, clock, latencies, random } = context;
  const client = clientFor(context, 'controllermanager');
  const queue = queueFor(context, 'disruption', sync, { workers: 1 });
  watch();

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    await clock.sleep(drawMs(latencies.budgetSync, random));
    const budget = informers.get('poddisruptionbudgets', namespace, name);
    if (!budget) return;
    const pods = informers
      .list('pods', namespace)
      .filter(({ metadata }) => matchesSelector(budget.spec?.selector, metadata.labels));
    if (pods.length === 0) client.event(budget, 'Normal', 'NoPods', 'No matching pods found');
    let expectedByScale: number;
    try {
      expectedByScale = needsScale(budget) ? countExpected(budget, pods) : 0;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      client.event(
        budget,
        'Warning',
        'CalculateExpectedPodCountFailed',
        `Failed to calculate the number of expected pods: ${error.message}`,
      );
      await write(budget, failedBudgetStatus(budget, error.message, clock.nowMs()));
      throw error;
    }
    tellExpired(budget, pods);
    const status = budgetStatus({ budget, pods, expectedByScale }, clock.nowMs());
    await write(budget, status);
    const afterMs = recheckAfterMs(status, clock.nowMs());
    if (afterMs !== undefined) queue.addAfter(key, afterMs);
  }

  /** Σ replicas of the pods' controllers, each once; a Deployment stands for its ReplicaSets. */
  function countExpected(budget: DisruptionBudget, pods: readonly Pod[]): number {
    const replicas = new Map<string, number>();
    let unmanaged = 0;
    for (const pod of pods) {
      const scale = scaleOf(pod);
      if (scale === 'none') unmanaged++;
      else replicas.set(scale.uid, scale.replicas);
    }
    if (unmanaged > 0) {
      const labels = Object.entries(budget.spec?.selector?.matchLabels ?? {}).map(([k, v]) => `${k}:${v}`);
      client.event(
        budget,
        'Warning',
        'UnmanagedPods',
        `Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{${labels.join(',')}},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`,
      );
    }
    return [...replicas.values()].reduce((total, each) => total + each, 0);
  }

  function scaleOf(pod: Pod): { uid: string; replicas: number } | 'none' {
    const owner = controllerOf(pod);
    if (!owner) return 'none';
    const { namespace } = pod.metadata;
    const resource = scalableOf(owner.apiVersion, owner.kind);
    if (!resource) {
      throw new StatusError(500, '', `${pluralOf(owner.kind)} does not implement the scale subresource`);
    }
    const workload = informers.get(resource, namespace, owner.name);
    if (!workload)
      throw new StatusError(404, 'NotFound', `found no controllers for pod "${pod.metadata.name}"`);
    const above = resource === 'replicasets' ? controllerOf(workload) : undefined;
    const deployment =
      above?.kind === 'Deployment' ? informers.get('deployments', namespace, above.name) : undefined;
    const scaled = deployment ?? workload;
    return { uid: scaled.metadata.uid, replicas: sizeOf(scaled).replicas };
  }

  function tellExpired(budget: DisruptionBudget, pods: readonly Pod[]): void {
    for (const pod of pods) {
      const { namespace, name, deletionTimestamp } = pod.metadata;
      const since = budget.status?.disruptedPods?.[name];
      if (since === undefined || deletionTimestamp) continue;
      if (Date.parse(since) + deletionTimeoutMs > clock.nowMs()) continue;
      const text = `Pod was expected by PDB ${namespace}/${budget.metadata.name} to be deleted but it wasn't`;
      client.event(pod, 'Warning', 'NotDeleted', text);
    }
  }

  async function write(budget: DisruptionBudget, status: BudgetStatus): Promise<void> {
    if (equalObjects(budget.status ?? {}, status)) return;
    // With the version that was read: an eviction in between is not overwritten.
    await client.update('poddisruptionbudgets', { ...structuredClone(budget), status }, 'status');
  }

  function watch(): void {
    informers.on('poddisruptionbudgets', ({ object }) =>
      queue.add(keyOf(object.metadata.namespace, object.metadata.name)),
    );
    informers.on('pods', ({ object, previous }) => {
      for (const { metadata, spec } of informers.list('poddisruptionbudgets', object.metadata.namespace)) {
        const concerns = [object, previous].some(
          (pod) => pod && matchesSelector(spec?.selector, pod.metadata.labels),
        );
        if (concerns) queue.add(keyOf(metadata.namespace, metadata.name));
      }
    });
  }
}

function pluralOf(kind: string): string {
  const group = kind === 'Job' ? 'batch' : 'apps';
  return `${kind.toLowerCase()}s.${group}`;
}
