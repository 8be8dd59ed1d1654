// The Node objects of the emulated nodes: one control plane with the usual taint, and workers.
import type { Draft } from '../api/types.ts';
import { apiTime } from './clock.ts';

export interface NodePlan {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
}

/** kind's defaults: a control plane and three workers. */
export const defaultNodes: readonly NodePlan[] = [
  { name: 'embedded-control-plane', role: 'control-plane' },
  { name: 'embedded-worker', role: 'worker' },
  { name: 'embedded-worker2', role: 'worker' },
  { name: 'embedded-worker3', role: 'worker' },
];

export const emulatedVersion = 'v1.34.4';
const MOST_PODS = '110';

interface NodeFacts {
  readonly plan: NodePlan;
  readonly address: string;
  readonly podRange: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly kubeletPort: number;
  /** The only node of its cluster takes pods, whatever its role. */
  readonly single: boolean;
  readonly nowMs: number;
}

export function nodeDraft(facts: NodeFacts): Draft<'nodes'> {
  const { plan, address, cpus, memoryBytes } = facts;
  const resources = {
    cpu: String(cpus),
    memory: `${Math.floor(memoryBytes / 1024)}Ki`,
    pods: MOST_PODS,
    'ephemeral-storage': '100Gi',
  };
  const time = apiTime(facts.nowMs);
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    lastHeartbeatTime: time,
    lastTransitionTime: time,
    reason,
    message,
  });
  const controlPlane = plan.role === 'control-plane';
  return {
    metadata: {
      name: plan.name,
      labels: {
        'beta.kubernetes.io/arch': architecture(),
        'beta.kubernetes.io/os': 'linux',
        'kubernetes.io/arch': architecture(),
        'kubernetes.io/hostname': plan.name,
        'kubernetes.io/os': 'linux',
        ...(controlPlane && {
          'node-role.kubernetes.io/control-plane': '',
          'node.kubernetes.io/exclude-from-external-load-balancers': '',
        }),
      },
      annotations: { 'node.alpha.kubernetes.io/ttl': '0' },
    },
    spec: {
      podCIDR: facts.podRange,
      podCIDRs: [facts.podRange],
      providerID: `rollproof://embedded/${plan.name}`,
      ...(controlPlane &&
        !facts.single && {
          taints: [{ effect: 'NoSchedule', key: 'node-role.kubernetes.io/control-plane' }],
        }),
    },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [
        condition(
          'MemoryPressure',
          'False',
          'KubeletHasSufficientMemory',
          'kubelet has sufficient memory available',
        ),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
        condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
      ],
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: plan.name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: facts.kubeletPort } },
      nodeInfo: {
        architecture: architecture(),
        bootID: '',
        containerRuntimeVersion: `rollproof-processes://node-${process.versions.node}`,
        kernelVersion: process.platform,
        kubeProxyVersion: '',
        kubeletVersion: emulatedVersion,
        machineID: '',
        operatingSystem: 'linux',
        osImage: 'rollproof (emulated Kubernetes)',
        systemUUID: '',
      },
    },
  };
}

const architecture = (): string => (process.arch === 'x64' ? 'amd64' : process.arch);
