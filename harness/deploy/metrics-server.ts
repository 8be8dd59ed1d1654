// The metrics API for the autoscaler: installs metrics-server where a cluster of ours lacks it, and removes it again.
import { readFileSync } from 'node:fs';
import { apiStatus } from '../kube/api-error.ts';
import type { Kube } from '../kube/client.ts';
import { waitFor } from '../kube/wait.ts';
import { label, type Manifest, managedBy } from '../model/manifest.ts';
import { createObjects } from './apply.ts';
import { parseManifests } from './read-manifests.ts';

const metricsApi = '/apis/metrics.k8s.io/v1beta1';
const READY_LIMIT_MS = 120_000;
const POLL_MS = 500;

interface MetricsOptions {
  /** How often metrics-server asks the kubelets; at least 10 s. */
  readonly resolutionSeconds: number;
  readonly signal: AbortSignal;
}

/** Does the cluster answer for CPU use? An API that is announced but does not serve counts as missing. */
export async function hasMetrics(kube: Kube): Promise<boolean> {
  return (await kube.raw('GET', `${metricsApi}/nodes`)).status === 200;
}

/** The same of a cluster of somebody's, by the right that it takes least of. */
export async function hasPodMetrics(kube: Kube, namespace: string | undefined): Promise<boolean> {
  const within = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return (await kube.raw('GET', `${metricsApi}${within}/pods`)).status === 200;
}

/** Resolves when the nodes' use can be read; returns what removes it again. Nothing stays when it throws. */
export async function installMetricsServer(
  kube: Kube,
  options: MetricsOptions,
): Promise<() => Promise<void>> {
  const manifests = metricsServerManifests(options.resolutionSeconds);
  const remove = () => removeOwn(kube, manifests);
  try {
    // What a killed run has left would be in the way.
    await remove();
    await createObjects(kube, manifests);
    await metricsReady(kube, options.signal);
    return remove;
  } catch (error) {
    await remove();
    throw error;
  }
}

export function metricsServerManifests(resolutionSeconds: number): readonly Manifest[] {
  const file = new URL('metrics-server.yaml', import.meta.url);
  return parseManifests('metrics-server.yaml', readFileSync(file, 'utf8')).map((original) => {
    const manifest = structuredClone(original);
    manifest.metadata.labels = { ...manifest.metadata.labels, [label.managedBy]: managedBy };
    if (manifest.kind === 'Deployment') {
      const spec = manifest.spec as { template: { spec: { containers: { args: string[] }[] } } };
      spec.template.spec.containers[0]?.args.push(`--metric-resolution=${resolutionSeconds}s`);
    }
    return manifest;
  });
}

async function metricsReady(kube: Kube, signal: AbortSignal): Promise<void> {
  await waitFor(
    {
      what: "metrics-server to tell the nodes' CPU use",
      limitMs: READY_LIMIT_MS,
      signal,
      everyMs: POLL_MS,
      hint: 'Look with: kubectl -n kube-system describe pod -l k8s-app=rollproof-metrics-server',
    },
    async (lookSignal) => {
      const answer = await kube.raw('GET', `${metricsApi}/nodes`, { signal: lookSignal });
      const told =
        answer.status === 200 && (JSON.parse(answer.text) as { items: unknown[] }).items.length > 0;
      return told ? { met: undefined } : { seen: `${answer.status} ${answer.text.slice(0, 200)}` };
    },
  );
}

/** Only what carries our label: an object of that name that somebody else made stays. */
export async function removeOwn(kube: Kube, manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests.toReversed()) {
    try {
      const found = await kube.objects.read({
        apiVersion: manifest.apiVersion,
        kind: manifest.kind,
        metadata: { name: manifest.metadata.name, namespace: manifest.metadata.namespace ?? '' },
      });
      if (found.metadata?.labels?.[label.managedBy] !== managedBy) continue;
      await kube.objects.delete(found);
    } catch (error) {
      if (apiStatus(error) !== 404) throw error;
    }
  }
}
