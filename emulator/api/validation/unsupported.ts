// What Kubernetes takes and the emulation cannot do: refused by name, never half obeyed.

import type { Container, PodSpec } from '../defaults/pod.ts';
import { isNodesOwn } from '../host-path.ts';
import type { KubeObject } from '../objects.ts';
import type { Autoscaler, CronJob, Pod, Service } from '../types.ts';
import { createFieldErrors, type FieldErrors } from './field.ts';
import { signalsOthers } from './signals.ts';

/** What this machine lets the nodes do. */
export interface Capabilities {
  /** Containers have a file system of their own, in which volumes can be mounted. */
  readonly volumes: boolean;
  /** Pods ask the cluster's own name server. */
  readonly names: boolean;
}

/** With which every refusal begins that Kubernetes itself would not make. */
export const unsupportedWords = 'Unsupported by the emulated cluster';

const noCapabilities: Capabilities = { volumes: false, names: false };

export function refuseUnsupported(
  errors: FieldErrors,
  object: KubeObject,
  capabilities: Capabilities = noCapabilities,
): void {
  const refuse = (field: string, why: string) =>
    errors.forbidden(field, `${unsupportedWords}: ${why}; run this on a real cluster (--cluster kind)`);
  switch (object.kind) {
    case 'Pod':
      refusePod('spec', (object as unknown as Pod).spec, refuse, capabilities);
      break;
    case 'Deployment':
    case 'ReplicaSet':
    case 'DaemonSet':
      refusePod('spec.template.spec', templateSpec(object), refuse, capabilities);
      break;
    case 'ReplicationController':
    case 'StatefulSet':
    case 'Job':
      refusePod('spec.template.spec', templateSpec(object), refuse, capabilities);
      break;
    case 'CronJob':
      refusePod('spec.jobTemplate.spec.template.spec', cronTemplateSpec(object), refuse, capabilities);
      break;
    case 'Service':
      refuseService((object as unknown as Service).spec ?? {}, refuse, capabilities);
      break;
    case 'HorizontalPodAutoscaler':
      for (const [index, { type }] of ((object as unknown as Autoscaler).spec?.metrics ?? []).entries()) {
        if (type !== 'Resource' && type !== 'ContainerResource') {
          refuse(`spec.metrics[${index}].type`, 'it measures the CPU and memory of processes, nothing else');
        }
      }
      break;
    default:
      break;
  }
}

/** The same as sentences, each with the field: for who wants to know before a cluster is there. */
export function unsupportedIn(object: KubeObject, capabilities: Capabilities): string[] {
  const errors = createFieldErrors();
  refuseUnsupported(errors, object, capabilities);
  return errors.causes.map(
    ({ field, message }) =>
      `${field}: ${message.replace(/^Forbidden: Unsupported by the emulated cluster: /, 'unsupported, ').replace(/; run this on .*$/, '')}`,
  );
}

type Refuse = (field: string, why: string) => void;

function templateSpec(object: KubeObject): PodSpec | undefined {
  return (object.spec as { template?: { spec?: PodSpec } } | undefined)?.template?.spec;
}

function cronTemplateSpec(object: KubeObject): PodSpec | undefined {
  return (object as unknown as CronJob).spec?.jobTemplate?.spec?.template.spec;
}

// The sources whose content the API server has, or which need none.
const volumeSources = [
  'emptyDir',
  'configMap',
  'secret',
  'downwardAPI',
  'projected',
  'hostPath',
  'persistentVolumeClaim',
];
const tokenFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

