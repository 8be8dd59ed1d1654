// The PersistentVolumeClaims of a StatefulSet's pods: TEMPLATE-SET-ORDINAL, kept unless the retention policy says Delete.
import { equalObjects } from '../../api/objects.ts';
import type { Draft, Kinds, ObjectMeta, Pod, StatefulSet } from '../../api/types.ts';
import { controllerReference } from '../runtime/ownership.ts';

type Claim = Kinds['persistentvolumeclaims'];
type Owners = NonNullable<ObjectMeta['ownerReferences']>;

export function claimVolumes(set: StatefulSet, pod: string) {
  return (set.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => ({
    name: metadata?.name ?? '',
    persistentVolumeClaim: { claimName: `${metadata?.name}-${pod}`, readOnly: false },
  }));
}

export function claimDrafts(set: StatefulSet, ordinal: number): Draft<'persistentvolumeclaims'>[] {
  const { namespace, name } = set.metadata;
  return (set.spec?.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    metadata: {
      name: `${metadata?.name}-${name}-${ordinal}`,
      namespace,
      labels: { ...metadata?.labels, ...set.spec?.selector.matchLabels },
      ...(metadata?.annotations ? { annotations: { ...metadata.annotations } } : {}),
    },
    spec: structuredClone(spec),
  }));
}

/**
 * Who a claim goes with, as the retention policy says: with the set, with a pod that is scaled away, or with nobody.
 * Undefined: it is as it should be, or another controller's (one of an earlier set of this name, too), and left alone.
 */
export function ownersOfClaim(
  set: StatefulSet,
  pod: Pod,
  claim: Claim,
  scaledAway: boolean,
): Owners | undefined {
  const { whenDeleted, whenScaled } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const owners = claim.metadata.ownerReferences ?? [];
  const isOf = (owner: Owners[number], object: StatefulSet | Pod) =>
    owner.kind === object.kind &&
    owner.name === object.metadata.name &&
    owner.apiVersion === object.apiVersion;
  const own = (owner: Owners[number]) => isOf(owner, set) || isOf(owner, pod);
  const uids = [set.metadata.uid, pod.metadata.uid];
  if (owners.some((owner) => (own(owner) ? !uids.includes(owner.uid) : owner.controller))) return undefined;
  let keeper: StatefulSet | Pod | undefined;
  if (whenScaled === 'Delete' && scaledAway) keeper = pod;
  else if (whenDeleted === 'Delete') keeper = set;
  const wanted = [...owners.filter((owner) => !own(owner)), ...(keeper ? [controllerReference(keeper)] : [])];
  return equalObjects(owners, wanted) ? undefined : wanted;
}
