// run.json: what a run knows beside its journals, so that it can be judged and rendered again later.
import { z } from 'zod';
import { clusterInfoSchema } from './journal.ts';
import { scenarioSchema } from './scenario.ts';

const measuredAgainSchema = z.object({
  scenario: z.string(),
  variant: z.string(),
  /** The journal that was set aside, and the one that stands in its place; relative to this file. */
  setAside: z.string(),
  journal: z.string(),
  /** Why it was not valid. */
  reasons: z.array(z.string()),
});
export type MeasuredAgain = z.infer<typeof measuredAgainSchema>;

const variantNotRunSchema = z.object({
  variant: z.string(),
  reason: z.string(),
  sameAs: z.string().optional(),
});
export type VariantNotRun = z.infer<typeof variantNotRunSchema>;

/** A Service that was watched: also one whose pods never changed, and of which there is no journal. */
const watchedServiceSchema = z.object({
  name: z.string(),
  scenario: scenarioSchema,
  /** Who owns its pods, outermost first. */
  owners: z.array(z.string()),
  /** Of the whole watch, by lane, as the load agent counted. */
  totals: z.record(z.string(), z.object({ attempts: z.number(), lost: z.number() })),
  /** What it lacks of the recommended settings: a patch in a file beside this one, and the command that applies it. */
  remedy: z
    .object({
      settings: z.array(z.string()),
      file: z.string(),
      command: z.string(),
      /** What else to know before it is applied, a sentence. */
      note: z.string().optional(),
      /** Values of its Helm chart that do the same, as far as it offers them: a file beside this one. */
      values: z.string().optional(),
    })
    .optional(),
  /** Why what was measured does not say all, a sentence. */
  trouble: z.string().optional(),
});
export type WatchedServiceFacts = z.infer<typeof watchedServiceSchema>;

export const watchFactsSchema = z.object({
  namespace: z.string(),
  /** How long requests were sent, ms. */
  forMs: z.number(),
  /** Why it ended, a sentence. */
  ended: z.string(),
  /** The command that it was put around, redacted, and how that ended. */
  command: z.object({ line: z.string(), code: z.number().int(), how: z.string() }).optional(),
  services: z.array(watchedServiceSchema),
});
export type WatchRunFacts = z.infer<typeof watchFactsSchema>;

export const runFactsSchema = z.object({
  schemaVersion: z.literal(1),
  runId: z.string(),
  tool: z.object({ name: z.string(), version: z.string(), commit: z.string().optional() }),
  cluster: clusterInfoSchema,
  /** What was tested: `built-in`, `Deployment/web`, or `Namespace/shop` of a watch. */
  target: z.string().optional(),
  startedAt: z.string(),
  /** From the command to the end of the last experiment, ms, and the part of it in which load ran. */
  durationMs: z.number(),
  loadMs: z.number(),
  /** Where the rest of the time went, ms by stage. */
  stages: z.array(z.object({ name: z.string(), ms: z.number() })),
  /** A command line that does it again. */
  reproduce: z.string(),
  strict: z.boolean(),
  interrupted: z.boolean(),
  /** Scenarios that this cluster cannot run, with the reason. */
  notRun: z.array(z.object({ scenario: scenarioSchema, reason: z.string() })),
  /** Experiments without a journal that can be judged, with the reason: "could not be deployed: ...". */
  undeployed: z.array(z.object({ scenario: scenarioSchema, variant: z.string(), reason: z.string() })),
  /**
   * Variants that were not measured, with the sentence: our own check found an error in them, or what they set is there
   * already and they are the same as another one (`sameAs`), which is measured.
   */
  variantsNotRun: z.array(variantNotRunSchema.extend({ scenario: z.string() })).optional(),
  /** The run watched what others changed. */
  watch: watchFactsSchema.optional(),
  /** Journals in order, relative to this file. */
  journals: z.array(z.string()),
  /** Measurements that something else disturbed and that were made once more; later versions only. */
  measuredAgain: z.array(measuredAgainSchema).default([]),
});
export type RunFacts = z.infer<typeof runFactsSchema>;
