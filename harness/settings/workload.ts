// Finds the workload that a setting patches and hands out a copy of it, so that no setting can change its input.
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import type { SettingContext } from '../model/setting.ts';

/** Kinds whose pods have the fields that settings of pods and containers set. */
export const everyWorkload: readonly string[] = ['Deployment', 'DaemonSet', 'StatefulSet', 'Rollout'];
/** Those of them that say how many pods there are. */
export const sizedWorkloads: readonly string[] = ['Deployment', 'StatefulSet', 'Rollout'];

type Fields = Record<string, unknown>;

export interface ContainerDraft extends Fields {
  name: string;
  env?: { name: string; value?: unknown; [field: string]: unknown }[] | null;
  ports?: { containerPort?: number; hostPort?: number; [field: string]: unknown }[] | null;
  lifecycle?: Fields | null;
}
export interface PodSpecDraft extends Fields {
  containers: ContainerDraft[];
  terminationGracePeriodSeconds?: number | null;
  topologySpreadConstraints?: Fields[] | null;
  volumes?: Fields[] | null;
  affinity?: Fields | null;
  hostNetwork?: boolean | null;
}
/** What settings read and write of a Deployment, DaemonSet, StatefulSet or Rollout; every other field is kept as it is. */
export interface WorkloadDraft extends Manifest {
  spec: Fields & {
    replicas?: number | null;
    minReadySeconds?: number | null;
    progressDeadlineSeconds?: number | null;
    selector?: Fields | null;
    strategy?: (Fields & { rollingUpdate?: Fields | null }) | null;
    updateStrategy?: (Fields & { rollingUpdate?: Fields | null }) | null;
    template: Fields & { metadata?: Fields & { labels?: Fields | null }; spec: PodSpecDraft };
  };
}

/** The manifests with the context's workload replaced by a changed copy. Throws UsageError when it is not there. */
export function patchWorkload(
  manifests: readonly Manifest[],
  context: SettingContext,
  change: (workload: WorkloadDraft, container: ContainerDraft) => void,
): readonly Manifest[] {
  const draft = structuredClone(findWorkload(manifests, context));
  change(draft, servingContainer(draft, context));
  return manifests.map((manifest) => (isWorkload(manifest, context) ? draft : manifest));
}

export function findWorkload(manifests: readonly Manifest[], context: SettingContext): WorkloadDraft {
  const { kind, name } = context.workload;
  const found = manifests.find((manifest) => isWorkload(manifest, context)) as WorkloadDraft | undefined;
  if (!found) throw new UsageError(`settings: the manifests hold no ${kind} "${name}".`);
  if (!Array.isArray(found.spec?.template?.spec?.containers)) {
    throw new UsageError(`settings: ${kind} "${name}" has no list at spec.template.spec.containers.`);
  }
  return found;
}

export function servingContainer(workload: WorkloadDraft, context: SettingContext): ContainerDraft {
  const { containers } = workload.spec.template.spec;
  const found = containers.find((container) => container.name === context.workload.container);
  if (found) return found;
  const { kind, name, container } = context.workload;
  const names = containers.map((each) => each.name).join(', ');
  throw new UsageError(`settings: ${kind} "${name}" has no container "${container}"; it has ${names}.`);
}

function isWorkload(manifest: Manifest, { workload }: SettingContext): boolean {
  return manifest.kind === workload.kind && manifest.metadata.name === workload.name;
}
