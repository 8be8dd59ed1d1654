// The gate: bounds that a run must keep, whatever its verdicts say. Names the line that was crossed.
import { type ExitCode, exitCode } from '../model/errors.ts';
import { type ByLine, linesNamed, linesOf } from '../model/line.ts';
import type { ExperimentResult, Results, ScenarioResult } from '../model/results.ts';
import type { GateCrossing, GateResult, RunSummary } from '../model/run-summary.ts';
import { asIsName, watchedName } from '../model/setting.ts';
import { count, duration, listed } from '../words/figures.ts';
import { compareRuns } from './compare.ts';
import { summarizeRun } from './summarize.ts';

/** The section `gate` of the configuration. */
interface GateRules {
  /** Most lost requests per lane, in each experiment of the gated variants. */
  readonly maxLost?: ByLine<number> | undefined;
  readonly maxOutageMs?: number | undefined;
  readonly noWorseThanLastGreen?: boolean | undefined;
  /** Undefined: those that ran on the user's own workload (as-is, hardened); `hardened` for the built-in target. */
  readonly variants?: readonly string[] | undefined;
}

/** `green`: the last green run of the history; undefined when there is none yet, which crosses nothing. */
export function passGate(results: Results, given: GateRules, green?: RunSummary): GateResult {
  const rules = { ...given, variants: given.variants ?? defaultVariants(results) };
  const crossed: GateCrossing[] = [];
  const undecided: string[] = [];
  let looked = 0;
  for (const scenario of results.scenarios) {
    const judged = new Set(rules.variants.map((variant) => stoodFor(scenario, variant)));
    for (const experiment of scenario.experiments) {
      if (!judged.has(experiment.variant)) continue;
      const where = place(scenario.name, experiment);
      if (!experiment.valid) {
        undecided.push(
          `${where} was not measured well enough: ${experiment.invalid[0] ?? experiment.status}`,
        );
        continue;
      }
      looked++;
      for (const text of crossings(experiment, rules)) {
        crossed.push({
          rule: text.rule,
          scenario: scenario.name,
          variant: experiment.variant,
          text: `${where}: ${text.text}`,
        });
      }
    }
  }
  const ran = variantsOf(results);
  const missing = rules.variants.filter((variant) => !ran.has(variant));
  if (looked === 0 && undecided.length === 0) {
    undecided.push(
      `No experiment of variant ${listed(rules.variants)} ran, so the gate had nothing to look at.`,
    );
  } else if (missing.length > 0) {
    undecided.push(
      `Variant ${listed(missing)}, which gate.variants names, did not run; there are ${listed([...ran])}.`,
    );
  }
  if (rules.noWorseThanLastGreen && green) {
    for (const { text, scenario, variant } of worse(results, rules, green)) {
      crossed.push({ rule: 'noWorseThanLastGreen', scenario, variant, text });
    }
  }
  return {
    state: crossed.length > 0 ? 'crossed' : undecided.length > 0 ? 'undecided' : 'passed',
    crossed,
    undecided,
    ...(rules.noWorseThanLastGreen &&
      green && { lastGreen: { runId: green.runId, startedAt: green.startedAt } }),
  };
}

/** A variant whose settings change nothing was measured under the name of the one that it is the same as. */
const stoodFor = ({ variantsNotRun = [] }: ScenarioResult, name: string): string =>
  variantsNotRun.find(({ variant }) => variant === name)?.sameAs ?? name;

const variantsOf = ({ scenarios }: Results): ReadonlySet<string> =>
  new Set(
    scenarios.flatMap(({ experiments, variantsNotRun = [] }) => [
      ...experiments.map(({ variant }) => variant),
      ...variantsNotRun.flatMap(({ variant, sameAs }) => (sameAs === undefined ? [] : [variant])),
    ]),
  );

function defaultVariants(results: Results): readonly string[] {
  const ran = variantsOf(results);
  if (ran.has(watchedName)) return [watchedName];
  return ran.has(asIsName) ? [asIsName, ...(ran.has(HARDENED) ? [HARDENED] : [])] : [HARDENED];
}

const HARDENED = 'hardened';

interface ResolvedRules extends GateRules {
  readonly variants: readonly string[];
}

export function gateExitCode({ state }: GateResult): ExitCode {
  switch (state) {
    case 'passed':
      return exitCode.ok;
    case 'crossed':
      return exitCode.refuted;
    case 'undecided':
      return exitCode.inconclusive;
  }
}

function place(scenario: string, { variant, path, agents, repeat }: ExperimentResult): string {
  return [
    `${scenario}, ${variant}`,
    path === 'cluster-ip' ? '' : path,
    agents > 1 ? `${agents} agents` : '',
    repeat > 0 ? `run ${repeat + 1}` : '',
  ]
    .filter(Boolean)
    .join(', ');
}

function crossings(
  experiment: ExperimentResult,
  rules: GateRules,
): { rule: 'maxLost' | 'maxOutageMs'; text: string }[] {
  const found: { rule: 'maxLost' | 'maxOutageMs'; text: string }[] = [];
  const present = linesOf([experiment]);
  const bounds = Object.entries(rules.maxLost ?? {}).flatMap(([name, most]) =>
    linesNamed(name, present).map((lane) => ({ lane, name, most })),
  );
  for (const lane of present) {
    const result = experiment.lanes[lane];
    if (!result) continue;
    // A bound for the line itself stands before one for all of its kind.
    const bound =
      bounds.find((one) => one.lane === lane && one.name === lane) ?? bounds.find((one) => one.lane === lane);
    const most = bound?.most;
    if (most !== undefined && result.lost > most) {
      found.push({
        rule: 'maxLost',
        text: `lane ${lane} lost ${count(result.lost)} of ${count(result.attempts)}, gate.maxLost.${bound?.name ?? lane} allows ${count(most)}`,
      });
    }
    if (rules.maxOutageMs !== undefined && result.longestOutageMs > rules.maxOutageMs) {
      found.push({
        rule: 'maxOutageMs',
        text: `lane ${lane} had an outage of ${duration(result.longestOutageMs)}, gate.maxOutageMs allows ${duration(rules.maxOutageMs)}`,
      });
    }
  }
  return found;
}

function worse(results: Results, rules: ResolvedRules, green: RunSummary) {
  return compareRuns(green, summarizeRun(results)).scenarios.flatMap((scenario) =>
    scenario.figures
      .filter(
        (figure) =>
          rules.variants.includes(figure.variant) &&
          figure.change === 'worse' &&
          (figure.figure === 'lost' || figure.figure === 'longestOutageMs'),
      )
      .map((figure) => ({
        scenario: scenario.name,
        variant: figure.variant,
        text: `${scenario.name}, ${figure.text}, worse than the last green run (${green.runId}, ${green.startedAt})`,
      })),
  );
}
