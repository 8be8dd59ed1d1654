// The figures of a run in one line: what a history file keeps, and what two runs are compared by.
import { z } from 'zod';
import { type LineId, lineIdSchema } from './line.ts';
import { directVerdicts, verdicts } from './results.ts';

export const runSummarySchemaVersion = 1;

const laneFiguresSchema = z.object({
  attempts: z.number(),
  lost: z.number(),
  races: z.number(),
  longestOutageMs: z.number(),
});
export type LaneFigures = z.infer<typeof laneFiguresSchema>;

/** All repeats of one variant on one path: losses added up, the longest outage, mean rollout. */
const variantFiguresSchema = z.object({
  variant: z.string(),
  path: z.string(),
  agents: z.number(),
  runs: z.number(),
  /** Only valid runs are in the figures. */
  validRuns: z.number(),
  rolloutMs: z.number().nullable(),
  extraPodSeconds: z.number(),
  capacityLostPodSeconds: z.number(),
  lanes: z.record(lineIdSchema, laneFiguresSchema),
});
export type VariantFigures = z.infer<typeof variantFiguresSchema>;

export const runSummarySchema = z.object({
  schemaVersion: z.literal(runSummarySchemaVersion),
  runId: z.string(),
  startedAt: z.string(),
  durationMs: z.number(),
  tool: z.object({ name: z.string(), version: z.string(), commit: z.string().optional() }),
  cluster: z.object({
    name: z.string(),
    kind: z.string(),
    kubernetesVersion: z.string(),
    emulated: z.boolean(),
  }),
  /** As in the results; older lines do not say it. */
  target: z.string().optional(),
  exitCode: z.number(),
  /** Everything as expected, and no gate crossed. */
  green: z.boolean(),
  gate: z.enum(['passed', 'crossed', 'undecided']).optional(),
  scenarios: z.array(
    z.object({
      name: z.string(),
      verdict: z.enum(verdicts),
      /** Of the user's own workload, when it ran as it is. */
      direct: z.enum(directVerdicts).optional(),
      variants: z.array(variantFiguresSchema),
    }),
  ),
});
export type RunSummary = z.infer<typeof runSummarySchema>;

/** Runs of two workloads are not compared; a line that does not say which it was about fits every one. */
export const ofSameTarget = (
  a: { readonly target?: string | undefined },
  b: { readonly target?: string | undefined },
): boolean => a.target === undefined || b.target === undefined || a.target === b.target;

/** Of the user's own workload what it does as it is; else the scenario's verdict. */
export const shownVerdict = ({
  verdict,
  direct,
}: RunSummary['scenarios'][number]): (typeof verdicts)[number] => direct ?? verdict;

/** `unclear`: one side was not measured well enough. */
export type ChangeWord = 'better' | 'worse' | 'same' | 'new' | 'gone' | 'unclear';

export interface FigureChange {
  readonly variant: string;
  readonly path: string;
  readonly agents: number;
  readonly lane?: LineId;
  readonly figure: 'lost' | 'longestOutageMs' | 'rolloutMs' | 'extraPodSeconds' | 'capacityLostPodSeconds';
  readonly before: number | null;
  readonly after: number | null;
  readonly change: ChangeWord;
  /** "hardened, lane new: lost 0 of 6,000 → 5 of 6,000" */
  readonly text: string;
}
export interface ScenarioChange {
  readonly name: string;
  readonly change: ChangeWord;
  /** Of a Service that was watched both times: whether it lost less, in one sentence with 95 % intervals. */
  readonly watched?: string;
  readonly before?: (typeof verdicts)[number];
  readonly after?: (typeof verdicts)[number];
  readonly figures: readonly FigureChange[];
}
export interface Comparison {
  readonly before: RunSummary;
  readonly after: RunSummary;
  /** What makes the two hard to compare: another cluster, another version. */
  readonly notes: readonly string[];
  readonly scenarios: readonly ScenarioChange[];
  /** The sentences that matter, worst first; empty: nothing changed. */
  readonly summary: readonly string[];
}

export interface GateCrossing {
  readonly rule: 'maxLost' | 'maxOutageMs' | 'noWorseThanLastGreen';
  readonly scenario: string;
  readonly variant: string;
  readonly text: string;
}
export interface GateResult {
  readonly state: 'passed' | 'crossed' | 'undecided';
  readonly crossed: readonly GateCrossing[];
  /** What the gate could not look at, as sentences. */
  readonly undecided: readonly string[];
  /** The run that this one was compared with. */
  readonly lastGreen?: { readonly runId: string; readonly startedAt: string };
}
