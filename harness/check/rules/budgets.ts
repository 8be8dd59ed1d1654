// PodDisruptionBudgets: none, two over the same pods, and one that waits for pods that are broken anyway.
import { fields, has, list } from '../fields.ts';
import { notMeasurable, rolloutStuck } from '../measured.ts';
import { groupOf, nameOf, partnerName } from '../objects.ts';
import { type CheckInput, type Rule, severityFor } from '../rule.ts';
import type { Workload } from '../workload.ts';

/** Behind a Service, with more than one pod: a drain could take all of them at once. */
function replicated({ kind, traffic, replicas }: Workload): boolean {
  return (
    (kind === 'Deployment' || kind === 'StatefulSet' || kind === 'Rollout') &&
    traffic.kind === 'service' &&
    (replicas ?? 0) >= 2
  );
}

export const noDisruptionBudget: Rule = {
  id: 'no-disruption-budget',
  severity: 'note',
  title: 'two or more replicas behind a Service, and no PodDisruptionBudget',
  why: 'A node drain evicts all pods of the node at once, a cluster upgrade goes from node to node without waiting for what was moved: without a budget all replicas can be gone at the same moment.',
  scenario: 'node-drain',
  find: ({ workloads, related }: CheckInput) =>
    workloads
      .filter((workload) => replicated(workload) && related.budgets(workload.object).length === 0)
      .map(({ object, spec, specPath, replicas, labels }) => {
        const { name, namespace } = object;
        const budget = {
          apiVersion: 'policy/v1',
          kind: 'PodDisruptionBudget',
          metadata: { name, ...(namespace && { namespace }) },
          spec: { maxUnavailable: 1, selector: has(spec.selector) ? spec.selector : { matchLabels: labels } },
        };
        return {
          object,
          path: [...specPath, 'replicas'],
          message: `${nameOf(object)} has ${replicas} replicas and no PodDisruptionBudget: a drain may evict all of them at once.`,
          changes: [{ append: budget }],
        };
      }),
  measured: notMeasurable,
};

export const twoBudgets: Rule = {
  id: 'two-budgets',
  severity: 'error',
  title: 'two PodDisruptionBudgets over the same pods',
  why: 'The API server refuses every eviction of a pod that more than one budget covers ("does not support more than one PodDisruptionBudget"): a drain never ends.',
  scenario: 'node-drain',
  find: ({ workloads, related }: CheckInput) =>
    workloads.flatMap(({ object, kind }) => {
      const [first, second] = related.budgets(object);
      if (!first || !second || kind === 'DaemonSet') return [];
      return [
        {
          object: second,
          other: first,
          path: [...second.base, 'spec', 'selector'],
          message: `${nameOf(second)} and ${partnerName(first, second)} both cover the pods of ${partnerName(object, second)}: every eviction of them is refused.`,
          changes: [],
          advice: '# keep one of them',
        },
      ];
    }),
  measured: rolloutStuck,
};

/** unhealthyPodEvictionPolicy is on by default from v1.27 on (KEP-3017, beta). */
const POLICY_MINOR = 27;

export const budgetKeepsUnhealthy: Rule = {
  id: 'budget-keeps-unhealthy-pods',
  severity: 'note',
  title: 'budget that protects pods that do not run',
  why: 'By default a pod that is not ready may be evicted only while enough others are healthy: one that crashes for ever, of a workload that has too few, blocks the drain of its node. unhealthyPodEvictionPolicy: AlwaysAllow lets it go.',
  scenario: 'node-drain',
  find: ({ related, kubernetesMinor }: CheckInput) =>
    related
      .kind('PodDisruptionBudget')
      .filter((budget) => groupOf(budget) === 'policy' && budget.apiVersion === 'policy/v1')
      .filter((budget) => kubernetesMinor >= POLICY_MINOR && related.selectedBy(budget).length > 0)
      .filter((budget) => !has(fields(budget.value.spec).unhealthyPodEvictionPolicy))
      .map((budget) => {
        const path = [...budget.base, 'spec', 'unhealthyPodEvictionPolicy'];
        return {
          object: budget,
          path,
          message: `${nameOf(budget)} protects pods that are not healthy, too: one that crashes for ever can block a drain.`,
          changes: [{ set: path, value: 'AlwaysAllow' }],
        };
      }),
  measured: notMeasurable,
};

export const noSpread: Rule = {
  id: 'no-spread',
  severity: 'note',
  title: 'replicas that one node could take down together',
  why: 'Without a spread or anti-affinity the scheduler spreads loosely and never moves pods again: several replicas can end up on one node, and go with it.',
  scenario: 'node-drain',
  find: ({ workloads }: CheckInput) =>
    workloads
      .filter((workload) => replicated(workload) && !isSpread(workload))
      .map((workload) => {
        const { object, podPath, spec, labels } = workload;
        const path = [...podPath, 'topologySpreadConstraints'];
        return {
          object,
          path,
          severity: severityFor(workload, 'note'),
          message: `${nameOf(object)} has ${workload.replicas} replicas and neither a spread nor an anti-affinity: one node may carry all of them.`,
          changes: [
            {
              set: path,
              value: [
                {
                  maxSkew: 1,
                  topologyKey: 'kubernetes.io/hostname',
                  whenUnsatisfiable: 'ScheduleAnyway',
                  labelSelector: has(fields(spec.selector).matchLabels)
                    ? spec.selector
                    : { matchLabels: labels },
                  ...(workload.kind === 'Deployment' && { matchLabelKeys: ['pod-template-hash'] }),
                },
              ],
            },
          ],
        };
      }),
  measured: notMeasurable,
};

function isSpread({ pod }: Workload): boolean {
  const { podAntiAffinity } = fields(pod.affinity);
  return (
    list(pod.topologySpreadConstraints).length > 0 ||
    has(podAntiAffinity) ||
    has(pod.nodeName) ||
    pod.hostNetwork === true
  );
}
