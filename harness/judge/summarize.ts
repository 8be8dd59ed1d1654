// Results in one line of figures, and the history file that keeps such lines.
import { UsageError } from '../model/errors.ts';
import { type LineId, linesOf } from '../model/line.ts';
import type { ExperimentResult, Results } from '../model/results.ts';
import {
  type GateResult,
  type LaneFigures,
  ofSameTarget,
  type RunSummary,
  runSummarySchema,
  runSummarySchemaVersion,
  type VariantFigures,
} from '../model/run-summary.ts';

export function summarizeRun(results: Results, gate?: GateResult): RunSummary {
  const { name, kind, kubernetesVersion, emulated } = results.cluster;
  return {
    schemaVersion: runSummarySchemaVersion,
    runId: results.runId,
    startedAt: results.startedAt,
    durationMs: results.durationMs,
    tool: results.tool,
    cluster: { name, kind, kubernetesVersion, emulated },
    ...(results.target !== undefined && { target: results.target }),
    exitCode: results.exitCode,
    green: results.exitCode === 0 && (gate === undefined || gate.state === 'passed'),
    ...(gate && { gate: gate.state }),
    scenarios: results.scenarios.map((scenario) => ({
      name: scenario.name,
      verdict: scenario.verdict,
      ...(scenario.direct && { direct: scenario.direct.verdict }),
      variants: groups(scenario.experiments).map(figuresOf),
    })),
  };
}

function groups(experiments: readonly ExperimentResult[]): ExperimentResult[][] {
  const found = new Map<string, ExperimentResult[]>();
  for (const experiment of experiments) {
    const key = `${experiment.variant}/${experiment.path}/${experiment.agents}`;
    found.set(key, [...(found.get(key) ?? []), experiment]);
  }
  return [...found.values()];
}

function figuresOf(group: readonly ExperimentResult[]): VariantFigures {
  const [first] = group as [ExperimentResult, ...ExperimentResult[]];
  const valid = group.filter((experiment) => experiment.valid);
  const mean = (pick: (experiment: ExperimentResult) => number | null) => {
    const values = valid.map(pick).filter((value) => value !== null);
    return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
  };
  const figures: Record<LineId, LaneFigures> = {};
  for (const lane of linesOf(valid)) {
    const results = valid
      .map((experiment) => experiment.lanes[lane])
      .filter((result) => result !== undefined);
    if (results.length === 0) continue;
    figures[lane] = {
      attempts: results.reduce((sum, result) => sum + result.attempts, 0),
      lost: results.reduce((sum, result) => sum + result.lost, 0),
      races: results.reduce((sum, result) => sum + result.races, 0),
      longestOutageMs: Math.max(...results.map((result) => result.longestOutageMs)),
    };
  }
  return {
    variant: first.variant,
    path: first.path,
    agents: first.agents,
    runs: group.length,
    validRuns: valid.length,
    rolloutMs: mean((experiment) => experiment.rollout.completedMs),
    extraPodSeconds: mean((experiment) => experiment.rollout.extraPodSeconds) ?? 0,
    capacityLostPodSeconds: mean((experiment) => experiment.rollout.capacityLostPodSeconds) ?? 0,
    lanes: figures,
  };
}

/** One line of a history file, to be appended with a line break. */
export const historyLine = (summary: RunSummary): string => JSON.stringify(summary);

export interface History {
  readonly runs: readonly RunSummary[];
  /** A last line that was cut off (a run died while it was appended) is left out and said. */
  readonly warnings: readonly string[];
}

/** Throws UsageError with file and line when a line is not a run's summary. */
export function parseHistory(text: string, file = 'history'): History {
  const runs: RunSummary[] = [];
  const warnings: string[] = [];
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      if (index === lines.length - 1) {
        warnings.push(`${file}: line ${index + 1} was cut off and is left out.`);
        continue;
      }
      throw new UsageError(`${file}: line ${index + 1} is not JSON. Repair or remove the line.`);
    }
    const parsed = runSummarySchema.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      const field = issue?.path.map(String).join('.') || 'line';
      throw new UsageError(
        `${file}: line ${index + 1}, field ${field}: ${issue?.message ?? 'not a run'}. Repair or remove the line.`,
      );
    }
    runs.push(parsed.data);
  }
  return { runs, warnings };
}

/** The last run before `now` that was green on the same kind of cluster. */
export function lastGreen(history: readonly RunSummary[], now: RunSummary): RunSummary | undefined {
  return history.findLast(
    (run) =>
      run.green &&
      run.runId !== now.runId &&
      run.cluster.kind === now.cluster.kind &&
      run.cluster.emulated === now.cluster.emulated &&
      ofSameTarget(run, now) &&
      run.startedAt <= now.startedAt,
  );
}
