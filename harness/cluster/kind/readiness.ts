// Waits until every node is Ready and CoreDNS answers; says what it saw last when it gives up.
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Kube } from '../../kube/client.ts';
import { FaultError, InterruptedError } from '../../model/errors.ts';
import { coreDnsState, nodeStates } from '../describe.ts';

const POLL_MS = 300;
/** As kind's known issues advise. */
const ENOUGH_INOTIFY_INSTANCES = 512;

/** Throws FaultError at the limit, InterruptedError when the signal is aborted. */
export async function clusterReady(
  kube: Kube,
  nodes: number,
  limitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const missing = await whatIsMissing(kube, nodes);
    if (missing === undefined) return;
    if (signal.aborted) throw new InterruptedError();
    if (performance.now() > deadline) {
      throw new FaultError(
        `kind: waited ${limitMs / 1000} s for ${nodes} nodes to be Ready and for CoreDNS; last seen: ${missing}.${inotifyHint()}`,
      );
    }
    await delay(POLL_MS);
  }
}

/** Several clusters on one machine run out of inotify instances: kubelets and CNI plugins then wait without a word. */
function inotifyHint(): string {
  const file = '/proc/sys/fs/inotify/max_user_instances';
  const limit = existsSync(file) ? Number(readFileSync(file, 'utf8')) : Number.POSITIVE_INFINITY;
  if (limit >= ENOUGH_INOTIFY_INSTANCES) return '';
  return ` This machine allows ${limit} inotify instances, too few for several clusters: raise fs.inotify.max_user_instances to ${ENOUGH_INOTIFY_INSTANCES}, remove other clusters, or use --one-node.`;
}

async function whatIsMissing(kube: Kube, nodes: number): Promise<string | undefined> {
  try {
    const [states, dns] = await Promise.all([nodeStates(kube), coreDnsState(kube)]);
    if (states.length < nodes) return `${states.length} of ${nodes} nodes`;
    const unready = states.filter((node) => !node.ready).map((node) => `${node.name} (${node.message})`);
    if (unready.length > 0) return `not ready: ${unready.join(', ')}`;
    if (dns && dns.available < dns.wanted)
      return `CoreDNS has ${dns.available} of ${dns.wanted} pods available`;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
