// core/v1 Endpoints of Services with a selector, for clients that still read them: the addresses of their EndpointSlices.
// Source: pkg/controller/endpoint/endpoints_controller.go; Endpoints of somebody's own get slices (endpointslicemirroring).
import { equalObjects } from '../../api/objects.ts';
import type { Draft, EndpointSlice, Kinds } from '../../api/types.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { controllerReference, isControlledBy } from '../runtime/ownership.ts';

type Endpoints = Kinds['endpoints'];
type Subsets = NonNullable<Endpoints['subsets']>;

const serviceLabel = 'kubernetes.io/service-name';
const managedBy = 'endpointslice.kubernetes.io/managed-by';
const mirrored = 'endpointslicemirroring-controller.k8s.io';
const skipMirror = 'endpointslice.kubernetes.io/skip-mirror';

export function startEndpointsController(context: ControllerContext): void {
  const { informers, registry } = context;
  const client = clientFor(context, 'endpoints-controller');
  const queue = queueFor(context, 'endpoints', sync);

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    const service = registry.get('services', namespace, name);
    const endpoints = registry.get('endpoints', namespace, name);
    if (!service) {
      if (endpoints && isOurs(endpoints)) await client.delete('endpoints', namespace, name);
      else if (endpoints) await removeMirrors(endpoints);
      return;
    }
    if (!service.spec?.selector || Object.keys(service.spec.selector).length === 0) {
      if (endpoints) await mirror(endpoints);
      return;
    }
    const slices = registry
      .list('endpointslices', namespace)
      .filter(({ metadata }) => metadata.labels?.[serviceLabel] === name);
    const subsets = subsetsOf(slices);
    const labels = { ...service.metadata.labels, [ourLabel]: ourName };
    if (!endpoints) {
      await client.create('endpoints', { metadata: { name, namespace, labels }, subsets });
    } else if (!equalObjects(endpoints.subsets ?? [], subsets)) {
      await client.mutate('endpoints', namespace, name, (draft) => {
        draft.subsets = subsets;
        draft.metadata.labels = labels;
      });
    }
  }

  /** Endpoints that somebody keeps by hand, as a slice that kube-proxy reads. */
  async function mirror(endpoints: Endpoints): Promise<void> {
    const { namespace, name, labels } = endpoints.metadata;
    if (labels?.[skipMirror] === 'true' || endpoints.metadata.deletionTimestamp) return;
    const [subset] = endpoints.subsets ?? [];
    const present = mirrorsOf(endpoints)[0];
    if (!subset) return removeMirrors(endpoints);
    const content = {
      addressType: 'IPv4',
      endpoints: [
        ...(subset.addresses ?? []).map(({ ip, hostname }) => ({
          addresses: [ip],
          conditions: { ready: true },
          ...(hostname ? { hostname } : {}),
        })),
        ...(subset.notReadyAddresses ?? []).map(({ ip }) => ({
          addresses: [ip],
          conditions: { ready: false },
        })),
      ],
      ports: (subset.ports ?? []).map(({ name: port = '', port: number, protocol = 'TCP' }) => ({
        name: port,
        port: number,
        protocol,
      })),
    };
    if (!present) {
      const draft: Draft<'endpointslices'> = {
        metadata: {
          generateName: `${name}-`,
          namespace,
          labels: { ...labels, [serviceLabel]: name, [managedBy]: mirrored },
          ownerReferences: [controllerReference(endpoints)],
        },
        ...content,
      };
      await client.create('endpointslices', draft);
    } else if (
      !equalObjects({ e: present.endpoints, p: present.ports }, { e: content.endpoints, p: content.ports })
    ) {
      await client.mutate('endpointslices', namespace, present.metadata.name, (draft) => {
        Object.assign(draft, content);
      });
    }
  }

  function mirrorsOf(endpoints: Endpoints): EndpointSlice[] {
    return registry
      .list('endpointslices', endpoints.metadata.namespace)
      .filter((slice) => isControlledBy(slice, endpoints));
  }

  async function removeMirrors(endpoints: Endpoints): Promise<void> {
    for (const { metadata } of mirrorsOf(endpoints)) {
      await client.delete('endpointslices', metadata.namespace, metadata.name);
    }
  }

  informers.on('services', ({ object }) => queue.add(keyOf(object.metadata.namespace, object.metadata.name)));
  informers.on('endpoints', ({ object }) =>
    queue.add(keyOf(object.metadata.namespace, object.metadata.name)),
  );
  informers.on('endpointslices', ({ object }) => {
    const service = object.metadata.labels?.[serviceLabel];
    if (service) queue.add(keyOf(object.metadata.namespace, service));
  });
}

const ourLabel = 'endpoints.kubernetes.io/managed-by';
const ourName = 'endpoint-controller';
const isOurs = ({ metadata }: Endpoints) => metadata.labels?.[ourLabel] === ourName;

/** One subset per set of ports, addresses in order. */
function subsetsOf(slices: readonly EndpointSlice[]): Subsets {
  return slices.flatMap((slice): Subsets => {
    const addresses = (ready: boolean) =>
      (slice.endpoints ?? [])
        .filter(({ conditions }) => !conditions?.terminating && (conditions?.ready !== false) === ready)
        .flatMap(({ addresses: ips, nodeName, targetRef, hostname }) =>
          ips.map((ip) => ({
            ip,
            ...(hostname ? { hostname } : {}),
            ...(nodeName ? { nodeName } : {}),
            ...(targetRef ? { targetRef } : {}),
          })),
        )
        .sort((left, right) => (left.ip < right.ip ? -1 : 1));
    const [ready, notReady] = [addresses(true), addresses(false)];
    if (ready.length + notReady.length === 0) return [];
    const ports = (slice.ports ?? []).map(({ name, port, protocol }) => ({
      ...(name ? { name } : {}),
      port: port ?? 0,
      ...(protocol ? { protocol } : {}),
    }));
    return [
      {
        ...(ready.length > 0 ? { addresses: ready } : {}),
        ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
        ...(ports.length > 0 ? { ports } : {}),
      },
    ];
  });
}
