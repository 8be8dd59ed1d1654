// Namespaces that a killed run left in a cluster that is used again. Whoever holds the cluster's record is alone in it,
// so every namespace with our label is a leftover.
import { setTimeout as delay } from 'node:timers/promises';
import type { Kube } from '../../kube/client.ts';
import { FaultError } from '../../model/errors.ts';
import { label, managedBy } from '../../model/manifest.ts';

const LIMIT_MS = 60_000;
const POLL_MS = 200;

/** Deletes them and waits until they are gone: their pods would disturb what is measured. Returns their names. */
export async function removeLeftovers(
  kube: Kube,
  progress: (text: string) => void,
): Promise<readonly string[]> {
  const names = await leftovers(kube);
  if (names.length === 0) return names;
  progress(`removing ${names.length} namespaces of a run that was killed`);
  for (const name of names) await removeNamespace(kube, name);
  const deadline = performance.now() + LIMIT_MS;
  for (let left = names; left.length > 0; left = await leftovers(kube)) {
    if (performance.now() > deadline) {
      throw new FaultError(
        `kind: namespaces ${left.join(', ')} of an earlier run were not gone after ${LIMIT_MS / 1000} s. Remove the cluster with: rollproof cleanup --all`,
      );
    }
    await delay(POLL_MS);
  }
  return names;
}

async function leftovers(kube: Kube): Promise<readonly string[]> {
  const { items } = await kube.json<{ items: { metadata: { name: string } }[] }>(
    'GET',
    '/api/v1/namespaces',
    {
      query: { labelSelector: `${label.managedBy}=${managedBy}` },
    },
  );
  return items.map((item) => item.metadata.name);
}

/** Its pods are killed at once: nobody is served by them any more. */
async function removeNamespace(kube: Kube, name: string): Promise<void> {
  const path = `/api/v1/namespaces/${name}`;
  await kube.raw('DELETE', path);
  await kube.raw('DELETE', `${path}/pods`, { body: { gracePeriodSeconds: 0 } });
}
