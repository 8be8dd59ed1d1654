// What two Deployments with the same history have in common: names that the cluster made up, times and identities are
// replaced by words, what is a set is sorted. Pure.
import { label } from '../../model/manifest.ts';

export interface OwnedObject {
  metadata: {
    name: string;
    uid?: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
    managedFields?: ManagedFields[];
    ownerReferences?: { uid: string; controller?: boolean }[];
    [field: string]: unknown;
  };
  status?: { conditions?: { type: string }[]; [field: string]: unknown };
  [field: string]: unknown;
}

interface ManagedFields {
  manager?: string;
  operation?: string;
  subresource?: string;
  fieldsV1?: unknown;
}

const revisionAnnotation = 'deployment.kubernetes.io/revision';
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const hashLabel = 'pod-template-hash';
/** RFC 3339, with or without an offset: the API server's times, and kubectl's local ones. */
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** The Deployment and its ReplicaSets, those by revision. */
export function normalForm(deployment: OwnedObject, replicaSets: readonly OwnedObject[]): unknown {
  const owned = replicaSets.filter((set) =>
    set.metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === deployment.metadata.uid),
  );
  const words = new Map<string, string>([[deployment.metadata.uid ?? '', '(uid)']]);
  for (const { metadata } of owned) {
    const hash = metadata.labels?.[hashLabel];
    if (hash) words.set(hash, `(hash of revision ${metadata.annotations?.[revisionAnnotation] ?? '?'})`);
  }
  const byRevision = Object.fromEntries(
    owned.map((set) => [
      `revision ${set.metadata.annotations?.[revisionAnnotation] ?? '?'}`,
      common(set, words),
    ]),
  );
  return { Deployment: common(deployment, words), ReplicaSets: byRevision };
}

function common(original: OwnedObject, words: ReadonlyMap<string, string>): unknown {
  const object = structuredClone(original);
  const { metadata, status } = object;
  for (const field of ['uid', 'resourceVersion', 'creationTimestamp']) delete metadata[field];
  const applied = metadata.annotations?.[lastApplied];
  if (applied !== undefined) {
    metadata.annotations = { ...metadata.annotations, [lastApplied]: JSON.parse(applied) };
  }
  if (status?.conditions) {
    status.conditions = status.conditions.toSorted((a, b) => a.type.localeCompare(b.type));
  }
  const managed = metadata.managedFields;
  delete metadata.managedFields;
  const managers = Object.fromEntries(
    (managed ?? []).map(({ manager, operation, subresource, fieldsV1 }) => [
      [manager, operation, subresource].filter(Boolean).join(' '),
      fieldsV1,
    ]),
  );
  return inWords({ ...object, managers }, words);
}

function inWords(value: unknown, words: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((item) => inWords(item, words));
  if (value && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value)
        // The twin's role is another one.
        .filter(([name]) => name !== label.role)
        // Field sets name list items by their keys, an owner by its uid.
        .map(([name, item]) => [replaced(name, words), inWords(item, words)]),
    );
  }
  if (typeof value !== 'string') return value;
  return time.test(value) ? '(time)' : replaced(value, words);
}

function replaced(text: string, words: ReadonlyMap<string, string>): string {
  let changed = text;
  for (const [from, word] of words) changed = changed.replaceAll(from, word);
  return changed;
}
