// The Deployment controller: one step per sync, on what its caches say. Source: pkg/controller/deployment/
// {deployment_controller,sync,rolling,recreate,progress}.go.

import { isEmptySelector, matchesSelector } from '../../api/label-selector.ts';
import { equalObjects } from '../../api/objects.ts';
import { type Change, type Deployment, type Draft, type ReplicaSet, StatusError } from '../../api/types.ts';
import type { Client } from '../runtime/client.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { drawMs } from '../runtime/latencies.ts';
import {
  adopt,
  claim,
  controllerOf,
  controllerReference,
  isControlledBy,
  release,
} from '../runtime/ownership.ts';
import type { WorkQueue } from '../runtime/work-queue.ts';
import {
  conditionIn,
  type DeploymentStatus,
  deploymentCondition,
  hasProgressDeadline,
  pauseCondition,
  setCondition,
} from './conditions.ts';
import { isRolling, newReplicaSetSize } from './fenceposts.ts';
import { proportionalSizes } from './proportional.ts';
import { oldPodsRemain } from './recreate.ts';
import { active, desiredOf, present } from './replica-sets.ts';
import {
  annotateNewReplicaSet,
  annotateSize,
  desiredReplicasAnnotation,
  findNewReplicaSet,
  hashLabel,
  nextRevision,
  revisionFrom,
  revisionOf,
  rollbackToAnnotation,
  sameTemplate,
  setDeploymentRevision,
  sizeAnnotationsAreOld,
  surplusHistory,
} from './revision.ts';
import { nextNewSize, nextOldSizes, type Resize } from './rolling.ts';
import { isComplete, rolloutStatusOf, statusOf, stuckCheckAfterMs } from './status.ts';
import { templateHash } from './template-hash.ts';

/** One sync's view: the Deployment is the sync's own copy, as old as the cache was when the sync began. */
interface Sync {
  readonly deployment: Deployment;
  newReplicaSet: ReplicaSet | undefined;
  oldReplicaSets: ReplicaSet[];
}

