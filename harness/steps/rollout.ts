// pause, resume, restart, undo and history as `kubectl rollout` does them.
import { isDeepStrictEqual } from 'node:util';
import { rolloutHashLabel, rolloutRevision } from '../model/argo-rollout.ts';
import { FaultError } from '../model/errors.ts';
import { rolloutSettled } from '../model/rollout.ts';
import { isWithin, restartRollout } from './argo-rollout.ts';
import {
  isRollout,
  jsonPatch,
  mergePatch,
  type StepContext,
  type StepRunner,
  strategicMerge,
  workloadFacts,
  workloadPath,
} from './context.ts';

const revisionAnnotation = 'deployment.kubernetes.io/revision';
const kubectlRollout = { fieldManager: 'kubectl-rollout' };
const kubectl = { fieldManager: 'kubectl' };

interface Revisioned {
  metadata: {
    name: string;
    uid: string;
    annotations?: Record<string, string>;
    ownerReferences?: { uid: string; controller?: boolean }[];
  };
  spec: { template: { metadata?: { labels?: Record<string, string> }; spec: unknown }; paused?: boolean };
}

export const pause: StepRunner<'pause'> = async (_step, context) => {
  if (!hasReplicaSets(context))
    throw new FaultError(`pausing is not supported: a ${context.workload.kind} has no rollout that pauses.`);
  await patch(context, { spec: { paused: true } });
  return {};
};

export const resume: StepRunner<'resume'> = async (_step, context) => {
  await patch(context, { spec: { paused: null } });
  return {};
};

/** The installed controller's Deployment is called as its Service is (harness/deploy/entries). */
const entryDeployment = 'rollproof-entry';
const ENTRY_LIMIT_MS = 120_000;

export const restart: StepRunner<'restart'> = async ({ of: what = 'target' }, given) => {
  const context: StepContext =
    what === 'entry'
      ? { ...given, workload: { kind: 'Deployment', name: entryDeployment, container: 'traefik' } }
      : given;
  const before = workloadFacts(context)?.generation ?? 0;
  const restartedAt = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  if (isRollout(context.workload)) return restartRollout(context, restartedAt);
  await patch(context, {
    spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': restartedAt } } } },
  });
  if (what === 'entry') {
    await given.state.until(
      `the rollout of ${entryDeployment} to complete and none of its old pods to be there`,
      () => {
        const facts = workloadFacts(context);
        return (facts?.generation ?? 0) > before && rolloutSettled(facts, given.state.pods('entry').values());
      },
      ENTRY_LIMIT_MS,
      given.signal,
    );
  }
  return { restartedAt };
};

/**
 * Undo: the template of a former revision put back by a JSON patch, together with that revision's annotations (its
 * change-cause among them); the revision then gets the highest number.
 */
export const rollback: StepRunner<'rollback'> = async (step, context) => {
  if (!hasReplicaSets(context)) return rollbackByControllerRevision(step, context);
  const { deployment, owned } = await readRevisions(context);
  const rollout = isRollout(context.workload);
  if (deployment.spec.paused && !rollout) {
    throw new FaultError(
      "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
    );
  }
  const numbered = owned
    .map((set) => ({ set, revision: revisionOf(set) }))
    .sort((a, b) => b.revision - a.revision);
  const chosen = step.toRevision ? numbered.find((one) => one.revision === step.toRevision) : numbered[1];
  if (!chosen) {
    throw new FaultError(
      step.toRevision
        ? `unable to find specified revision ${step.toRevision} in history; there are ${numbered.map((one) => one.revision).join(', ')}`
        : rollout
          ? `no revision found for rollout "${context.workload.name}"`
          : `no rollout history found for deployment "${context.workload.name}"`,
    );
  }
  const template = structuredClone(chosen.set.spec.template);
  const hash = rollout ? rolloutHashLabel : 'pod-template-hash';
  if (template.metadata?.labels) delete template.metadata.labels[hash];
  const revisions = { fromRevision: numbered[0]?.revision, toRevision: chosen.revision };
  const same = rollout ? isWithin : isDeepStrictEqual;
  if (same(deployment.spec.template, template)) return { ...revisions, skipped: true };
  await context.kube.json('PATCH', workloadPath(context), {
    contentType: jsonPatch,
    query: kubectl,
    body: [
      { op: 'replace', path: '/spec/template', value: template },
      // The plugin of Argo Rollouts leaves them as they are.
      ...(rollout
        ? []
        : [
            {
              op: 'replace',
              path: '/metadata/annotations',
              value: annotationsAfterUndo(deployment, chosen.set),
            },
          ]),
    ],
  });
  return revisions;
};

