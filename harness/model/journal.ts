// The journal: everything recorded in one experiment, one JSON object per line. All verdicts and reports are pure
// functions of journals. Times `t` are ms of the harness's monotonic clock since the journal's start.
import { z } from 'zod';
import { accessLineSchema } from './access.ts';
import { crossCheckResultSchema } from './cross-check.ts';
import { measuredEntrySchema } from './entry.ts';
import { factsSchema } from './facts.ts';
import { agentPlanSchema, frameSchema, streamEndSchema, timeLimitMs } from './load.ts';
import { substitutedSchema } from './own-target.ts';
import { queueCountersSchema } from './queue.ts';
import { scenarioSchema, stepSchema } from './scenario.ts';

export const journalSchemaVersion = 1;

export const clusterInfoSchema = z.object({
  name: z.string(),
  kind: z.string(),
  kubernetesVersion: z.string(),
  emulated: z.boolean(),
  nodes: z.array(z.object({ name: z.string(), role: z.string() })),
  proxyMode: z.string(),
  /** Where agent and control target run, and whether steps may touch that node. */
  agentNode: z.string().optional(),
  notes: z.array(z.string()).default([]),
});
export type ClusterInfo = z.infer<typeof clusterInfoSchema>;

export const headerRecordSchema = z.object({
  type: z.literal('header'),
  schemaVersion: z.number().int(),
  tool: z.object({ name: z.string(), version: z.string(), commit: z.string().optional() }),
  runId: z.string(),
  startedAt: z.string(),
  seed: z.number().int(),
  scenario: scenarioSchema,
  profile: z.enum(['quick', 'full']),
  /** Its figures decide what was measured as much as its settings do: --resume compares them. */
  variant: z.object({
    name: z.string(),
    version: z.number(),
    settings: z.array(z.string()),
    preStopSeconds: z.number().optional(),
    minReadySeconds: z.number().optional(),
    maxSurge: z.number().optional(),
    stopMode: z.string().optional(),
    takesAway: z.array(z.string()).readonly().optional(),
  }),
  path: z.enum(['cluster-ip', 'node-port', 'outside']),
  /** Where load came in, side by side; absent: by `path` alone. */
  entries: z.array(measuredEntrySchema).optional(),
  agents: z.number().int().positive(),
  repeat: z.number().int().nonnegative(),
  /** By how much routing updates lagged from the start (--proxy-delay). */
  proxyDelayMs: z.number().nonnegative().optional(),
  cluster: clusterInfoSchema,
  target: z.object({
    builtIn: z.boolean(),
    workload: z.string(),
    service: z.string(),
    images: z.record(z.string(), z.string()),
    /** Of the target as it was given, secrets included: whether a later run measures the same. */
    digest: z.string().optional(),
  }),
  plan: agentPlanSchema,
  /** Manifests as applied, and the difference to the variant `baseline` as a unified diff of YAML. Redacted. */
  manifests: z.string(),
  settingsDiff: z.string(),
  /** Settings of the variant that changed nothing, and why. */
  unchanged: z.array(z.object({ setting: z.string(), why: z.string() })).optional(),
  /** What may stand still when somebody's manifests run, known before they do. */
  warnings: z.array(z.string()).optional(),
  /** What was changed of published manifests to run them, in order. */
  substitutions: z.array(substitutedSchema).optional(),
  /** Of one change that somebody else made, cut out of a longer load (`watch`). */
  episode: z
    .object({
      service: z.string(),
      /** From 1, in order of their begin, over all Services of the watch. */
      number: z.number().int().positive(),
      /** Where it begins on the clock of the agents' load, ms: times of the journal begin there. */
      fromLoadMs: z.number().nonnegative().max(timeLimitMs),
      /** What made it begin, in words. */
      trigger: z.string(),
      /** Of the pods behind the Service, innermost last: "Deployment web", "ReplicaSet web-5c9". */
      owners: z.array(z.string()).default([]),
    })
    .optional(),
  /** Effective configuration and arguments, redacted. */
  configuration: z.record(z.string(), z.unknown()),
  arguments: z.array(z.string()),
});
export type HeaderRecord = z.infer<typeof headerRecordSchema>;

/** ms of the harness's clock since the journal's start. */
const t = z.number().nonnegative().max(timeLimitMs);

/** How a connection was answered, as its tracking entry says: not (yet), by SYN-ACK, by RST. */
export const kernelAnswers = ['none', 'accepted', 'refused'] as const;
export type KernelAnswer = (typeof kernelAnswers)[number];
const index = z.number().int().nonnegative();

