// What all pods of ours have in common: the program and the image that runs it, what Pod Security "restricted" wants,
// where they go, and what keeps meshes and autoscalers off them. Pure.
import { label, type Role } from '../model/manifest.ts';
import {
  agentResources,
  type OwnPods,
  type OwnProgram,
  type Placement,
  type PodResources,
  targetResources,
} from '../model/own-pods.ts';
import { programCommand, programVolume, programVolumeMount } from './programs.ts';
import { pullSecretNamed } from './pull-secret.ts';

/** By number, because images name users as they like; stock Node.js images have 1000 for "node". */
const USER = 1000;
/** The program may write here, and nowhere else. */
const scratch = { name: 'rollproof-tmp', mountPath: '/tmp' };

/** Labels and annotations of a pod of ours beside those that say whose it is. */
export function ownPodMetadata({ guest }: OwnPods, labels: Readonly<Record<string, string>>) {
  if (!guest) return { labels: { ...labels } };
  return {
    labels: { ...labels, ...(!guest.mesh && meshLabels) },
    annotations: { ...keepAnnotations, ...(!guest.mesh && meshAnnotations) },
  };
}

/** A proxy beside the agent would answer in place of the pods that are measured. */
const meshLabels = {
  'sidecar.istio.io/inject': 'false',
  'istio.io/dataplane-mode': 'none',
  'kuma.io/sidecar-injection': 'disabled',
};
const meshAnnotations = {
  'sidecar.istio.io/inject': 'false',
  'linkerd.io/inject': 'disabled',
  'consul.hashicorp.com/connect-inject': 'false',
};
/** An autoscaler that packs nodes must not move what measures. */
const keepAnnotations = {
  'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
  'karpenter.sh/do-not-disrupt': 'true',
};

/** Fields of the pod. `labels`: those by which the load agents are found. */
export function ownPodFields(
  own: OwnPods,
  placement: Placement,
  agents: Readonly<Record<string, string>>,
): Record<string, unknown> {
  return {
    ...(own.containers && podSecurity),
    terminationGracePeriodSeconds: 1,
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    ...(own.pullSecret !== undefined && {
      imagePullSecrets: [{ name: pullSecretNamed(own.pullSecret).name }],
    }),
    ...placed(own, placement, agents),
    ...(own.containers && {
      volumes: [
        { name: scratch.name, emptyDir: { sizeLimit: '16Mi' } },
        ...(own.programs ? [programVolume] : []),
      ],
    }),
  };
}

const podSecurity = {
  securityContext: {
    runAsNonRoot: true,
    runAsUser: USER,
    runAsGroup: USER,
    seccompProfile: { type: 'RuntimeDefault' },
  },
};
const containerSecurity = {
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  },
};

/** Fields of the container that runs `program`. `cpuMillis`: what it asks for on a cluster of ours. */
export function ownContainerFields(
  own: OwnPods,
  program: OwnProgram,
  cpuMillis?: number,
): Record<string, unknown> {
  const resources = resourcesOf(own, program, cpuMillis);
  return {
    image: own.images[program],
    imagePullPolicy: 'IfNotPresent',
    ...(own.programs && { command: programCommand(own.node, program) }),
    ...(own.containers && containerSecurity),
    ...(resources && { resources }),
    ...(own.containers && { volumeMounts: [scratch, ...(own.programs ? [programVolumeMount] : [])] }),
  };
}

/**
 * On a cluster of somebody's always requests and limits, so that quotas and limit ranges count them as they are. On one
 * of ours no limits: they would stop the agent for a moment just when it has most to do.
 */
function resourcesOf(
  { guest }: OwnPods,
  program: OwnProgram,
  cpuMillis: number | undefined,
): Partial<PodResources> | undefined {
  if (!guest) return cpuMillis === undefined ? undefined : { requests: { cpu: `${cpuMillis}m` } };
  if (program === 'target') return targetResources;
  return {
    requests: { ...agentResources.requests, ...guest.resources.requests },
    limits: { ...agentResources.limits, ...guest.resources.limits },
  };
}

/**
 * A node that is known is named, whatever taints it has. Else the scheduler chooses one for the first load agent, and
 * everything that must not be somewhere else follows it: no right to read nodes is needed for that.
 */
function placed(
  { guest }: OwnPods,
  placement: Placement,
  agents: Readonly<Record<string, string>>,
): Record<string, unknown> {
  if (placement !== 'with-agents') return pinnedTo(placement.node);
  return {
    ...(guest?.nodeSelector && { nodeSelector: guest.nodeSelector }),
    ...(guest?.tolerations && { tolerations: guest.tolerations }),
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: agents }, topologyKey: 'kubernetes.io/hostname' },
        ],
      },
    },
  };
}

/**
 * Pod fields of load agents that do not follow one another, evenly over the nodes that they may have. Everything else that goes
 * with agents goes to one of these nodes.
 */
export const spreadOut = (agents: Readonly<Record<string, string>>) => ({
  affinity: undefined,
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      nodeTaintsPolicy: 'Honor',
      labelSelector: { matchLabels: agents },
    },
  ],
});

/** Pod fields that put a pod on one node whatever taints that node has. */
export const pinnedTo = (node: string) => ({
  nodeSelector: { 'kubernetes.io/hostname': node },
  tolerations: [{ operator: 'Exists' }],
});

interface OwnExperiment {
  readonly runId: string;
  readonly experiment: string;
}

/** By these labels the pods of one experiment are found, also beside those of another run in one namespace. */
export const podLabels = (role: Role, { runId, experiment }: OwnExperiment) => ({
  [label.role]: role,
  [label.run]: runId,
  [label.experiment]: experiment,
});

export const agentLabels = (identity: OwnExperiment) => podLabels('agent', identity);
