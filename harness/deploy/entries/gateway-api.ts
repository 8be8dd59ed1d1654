// The Gateway API's standard CRDs: whether a cluster knows them, and putting them there from a file on a cluster of ours.
import type { Kube } from '../../kube/client.ts';
import { waitFor } from '../../kube/wait.ts';
import { messageOf, UsageError } from '../../model/errors.ts';
import { label, managedBy } from '../../model/manifest.ts';
import { readNamedText } from '../../model/named-file.ts';
import { createObjects } from '../apply.ts';
import { removeOwn } from '../metrics-server.ts';
import { parseManifests } from '../read-manifests.ts';

const API = '/apis/gateway.networking.k8s.io/v1';
const SERVED_LIMIT_MS = 30_000;

export async function hasGatewayApi(kube: Kube): Promise<boolean> {
  const { status, text } = await kube.raw('GET', API);
  return status === 200 && text.includes('"httproutes"');
}

/** Only the definitions of the file; returns what removes them again. Throws UsageError for a file that has none. */
export async function installGatewayApi(
  kube: Kube,
  file: string,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const manifests = definitionsIn(file).map((manifest) => ({
    ...manifest,
    metadata: { ...manifest.metadata, labels: { ...manifest.metadata.labels, [label.managedBy]: managedBy } },
  }));
  await createObjects(kube, manifests);
  await waitFor(
    { what: 'the Gateway API to be served', limitMs: SERVED_LIMIT_MS, signal },
    async (lookSignal) =>
      (await hasGatewayApi(kube.during(lookSignal))) ? { met: undefined } : { seen: 'not served yet' },
  );
  return () => removeOwn(kube, manifests);
}

export function definitionsIn(file: string) {
  let text: string;
  try {
    text = readNamedText(file);
  } catch (error) {
    throw new UsageError(`--gateway-api ${file} (cluster.gatewayApi): ${messageOf(error)}.`, {
      cause: error,
    });
  }
  const found = parseManifests(file, text).filter(
    ({ kind, metadata }) =>
      kind === 'CustomResourceDefinition' && metadata.name.endsWith('gateway.networking.k8s.io'),
  );
  if (!found.some(({ metadata }) => metadata.name === 'httproutes.gateway.networking.k8s.io'))
    throw new UsageError(
      `--gateway-api ${file} (cluster.gatewayApi): it holds no definition of HTTPRoute; name standard-install.yaml of kubernetes-sigs/gateway-api.`,
    );
  return found;
}
