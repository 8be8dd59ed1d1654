// What the load agent counts and how it reports it: outcomes, phases, frames. Shared by agent, recorder and judge.
import { z } from 'zod';

/** How an attempt ended. Exactly one per attempt. An expected status is `ok`, whatever its class. */
export const outcomes = [
  'ok',
  'http3xx',
  'http4xx',
  'http5xx',
  'refused',
  'reset',
  'closed',
  'timeout',
  'unreachable',
  'dns',
  'tls',
  'protocol',
  'local',
  'aborted',
  'other',
  // HTTP/2 and gRPC. A refused stream was not touched by the server (RFC 9113 section 8.7), and still counts.
  'refused-stream',
  'stream-reset',
  'goaway-lost',
  'grpc-status',
  'missing-trailers',
  // Lane `stream`: each expected message is an attempt.
  'stream-cut',
  'stream-ended',
  'message-missing',
  'message-late',
] as const;
export type Outcome = (typeof outcomes)[number];

/**
 * Not lost: answered as expected; a message that came, but late; stopped by an interrupt; this machine's own limits
 * (decides validity instead).
 */
const notLost: ReadonlySet<Outcome> = new Set(['ok', 'message-late', 'aborted', 'local']);
export const isLost = (outcome: Outcome): boolean => !notLost.has(outcome);
export const lostOutcomes: readonly Outcome[] = outcomes.filter(isLost);

/** How far an attempt got before it ended. */
export const phases = ['connect', 'tls', 'first-byte', 'headers', 'body'] as const;
export type Phase = (typeof phases)[number];

/** What a time limit that was over is called, by how far the attempt got. */
export const timeoutCodes: Readonly<Record<Phase, string>> = {
  connect: 'CONNECT_TIMEOUT',
  tls: 'TLS_TIMEOUT',
  'first-byte': 'RESPONSE_TIMEOUT',
  headers: 'HEADERS_TIMEOUT',
  body: 'BODY_TIMEOUT',
};

/** One kind of client; lanes are never added up. */
export const lanes = ['new', 'kept', 'long', 'stream'] as const;
export type Lane = (typeof lanes)[number];

/** Lanes whose name alone is enough: HTTP/1.1 in plain text. */
export const plainLanes = ['new', 'kept', 'long'] as const satisfies readonly Lane[];

/** What is spoken on a lane's connections. Every one of them may go through TLS. */
export const protocols = ['http1', 'http2', 'grpc', 'websocket', 'sse', 'tcp'] as const;
export type Protocol = (typeof protocols)[number];

/** Lanes that each protocol has. */
export const lanesOfProtocol: Readonly<Record<Protocol, readonly Lane[]>> = {
  http1: plainLanes,
  http2: ['new', 'kept', 'long'],
  grpc: ['new', 'kept', 'long', 'stream'],
  websocket: ['new', 'stream'],
  sse: ['long', 'stream'],
  tcp: ['new', 'kept'],
};

/** TLS of a lane. `ca`, `cert` and `key` are PEM texts; `serverName` is asked for (SNI) and must be in the certificate. */
export const tlsOptionsSchema = z.strictObject({
  ca: z.string().optional(),
  insecure: z.boolean().default(false),
  serverName: z
    .string()
    .regex(/^[\w.:-]{1,253}$/, 'a host name')
    .optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
});

/**
 * No experiment lasts longer, ms (31 days): beyond it a time is a damaged digit. Times of the load's clock begin at 0;
 * what a target says about itself may be older than the load.
 */
export const timeLimitMs = 31 * 24 * 3600 * 1000;
/** A time of the load's clock or a length of time, ms. */
const ms = z.number().nonnegative().max(timeLimitMs);
const count = z.number().int().nonnegative();

export const outcomeCountsSchema = z.partialRecord(z.enum(outcomes), z.number().int().nonnegative());
export type OutcomeCounts = z.infer<typeof outcomeCountsSchema>;

/** A rate profile, open loop. Times in ms from the start of the load, rates in requests per second. */
export const rateProfileSchema = z.discriminatedUnion('shape', [
  z.object({ shape: z.literal('constant'), ratePerSecond: z.number() }),
  z.object({
    shape: z.literal('steps'),
    /** Each entry holds from its time until the next one's. The first is at 0. */
    steps: z.array(z.object({ atMs: z.number(), ratePerSecond: z.number() })).min(1),
  }),
  z.object({
    shape: z.literal('ramp'),
    /** Straight lines between the points; constant before the first and after the last. */
    points: z.array(z.object({ atMs: z.number(), ratePerSecond: z.number() })).min(1),
  }),
]);
export type RateProfile = z.infer<typeof rateProfileSchema>;

