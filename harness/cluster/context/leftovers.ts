// What killed runs have left on a cluster of somebody's. Most of it goes by itself: agents that nobody asks any more end,
// and everything belongs to their Job. A namespace belongs to nothing and stays, empty, until it is removed here.
import type { Kube } from '../../kube/client.ts';
import { waitFor } from '../../kube/wait.ts';
import { label, managedBy } from '../../model/manifest.ts';
import type { CreateOptions } from '../provider.ts';

/** A namespace that is younger may be one that another run is about to use. */
const YOUNG_MS = 300_000;
/** The agents' idle limit, the time for which an ended Job is kept, and what the garbage collector needs. */
const FREE_LIMIT_MS = 180_000;
const POLL_MS = 1000;

interface Listed {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string;
      readonly creationTimestamp?: string;
      readonly labels?: Readonly<Record<string, string>>;
      readonly deletionTimestamp?: string;
    };
  }[];
}

const ours = { labelSelector: `${label.managedBy}=${managedBy}` };

/** Removes namespaces of runs that are over: old enough, and without load agents. Returns their names. */
export async function removeAbandoned(
  kube: Kube,
  { progress, signal }: CreateOptions,
  now = Date.now(),
): Promise<readonly string[]> {
  const { items } = await kube.json<Listed>('GET', '/api/v1/namespaces', { query: ours, signal });
  const removed: string[] = [];
  for (const { metadata } of items) {
    const age = now - Date.parse(metadata.creationTimestamp ?? '');
    if (metadata.deletionTimestamp || !(age > YOUNG_MS)) continue;
    const path = `/api/v1/namespaces/${metadata.name}`;
    const jobs = await kube.raw('GET', `/apis/batch/v1/namespaces/${metadata.name}/jobs`, {
      query: ours,
      signal,
    });
    if (jobs.status !== 200 || (JSON.parse(jobs.text) as Listed).items.length > 0) continue;
    progress(`removing namespace ${metadata.name}, which a run that was killed has left`);
    const answer = await kube.raw('DELETE', path, { body: { propagationPolicy: 'Background' }, signal });
    if (answer.status < 300) removed.push(metadata.name);
  }
  return removed;
}

/** Waits until no other run is in the namespace: names would be the same, and loads would add up. */
export async function untilFree(
  kube: Kube,
  namespace: string,
  { progress, signal }: CreateOptions,
): Promise<void> {
  await waitFor(
    {
      what: `namespace ${namespace} to be free: it takes one run of rollproof at a time`,
      limitMs: FREE_LIMIT_MS,
      signal,
      everyMs: POLL_MS,
    },
    async (lookSignal) => {
      const path = `/apis/batch/v1/namespaces/${namespace}/jobs`;
      const { items } = await kube.json<Listed>('GET', path, { query: ours, signal: lookSignal });
      const [other] = items;
      if (!other) return { met: undefined };
      const { name, labels, creationTimestamp } = other.metadata;
      const run = labels?.[label.run] ?? 'unknown';
      progress(`waiting for run ${run} in namespace ${namespace} to end`);
      return { seen: `run ${run} (Job ${name}, since ${creationTimestamp})` };
    },
  );
}
