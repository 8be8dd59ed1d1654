// Experiments of a scenario side by side: which columns there are, which two are "before" and "after", and which
// repeat speaks for a column (always the worst one).
import { type LineId, linesOf, parseLineId } from '../harness/model/line.ts';
import { type Lane, lanes } from '../harness/model/load.ts';
import type { Cause, ExperimentResult, LaneResult, ScenarioResult } from '../harness/model/results.ts';
import { causes } from '../harness/model/results.ts';
import { asIsName } from '../harness/model/setting.ts';

/** Repeats of one variant over one path with one number of agents. */
export interface Column {
  readonly variant: string;
  /** The variant, with path and agents where the scenario has several. */
  readonly label: string;
  readonly settings: readonly string[];
  readonly path: string;
  readonly agents: number;
  /** In order of repeat. Never empty. */
  readonly experiments: readonly ExperimentResult[];
}

export function columnsOf(scenario: Pick<ScenarioResult, 'experiments'>): readonly Column[] {
  const groups = new Map<string, ExperimentResult[]>();
  for (const experiment of scenario.experiments) {
    const key = JSON.stringify([experiment.variant, experiment.path, experiment.agents]);
    groups.set(key, [...(groups.get(key) ?? []), experiment]);
  }
  const several = (pick: (experiment: ExperimentResult) => unknown) =>
    new Set(scenario.experiments.map(pick)).size > 1;
  const paths = several((experiment) => experiment.path);
  const agents = several((experiment) => experiment.agents);
  return [...groups.values()].map((group) => {
    const first = group[0]!;
    return {
      variant: first.variant,
      label: [first.variant, paths ? first.path : '', agents ? `${first.agents} agents` : '']
        .filter(Boolean)
        .join(', '),
      settings: first.settings,
      path: first.path,
      agents: first.agents,
      experiments: group.toSorted((a, b) => a.repeat - b.repeat),
    };
  });
}

interface BeforeAfter {
  /** The variant without settings, or with the fewest. */
  readonly before: Column | undefined;
  /** `hardened`, or else the variant with the most settings. Undefined when there is only one variant. */
  readonly after: Column | undefined;
}

/** One for each path and number of agents: what went different ways is never compared. In the order in which they ran. */
export function comparisons(scenario: Pick<ScenarioResult, 'experiments'>): readonly BeforeAfter[] {
  const groups = new Map<string, Column[]>();
  for (const column of columnsOf(scenario)) {
    const key = JSON.stringify([column.path, column.agents]);
    groups.set(key, [...(groups.get(key) ?? []), column]);
  }
  return [...groups.values()].map((columns) => {
    // Cases are different targets: the scenario says which two are to be compared, if any.
    if (columns.some(caseOf)) {
      const ofRole = (role: string) => columns.find((column) => caseOf(column)?.role === role);
      const named = ofRole('before');
      return { before: named ?? columns[0], after: named && ofRole('after') };
    }
    const bySettings = columns.toSorted((a, b) => a.settings.length - b.settings.length);
    const named = (variant: string) => columns.find((column) => column.variant === variant);
    const before = named(asIsName) ?? named('baseline') ?? bySettings[0];
    const after = named('hardened') ?? bySettings.at(-1);
    // Settings taken away from somebody's own workload are no change to compare it with.
    const comparable = after && after.variant !== before?.variant && after.variant !== 'baseline';
    return { before, after: comparable ? after : undefined };
  });
}

/** Of several comparisons the one that lost most after the change; the first of those that lost nothing. */
export function beforeAfter(scenario: Pick<ScenarioResult, 'experiments'>): BeforeAfter {
  const all = comparisons(scenario);
  const whole = all.filter(({ after }) => after);
  const ranked = (whole.length > 0 ? whole : all).toSorted(
    (a, b) => mostLost(b.after) - mostLost(a.after) || mostLost(b.before) - mostLost(a.before),
  );
  return ranked[0] ?? { before: undefined, after: undefined };
}

const mostLost = (column: Column | undefined): number =>
  Math.max(
    0,
    ...(column?.experiments ?? []).flatMap(({ lanes }) => Object.values(lanes).map(({ lost }) => lost)),
  );

/** What the variant of a column is, where it is one of the scenario's own. */
export const caseOf = (column: Column): ExperimentResult['case'] => column.experiments[0]?.case;

/** Columns that fit beside each other; the others are in the matrix and in the table of all experiments. */
export function mainColumns(scenario: Pick<ScenarioResult, 'experiments'>, limit = 4): readonly Column[] {
  const columns = columnsOf(scenario);
  if (columns.length <= limit) return columns;
  const main = new Set(comparisons(scenario).flatMap(({ before, after }) => [before?.label, after?.label]));
  return columns.filter((column) => main.has(column.label));
}

/** Kinds of clients that any scenario has: an overview has a column for each, however many lines there are. */
export const kindsOf = (scenarios: readonly Pick<ScenarioResult, 'experiments'>[]): readonly Lane[] =>
  lanes.filter((kind) => scenarios.some((scenario) => linesOfKind(scenario, kind).length > 0));

export const linesOfKind = (scenario: Pick<ScenarioResult, 'experiments'>, kind: Lane): readonly LineId[] =>
  lanesOf(scenario).filter((id) => parseLineId(id)?.kind === kind);

/** An overview's cell: the only line of the kind as it is, several with their names; an en dash where there is none. */
export function byKind(
  scenario: Pick<ScenarioResult, 'experiments'>,
  kind: Lane,
  ofLine: (line: LineId) => string,
): string {
  const lines = linesOfKind(scenario, kind);
  const [only] = lines;
  if (lines.length === 1 && only) return ofLine(only);
  return lines.map((line) => `${line}: ${ofLine(line)}`).join(', ') || '–';
}

/** The lines that any experiment of the scenario has, in the usual order. */
export function lanesOf(scenario: Pick<ScenarioResult, 'experiments'>): readonly LineId[] {
  return linesOf(scenario.experiments);
}

/** The valid repeat that lost most in this lane (of all, where none is valid): what a column shows when there are several. */
export function worst(
  column: Column,
  lane: LineId,
): { readonly experiment: ExperimentResult; readonly result: LaneResult } | undefined {
  const valid = column.experiments.filter((experiment) => experiment.valid);
  return (valid.length > 0 ? valid : column.experiments)
    .flatMap((experiment) => {
      const result = experiment.lanes[lane];
      return result ? [{ experiment, result }] : [];
    })
    .toSorted((a, b) => b.result.lost - a.result.lost || b.result.longestOutageMs - a.result.longestOutageMs)
    .at(0);
}

/** Causes of a lane, most losses first. */
export function causesOf(lane: Pick<LaneResult, 'causes'>): readonly (readonly [Cause, number])[] {
  return causes
    .map((cause) => [cause, lane.causes[cause] ?? 0] as const)
    .filter(([, lost]) => lost > 0)
    .toSorted((a, b) => b[1] - a[1]);
}

/** Several repeats of one variant: in how many a lane lost nothing. */
export function cleanRuns(column: Column, lane: LineId): { readonly clean: number; readonly runs: number } {
  const results = column.experiments.flatMap((experiment) => experiment.lanes[lane] ?? []);
  return { clean: results.filter((result) => result.lost === 0).length, runs: results.length };
}