/** The highest rate of a profile. */
export function peakRate(profile: RateProfile): number {
  if (profile.shape === 'constant') return profile.ratePerSecond;
  const points = profile.shape === 'steps' ? profile.steps : profile.points;
  return Math.max(...points.map(({ ratePerSecond }) => ratePerSecond));
}

/** Requests per second and lane that an agent keeps to the millisecond (docs/load.md). */
export const rateBounds = { least: 0.1, most: 20_000 } as const;
/** Longest time that any field may say, ms: a day. A timer of Node.js holds 24 of them. */
export const longestMs = 86_400_000;

/** In a profile 0 is a pause. */
const rateInProfile = z
  .number()
  .max(rateBounds.most)
  .refine((rate) => rate === 0 || rate >= rateBounds.least, {
    error: ({ input }) => `must be 0 or at least ${rateBounds.least}, not ${input}`,
  });
const ratePoints = z
  .array(z.strictObject({ atMs: z.number().min(0).max(longestMs), ratePerSecond: rateInProfile }))
  .min(1)
  .max(1000)
  .superRefine((points, context) => {
    for (const [index, { atMs }] of points.entries()) {
      const before = points[index - 1]?.atMs;
      if (before !== undefined && atMs <= before)
        context.addIssue({
          code: 'custom',
          path: [index, 'atMs'],
          message: `must be more than the ${before} before it, not ${atMs}`,
        });
    }
    if (points.every(({ ratePerSecond }) => ratePerSecond === 0))
      context.addIssue({ code: 'custom', message: 'fires nothing: every rate in it is 0' });
  });

/** A rate profile as people write it: what cannot be fired exactly is refused. */
export const offeredRateSchema = z.discriminatedUnion('shape', [
  z.strictObject({
    shape: z.literal('constant'),
    ratePerSecond: z.number().min(rateBounds.least).max(rateBounds.most),
  }),
  z.strictObject({
    shape: z.literal('steps'),
    /** Each entry holds from its time until the next one's. The first is at 0. */
    steps: ratePoints.superRefine(([first], context) => {
      if (first && first.atMs !== 0)
        context.addIssue({
          code: 'custom',
          path: [0, 'atMs'],
          message: `must be 0, not ${first.atMs}: the first step says the rate at the beginning`,
        });
    }),
  }),
  z.strictObject({
    shape: z.literal('ramp'),
    /** Straight lines between the points; constant before the first and after the last. */
    points: ratePoints,
  }),
]);

/** One stream of load: a lane against a URL. `id` names it in frames: the line's id (line.ts), or "control". */
export const streamPlanSchema = z.object({
  id: z.string(),
  lane: z.enum(lanes),
  url: z.string(),
  method: z.string().default('GET'),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string().optional(),
  /** Statuses that count as `ok`; empty: 200 to 299. */
  expectStatus: z.array(z.number().int()).default([]),
  insecure: z.boolean().default(false),
  /** Absent: http1. A URL of a scheme with TLS is encrypted with or without `tls`. */
  protocol: z.enum(protocols).optional(),
  tls: tlsOptionsSchema.optional(),
  /** Where it comes in; absent: through the Service. */
  entry: z.string().optional(),
  /** Which Service it is for, where several are loaded at once. */
  service: z.string().optional(),
  /** gRPC: "package.Service/Method" and the message as base64 of its bytes. */
  grpc: z.object({ method: z.string(), message: z.string().default('') }).optional(),
  /** WebSocket and TCP: what is sent and comes back. */
  message: z.string().optional(),
  /** Lane `stream`, where the server sends by itself: a message each rate-th part of a second, or at its own pace. */
  stream: z
    .object({
      /** `echo`: each message of ours comes back. `push`: one comes per interval. `open`: the stream must be there. */
      expect: z.enum(['echo', 'push', 'open']).default('push'),
      /** A message that comes later than this is late, ms. */
      lateMs: z.number().positive().default(1000),
    })
    .optional(),
  /** HTTP/2 and gRPC, lane `kept`: requests at a time on one connection; absent: 1. */
  streamsPerConnection: z.number().int().positive().optional(),
  /** Each request says in X-Request-Id who it is: this prefix, a dot and its number in the stream, nine digits. */
  requestIds: z.string().max(64).optional(),
  rate: rateProfileSchema,
  /**
   * Lane `kept`: number of connections, used in turn. Lane `stream`: number of streams. Lanes `new` and `long`: slots,
   * at least rate × timeout.
   */
  connections: z.number().int().positive(),
  timeoutMs: z.number().positive(),
  /** Upper bound on the schedule, in ms; the harness normally stops it earlier. */
  maxDurationMs: z.number().positive(),
  /** Share of the schedule that this agent fires when several agents split it: arrivals k with k % of = index. */
  split: z.object({ index: z.number().int(), of: z.number().int().positive() }).default({ index: 0, of: 1 }),
});
export type StreamPlan = z.infer<typeof streamPlanSchema>;

