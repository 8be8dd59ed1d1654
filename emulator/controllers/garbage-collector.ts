// Garbage collection of what a controller made for an owner that was deleted meanwhile. Everything else the registry
// collects by itself, in the moment in which an owner goes. Source: pkg/controller/garbagecollector (absent owners).
import type { Resource } from '../api/types.ts';
import { type ControllerContext, clientFor, queueFor } from './runtime/controller.ts';
import { drawMs } from './runtime/latencies.ts';

/** Kinds that own what controllers create. */
const ownerResources: Readonly<Record<string, Resource>> = {
  Deployment: 'deployments',
  ReplicaSet: 'replicasets',
  DaemonSet: 'daemonsets',
  Job: 'jobs',
  Service: 'services',
};
const dependentResources = ['pods', 'replicasets', 'endpointslices', 'controllerrevisions'] as const;

export function startGarbageCollector(context: ControllerContext): void {
  const { informers, registry, clock, latencies, random } = context;
  const client = clientFor(context, 'garbage-collector-controller');
  const queue = queueFor(context, 'garbage-collector', sync, { workers: 20 });
  for (const resource of dependentResources) {
    informers.on(resource, ({ type, object }) => {
      const { namespace, name, uid, ownerReferences } = object.metadata;
      if (type === 'ADDED' && ownerReferences) queue.add([resource, namespace, name, uid].join('/'));
    });
  }

  async function sync(key: string): Promise<void> {
    const [resource, namespace, name = '', uid] = key.split('/') as [
      (typeof dependentResources)[number],
      string,
      string,
      string,
    ];
    await clock.sleep(drawMs(latencies.budgetSync, random));
    const object = registry.get(resource, namespace, name);
    if (object?.metadata.uid !== uid || object.metadata.deletionTimestamp) return;
    const owners = object.metadata.ownerReferences ?? [];
    const hasOwner = owners.some((owner) => {
      const kind = ownerResources[owner.kind];
      // Unknown kinds may be anything: they keep what is theirs.
      return kind === undefined || registry.get(kind, namespace, owner.name)?.metadata.uid === owner.uid;
    });
    if (owners.length === 0 || hasOwner) return;
    await client.delete(resource, namespace, name, { uid, propagationPolicy: 'Background' });
  }
}