interface ControllerRevision {
  metadata: { name: string; ownerReferences?: { uid: string; controller?: boolean }[] };
  revision: number;
  /** A strategic merge patch of the workload: its template, to be put in place of the one that is there. */
  data: { spec: { template: unknown } };
}

/** Of a StatefulSet or a DaemonSet: the patch that a former ControllerRevision carries. */
async function rollbackByControllerRevision(
  step: Parameters<typeof rollback>[0],
  context: StepContext,
): ReturnType<typeof rollback> {
  const { kind, name } = context.workload;
  const numbered = (await readControllerRevisions(context)).sort((a, b) => b.revision - a.revision);
  const chosen = step.toRevision ? numbered.find((one) => one.revision === step.toRevision) : numbered[1];
  if (!chosen) {
    throw new FaultError(
      step.toRevision
        ? `unable to find specified revision ${step.toRevision} in history; there are ${numbered.map((one) => one.revision).join(', ')}`
        : `no last revision to roll back to: ${kind} ${name} has ${numbered.length}`,
    );
  }
  await context.kube.json('PATCH', workloadPath(context), {
    contentType: strategicMerge,
    query: kubectl,
    body: chosen.data,
  });
  return { fromRevision: numbered[0]?.revision, toRevision: chosen.revision };
}

async function readControllerRevisions(context: StepContext): Promise<ControllerRevision[]> {
  const { metadata } = await context.kube.json<{ metadata: { uid: string } }>('GET', workloadPath(context));
  const { items } = await context.kube.json<{ items: ControllerRevision[] }>(
    'GET',
    `/apis/apps/v1/namespaces/${context.namespace}/controllerrevisions`,
  );
  return items.filter((one) =>
    one.metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === metadata.uid),
  );
}

/** Of the Deployment itself; all others come from the revision's ReplicaSet. */
const kept: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  'deployment.kubernetes.io/revision-history',
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
  'deprecated.deployment.rollback.to',
]);

function annotationsAfterUndo(deployment: Revisioned, set: Revisioned): Record<string, string> {
  const of = ({ metadata }: Revisioned, own: boolean) =>
    Object.entries(metadata.annotations ?? {}).filter(([name]) => kept.has(name) === own);
  return Object.fromEntries([...of(deployment, true), ...of(set, false)]);
}

/** The revisions that `kubectl rollout history` would list, lowest first. */
export const history: StepRunner<'history'> = async (step, context) => ({
  as: step.as,
  revisions: (await revisionsOf(context)).map(({ revision }) => revision),
});

/** Lowest first. */
export async function revisionsOf(
  context: StepContext,
): Promise<{ readonly revision: number; readonly changeCause: string | undefined }[]> {
  if (!hasReplicaSets(context)) {
    const revisions = await readControllerRevisions(context);
    return revisions
      .map(({ revision }) => ({ revision, changeCause: undefined }))
      .sort((a, b) => a.revision - b.revision);
  }
  const { owned } = await readRevisions(context);
  return owned
    .map((set) => ({
      revision: revisionOf(set),
      changeCause: set.metadata.annotations?.['kubernetes.io/change-cause'],
    }))
    .sort((a, b) => a.revision - b.revision);
}

async function patch(context: StepContext, body: unknown): Promise<void> {
  await context.kube.json('PATCH', workloadPath(context), {
    query: kubectlRollout,
    contentType: isRollout(context.workload) ? mergePatch : strategicMerge,
    body,
  });
}

async function readRevisions(context: StepContext): Promise<{ deployment: Revisioned; owned: Revisioned[] }> {
  const deployment = await context.kube.json<Revisioned>('GET', workloadPath(context));
  const sets = await context.kube.json<{ items: Revisioned[] }>(
    'GET',
    `/apis/apps/v1/namespaces/${context.namespace}/replicasets`,
  );
  const owned = sets.items.filter((set) =>
    set.metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === deployment.metadata.uid),
  );
  return { deployment, owned };
}

/** Its revisions are ReplicaSets; those of other kinds are ControllerRevisions. */
const hasReplicaSets = ({ workload }: StepContext): boolean =>
  workload.kind === 'Deployment' || isRollout(workload);

const revisionOf = ({ metadata: { annotations } }: Revisioned): number =>
  Number(annotations?.[revisionAnnotation] ?? annotations?.[rolloutRevision] ?? 0);
