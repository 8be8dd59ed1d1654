// The EndpointSlice controller: every Service with a selector has slices that follow its pods.
// Source: pkg/controller/endpointslice/endpointslice_controller.go.

import { matchesLabels } from '../../api/label-selector.ts';
import type { Change, EndpointSlice, Pod } from '../../api/types.ts';
import { type ControllerContext, clientFor, queueFor, StaleCacheError } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { drawMs } from '../runtime/latencies.ts';
import { isReady, isTerminal, isTerminating } from '../runtime/pods.ts';
import {
  managedByLabel,
  managedByUs,
  reconcileSlices,
  serviceNameLabel,
  triggerTimeAnnotation,
} from './slices.ts';
import { createTriggerTimes } from './trigger-time.ts';

/** 1 s × 2ⁿ: also after its own write has not come back yet, which is why a few updates in a hundred come late. */
const retryDelayMs = (failures: number) => Math.min(1000 * 2 ** failures, 1_000_000);
/** Slices changed by somebody else are looked at this much later. */
const foreignChangeDelayMs = 1000;

export function startEndpointSliceController(context: ControllerContext): void {
  const { informers, clock, latencies, random } = context;
  const client = clientFor(context, 'endpoint-slice-controller');
  const queue = queueFor(context, 'endpointslice', sync, { retryDelayMs });
  const triggerTimes = createTriggerTimes();
  // Versions of slices that this controller has written, by uid; 0: it has deleted it.
  const written = new Map<string, number>();
  const deletedPods = new Set<string>();
  watch();

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    const cause = deletedPods.delete(key) ? 'endpointSliceSyncAfterDelete' : 'endpointSliceSync';
    await clock.sleep(drawMs(latencies[cause], random));
    const service = informers.get('services', namespace, name);
    if (!service) return triggerTimes.forget(key);
    const selector = service.spec?.selector;
    if (!selector || service.spec?.type === 'ExternalName') return;
    const pods = informers
      .list('pods', namespace)
      .filter(({ metadata }) => matchesLabels(selector, metadata.labels));
    const slices = informers
      .list('endpointslices', namespace)
      .filter((slice) => isOurs(slice) && slice.metadata.labels?.[serviceNameLabel] === name);
    refuseStale(namespace, name, slices);
    const changedAt = triggerTimes.changedAt(key, service, pods);
    const changes = reconcileSlices(service, pods, slices, (node) => informers.get('nodes', undefined, node));
    if (!service.metadata.deletionTimestamp) {
      for (const draft of changes.create) {
        if (changedAt) draft.metadata.annotations = { [triggerTimeAnnotation]: changedAt };
        remember(await client.create('endpointslices', draft));
      }
    }
    for (const slice of changes.update) {
      const { [triggerTimeAnnotation]: _former, ...annotations } = slice.metadata.annotations ?? {};
      slice.metadata.annotations = changedAt
        ? { ...annotations, [triggerTimeAnnotation]: changedAt }
        : annotations;
      remember(await client.update('endpointslices', slice));
    }
    for (const { metadata } of changes.remove) {
      written.set(metadata.uid, 0);
      await client.delete('endpointslices', metadata.namespace, metadata.name);
    }
  }

  function remember(slice: EndpointSlice): void {
    written.set(slice.metadata.uid, Number(slice.metadata.resourceVersion));
  }

  /** A slice in the cache is older than what this controller wrote itself, or is missing there. */
  function refuseStale(namespace: string | undefined, name: string, slices: readonly EndpointSlice[]): void {
    const isStale = slices.some(({ metadata }) => {
      const version = written.get(metadata.uid);
      return version !== undefined && (version === 0 || version > Number(metadata.resourceVersion));
    });
    if (isStale) throw new StaleCacheError(`EndpointSlices of ${namespace}/${name} are older than written`);
  }

  function watch(): void {
    informers.on('services', ({ object }) =>
      queue.add(keyOf(object.metadata.namespace, object.metadata.name)),
    );
    informers.on('pods', podChanged);
    informers.on('endpointslices', ({ type, object }) => {
      const service = object.metadata.labels?.[serviceNameLabel];
      if (!isOurs(object) || !service) return;
      const version = written.get(object.metadata.uid);
      if (type === 'DELETED') written.delete(object.metadata.uid);
      const isForeign =
        type === 'DELETED'
          ? version !== 0
          : version !== undefined && Number(object.metadata.resourceVersion) > version;
      if (isForeign) queue.addAfter(keyOf(object.metadata.namespace, service), foreignChangeDelayMs);
    });
  }

  function podChanged(change: Change<'pods'>): void {
    const { type, object, previous } = change;
    if (type === 'MODIFIED' && previous && !concernsEndpoints(previous, object)) return;
    const isDeletion =
      type === 'DELETED' || (isTerminating(object) && !(previous && isTerminating(previous)));
    for (const service of informers.list('services', object.metadata.namespace)) {
      const selector = service.spec?.selector;
      if (!selector) continue;
      const selects = (pod: Pod | undefined) =>
        pod !== undefined && matchesLabels(selector, pod.metadata.labels);
      if (!selects(object) && !selects(previous)) continue;
      const key = keyOf(service.metadata.namespace, service.metadata.name);
      if (isDeletion) deletedPods.add(key);
      queue.add(key);
    }
  }
}

function isOurs(slice: EndpointSlice): boolean {
  return slice.metadata.labels?.[managedByLabel] === managedByUs;
}

/** Readiness, deletion, phase, address, node or labels differ. */
function concernsEndpoints(before: Pod, after: Pod): boolean {
  const relevant = (pod: Pod) =>
    JSON.stringify([
      isReady(pod),
      isTerminating(pod),
      isTerminal(pod),
      pod.status?.podIP,
      pod.spec?.nodeName,
      Object.entries(pod.metadata.labels ?? {}).sort(),
    ]);
  return relevant(before) !== relevant(after);
}
