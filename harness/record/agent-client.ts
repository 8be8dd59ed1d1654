// The control channel to a load agent: by the API server's pod proxy, the same way on every cluster.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Kube, podProxyPath, toApiError } from '../kube/client.ts';
import { FaultError } from '../model/errors.ts';
import { type AgentPlan, type Frame, frameSchema, type StreamEnd, streamEndSchema } from '../model/load.ts';

export interface AgentClient {
  readonly name: string;
  start(plan: AgentPlan): Promise<void>;
  frames(after: number): Promise<{ frames: Frame[]; state: AgentState; nextSeq: number }>;
  rate(stream: string, ratePerSecond: number, overMs?: number): Promise<void>;
  stop(): Promise<void>;
  end(): Promise<{ ends: StreamEnd[]; lastSeq: number }>;
  /** Offset and error in ms: harness clock = agent clock + offset, ± error. Best of several round trips. */
  clock(nowMs: () => number): Promise<{ offsetMs: number; errorMs: number }>;
}
export type AgentState = 'idle' | 'running' | 'draining' | 'ended';

const framesAnswer = z.object({
  frames: z.array(frameSchema),
  state: z.enum(['idle', 'running', 'draining', 'ended']),
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
    start: (plan) => ask(undefined, 'POST', '/start', plan),
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
