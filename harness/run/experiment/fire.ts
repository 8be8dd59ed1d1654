// Load: from the agents' plans to frames in the journal.

import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentClient, fireTogether } from '../../control/agent-client.ts';
import { type FramePuller, pullFrames } from '../../control/frame-puller.ts';
import { FaultError } from '../../model/errors.ts';
import { type AgentPlan, isLost, type Lane, type Outcome, type StreamEnd } from '../../model/load.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import type { PreparedExperiment, RunContext } from './context.ts';
import { experimentName } from './key.ts';
import { controlStream } from './load-plan.ts';

export interface Firing {
  readonly clients: readonly AgentClient[];
  readonly pullers: readonly FramePuller[];
  /** Streams at the target, by agent. */
  readonly streams: readonly (readonly string[])[];
  readonly lost: Partial<Record<Lane, number>>;
  /** Totals, once the load has ended. */
  readonly ends: StreamEnd[];
  /** performance.now() of the last frame that carried a loss of the target. */
  lastLossAt: number;
  /** Rejects as soon as the control channel fails or a frame is missing. */
  readonly failed: Promise<never>;
  loadMs(): number;
  stopPulling(): void;
}

export async function startLoad(
  run: RunContext,
  prepared: PreparedExperiment,
  clients: readonly AgentClient[],
  plans: readonly AgentPlan[],
  journal: JournalWriter,
  alsoFire: () => Promise<void>,
): Promise<Firing> {
  const name = experimentName(prepared.key);
  const startedAt = performance.now();
  let stoppedAt: number | undefined;
  await Promise.all(clients.map((client, index) => client.prepare(plans[index] as AgentPlan)));
  await fireTogether(clients, () => journal.nowMs());
  await alsoFire();
  for (const client of clients) {
    journal.write({ type: 'load', agent: client.name, event: 'started' });
  }
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const firing: Firing = {
    clients,
    streams: plans.map((plan) =>
      plan.streams.map((stream) => stream.id).filter((id) => id !== controlStream),
    ),
    lost: {},
    ends: [],
    lastLossAt: 0,
    failed,
    loadMs: () => (stoppedAt ?? performance.now()) - startedAt,
    stopPulling() {
      stoppedAt ??= performance.now();
      for (const puller of this.pullers) puller.stop();
    },
    pullers: clients.map((client) =>
      pullFrames(client, {
        frame(agent, frame) {
          journal.write({ type: 'frame', agent, frame });
          for (const [stream, delta] of Object.entries(frame.streams)) {
            if (stream === controlStream) continue;
            const lost = delta.buckets.reduce((sum, bucket) => sum + lostOf(bucket.outcomes), 0);
            firing.lost[stream as Lane] = (firing.lost[stream as Lane] ?? 0) + lost;
            if (lost > 0) firing.lastLossAt = performance.now();
          }
          run.progress({
            experiment: name,
            doing: 'under load',
            lost: { ...firing.lost },
            loadMs: firing.loadMs(),
            limitMs: prepared.key.scenario.limitMs,
          });
        },
        gap(agent, fromSeq, toSeq) {
          journal.write({ type: 'frame-gap', agent, fromSeq, toSeq });
          fail(
            new FaultError(
              `Frames ${fromSeq} to ${toSeq} of load agent ${agent} were lost: its counts are incomplete.`,
            ),
          );
        },
      }),
    ),
  };
  for (const puller of firing.pullers) puller.done.catch(fail);
  await measureClocks(firing, journal);
  return firing;
}

export async function measureClocks(firing: Firing, journal: JournalWriter): Promise<void> {
  for (const client of firing.clients) {
    const { offsetMs, errorMs } = await client.clock(() => journal.nowMs());
    journal.write({ type: 'clock', agent: client.name, offsetMs, errorMs });
  }
}

export async function pause(ms: number, firing: Firing, signal: AbortSignal): Promise<void> {
  await Promise.race([sleep(ms, undefined, { signal }), firing.failed]);
}

const lostOf = (counts: Partial<Record<Outcome, number>>): number =>
  Object.entries(counts).reduce((sum, [outcome, count]) => sum + (isLost(outcome as Outcome) ? count : 0), 0);
