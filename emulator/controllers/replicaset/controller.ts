// The ReplicaSet controller: as many active pods as wanted. A pod that is being deleted counts as gone at once, so its
// replacement starts while it still terminates. Source: pkg/controller/replicaset/replica_set.go.

import { matchesSelector } from '../../api/label-selector.ts';
import { equalObjects } from '../../api/objects.ts';
import { type Change, type Kinds, type Pod, type ReplicaSet, StatusError } from '../../api/types.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { createExpectations } from '../runtime/expectations.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { drawMs } from '../runtime/latencies.ts';
import { adopt, claim, controllerOf, release } from '../runtime/ownership.ts';
import { createPod, deletePod, isNamespaceTerminating, podDraft } from '../runtime/pod-control.ts';
import { isActive, isReady, isTerminating } from '../runtime/pods.ts';
import { podsToDelete } from './deletion-rank.ts';
import { slowStart } from './slow-start.ts';
import { nextAvailabilityMs, type ReplicaSetStatus, replicaSetStatus } from './status.ts';

/** Pods created or deleted at most in one sync (BurstReplicas). */
const burstReplicas = 500;

/** Which of the two kinds that work alike; a ReplicationController is looked at as if it were a ReplicaSet. */
interface ReplicaKind<R extends 'replicasets' | 'replicationcontrollers'> {
  readonly resource: R;
  readonly kind: string;
  readonly controller: string;
  asReplicaSet(object: Kinds[R]): ReplicaSet;
}

const replicaSets: ReplicaKind<'replicasets'> = {
  resource: 'replicasets',
  kind: 'ReplicaSet',
  controller: 'replicaset',
  asReplicaSet: (object) => object,
};

/** Source: pkg/controller/replication (an adapter of the ReplicaSet controller, too). */
const replicationControllers: ReplicaKind<'replicationcontrollers'> = {
  resource: 'replicationcontrollers',
  kind: 'ReplicationController',
  controller: 'replication',
  asReplicaSet: (object) =>
    ({ ...object, spec: { ...object.spec, selector: { matchLabels: object.spec?.selector } } }) as ReplicaSet,
};

export function startReplicaSetController(context: ControllerContext): void {
  startController(context, replicaSets);
}

export function startReplicationController(context: ControllerContext): void {
  startController(context, replicationControllers);
}

