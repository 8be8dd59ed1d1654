// A scenario: what happens to the target while it is under load, and what is claimed about it. Data only.
import { z } from 'zod';
import { entrySchema } from './entry.ts';
import { type LineId, lineId, lineIdSchema } from './line.ts';
import {
  lanes,
  lanesOfProtocol,
  longestMs,
  offeredRateSchema,
  protocols,
  rateBounds,
  tlsOptionsSchema,
} from './load.ts';
import { manifestSchema, ownTargetSchema } from './own-target.ts';
import { asIsName } from './setting.ts';
import { urlPath } from './url-path.ts';

export const clusterKinds = ['kind', 'embedded', 'context'] as const;

/** A length of time, ms. */
const timeMs = z.number().nonnegative().max(longestMs);
/** The limit of a wait, ms. */
const waitMs = z.number().positive().max(longestMs);
/** More pods than any cluster of ours holds. */
/** A digit too many is told, and not tried. */
export const podCount = z.number().int().nonnegative().max(10_000);

/**
 * One step. Steps run in order; each ends when its action is done (not when the rollout is), so a following
 * `wait` says what to wait for. Times in ms.
 */
export const stepSchema = z.discriminatedUnion('step', [
  /** A new image as `kubectl set image` does it. `image`: a name of the configuration (`next`, `previous`, `missing`, `broken`) or a literal image. */
  z.object({ step: z.literal('set-image'), image: z.string(), container: z.string().optional() }),
  z.object({ step: z.literal('scale'), replicas: podCount }),
  z.object({ step: z.literal('set-env'), env: z.record(z.string(), z.string().nullable()) }),
  /** Strategic merge patch on the target's workload (or another object of the run). */
  z.object({
    step: z.literal('patch'),
    kind: z.string().optional(),
    name: z.string().optional(),
    patch: z.record(z.string(), z.unknown()),
  }),
  z.object({ step: z.literal('apply'), manifest: z.record(z.string(), z.unknown()) }),
  /**
   * Creates the target's workload, which `target.deployed: false` left out at the start. With `refusedWith` the API
   * server must refuse it; its answer is recorded, and whether these words are in it.
   */
  z.object({ step: z.literal('deploy'), refusedWith: z.string().optional() }),
  /** Records fields of an object as the API server has them, by names of one's own: {pullPolicy: "spec.template.spec.containers.0.imagePullPolicy"}. */
  z.object({
    step: z.literal('read-fields'),
    kind: z.string().optional(),
    name: z.string().optional(),
    fields: z.record(z.string().regex(/^[A-Za-z]+$/), z.string()),
  }),
  z.object({
    step: z.literal('autoscale'),
    min: podCount,
    max: podCount.min(1),
    cpuPercent: z.number().int().positive().max(100_000),
    behavior: z.record(z.string(), z.unknown()).optional(),
  }),
  z.object({
    step: z.literal('load-rate'),
    lane: z.enum(lanes).optional(),
    /** 0 pauses. */
    ratePerSecond: z.number().nonnegative().max(rateBounds.most),
    overMs: timeMs.optional(),
  }),
  /** undo of the last revision, or to `toRevision`. */
  z.object({ step: z.literal('rollback'), toRevision: z.number().int().positive().optional() }),
  z.object({ step: z.literal('pause') }),
  z.object({ step: z.literal('resume') }),
  /** `of: entry`: the installed controller; ends when its new pods are ready and the old ones gone. */
  z.object({ step: z.literal('restart'), of: z.enum(['target', 'entry']).optional() }),
  z.object({
    step: z.literal('delete-pod'),
    count: z.number().int().positive().default(1),
    gracePeriodSeconds: z
      .number()
      .int()
      .nonnegative()
      .max(longestMs / 1000)
      .optional(),
  }),
  z.object({
    step: z.literal('drain-node'),
    node: z.enum(['busiest', 'any']).default('busiest'),
    timeoutMs: waitMs.default(120_000),
  }),
  z.object({ step: z.literal('uncordon') }),
  /** Chaos by the target's admin port: crash | hang | unready | ready. */
  z.object({
    step: z.literal('chaos'),
    action: z.enum(['crash', 'hang', 'unready', 'ready']),
    count: z.number().int().positive().default(1),
  }),
  /** Routing updates that lag on the agent's node from now on; 0 ends it. Restored on every way out. */
  z.object({ step: z.literal('proxy-delay'), delayMs: timeMs }),
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
      'no-terminating',
    ]),
    /** `ready`, `replicas`, `no-terminating`: of the target's pods (the default), or of those beside it. */
    of: z.enum(['target', 'beside']).optional(),
    /** `ready`, `updated`, `replicas`: at least this many. `time`: ms. */
    atLeast: z.number().optional(),
    atMost: z.number().optional(),
    ms: timeMs.optional(),
    limitMs: waitMs.default(120_000),
  }),
  /** Records a revision history as `kubectl rollout history` shows it, under a name that claims can use. */
  z.object({ step: z.literal('history'), as: z.string() }),
  /**
   * A second Deployment, the same as the target but for its name and labels: the real kubectl changes it (`kubectl`) while
   * steps change the target, and `compare-twin` says where the two differ. Without kubectl these steps do nothing, and
   * what they would measure is not run.
   */
  z.object({ step: z.literal('twin') }),
  /** `{twin}`, `{container}` and `{image:NAME}` in the arguments stand for names; `manifest` is read as `-f -`. */
  z.object({
    step: z.literal('kubectl'),
    args: z.array(z.string()).min(1),
    manifest: z.record(z.string(), z.unknown()).optional(),
  }),
  /** `as`: what was done before, for the list of differences. */
  z.object({ step: z.literal('compare-twin'), as: z.string() }),
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
  /** A text that holds this one. */
  contains: z.string().optional(),
});
export type Expectation = z.infer<typeof expectationSchema>;

