// Revisions: which ReplicaSet is the new one, its annotations, and which old ones are cleaned up.
// Source: pkg/controller/deployment/util/deployment_util.go, cleanupDeployment in sync.go.
import type { Deployment, ReplicaSet } from '../../api/types.ts';
import { maxSurge } from './fenceposts.ts';
import { desiredOf, oldestFirst } from './replica-sets.ts';
import { canonicalJson } from './template-hash.ts';

const revisionKey = 'deployment.kubernetes.io/revision';
const historyKey = 'deployment.kubernetes.io/revision-history';
const desiredKey = 'deployment.kubernetes.io/desired-replicas';
const maxKey = 'deployment.kubernetes.io/max-replicas';
export const hashLabel = 'pod-template-hash';
export const rollbackToAnnotation = 'deprecated.deployment.rollback.to';

const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionKey,
  historyKey,
  desiredKey,
  maxKey,
  rollbackToAnnotation,
]);

const historyLimitChars = 2000;

type Annotated = { metadata: { annotations?: Record<string, string> } };

/** Counted in int64, as Kubernetes does; a text that is none counts as 0. */
export function revisionOf(object: Annotated): bigint {
  return revisionFrom(object.metadata.annotations?.[revisionKey]);
}

const mostInt64 = 2n ** 63n - 1n;

export function revisionFrom(text: string | undefined): bigint {
  if (text === undefined || !/^[+-]?\d+$/.test(text)) return 0n;
  const value = BigInt(text.replace('+', ''));
  return value > mostInt64 || value < -mostInt64 - 1n ? 0n : value;
}

export function desiredReplicasAnnotation(object: Annotated): number | undefined {
  return numberOf(object.metadata.annotations?.[desiredKey]);
}

export function maxReplicasAnnotation(object: Annotated): number | undefined {
  return numberOf(object.metadata.annotations?.[maxKey]);
}

/** The oldest ReplicaSet whose pod template is the Deployment's, not counting the hash label. */
export function findNewReplicaSet(
  deployment: Deployment,
  replicaSets: readonly ReplicaSet[],
): ReplicaSet | undefined {
  const wanted = templateWithoutHash(deployment.spec?.template);
  return [...replicaSets]
    .sort(oldestFirst)
    .find((replicaSet) => templateWithoutHash(replicaSet.spec?.template) === wanted);
}

export function sameTemplate(deployment: Deployment, replicaSet: ReplicaSet): boolean {
  return templateWithoutHash(deployment.spec?.template) === templateWithoutHash(replicaSet.spec?.template);
}

function templateWithoutHash(template: NonNullable<ReplicaSet['spec']>['template']): string {
  const { [hashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {};
  return canonicalJson({ ...template, metadata: { ...template?.metadata, labels } });
}

export function nextRevision(oldReplicaSets: readonly ReplicaSet[]): bigint {
  const highest = oldReplicaSets.map(revisionOf).reduce((most, each) => (each > most ? each : most), 0n);
  return BigInt.asIntN(64, highest + 1n);
}

/**
 * Brings the new ReplicaSet's annotations up to date; true when something changed. A revision only ever rises; when a
 * former ReplicaSet becomes the new one again its old number goes into the history (1,2,3 → undo to 1 → 2,3,4).
 */
export function annotateNewReplicaSet(
  deployment: Deployment,
  replicaSet: Annotated,
  newRevision: bigint,
  exists: boolean,
): boolean {
  const annotations: Record<string, string> = { ...replicaSet.metadata.annotations };
  let changed = false;
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (notCopied.has(key) || annotations[key] === value) continue;
    annotations[key] = value;
    changed = true;
  }
  const former = annotations[revisionKey];
  if (revisionFrom(former) < newRevision) {
    annotations[revisionKey] = String(newRevision);
    changed = true;
    if (former !== undefined) annotations[historyKey] = appendHistory(annotations[historyKey] ?? '', former);
  }
  replicaSet.metadata.annotations = annotations;
  if (!exists && annotateSize(deployment, replicaSet)) changed = true;
  return changed;
}

/** Oldest numbers are dropped when the list grows beyond 2000 characters. */
export function appendHistory(history: string, revision: string): string {
  const revisions = history === '' ? [] : history.split(',');
  let length = history.length + revision.length + 1;
  let start = 0;
  while (length > historyLimitChars && start < revisions.length) {
    length -= (revisions[start] ?? '').length + 1;
    start++;
  }
  return [...revisions.slice(start), revision].join(',');
}

/** Sets desired-replicas and max-replicas; true when something changed. */
export function annotateSize(deployment: Deployment, replicaSet: Annotated): boolean {
  const replicas = desiredOf(deployment);
  const wanted = { [desiredKey]: String(replicas), [maxKey]: String(replicas + maxSurge(deployment)) };
  const annotations = replicaSet.metadata.annotations ?? {};
  if (Object.entries(wanted).every(([key, value]) => annotations[key] === value)) return false;
  replicaSet.metadata.annotations = { ...annotations, ...wanted };
  return true;
}

export function sizeAnnotationsAreOld(deployment: Deployment, replicaSet: ReplicaSet): boolean {
  return annotateSize(deployment, { metadata: { annotations: replicaSet.metadata.annotations } });
}

/** Copies the new ReplicaSet's revision to the Deployment; true when it changed. */
export function setDeploymentRevision(deployment: Deployment, revision: string | bigint): boolean {
  const annotations = deployment.metadata.annotations ?? {};
  if (annotations[revisionKey] === String(revision)) return false;
  deployment.metadata.annotations = { ...annotations, [revisionKey]: String(revision) };
  return true;
}

/**
 * Old ReplicaSets to delete: the lowest revisions beyond revisionHistoryLimit, of these only the settled, empty ones.
 *
 *   limit 2, old revisions 1 (0 pods), 2 (1 pod), 3, 4 → excess 2: revisions 1 and 2; only 1 is deleted now
 */
export function surplusHistory(deployment: Deployment, oldReplicaSets: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec?.revisionHistoryLimit;
  if (limit === undefined || limit === 2 ** 31 - 1) return [];
  const alive = oldReplicaSets.filter(({ metadata }) => !metadata.deletionTimestamp);
  return alive
    .sort((left, right) => compare(revisionOf(left), revisionOf(right)) || oldestFirst(left, right))
    .slice(0, Math.max(0, alive.length - limit))
    .filter(
      (replicaSet) =>
        (replicaSet.status?.replicas ?? 0) === 0 &&
        desiredOf(replicaSet) === 0 &&
        (replicaSet.metadata.generation ?? 0) <= (replicaSet.status?.observedGeneration ?? 0),
    );
}

const compare = (left: bigint, right: bigint) => (left < right ? -1 : left > right ? 1 : 0);

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
