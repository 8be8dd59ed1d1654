// Load: from the agents' plans to frames in the journal, and its end, in order or not.
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentClient, AgentError, fireTogether } from '../../control/agent-client.ts';
import { type FramePuller, framePuller, type Pulling } from '../../control/frame-puller.ts';
import { NoAnswerError } from '../../kube/api-error.ts';
import { FaultError, InterruptedError, messageOf } from '../../model/errors.ts';
import { type Lifetime, withinLimit } from '../../model/lifetime.ts';
import { type ByLine, type LineId, linesNamed } from '../../model/line.ts';
import { type AgentPlan, type Frame, isLost, type Outcome, type StreamEnd } from '../../model/load.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import type { ProgressEvent } from './context.ts';
import { controlStream } from './load-plan.ts';

export interface Firing {
  readonly clients: readonly AgentClient[];
  /** Streams at the target, by agent. */
  readonly streams: readonly (readonly string[])[];
  /** Of the target so far, by lane. */
  readonly lost: ByLine<number>;
  /** Totals, once the load has ended. */
  readonly ends: StreamEnd[];
  /** performance.now() of the last frame that carried a loss of the target. */
  readonly lastLossAt: number;
  loadMs(): number;
  /**
   * Resolves when every agent fires. Whatever fails midway, and whatever comes later: each is told to stop at the end of
   * the lifetime. `alsoFire`: called when the agents have begun.
   */
  start(alsoFire: () => Promise<void>): Promise<void>;
  compareClocks(signal: AbortSignal): Promise<void>;
  /** No attempt starts any more; those in flight are awaited to their own timeout, then the totals are read. */
  end(signal: AbortSignal): Promise<void>;
}

interface FireRequest {
  readonly clients: readonly AgentClient[];
  /** One for each client. */
  readonly plans: readonly AgentPlan[];
  readonly journal: JournalWriter;
  readonly life: Lifetime;
  /** How long an agent is asked again that does not answer, ms; default: the control channel's own tries. */
  readonly pulling?: Pulling;
  readonly progress: (event: Omit<ProgressEvent, 'experiment' | 'doing' | 'limitMs'>) => void;
}

/** Beyond what an attempt may take: how long an agent that was told to stop may need to say so. */
const DRAIN_LIMIT_MS = 15_000;
/** What an end that was not planned waits for: Ctrl-C is pressed again after a few seconds, and who is dead says nothing. */
const ABANDON_LIMIT_MS = { interrupted: 800, silent: 2_000, otherwise: DRAIN_LIMIT_MS };

export const loadOf = (request: FireRequest): Firing => new Load(request);

class Load implements Firing {
  readonly clients: readonly AgentClient[];
  readonly streams: readonly (readonly string[])[];
  readonly lost: Record<LineId, number> = {};
  readonly ends: StreamEnd[] = [];
  lastLossAt = 0;
  readonly #request: FireRequest;
  readonly #pullers: readonly FramePuller[];
  #startedAt = performance.now();
  readonly #drainLimitMs: number;
  #toldToStop = false;
  /** Agents whose totals are in the journal. */
  readonly #ended = new Set<AgentClient>();
  readonly #pulled = new Map<FramePuller, Promise<void>>();
  #stoppedAt: number | undefined;
  #stage: 'prepared' | 'firing' | 'ended' = 'prepared';

