// Reduces Kubernetes objects to the facts that are recorded. Nothing else of an object reaches the journal, so
// environment values, annotations of others and secrets cannot.
import { rolloutHashLabel, rolloutRevision } from '../model/argo-rollout.ts';
import type { Facts, FactsKind, PodFacts } from '../model/facts.ts';
import { label } from '../model/manifest.ts';

/** An object as the API sends it; only what is read here is named. */
export interface ApiObject {
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    deletionTimestamp?: string;
    deletionGracePeriodSeconds?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    ownerReferences?: { kind: string; name: string; controller?: boolean }[];
  };
  // biome-ignore lint/suspicious/noExplicitAny: foreign JSON, read field by field below with defaults.
  [field: string]: any;
}

/** `undefined`: nothing of this object is recorded. */
export function reduceObject(kind: FactsKind, object: ApiObject): Facts | undefined {
  const facts = reduce(kind, object);
  return facts && withoutNulls(facts);
}

/** The API says null for a time that it does not know (startedAt of a container that never ran): it is not there. */
function withoutNulls<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withoutNulls) as T;
  if (typeof value !== 'object' || value === null) return value;
  const known = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(known.map(([name, inner]) => [name, withoutNulls(inner)])) as T;
}

function reduce(kind: FactsKind, object: ApiObject): Facts | undefined {
  const { metadata: meta, spec = {}, status = {} } = object;
  const role = meta.labels?.[label.role];
  const workload = {
    role,
    generation: meta.generation,
    observedGeneration: status.observedGeneration,
    images: (spec.template?.spec?.containers ?? []).map((container: { image: string }) => container.image),
  };
  const owner = meta.ownerReferences?.find((reference) => reference.controller);
  // The name of a pod's revision: a ReplicaSet's, or a StatefulSet's and DaemonSet's.
  const templateHash = hashOf(meta.labels) ?? meta.labels?.['controller-revision-hash'];
  const revision =
    meta.annotations?.['deployment.kubernetes.io/revision'] ?? meta.annotations?.[rolloutRevision];
  switch (kind) {
    case 'Pod':
      return reducePod(object, role, owner);
    case 'EndpointSlice':
      return {
        kind,
        service: meta.labels?.['kubernetes.io/service-name'] ?? '',
        endpoints: (object.endpoints ?? []).map((endpoint: ApiEndpoint) => ({
          ip: endpoint.addresses[0] ?? '',
          pod: endpoint.targetRef?.name,
          node: endpoint.nodeName,
          ready: endpoint.conditions?.ready !== false,
          serving: endpoint.conditions?.serving !== false,
          terminating: endpoint.conditions?.terminating === true,
        })),
      };
    case 'Deployment':
      return {
        kind,
        ...workload,
        specReplicas: spec.replicas ?? 0,
        paused: spec.paused === true,
        revision,
        strategy: spec.strategy?.type,
        replicas: status.replicas ?? 0,
        updated: status.updatedReplicas ?? 0,
        ready: status.readyReplicas ?? 0,
        available: status.availableReplicas ?? 0,
        unavailable: status.unavailableReplicas ?? 0,
        conditions: reduceConditions(status.conditions),
      };
    case 'ReplicaSet':
      return {
        kind,
        ...workload,
        ownerKind: owner?.kind,
        owner: owner?.name,
        templateHash,
        revision,
        revisionHistory: meta.annotations?.['deployment.kubernetes.io/revision-history'],
        specReplicas: spec.replicas ?? 0,
        replicas: status.replicas ?? 0,
        ready: status.readyReplicas ?? 0,
        available: status.availableReplicas ?? 0,
      };
    case 'DaemonSet':
      return {
        kind,
        ...workload,
        desired: status.desiredNumberScheduled ?? 0,
        updated: status.updatedNumberScheduled ?? 0,
        ready: status.numberReady ?? 0,
        available: status.numberAvailable ?? 0,
      };
    case 'StatefulSet':
      return {
        kind,
        ...workload,
        specReplicas: spec.replicas ?? 0,
        partition: spec.updateStrategy?.rollingUpdate?.partition ?? 0,
        strategy: spec.updateStrategy?.type,
        replicas: status.replicas ?? 0,
        updated: status.updatedReplicas ?? 0,
        ready: status.readyReplicas ?? 0,
        available: status.availableReplicas ?? 0,
        currentRevision: status.currentRevision,
        updateRevision: status.updateRevision,
      };
    case 'Rollout':
      return {
        kind,
        ...workload,
        // A text there; a hash in versions before 1.0, which says nothing of the generation.
        observedGeneration: observedOf(status.observedGeneration, meta.generation),
        specReplicas: spec.replicas ?? 1,
        paused: spec.paused === true,
        phase: status.phase,
        message: status.message,
        replicas: status.replicas ?? 0,
        updated: status.updatedReplicas ?? 0,
        ready: status.readyReplicas ?? 0,
        available: status.availableReplicas ?? 0,
        currentPodHash: status.currentPodHash,
        stableHash: status.stableRS,
        conditions: reduceConditions(status.conditions),
      };
    case 'HorizontalPodAutoscaler': {
      const current = status.currentMetrics?.find((metric: ApiMetric) => metric?.resource?.name === 'cpu');
      const target = spec.metrics?.find((metric: ApiMetric) => metric?.resource?.name === 'cpu');
      return {
        kind,
        min: spec.minReplicas ?? 1,
        max: spec.maxReplicas ?? 0,
        current: status.currentReplicas ?? 0,
        desired: status.desiredReplicas ?? 0,
        currentUtilization: current?.resource?.current?.averageUtilization,
        targetUtilization: target?.resource?.target?.averageUtilization,
        conditions: reduceConditions(status.conditions),
      };
    }
    case 'Event':
      return {
        kind,
        type: object.type ?? 'Normal',
        reason: object.reason ?? '',
        message: object.message ?? object.note ?? '',
        count: object.count ?? object.series?.count ?? 1,
        involvedKind: object.involvedObject?.kind ?? '',
        involvedName: object.involvedObject?.name ?? '',
      };
    case 'Node':
      return {
        kind,
        ready: (status.conditions ?? []).some(
          (condition: ApiCondition) => condition.type === 'Ready' && condition.status === 'True',
        ),
        unschedulable: spec.unschedulable === true,
      };
    case 'PodDisruptionBudget':
      return {
        kind,
        allowed: status.disruptionsAllowed ?? 0,
        currentHealthy: status.currentHealthy ?? 0,
        desiredHealthy: status.desiredHealthy ?? 0,
      };
    default:
      return unknownKind(kind);
  }
}