export const claimDefinitionSchema = z.object({
  id: z.string(),
  /** The statement, as a reader reads it. */
  text: z.string(),
  /** Who says so: a document, an article, a measurement. */
  source: z.string(),
  appliesTo: z.object({ variant: z.string().optional(), lane: lineIdSchema.optional() }).default({}),
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
  /** A target of the scenario's own, instead of the run's. */
  own: ownTargetSchema.optional(),
  /** `DaemonSet`: the Deployment's pods, one per node. */
  workload: z.enum(['Deployment', 'DaemonSet']).default('Deployment'),
  replicas: podCount.default(3),
  /** Delay from process start to listening, ms. */
  startMs: timeMs.default(2000),
  workMs: timeMs.default(5),
  /** What the load asks the built-in target with. */
  method: z.enum(['GET', 'POST']).optional(),
  cpuMs: timeMs.default(0),
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
  /**
   * More objects to create beside it, as manifests; their pods are ready before those of the target are created. An
   * image may be one of the target's names (current).
   */
  extra: z.array(manifestSchema).default([]),
  /** false: the workload is created by step `deploy`; such an experiment fires at nothing, so its `load` is empty. */
  deployed: z.boolean().default(true),
  /** All pods on one node, which the cluster's first worker is: shown among the substitutions. */
  oneNode: z.boolean().default(false),
});
export type TargetSpec = z.infer<typeof targetSpecSchema>;

/** Limit of one request, ms: less is the time that a loopback answer takes on a busy machine. */
export const requestTimeoutMs = z.number().min(10).max(600_000);
/** Connections that one agent keeps. */
export const connectionsMost = 10_000;

export const laneLoadSchema = z.object({
  lane: z.enum(lanes),
  rate: offeredRateSchema.default({ shape: 'constant', ratePerSecond: 200 }),
  /** kept: connections. new and long: 0 = rate × timeout. */
  connections: z.number().int().nonnegative().max(connectionsMost).default(0),
  timeoutMs: requestTimeoutMs.default(3000),
  /** long: how long each request takes, ms. */
  holdMs: requestTimeoutMs.optional(),
  /** Absent: http1. */
  protocol: z.enum(protocols).optional(),
  /** Through TLS, and how it is verified. */
  tls: tlsOptionsSchema.optional(),
  /** Instead of the target's own path. */
  path: urlPath.optional(),
  /** websocket, tcp: what is sent. */
  message: z.string().max(65_536).optional(),
  /** grpc: package.Service/Method, and the message's bytes in base64. */
  grpc: z.strictObject({ method: z.string(), message: z.string().default('') }).optional(),
  /** stream: a message of each stream this often, ms; `rate` is then what it comes to. */
  intervalMs: z.number().min(10).max(600_000).optional(),
  expect: z.enum(['echo', 'push', 'open']).optional(),
  lateMs: z.number().positive().max(600_000).optional(),
  /** http2 and grpc: requests or streams at a time on one connection. */
  streamsPerConnection: z.number().int().positive().max(1000).optional(),
});
export type LaneLoad = z.infer<typeof laneLoadSchema>;

/** Connections of lane `kept` and streams of lane `stream` where nothing says how many. */
export const defaultKeptConnections = 20;

/** Lane stream: as many messages per second as its streams owe together. */
export const rateOfLoad = ({ lane, intervalMs, connections, rate }: LaneLoad): LaneLoad['rate'] =>
  lane === 'stream' && intervalMs !== undefined
    ? { shape: 'constant', ratePerSecond: ((connections || defaultKeptConnections) * 1000) / intervalMs }
    : rate;

/** The line that a load is, through the Service or another entry. */
export const lineOfLoad = (
  { lane, protocol, tls }: Pick<LaneLoad, 'lane' | 'protocol' | 'tls'>,
  entry?: string,
): LineId =>
  lineId({
    kind: lane,
    tls: tls !== undefined,
    ...(protocol !== undefined && { protocol }),
    ...(entry !== undefined && { entry }),
  });

