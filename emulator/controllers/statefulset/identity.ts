// What makes a pod of a StatefulSet that one and no other: its ordinal, name, labels and volumes.
// Source: pkg/controller/statefulset/stateful_set_utils.go.
import type { Draft, Pod, StatefulSet } from '../../api/types.ts';
import { type PodTemplate, podDraft } from '../runtime/pod-control.ts';
import { claimVolumes } from './claims.ts';
import { revisionLabel } from './revisions.ts';

const podNameLabel = 'statefulset.kubernetes.io/pod-name';
const podIndexLabel = 'apps.kubernetes.io/pod-index';

export const startOrdinal = (set: StatefulSet): number => set.spec?.ordinals?.start ?? 0;

export const podName = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`;

/** "web-3" → 3; undefined for a name that is no member's. */
export function ordinalOf({ metadata }: Pick<Pod, 'metadata'>): number | undefined {
  const text = /-(\d+)$/.exec(metadata.name)?.[1];
  return text === undefined ? undefined : Number(text);
}

export function podDraftFor(
  set: StatefulSet,
  ordinal: number,
  template: PodTemplate | undefined,
  revision: string,
): Draft<'pods'> {
  const draft = podDraft(set, template);
  delete draft.metadata.generateName;
  draft.metadata.name = podName(set, ordinal);
  draft.metadata.labels = { ...draft.metadata.labels, [revisionLabel]: revision };
  identify(draft, set);
  return draft;
}

export function identityMatches(set: StatefulSet, pod: Pod): boolean {
  const { name, labels } = pod.metadata;
  return labels?.[podNameLabel] === name && claimVolumesOf(set, pod);
}

/** Labels, host name and claims as its name asks for. */
export function identify(pod: Draft<'pods'> | Pod, set: StatefulSet): void {
  const { metadata, spec } = pod;
  const { name = '' } = metadata;
  metadata.labels = {
    ...metadata.labels,
    [podNameLabel]: name,
    [podIndexLabel]: String(ordinalOf({ metadata: metadata as Pod['metadata'] }) ?? 0),
  };
  if (!spec) return;
  spec.hostname = name;
  if (set.spec?.serviceName) spec.subdomain = set.spec.serviceName;
  const volumes = claimVolumes(set, name);
  const others = (spec.volumes ?? []).filter(
    (volume) => !volumes.some(({ name: own }) => own === volume.name),
  );
  if (volumes.length > 0) spec.volumes = [...volumes, ...others];
}

function claimVolumesOf(set: StatefulSet, pod: Pod): boolean {
  return claimVolumes(set, pod.metadata.name).every(({ name, persistentVolumeClaim }) =>
    pod.spec?.volumes?.some(
      (volume) =>
        volume.name === name && volume.persistentVolumeClaim?.claimName === persistentVolumeClaim.claimName,
    ),
  );
}
