// The control channel to a load agent: by the API server's pod proxy, the same way on every cluster.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Kube, podProxyPath, toApiError } from '../kube/client.ts';
import { FaultError } from '../model/errors.ts';
import {
  type AgentPlan,
  type AgentState,
  agentStates,
  type Frame,
  frameSchema,
  type StreamEnd,
  streamEndSchema,
} from '../model/load.ts';

export interface AgentClient {
  readonly name: string;
  /** Resolves when every URL of the plan answers; nothing fires yet. */
  prepare(plan: AgentPlan): Promise<void>;
  /** `atMs`: of the agent's clock. Resolves when the load has begun. */
  fire(atMs: number): Promise<void>;
  frames(after: number): Promise<{ frames: Frame[]; state: AgentState; nextSeq: number }>;
  rate(stream: string, ratePerSecond: number, overMs?: number): Promise<void>;
  stop(): Promise<void>;
  end(): Promise<{ ends: StreamEnd[]; lastSeq: number }>;
  /** Offset and error in ms: harness clock = agent clock + offset, ± error. Best of several round trips. */
  clock(nowMs: () => number): Promise<{ offsetMs: number; errorMs: number }>;
}

const framesAnswer = z.object({
  frames: z.array(frameSchema),
  state: z.enum(agentStates),
  nextSeq: z.number().int(),
});
const endAnswer = z.object({ ends: z.array(streamEndSchema), lastSeq: z.number().int() });
const clockAnswer = z.object({ nowMs: z.number() });
const CLOCK_SAMPLES = 15;
const CONTROL_LIMIT_MS = 15_000;
/** A lost answer over the proxy is asked for again this often; frames are numbered, so asking twice is safe. */
const TRIES = 4;

/** A control channel over any transport: `send` returns status and text of one request to the agent. */
export function createAgentClient(
  name: string,
  send: (method: string, path: string, body?: unknown) => Promise<{ status: number; text: string }>,
): AgentClient {
  async function ask<T>(
    schema: z.ZodType<T> | undefined,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<T> {
    let last: unknown;
    for (let attempt = 1; attempt <= (method === 'GET' ? TRIES : 1); attempt++) {
      if (attempt > 1) await sleep(100 * attempt);
      try {
        const answer = await send(method, path, body);
        if (answer.status < 200 || answer.status > 299) throw toApiError(answer);
        return schema ? schema.parse(JSON.parse(answer.text)) : (undefined as T);
      } catch (error) {
        last = error;
      }
    }
    const why = last instanceof Error ? last.message : String(last);
    throw new FaultError(`Load agent ${name}: ${method} ${path} failed: ${why}`, { cause: last });
  }
  return {
    name,
    prepare: (plan) => ask(undefined, 'POST', '/prepare', plan),
    fire: (atMs) => ask(undefined, 'POST', '/fire', { atMs }),
    frames: (after) => ask(framesAnswer, 'GET', `/frames?after=${after}`),
    rate: (stream, ratePerSecond, overMs) =>
      ask(undefined, 'POST', '/rate', { stream, ratePerSecond, overMs }),
    stop: () => ask(undefined, 'POST', '/stop', {}),
    end: () => ask(endAnswer, 'GET', '/end'),
    async clock(nowMs) {
      let best = { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };
      for (let sample = 0; sample < CLOCK_SAMPLES; sample++) {
        const before = nowMs();
        const { nowMs: agentMs } = await ask(clockAnswer, 'GET', '/clock');
        const after = nowMs();
        // The answer was made somewhere between: its middle is the guess, half the round trip the error.
        const errorMs = (after - before) / 2;
        if (errorMs < best.errorMs) best = { offsetMs: (before + after) / 2 - agentMs, errorMs };
      }
      return best;
    },
  };
}

/** Above the time that the slowest answer took, ms. */
const FIRE_LEAD_MS = 100;

/** Agents that share a schedule begin at one instant, ± the error of their clocks, so that their sum is as even as one. */
export async function fireTogether(clients: readonly AgentClient[], nowMs: () => number): Promise<void> {
  const offsets: number[] = [];
  let worstErrorMs = 0;
  for (const client of clients) {
    const { offsetMs, errorMs } = await client.clock(nowMs);
    offsets.push(offsetMs);
    worstErrorMs = Math.max(worstErrorMs, errorMs);
  }
  const atMs = nowMs() + FIRE_LEAD_MS + 4 * worstErrorMs;
  await Promise.all(clients.map((client, index) => client.fire(atMs - (offsets[index] ?? 0))));
}

/** The control channel to an agent pod. */
export const agentInPod = (kube: Kube, namespace: string, pod: string, port: number): AgentClient =>
  createAgentClient(pod, (method, path, body) =>
    kube.raw(method, podProxyPath(namespace, pod, port, path), { body }),
  );

/** The control channel to an agent outside the cluster, on loopback. */
export const agentAt = (name: string, url: string): AgentClient =>
  createAgentClient(name, async (method, path, body) => {
    const answer = await fetch(new URL(path, url), {
      method,
      signal: AbortSignal.timeout(CONTROL_LIMIT_MS),
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
    return { status: answer.status, text: await answer.text() };
  });
