// Creates an experiment's objects. pods-ready.ts waits for what they bring up, remove.ts takes them away.
import type { KubernetesObject } from '@kubernetes/client-node';
import { ApiError } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import { waitFor } from '../kube/wait.ts';
import { FaultError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';

/** Creates the objects in order. A refusal by the API server is a FaultError with its words. */
export async function createObjects(kube: Kube, manifests: readonly Manifest[]): Promise<Manifest[]> {
  const created: Manifest[] = [];
  for (const manifest of manifests) {
    try {
      created.push((await kube.objects.create(manifest as KubernetesObject)) as unknown as Manifest);
    } catch (error) {
      // No answer, an abort: not a refusal.
      if (!(error instanceof ApiError)) throw error;
      throw new FaultError(
        `${manifest.kind} ${manifest.metadata.name}: the API server refused it: ${error.message}`,
        {
          cause: error,
        },
      );
    }
  }
  return created;
}

/** How many pods a DaemonSet wants, once its controller has counted the nodes. */
export async function daemonSetSize(
  kube: Kube,
  namespace: string,
  name: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<number> {
  const path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`;
  return waitFor<number>(
    { what: `DaemonSet ${name} in ${namespace} to find a node`, limitMs, signal },
    async (lookSignal) => {
      const { metadata, status } = await kube.json<{
        metadata: { generation?: number };
        status?: { observedGeneration?: number; desiredNumberScheduled?: number };
      }>('GET', path, { signal: lookSignal });
      const wanted = status?.desiredNumberScheduled ?? 0;
      const counted = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
      if (counted && wanted > 0) return { met: wanted };
      return { seen: counted ? 'no node fits its pods' : 'its controller has not counted the nodes' };
    },
  );
}
