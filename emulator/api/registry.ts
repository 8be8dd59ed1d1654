// The one store of the embedded cluster: what controllers, kubelet, proxy and the HTTP server read and write.
import { createEventRecorder } from './event-recorder.ts';
import { cloneObject, type KubeObject } from './objects.ts';
import { definitionOf } from './resources.ts';
import { createStorage, type Storage } from './storage.ts';
import type { Change, Kinds, Pod, Registry, Resource } from './types.ts';
import { StatusError } from './types.ts';
import type { Capabilities } from './validation/unsupported.ts';
import { createWrites, type UpdateOptions, type Writes } from './writes.ts';

interface RegistryOptions {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** [0, 1): names and uids. */
  random: () => number;
  /** How many changes are kept for watches that start late; older ones get 410. Default 10 000. */
  historyLimit?: number;
  /** Picks a Service's address, not in `taken`. Default: 10.96.x.y, as kind has it. */
  allocateClusterIP?: (taken: ReadonlySet<string>) => string;
  /** PEM: what kube-root-ca.crt holds in each namespace; without it there is no such ConfigMap. */
  rootCertificate?: string;
  /** What the nodes can do; default: nothing that takes namespaces. */
  capabilities?: Capabilities;
}

/** The registry with what the HTTP server needs beyond the typed seam. */
export interface ApiRegistry extends Registry {
  readonly storage: Storage;
  readonly writes: Writes;
  readonly now: () => number;
}

/** An empty cluster with the namespaces that every cluster has. */
export function createRegistry(options: RegistryOptions): ApiRegistry {
  const { now, random, historyLimit = 10_000, allocateClusterIP = serviceAddress } = options;
  const storage = createStorage(historyLimit);
  const writes = createWrites(storage, {
    now,
    random,
    allocateClusterIP,
    ...(options.capabilities && { capabilities: options.capabilities }),
    ...(options.rootCertificate === undefined ? {} : { rootCertificate: options.rootCertificate }),
  });
  const typed = <R extends Resource>(object: KubeObject) => object as unknown as Kinds[R];

  const registry: ApiRegistry = {
    storage,
    writes,
    now,
    get: <R extends Resource>(resource: R, namespace: string | undefined, name: string) => {
      const object = storage.get(definitionOf(resource), namespace, name);
      return object && typed<R>(object);
    },
    list: <R extends Resource>(resource: R, namespace?: string) =>
      storage.list(definitionOf(resource), namespace) as unknown as readonly Kinds[R][],
    create: (resource, draft) => typed(writes.create(definitionOf(resource), draft)),
    update: (resource, object, subresource) =>
      typed(
        writes.update(
          definitionOf(resource),
          object as unknown as KubeObject,
          updateOptions(registry, resource, object, subresource),
        ),
      ),
    mutate(resource, namespace, name, change, subresource) {
      const current = registry.get(resource, namespace, name);
      if (!current) return undefined;
      const draft = cloneObject(current);
      change(draft);
      return registry.update(resource, draft, subresource);
    },
    delete<R extends Resource>(
      resource: R,
      namespace: string | undefined,
      name: string,
      deleteOptions?: Parameters<Registry['delete']>[3],
    ) {
      try {
        return typed<R>(writes.delete(definitionOf(resource), namespace, name, deleteOptions).object);
      } catch (error) {
        if (error instanceof StatusError && error.code === 404) return undefined;
        throw error;
      }
    },
    subscribe: (listener) =>
      storage.subscribe(({ type, definition, object, previous }) => {
        if (!isTyped(definition.resource)) return;
        listener({ type, resource: definition.resource, object, previous } as unknown as Change);
      }),
    event: createEventRecorder(storage, writes, now),
  };

  for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system']) {
    registry.create('namespaces', { metadata: { name } });
  }
  return registry;
}

const typedResources: { readonly [R in Resource]: true } = {
  namespaces: true,
  nodes: true,
  pods: true,
  replicationcontrollers: true,
  services: true,
  endpoints: true,
  endpointslices: true,
  events: true,
  configmaps: true,
  secrets: true,
  serviceaccounts: true,
  limitranges: true,
  resourcequotas: true,
  persistentvolumeclaims: true,
  persistentvolumes: true,
  deployments: true,
  replicasets: true,
  daemonsets: true,
  statefulsets: true,
  controllerrevisions: true,
  cronjobs: true,
  jobs: true,
  leases: true,
  horizontalpodautoscalers: true,
  poddisruptionbudgets: true,
  priorityclasses: true,
  storageclasses: true,
};

function isTyped(resource: string): resource is Resource {
  return Object.hasOwn(typedResources, resource);
}

/** A nodeName where there was none is the scheduler's binding: it makes PodScheduled true and raises no generation. */
function updateOptions<R extends Resource>(
  registry: Registry,
  resource: R,
  object: Kinds[R],
  subresource: 'status' | undefined,
): UpdateOptions {
  if (subresource) return { subresource };
  const { metadata } = object;
  const current = registry.get(resource, metadata.namespace, metadata.name);
  if (resource === 'pods' && (object as Pod).spec?.nodeName && current && !(current as Pod).spec?.nodeName) {
    return { subresource: 'binding' };
  }
  // Only what came over HTTP keeps track of who set which field.
  return current?.metadata.managedFields ? { manager: controllerManager } : {};
}

const controllerManager = { name: 'kube-controller-manager', operation: 'Update' } as const;

function serviceAddress(taken: ReadonlySet<string>): string {
  for (let index = 1; index < 65_535; index++) {
    const address = `10.96.${index >> 8}.${index & 255}`;
    if (!taken.has(address)) return address;
  }
  throw new StatusError(
    500,
    'InternalError',
    'Internal error occurred: failed to allocate a serviceIP: range is full',
  );
}
