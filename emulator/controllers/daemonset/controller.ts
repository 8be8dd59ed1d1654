// The DaemonSet controller: one pod on every node that should have one.
// Source: pkg/controller/daemon/{daemon_controller,update}.go.

import { isEmptySelector, matchesSelector } from '../../api/label-selector.ts';
import { equalObjects } from '../../api/objects.ts';
import { type Change, type DaemonSet, type Node, type Pod, StatusError } from '../../api/types.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { createExpectations } from '../runtime/expectations.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { drawMs } from '../runtime/latencies.ts';
import { adopt, claim, controllerOf, isControlledBy, release } from '../runtime/ownership.ts';
import { createPod, deletePod, podDraft } from '../runtime/pod-control.ts';
import { availableAtMs, isAvailable, isReady, isTerminal, isTerminating } from '../runtime/pods.ts';
import {
  findRevision,
  nextRevisionNumber,
  type Revision,
  revisionDraft,
  surplusRevisions,
} from './history.ts';
import { pinToNode, placementOn, targetNodeOf, tolerationsOf } from './placement.ts';
import {
  allowsSurge,
  hashLabel,
  isUpdated,
  nextUpdateStep,
  templateGenerationLabel,
  templateGenerationOf,
} from './rolling.ts';
import { byAge, daemonSetStatus } from './status.ts';

/** Pods created or deleted at most in one sync (BurstReplicas). */
const burstReplicas = 250;
/** Failed pods of a node are replaced no faster than 1 s × 2ⁿ, up to 15 min. */
const failedPodBackoffMs = (failures: number) => Math.min(1000 * 2 ** failures, 15 * 60_000);

