// Creates an experiment's objects, waits until target, control and agents can serve, and removes them again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesObject } from '@kubernetes/client-node';
import { apiMessage, apiStatus, type Kube, podProxyPath } from '../kube/client.ts';
import { FaultError } from '../model/errors.ts';
import { label, type Manifest } from '../model/manifest.ts';

/** Creates the objects in order. A refusal by the API server is a FaultError with its words. */
export async function createObjects(kube: Kube, manifests: readonly Manifest[]): Promise<Manifest[]> {
  const created: Manifest[] = [];
  for (const manifest of manifests) {
    try {
      created.push((await kube.objects.create(manifest as KubernetesObject)) as unknown as Manifest);
    } catch (error) {
      throw new FaultError(
        `${manifest.kind} ${manifest.metadata.name}: the API server refused it: ${apiMessage(error)}`,
        {
          cause: error,
        },
      );
    }
  }
  return created;
}

interface PodList {
  items: {
    metadata: { name: string; deletionTimestamp?: string };
    spec: { nodeName?: string };
    status?: {
      phase?: string;
      podIP?: string;
      conditions?: { type: string; status: string; message?: string }[];
      containerStatuses?: { state?: { waiting?: { reason?: string; message?: string } } }[];
    };
  }[];
}

/** Reasons that do not pass by themselves; a kubelet may need a second try all the same. */
const hopeless =
  /^(ErrImage|ImagePull|InvalidImage|CreateContainer.*Error|RunContainerError|CrashLoopBackOff)/;
const STUCK_LIMIT_MS = 10_000;

export interface PodReady {
  readonly name: string;
  readonly ip: string;
  readonly node: string;
}

/** Waits until `count` pods that match the labels are Ready. Fails at once on an image that cannot be had. */
export async function podsReady(
  kube: Kube,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  count: number,
  limitMs: number,
  signal: AbortSignal,
): Promise<PodReady[]> {
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const what = `${count} ${count === 1 ? 'pod' : 'pods'} with ${labelSelector.replace(`${label.role}=`, 'role ')} in ${namespace} to be Ready`;
  const deadline = performance.now() + limitMs;
  let stuckSince: number | undefined;
  for (;;) {
    const { items } = await kube.json<PodList>('GET', `/api/v1/namespaces/${namespace}/pods`, {
      query: { labelSelector },
      signal,
    });
    const alive = items.filter((pod) => !pod.metadata.deletionTimestamp && pod.status?.phase !== 'Succeeded');
    const ready = alive.filter((pod) =>
      pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
    );
    if (ready.length >= count && ready.length === alive.length) {
      return ready.map((pod) => ({
        name: pod.metadata.name,
        ip: pod.status?.podIP ?? '',
        node: pod.spec.nodeName ?? '',
      }));
    }
    const stuck = alive
      .map((pod) =>
        pod.status?.containerStatuses?.find((status) => hopeless.test(status.state?.waiting?.reason ?? '')),
      )
      .find(Boolean)?.state?.waiting;
    stuckSince = stuck ? (stuckSince ?? performance.now()) : undefined;
    if (stuck && stuckSince !== undefined && performance.now() - stuckSince > STUCK_LIMIT_MS) {
      throw new FaultError(
        `Waited for ${what}: ${stuck.reason}: ${stuck.message ?? 'the container does not start'}.`,
      );
    }
    if (performance.now() > deadline) {
      const seen = alive.map((pod) => `${pod.metadata.name} ${describe(pod)}`).join('; ') || 'no pod';
      throw new FaultError(`Waited ${limitMs / 1000} s for ${what}. Last seen: ${seen}.`);
    }
    await sleep(150, undefined, { signal });
  }
}

function describe(pod: PodList['items'][number]): string {
  const waiting = pod.status?.containerStatuses?.map((status) => status.state?.waiting?.reason).find(Boolean);
  const unscheduled = pod.status?.conditions?.find(
    (c) => c.type === 'PodScheduled' && c.status === 'False',
  )?.message;
  return waiting ?? unscheduled ?? pod.status?.phase ?? 'unknown';
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
  const deadline = performance.now() + limitMs;
  for (;;) {
    const { metadata, status } = await kube.json<{
      metadata: { generation?: number };
      status?: { observedGeneration?: number; desiredNumberScheduled?: number };
    }>('GET', path, { signal });
    const wanted = status?.desiredNumberScheduled ?? 0;
    if ((status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) && wanted > 0) return wanted;
    if (performance.now() > deadline) {
      throw new FaultError(
        `Waited ${limitMs / 1000} s for DaemonSet ${name} to find a node; it wants ${wanted} pods.`,
      );
    }
    await sleep(150, undefined, { signal });
  }
}

/** Waits until each pod answers HTTP on its port, whatever the status: Ready alone does not say that it listens. */
export async function podsAnswer(
  kube: Kube,
  namespace: string,
  pods: readonly PodReady[],
  port: number,
  path: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  const silent = new Map(pods.map((pod) => [pod.name, 'not asked']));
  while (silent.size > 0) {
    await Promise.all(
      [...silent.keys()].map(async (name) => {
        const answer = await kube.raw('GET', podProxyPath(namespace, name, port, path), {
          signal,
          timeoutMs: 5000,
        });
        // The API server's own 502 and 503 say that it could not reach the pod.
        const unreached =
          (answer.status === 503 || answer.status === 502) &&
          /error trying to reach|"kind":\s*"Status"/.test(answer.text);
        if (unreached) silent.set(name, answer.text.slice(0, 160));
        else silent.delete(name);
      }),
    );
    if (silent.size === 0) return;
    if (performance.now() > deadline) {
      const [[name, seen] = ['', '']] = silent;
      throw new FaultError(
        `Waited ${limitMs / 1000} s for ${silent.size} pods to answer on port ${port}; ${name}: ${seen}.`,
      );
    }
    await sleep(150, undefined, { signal });
  }
}

/**
 * Deletes namespaces of ours and waits until they are gone. Pods are deleted with a grace of one second first: what
 * they serve is no longer of interest. Only a namespace that carries the run's label is touched.
 */
export async function removeNamespaces(
  kube: Kube,
  namespaces: readonly string[],
  runId: string,
  limitMs: number,
): Promise<void> {
  await Promise.all(namespaces.map((namespace) => removeNamespace(kube, namespace, runId, limitMs)));
}

async function removeNamespace(kube: Kube, namespace: string, runId: string, limitMs: number): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}`;
  const deadline = performance.now() + limitMs;
  const found = await kube.raw('GET', path);
  if (found.status === 404) return;
  const labels = (JSON.parse(found.text) as { metadata?: { labels?: Record<string, string> } }).metadata
    ?.labels;
  if (labels?.[label.run] !== runId) return;
  await kube.raw('DELETE', path, { body: { propagationPolicy: 'Background' } });
  const pods = await kube.raw('GET', `${path}/pods`);
  if (pods.status === 200) {
    const { items } = JSON.parse(pods.text) as PodList;
    await Promise.all(
      items.map((pod) =>
        kube.raw('DELETE', `${path}/pods/${pod.metadata.name}`, { body: { gracePeriodSeconds: 1 } }),
      ),
    );
  }
  while ((await kube.raw('GET', path)).status !== 404) {
    if (performance.now() > deadline) {
      throw new FaultError(
        `Namespace ${namespace} was not gone ${limitMs / 1000} s after its deletion. Look with: kubectl get all -n ${namespace}`,
      );
    }
    await sleep(200);
  }
}

/** True for an object that is not there; other errors are thrown. */
export function isNotFound(error: unknown): boolean {
  if (apiStatus(error) === 404) return true;
  throw error;
}