  constructor(request: FireRequest) {
    this.#request = request;
    this.clients = request.clients;
    this.streams = request.plans.map((plan) =>
      plan.streams.map((stream) => stream.id).filter((id) => id !== controlStream),
    );
    this.#drainLimitMs =
      DRAIN_LIMIT_MS +
      Math.max(0, ...request.plans.flatMap((plan) => plan.streams.map((stream) => stream.timeoutMs)));
    this.#pullers = request.clients.map((client) =>
      framePuller(
        client,
        {
          frame: (agent, frame) => this.#take(agent, frame),
          gap: (agent, fromSeq, toSeq) => {
            request.journal.write({ type: 'frame-gap', agent, fromSeq, toSeq });
            request.life.fail(
              new FaultError(
                `Frames ${fromSeq} to ${toSeq} of load agent ${agent} were lost: its counts are incomplete.`,
              ),
            );
          },
        },
        request.pulling,
      ),
    );
  }

  async start(alsoFire: () => Promise<void>): Promise<void> {
    const { clients, plans, journal, life } = this.#request;
    const { signal } = life;
    // Registered before the first agent hears of a plan.
    life.defer('stop the load', () => this.#abandon(signal.reason));
    await life.run('give the plan to the load agents', () =>
      Promise.all(clients.map((client, index) => client.prepare(plans[index] as AgentPlan, signal))),
    );
    this.#startedAt = performance.now();
    await life.run('fire', () => fireTogether(clients, () => journal.nowMs(), signal));
    this.#stage = 'firing';
    await alsoFire();
    for (const { name } of clients) journal.write({ type: 'load', agent: name, event: 'started' });
    for (const puller of this.#pullers) {
      life.meanwhile(`pull frames of load agent ${puller.agent.name}`, () => {
        const pulled = puller.untilEnded(signal);
        this.#pulled.set(puller, pulled);
        return pulled;
      });
    }
    await life.run('compare clocks', () => measureClocks(clients, journal, signal));
  }

  compareClocks(signal: AbortSignal): Promise<void> {
    return measureClocks(this.clients, this.#request.journal, signal);
  }

  loadMs(): number {
    return (this.#stoppedAt ?? performance.now()) - this.#startedAt;
  }

  async end(signal: AbortSignal): Promise<void> {
    this.#stopping();
    await Promise.all(this.clients.map((client) => client.stop(signal)));
    await withinLimit(
      () => Promise.all(this.#pulled.values()),
      this.#drainLimitMs,
      new FaultError(
        `The load agents did not end within ${this.#drainLimitMs / 1000} s after they were told to stop.`,
      ),
    );
    await this.#total(signal);
  }

  /** Said once, also where an end in order fails and the load is abandoned after it. */
  #stopping(): void {
    if (this.#toldToStop) return;
    this.#toldToStop = true;
    const { journal } = this.#request;
    for (const { name } of this.clients) journal.write({ type: 'load', agent: name, event: 'stopping' });
  }

  async #total(signal: AbortSignal): Promise<void> {
    const { journal } = this.#request;
    this.#stoppedAt ??= performance.now();
    await measureClocks(this.clients, journal, signal);
    await Promise.all(
      this.clients.map(async (client) => {
        if (this.#ended.has(client)) return;
        const { ends } = await client.end(signal);
        this.#ended.add(client);
        this.ends.push(...ends);
        for (const end of ends) journal.write({ type: 'stream-end', agent: client.name, end });
        journal.write({ type: 'load', agent: client.name, event: 'ended' });
      }),
    );
    this.#stage = 'ended';
  }

  /** After a fault or an interrupt: every agent is told to stop, and what they can still say is kept. */
  async #abandon(why: unknown): Promise<void> {
    if (this.#stage === 'ended') return;
    const { journal } = this.#request;
    const limitMs =
      why instanceof InterruptedError
        ? ABANDON_LIMIT_MS.interrupted
        : why instanceof AgentError || why instanceof NoAnswerError
          ? ABANDON_LIMIT_MS.silent
          : ABANDON_LIMIT_MS.otherwise;
    try {
      await withinLimit(
        (signal) => this.#stopEach(signal),
        limitMs,
        new FaultError('the load agents did not answer in time'),
      );
    } catch (error) {
      journal.write({
        type: 'note',
        level: 'warning',
        text: `The load could not be ended in order: ${messageOf(error)}`,
      });
    } finally {
      this.#stoppedAt ??= performance.now();
    }
  }

  async #stopEach(signal: AbortSignal): Promise<void> {
    this.#stopping();
    // One that does not answer must not keep the others from hearing it.
    const stops = await Promise.allSettled(this.clients.map((client) => client.stop(signal)));
    const failed = stops.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
    if (this.#stage === 'prepared') return;
    await Promise.all(this.#pullers.map((puller) => puller.untilEnded(signal)));
    await this.#total(signal);
  }

  #take(agent: string, frame: Frame): void {
    const { journal, progress } = this.#request;
    journal.write({ type: 'frame', agent, frame });
    for (const [stream, delta] of Object.entries(frame.streams)) {
      if (stream === controlStream) continue;
      const lost = delta.buckets.reduce((sum, bucket) => sum + lostOf(bucket.outcomes), 0);
      this.lost[stream] = (this.lost[stream] ?? 0) + lost;
      if (lost > 0) this.lastLossAt = performance.now();
    }
    progress({ lost: { ...this.lost }, loadMs: this.loadMs() });
  }
}

/** Each agent knows the whole rate and fires its share of the arrivals. */
export async function changeRate(
  { clients, streams }: Firing,
  ratePerSecond: number,
  overMs: number,
  lane: LineId | undefined,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    clients.flatMap((client, index) =>
      (lane === undefined ? (streams[index] ?? []) : linesNamed(lane, streams[index] ?? [])).map((stream) =>
        client.rate(stream, ratePerSecond, overMs, signal),
      ),
    ),
  );
}

export const warmUp = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal });

async function measureClocks(
  clients: readonly AgentClient[],
  journal: JournalWriter,
  signal: AbortSignal,
): Promise<void> {
  for (const client of clients) {
    const { offsetMs, errorMs } = await client.clock(() => journal.nowMs(), signal);
    journal.write({ type: 'clock', agent: client.name, offsetMs, errorMs });
  }
}

const lostOf = (counts: Partial<Record<Outcome, number>>): number =>
  Object.entries(counts).reduce((sum, [outcome, count]) => sum + (isLost(outcome as Outcome) ? count : 0), 0);
