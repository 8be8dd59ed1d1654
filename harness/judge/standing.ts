// This run against the last ones of its kind: what is new, fixed or regressed, and where its figures stand among theirs.
import type { Results } from '../model/results.ts';
import { ofSameTarget, type RunSummary, shownVerdict, type VariantFigures } from '../model/run-summary.ts';
import {
  enoughRuns,
  type FigureStanding,
  type HistoryChip,
  type RunStanding,
  type ScenarioStanding,
} from '../model/standing.ts';
import { summarizeRun } from './summarize.ts';

/** How many earlier runs are looked at. */
export const historyRuns = 20;

type ScenarioSummary = RunSummary['scenarios'][number];

/** The last {@link historyRuns} runs before `now` of the same workload on the same kind of cluster, the oldest first. */
export function comparableRuns(
  history: readonly RunSummary[],
  now: {
    readonly runId: string;
    readonly startedAt: string;
    readonly cluster: { readonly kind: string; readonly emulated: boolean };
    readonly target?: string | undefined;
  },
): readonly RunSummary[] {
  return history
    .filter(
      (run) =>
        run.runId !== now.runId &&
        run.cluster.kind === now.cluster.kind &&
        run.cluster.emulated === now.cluster.emulated &&
        ofSameTarget(run, now) &&
        run.startedAt <= now.startedAt,
    )
    .toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt))
    .slice(-historyRuns);
}

/** `earlier`: as {@link comparableRuns} gives them. */
export function standingOf(earlier: readonly RunSummary[], results: Results): RunStanding {
  const now = summarizeRun(results);
  return {
    runs: earlier.length,
    scenarios: now.scenarios.map((scenario) => {
      const before = earlier.flatMap((run) => run.scenarios.filter(({ name }) => name === scenario.name));
      return scenarioStanding(scenario, before);
    }),
  };
}

function scenarioStanding(now: ScenarioSummary, before: readonly ScenarioSummary[]): ScenarioStanding {
  const last = before.findLast((one) => stateOf(one) !== undefined);
  const chip = before.length === 0 ? 'new' : last && chipOf(stateOf(last), stateOf(now));
  return {
    name: now.name,
    ...(chip && { chip }),
    ...(last && { before: shownVerdict(last) }),
    figures: before.length === 0 ? [] : now.variants.flatMap((variant) => figuresOf(variant, before)),
  };
}

const states: Readonly<Record<string, 'well' | 'ill'>> = {
  proven: 'well',
  safe: 'well',
  unneeded: 'well',
  clean: 'well',
  refuted: 'ill',
  loses: 'ill',
  lost: 'ill',
};
/** Undefined: it could not be told; such a run neither fixes nor breaks anything. */
const stateOf = (scenario: ScenarioSummary): 'well' | 'ill' | undefined => states[shownVerdict(scenario)];

function chipOf(
  before: 'well' | 'ill' | undefined,
  now: 'well' | 'ill' | undefined,
): HistoryChip | undefined {
  if (before === now || before === undefined || now === undefined) return undefined;
  return now === 'ill' ? 'regressed' : 'fixed';
}

function figuresOf(now: VariantFigures, before: readonly ScenarioSummary[]): FigureStanding[] {
  if (now.validRuns === 0) return [];
  const earlier = before
    .flatMap(({ variants }) => variants)
    .filter(
      (one) =>
        one.variant === now.variant &&
        one.path === now.path &&
        one.agents === now.agents &&
        one.validRuns > 0,
    );
  const variant = [
    now.variant,
    now.path !== 'cluster-ip' && now.path,
    now.agents > 1 && `${now.agents} agents`,
  ]
    .filter(Boolean)
    .join(', ');
  const standing = (
    figure: FigureStanding['figure'],
    value: number | null | undefined,
    values: readonly (number | null | undefined)[],
    line?: string,
  ): FigureStanding[] => {
    const known = values.filter((one) => typeof one === 'number').toSorted((a, b) => a - b);
    if (typeof value !== 'number' || known.length === 0) return [];
    const p95 = percentile(known, 95);
    return [
      {
        variant,
        ...(line !== undefined && { line }),
        figure,
        now: value,
        p50: percentile(known, 50),
        p95,
        runs: known.length,
        above: known.length >= enoughRuns && value > p95,
      },
    ];
  };
  return [
    ...Object.entries(now.lanes).flatMap(([line, figures]) =>
      (['lost', 'longestOutageMs'] as const).flatMap((figure) =>
        standing(
          figure,
          figures?.[figure],
          earlier.map(({ lanes }) => lanes[line]?.[figure]),
          line,
        ),
      ),
    ),
    ...standing(
      'rolloutMs',
      now.rolloutMs,
      earlier.map(({ rolloutMs }) => rolloutMs),
    ),
  ];
}

/** Nearest rank: the smallest value that is not below so many per cent of all. `sorted` has at least one. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] as number;
}