export function startDeploymentController(context: ControllerContext): void {
  const client = clientFor(context, 'deployment-controller');
  const { informers, clock } = context;
  const queue: WorkQueue = queueFor(context, 'deployment', sync);
  watchDeployments(context, queue);

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    await clock.sleep(drawMs(context.latencies.deploymentSync, context.random));
    const cached = informers.get('deployments', namespace, name);
    if (!cached) return;
    const deployment = structuredClone(cached);
    if (isEmptySelector(deployment.spec?.selector)) return refuseSelectingAll(client, deployment);
    const replicaSets = await claimReplicaSets(context, client, deployment);
    const newReplicaSet = findNewReplicaSet(deployment, replicaSets);
    const state: Sync = {
      deployment,
      newReplicaSet,
      oldReplicaSets: replicaSets.filter((replicaSet) => replicaSet !== newReplicaSet),
    };
    if (deployment.metadata.deletionTimestamp) return writeStatus(state);

    const paused = pauseCondition(deployment, clock.nowMs());
    if (paused) {
      deployment.status ??= {};
      setCondition(deployment.status, paused);
      // The copy keeps its old resourceVersion: a later status write of this sync conflicts and is retried, as there.
      await client.update('deployments', deployment, 'status');
    }
    if (deployment.spec?.paused) return scaleOnly(state);
    if (deployment.metadata.annotations?.[rollbackToAnnotation] !== undefined) return rollBack(state);
    await syncRevision(state, false);
    if (isScalingEvent(state)) return scaleOnly(state);
    return isRolling(deployment) ? rollOut(state) : recreate(state);
  }

  const allOf = ({ newReplicaSet, oldReplicaSets }: Sync) => present([...oldReplicaSets, newReplicaSet]);

  async function rollOut(state: Sync): Promise<void> {
    const { deployment } = state;
    await syncRevision(state, true);
    if (!state.newReplicaSet) return;
    const size = nextNewSize(deployment, allOf(state), state.newReplicaSet);
    if (await resize(state, { replicaSet: state.newReplicaSet, to: size })) return writeRolloutStatus(state);
    const smaller = nextOldSizes(deployment, allOf(state), state.newReplicaSet, state.oldReplicaSets);
    if (smaller.length > 0) {
      try {
        for (const step of smaller) await resize(state, step);
      } catch (error) {
        // As there: an error here ends the step but not the sync.
        if (!(error instanceof StatusError)) throw error;
      }
      return writeRolloutStatus(state);
    }
    if (isComplete(deployment, deployment.status)) await cleanUp(state);
    return writeRolloutStatus(state);
  }

  async function recreate(state: Sync): Promise<void> {
    const { deployment } = state;
    const withPods = active(state.oldReplicaSets);
    for (const replicaSet of withPods) await resize(state, { replicaSet, to: 0 });
    if (withPods.length > 0) return writeRolloutStatus(state);
    const pods = podsOf(context, deployment);
    if (oldPodsRemain(state.newReplicaSet, state.oldReplicaSets, pods)) return writeRolloutStatus(state);
    await syncRevision(state, true);
    if (!state.newReplicaSet) return;
    await resize(state, { replicaSet: state.newReplicaSet, to: desiredOf(deployment) });
    if (isComplete(deployment, deployment.status)) await cleanUp(state);
    return writeRolloutStatus(state);
  }

  /** Paused, or the size has changed: every ReplicaSet gets its share, no rollout step. */
  async function scaleOnly(state: Sync): Promise<void> {
    const { deployment } = state;
    await syncRevision(state, false);
    for (const step of proportionalSizes(deployment, state.newReplicaSet, state.oldReplicaSets)) {
      await resize(state, step, 'annotations-too');
    }
    if (deployment.spec?.paused) await cleanUp(state);
    return writeStatus(state);
  }

  /**
   * Finds or creates the new ReplicaSet and brings revisions up to date. `state.newReplicaSet` stays undefined when there
   * is none and none shall be created.
   */
  async function syncRevision(state: Sync, createIfMissing: boolean): Promise<void> {
    const { deployment, newReplicaSet, oldReplicaSets } = state;
    const revision = nextRevision(oldReplicaSets);
    if (!newReplicaSet) {
      if (createIfMissing) await createNewReplicaSet(state, revision);
      return;
    }
    const changed = structuredClone(newReplicaSet);
    const annotated = annotateNewReplicaSet(deployment, changed, revision, true);
    const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
    if (annotated || (changed.spec?.minReadySeconds ?? 0) !== minReadySeconds) {
      if (changed.spec) changed.spec.minReadySeconds = minReadySeconds;
      state.newReplicaSet = await client.update('replicasets', changed);
      return;
    }
    let needsUpdate = setDeploymentRevision(deployment, revisionOf(newReplicaSet));
    if (hasProgressDeadline(deployment) && !conditionIn(deployment.status, 'Progressing')) {
      const message = `Found new replica set "${newReplicaSet.metadata.name}"`;
      deployment.status ??= {};
      setCondition(
        deployment.status,
        deploymentCondition('Progressing', 'True', 'FoundNewReplicaSet', message, clock.nowMs()),
      );
      needsUpdate = true;
    }
    if (needsUpdate) await client.update('deployments', deployment, 'status');
  }

  async function createNewReplicaSet(state: Sync, revision: bigint): Promise<void> {
    const { deployment, oldReplicaSets } = state;
    const draft = newReplicaSetDraft(deployment, oldReplicaSets, revision);
    const name = draft.metadata.name ?? '';
    let created: ReplicaSet;
    let isNew = true;
    try {
      created = await client.create('replicasets', draft);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      if (error.reason !== 'AlreadyExists') return failCreate(state, name, error);
      const existing = informers.get('replicasets', deployment.metadata.namespace, name);
      if (!existing) throw error;
      if (!isControlledBy(existing, deployment) || !sameTemplate(deployment, existing)) {
        // Another template has the same hash: with a higher count the name is a different one.
        deployment.status ??= {};
        deployment.status.collisionCount = (deployment.status.collisionCount ?? 0) + 1;
        await client.update('deployments', deployment, 'status');
        throw error;
      }
      created = existing;
      isNew = false;
    }
    if (isNew && desiredOf(created) > 0) {
      client.event(
        deployment,
        'Normal',
        'ScalingReplicaSet',
        `Scaled up replica set ${name} from 0 to ${desiredOf(created)}`,
      );
    }
    state.newReplicaSet = created;
    let needsUpdate = setDeploymentRevision(deployment, revision);
    if (isNew && hasProgressDeadline(deployment)) {
      const message = `Created new replica set "${name}"`;
      deployment.status ??= {};
      setCondition(
        deployment.status,
        deploymentCondition('Progressing', 'True', 'NewReplicaSetCreated', message, clock.nowMs()),
      );
      needsUpdate = true;
    }
    if (needsUpdate) await client.update('deployments', deployment, 'status');
  }

  async function failCreate({ deployment }: Sync, name: string, error: StatusError): Promise<never> {
    const causes = (error.details?.causes ?? []) as { reason?: string }[];
    if (causes.some(({ reason }) => reason === 'NamespaceTerminating')) throw error;
    const message = `Failed to create new replica set "${name}": ${error.message}`;
    if (hasProgressDeadline(deployment)) {
      deployment.status ??= {};
      setCondition(
        deployment.status,
        deploymentCondition('Progressing', 'False', 'ReplicaSetCreateError', message, clock.nowMs()),
      );
      await client.update('deployments', deployment, 'status');
    }
    client.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
    throw error;
  }

  /** Writes one ReplicaSet's size; true when the size changed. */
  async function resize(state: Sync, step: Resize, mode?: 'annotations-too'): Promise<boolean> {
    const { deployment } = state;
    const name = step.replicaSet.metadata.name;
    // Another step of this sync may have written it already.
    const current = allOf(state).find(({ metadata }) => metadata.name === name) ?? step.replicaSet;
    const from = desiredOf(current);
    if (from === step.to && !(mode && sizeAnnotationsAreOld(deployment, current))) return false;
    const changed = structuredClone(current);
    if (changed.spec) changed.spec.replicas = step.to;
    annotateSize(deployment, changed);
    const written = await client.update('replicasets', changed);
    state.oldReplicaSets = state.oldReplicaSets.map((replicaSet) =>
      replicaSet === current ? written : replicaSet,
    );
    if (state.newReplicaSet === current) state.newReplicaSet = written;
    if (from === step.to) return false;
    const direction = from < step.to ? 'up' : 'down';
    client.event(
      deployment,
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${direction} replica set ${name} from ${from} to ${step.to}`,
    );
    return true;
  }

  async function cleanUp({ deployment, oldReplicaSets }: Sync): Promise<void> {
    for (const { metadata } of surplusHistory(deployment, oldReplicaSets)) {
      await client.delete('replicasets', metadata.namespace, metadata.name);
    }
  }

  async function writeStatus(state: Sync): Promise<void> {
    const status = statusOf(state.deployment, allOf(state), state.newReplicaSet, clock.nowMs());
    if (!equalObjects(state.deployment.status ?? {}, status)) await updateStatus(state.deployment, status);
  }

  async function writeRolloutStatus(state: Sync): Promise<void> {
    const { deployment } = state;
    const nowMs = clock.nowMs();
    const status = rolloutStatusOf(deployment, allOf(state), state.newReplicaSet, nowMs);
    if (!equalObjects(deployment.status ?? {}, status)) return updateStatus(deployment, status);
    const afterMs = stuckCheckAfterMs(deployment, status, nowMs);
    const key = keyOf(deployment.metadata.namespace, deployment.metadata.name);
    if (afterMs === 0) queue.addRateLimited(key);
    else if (afterMs !== undefined) queue.addAfter(key, afterMs);
  }

  async function updateStatus(deployment: Deployment, status: DeploymentStatus): Promise<void> {
    deployment.status = status;
    await client.update('deployments', deployment, 'status');
  }

  /** The deprecated annotation: the template of that revision (0: the last but one) becomes the Deployment's. */
  async function rollBack({ deployment, newReplicaSet, oldReplicaSets }: Sync): Promise<void> {
    const wanted = revisionFrom(deployment.metadata.annotations?.[rollbackToAnnotation]);
    const revisions = present([...oldReplicaSets, newReplicaSet])
      .map(revisionOf)
      .sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
    const revision = wanted === 0n ? (revisions[1] ?? 0n) : wanted;
    const target = present([...oldReplicaSets, newReplicaSet]).find((each) => revisionOf(each) === revision);
    const isDifferent = target !== undefined && !sameTemplate(deployment, target);
    if (!target || revision === 0n) {
      const text = 'Unable to find the revision to rollback to.';
      client.event(deployment, 'Warning', 'DeploymentRollbackRevisionNotFound', text);
    } else if (isDifferent) {
      const text = `Rolled back deployment "${deployment.metadata.name}" to revision ${revision}`;
      client.event(deployment, 'Normal', 'DeploymentRollback', text);
    } else {
      const text = `The rollback revision contains the same template as current deployment "${deployment.metadata.name}"`;
      client.event(deployment, 'Warning', 'DeploymentRollbackTemplateUnchanged', text);
    }
    const changed = structuredClone(deployment);
    delete changed.metadata.annotations?.[rollbackToAnnotation];
    if (isDifferent && changed.spec && target.spec?.template) {
      changed.spec.template = structuredClone(target.spec.template);
      delete changed.spec.template.metadata?.labels?.[hashLabel];
    }
    await client.update('deployments', changed);
  }
}

/** A ReplicaSet with pods was sized for another number of replicas. */
function isScalingEvent({ deployment, newReplicaSet, oldReplicaSets }: Sync): boolean {
  return active(present([...oldReplicaSets, newReplicaSet])).some((replicaSet) => {
    const desired = desiredReplicasAnnotation(replicaSet);
    return desired !== undefined && desired !== desiredOf(deployment);
  });
}

function newReplicaSetDraft(
  deployment: Deployment,
  oldReplicaSets: readonly ReplicaSet[],
  revision: bigint,
): Draft<'replicasets'> {
  const { metadata, spec } = deployment;
  const hash = templateHash(spec?.template, deployment.status?.collisionCount);
  const template = structuredClone(spec?.template ?? {});
  template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [hashLabel]: hash } };
  const selector = structuredClone(spec?.selector ?? {});
  selector.matchLabels = { ...selector.matchLabels, [hashLabel]: hash };
  const draft: Draft<'replicasets'> & { metadata: { annotations?: Record<string, string> } } = {
    metadata: {
      name: `${metadata.name}-${hash}`,
      namespace: metadata.namespace,
      labels: { ...template.metadata.labels },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: { replicas: 0, selector, template, minReadySeconds: spec?.minReadySeconds },
  };
  annotateNewReplicaSet(deployment, draft, revision, false);
  const asReplicaSet = draft as ReplicaSet;
  if (draft.spec) {
    draft.spec.replicas = newReplicaSetSize(deployment, [...oldReplicaSets, asReplicaSet], asReplicaSet);
  }
  return draft;
}

async function refuseSelectingAll(client: Client, deployment: Deployment): Promise<void> {
  client.event(
    deployment,
    'Warning',
    'SelectingAll',
    'This deployment is selecting all pods. A non-empty selector is required.',
  );
  const generation = deployment.metadata.generation ?? 0;
  if ((deployment.status?.observedGeneration ?? 0) >= generation) return;
  deployment.status = { ...deployment.status, observedGeneration: generation };
  await client.update('deployments', deployment, 'status');
}

async function claimReplicaSets(
  context: ControllerContext,
  client: Client,
  deployment: Deployment,
): Promise<ReplicaSet[]> {
  const all = context.informers.list('replicasets', deployment.metadata.namespace);
  const { owned, orphans, strangers } = claim(deployment, deployment.spec?.selector, all);
  for (const { metadata } of orphans) {
    const adopted = await client.mutate('replicasets', metadata.namespace, metadata.name, (draft) =>
      adopt(draft, deployment),
    );
    if (adopted) owned.push(adopted);
  }
  for (const { metadata } of strangers) {
    await client.mutate('replicasets', metadata.namespace, metadata.name, (draft) =>
      release(draft, deployment),
    );
  }
  return owned;
}

function podsOf(context: ControllerContext, deployment: Deployment) {
  const { namespace } = deployment.metadata;
  const owners = new Set(
    context.informers
      .list('replicasets', namespace)
      .filter((replicaSet) => isControlledBy(replicaSet, deployment))
      .map(({ metadata }) => metadata.uid),
  );
  return context.informers.list('pods', namespace).filter((pod) => owners.has(controllerOf(pod)?.uid ?? ''));
}

function watchDeployments(context: ControllerContext, queue: WorkQueue): void {
  const { informers } = context;
  informers.on('deployments', ({ object }) =>
    queue.add(keyOf(object.metadata.namespace, object.metadata.name)),
  );
  informers.on('replicasets', ({ type, object, previous }: Change<'replicasets'>) => {
    if (type === 'MODIFIED' && previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    const owners = new Set(
      [object, previous]
        .filter((each) => each !== undefined)
        .map(controllerOf)
        .filter((owner) => owner?.kind === 'Deployment')
        .map((owner) => owner?.name ?? ''),
    );
    const { namespace, labels } = object.metadata;
    if (!controllerOf(object) && type !== 'DELETED') {
      for (const { metadata, spec } of informers.list('deployments', namespace)) {
        if (matchesSelector(spec?.selector, labels)) owners.add(metadata.name);
      }
    }
    for (const owner of owners) queue.add(keyOf(namespace, owner));
  });
  // Recreate waits for the last old pod to be gone.
  informers.on('pods', ({ type, object }) => {
    if (type !== 'DELETED') return;
    const { namespace } = object.metadata;
    const replicaSetName = controllerOf(object)?.name;
    const replicaSet = replicaSetName && informers.get('replicasets', namespace, replicaSetName);
    const owner = replicaSet ? controllerOf(replicaSet) : undefined;
    const deployment = owner && informers.get('deployments', namespace, owner.name);
    if (!deployment || isRolling(deployment)) return;
    if (podsOf(context, deployment).length === 0) queue.add(keyOf(namespace, deployment.metadata.name));
  });
}
