// What the static check says about a manifest, and what experiments say about that: shared by check and reports.
import { z } from 'zod';

export const severities = ['error', 'warning', 'note'] as const;
export type Severity = (typeof severities)[number];

/** One risk named by `rollproof check`. Lines and columns count from 1. */
export const findingSchema = z.object({
  rule: z.string(),
  file: z.string(),
  line: z.number().int().positive(),
  column: z.number().int().positive(),
  /** Where the file is what a program rendered: the file that the object was made from, as far as it is known. */
  source: z.string().optional(),
  severity: z.enum(severities),
  /** The object, as `Deployment shop/web`. */
  object: z.string(),
  message: z.string(),
  why: z.string(),
  /** YAML that removes the risk, indented as it stands in the file; comment lines say where it goes. */
  fix: z.string(),
  /** The scenario that shows the risk under load. */
  scenario: z.string(),
});
export type Finding = z.infer<typeof findingSchema>;

const evidences = ['confirmed', 'not-confirmed', 'not-measured'] as const;
export type Evidence = (typeof evidences)[number];

/** A finding beside what was measured. */
export interface JoinedFinding {
  readonly finding: Finding;
  readonly evidence: Evidence;
  /** One sentence with the figures, or why there are none. */
  readonly text: string;
  /** Journals of the experiments that the sentence rests on. */
  readonly journals: readonly string[];
}