interface ApiEndpoint {
  addresses: string[];
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  nodeName?: string;
  targetRef?: { name?: string };
}
interface ApiCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}
interface ApiMetric {
  resource?: {
    name: string;
    current?: { averageUtilization?: number };
    target?: { averageUtilization?: number };
  };
}
interface ApiContainerStatus {
  name: string;
  image: string;
  ready?: boolean;
  started?: boolean;
  restartCount?: number;
  stopSignal?: string;
  state?: ApiContainerState;
  lastState?: ApiContainerState;
}
interface ApiContainerState {
  waiting?: { reason?: string };
  running?: { startedAt?: string };
  terminated?: {
    reason?: string;
    exitCode?: number;
    signal?: number;
    startedAt?: string;
    finishedAt?: string;
  };
}

function reducePod(
  object: ApiObject,
  role: string | undefined,
  owner: { kind: string; name: string } | undefined,
): PodFacts {
  const { metadata: meta, spec = {}, status = {} } = object;
  const conditions: ApiCondition[] = status.conditions ?? [];
  const goOn = new Set<string>(
    (spec.initContainers ?? []).flatMap((one: { name: string; restartPolicy?: string }) =>
      one.restartPolicy === 'Always' ? [one.name] : [],
    ),
  );
  const sidecars = (status.initContainerStatuses ?? []).filter(({ name }: ApiContainerStatus) =>
    goOn.has(name),
  );
  return {
    kind: 'Pod',
    role,
    ownerKind: owner?.kind,
    owner: owner?.name,
    templateHash: hashOf(meta.labels),
    node: spec.nodeName,
    ip: status.podIP,
    phase: status.phase ?? 'Pending',
    ready: conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True'),
    terminating: meta.deletionTimestamp !== undefined,
    deletionGracePeriodSeconds: meta.deletionGracePeriodSeconds,
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds,
    containers: (status.containerStatuses ?? []).map(reduceContainer),
    ...(sidecars.length > 0 && { sidecars: sidecars.map(reduceContainer) }),
    conditions: reduceConditions(conditions),
  };
}

function reduceContainer(container: ApiContainerStatus): PodFacts['containers'][number] {
  const { waiting, running, terminated } = container.state ?? {};
  const last = container.lastState?.terminated;
  return {
    name: container.name,
    image: container.image,
    ready: container.ready === true,
    started: container.started === true,
    restarts: container.restartCount ?? 0,
    state: running ? 'running' : terminated ? 'terminated' : waiting ? 'waiting' : 'unknown',
    reason: waiting?.reason ?? terminated?.reason,
    exitCode: terminated?.exitCode,
    signal: terminated?.signal,
    startedAt: running?.startedAt ?? terminated?.startedAt,
    finishedAt: terminated?.finishedAt,
    stopSignal: container.stopSignal,
    last: last && { reason: last.reason, exitCode: last.exitCode },
  };
}

/** Of the ReplicaSet's template, as its Deployment or Rollout calls it. */
const hashOf = (labels: Record<string, string> | undefined): string | undefined =>
  labels?.['pod-template-hash'] ?? labels?.[rolloutHashLabel];

/** A hash of digits alone would be above every generation. */
function observedOf(text: unknown, generation = 0): number | undefined {
  const observed = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : undefined;
  return observed !== undefined && observed <= generation ? observed : undefined;
}

const reduceConditions = (conditions: ApiCondition[] | undefined) =>
  (conditions ?? []).map(({ type, status, reason, message }) => ({ type, status, reason, message }));

function unknownKind(kind: never): never {
  throw new Error(`no reduction for kind ${String(kind)}`);
}
