// The control channel to a load agent: by the API server's pod proxy, the same way on every cluster.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Answer, AWAY_AFTER_MS, awayInWords, NoAnswerError, toApiError } from '../kube/api-error.ts';
import { type Kube, podProxyPath } from '../kube/client.ts';
import { FaultError, messageOf } from '../model/errors.ts';
import {
  type AgentPlan,
  type AgentState,
  agentStates,
  type Frame,
  frameSchema,
  type StreamEnd,
  streamEndSchema,
} from '../model/load.ts';
import { stillRuns, whatBecameOf } from './agent-pod.ts';

/** An agent that does not do as it is told, or does not answer. */
export class AgentError extends FaultError {
  /** Its pod says that it has ended or is gone: it will never answer again. */
  readonly ended: boolean;
  constructor(
    message: string,
    { ended = false, ...options }: ErrorOptions & { readonly ended?: boolean } = {},
  ) {
    super(message, options);
    this.ended = ended;
  }
}

export interface AgentClient {
  readonly name: string;
  /** Resolves when every URL of the plan answers; nothing fires yet. */
  prepare(plan: AgentPlan, signal?: AbortSignal): Promise<void>;
  /** `atMs`: of the agent's clock. Resolves when the load has begun. */
  fire(atMs: number, signal?: AbortSignal): Promise<void>;
  frames(
    after: number,
    signal?: AbortSignal,
  ): Promise<{ frames: Frame[]; state: AgentState; nextSeq: number }>;
  rate(stream: string, ratePerSecond: number, overMs?: number, signal?: AbortSignal): Promise<void>;
  /** No attempt starts any more, and none will: also where nothing was fired yet. Asked again until it is answered. */
  stop(signal?: AbortSignal): Promise<void>;
  end(signal?: AbortSignal): Promise<{ ends: StreamEnd[]; lastSeq: number }>;
  /** Offset and error in ms: harness clock = agent clock + offset, ± error. Best of several round trips. */
  clock(nowMs: () => number, signal?: AbortSignal): Promise<{ offsetMs: number; errorMs: number }>;
}

/** One request to an agent, over any transport. */
type Send = (
  method: string,
  path: string,
  body: unknown,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
) => Promise<{ status: number; text: string }>;

const framesAnswer = z.object({
  frames: z.array(frameSchema),
  state: z.enum(agentStates),
  nextSeq: z.number().int(),
});
const endAnswer = z.object({ ends: z.array(streamEndSchema), lastSeq: z.number().int() });
const clockAnswer = z.object({ nowMs: z.number() });
const CLOCK_SAMPLES = 15;
/** Above what an agent's preflight may take. */
const ORDER_LIMIT_MS = 20_000;
/** Questions, and orders that may be given twice: a lost answer over the proxy is asked for again. */
const AGAIN = { tries: 4, limitMs: 3_500 };
/** How late a node may say that a container has ended: the kubelet looks once a second, a busy one less often. */
const END_SHOWS_MS = 5000;
const ONCE = { tries: 1, limitMs: ORDER_LIMIT_MS };

/**
 * A control channel. One that hangs has failed after four tries, 15 s; where the API server itself does not answer, who
 * may ask again does so until it counts as away. `explain` says what became of an agent that does not answer, where that
 * can be found out.
 */