function refusePod(
  field: string,
  spec: PodSpec | undefined,
  refuse: Refuse,
  { volumes }: Capabilities,
): void {
  if (!spec) return;
  for (const [index, volume] of (spec.volumes ?? []).entries()) {
    for (const source of Object.keys(volume)) {
      if (source !== 'name' && !volumeSources.includes(source)) {
        refuse(`${field}.volumes[${index}].${source}`, 'it has no storage');
      }
    }
  }
  if (spec.hostPID) refuse(`${field}.hostPID`, 'pods are processes without namespaces of their own');
  if (spec.hostIPC) refuse(`${field}.hostIPC`, 'pods are processes without namespaces of their own');
  if (spec.shareProcessNamespace) {
    refuse(`${field}.shareProcessNamespace`, 'pods are processes without namespaces of their own');
  }
  if (spec.securityContext?.sysctls?.length) {
    refuse(`${field}.securityContext.sysctls`, "the kernel's settings are this machine's own");
  }
  if (spec.runtimeClassName) refuse(`${field}.runtimeClassName`, 'it has no container runtime');
  if (spec.resourceClaims?.length) refuse(`${field}.resourceClaims`, 'it has no devices');
  const containers: [string, Container][] = [
    ...(spec.containers ?? []).map((each, index): [string, Container] => [`containers[${index}]`, each]),
    ...(spec.initContainers ?? []).map((each, index): [string, Container] => [
      `initContainers[${index}]`,
      each,
    ]),
  ];
  for (const [name, container] of containers) {
    // A volume that is mounted nowhere changes nothing; a path of its own needs a file system of its own.
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      const source = spec.volumes?.find((volume) => volume.name === mount.name);
      if (!volumes && mount.mountPath !== tokenFolder) {
        refuse(
          `${field}.${name}.volumeMounts[${index}]`,
          `containers share this machine's file system, so nothing can be mounted at ${mount.mountPath}`,
        );
      } else if (source?.hostPath && !mount.readOnly && !isNodesOwn(source.hostPath.path)) {
        refuse(
          `${field}.${name}.volumeMounts[${index}]`,
          `hostPath is this machine's own ${source.hostPath.path}, so it is mounted with readOnly: true only (what is below /tmp is the node's own and may be written)`,
        );
      }
    }
    if (container.tty || container.stdin)
      refuse(`${field}.${name}.${container.tty ? 'tty' : 'stdin'}`, 'it has no terminals');
    if (container.restartPolicy !== undefined && !name.startsWith('initContainers')) {
      refuse(`${field}.${name}.restartPolicy`, 'containers restart as their pod says');
    }
    for (const [path, words] of commandsOf(container)) {
      const found = signalsOthers(words);
      if (found !== undefined) refuse(`${field}.${name}.${path}`, signalsWhy(found));
    }
    if (container.volumeDevices?.length) refuse(`${field}.${name}.volumeDevices`, 'it has no storage');
  }
}

export const signalsWhy = (found: string): string =>
  `pods see the processes of this machine, and "${found}" would reach those of others`;

/** What the manifest has a container run, each with its field. */
function commandsOf(container: Container): [path: string, words: readonly string[]][] {
  const { command = [], args = [], lifecycle } = container;
  const handlers: [string, { readonly exec?: { readonly command?: readonly string[] } } | undefined][] = [
    ['lifecycle.postStart', lifecycle?.postStart],
    ['lifecycle.preStop', lifecycle?.preStop],
    ['livenessProbe', container.livenessProbe],
    ['readinessProbe', container.readinessProbe],
    ['startupProbe', container.startupProbe],
  ];
  return [
    [command.length > 0 ? 'command' : 'args', [...command, ...args]],
    ...handlers.map(([path, handler]): [string, readonly string[]] => [
      `${path}.exec.command`,
      handler?.exec?.command ?? [],
    ]),
  ];
}

function refuseService(spec: NonNullable<Service['spec']>, refuse: Refuse, { names }: Capabilities): void {
  if (spec.type === 'ExternalName' && !names)
    refuse(
      'spec.type',
      'ExternalName needs DNS of its own, and pods share the names of this machine; use ClusterIP or NodePort',
    );
  if (spec.externalIPs?.length) refuse('spec.externalIPs', 'it has no network of its own');
  for (const [index, { protocol }] of (spec.ports ?? []).entries()) {
    if (protocol === 'UDP' || protocol === 'SCTP')
      refuse(`spec.ports[${index}].protocol`, 'it routes TCP only');
  }
}