/** Ports that only the agent uses, both ends included: of a network namespace of its own. */
export const sourcePortsSchema = z.object({
  from: z.number().int().min(1024).max(65_535),
  to: z.number().int().min(1024).max(65_535),
});
export type SourcePortRange = z.infer<typeof sourcePortsSchema>;

export const agentPlanSchema = z.object({
  runId: z.string(),
  streams: z.array(streamPlanSchema).min(1),
  /** Names the response header in which the target says which pod answered. */
  podHeader: z.string().default('x-rollproof-pod'),
  /** Before anything counts, each stream's URL must answer once within this time, ms; 0: not asked. */
  preflightMs: z.number().nonnegative().default(0),
  /** Bind each new connection to a port of this range, in turn; absent: the kernel chooses (load/source-ports.ts). */
  sourcePorts: sourcePortsSchema.optional(),
  /** Between two frames, ms; absent: 200. The event loop is looked at ten times as often. */
  frameMs: z.number().int().min(100).max(1000).optional(),
});
export type AgentPlan = z.infer<typeof agentPlanSchema>;

/** `ready`: it has a plan that can be fired; `draining`: nothing new becomes due. */
export const agentStates = ['idle', 'ready', 'running', 'draining', 'ended'] as const;
export type AgentState = (typeof agentStates)[number];

/** One lost attempt. Times in ms of the agent's clock since the load's start (see StreamEnd.t0). */
export const failureSchema = z.object({
  dueMs: ms,
  startMs: ms,
  endMs: ms,
  outcome: z.enum(outcomes),
  phase: z.enum(phases),
  /** Error code of the system or a name of ours ("FIN", "RESPONSE_TIMEOUT", "503"). */
  code: z.string(),
  reused: z.boolean(),
  /** A FIN or RST that crossed a request on an idle kept connection: reused, no byte received. */
  race: z.boolean(),
  bytes: count,
  status: count.optional(),
  /** Number of the connection (1 is the first opened by the stream) and which request on it (1 is the first). */
  connection: count,
  nth: count,
  /** The connection's own port, and when it was opened (of a kept one: before this attempt); where they are known. */
  localPort: z.number().int().min(1).max(65_535).optional(),
  openedMs: ms.optional(),
  /** The pod that was asked, where it can be known, and how it is known. */
  pod: z.string().optional(),
  podKnownBy: z.enum(['answer', 'previous-answer', 'route']).optional(),
  /** Its number in the stream, as its request id says (streamPlanSchema.requestIds). */
  sequence: count.optional(),
});
export type Failure = z.infer<typeof failureSchema>;

/** Width of a bucket, ms. */
export const BUCKET_MS = 100;

/** Counts of one 100 ms bucket, by due time. In a frame they are increments: the same index may come again. */
export const bucketSchema = z.object({
  /** Bucket number: floor(dueMs / 100). */
  i: z
    .number()
    .int()
    .nonnegative()
    .max(timeLimitMs / BUCKET_MS),
  sent: z.number().int().nonnegative().default(0),
  shed: z.number().int().nonnegative().default(0),
  outcomes: outcomeCountsSchema.default({}),
  /** Answers per pod, where answers say which. */
  pods: z.record(z.string(), count).optional(),
  /** Slowest answer (from the due time), ms. */
  maxMs: ms.default(0),
});
export type Bucket = z.infer<typeof bucketSchema>;

/** A maximal run of lost attempts in order of due time: from the first lost one's due time to the next success's. */
export const lostIntervalSchema = z.object({
  startMs: ms,
  /** Due time of the next success; null when none came before the end of the load. */
  endMs: ms.nullable(),
  lost: z.number().int().positive(),
});
export type LostInterval = z.infer<typeof lostIntervalSchema>;

