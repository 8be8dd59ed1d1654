// A surge pod that must not share a node with any pod of its own workload needs a node to spare.
import type { FieldPath } from '../../model/yaml-path.ts';
import { fields, list, matchesSelector, text } from '../fields.ts';
import { rolloutStuck } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import { rollingUpdateOf, type Workload } from '../workload.ts';
import { pinnedTo } from './surge-blocked-by-host-port.ts';

export const surgeBlockedByAntiAffinity: Rule = {
  id: 'surge-blocked-by-anti-affinity',
  severity: 'warning',
  title: 'surge blocked by required anti-affinity',
  why: 'Required anti-affinity against the workload’s own labels counts old, new and terminating pods alike. With maxUnavailable 0 the rollout must place one more pod than there are replicas: when every node (or zone) has one already, the new pod stays Pending and the rollout never ends.',
  scenario: 'placement-required',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: rolloutStuck,
};

interface SelfAvoidance {
  readonly path: FieldPath;
  readonly topologyKey: string;
}

/** A required anti-affinity term that matches the workload's own pods of every revision. */
export function selfAvoiding(workload: Workload): SelfAvoidance | undefined {
  const terms = list(
    fields(fields(workload.pod.affinity).podAntiAffinity).requiredDuringSchedulingIgnoredDuringExecution,
  );
  for (const [index, entry] of terms.entries()) {
    const term = fields(entry);
    // matchLabelKeys narrows the term to pods with the same value, mismatchLabelKeys to those with another one.
    if (list(term.matchLabelKeys).includes('pod-template-hash')) continue;
    if (!matchesSelector(term.labelSelector, workload.labels)) continue;
    const elsewhere = list(term.namespaces);
    if (elsewhere.length > 0 && workload.object.namespace && !elsewhere.includes(workload.object.namespace))
      continue;
    return {
      path: [
        ...workload.podPath,
        'affinity',
        'podAntiAffinity',
        'requiredDuringSchedulingIgnoredDuringExecution',
        index,
      ],
      topologyKey: text(term.topologyKey) ?? 'kubernetes.io/hostname',
    };
  }
  return undefined;
}

function findIn(workload: Workload): readonly Draft[] {
  const rolling = rollingUpdateOf(workload);
  const { replicas, object } = workload;
  if (!rolling || !replicas || rolling.unavailable > 0) return [];
  const avoidance = selfAvoiding(workload);
  if (!avoidance) return [];
  const node = avoidance.topologyKey.endsWith('/hostname') ? pinnedTo(workload) : undefined;
  const places = avoidance.topologyKey.endsWith('/hostname') ? 'nodes' : `values of ${avoidance.topologyKey}`;
  return [
    {
      object,
      path: avoidance.path,
      severity: node ? 'error' : 'warning',
      message: `${nameOf(object)}: required anti-affinity against its own pods with maxUnavailable 0 and maxSurge ${rolling.surge}: the rollout needs ${replicas + 1} ${places}${node ? ` and is bound to ${node}` : ', or the new pod stays Pending'}.`,
      changes:
        replicas > 1
          ? [
              {
                set: [...workload.specPath, 'strategy', 'rollingUpdate'],
                value: { maxSurge: 0, maxUnavailable: 1 },
              },
            ]
          : [
              {
                set: [...avoidance.path, 'matchLabelKeys'],
                value: ['pod-template-hash'],
                comment: 'only pods of the same revision avoid each other',
              },
            ],
    },
  ];
}
