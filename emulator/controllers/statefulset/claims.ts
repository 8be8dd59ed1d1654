// The PersistentVolumeClaims of a StatefulSet's pods: TEMPLATE-SET-ORDINAL, kept unless the retention policy says Delete.
import type { Draft, StatefulSet } from '../../api/types.ts';
import { controllerReference } from '../runtime/ownership.ts';

export function claimVolumes(set: StatefulSet, pod: string) {
  return (set.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => ({
    name: metadata?.name ?? '',
    persistentVolumeClaim: { claimName: `${metadata?.name}-${pod}`, readOnly: false },
  }));
}

export function claimDrafts(set: StatefulSet, ordinal: number): Draft<'persistentvolumeclaims'>[] {
  const { namespace, name } = set.metadata;
  const deleted = set.spec?.persistentVolumeClaimRetentionPolicy?.whenDeleted === 'Delete';
  return (set.spec?.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    metadata: {
      name: `${metadata?.name}-${name}-${ordinal}`,
      namespace,
      labels: { ...metadata?.labels, ...set.spec?.selector.matchLabels },
      ...(metadata?.annotations ? { annotations: { ...metadata.annotations } } : {}),
      ...(deleted ? { ownerReferences: [{ ...controllerReference(set), controller: false }] } : {}),
    },
    spec: structuredClone(spec),
  }));
}

/** Names of the claims of one ordinal, where scaling down deletes them. */
export function claimsDeletedByScaling(set: StatefulSet, pod: string): string[] {
  if (set.spec?.persistentVolumeClaimRetentionPolicy?.whenScaled !== 'Delete') return [];
  return claimVolumes(set, pod).map(({ persistentVolumeClaim }) => persistentVolumeClaim.claimName);
}
