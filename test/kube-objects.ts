// Objects for tests of the embedded controllers: only what a test is about is given, the rest is plain.
import type {
  DaemonSet,
  Deployment,
  DisruptionBudget,
  Job,
  Node,
  Pod,
  ReplicaSet,
  Service,
} from '../emulator/api/types.ts';

export const t0 = '2026-01-01T00:00:00Z';
export const t0Ms = Date.parse(t0);
/** The wire time so many seconds after t0. */
export const after = (seconds: number): string =>
  `${new Date(t0Ms + seconds * 1000).toISOString().slice(0, 19)}Z`;

let serial = 0;

export function meta(name: string, more: object = {}) {
  serial++;
  return {
    name,
    namespace: 'default',
    uid: `uid-${String(serial).padStart(6, '0')}`,
    resourceVersion: String(serial),
    generation: 1,
    creationTimestamp: t0,
    ...more,
  };
}

export interface PodShape {
  readonly name?: string;
  readonly node?: string;
  readonly phase?: string;
  readonly ready?: boolean;
  /** Seconds after t0 since when Ready is what it is. */
  readonly readySince?: number;
  readonly created?: number;
  readonly startTime?: number;
  readonly deleting?: boolean;
  readonly ip?: string;
  readonly labels?: Record<string, string>;
  readonly meta?: object;
  readonly spec?: object;
  readonly restarts?: number;
}

export function pod(shape: PodShape = {}): Pod {
  const { ready = false, readySince = 0, created = 0 } = shape;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta(shape.name ?? `pod-${serial}`, {
      creationTimestamp: after(created),
      labels: shape.labels ?? { app: 'app' },
      ...(shape.deleting ? { deletionTimestamp: after(60), deletionGracePeriodSeconds: 30 } : {}),
      ...shape.meta,
    }),
    spec: { containers: [{ name: 'app', image: 'app:1' }], nodeName: shape.node, ...shape.spec },
    status: {
      phase: shape.phase ?? 'Running',
      podIP: shape.ip,
      startTime: shape.startTime === undefined ? undefined : after(shape.startTime),
      conditions: [
        { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: after(readySince) },
      ],
      containerStatuses: [
        {
          name: 'app',
          image: 'app:1',
          imageID: '',
          ready,
          restartCount: shape.restarts ?? 0,
        },
      ],
    },
  } as Pod;
}

interface ReplicaSetShape {
  readonly name?: string;
  readonly replicas: number;
  readonly available?: number;
  readonly ready?: number;
  readonly actual?: number;
  readonly created?: number;
  readonly annotations?: Record<string, string>;
  readonly image?: string;
  readonly observed?: number;
  readonly meta?: object;
  readonly spec?: object;
}

export function replicaSet(shape: ReplicaSetShape): ReplicaSet {
  const labels = { app: 'app' };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: meta(shape.name ?? `rs-${serial}`, {
      creationTimestamp: after(shape.created ?? 0),
      annotations: shape.annotations,
      labels,
      ...shape.meta,
    }),
    spec: {
      replicas: shape.replicas,
      selector: { matchLabels: labels },
      template: template(shape.image ?? 'app:1'),
      ...shape.spec,
    },
    status: {
      replicas: shape.actual ?? shape.replicas,
      readyReplicas: shape.ready ?? shape.available ?? 0,
      availableReplicas: shape.available ?? 0,
      observedGeneration: shape.observed ?? 1,
    },
  };
}

interface DeploymentShape {
  readonly replicas: number;
  readonly maxSurge?: number | string;
  readonly maxUnavailable?: number | string;
  readonly recreate?: boolean;
  readonly image?: string;
  readonly spec?: object;
  readonly status?: object;
  readonly meta?: object;
}

export function deployment(shape: DeploymentShape): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta('app', shape.meta),
    spec: {
      replicas: shape.replicas,
      selector: { matchLabels: { app: 'app' } },
      template: template(shape.image ?? 'app:1'),
      strategy: shape.recreate
        ? { type: 'Recreate' }
        : {
            type: 'RollingUpdate',
            rollingUpdate: { maxSurge: shape.maxSurge ?? 0, maxUnavailable: shape.maxUnavailable ?? 0 },
          },
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      ...shape.spec,
    },
    status: shape.status,
  };
}

export function template(image: string, spec: object = {}) {
  return {
    metadata: { labels: { app: 'app' } },
    spec: { containers: [{ name: 'app', image }], ...spec },
  };
}

export function node(
  name: string,
  shape: { labels?: object; taints?: object[]; spec?: object; allocatable?: object } = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      ...meta(name),
      namespace: undefined,
      labels: { 'kubernetes.io/hostname': name, ...shape.labels },
    },
    spec: { ...(shape.taints ? { taints: shape.taints } : {}), ...shape.spec },
    status: {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110', ...shape.allocatable },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  } as Node;
}

export function service(spec: object = {}, more: object = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta('app', more),
    spec: {
      selector: { app: 'app' },
      clusterIP: '10.96.0.1',
      ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
      ...spec,
    },
  };
}

export function budget(spec: object, status: object = {}): DisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: meta('app'),
    spec: { selector: { matchLabels: { app: 'app' } }, ...spec },
    status: {
      observedGeneration: 1,
      currentHealthy: 0,
      desiredHealthy: 0,
      disruptionsAllowed: 0,
      expectedPods: 0,
      ...status,
    },
  };
}

export function daemonSet(spec: object = {}, more: object = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: meta('app', more),
    spec: {
      selector: { matchLabels: { app: 'app' } },
      template: template('app:1'),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      ...spec,
    },
  };
}

export function job(spec: object = {}, status: object = {}): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: meta('work'),
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      template: template('app:1', { restartPolicy: 'Never' }),
      ...spec,
    },
    status,
  };
}
