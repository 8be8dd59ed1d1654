// The load agent: fires the streams of one plan, and lets the harness start it, pull numbered frames, change rates and
// stop it over HTTP. It runs where clients run, as a pod or a process; docs/load.md lists its addresses.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { z } from 'zod';
import { RollproofError } from '../model/errors.ts';
import {
  type AgentHealth,
  type AgentPlan,
  type AgentState,
  agentPlanSchema,
  type StreamEnd,
  type TargetPhase,
} from '../model/load.ts';
import { Meter } from './meter.ts';
import { PhaseLink } from './phase-link.ts';
import { preflight } from './preflight.ts';
import { Routes } from './routes.ts';
import { SourcePorts } from './source-ports.ts';
import { Spool } from './spool.ts';

interface AgentOptions {
  /** 0: a free port. */
  readonly port: number;
  readonly phasePort: number;
  /** Address to listen on; undefined: all. */
  readonly host?: string | undefined;
  /** Endpoint table to follow (routes.ts). */
  readonly routesUrl?: string | undefined;
  /** Monotonic, ms. */
  readonly clock?: () => number;
  readonly random?: () => number;
}

interface RunningAgent {
  readonly port: number;
  readonly phasePort: number;
  /** Since the last request to the control server, ms. */
  idleMs(): number;
  close(): Promise<void>;
}

/** Unless the plan says otherwise. */
const usualFrameMs = 200;
const memoryEveryMs = 1000;
const bodyLimitBytes = 4 * 1024 * 1024;
const firstRoutesMs = 5000;
/** A start is agreed on a moment ahead, no longer. */
const fireLeadLimitMs = 10_000;

export async function runAgent(options: AgentOptions): Promise<RunningAgent> {
  const agent = new Agent(options);
  return agent.listen();
}