export function startDaemonSetController(context: ControllerContext): void {
  const { informers, clock, latencies, random } = context;
  const client = clientFor(context, 'daemonset-controller');
  const expectations = createExpectations(() => clock.nowMs());
  const failures = new Map<string, { count: number; atMs: number }>();
  const queue = queueFor(context, 'daemonset', sync, { workers: 2 });
  watch();

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    await clock.sleep(drawMs(latencies.replicaSetSync, random));
    const daemonSet = informers.get('daemonsets', namespace, name);
    if (!daemonSet) return expectations.forget(key);
    if (isEmptySelector(daemonSet.spec?.selector)) {
      const text = 'This daemon set is selecting all pods. A non-empty selector is required.';
      client.event(daemonSet, 'Warning', 'SelectingAll', text);
      return;
    }
    if (daemonSet.metadata.deletionTimestamp) return;
    const { current, old } = await syncHistory(daemonSet);
    const hash = current.metadata.labels?.[hashLabel] ?? '';
    if (!expectations.satisfied(key)) return writeStatus(daemonSet, hash, false);
    let failure: unknown;
    try {
      await manage(key, daemonSet, hash);
      if (expectations.satisfied(key) && daemonSet.spec?.updateStrategy?.type !== 'OnDelete') {
        await update(key, daemonSet, hash);
      }
      const surplus = surplusRevisions(daemonSet, old, podsOf(daemonSet));
      for (const { metadata } of surplus) {
        await client.delete('controllerrevisions', metadata.namespace, metadata.name);
      }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      failure = error;
    }
    await writeStatus(daemonSet, hash, true);
    if (failure) throw failure;
  }

  /** Creates what is missing, deletes what is too much, on every node. */
  async function manage(key: string, daemonSet: DaemonSet, hash: string): Promise<void> {
    const podsOnNode = byNode(await claimPods(daemonSet));
    const createOn: string[] = [];
    const remove: Pod[] = [];
    for (const node of informers.list('nodes')) {
      const pods = podsOnNode.get(node.metadata.name) ?? [];
      const plan = planNode(daemonSet, node, pods, hash);
      createOn.push(...(plan.create ? [node.metadata.name] : []));
      remove.push(...plan.remove);
    }
    const nodes = new Set(informers.list('nodes').map(({ metadata }) => metadata.name));
    for (const [node, pods] of podsOnNode) {
      // Made for a node that is gone and never started: nobody else tidies it up.
      if (!nodes.has(node)) remove.push(...pods.filter((pod) => !pod.spec?.nodeName && !isTerminating(pod)));
    }
    await apply(key, daemonSet, remove, createOn, hash);
  }

  function planNode(
    daemonSet: DaemonSet,
    node: Node,
    pods: readonly Pod[],
    hash: string,
  ): { create: boolean; remove: Pod[] } {
    const { shouldRun, shouldContinue } = placementOn(daemonSet, node);
    if (shouldRun && pods.length === 0) return { create: true, remove: [] };
    if (!shouldContinue) return { create: false, remove: pods.filter((pod) => !isTerminating(pod)) };
    const remove: Pod[] = [];
    const running: Pod[] = [];
    for (const pod of pods) {
      if (isTerminating(pod)) continue;
      if (!isTerminal(pod)) running.push(pod);
      else if (mayReplaceFinished(daemonSet, node, pod)) remove.push(pod);
    }
    running.sort(byAge);
    if (!allowsSurge(daemonSet)) return { create: false, remove: [...remove, ...running.slice(1)] };
    const minReadySeconds = daemonSet.spec?.minReadySeconds ?? 0;
    const [oldestNew, ...moreNew] = running.filter((pod) => isUpdated(daemonSet, pod, hash));
    const [oldestOld, ...moreOld] = running.filter((pod) => !isUpdated(daemonSet, pod, hash));
    remove.push(...moreNew, ...moreOld);
    if (oldestNew && oldestOld) {
      const newIsUp = isAvailable(oldestNew, minReadySeconds, clock.nowMs());
      if (newIsUp || !isReady(oldestOld)) remove.push(oldestOld);
    }
    return { create: false, remove };
  }

  /** Failed and Succeeded pods are replaced, with a growing pause per node. */
  function mayReplaceFinished(daemonSet: DaemonSet, node: Node, pod: Pod): boolean {
    const { namespace, name } = pod.metadata;
    if (pod.status?.phase === 'Succeeded') {
      const text = `Found succeeded daemon pod ${namespace}/${name} on node ${node.metadata.name}, will try to delete it`;
      client.event(daemonSet, 'Normal', 'SucceededDaemonPod', text);
      return true;
    }
    const backoffKey = `${daemonSet.metadata.uid}/${node.metadata.name}`;
    const before = failures.get(backoffKey);
    const waitMs = before ? failedPodBackoffMs(before.count) - (clock.nowMs() - before.atMs) : 0;
    if (waitMs > 0) {
      queue.addAfter(keyOf(daemonSet.metadata.namespace, daemonSet.metadata.name), waitMs);
      return false;
    }
    failures.set(backoffKey, { count: (before?.count ?? -1) + 1, atMs: clock.nowMs() });
    const text = `Found failed daemon pod ${namespace}/${name} on node ${node.metadata.name}, will try to kill it`;
    client.event(daemonSet, 'Warning', 'FailedDaemonPod', text);
    return true;
  }

  async function update(key: string, daemonSet: DaemonSet, hash: string): Promise<void> {
    const podsOnNode = byNode(podsOf(daemonSet).filter((pod) => !isTerminal(pod) || !isTerminating(pod)));
    const wanted = informers.list('nodes').filter((node) => placementOn(daemonSet, node).shouldRun);
    const names = wanted.map(({ metadata }) => metadata.name).sort();
    const onWanted = new Map(names.map((name) => [name, podsOnNode.get(name) ?? []]));
    const { remove, createOn } = nextUpdateStep(daemonSet, onWanted, hash, wanted.length, clock.nowMs());
    await apply(key, daemonSet, remove, createOn, hash);
  }

  async function apply(
    key: string,
    daemonSet: DaemonSet,
    remove: readonly Pod[],
    createOn: readonly string[],
    hash: string,
  ): Promise<void> {
    const victims = remove.slice(0, burstReplicas);
    const targets = createOn.slice(0, burstReplicas);
    if (victims.length + targets.length === 0) return;
    expectations.expectDeletions(
      key,
      victims.map(({ metadata }) => metadata.uid),
    );
    if (targets.length > 0) expectations.expectMoreCreations(key, targets.length);
    for (const [index, node] of targets.entries()) {
      if (index > 0) await clock.sleep(drawMs(latencies.nextPod, random));
      try {
        await createPod(client, daemonSet, draftFor(daemonSet, node, hash));
      } catch (error) {
        for (let left = index; left < targets.length; left++) expectations.creationObserved(key);
        for (const { metadata } of victims) expectations.deletionObserved(key, metadata.uid);
        throw error;
      }
    }
    for (const pod of victims) {
      try {
        await deletePod(client, daemonSet, pod);
      } catch (error) {
        expectations.deletionObserved(key, pod.metadata.uid);
        throw error;
      }
    }
  }

  function draftFor(daemonSet: DaemonSet, node: string, hash: string) {
    const draft = podDraft(daemonSet, daemonSet.spec?.template);
    draft.metadata.labels = {
      ...draft.metadata.labels,
      [hashLabel]: hash,
      ...(templateGenerationOf(daemonSet)
        ? { [templateGenerationLabel]: templateGenerationOf(daemonSet) }
        : {}),
    };
    if (draft.spec) {
      draft.spec.tolerations = tolerationsOf(daemonSet);
      pinToNode(draft.spec, node);
    }
    return draft;
  }

  async function syncHistory(daemonSet: DaemonSet): Promise<{ current: Revision; old: Revision[] }> {
    const owned = informers
      .list('controllerrevisions', daemonSet.metadata.namespace)
      .filter((revision) => isControlledBy(revision, daemonSet));
    const existing = findRevision(daemonSet, owned);
    const old = owned.filter((revision) => revision !== existing);
    const number = nextRevisionNumber(old);
    if (!existing) return { current: await createRevision(daemonSet, number), old };
    if (existing.revision >= number) return { current: existing, old };
    // Rolled back to: it becomes the newest.
    const raised = await client.update('controllerrevisions', {
      ...structuredClone(existing),
      revision: number,
    });
    return { current: raised, old };
  }

  async function createRevision(daemonSet: DaemonSet, number: number): Promise<Revision> {
    const draft = revisionDraft(daemonSet, number);
    try {
      return await client.create('controllerrevisions', draft);
    } catch (error) {
      if (!(error instanceof StatusError && error.reason === 'AlreadyExists')) throw error;
      const { namespace, name } = daemonSet.metadata;
      const other = context.registry.get('controllerrevisions', namespace, draft.metadata.name ?? '');
      if (other && isControlledBy(other, daemonSet) && findRevision(daemonSet, [other])) return other;
      await client.mutate(
        'daemonsets',
        namespace,
        name,
        (each) => {
          if (each.status) each.status.collisionCount = (each.status.collisionCount ?? 0) + 1;
        },
        'status',
      );
      throw error;
    }
  }

  /** Like an observer: reads the caches again, after what this sync wrote. */
  async function writeStatus(daemonSet: DaemonSet, hash: string, observe: boolean): Promise<void> {
    const { namespace, name, generation } = daemonSet.metadata;
    const pods = podsOf(daemonSet).filter((pod) => !isTerminal(pod) || !isTerminating(pod));
    const nodes = informers.list('nodes');
    const counted = daemonSetStatus(daemonSet, nodes, byNode(pods), hash, clock.nowMs());
    const observedGeneration = observe ? generation : daemonSet.status?.observedGeneration;
    const status = { ...counted, ...(observedGeneration ? { observedGeneration } : {}) };
    if (!equalObjects(daemonSet.status ?? {}, status)) {
      await client.mutate(
        'daemonsets',
        namespace,
        name,
        (draft) => {
          draft.status = status;
        },
        'status',
      );
    }
    const minReadySeconds = daemonSet.spec?.minReadySeconds ?? 0;
    const soon = pods
      .map((pod) => availableAtMs(pod, minReadySeconds, clock.nowMs()))
      .filter((atMs) => atMs !== undefined);
    if (soon.length > 0) queue.addAfter(keyOf(namespace, name), Math.min(...soon) - clock.nowMs() + 1);
  }

  async function claimPods(daemonSet: DaemonSet): Promise<Pod[]> {
    const { namespace } = daemonSet.metadata;
    const { owned, orphans, strangers } = claim(
      daemonSet,
      daemonSet.spec?.selector,
      informers.list('pods', namespace),
    );
    for (const { metadata } of orphans) {
      const adopted = await client.mutate('pods', namespace, metadata.name, (draft) =>
        adopt(draft, daemonSet),
      );
      if (adopted) owned.push(adopted);
    }
    for (const { metadata } of strangers) {
      await client.mutate('pods', namespace, metadata.name, (draft) => release(draft, daemonSet));
    }
    // A finished pod that is being deleted makes room at once.
    return owned.filter((pod) => !isTerminal(pod) || !isTerminating(pod));
  }

  function podsOf(daemonSet: DaemonSet): Pod[] {
    return informers
      .list('pods', daemonSet.metadata.namespace)
      .filter((pod) => isControlledBy(pod, daemonSet));
  }

  function watch(): void {
    informers.on('daemonsets', ({ object, type }) => {
      const key = keyOf(object.metadata.namespace, object.metadata.name);
      if (type === 'DELETED') expectations.forget(key);
      queue.add(key);
    });
    informers.on('controllerrevisions', ({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === 'DaemonSet') queue.add(keyOf(object.metadata.namespace, owner.name));
    });
    informers.on('pods', podChanged);
    informers.on('nodes', ({ type, object, previous }) => {
      for (const daemonSet of informers.list('daemonsets')) {
        const now = type === 'DELETED' ? undefined : placementOn(daemonSet, object);
        const before = previous && placementOn(daemonSet, previous);
        if (!equalObjects(now, before)) {
          queue.add(keyOf(daemonSet.metadata.namespace, daemonSet.metadata.name));
        }
      }
    });
  }

  function podChanged({ type, object, previous }: Change<'pods'>): void {
    if (type === 'MODIFIED' && previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    const owner = controllerOf(object);
    const { namespace } = object.metadata;
    if (owner?.kind === 'DaemonSet') {
      const key = keyOf(namespace, owner.name);
      if (type === 'ADDED') expectations.creationObserved(key);
      if (type === 'DELETED' || isTerminating(object))
        expectations.deletionObserved(key, object.metadata.uid);
      queue.add(key);
    } else if (!owner && type !== 'DELETED') {
      for (const { metadata, spec } of informers.list('daemonsets', namespace)) {
        if (matchesSelector(spec?.selector, object.metadata.labels))
          queue.add(keyOf(namespace, metadata.name));
      }
    }
  }
}

function byNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const result = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = targetNodeOf(pod);
    if (node === undefined) continue;
    result.set(node, [...(result.get(node) ?? []), pod]);
  }
  return result;
}
