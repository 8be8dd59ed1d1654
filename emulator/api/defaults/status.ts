// The status that an object is born with, and the zero counters that never appear on the wire.
import { isObject, type JsonObject, type KubeObject, timestamp } from '../objects.ts';
import type { Pod } from '../types.ts';
import { type PodSpec, qosClass } from './pod.ts';

// Counters with omitempty in k8s.io/api: absent when 0.
const droppedWhenZero: Record<string, readonly string[]> = {
  Deployment: [
    'observedGeneration',
    'replicas',
    'updatedReplicas',
    'readyReplicas',
    'availableReplicas',
    'unavailableReplicas',
  ],
  ReplicaSet: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration'],
  DaemonSet: ['observedGeneration', 'updatedNumberScheduled', 'numberAvailable', 'numberUnavailable'],
  StatefulSet: ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'observedGeneration'],
  ReplicationController: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration'],
  Job: ['active', 'succeeded', 'failed'],
  HorizontalPodAutoscaler: ['currentReplicas'],
  PodDisruptionBudget: ['observedGeneration'],
};

// Counters without omitempty: present even when 0.
const alwaysPresent: Record<string, JsonObject> = {
  ReplicaSet: { replicas: 0 },
  ReplicationController: { replicas: 0 },
  StatefulSet: { replicas: 0, availableReplicas: 0 },
  DaemonSet: {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  },
  HorizontalPodAutoscaler: { desiredReplicas: 0 },
  PodDisruptionBudget: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
};

/** Replaces whatever status came with a new object. Nodes keep theirs: the kubelet registers with it. */
export function initialStatus(object: KubeObject, nowMs: number): JsonObject {
  switch (object.kind) {
    case 'Pod':
      return podStatus((object as unknown as Pod).spec, nowMs);
    case 'Namespace':
      return { phase: 'Active' };
    case 'Service':
    case 'Ingress':
      return { loadBalancer: {} };
    case 'PersistentVolume':
    case 'PersistentVolumeClaim':
      return { phase: 'Pending' };
    case 'Node':
      return isObject(object.status) ? object.status : {};
    default:
      return {};
  }
}

function podStatus(spec: PodSpec | undefined, nowMs: number): JsonObject {
  const gated = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'SchedulingGated',
    message: 'Scheduling is blocked due to non-empty scheduling gates',
    lastTransitionTime: timestamp(nowMs),
  };
  return {
    phase: 'Pending',
    qosClass: spec ? qosClass(spec) : 'BestEffort',
    ...(spec?.schedulingGates?.length ? { conditions: [gated] } : {}),
  };
}

/** Brings a status to the form in which the API server gives it. */
export function normalizeStatus(object: KubeObject): void {
  if (!isObject(object.status)) return;
  const status = object.status;
  for (const field of droppedWhenZero[object.kind] ?? []) if (status[field] === 0) delete status[field];
  for (const [field, value] of Object.entries(alwaysPresent[object.kind] ?? {})) status[field] ??= value;
  for (const [field, value] of Object.entries(status)) {
    if (Array.isArray(value) && value.length === 0) delete status[field];
  }
}
