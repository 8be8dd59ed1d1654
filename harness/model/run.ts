// run.json: what a run knows beside its journals, so that it can be judged and rendered again later.
import { z } from 'zod';
import { clusterInfoSchema } from './journal.ts';
import { scenarioSchema } from './scenario.ts';

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
  /** Experiments that could not be deployed, with the reason. */
  undeployed: z.array(z.object({ scenario: scenarioSchema, variant: z.string(), reason: z.string() })),
  /** Journals in order, relative to this file. */
  journals: z.array(z.string()),
});
export type RunFacts = z.infer<typeof runFactsSchema>;