function startController<R extends 'replicasets' | 'replicationcontrollers'>(
  context: ControllerContext,
  { resource, kind, controller, asReplicaSet }: ReplicaKind<R>,
): void {
  const { informers, clock, latencies, random } = context;
  const client = clientFor(context, `${controller}-controller`);
  const expectations = createExpectations(() => clock.nowMs());
  const queue = queueFor(context, controller, sync);
  const find = (namespace: string | undefined, name: string): ReplicaSet | undefined => {
    const found = informers.get(resource, namespace, name);
    return found && asReplicaSet(found);
  };
  const list = (namespace: string | undefined): ReplicaSet[] =>
    informers.list(resource, namespace).map(asReplicaSet);
  watch();

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    await clock.sleep(drawMs(latencies.replicaSetSync, random));
    const replicaSet = find(namespace, name);
    if (!replicaSet) return expectations.forget(key);
    const mayAct = expectations.satisfied(key);
    const pods = await claimPods(replicaSet);
    let error: Error | undefined;
    if (mayAct && !replicaSet.metadata.deletionTimestamp) error = await manage(key, replicaSet, pods);
    const status = replicaSetStatus(replicaSet, pods, error, clock.nowMs());
    await updateStatus(replicaSet, status);
    if (error) throw error;
    const afterMs = nextAvailabilityMs(replicaSet, pods, clock.nowMs());
    // A millisecond more, so that the instant is past whatever the timer's rounding.
    if (afterMs !== undefined) queue.addAfter(key, afterMs + 1);
  }

  async function claimPods(replicaSet: ReplicaSet): Promise<Pod[]> {
    const { namespace } = replicaSet.metadata;
    const activePods = informers.list('pods', namespace).filter(isActive);
    const { owned, orphans, strangers } = claim(replicaSet, replicaSet.spec?.selector, activePods);
    for (const { metadata } of orphans) {
      const adopted = await client.mutate('pods', namespace, metadata.name, (draft) =>
        adopt(draft, replicaSet),
      );
      if (adopted) owned.push(adopted);
    }
    for (const { metadata } of strangers) {
      await client.mutate('pods', namespace, metadata.name, (draft) => release(draft, replicaSet));
    }
    return owned;
  }

  async function manage(
    key: string,
    replicaSet: ReplicaSet,
    pods: readonly Pod[],
  ): Promise<Error | undefined> {
    const missing = (replicaSet.spec?.replicas ?? 0) - pods.length;
    if (missing > 0) return create(key, replicaSet, Math.min(missing, burstReplicas));
    if (missing < 0) return remove(key, replicaSet, pods, Math.min(-missing, burstReplicas));
    return undefined;
  }

  async function create(key: string, replicaSet: ReplicaSet, count: number): Promise<Error | undefined> {
    expectations.expectCreations(key, count);
    let turn: Promise<void> = Promise.resolve();
    const { succeeded, error } = await slowStart(count, async (index) => {
      // The requests of a batch start together, but the API server takes them one after another.
      const before = turn;
      turn = before.then(() =>
        clock.sleep(drawMs(index === 0 ? latencies.firstPod : latencies.nextPod, random)),
      );
      await turn;
      try {
        await createPod(client, replicaSet, podDraft(replicaSet, replicaSet.spec?.template));
      } catch (failure) {
        if (!(failure instanceof StatusError && isNamespaceTerminating(failure))) throw failure;
        expectations.creationObserved(key);
      }
    });
    const skipped = error === undefined ? 0 : count - succeeded;
    for (let index = 0; index < skipped; index++) expectations.creationObserved(key);
    return asError(error);
  }

  async function remove(
    key: string,
    replicaSet: ReplicaSet,
    pods: readonly Pod[],
    count: number,
  ): Promise<Error | undefined> {
    const victims = podsToDelete(pods, relatedPods(replicaSet), count, clock.nowMs());
    expectations.expectDeletions(
      key,
      victims.map(({ metadata }) => metadata.uid),
    );
    const results = await Promise.allSettled(
      victims.map(async (pod, index) => {
        for (let before = 0; before < index; before++) await clock.sleep(drawMs(latencies.nextPod, random));
        try {
          await deletePod(client, replicaSet, pod);
        } catch (failure) {
          expectations.deletionObserved(key, pod.metadata.uid);
          throw failure;
        }
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    return failed && asError(failed.reason);
  }

  /** The pods of all ReplicaSets with the same controller. */
  function relatedPods(replicaSet: ReplicaSet): Pod[] {
    const owner = controllerOf(replicaSet)?.uid;
    const { namespace } = replicaSet.metadata;
    const siblings = new Set(
      list(namespace)
        .filter((each) => each === replicaSet || (owner !== undefined && controllerOf(each)?.uid === owner))
        .map(({ metadata }) => metadata.uid),
    );
    siblings.add(replicaSet.metadata.uid);
    return informers.list('pods', namespace).filter((pod) => siblings.has(controllerOf(pod)?.uid ?? ''));
  }

  async function updateStatus(replicaSet: ReplicaSet, status: ReplicaSetStatus): Promise<void> {
    const { metadata } = replicaSet;
    if (equalObjects(replicaSet.status ?? {}, status)) return;
    await client.mutate(
      resource,
      metadata.namespace,
      metadata.name,
      (draft) => {
        draft.status = status;
      },
      'status',
    );
  }

  function watch(): void {
    informers.on(resource, ({ object, type }) => {
      const key = keyOf(object.metadata.namespace, object.metadata.name);
      if (type === 'DELETED') expectations.forget(key);
      queue.add(key);
    });
    informers.on('pods', (change) => {
      if (change.type === 'ADDED' && !isTerminating(change.object)) podAdded(change.object);
      else if (change.type === 'MODIFIED' && !startsTerminating(change)) podChanged(change);
      else podDeleted(change.object);
    });
  }

  function podAdded(pod: Pod): void {
    const owner = ownerKey(pod);
    if (owner) {
      expectations.creationObserved(owner);
      queue.add(owner);
    } else if (!controllerOf(pod)) addCandidates(pod);
  }

  function podChanged({ object, previous }: Change<'pods'>): void {
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    const before = previous && ownerKey(previous);
    const owner = ownerKey(object);
    if (before && before !== owner) queue.add(before);
    if (owner) queue.add(owner);
    else if (!controllerOf(object)) addCandidates(object);
    // Becoming ready with minReadySeconds is looked at again by the sync itself (nextAvailabilityMs).
    if (owner && previous && isReady(previous) !== isReady(object)) queue.add(owner);
  }

  function podDeleted(pod: Pod): void {
    const owner = ownerKey(pod);
    if (!owner) return;
    expectations.deletionObserved(owner, pod.metadata.uid);
    queue.add(owner);
  }

  function addCandidates(pod: Pod): void {
    for (const { metadata, spec } of list(pod.metadata.namespace)) {
      if (matchesSelector(spec?.selector, pod.metadata.labels)) {
        queue.add(keyOf(metadata.namespace, metadata.name));
      }
    }
  }

  function ownerKey(pod: Pod): string | undefined {
    const owner = controllerOf(pod);
    if (owner?.kind !== kind) return undefined;
    const replicaSet = find(pod.metadata.namespace, owner.name);
    return replicaSet?.metadata.uid === owner.uid ? keyOf(pod.metadata.namespace, owner.name) : undefined;
  }
}

function startsTerminating({ object, previous }: Change<'pods'>): boolean {
  return isTerminating(object) && !(previous && isTerminating(previous));
}

function asError(reason: unknown): Error | undefined {
  if (reason === undefined) return undefined;
  return reason instanceof Error ? reason : new Error(String(reason));
}
