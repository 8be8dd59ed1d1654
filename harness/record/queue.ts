// Reads the queue's counters into the journal while an experiment runs.
import { setTimeout as sleep } from 'node:timers/promises';
import { toApiError } from '../kube/api-error.ts';
import { type Kube, podProxyPath } from '../kube/client.ts';
import { queueCountersSchema } from '../model/queue.ts';
import type { JournalWriter } from './journal-writer.ts';

const EVERY_MS = 250;
const ANSWER_LIMIT_MS = 2000;

/** The queue's answer to GET /counters, by the API server's pod proxy. */
export async function queueCounters(
  kube: Kube,
  namespace: string,
  pod: string,
  port: number,
): Promise<unknown> {
  const answer = await kube.raw('GET', podProxyPath(namespace, pod, port, '/counters'), {
    timeoutMs: ANSWER_LIMIT_MS,
  });
  if (answer.status !== 200) throw toApiError(answer);
  return JSON.parse(answer.text);
}

/**
 * Asks every 250 ms until `stop`. A reading that fails is left out; the first of a row of them is noted, and the judge
 * sees the gap.
 */
export function followQueue(read: () => Promise<unknown>, journal: JournalWriter): { stop(): void } {
  let stopped = false;
  void follow();
  return {
    stop() {
      stopped = true;
    },
  };

  async function follow(): Promise<void> {
    let failing = false;
    while (!stopped) {
      const askedAt = journal.nowMs();
      try {
        const counters = queueCountersSchema.parse(await read());
        const t = journal.nowMs();
        if (!stopped) journal.write({ type: 'queue', t, tookMs: t - askedAt, counters });
        failing = false;
      } catch (error) {
        if (!failing && !stopped) {
          const why = error instanceof Error ? error.message : String(error);
          journal.write({ type: 'note', level: 'warning', text: `The queue could not be read: ${why}` });
        }
        failing = true;
      }
      await sleep(Math.max(0, EVERY_MS - (journal.nowMs() - askedAt)), undefined, { ref: false });
    }
  }
}
