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

export const runFactsSchema = z.object({
  schemaVersion: z.literal(1),
  runId: z.string(),
  tool: z.object({ name: z.string(), version: z.string(), commit: z.string().optional() }),
  cluster: clusterInfoSchema,
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
  /** Journals in order, relative to this file. */
  journals: z.array(z.string()),
  /** Measurements that something else disturbed and that were made once more; later versions only. */
  measuredAgain: z.array(measuredAgainSchema).default([]),
});
export type RunFacts = z.infer<typeof runFactsSchema>;
