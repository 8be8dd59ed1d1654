// Namespaces that a killed run left in a cluster that is used again. Whoever holds the cluster's record is alone in it,
// so every namespace with our label is a leftover.
import { toApiError } from '../../kube/api-error.ts';
import type { Kube } from '../../kube/client.ts';
import { waitFor } from '../../kube/wait.ts';
import { label, managedBy } from '../../model/manifest.ts';

const LIMIT_MS = 60_000;
const POLL_MS = 200;

/** Deletes them and waits until they are gone: their pods would disturb what is measured. Returns their names. */
export async function removeLeftovers(
  kube: Kube,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const names = await leftovers(kube.during(signal));
  if (names.length === 0) return names;
  progress(`removing ${names.length} namespaces of a run that was killed`);
  const deleted = new Set<string>();
  await waitFor(
    {
      what: `namespaces ${names.join(', ')} of an earlier run to be gone`,
      limitMs: LIMIT_MS,
      signal,
      everyMs: POLL_MS,
      hint: 'Remove the cluster with: rollproof cleanup --all',
    },
    async (lookSignal) => {
      const during = kube.during(lookSignal);
      const left = await leftovers(during);
      for (const name of left) {
        if (deleted.has(name)) continue;
        await removeNamespace(during, name);
        deleted.add(name);
      }
      return left.length === 0 ? { met: undefined } : { seen: `${left.join(', ')} still there` };
    },
  );
  return names;
}

async function leftovers(kube: Kube): Promise<readonly string[]> {
  const { items } = await kube.json<{ items: { metadata: { name: string } }[] }>(
    'GET',
    '/api/v1/namespaces',
    { query: { labelSelector: `${label.managedBy}=${managedBy}` } },
  );
  return items.map((item) => item.metadata.name);
}

/** Its pods are killed at once: nobody is served by them any more. */
async function removeNamespace(kube: Kube, name: string): Promise<void> {
  const path = `/api/v1/namespaces/${name}`;
  for (const [what, body] of [
    [path, {}],
    [`${path}/pods`, { gracePeriodSeconds: 0 }],
  ] as const) {
    const answer = await kube.raw('DELETE', what, { body });
    const done = answer.status < 300 || answer.status === 404 || answer.status === 409;
    if (!done) throw toApiError(answer);
  }
}