/**
 * Connections that a node's kernel tracked: to whom each was sent. One whose answer came after it was written is
 * written again. `lost`: entries between the record before and this one may be missing.
 */
export const witnessRecordSchema = z.object({
  type: z.literal('witness'),
  t,
  node: z.string(),
  by: z.enum(['events', 'table']),
  lost: z.boolean().default(false),
  /** Of the node's clock against the harness's, ms. */
  errorMs: t,
  /** Until then all had been read; where nothing said so it was read at `t`, as far as one can tell. */
  untilT: t.optional(),
  /** `began` of the connections counts from here. */
  sinceT: t,
  /** Where connections came from, which address they asked ("10.96.0.7:80"), and to which pod they were sent. */
  from: z.array(z.string()),
  to: z.array(z.string()),
  pods: z.array(z.string()),
  /** [source port, from, to, pod, began (ms), answer (see kernelAnswers), ms from there to the answer]. */
  connections: z.array(
    z.tuple([
      z.number().int().min(1).max(65_535),
      index,
      index,
      index,
      t,
      z
        .number()
        .int()
        .min(0)
        .max(kernelAnswers.length - 1),
      t,
    ]),
  ),
});

/** In the order in which they come. */
export const milestoneNames = [
  'ready-for-load',
  'change-began',
  'steps-done',
  'rollout-complete',
  'no-terminating',
  'quiet',
] as const;

export const journalRecordSchema = z.discriminatedUnion('type', [
  headerRecordSchema,
  /** agent's clock (ms since its load start) = t − offsetMs; both known to ± errorMs. */
  z.object({ type: z.literal('clock'), t, agent: z.string(), offsetMs: t, errorMs: t }),
  z.object({
    type: z.literal('load'),
    t,
    agent: z.string(),
    event: z.enum(['started', 'stopping', 'ended']),
  }),
  z.object({
    type: z.literal('step'),
    t,
    index: z.number().int().nonnegative(),
    event: z.enum(['begin', 'end', 'failed']),
    step: stepSchema,
    detail: z.record(z.string(), z.unknown()).optional(),
  }),
  z.object({
    type: z.literal('watch'),
    t,
    event: z.enum(['EXISTING', 'ADDED', 'MODIFIED', 'DELETED']),
    namespace: z.string(),
    name: z.string(),
    uid: z.string().optional(),
    resourceVersion: z.string().optional(),
    facts: factsSchema,
  }),
  /** A watch that was interrupted. `lost: false`: it went on from where it was, nothing is missing. */
  z.object({
    type: z.literal('watch-gap'),
    t,
    kind: z.string(),
    fromT: t,
    lost: z.boolean(),
    reason: z.string(),
  }),
  z.object({ type: z.literal('frame'), t, agent: z.string(), frame: frameSchema }),
  z.object({
    type: z.literal('frame-gap'),
    t,
    agent: z.string(),
    fromSeq: z.number().int().positive(),
    toSeq: z.number().int().positive(),
  }),
  z.object({ type: z.literal('stream-end'), t, agent: z.string(), end: streamEndSchema }),
  /** Counts of another tool beside ours (k6) by stream, for comparison only. */
  z.object({
    type: z.literal('cross-check'),
    t,
    tool: z.string(),
    version: z.string(),
    counts: z.record(z.string(), crossCheckResultSchema),
    explained: z.array(z.string()),
  }),
  z.object({
    type: z.literal('milestone'),
    t,
    /** `change-began`: of an episode, which somebody else made. */
    name: z.enum(milestoneNames),
    detail: z.string().optional(),
  }),
  /** A line of the access log of an entry's pod: an answer that is no success, or a request that was sent again. */
  z.object({ type: z.literal('access'), t, entry: z.string(), pod: z.string(), said: accessLineSchema }),
  /** What the queue of a consuming target counted. The answer came at `t`, `tookMs` after it was asked for. */
  z.object({ type: z.literal('queue'), t, tookMs: t, counters: queueCountersSchema }),
  witnessRecordSchema,
  z.object({ type: z.literal('note'), t, level: z.enum(['info', 'warning', 'fault']), text: z.string() }),
  z.object({
    type: z.literal('end'),
    t,
    status: z.enum(['complete', 'faulted', 'interrupted']),
    reason: z.string().optional(),
    truncated: z.boolean(),
    records: z.number().int(),
    harness: z.record(z.string(), z.number()).optional(),
  }),
]);
export type JournalRecord = z.infer<typeof journalRecordSchema>;
export type RecordOf<T extends JournalRecord['type']> = Extract<JournalRecord, { type: T }>;