const loadsSchema = z.array(laneLoadSchema).superRefine((loads, context) => {
  for (const [index, load] of loads.entries()) {
    const line = lineOfLoad(load);
    if (loads.findIndex((one) => lineOfLoad(one) === line) !== index)
      context.addIssue({
        code: 'custom',
        path: [index, 'lane'],
        message: `names "${line}" a second time; a lane fires once`,
      });
    const possible = lanesOfProtocol[load.protocol ?? 'http1'];
    if (!possible.includes(load.lane))
      context.addIssue({
        code: 'custom',
        path: [index, 'lane'],
        message: `is "${load.lane}"; protocol ${load.protocol ?? 'http1'} has the lanes ${possible.join(', ')}`,
      });
    if (
      load.lane === 'stream' &&
      load.protocol === 'grpc' &&
      load.grpc === undefined &&
      load.path !== undefined
    )
      context.addIssue({
        code: 'custom',
        path: [index, 'grpc'],
        message: 'is missing: which method streams?',
      });
  }
});

/** How an installed controller runs. */
const entryControllerSchema = z.object({
  replicas: z.number().int().min(1).max(10).default(2),
  /** Flags beside ours. */
  args: z.array(z.string()).default([]),
  /** Strategic merge patch of its Deployment. */
  patch: z.record(z.string(), z.unknown()).default({}),
});

/**
 * A variant of one scenario alone: the same question of another target, or of other steps. It stands in `variants` by
 * its name; the fields that it has replace the scenario's.
 */
const caseSchema = z.object({
  title: z.string(),
  settings: z.array(z.string()).default([]),
  /** The two that a reader should compare. */
  role: z.enum(['before', 'after']).optional(),
  target: targetSpecSchema.optional(),
  load: loadsSchema.optional(),
  steps: z.array(stepSchema).optional(),
  until: z.enum(['rollout', 'no-terminating']).optional(),
  entryController: entryControllerSchema.optional(),
});

const caseName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]*$/)
  .refine(
    (name) => name !== 'baseline' && name !== 'hardened' && name !== asIsName,
    'the name of a variant that every scenario has',
  );

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
  cases: z.record(caseName, caseSchema).default({}),
  load: loadsSchema.default(() => [
    laneLoadSchema.parse({ lane: 'new' }),
    laneLoadSchema.parse({ lane: 'kept', connections: 20 }),
  ]),
  steps: z.array(stepSchema),
  claims: z.array(claimDefinitionSchema),
  needs: z
    .object({
      nodes: z.number().int().positive().default(1),
      /** Names of the target's images, or literal ones that the cluster must be able to have. */
      images: z.array(z.string()).default([]),
      clusters: z.array(z.enum(clusterKinds)).default([...clusterKinds]),
      metrics: z.boolean().default(false),
      /** Nothing of another experiment may be on the nodes: it is about their ports, or about which pod goes where. */
      alone: z.boolean().default(false),
    })
    .default({ nodes: 1, images: [], clusters: [...clusterKinds], metrics: false, alone: false }),
  /**
   * Made when it runs, by an authority of that run. Texts of the target, the load and the steps stand for them:
   * `{authority}`, and of each `{certificate:NAME}` and `{key:NAME}`, all PEM. They are for the built-in target.
   */
  certificates: z
    .record(
      z.string().regex(/^[a-z][a-z-]*$/),
      z.object({
        /** Names of the server. */
        hosts: z.array(z.string()).min(1),
        /** From its making; below 0 it has expired. */
        validHours: z.number().min(-8760).max(8760),
      }),
    )
    .optional(),
  /** Where load comes in, side by side. Default: what the command says, else the Service alone. */
  entries: z.array(entrySchema).max(6).optional(),
  /** The controller that is installed for entries `ingress` and `gateway`, on a cluster of ours. */
  entryController: entryControllerSchema.optional(),
  /** Quiet load before the first step and after the last event, ms. */
  warmUpMs: timeMs.default(2000),
  tailMs: timeMs.default(3000),
  /**
   * When it is over: `rollout`: complete and no pod terminating; `no-terminating`: for scenarios that end with a
   * rollout that is meant to be stuck.
   */
  until: z.enum(['rollout', 'no-terminating']).default('rollout'),
  /** The whole experiment's limit, ms. */
  limitMs: waitMs.default(300_000),
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

/** The scenario as it is run with a variant: with the fields that the case of that name replaces. */
export function scenarioOfVariant(scenario: Scenario, variant: string): Scenario {
  const own = Object.hasOwn(scenario.cases, variant) ? scenario.cases[variant] : undefined;
  if (!own) return scenario;
  const { target, load, steps, until, entryController } = own;
  return {
    ...scenario,
    ...(target && { target }),
    ...(load && { load }),
    ...(steps && { steps }),
    ...(until && { until }),
    ...(entryController && { entryController }),
  };
}
