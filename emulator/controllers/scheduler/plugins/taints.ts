// NodeUnschedulable, NodeName and TaintToleration: nodes that do not want the pod, or that it does not want.
// Source: pkg/scheduler/framework/plugins/{nodeunschedulable,nodename,tainttoleration}.
import type { Node, Pod } from '../../../api/types.ts';
import { isNodeEvent, normalize, type Plugin, refuse } from './plugin.ts';

export type Taint = NonNullable<NonNullable<Node['spec']>['taints']>[number];
export type Toleration = NonNullable<NonNullable<Pod['spec']>['tolerations']>[number];

const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const;

/** Cordoned nodes, unless the pod tolerates the taint that goes with it. */
export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  weight: 0,
  filter:
    (pod) =>
    ({ node }) =>
      node.spec?.unschedulable && !tolerates(pod.spec?.tolerations, unschedulableTaint)
        ? refuse('node(s) were unschedulable', false)
        : undefined,
  helps: (_pod, event) => isNodeEvent(event),
};

export const nodeName: Plugin = {
  name: 'NodeName',
  weight: 0,
  filter:
    (pod) =>
    ({ node }) =>
      pod.spec?.nodeName && pod.spec.nodeName !== node.metadata.name
        ? refuse("node(s) didn't match the requested node name", false)
        : undefined,
  helps: (_pod, event) => event.kind === 'node-added',
};

/** Refuses for NoSchedule and NoExecute, rates by the number of PreferNoSchedule taints that are not tolerated. */
export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  filter:
    (pod) =>
    ({ node }) =>
      hasUntoleratedTaint(pod, node) ? refuse('node(s) had untolerated taint(s)', false) : undefined,
  score: (pod, _snapshot, feasible) =>
    normalize(
      new Map(
        feasible.map(({ node }) => [
          node.metadata.name,
          (node.spec?.taints ?? []).filter(
            (taint) => taint.effect === 'PreferNoSchedule' && !tolerates(pod.spec?.tolerations, taint),
          ).length,
        ]),
      ),
      true,
    ),
  helps: (_pod, event) => isNodeEvent(event),
};

export function hasUntoleratedTaint(pod: Pod, node: Node): boolean {
  return (node.spec?.taints ?? []).some(
    (taint) =>
      (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
      !tolerates(pod.spec?.tolerations, taint),
  );
}

export function tolerates(
  tolerations: readonly Toleration[] | undefined,
  taint: Pick<Taint, 'key' | 'value' | 'effect'>,
): boolean {
  return (tolerations ?? []).some(
    ({ key, operator = 'Equal', value = '', effect }) =>
      (!effect || effect === taint.effect) &&
      (!key || key === taint.key) &&
      (operator === 'Exists' || (key !== undefined && value === (taint.value ?? ''))),
  );
}
