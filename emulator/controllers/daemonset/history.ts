// ControllerRevisions of a DaemonSet: what `kubectl rollout history` and `undo` read.
// Source: pkg/controller/daemon/update.go (constructHistory, snapshot, cleanupHistory).
import type { DaemonSet, Draft, Kinds, Pod } from '../../api/types.ts';
import { canonicalJson, inFieldOrder, templateHash } from '../deployment/template-hash.ts';
import { revisionDraft as draftOf } from '../runtime/revision.ts';
import { hashLabel } from './rolling.ts';

export type Revision = Kinds['controllerrevisions'];

/** The present template as a patch that restores it. */
function revisionData(daemonSet: DaemonSet): { spec: { template: object } } {
  // Fields in order: clients compare it with the template by its bytes (pkg/controller/daemon/update.go, Match).
  return inFieldOrder({ spec: { template: { ...daemonSet.spec?.template, $patch: 'replace' } } });
}

export function findRevision(daemonSet: DaemonSet, revisions: readonly Revision[]): Revision | undefined {
  const wanted = canonicalJson(revisionData(daemonSet));
  return revisions.find((revision) => canonicalJson(revision.data) === wanted);
}

export function nextRevisionNumber(revisions: readonly Revision[]): number {
  return Math.max(0, ...revisions.map(({ revision }) => revision)) + 1;
}

export function revisionDraft(daemonSet: DaemonSet, revision: number): Draft<'controllerrevisions'> {
  const hash = templateHash(daemonSet.spec?.template, daemonSet.status?.collisionCount);
  return draftOf(daemonSet, { hash, label: hashLabel, data: revisionData(daemonSet), revision });
}

/** The oldest beyond revisionHistoryLimit that no pod is of. */
export function surplusRevisions(
  daemonSet: DaemonSet,
  old: readonly Revision[],
  pods: readonly Pod[],
): Revision[] {
  const excess = old.length - (daemonSet.spec?.revisionHistoryLimit ?? 10);
  const live = new Set(pods.map(({ metadata }) => metadata.labels?.[hashLabel]));
  return [...old]
    .sort((left, right) => left.revision - right.revision)
    .filter(({ metadata }) => !live.has(metadata.labels?.[hashLabel]))
    .slice(0, Math.max(0, excess));
}
