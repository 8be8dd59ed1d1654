// A disruption budget that never allows an eviction.

import { scaled } from '../../model/rolling-update.ts';
import type { Change } from '../edit.ts';
import { fields, has } from '../fields.ts';
import { rolloutStuck } from '../measured.ts';
import { groupOf, nameOf, partnerName, type SourceObject } from '../objects.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import type { Workload } from '../workload.ts';

export const pdbBlocksDrain: Rule = {
  id: 'pdb-blocks-drain',
  severity: 'error',
  title: 'PodDisruptionBudget that allows no eviction',
  why: 'kubectl drain, cluster upgrades and autoscalers evict pods, and an eviction needs a budget of at least one. When the budget asks for all pods (percentages round up) the eviction is refused and tried again for ever: the drain does not end until somebody deletes the pod or the budget. Rollouts take no notice of the budget.',
  scenario: 'node-drain',
  find: ({ related, workloads }: CheckInput) => {
    const workloadOf = new Map(workloads.map((workload) => [workload.object, workload]));
    return related
      .kind('PodDisruptionBudget')
      .filter((object) => groupOf(object) === 'policy')
      .flatMap((budget) =>
        findIn(
          budget,
          related.selectedBy(budget).flatMap((object) => workloadOf.get(object) ?? []),
        ),
      );
  },
  measured: rolloutStuck,
};

function findIn(budget: SourceObject, workloads: readonly Workload[]): readonly Draft[] {
  const spec = fields(budget.value.spec);
  // A drain passes over the pods of a DaemonSet.
  const matched = workloads.filter(({ kind }) => kind !== 'DaemonSet');
  const counts = matched.map((workload) => workload.replicas);
  const known = matched.length > 0 && counts.every((count) => count !== undefined);
  const pods = known ? counts.reduce((sum, count) => sum + count!, 0) : undefined;
  if (pods === 0) return [];
  const blocked = has(spec.maxUnavailable)
    ? blockedByMaxUnavailable(spec.maxUnavailable, pods)
    : blockedByMinAvailable(spec.minAvailable, pods);
  if (!blocked) return [];
  const field = has(spec.maxUnavailable) ? 'maxUnavailable' : 'minAvailable';
  const path = [...budget.base, 'spec'];
  const names = matched.map(({ object }) => partnerName(object, budget)).join(', ');
  const changes: Change[] = [
    ...(field === 'minAvailable' ? [{ remove: [...path, 'minAvailable'] }] : []),
    { set: [...path, 'maxUnavailable'], value: 1 },
  ];
  const scaledBy = matched.some((workload) => workload.autoscaler)
    ? ' at the autoscaler’s minimum'
    : matched.some((workload) => !workload.replicasKnown)
      ? ' by default'
      : '';
  return [
    {
      object: budget,
      ...(matched[0] && { other: matched[0].object }),
      path: [...path, field],
      severity: matched.every((workload) => workload.replicasKnown) ? 'error' : 'warning',
      message: `${nameOf(budget)}: ${field} ${String(spec[field])} of ${
        pods === undefined
          ? 'any number of pods'
          : `${pods} replica${pods === 1 ? '' : 's'} (${names})${scaledBy}`
      } allows no eviction: a node drain never ends.${pods === 1 ? ' With one replica allowing it means a gap: give it two.' : ''}`,
      changes,
    },
  ];
}

function blockedByMaxUnavailable(value: unknown, pods: number | undefined): boolean {
  return scaled(value, pods ?? 100, 'up') === 0;
}

function blockedByMinAvailable(value: unknown, pods: number | undefined): boolean {
  if (value === '100%') return true;
  const needed = pods === undefined ? undefined : scaled(value, pods, 'up');
  return needed !== undefined && needed > 0 && needed >= pods!;
}
