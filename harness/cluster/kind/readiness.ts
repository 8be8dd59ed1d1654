// Waits until every node is Ready and CoreDNS answers; says what it saw last when it gives up.
import { existsSync, readFileSync } from 'node:fs';
import type { Kube } from '../../kube/client.ts';
import { waitFor } from '../../kube/wait.ts';
import { coreDnsState, nodeStates } from '../describe.ts';

const POLL_MS = 300;
/** As kind's known issues advise. */
const ENOUGH_INOTIFY_INSTANCES = 512;

/** Throws FaultError at the limit; rejects with the signal's reason when it is aborted. */
export async function clusterReady(
  kube: Kube,
  nodes: number,
  limitMs: number,
  signal: AbortSignal,
): Promise<void> {
  await waitFor(
    {
      what: `${nodes} nodes to be Ready and for CoreDNS`,
      limitMs,
      signal,
      everyMs: POLL_MS,
      // A control plane that starts refuses for a moment what it will allow.
      final: () => false,
      hint: inotifyHint,
    },
    async (lookSignal) => {
      const missing = await whatIsMissing(kube.during(lookSignal), nodes);
      return missing === undefined ? { met: undefined } : { seen: missing };
    },
  );
}

/** Several clusters on one machine run out of inotify instances: kubelets and CNI plugins then wait without a word. */
function inotifyHint(): string {
  const file = '/proc/sys/fs/inotify/max_user_instances';
  const limit = existsSync(file) ? Number(readFileSync(file, 'utf8')) : Number.POSITIVE_INFINITY;
  if (limit >= ENOUGH_INOTIFY_INSTANCES) return '';
  return `This machine allows ${limit} inotify instances, too few for several clusters: raise fs.inotify.max_user_instances to ${ENOUGH_INOTIFY_INSTANCES}, remove other clusters, or use --one-node.`;
}

async function whatIsMissing(kube: Kube, nodes: number): Promise<string | undefined> {
  const [states, dns] = await Promise.all([nodeStates(kube), coreDnsState(kube)]);
  if (states.length < nodes) return `${states.length} of ${nodes} nodes`;
  const unready = states.filter((node) => !node.ready).map((node) => `${node.name} (${node.message})`);
  if (unready.length > 0) return `not ready: ${unready.join(', ')}`;
  if (dns && dns.available < dns.wanted)
    return `CoreDNS has ${dns.available} of ${dns.wanted} pods available`;
  return undefined;
}
