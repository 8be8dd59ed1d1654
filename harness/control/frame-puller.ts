// Pulls an agent's numbered frames into the journal while the load runs; a missing number faults the experiment.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame } from '../model/load.ts';
import { type AgentClient, AgentError } from './agent-client.ts';

export interface FramePuller {
  readonly agent: AgentClient;
  /**
   * Pulls until the agent says `ended`, going on where an earlier call was aborted. Rejects when the agent cannot be
   * reached, and with the signal's reason.
   */
  untilEnded(signal: AbortSignal): Promise<void>;
}

export interface FrameSink {
  frame(agent: string, frame: Frame): void;
  gap(agent: string, fromSeq: number, toSeq: number): void;
}

export interface Pulling {
  /**
   * An agent that does not answer is asked again for so long, unless its pod says that it has ended: an API server that
   * restarts is away for half a minute, and the spool holds ten.
   */
  readonly patienceMs?: number;
  /** Between two questions; default 250 ms. */
  readonly everyMs?: number;
}

const PULL_MS = 250;
/** Between two questions to an agent that did not answer, ms. */
const AGAIN_MS = 1000;

export function framePuller(
  agent: AgentClient,
  sink: FrameSink,
  { patienceMs = 0, everyMs = PULL_MS }: Pulling = {},
): FramePuller {
  let after = 0;
  let silentSince: number | undefined;

  async function pull(signal: AbortSignal): ReturnType<AgentClient['frames']> {
    for (;;) {
      try {
        const answer = await agent.frames(after, signal);
        silentSince = undefined;
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        silentSince ??= performance.now();
        const final = !(error instanceof AgentError) || error.ended;
        if (final || performance.now() - silentSince > patienceMs) throw error;
        await sleep(AGAIN_MS, undefined, { signal });
      }
    }
  }

  return {
    agent,
    async untilEnded(signal) {
      for (;;) {
        signal.throwIfAborted();
        const answer = await pull(signal);
        for (const frame of answer.frames) {
          if (frame.seq <= after) continue;
          if (frame.seq !== after + 1) sink.gap(agent.name, after + 1, frame.seq - 1);
          after = frame.seq;
          sink.frame(agent.name, frame);
        }
        if (answer.state === 'ended' && after >= answer.nextSeq - 1) return;
        if (answer.frames.length === 0 || answer.state !== 'ended') {
          await sleep(everyMs, undefined, { signal });
        }
      }
    },
  };
}