export function createAgentClient(
  name: string,
  send: Send,
  explain: () => Promise<string | undefined> = async () => undefined,
): AgentClient {
  async function ask<T>(
    schema: z.ZodType<T> | undefined,
    method: string,
    path: string,
    signal: AbortSignal | undefined,
    body?: unknown,
    { tries, limitMs } = method === 'GET' ? AGAIN : ONCE,
  ): Promise<T> {
    let last: unknown;
    let triedAt = 0;
    for (let attempt = 1; ; attempt++) {
      if (attempt > 1) await sleep(Math.min(100 * attempt, 1000), undefined, { ...(signal && { signal }) });
      triedAt = performance.now();
      try {
        const answer = await send(method, path, body, { timeoutMs: limitMs, signal });
        if (answer.status < 200 || answer.status > 299) throw refused(answer);
        return schema ? schema.parse(JSON.parse(answer.text)) : (undefined as T);
      } catch (error) {
        signal?.throwIfAborted();
        last = error;
      }
      if (attempt < tries) continue;
      // What the agent itself says is wrong is the reason; only of one that says nothing its pod is asked.
      const hangs = performance.now() - triedAt >= limitMs;
      const became = last instanceof AgentRefusal ? undefined : await explained(hangs, signal);
      signal?.throwIfAborted();
      // An API server that restarts comes back: whoever may ask again does so until it counts as away.
      if (tries > 1 && became instanceof NoAnswerError && became.silentMs <= AWAY_AFTER_MS) continue;
      throw new AgentError(`Load agent ${name}: ${whatIsWrong(became, last, `${method} ${path}`)}`, {
        cause: last,
        ended: typeof became === 'string' && !became.startsWith(stillRuns),
      });
    }
  }

  /**
   * In words, or why it cannot be told. One that refuses has most likely ended; its node says so up to a few seconds later.
   */
  async function explained(hangs: boolean, signal: AbortSignal | undefined): Promise<unknown> {
    const until = performance.now() + END_SHOWS_MS;
    for (;;) {
      const became: unknown = await explain().catch((error: unknown) => error);
      const runs = typeof became === 'string' && became.startsWith(stillRuns);
      if (hangs || !runs || performance.now() > until) return became;
      await sleep(500, undefined, { ...(signal && { signal }) });
    }
  }
  return {
    name,
    prepare: (plan, signal) => ask(undefined, 'POST', '/prepare', signal, plan),
    fire: (atMs, signal) => ask(undefined, 'POST', '/fire', signal, { atMs }),
    frames: (after, signal) => ask(framesAnswer, 'GET', `/frames?after=${after}`, signal),
    rate: (stream, ratePerSecond, overMs, signal) =>
      ask(undefined, 'POST', '/rate', signal, { stream, ratePerSecond, overMs }),
    stop: (signal) => ask(undefined, 'POST', '/stop', signal, {}, AGAIN),
    end: (signal) => ask(endAnswer, 'GET', '/end', signal),
    async clock(nowMs, signal) {
      let best = { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };
      for (let sample = 0; sample < CLOCK_SAMPLES; sample++) {
        const before = nowMs();
        const { nowMs: agentMs } = await ask(clockAnswer, 'GET', '/clock', signal);
        const after = nowMs();
        // The answer was made somewhere between: its middle is the guess, half the round trip the error.
        const errorMs = (after - before) / 2;
        if (errorMs < best.errorMs) best = { offsetMs: (before + after) / 2 - agentMs, errorMs };
      }
      return best;
    },
  };
}

function whatIsWrong(became: unknown, last: unknown, request: string): string {
  if (typeof became === 'string') return became;
  if (last instanceof AgentRefusal) return last.message;
  const away = awayInWords(became) ?? awayInWords(last);
  return away === undefined ? `${request} failed: ${messageOf(last)}` : `it cannot be asked: ${away}.`;
}

/** An answer of the agent's own, with what it refuses; `method` and `path` say nothing to who reads it. */
class AgentRefusal extends Error {}

const refusalSchema = z.strictObject({ message: z.string() });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refused(answer: Answer): Error {
  // The agent's is {message}; the API server's own, about a pod that it cannot reach, are Status objects or plain text.
  const own = refusalSchema.safeParse(parsed(answer.text));
  return own.success ? new AgentRefusal(own.data.message) : toApiError(answer);
}

/** Above the time that the slowest answer took, ms. */
const FIRE_LEAD_MS = 100;

/**
 * Agents that share a schedule begin at one instant, ± the error of their clocks, so that their sum is as even as one. One
 * that shares it with nobody begins at once.
 */
export async function fireTogether(
  clients: readonly AgentClient[],
  nowMs: () => number,
  signal?: AbortSignal,
): Promise<void> {
  const [only, ...others] = clients;
  if (only && others.length === 0) {
    await only.fire(0, signal);
    return;
  }
  const offsets: number[] = [];
  let worstErrorMs = 0;
  for (const client of clients) {
    const { offsetMs, errorMs } = await client.clock(nowMs, signal);
    offsets.push(offsetMs);
    worstErrorMs = Math.max(worstErrorMs, errorMs);
  }
  const atMs = nowMs() + FIRE_LEAD_MS + 4 * worstErrorMs;
  await Promise.all(clients.map((client, index) => client.fire(atMs - (offsets[index] ?? 0), signal)));
}

/** The control channel to an agent pod. */
export const agentInPod = (kube: Kube, namespace: string, pod: string, port: number): AgentClient =>
  createAgentClient(
    pod,
    (method, path, body, { timeoutMs, signal }) =>
      kube.raw(method, podProxyPath(namespace, pod, port, path), {
        body,
        timeoutMs,
        ...(signal && { signal }),
      }),
    () => whatBecameOf(kube, namespace, pod),
  );

/** The control channel to an agent outside the cluster, on loopback. */
export const agentAt = (name: string, url: string): AgentClient =>
  createAgentClient(name, async (method, path, body, { timeoutMs, signal }) => {
    const limit = AbortSignal.timeout(timeoutMs);
    const answer = await fetch(new URL(path, url), {
      method,
      signal: signal ? AbortSignal.any([limit, signal]) : limit,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }),
    });
    return { status: answer.status, text: await answer.text() };
  });
