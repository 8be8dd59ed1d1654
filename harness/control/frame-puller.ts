// Pulls an agent's numbered frames into the journal while the load runs; a missing number faults the experiment.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame } from '../model/load.ts';
import type { AgentClient } from './agent-client.ts';

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

const PULL_MS = 250;

export function framePuller(agent: AgentClient, sink: FrameSink): FramePuller {
  let after = 0;
  return {
    agent,
    async untilEnded(signal) {
      for (;;) {
        signal.throwIfAborted();
        const answer = await agent.frames(after, signal);
        for (const frame of answer.frames) {
          if (frame.seq <= after) continue;
          if (frame.seq !== after + 1) sink.gap(agent.name, after + 1, frame.seq - 1);
          after = frame.seq;
          sink.frame(agent.name, frame);
        }
        if (answer.state === 'ended' && after >= answer.nextSeq - 1) return;
        if (answer.frames.length === 0 || answer.state !== 'ended') {
          await sleep(PULL_MS, undefined, { signal });
        }
      }
    },
  };
}
