// What another load generator (k6) counted of the same plan, stream by stream. Recorded beside our counts, never judged.
import { z } from 'zod';
import type { Outcome } from './load.ts';

export const crossCheckCountsSchema = z.object({
  attempts: z.number().int(),
  /** Arrivals for which no virtual user was free. */
  dropped: z.number().int(),
  /** By our names where k6 has a code for them; `uncoded`: a failure that k6 gives no code of its own. */
  outcomes: z.record(z.string(), z.number().int()),
});
export type CrossCheckCounts = z.infer<typeof crossCheckCountsSchema>;

/** A stream's counts, or why there are none. */
export const crossCheckResultSchema = z.union([crossCheckCountsSchema, z.object({ problem: z.string() })]);
export type CrossCheckResult = z.infer<typeof crossCheckResultSchema>;

/** Our outcomes that k6 reports without a code of its own (measured against a server that does each fault). */
export const uncodedByK6 = [
  'closed',
  'unreachable',
  'protocol',
  'local',
  'other',
] as const satisfies Outcome[];
