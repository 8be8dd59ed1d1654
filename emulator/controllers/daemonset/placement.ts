// Which nodes a DaemonSet wants a pod on, and what pins the pod there.
// Source: NodeShouldRunDaemonPod in pkg/controller/daemon/daemon_controller.go, util/daemonset_util.go.
import type { DaemonSet, Node, Pod } from '../../api/types.ts';
import { matchesRequiredNodeAffinity } from '../scheduler/plugins/node-affinity.ts';
import { type Taint, type Toleration, tolerates } from '../scheduler/plugins/taints.ts';

/** Every DaemonSet pod tolerates what a node's trouble or a cordon puts on it. */
const builtInTolerations: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];
const networkToleration: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

interface Placement {
  readonly shouldRun: boolean;
  /** A pod that is there may stay: NoSchedule taints keep only new ones out. */
  readonly shouldContinue: boolean;
}

export function placementOn(daemonSet: DaemonSet, node: Node): Placement {
  const spec = daemonSet.spec?.template.spec;
  const name = node.metadata.name;
  const pod = { metadata: { name: '' }, spec: { ...spec, containers: [] } } as unknown as Pod;
  const isMeant = (!spec?.nodeName || spec.nodeName === name) && matchesRequiredNodeAffinity(pod, node);
  if (!isMeant) return { shouldRun: false, shouldContinue: false };
  const tolerations = tolerationsOf(daemonSet);
  const untolerated = (effects: readonly string[]) =>
    (node.spec?.taints ?? []).some(
      (taint: Taint) => effects.includes(taint.effect) && !tolerates(tolerations, taint),
    );
  return {
    shouldRun: !untolerated(['NoSchedule', 'NoExecute']),
    shouldContinue: !untolerated(['NoExecute']),
  };
}

export function tolerationsOf(daemonSet: DaemonSet): Toleration[] {
  const spec = daemonSet.spec?.template.spec;
  return [
    ...(spec?.tolerations ?? []),
    ...builtInTolerations,
    ...(spec?.hostNetwork ? [networkToleration] : []),
  ];
}

/** Replaces the template's required node affinity by one for this node alone; the scheduler does the rest. */
export function pinToNode(podSpec: NonNullable<Pod['spec']>, nodeName: string): void {
  podSpec.affinity = {
    ...podSpec.affinity,
    nodeAffinity: {
      ...podSpec.affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] }],
      },
    },
  };
}

/** The node that a pod is on, or was made for. */
export function targetNodeOf(pod: Pod): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const terms =
    pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  for (const { matchFields = [] } of terms ?? []) {
    const named = matchFields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (named?.values?.length === 1) return named.values[0];
  }
  return undefined;
}
