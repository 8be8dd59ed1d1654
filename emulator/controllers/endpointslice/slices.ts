// Distributing endpoints over slices with as few writes as possible. Source: reconcileByPortMapping and finalize in
// staging/src/k8s.io/endpointslice/reconciler.go.
import { equalObjects } from '../../api/objects.ts';
import type { Draft, EndpointSlice, Node, Pod, Service } from '../../api/types.ts';
import { controllerReference, isControlledBy } from '../runtime/ownership.ts';
import { type Endpoint, type EndpointPort, endpointOf, isListed, portsOf } from './endpoints.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedByUs = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';
export const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';

/** kube-controller-manager --max-endpoints-per-slice. */
const maxEndpointsPerSlice = 100;

interface SliceChanges {
  readonly create: Draft<'endpointslices'>[];
  readonly update: EndpointSlice[];
  readonly remove: EndpointSlice[];
}

/**
 * Per set of ports: endpoints that are listed already stay in their slice, in their place, with new conditions; those
 * that are gone are taken out; new ones fill slices that change anyway, then the fullest slice with room, then new
 * slices. A Service without endpoints keeps one empty slice without ports; a slice to delete is reused for one to create.
 */
export function reconcileSlices(
  service: Service,
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  nodeOf: (name: string) => Node | undefined,
): SliceChanges {
  const create: Draft<'endpointslices'>[] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = existing.filter((slice) => !isControlledBy(slice, service));
  const present = groupByPorts(existing.filter((slice) => isControlledBy(slice, service)));

  const desired = new Map<string, { ports: EndpointPort[]; endpoints: Endpoint[] }>();
  for (const pod of pods) {
    if (!isListed(pod)) continue;
    const ports = portsOf(service, pod);
    const key = portKey(ports);
    const group = desired.get(key) ?? { ports, endpoints: [] };
    desired.set(key, group);
    group.endpoints.push(endpointOf(pod, service, nodeOf(pod.spec?.nodeName ?? '')));
  }
  for (const [key, { ports, endpoints }] of desired) {
    const changes = reconcileGroup(service, ports, endpoints, present.get(key) ?? []);
    create.push(...changes.create);
    update.push(...changes.update);
    remove.push(...changes.remove);
  }
  for (const [key, slices] of present) if (!desired.has(key)) remove.push(...slices);

  if (existing.length === remove.length && create.length === 0) {
    const [last] = remove;
    if (remove.length === 1 && last && isPlaceholder(service, last)) remove.length = 0;
    else create.push(newSlice(service, [], []));
  }
  return reuse(service, { create, update, remove });
}

function reconcileGroup(
  service: Service,
  ports: EndpointPort[],
  endpoints: readonly Endpoint[],
  slices: readonly EndpointSlice[],
): SliceChanges {
  const wanted = new Map(endpoints.map((endpoint) => [identityOf(endpoint), endpoint]));
  const unchanged: EndpointSlice[] = [];
  const changed: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  for (const slice of slices) {
    const kept: Endpoint[] = [];
    for (const endpoint of slice.endpoints ?? []) {
      const identity = identityOf(endpoint);
      const now = wanted.get(identity);
      if (!now) continue;
      kept.push(now);
      wanted.delete(identity);
    }
    const labels = labelsOf(service);
    if (kept.length === 0) remove.push(slice);
    else if (!equalObjects(kept, slice.endpoints) || !equalObjects(labels, slice.metadata.labels)) {
      changed.push({ ...structuredClone(slice), metadata: { ...slice.metadata, labels }, endpoints: kept });
    } else unchanged.push(slice);
  }

  const create: Draft<'endpointslices'>[] = [];
  const left = [...wanted.values()];
  // A slice emptied of all its endpoints serves again before a new one is made.
  if (left.length > 0 && changed.length === 0 && unchanged.length === 0) {
    const emptied = remove.shift();
    if (emptied) changed.push({ ...structuredClone(emptied), endpoints: [] });
  }
  for (const slice of changed) {
    slice.endpoints.push(...left.splice(0, maxEndpointsPerSlice - slice.endpoints.length));
  }
  while (left.length > 0) {
    const roomy = unchanged
      .filter((slice) => slice.endpoints.length + left.length <= maxEndpointsPerSlice)
      .sort((a, b) => b.endpoints.length - a.endpoints.length)[0];
    if (roomy && left.length < maxEndpointsPerSlice) {
      const filled = structuredClone(roomy);
      filled.endpoints.push(...left.splice(0));
      changed.push(filled);
    } else create.push(newSlice(service, ports, left.splice(0, maxEndpointsPerSlice)));
  }
  return { create, update: changed, remove };
}

function reuse(service: Service, { create, update, remove }: SliceChanges): SliceChanges {
  const gone: EndpointSlice[] = [];
  for (const slice of remove) {
    const draft = isControlledBy(slice, service) ? create.pop() : undefined;
    if (!draft) {
      gone.push(slice);
      continue;
    }
    update.push({
      ...structuredClone(slice),
      metadata: { ...structuredClone(slice.metadata), labels: draft.metadata.labels },
      endpoints: draft.endpoints,
      ports: draft.ports,
    });
  }
  return { create, update, remove: gone };
}

function newSlice(service: Service, ports: EndpointPort[], endpoints: Endpoint[]): Draft<'endpointslices'> {
  return {
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace,
      labels: labelsOf(service),
      ownerReferences: [controllerReference(service)],
    },
    addressType: 'IPv4',
    endpoints,
    ports,
  };
}

function isPlaceholder(service: Service, slice: EndpointSlice): boolean {
  return (
    (slice.endpoints ?? []).length === 0 &&
    (slice.ports ?? []).length === 0 &&
    equalObjects(slice.metadata.labels, labelsOf(service))
  );
}

/** The Service's own labels, except those that the controller sets. */
function labelsOf(service: Service): Record<string, string> {
  const isHeadless = service.spec?.clusterIP === 'None';
  const { [headlessLabel]: _headless, ...own } = service.metadata.labels ?? {};
  return {
    ...own,
    ...(isHeadless ? { [headlessLabel]: '' } : {}),
    [managedByLabel]: managedByUs,
    [serviceNameLabel]: service.metadata.name,
  };
}

function groupByPorts(slices: readonly EndpointSlice[]): Map<string, EndpointSlice[]> {
  const groups = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = portKey(slice.ports ?? []);
    groups.set(key, [...(groups.get(key) ?? []), slice]);
  }
  return groups;
}

function portKey(ports: readonly EndpointPort[]): string {
  return ports
    .map(({ name, port, protocol, appProtocol }) => [name, port, protocol, appProtocol].join('/'))
    .sort()
    .join(' ');
}

/** Addresses, host name and the pod: what makes two endpoints the same whatever their conditions. */
function identityOf({ addresses, hostname, targetRef, nodeName }: Endpoint): string {
  return [addresses.join(), hostname, targetRef?.uid, nodeName].join('/');
}
