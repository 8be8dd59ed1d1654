// Kubernetes objects as they are on the wire (times are strings), and the seam between the embedded cluster's parts:
// API server, controllers, kubelet and proxy all read and write through one Registry, in one process.
import type {
  CoreV1Event,
  V1ConfigMap,
  V1ControllerRevision,
  V1CronJob,
  V1DaemonSet,
  V1Deployment,
  V1EndpointSlice,
  V1Endpoints,
  V1Job,
  V1Lease,
  V1LimitRange,
  V1Namespace,
  V1Node,
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodDisruptionBudget,
  V1PriorityClass,
  V1ReplicaSet,
  V1ReplicationController,
  V1ResourceQuota,
  V1Secret,
  V1Service,
  V1ServiceAccount,
  V1StatefulSet,
  V1StorageClass,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node';

/** A client-node type as it is in JSON. */
type Wire<T> = T extends Date
  ? string
  : T extends (infer U)[]
    ? Wire<U>[]
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T;

/** metadata as the registry guarantees it on every object that it returns. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  generateName?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
  managedFields?: unknown[];
}

type Stored<T> = Omit<Wire<T>, 'metadata' | 'apiVersion' | 'kind'> & {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
};

/** Stored kinds by resource name. Groups: see resources.ts; HPA is stored as autoscaling/v2. */
export interface Kinds {
  namespaces: Stored<V1Namespace>;
  nodes: Stored<V1Node>;
  pods: Stored<V1Pod>;
  replicationcontrollers: Stored<V1ReplicationController>;
  services: Stored<V1Service>;
  endpoints: Stored<V1Endpoints>;
  endpointslices: Stored<V1EndpointSlice>;
  events: Stored<CoreV1Event>;
  configmaps: Stored<V1ConfigMap>;
  secrets: Stored<V1Secret>;
  serviceaccounts: Stored<V1ServiceAccount>;
  limitranges: Stored<V1LimitRange>;
  resourcequotas: Stored<V1ResourceQuota>;
  persistentvolumeclaims: Stored<V1PersistentVolumeClaim>;
  persistentvolumes: Stored<V1PersistentVolume>;
  deployments: Stored<V1Deployment>;
  replicasets: Stored<V1ReplicaSet>;
  daemonsets: Stored<V1DaemonSet>;
  statefulsets: Stored<V1StatefulSet>;
  controllerrevisions: Stored<V1ControllerRevision>;
  cronjobs: Stored<V1CronJob>;
  jobs: Stored<V1Job>;
  leases: Stored<V1Lease>;
  horizontalpodautoscalers: Stored<V2HorizontalPodAutoscaler>;
  poddisruptionbudgets: Stored<V1PodDisruptionBudget>;
  priorityclasses: Stored<V1PriorityClass>;
  storageclasses: Stored<V1StorageClass>;
}
export type Resource = keyof Kinds;
export type Pod = Kinds['pods'];
export type Node = Kinds['nodes'];
export type Service = Kinds['services'];
export type EndpointSlice = Kinds['endpointslices'];
export type Deployment = Kinds['deployments'];
export type ReplicaSet = Kinds['replicasets'];
export type DaemonSet = Kinds['daemonsets'];
export type StatefulSet = Kinds['statefulsets'];
export type ReplicationController = Kinds['replicationcontrollers'];
export type CronJob = Kinds['cronjobs'];
export type Job = Kinds['jobs'];
export type Autoscaler = Kinds['horizontalpodautoscalers'];
export type DisruptionBudget = Kinds['poddisruptionbudgets'];
export type KubeEvent = Kinds['events'];

/** What a caller hands in to create: name or generateName; the registry fills in the rest. */
export type Draft<R extends Resource> = Omit<Kinds[R], 'metadata' | 'apiVersion' | 'kind'> & {
  metadata: Partial<ObjectMeta>;
};

export interface Change<R extends Resource = Resource> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: R;
  readonly object: Kinds[R];
  /** The state before, undefined for ADDED. */
  readonly previous: Kinds[R] | undefined;
}

/** An API error; becomes a Status object on the wire. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Record<string, unknown> | undefined;
  constructor(code: number, reason: string, message: string, details?: Record<string, unknown>) {
    super(message);
    this.name = 'StatusError';
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  uid?: string;
}

/**
 * The one store of the embedded cluster, with defaulting, validation and optimistic concurrency as the API server has
 * them. Synchronous: a write has happened when the call returns. Objects that it returns are frozen; clone to change.
 * Throws StatusError (404, 409, 422 ...) with Kubernetes' own words.
 */
export interface Registry {
  get<R extends Resource>(resource: R, namespace: string | undefined, name: string): Kinds[R] | undefined;
  /** All of a resource, in one namespace when given, sorted by namespace and name. */
  list<R extends Resource>(resource: R, namespace?: string): readonly Kinds[R][];
  create<R extends Resource>(resource: R, draft: Draft<R>): Kinds[R];
  /** Replaces; 409 when metadata.resourceVersion is given and old. `status`: the status subresource alone. */
  update<R extends Resource>(resource: R, object: Kinds[R], subresource?: 'status'): Kinds[R];
  /**
   * Read, change a clone, write; the current state, so no conflict. Returns undefined when it is gone. A change that
   * alters nothing writes nothing and makes no event.
   */
  mutate<R extends Resource>(
    resource: R,
    namespace: string | undefined,
    name: string,
    change: (draft: Kinds[R]) => void,
    subresource?: 'status',
  ): Kinds[R] | undefined;
  /**
   * Deletes as the API server does: a scheduled pod gets deletionTimestamp and goes when the kubelet confirms with
   * gracePeriodSeconds 0; finalizers hold. Returns the object's last state; undefined when it was not there.
   */
  delete<R extends Resource>(
    resource: R,
    namespace: string | undefined,
    name: string,
    options?: DeleteOptions,
  ): Kinds[R] | undefined;
  /** Every change, synchronously and in order, after it is stored. Returns the unsubscribe function. */
  subscribe(listener: (change: Change) => void): () => void;
  /** Records or counts up an Event as client-go's recorder does. */
  event(
    involved: {
      kind: string;
      apiVersion: string;
      metadata: { name: string; namespace?: string; uid: string };
    },
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    component: string,
    /** The reporting node, and the part of the object that is meant: spec.containers{NAME}. */
    from?: { host?: string; fieldPath?: string },
  ): void;
}
