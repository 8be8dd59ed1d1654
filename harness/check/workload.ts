// A workload that rolls out (Deployment, StatefulSet, DaemonSet) with what decides its risks: replicas, strategy,
// containers, and who sends it connections.
import type { FieldPath } from '../model/yaml-path.ts';
import { type Fields, fields, has, integer, list, scaled, text, textOrNumber } from './fields.ts';
import { groupOf, type SourceObject, sameNamespace } from './objects.ts';
import { type Traffic, trafficOf } from './traffic.ts';

export interface Container {
  readonly path: FieldPath;
  readonly value: Fields;
  readonly name: string;
  readonly image: string;
  /** An init container with restartPolicy Always: it runs beside the containers. */
  readonly sidecar: boolean;
}

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet';

export interface Workload {
  readonly object: SourceObject;
  readonly kind: WorkloadKind;
  readonly specPath: FieldPath;
  readonly spec: Fields;
  readonly podPath: FieldPath;
  readonly pod: Fields;
  readonly labels: Fields;
  /** Containers that run while the pod serves: the containers, and sidecars. */
  readonly containers: readonly Container[];
  /** Init containers that end before the containers start. */
  readonly initContainers: readonly Container[];
  /** Smallest number of replicas that it is meant to have; undefined for a DaemonSet or a variable. */
  readonly replicas: number | undefined;
  /** Written in the manifest, or an autoscaler's minimum; otherwise an autoscaler may stand elsewhere. */
  readonly replicasKnown: boolean;
  readonly autoscaler: SourceObject | undefined;
  readonly graceSeconds: number;
  /** Claims a volume that (as far as the manifests say) only one node can write. */
  readonly singleWriter: boolean;
  readonly traffic: Traffic;
}

const kinds: readonly string[] = ['Deployment', 'StatefulSet', 'DaemonSet'];
const groups: readonly string[] = ['apps', 'extensions'];
const DEFAULT_GRACE_SECONDS = 30;

/** Every workload among the objects. Parts of one (a kustomize patch) are left out: what they lack stands elsewhere. */
export function workloadsOf(objects: readonly SourceObject[]): readonly Workload[] {
  return objects
    .filter(isWorkload)
    .filter((object) => !isPartial(object))
    .map((object) => workloadOf(object, objects));
}

function isWorkload(object: SourceObject): boolean {
  return kinds.includes(object.kind) && groups.includes(groupOf(object));
}

/** A patch: the API needs an image in every container, and (since apps/v1beta2) a selector. */
export function isPartial(object: SourceObject): boolean {
  if (!isWorkload(object)) return false;
  const spec = fields(object.value.spec);
  const containers = list(fields(fields(spec.template).spec).containers);
  const oldVersion = object.apiVersion === 'extensions/v1beta1' || object.apiVersion === 'apps/v1beta1';
  return (
    (!has(spec.selector) && !oldVersion) ||
    containers.length === 0 ||
    containers.some((container) => !has(fields(container).image))
  );
}

function workloadOf(object: SourceObject, objects: readonly SourceObject[]): Workload {
  const spec = fields(object.value.spec);
  const template = fields(spec.template);
  const pod = fields(template.spec);
  const specPath = [...object.base, 'spec'];
  const podPath = [...specPath, 'template', 'spec'];
  const init = containersAt(pod.initContainers, [...podPath, 'initContainers']);
  const containers = [
    ...containersAt(pod.containers, [...podPath, 'containers']),
    ...init.filter((container) => container.sidecar),
  ];
  const labels = fields(fields(template.metadata).labels);
  const autoscaler = objects.find((candidate) => scales(candidate, object));
  const kind = object.kind as WorkloadKind;
  return {
    object,
    kind,
    specPath,
    spec,
    podPath,
    pod,
    labels,
    containers,
    initContainers: init.filter((container) => !container.sidecar),
    replicas: kind === 'DaemonSet' ? undefined : replicasOf(spec, autoscaler),
    replicasKnown: has(spec.replicas) || autoscaler !== undefined,
    autoscaler,
    graceSeconds: integer(pod.terminationGracePeriodSeconds) ?? DEFAULT_GRACE_SECONDS,
    singleWriter: hasSingleWriterVolume(object, pod, objects),
    traffic: trafficOf(object, labels, containers, objects),
  };
}

