// A scenario: what happens to the target while it is under load, and what is claimed about it. Data only.
import { z } from 'zod';
import { lanes, rateProfileSchema } from './load.ts';

export const clusterKinds = ['kind', 'embedded', 'context'] as const;
export type ClusterKind = (typeof clusterKinds)[number];

/**
 * One step. Steps run in order; each ends when its action is done (not when the rollout is), so a following
 * `wait` says what to wait for. Times in ms.
 */
export const stepSchema = z.discriminatedUnion('step', [
  /** A new image as `kubectl set image` does it. `image`: a name of the configuration (`next`, `previous`, `missing`, `broken`) or a literal image. */
  z.object({ step: z.literal('set-image'), image: z.string(), container: z.string().optional() }),
  z.object({ step: z.literal('scale'), replicas: z.number().int().nonnegative() }),
  z.object({ step: z.literal('set-env'), env: z.record(z.string(), z.string().nullable()) }),
  /** Strategic merge patch on the target's workload (or another object of the run). */
  z.object({
    step: z.literal('patch'),
    kind: z.string().optional(),
    name: z.string().optional(),
    patch: z.record(z.string(), z.unknown()),
  }),
  z.object({ step: z.literal('apply'), manifest: z.record(z.string(), z.unknown()) }),
  z.object({
    step: z.literal('autoscale'),
    min: z.number().int(),
    max: z.number().int(),
    cpuPercent: z.number(),
    behavior: z.record(z.string(), z.unknown()).optional(),
  }),
  z.object({
    step: z.literal('load-rate'),
    lane: z.enum(lanes).optional(),
    ratePerSecond: z.number(),
    overMs: z.number().optional(),
  }),
  /** undo of the last revision, or to `toRevision`. */
  z.object({ step: z.literal('rollback'), toRevision: z.number().int().optional() }),
  z.object({ step: z.literal('pause') }),
  z.object({ step: z.literal('resume') }),
  z.object({ step: z.literal('restart') }),
  z.object({
    step: z.literal('delete-pod'),
    count: z.number().int().positive().default(1),
    gracePeriodSeconds: z.number().int().optional(),
  }),
  z.object({
    step: z.literal('drain-node'),
    node: z.enum(['busiest', 'any']).default('busiest'),
    timeoutMs: z.number().default(120_000),
  }),
  z.object({ step: z.literal('uncordon') }),
  /** Chaos by the target's admin port: crash | hang | unready | ready. */
  z.object({
    step: z.literal('chaos'),
    action: z.enum(['crash', 'hang', 'unready', 'ready']),
    count: z.number().int().positive().default(1),
  }),
  /** Routing updates that lag on the agent's node from now on; 0 ends it. Restored on every way out. */
  z.object({ step: z.literal('proxy-delay'), delayMs: z.number().nonnegative() }),
  z.object({
    step: z.literal('wait'),
    for: z.enum([
      'rollout',
      'failed-rollout',
      'settled',
      'ready',
      'updated',
      'replicas',
      'time',
      'autoscaler-idle',
    ]),
    /** `ready`, `updated`, `replicas`: at least this many. `time`: ms. */
    atLeast: z.number().optional(),
    atMost: z.number().optional(),
    ms: z.number().optional(),
    limitMs: z.number().default(120_000),
  }),
  /** Records a revision history as `kubectl rollout history` shows it, under a name that claims can use. */
  z.object({ step: z.literal('history'), as: z.string() }),
  /** A request that the API server must refuse; the answer is recorded. */
  z.object({
    step: z.literal('expect-refusal'),
    patch: z.record(z.string(), z.unknown()),
    message: z.string(),
  }),
]);
export type Step = z.infer<typeof stepSchema>;
export type StepInput = z.input<typeof stepSchema>;

/** A bound on a measure: at most, at least, exactly. Several must all hold. */
export const expectationSchema = z.object({
  /** Name of a measure (docs/claims.md): "lost", "longestOutageMs", "maxPodsNotTerminating", "cause:no-endpoint" ... */
  measure: z.string(),
  equals: z.union([z.number(), z.string()]).optional(),
  atLeast: z.number().optional(),
  atMost: z.number().optional(),
});
export type Expectation = z.infer<typeof expectationSchema>;

export const claimDefinitionSchema = z.object({
  id: z.string(),
  /** The statement, as a reader reads it. */
  text: z.string(),
  /** Who says so: a document, an article, a measurement. */
  source: z.string(),
  appliesTo: z.object({ variant: z.string().optional(), lane: z.enum(lanes).optional() }).default({}),
  that: z.array(expectationSchema).min(1),
  /** What we expect on today's Kubernetes. `fails`: a published claim that the cluster contradicts. */
  expected: z.enum(['holds', 'fails']).default('holds'),
  /** Depends on how the built-in target starts or stops: left out for anybody's own target. */
  builtInOnly: z.boolean().default(false),
  /** Why, when expected to fail. */
  because: z.string().optional(),
  /** `losses`: decides `proven` against `unneeded` (baseline must lose for the settings to be proven). */
  role: z.enum(['baseline-loses', 'hardened-safe', 'fact']).default('fact'),
});
export type ClaimDefinition = z.infer<typeof claimDefinitionSchema>;

