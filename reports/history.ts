// One run as one line of a history file: what a trend and a gate need of it, small enough to keep for years.
import { z } from 'zod';
import { lanes } from '../harness/model/load.ts';
import { type Results, verdicts } from '../harness/model/results.ts';
import { columnsOf, lanesOf, worst } from './comparison.ts';

export const historyLineSchema = z.object({
  schemaVersion: z.literal(1),
  startedAt: z.string(),
  runId: z.string(),
  version: z.string(),
  commit: z.string().optional(),
  cluster: z.object({ kind: z.string(), kubernetesVersion: z.string(), emulated: z.boolean() }),
  durationMs: z.number(),
  exitCode: z.number().int(),
  scenarios: z.array(
    z.object({
      name: z.string(),
      verdict: z.enum(verdicts),
      variants: z.array(
        z.object({
          variant: z.string(),
          runs: z.number().int(),
          rolloutMs: z.number().nullable(),
          extraPodSeconds: z.number(),
          /** The worst run of each lane. */
          lanes: z.partialRecord(
            z.enum(lanes),
            z.object({ attempts: z.number(), lost: z.number(), longestOutageMs: z.number() }),
          ),
        }),
      ),
    }),
  ),
});
export type HistoryLine = z.infer<typeof historyLineSchema>;

export function historyLine(results: Results): HistoryLine {
  const { tool, cluster } = results;
  return {
    schemaVersion: 1,
    startedAt: results.startedAt,
    runId: results.runId,
    version: tool.version,
    ...(tool.commit === undefined ? {} : { commit: tool.commit }),
    cluster: {
      kind: cluster.kind,
      kubernetesVersion: cluster.kubernetesVersion,
      emulated: cluster.emulated,
    },
    durationMs: results.durationMs,
    exitCode: results.exitCode,
    scenarios: results.scenarios.map((scenario) => ({
      name: scenario.name,
      verdict: scenario.verdict,
      variants: columnsOf(scenario).map((column) => ({
        variant: column.label,
        runs: column.experiments.length,
        rolloutMs: column.experiments[0]!.rollout.completedMs,
        extraPodSeconds: column.experiments[0]!.rollout.extraPodSeconds,
        lanes: Object.fromEntries(
          lanesOf(scenario).flatMap((lane) => {
            const result = worst(column, lane)?.result;
            if (!result) return [];
            const { attempts, lost, longestOutageMs } = result;
            return [[lane, { attempts, lost, longestOutageMs }]];
          }),
        ),
      })),
    })),
  };
}
