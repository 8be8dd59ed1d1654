// The end of the load, in order or not, and how the experiment came out.

import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentClient } from '../../control/agent-client.ts';
import { FaultError, InterruptedError, messageOf } from '../../model/errors.ts';
import type { StreamEnd } from '../../model/load.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import type { ExperimentOutcome } from './context.ts';
import { type Firing, measureClocks } from './fire.ts';

const AGENT_DRAIN_LIMIT_MS = 15_000;

/** No attempt starts any more; those in flight are awaited to their own timeout, then the totals are read. */
export async function stopLoad(firing: Firing, journal: JournalWriter): Promise<void> {
  for (const client of firing.clients) journal.write({ type: 'load', agent: client.name, event: 'stopping' });
  await Promise.all(firing.clients.map((client) => client.stop()));
  const limitMs = AGENT_DRAIN_LIMIT_MS;
  await Promise.race([
    Promise.all(firing.pullers.map((puller) => puller.done)),
    sleep(limitMs, undefined, { ref: false }).then(() => {
      throw new FaultError(
        `The load agents did not end within ${limitMs / 1000} s after they were told to stop.`,
      );
    }),
  ]);
  firing.stopPulling();
  await measureClocks(firing, journal);
  await Promise.all(firing.clients.map((client) => recordEnd(client, firing.ends, journal)));
}

async function recordEnd(client: AgentClient, all: StreamEnd[], journal: JournalWriter): Promise<void> {
  const { ends } = await client.end();
  all.push(...ends);
  for (const end of ends) journal.write({ type: 'stream-end', agent: client.name, end });
  journal.write({ type: 'load', agent: client.name, event: 'ended' });
}

/** After a fault or an interrupt: stop the load and keep what the agents can still say. */
export async function abandonLoad(firing: Firing, journal: JournalWriter): Promise<void> {
  try {
    await Promise.race([
      stopLoad(firing, journal),
      sleep(AGENT_DRAIN_LIMIT_MS, undefined, { ref: false }).then(() => {
        throw new FaultError('the load agents did not answer in time');
      }),
    ]);
  } catch (error) {
    journal.write({
      type: 'note',
      level: 'warning',
      text: `The load could not be ended in order: ${messageOf(error)}`,
    });
  }
}

export function outcomeOf(
  error: unknown,
  interrupted: AbortSignal,
  limit: AbortSignal,
  limitMs: number,
): ExperimentOutcome {
  if (interrupted.aborted || error instanceof InterruptedError) {
    return { status: 'interrupted', reason: 'interrupted before the end' };
  }
  if (limit.aborted) {
    return {
      status: 'faulted',
      reason: `The experiment did not end within its limit of ${limitMs / 1000} s.`,
    };
  }
  return { status: 'faulted', reason: messageOf(error) };
}
