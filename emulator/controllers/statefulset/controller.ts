// The StatefulSet controller: pods with names and claims of their own, one after another or all at once.
// Source: pkg/controller/statefulset/{stateful_set,stateful_set_control}.go.

import { matchesSelector } from '../../api/label-selector.ts';
import { equalObjects } from '../../api/objects.ts';
import { type Pod, type StatefulSet, StatusError } from '../../api/types.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { drawMs } from '../runtime/latencies.ts';
import { adopt, claim, controllerOf, controllerReference, release } from '../runtime/ownership.ts';
import { deletePod } from '../runtime/pod-control.ts';
import { availableAtMs, isAvailable, isTerminating } from '../runtime/pods.ts';
import { claimDrafts, claimVolumes, ownersOfClaim } from './claims.ts';
import { ordinalOf, podDraftFor, podName, startOrdinal } from './identity.ts';
import { isRunningAndReady, type PodStep, planStep } from './plan.ts';
import { type Revision, revisionLabel, snapshot, surplusRevisions, templateOf } from './revisions.ts';

type Status = NonNullable<StatefulSet['status']>;

export function startStatefulSetController(context: ControllerContext): void {
  const { informers, clock, latencies, random, registry } = context;
  const client = clientFor(context, 'statefulset-controller');
  const queue = queueFor(context, 'statefulset', sync);
  watch();

  async function sync(key: string): Promise<void> {
    const [namespace = '', name] = splitKey(key);
    await clock.sleep(drawMs(latencies.replicaSetSync, random));
    const set = informers.get('statefulsets', namespace, name);
    if (!set) return;
    await adoptRevisions(set);
    const pods = await claimPods(set);
    const { current, update, all, collisionCount } = await syncRevisions(set);
    if (!set.metadata.deletionTimestamp) for (const pod of pods) await ownClaims(set, pod);
    const status = await act(set, pods, current, update, collisionCount);
    await writeStatus(set, status);
    for (const { metadata } of surplusRevisions(set, all, [current, update], pods)) {
      await client.delete('controllerrevisions', metadata.namespace, metadata.name);
    }
    const waits = pods
      .map((pod) => availableAtMs(pod, set.spec?.minReadySeconds ?? 0, clock.nowMs()))
      .filter((atMs) => atMs !== undefined);
    if (waits.length > 0) queue.addAfter(key, Math.max(0, Math.min(...waits) - clock.nowMs()) + 1);
  }

  /** One step at a time with OrderedReady; with Parallel as many as there are to take. */
  async function act(
    set: StatefulSet,
    pods: readonly Pod[],
    current: Revision,
    update: Revision,
    collisionCount: number | undefined,
  ): Promise<Status> {
    const nowMs = clock.nowMs();
    const steps = set.metadata.deletionTimestamp ? [] : planStep({ set, pods, current, update, nowMs });
    for (const step of steps) await take(set, step, current, update);
    return statusOf(set, livePods(set, pods), current, update, collisionCount, nowMs);
  }

  /** As they are now: what was just created or deleted counts. */
  function livePods(set: StatefulSet, known: readonly Pod[]): Pod[] {
    const names = new Set(known.map(({ metadata }) => metadata.name));
    const start = startOrdinal(set);
    for (let ordinal = start; ordinal < start + (set.spec?.replicas ?? 1); ordinal++) {
      names.add(podName(set, ordinal));
    }
    return [...names].flatMap((name) => {
      const pod = registry.get('pods', set.metadata.namespace, name);
      return pod && controllerOf(pod)?.uid === set.metadata.uid ? [pod] : [];
    });
  }

  async function take(set: StatefulSet, step: PodStep, current: Revision, update: Revision): Promise<void> {
    switch (step.type) {
      case 'create': {
        const revision = step.revision === 'current' ? current : update;
        await createClaims(set, step.ordinal);
        await create(set, step.ordinal, revision);
        return;
      }
      case 'delete':
        await remove(set, step.pod);
        return;
      case 'repair':
        await createClaims(set, ordinalOf(step.pod) ?? 0);
        await client.mutate('pods', step.pod.metadata.namespace, step.pod.metadata.name, step.change);
        return;
    }
  }

  async function create(set: StatefulSet, ordinal: number, revision: Revision): Promise<void> {
    const draft = podDraftFor(
      set,
      ordinal,
      templateOf(revision) ?? set.spec?.template,
      revision.metadata.name,
    );
    const { name } = draft.metadata;
    try {
      await client.create('pods', draft);
      const text = `create Pod ${name} in StatefulSet ${set.metadata.name} successful`;
      client.event(set, 'Normal', 'SuccessfulCreate', text);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const text = `create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${error.message}`;
      client.event(set, 'Warning', 'FailedCreate', text);
      // Somebody else's pod has the name: tried again until it is free.
      throw error;
    }
  }

  async function remove(set: StatefulSet, pod: Pod): Promise<void> {
    await ownClaims(set, pod);
    await deletePod(client, set, pod);
  }

  /** What the retention policy says of a pod's claims; the garbage collector does the rest. */
  async function ownClaims(set: StatefulSet, pod: Pod): Promise<void> {
    const index = (ordinalOf(pod) ?? 0) - startOrdinal(set);
    const scaledAway = index < 0 || index >= (set.spec?.replicas ?? 1);
    const { namespace, name } = pod.metadata;
    for (const { persistentVolumeClaim } of claimVolumes(set, name)) {
      const claim = registry.get('persistentvolumeclaims', namespace, persistentVolumeClaim.claimName);
      const owners = claim && ownersOfClaim(set, pod, claim, scaledAway);
      if (!owners) continue;
      await client.mutate('persistentvolumeclaims', namespace, claim.metadata.name, (draft) => {
        draft.metadata.ownerReferences = owners;
      });
    }
  }

  async function createClaims(set: StatefulSet, ordinal: number): Promise<void> {
    for (const draft of claimDrafts(set, ordinal)) {
      const { namespace, name = '' } = draft.metadata;
      if (registry.get('persistentvolumeclaims', namespace, name)) continue;
      await client.create('persistentvolumeclaims', draft);
      const text = `create Claim ${name} Pod ${podName(set, ordinal)} in StatefulSet ${set.metadata.name} success`;
      client.event(set, 'Normal', 'SuccessfulCreate', text);
    }
  }

  async function claimPods(set: StatefulSet): Promise<Pod[]> {
    const { namespace } = set.metadata;
    const { owned, orphans, strangers } = claim(set, set.spec?.selector, informers.list('pods', namespace));
    for (const { metadata } of orphans.filter((pod) => isMember(set, pod))) {
      const adopted = await client.mutate('pods', namespace, metadata.name, (draft) => adopt(draft, set));
      if (adopted) owned.push(adopted);
    }
    for (const { metadata } of strangers) {
      await client.mutate('pods', namespace, metadata.name, (draft) => release(draft, set));
    }
    return owned;
  }

  async function adoptRevisions(set: StatefulSet): Promise<void> {
    if (set.metadata.deletionTimestamp) return;
    for (const revision of informers.list('controllerrevisions', set.metadata.namespace)) {
      if (controllerOf(revision) || !matchesSelector(set.spec?.selector, revision.metadata.labels)) continue;
      await client.mutate('controllerrevisions', set.metadata.namespace, revision.metadata.name, (draft) => {
        draft.metadata.ownerReferences = [
          ...(draft.metadata.ownerReferences ?? []),
          controllerReference(set),
        ];
      });
    }
  }

  /** The revision of the present template, and the one that status.currentRevision names. */
  async function syncRevisions(set: StatefulSet): Promise<{
    current: Revision;
    update: Revision;
    all: Revision[];
    collisionCount: number | undefined;
  }> {
    const owned = registry
      .list('controllerrevisions', set.metadata.namespace)
      .filter((revision) => controllerOf(revision)?.uid === set.metadata.uid)
      .sort((left, right) => left.revision - right.revision);
    let collisionCount = set.status?.collisionCount;
    const wanted = snapshot(set, (owned.at(-1)?.revision ?? 0) + 1, collisionCount);
    const equal = owned.filter((revision) => equalObjects(revision.data, wanted.data));
    const latest = owned.at(-1);
    let update = equal.at(-1);
    if (update && update !== latest) {
      // An older template is the present one again.
      update =
        (await client.mutate('controllerrevisions', set.metadata.namespace, update.metadata.name, (draft) => {
          draft.revision = (latest?.revision ?? 0) + 1;
        })) ?? update;
    }
    while (!update) {
      try {
        update = await client.create('controllerrevisions', snapshot(set, wanted.revision, collisionCount));
      } catch (error) {
        if (!(error instanceof StatusError && error.code === 409)) throw error;
        collisionCount = (collisionCount ?? 0) + 1;
      }
    }
    const all = owned.filter(({ metadata }) => metadata.name !== update.metadata.name);
    const current = all.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
    return { current, update, all: [...all, update], collisionCount };
  }

  async function writeStatus(set: StatefulSet, status: Status): Promise<void> {
    if (equalObjects(set.status ?? {}, status)) return;
    const { namespace, name } = set.metadata;
    await client.mutate(
      'statefulsets',
      namespace,
      name,
      (draft) => {
        // Conditions are the user's: the controller sets none.
        draft.status = {
          ...status,
          ...(draft.status?.conditions ? { conditions: draft.status.conditions } : {}),
        };
      },
      'status',
    );
  }

  function watch(): void {
    informers.on('statefulsets', ({ object }) => {
      queue.add(keyOf(object.metadata.namespace, object.metadata.name));
    });
    informers.on('pods', ({ object, previous }) => {
      if (previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
      const owner = controllerOf(object) ?? (previous && controllerOf(previous));
      if (owner?.kind === 'StatefulSet') return queue.add(keyOf(object.metadata.namespace, owner.name));
      if (owner) return;
      for (const set of informers.list('statefulsets', object.metadata.namespace)) {
        if (matchesSelector(set.spec?.selector, object.metadata.labels)) {
          queue.add(keyOf(set.metadata.namespace, set.metadata.name));
        }
      }
    });
    // A pod of another's that had a member's name.
    informers.on('pods', ({ type, object }) => {
      if (type !== 'DELETED') return;
      for (const set of informers.list('statefulsets', object.metadata.namespace)) {
        if (isMember(set, object)) queue.add(keyOf(set.metadata.namespace, set.metadata.name));
      }
    });
  }
}

function isMember(set: StatefulSet, pod: Pod): boolean {
  return pod.metadata.name.replace(/-\d+$/, '') === set.metadata.name && ordinalOf(pod) !== undefined;
}

function statusOf(
  set: StatefulSet,
  pods: readonly Pod[],
  current: Revision,
  update: Revision,
  collisionCount: number | undefined,
  nowMs: number,
): Status {
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const living = pods.filter((pod) => !isTerminating(pod));
  const count = (list: readonly Pod[], matches: (pod: Pod) => boolean) => list.filter(matches).length;
  const ofRevision = (revision: Revision) => (pod: Pod) =>
    pod.metadata.labels?.[revisionLabel] === revision.metadata.name;
  const replicas = pods.length;
  const ready = count(pods, isRunningAndReady);
  const updated = count(living, ofRevision(update));
  const wanted = set.spec?.replicas ?? 1;
  const done =
    set.spec?.updateStrategy?.type !== 'OnDelete' &&
    updated === wanted &&
    replicas === wanted &&
    ready === wanted;
  const settled = done ? update : current;
  const currentReplicas = count(living, ofRevision(settled));
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas,
    ...(ready > 0 ? { readyReplicas: ready } : {}),
    ...(currentReplicas > 0 ? { currentReplicas } : {}),
    ...(updated > 0 ? { updatedReplicas: updated } : {}),
    currentRevision: settled.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: collisionCount ?? 0,
    availableReplicas: count(pods, (pod) => isAvailable(pod, minReadySeconds, nowMs)),
    ...(set.status?.conditions ? { conditions: set.status.conditions } : {}),
  };
}