/** An answer that is not the wanted one: HTTP status and a sentence. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const fireSchema = z.object({ atMs: z.number() });

const rateSchema = z.object({
  stream: z.string(),
  ratePerSecond: z.number().nonnegative().max(100_000),
  overMs: z.number().nonnegative().default(0),
});

class Agent {
  readonly #options: AgentOptions;
  readonly #clock: () => number;
  readonly #server: Server;
  readonly #phases: PhaseLink;
  readonly #routes: Routes | undefined;
  readonly #spool = new Spool();
  #meters: Meter[] = [];
  #frameMs = usualFrameMs;
  #ends: StreamEnd[] | undefined;
  /** A run that cannot be ended rightly: said by /frames and /end. */
  #fault: Error | undefined;
  /** A plan was taken, and the start of its schedule was asked for. */
  #taken = false;
  #fired = false;
  #fireTimer: NodeJS.Timeout | undefined;
  #cancelFire: () => void = () => {};
  /** Told to stop before it fired. */
  #stopped = false;
  #askedAt: number;
  #t0: number | undefined;
  #frameTimer: NodeJS.Timeout | undefined;
  #delay: IntervalHistogram | undefined;
  #usage = { cpuMs: 0, atMs: 0 };
  #memory = { rssBytes: 0, atMs: Number.NEGATIVE_INFINITY };

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#phases = new PhaseLink(this.#clock);
    this.#routes = options.routesUrl ? new Routes(options.routesUrl, options.random) : undefined;
    this.#askedAt = this.#clock();
    this.#server = createServer((request, response) => {
      // A kubelet that probes says nothing about who wants the load.
      if (request.url !== '/healthz') this.#askedAt = this.#clock();
      // Nobody reads the date, and Node.js wakes up at each second's end to keep it.
      response.sendDate = false;
      this.#answer(request, response).catch((error: unknown) => refuse(response, error));
    });
  }

  async listen(): Promise<RunningAgent> {
    const { port, host } = this.#options;
    const phasePort = await this.#phases.listen(this.#options.phasePort, host);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host }, resolve);
    });
    const address = this.#server.address();
    return {
      port: typeof address === 'object' && address ? address.port : port,
      phasePort,
      idleMs: () => this.#clock() - this.#askedAt,
      close: () => this.#close(),
    };
  }

  async #close(): Promise<void> {
    clearTimeout(this.#fireTimer);
    clearInterval(this.#frameTimer);
    this.#delay?.disable();
    for (const meter of this.#meters) meter.abort();
    await Promise.allSettled(this.#meters.map((meter) => meter.ended));
    // The end of the load has started its own timer meanwhile.
    clearInterval(this.#frameTimer);
    this.#routes?.close();
    this.#phases.close();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://agent');
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /healthz':
        send(response, 200, { ok: true });
        return;
      case 'GET /clock':
        // Ms since the load's start, the clock of all frames; before the start, ms since the process began.
        send(response, 200, {
          nowMs: this.#now(),
          since: this.#t0 === undefined ? 'process' : 'load',
          // The node's: what its kernel stamps is read by it.
          wallMs: Date.now(),
        });
        return;
      case 'POST /start':
        await this.#prepare(await jsonBody(request, agentPlanSchema));
        await this.#fireAt(this.#clock());
        send(response, 200, { state: this.#state });
        return;
      case 'POST /prepare':
        await this.#prepare(await jsonBody(request, agentPlanSchema));
        send(response, 200, { state: this.#state });
        return;
      case 'POST /fire':
        await this.#fireAt((await jsonBody(request, fireSchema)).atMs);
        send(response, 200, { state: this.#state });
        return;
      case 'GET /frames':
        this.#sendFrames(response, url.searchParams.get('after'));
        return;
      case 'POST /rate':
        this.#setRate(await jsonBody(request, rateSchema));
        send(response, 200, {});
        return;
      case 'POST /stop':
        this.#stop();
        send(response, 200, { state: this.#state });
        return;
      case 'GET /end':
        if (!this.#ends)
          throw this.#fault ?? new Refusal(409, `The load has not ended: it is ${this.#state}.`);
        send(response, 200, { ends: this.#ends, lastSeq: this.#spool.nextSeq - 1 });
        return;
      default:
        throw new Refusal(404, `The load agent has no ${request.method} ${url.pathname}.`);
    }
  }

  get #state(): AgentState {
    if (this.#t0 === undefined) return this.#meters.length > 0 ? 'ready' : 'idle';
    if (this.#ends || this.#fault) return 'ended';
    return this.#meters.some((meter) => meter.state === 'running') ? 'running' : 'draining';
  }

  #now(): number {
    return this.#clock() - (this.#t0 ?? 0);
  }

  /** Everything but the start itself: what can be wrong with a plan or the way to its targets is found here. */
  async #prepare(plan: AgentPlan): Promise<void> {
    if (this.#stopped) throw new Refusal(409, 'The load was stopped before it began.');
    if (this.#taken) throw new Refusal(409, `A load was already taken: it is ${this.#state}.`);
    const ids = plan.streams.map((stream) => stream.id);
    if (new Set(ids).size < ids.length)
      throw new Refusal(400, `Two streams of the plan have one id: ${ids.join(', ')}.`);
    this.#taken = true;
    try {
      if (this.#routes && !(await this.#routes.ready(firstRoutesMs))) {
        throw new Refusal(
          503,
          `No endpoint table came from ${this.#options.routesUrl} within ${firstRoutesMs} ms${this.#routes.problem ? `; what came is none (${this.#routes.problem})` : ''}.`,
        );
      }
      if (plan.preflightMs > 0) {
        await Promise.all(plan.streams.map((stream) => this.#reach(stream, plan.preflightMs)));
      }
      const sourcePorts =
        plan.sourcePorts && new SourcePorts(plan.sourcePorts, this.#listensOn(), this.#clock);
      this.#frameMs = plan.frameMs ?? usualFrameMs;
      this.#meters = plan.streams.map(
        (stream) =>
          new Meter({
            plan: stream,
            podHeader: plan.podHeader,
            clock: this.#clock,
            route: this.#routeOf(stream),
            sourcePorts,
          }),
      );
    } catch (error) {
      this.#taken = false;
      throw error;
    }
  }

  #listensOn(): number[] {
    const address = this.#server.address();
    return [
      this.#options.phasePort,
      this.#options.port,
      ...(typeof address === 'object' && address ? [address.port] : []),
    ];
  }

  /** `atMs`: of this process's clock, so that several agents begin together; past: now. Resolves when it has begun. */
  async #fireAt(atMs: number): Promise<void> {
    if (this.#stopped) throw new Refusal(409, 'The load was stopped before it began.');
    if (this.#state !== 'ready' || this.#fired)
      throw new Refusal(409, `The load cannot be fired: it is ${this.#fired ? 'fired' : this.#state}.`);
    const leadMs = atMs - this.#clock();
    if (leadMs > fireLeadLimitMs)
      throw new Refusal(
        400,
        `/fire: atMs is ${Math.round(leadMs)} ms ahead; the limit is ${fireLeadLimitMs}.`,
      );
    this.#fired = true;
    if (leadMs > 0) {
      await new Promise<void>((resolve) => {
        this.#cancelFire = resolve;
        this.#fireTimer = setTimeout(resolve, leadMs);
      });
    }
    if (this.#stopped) throw new Refusal(409, 'The load was stopped before it began.');
    this.#fire(leadMs > 0 ? atMs : this.#clock());
  }

  /** Also before the load has begun: then it never does. */
  #stop(): void {
    if (this.#t0 === undefined) {
      this.#stopped = true;
      clearTimeout(this.#fireTimer);
      this.#cancelFire();
      return;
    }
    for (const meter of this.#meters) meter.stop();
  }

  #routeOf(stream: AgentPlan['streams'][number]) {
    const { hostname, port, protocol } = new URL(stream.url);
    const host = hostname.replace(/^\[|\]$/g, '');
    return this.#routes?.of(host, Number(port) || (protocol === 'https:' ? 443 : 80));
  }

  /** The way to the target must work before anything counts; a closed loop on a dead port is not a measurement. */
  async #reach(stream: AgentPlan['streams'][number], limitMs: number): Promise<void> {
    const route = () => {
      const pick = this.#routeOf(stream);
      return pick && (pick() ?? ('none' as const));
    };
    const problem = await preflight(stream, { limitMs, route });
    if (problem === undefined) return;
    throw new Refusal(
      503,
      `Stream ${stream.id}: nothing answered at its URL within ${limitMs} ms: ${problem}.`,
    );
  }

  #fire(t0: number): void {
    const meters = this.#meters;
    this.#delay = monitorEventLoopDelay({ resolution: this.#frameMs / 10 });
    this.#delay.enable();
    this.#t0 = t0;
    this.#usage = { cpuMs: cpuMs(), atMs: t0 };
    for (const meter of meters) meter.start(t0);
    this.#frameTimer = setInterval(() => this.#frame(), this.#frameMs);
    Promise.all(meters.map((meter) => meter.ended)).then(
      (ends) => {
        this.#stopFrames();
        this.#ends = ends;
      },
      (error: unknown) => {
        this.#stopFrames();
        this.#fault = error instanceof Error ? error : new Error(String(error));
      },
    );
  }

  #stopFrames(): void {
    clearInterval(this.#frameTimer);
    this.#frame();
    this.#delay?.disable();
    // Targets may still be going: their phases are carried in frames as long as somebody pulls.
    this.#frameTimer = setInterval(() => {
      const phases = this.#takePhases();
      const deliveries = this.#phases.deliveries.take();
      if (phases.length > 0 || deliveries)
        this.#spool.add({ atMs: this.#now(), streams: {}, phases, ...(deliveries && { deliveries }) });
    }, this.#frameMs);
  }

  #frame(): void {
    const deliveries = this.#phases.deliveries.take();
    this.#spool.add({
      atMs: this.#now(),
      streams: Object.fromEntries(this.#meters.map((meter) => [meter.plan.id, meter.drain()])),
      phases: this.#takePhases(),
      health: this.#health(),
      ...(deliveries && { deliveries }),
    });
  }

  #takePhases(): TargetPhase[] {
    const t0 = this.#t0 ?? 0;
    return this.#phases.take().map(({ atMs, ...phase }) => ({ ...phase, tMs: atMs - t0 }));
  }

  #health(): AgentHealth {
    const lags = this.#meters.map((meter) => meter.takeLag());
    const now = this.#clock();
    const used = cpuMs();
    const cpuShare = (used - this.#usage.cpuMs) / Math.max(1, now - this.#usage.atMs);
    this.#usage = { cpuMs: used, atMs: now };
    const delayP99Ns = this.#delay?.percentile(99) ?? 0;
    this.#delay?.reset();
    return {
      sendLagP99Ms: Math.max(0, ...lags.map((lag) => lag.p99Ms)),
      sendLagMaxMs: Math.max(0, ...lags.map((lag) => lag.maxMs)),
      eventLoopP99Ms: delayP99Ns / 1e6,
      cpuShare,
      rssBytes: this.#rssBytes(now),
    };
  }

  /** Reading it opens a file: once a second. */
  #rssBytes(now: number): number {
    if (now - this.#memory.atMs >= memoryEveryMs)
      this.#memory = { rssBytes: process.memoryUsage.rss(), atMs: now };
    return this.#memory.rssBytes;
  }

  #sendFrames(response: ServerResponse, afterText: string | null): void {
    const after = Number(afterText ?? 0);
    if (!Number.isInteger(after) || after < 0)
      throw new Refusal(400, `/frames: after is "${afterText}", not a number.`);
    if (this.#fault) throw this.#fault;
    const frames = this.#spool.pull(after);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      `{"frames":[${frames.join(',')}],"state":"${this.#state}","nextSeq":${this.#spool.nextSeq}}`,
    );
  }

  #setRate({ stream, ratePerSecond, overMs }: z.infer<typeof rateSchema>): void {
    const meter = this.#meters.find((one) => one.plan.id === stream);
    if (!meter) {
      const there = this.#meters.map((one) => one.plan.id).join(', ') || 'none';
      throw new Refusal(404, `The load has no stream "${stream}"; there are: ${there}.`);
    }
    if (meter.closedLoop) throw new Refusal(400, `Stream "${stream}" is a closed loop: it has no rate.`);
    meter.setRate(ratePerSecond, overMs);
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function jsonBody<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyLimitBytes) throw new Refusal(413, `The request has more than ${bodyLimitBytes} bytes.`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Refusal(400, `${request.url}: the body is not JSON.`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
    throw new Refusal(400, `${request.url}: ${issues.join('; ')}.`);
  }
  return parsed.data;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function refuse(response: ServerResponse, error: unknown): void {
  const status =
    error instanceof Refusal
      ? error.status
      : error instanceof RollproofError && error.exitCode === 4
        ? 400
        : 500;
  if (!response.headersSent)
    send(response, status, { message: error instanceof Error ? error.message : String(error) });
  else response.destroy();
}
