// Brings an object to the form in which the API server stores it: defaults of its kind, empty lists and zero flags gone.
import { isObject, type JsonObject, type KubeObject } from '../objects.ts';
import type {
  Autoscaler,
  CronJob,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Job,
  Kinds,
  KubeEvent,
  Pod,
  ReplicaSet,
  ReplicationController,
  Service,
  StatefulSet,
} from '../types.ts';
import {
  defaultAutoscaler,
  defaultBinding,
  defaultEndpointSlice,
  defaultEvent,
  defaultNamespace,
  defaultNetworkPolicy,
  defaultService,
} from './others.ts';
import { defaultPod } from './pod.ts';
import {
  defaultCronJob,
  defaultDaemonSet,
  defaultDeployment,
  defaultJob,
  defaultReplicaSet,
  defaultReplicationController,
  defaultStatefulSet,
} from './workloads.ts';

interface Allocation {
  /** An unused cluster IP for a Service. */
  clusterIP(): string;
  /** A node port that no Service has, this one included. */
  nodePort(own: Service): number;
}

/** Changes the object in place. Runs on every write, before validation. */
export function applyDefaults(object: KubeObject, allocation: Allocation): void {
  if (isObject(object.spec)) dropZeroes(object.spec);
  switch (object.kind) {
    case 'Pod':
      defaultPod(object as unknown as Pod);
      break;
    case 'Deployment':
      defaultDeployment(object as unknown as Deployment);
      break;
    case 'ReplicaSet':
      defaultReplicaSet(object as unknown as ReplicaSet);
      break;
    case 'DaemonSet':
      defaultDaemonSet(object as unknown as DaemonSet);
      break;
    case 'ReplicationController':
      defaultReplicationController(object as unknown as ReplicationController);
      break;
    case 'StatefulSet':
      defaultStatefulSet(object as unknown as StatefulSet);
      break;
    case 'CronJob':
      defaultCronJob(object as unknown as CronJob);
      break;
    case 'PersistentVolumeClaim':
      if (isObject(object.spec)) object.spec.volumeMode ??= 'Filesystem';
      break;
    case 'PersistentVolume':
      if (isObject(object.spec)) {
        object.spec.volumeMode ??= 'Filesystem';
        object.spec.persistentVolumeReclaimPolicy ??= 'Retain';
      }
      break;
    case 'StorageClass':
      object.reclaimPolicy ??= 'Delete';
      object.volumeBindingMode ??= 'Immediate';
      break;
    case 'PriorityClass':
      object.preemptionPolicy ??= 'PreemptLowerPriority';
      break;
    case 'Job':
      defaultJob(object as unknown as Job);
      break;
    case 'Service':
      defaultService(object as unknown as Service, allocation);
      break;
    case 'HorizontalPodAutoscaler':
      defaultAutoscaler(object as unknown as Autoscaler);
      break;
    case 'Namespace':
      defaultNamespace(object as unknown as Kinds['namespaces']);
      break;
    case 'EndpointSlice':
      defaultEndpointSlice(object as unknown as EndpointSlice);
      break;
    case 'Event':
      defaultEvent(object as unknown as KubeEvent);
      break;
    case 'NetworkPolicy':
      defaultNetworkPolicy(object as Parameters<typeof defaultNetworkPolicy>[0]);
      break;
    case 'RoleBinding':
    case 'ClusterRoleBinding':
      defaultBinding(object as Parameters<typeof defaultBinding>[0]);
      break;
    case 'Secret':
      object.type ??= 'Opaque';
      break;
    default:
      break;
  }
}

// Non-pointer fields with omitempty: false, 0 and "" are the same as absent.
const zeroIsAbsent = new Set([
  'paused',
  'unschedulable',
  'minReadySeconds',
  'initialDelaySeconds',
  'hostNetwork',
  'hostPID',
  'hostIPC',
  'hostPort',
  'hostIP',
  'nodeName',
  'stdin',
  'stdinOnce',
  'tty',
  'workingDir',
  'readOnly',
  'value',
  'subPath',
  'subPathExpr',
  'publishNotReadyAddresses',
  'hostname',
  'subdomain',
  'priorityClassName',
]);

// Maps whose keys are the user's: absent when empty, otherwise left alone.
const userMaps = new Set(['labels', 'annotations', 'matchLabels', 'nodeSelector', 'limits', 'requests']);

function dropZeroes(value: JsonObject): void {
  for (const [field, content] of Object.entries(value)) {
    if (Array.isArray(content)) {
      if (content.length === 0) delete value[field];
      for (const item of content) if (isObject(item)) dropZeroes(item);
    } else if (isObject(content) && userMaps.has(field)) {
      if (Object.keys(content).length === 0) delete value[field];
    } else if (isObject(content)) {
      dropZeroes(content);
    } else if ((content === false || content === 0 || content === '') && zeroIsAbsent.has(field)) {
      delete value[field];
    }
  }
}
