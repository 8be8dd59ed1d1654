// Why a workload cannot have one more pod beside those that run: adding first would wait for ever.
import type { Manifest } from '../model/manifest.ts';
import { selectsLabels } from './selector.ts';
import type { WorkloadDraft } from './workload.ts';

/** As the end of a sentence; undefined: nothing in the manifests speaks against it. */
export function noRoomForSurge(workload: WorkloadDraft, manifests: readonly Manifest[]): string | undefined {
  return heldPort(workload) ?? ownVolume(workload, manifests) ?? selfAvoidance(workload);
}

function heldPort({ spec }: WorkloadDraft): string | undefined {
  const pod = spec.template.spec;
  const ports = pod.containers.flatMap((container) => container.ports ?? []);
  const held = ports.find((port) => port.hostPort || (pod.hostNetwork && port.containerPort));
  return held && `host port ${held.hostPort ?? held.containerPort} is held by the pod that runs`;
}

function ownVolume(workload: WorkloadDraft, manifests: readonly Manifest[]): string | undefined {
  for (const volume of workload.spec.template.spec.volumes ?? []) {
    const name = (volume.persistentVolumeClaim as { claimName?: string } | null | undefined)?.claimName;
    const claim = manifests.find(
      (manifest) => manifest.kind === 'PersistentVolumeClaim' && manifest.metadata.name === name,
    );
    const modes = (claim?.spec as { accessModes?: string[] } | undefined)?.accessModes ?? [];
    if (name && !modes.some((mode) => mode === 'ReadWriteMany' || mode === 'ReadOnlyMany'))
      return `claim "${name}" is for one node${claim ? '' : ', as far as the manifests say'}`;
  }
  return undefined;
}

function selfAvoidance({ spec }: WorkloadDraft): string | undefined {
  const pod = spec.template.spec;
  const { requiredDuringSchedulingIgnoredDuringExecution: terms } = (pod.affinity?.podAntiAffinity ?? {}) as {
    requiredDuringSchedulingIgnoredDuringExecution?: { labelSelector?: unknown; matchLabelKeys?: string[] }[];
  };
  const labels = spec.template.metadata?.labels ?? {};
  const avoids = terms?.some(
    (term) =>
      !term.matchLabelKeys?.includes('pod-template-hash') && selectsLabels(term.labelSelector, labels),
  );
  return avoids ? 'required anti-affinity keeps its pods apart' : undefined;
}