/** How a stream of lane `stream` ended: `held` are those that the end of the load closed. */
export const streamEnds = ['cut', 'ended', 'silent', 'protocol', 'held'] as const;

/** The life of one stream of lane `stream` that has ended. Times in ms of the load's clock. */
export const streamLifeSchema = z.object({
  /** Which of the lane's streams, from 0: its next life has the same number. */
  stream: count,
  openedMs: ms,
  endedMs: ms,
  end: z.enum(streamEnds),
  /** "FIN", "ECONNRESET", a close code, a gRPC status, "GOAWAY" … */
  code: z.string(),
  pod: z.string().optional(),
  messages: count,
  /** From the end until the stream was open again; null: not before the end of the load. */
  backMs: ms.nullable(),
});
export type StreamLife = z.infer<typeof streamLifeSchema>;

export const streamDeltaSchema = z.object({
  buckets: z.array(bucketSchema).default([]),
  failures: z.array(failureSchema).default([]),
  intervals: z.array(lostIntervalSchema).default([]),
  /** Lane `stream` only. */
  lives: z.array(streamLifeSchema).optional(),
});
export type StreamDelta = z.infer<typeof streamDeltaSchema>;

/** What a target said about itself, stamped on receipt by the agent (ms of the agent's clock since load start). */
export const targetPhaseSchema = z.object({
  tMs: z.number().min(-timeLimitMs).max(timeLimitMs),
  pod: z.string(),
  /** `gone`: the link ended without `closed`: the process was killed or crashed. */
  phase: z.enum(['starting', 'listening', 'unready', 'sigterm', 'closed', 'gone']),
  version: z.string().optional(),
});
export type TargetPhase = z.infer<typeof targetPhaseSchema>;

/** The agent's own health over the frame's time. Lag and delay in ms, CPU as a share of one core (0 to 1 and above). */
export const agentHealthSchema = z.object({
  sendLagP99Ms: ms,
  sendLagMaxMs: ms,
  eventLoopP99Ms: z.number().nonnegative(),
  cpuShare: z.number().nonnegative(),
  rssBytes: z.number().nonnegative(),
});
export type AgentHealth = z.infer<typeof agentHealthSchema>;

/** What the target's pods received since the last frame, by prefix of the request ids. */
export const deliveriesSchema = z.record(
  z.string(),
  z.object({
    received: count,
    /** Numbers of requests that a pod had received before: once for each time that they came again. */
    again: z.array(count),
  }),
);
export type Deliveries = z.infer<typeof deliveriesSchema>;

/** One numbered frame of the agent's bounded spool. Numbers start at 1; a missing number is a gap. */
export const frameSchema = z.object({
  seq: z.number().int().positive(),
  atMs: ms,
  streams: z.record(z.string(), streamDeltaSchema),
  phases: z.array(targetPhaseSchema).default([]),
  health: agentHealthSchema.optional(),
  deliveries: deliveriesSchema.optional(),
});
export type Frame = z.infer<typeof frameSchema>;

export const percentilesSchema = z.object({
  p50: ms,
  p90: ms,
  p99: ms,
  p999: ms,
  max: ms,
});
export type Percentiles = z.infer<typeof percentilesSchema>;

/** Begins the names of counters that say how many connections were shown a certificate; each has its own. */
export const certificateCounter = 'certificate ';

/** Totals of one stream when every attempt has ended. */
export const streamEndSchema = z.object({
  stream: z.string(),
  lane: z.enum(lanes),
  scheduled: count,
  attempts: count,
  shed: count,
  inFlight: count,
  outcomes: outcomeCountsSchema,
  races: count,
  /** Failed attempts by "outcome/phase/new|reused". */
  phases: z.record(z.string(), count),
  failuresListed: count,
  failuresDropped: count,
  connectionsOpened: count,
  /** What a protocol counts beside outcomes, by name (docs/protocols.md); added up over agents. */
  counters: z.record(z.string(), count).optional(),
  durationMs: ms,
  latencyMs: percentilesSchema,
  serviceMs: percentilesSchema,
  sendLagMs: percentilesSchema,
  /** HdrHistograms (V2, compressed, base64; µs) so that many agents merge exactly. */
  histograms: z.object({ latency: z.string(), service: z.string(), sendLag: z.string() }).optional(),
  /** Identities that did not hold, as sentences. Anything here makes the experiment `faulted`. */
  brokenIdentities: z.array(z.string()),
});
export type StreamEnd = z.infer<typeof streamEndSchema>;