/** The built-in target's knobs; a foreign target takes only `replicas` and the manifest patches. */
export const targetSpecSchema = z.object({
  workload: z.enum(['Deployment', 'DaemonSet']).default('Deployment'),
  replicas: z.number().int().nonnegative().default(3),
  /** Delay from process start to listening, ms. */
  startMs: z.number().default(2000),
  workMs: z.number().default(5),
  cpuMs: z.number().default(0),
  /** Strategic merge patches applied to the base manifest before the variant's settings: [{kind, patch}]. */
  patches: z.array(z.object({ kind: z.string(), patch: z.record(z.string(), z.unknown()) })).default([]),
  /** Environment of the target's container. */
  env: z.record(z.string(), z.string()).default({}),
  /**
   * The built-in target also pulls items from a queue beside it: each pod slowly at first. Items per second; the rates of
   * a consumer grow in a straight line over the warm-up. Not for a foreign target.
   */
  queue: z
    .object({
      enqueuePerSecond: z.number().int().positive(),
      coldPerSecond: z.number().int().positive(),
      warmPerSecond: z.number().int().positive(),
      warmUpMs: z.number().int().nonnegative(),
    })
    .optional(),
  /** More objects to create beside it, as manifests. */
  extra: z.array(z.record(z.string(), z.unknown())).default([]),
});
export type TargetSpec = z.infer<typeof targetSpecSchema>;

export const laneLoadSchema = z.object({
  lane: z.enum(lanes),
  rate: rateProfileSchema.default({ shape: 'constant', ratePerSecond: 200 }),
  /** kept: connections. new and long: 0 = rate × timeout. */
  connections: z.number().int().nonnegative().default(0),
  timeoutMs: z.number().default(3000),
  /** long: how long each request takes, ms. */
  holdMs: z.number().optional(),
});
export type LaneLoad = z.infer<typeof laneLoadSchema>;

export const scenarioSchema = z.object({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  title: z.string(),
  question: z.string(),
  /** Where the question comes from. */
  source: z.string().default('rolling updates, zero downtime'),
  group: z.enum(['connections', 'rollout']),
  target: targetSpecSchema.default(() => targetSpecSchema.parse({})),
  /** Settings that matter to it (for ablation and advice). */
  settings: z.array(z.string()).default(['readinessProbe', 'preStop', 'gracefulShutdown', 'surge']),
  variants: z.array(z.string()).default(['baseline', 'hardened']),
  load: z
    .array(laneLoadSchema)
    .default(() => [
      laneLoadSchema.parse({ lane: 'new' }),
      laneLoadSchema.parse({ lane: 'kept', connections: 20 }),
    ]),
  steps: z.array(stepSchema),
  claims: z.array(claimDefinitionSchema),
  needs: z
    .object({
      nodes: z.number().int().positive().default(1),
      images: z.array(z.string()).default([]),
      clusters: z.array(z.enum(clusterKinds)).default([...clusterKinds]),
      metrics: z.boolean().default(false),
    })
    .default({ nodes: 1, images: [], clusters: [...clusterKinds], metrics: false }),
  /** Quiet load before the first step and after the last event, ms. */
  warmUpMs: z.number().default(2000),
  tailMs: z.number().default(3000),
  /**
   * When it is over: `rollout`: complete and no pod terminating; `no-terminating`: for scenarios that end with a
   * rollout that is meant to be stuck.
   */
  until: z.enum(['rollout', 'no-terminating']).default('rollout'),
  /** The whole experiment's limit, ms. */
  limitMs: z.number().default(300_000),
});
export type Scenario = z.infer<typeof scenarioSchema>;
export type ScenarioInput = z.input<typeof scenarioSchema>;

/** What a profile changes: `full` carries the literal figures of the source, `quick` shorter ones. */
export type Profile = 'quick' | 'full';
export interface ScenarioDefinition {
  /** The scenario with the figures of profile `full`. */
  readonly full: Scenario;
  readonly quick: Scenario;
  readonly id: string;
}

/**
 * Defines a scenario. `quick` overrides top-level fields for the quick profile; both are checked here, so that a
 * wrong definition fails when it is loaded, with the field's path.
 */
export function defineScenario(full: ScenarioInput, quick: Partial<ScenarioInput> = {}): ScenarioDefinition {
  return {
    id: full.id,
    full: scenarioSchema.parse(full),
    quick: scenarioSchema.parse({ ...full, ...quick }),
  };
}
