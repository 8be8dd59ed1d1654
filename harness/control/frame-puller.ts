// Pulls an agent's numbered frames into the journal while the load runs; a missing number faults the experiment.
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentState, Frame } from '../model/load.ts';
import type { AgentClient } from './agent-client.ts';

export interface FramePuller {
  readonly state: AgentState;
  /** Rejects when a frame was lost or the agent could not be reached; resolves when the agent says `ended`. */
  readonly done: Promise<void>;
  stop(): void;
}

export interface FrameSink {
  frame(agent: string, frame: Frame): void;
  gap(agent: string, fromSeq: number, toSeq: number): void;
}

const PULL_MS = 250;

export function pullFrames(agent: AgentClient, sink: FrameSink): FramePuller {
  let after = 0;
  let stopped = false;
  const puller = { state: 'idle' as AgentState, done: run(), stop: halt };
  // The error is delivered to whoever awaits `done`; until then it must not end the process.
  puller.done.catch(() => {});
  return puller;

  function halt(): void {
    stopped = true;
  }

  async function run(): Promise<void> {
    while (!stopped) {
      const answer = await agent.frames(after);
      for (const frame of answer.frames) {
        if (frame.seq <= after) continue;
        if (frame.seq !== after + 1) sink.gap(agent.name, after + 1, frame.seq - 1);
        after = frame.seq;
        sink.frame(agent.name, frame);
      }
      puller.state = answer.state;
      if (answer.state === 'ended' && after >= answer.nextSeq - 1) return;
      if (answer.frames.length === 0 || answer.state !== 'ended') await sleep(PULL_MS);
    }
  }
}
