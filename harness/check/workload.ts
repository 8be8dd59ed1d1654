// A workload that rolls out (Deployment, StatefulSet, DaemonSet) with what decides its risks: replicas, strategy,
// containers, and who sends it connections.
import { defaultGraceSeconds } from '../model/prestop.ts';
import { type FencePosts, fencePosts } from '../model/rolling-update.ts';
import type { FieldPath } from '../model/yaml-path.ts';
import { type Container, containersAt } from './container.ts';
import { type Fields, fields, has, integer, list, text } from './fields.ts';
import { groupOf, type SourceObject } from './objects.ts';
import { podTemplateOf } from './pod-template.ts';
import type { Related } from './related.ts';
import { noTraffic, type Traffic, trafficOf } from './traffic.ts';

/** `Rollout`: Argo's, which rolls like a Deployment. `other`: kinds that have pods and no rollout that we know figures of
 * (ReplicationController, OpenShift's DeploymentConfig, Knative's Service). */
export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'Rollout' | 'other';

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

const groups: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['apps', 'extensions'],
  StatefulSet: ['apps'],
  DaemonSet: ['apps', 'extensions'],
  Rollout: ['argoproj.io'],
  ReplicationController: [''],
  DeploymentConfig: ['apps.openshift.io', ''],
  Service: ['serving.knative.dev'],
};

/** Every workload among the objects. Parts of one (a kustomize patch) are left out: what they lack stands elsewhere. */
export function workloadsOf(objects: readonly SourceObject[], related: Related): readonly Workload[] {
  return objects
    .filter(isWorkload)
    .filter((object) => !isPartial(object) && podTemplateOf(object))
    .map((object) => workloadOf(object, related));
}

export function isWorkload(object: SourceObject): boolean {
  return groups[object.kind]?.includes(groupOf(object)) === true;
}

function kindOf({ kind }: SourceObject): WorkloadKind {
  return kind === 'Deployment' || kind === 'StatefulSet' || kind === 'DaemonSet' || kind === 'Rollout'
    ? kind
    : 'other';
}

/** A patch: the API needs an image in every container, and (since apps/v1beta2) a selector. */
export function isPartial(object: SourceObject): boolean {
  if (!isWorkload(object)) return false;
  const spec = fields(object.value.spec);
  const containers = list(fields(fields(spec.template).spec).containers);
  return (
    lacksSelector(object) ||
    (containers.length === 0 && !has(spec.workloadRef)) ||
    containers.some((container) => !has(fields(container).image))
  );
}

/** A selector is needed, and there is none. */
export function lacksSelector(object: SourceObject): boolean {
  const needed = groupOf(object) === 'apps' && object.apiVersion !== 'apps/v1beta1';
  return needed && !has(fields(object.value.spec).selector);
}

function workloadOf(object: SourceObject, related: Related): Workload {
  const spec = fields(object.value.spec);
  const { pod, labels, path: podPath } = podTemplateOf(object)!;
  const specPath = [...object.base, 'spec'];
  const init = containersAt(pod.initContainers, [...podPath, 'initContainers']);
  const containers = [
    ...containersAt(pod.containers, [...podPath, 'containers']),
    ...init.filter((container) => container.sidecar),
  ];
  const autoscaler = related.autoscalers(object)[0];
  const kind = kindOf(object);
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
    graceSeconds: integer(pod.terminationGracePeriodSeconds) ?? defaultGraceSeconds,
    singleWriter: singleWriterClaim(object, pod, related) !== undefined,
    traffic: object.kind === 'Service' ? noTraffic : trafficOf(object, containers, related),
  };
}

function replicasOf(spec: Fields, autoscaler: SourceObject | undefined): number | undefined {
  const limits = fields(autoscaler?.value.spec);
  if (autoscaler?.kind === 'HorizontalPodAutoscaler')
    return has(limits.minReplicas) ? integer(limits.minReplicas) : 1;
  if (autoscaler) return integer(limits.minReplicaCount);
  return has(spec.replicas) ? integer(spec.replicas) : 1;
}

interface RollingUpdate extends FencePosts {
  readonly surgeWritten: unknown;
  readonly unavailableWritten: unknown;
  /** Where the two figures stand. */
  readonly path: FieldPath;
}

/** How a Deployment or Rollout rolls; undefined when it does not (Recreate, blue and green), or a value is no number. */
export function rollingUpdateOf(workload: Workload): RollingUpdate | undefined {
  const strategy = fields(workload.spec.strategy);
  const { replicas, kind, specPath } = workload;
  if (replicas === undefined || (kind !== 'Deployment' && kind !== 'Rollout')) return undefined;
  if (kind === 'Rollout' ? !has(strategy.canary) : (strategy.type ?? 'RollingUpdate') !== 'RollingUpdate')
    return undefined;
  const field = kind === 'Rollout' ? 'canary' : 'rollingUpdate';
  const written = fields(strategy[field]);
  const posts = fencePosts(written, replicas);
  return (
    posts && {
      ...posts,
      surgeWritten: written.maxSurge,
      unavailableWritten: written.maxUnavailable,
      path: [...specPath, 'strategy', field],
    }
  );
}

/** The name of a claim that (as far as the manifests say) only one node can write. */
export function singleWriterClaim(
  object: SourceObject,
  pod: Fields,
  related: Related,
): { readonly name: string; readonly claim: SourceObject | undefined } | undefined {
  for (const volume of list(pod.volumes)) {
    const { persistentVolumeClaim, ephemeral } = fields(volume);
    if (has(ephemeral) || !has(persistentVolumeClaim)) continue;
    const name = text(fields(persistentVolumeClaim).claimName) ?? '';
    const claim = related.claim(name, object);
    const modes = list(fields(claim?.value.spec).accessModes);
    if (!modes.some((mode) => mode === 'ReadWriteMany' || mode === 'ReadOnlyMany')) return { name, claim };
  }
  return undefined;
}