function containersAt(value: unknown, path: FieldPath): readonly Container[] {
  return list(value).map((entry, index) => {
    const container = fields(entry);
    return {
      path: [...path, index],
      value: container,
      name: textOrNumber(container.name) ?? `number ${index + 1}`,
      image: textOrNumber(container.image) ?? '',
      sidecar: path.at(-1) === 'initContainers' && container.restartPolicy === 'Always',
    };
  });
}

/** True for an autoscaler (also KEDA's ScaledObject) whose target is the object. */
export function scales(autoscaler: SourceObject, object: SourceObject): boolean {
  const own = autoscaler.kind === 'HorizontalPodAutoscaler' && groupOf(autoscaler) === 'autoscaling';
  const keda = autoscaler.kind === 'ScaledObject' && groupOf(autoscaler) === 'keda.sh';
  if (!own && !keda) return false;
  const target = fields(fields(autoscaler.value.spec).scaleTargetRef);
  return (
    (target.kind ?? (keda ? 'Deployment' : undefined)) === object.kind &&
    target.name === object.name &&
    sameNamespace(autoscaler, object)
  );
}

function replicasOf(spec: Fields, autoscaler: SourceObject | undefined): number | undefined {
  const limits = fields(autoscaler?.value.spec);
  if (autoscaler?.kind === 'HorizontalPodAutoscaler')
    return has(limits.minReplicas) ? integer(limits.minReplicas) : 1;
  if (autoscaler) return integer(limits.minReplicaCount);
  return has(spec.replicas) ? integer(spec.replicas) : 1;
}

/** Fence posts of a rolling Deployment (pkg/controller/deployment/util: ResolveFenceposts): surge rounds up,
 * unavailable rounds down, both zero makes one unavailable. Worked: 25%/25% of 1 → 1/0; surge 0, 25% of 1 → 0/1. */
export interface RollingUpdate {
  readonly surge: number;
  readonly unavailable: number;
  readonly surgeWritten: unknown;
  readonly unavailableWritten: unknown;
}

/** How a Deployment rolls; undefined when it does not (Recreate), or a value is not a number. */
export function rollingUpdateOf(workload: Workload): RollingUpdate | undefined {
  const strategy = fields(workload.spec.strategy);
  const type = strategy.type ?? 'RollingUpdate';
  const { replicas } = workload;
  if (workload.kind !== 'Deployment' || type !== 'RollingUpdate' || replicas === undefined) return undefined;
  const written = fields(strategy.rollingUpdate);
  const surge = scaled(written.maxSurge ?? '25%', replicas, 'up');
  const unavailable = scaled(written.maxUnavailable ?? '25%', replicas, 'down');
  if (surge === undefined || unavailable === undefined) return undefined;
  const none = surge === 0 && unavailable === 0;
  return {
    surge,
    unavailable: Math.min(none ? 1 : unavailable, replicas),
    surgeWritten: written.maxSurge,
    unavailableWritten: written.maxUnavailable,
  };
}

function hasSingleWriterVolume(object: SourceObject, pod: Fields, objects: readonly SourceObject[]): boolean {
  return list(pod.volumes).some((volume) => {
    const { persistentVolumeClaim, ephemeral } = fields(volume);
    if (has(ephemeral) || !has(persistentVolumeClaim)) return false;
    const claim = objects.find(
      (candidate) =>
        candidate.kind === 'PersistentVolumeClaim' &&
        candidate.name === text(fields(persistentVolumeClaim).claimName) &&
        sameNamespace(candidate, object),
    );
    const modes = list(fields(claim?.value.spec).accessModes);
    return !modes.some((mode) => mode === 'ReadWriteMany' || mode === 'ReadOnlyMany');
  });
}

/** What a sentence calls a container: `container "app" of Deployment shop/web`. */
export function containerName(container: Container): string {
  return `container "${container.name}"`;
}
