// Refuses what Kubernetes refuses, with all causes at once, and what the emulation would only half obey.
import { invalid } from '../errors.ts';
import type { KubeObject } from '../objects.ts';
import type { ResourceDefinition } from '../resources.ts';
import type {
  Autoscaler,
  CronJob,
  DaemonSet,
  Deployment,
  DisruptionBudget,
  EndpointSlice,
  Job,
  Kinds,
  KubeEvent,
  Node,
  Pod,
  ReplicaSet,
  ReplicationController,
  Service,
  StatefulSet,
} from '../types.ts';
import { validateAutoscaler } from './autoscaler.ts';
import { createFieldErrors, type FieldErrors } from './field.ts';
import { validateMetadata, validateMetadataUpdate } from './metadata.ts';
import {
  validateClaim,
  validateCronJob,
  validateReplicationController,
  validateStatefulSet,
} from './more-workloads.ts';
import {
  validateConfigMap,
  validateDisruptionBudget,
  validateEndpointSlice,
  validateEvent,
  validateLease,
  validateNode,
  validateSecret,
} from './others.ts';
import { validatePodSpec, validatePodUpdate } from './pod-spec.ts';
import { validateService } from './service.ts';
import { storedKinds } from './stored.ts';
import { type Capabilities, refuseUnsupported } from './unsupported.ts';
import { validateDaemonSet, validateDeployment, validateJob, validateReplicaSet } from './workloads.ts';

/** Throws 422 Invalid with every violated rule. `current` is undefined on creation. */
export function validate(
  definition: ResourceDefinition,
  object: KubeObject,
  current: KubeObject | undefined,
  subresource?: 'status' | 'binding',
  capabilities?: Capabilities,
): void {
  const errors = createFieldErrors();
  validateMetadata(errors, definition.kind, object.metadata);
  if (current) validateMetadataUpdate(errors, object.metadata, current.metadata);
  // What only moves a status or binds a pod leaves the spec as it was.
  if (subresource === undefined) {
    validateKind(errors, object, current);
    if (errors.causes.length === 0) refuseUnsupported(errors, object, capabilities);
  }
  if (errors.causes.length > 0) throw invalid(definition, object.metadata.name, errors.causes);
}

function validateKind(errors: FieldErrors, object: KubeObject, current: KubeObject | undefined): void {
  const as = <T>(value: KubeObject) => value as unknown as T;
  const before = <T>() => current as unknown as T | undefined;
  switch (object.kind) {
    case 'Pod': {
      const pod = as<Pod>(object);
      if (!pod.spec) {
        errors.required('spec.containers');
        break;
      }
      validatePodSpec(errors, 'spec', pod.spec);
      if (current) validatePodUpdate(errors, pod, current as unknown as Pod);
      break;
    }
    case 'Deployment':
      validateDeployment(errors, as<Deployment>(object), before());
      break;
    case 'ReplicaSet':
      validateReplicaSet(errors, as<ReplicaSet>(object), before());
      break;
    case 'DaemonSet':
      validateDaemonSet(errors, as<DaemonSet>(object), before());
      break;
    case 'StatefulSet':
      validateStatefulSet(errors, as<StatefulSet>(object), before());
      break;
    case 'ReplicationController':
      validateReplicationController(errors, as<ReplicationController>(object));
      break;
    case 'CronJob':
      validateCronJob(errors, as<CronJob>(object));
      break;
    case 'PersistentVolumeClaim':
      validateClaim(errors, as<Kinds['persistentvolumeclaims']>(object));
      break;
    case 'Job':
      validateJob(errors, as<Job>(object), before());
      break;
    case 'Service':
      validateService(errors, as<Service>(object), before());
      break;
    case 'HorizontalPodAutoscaler':
      validateAutoscaler(errors, as<Autoscaler>(object));
      break;
    case 'PodDisruptionBudget':
      validateDisruptionBudget(errors, as<DisruptionBudget>(object));
      break;
    case 'ConfigMap':
      validateConfigMap(errors, as<Kinds['configmaps']>(object), before());
      break;
    case 'Secret':
      validateSecret(errors, object, current);
      break;
    case 'Node':
      validateNode(errors, as<Node>(object));
      break;
    case 'Lease':
      validateLease(errors, object);
      break;
    case 'EndpointSlice':
      validateEndpointSlice(errors, as<EndpointSlice>(object), before());
      break;
    case 'Event':
      validateEvent(errors, as<KubeEvent>(object));
      break;
    default:
      storedKinds[object.kind]?.(errors, object, current);
      break;
  }
}
