// Evaluates one claim on the experiments that it applies to. What was not measured, or not well enough, is undecided.

import { type LineId, linesNamed, linesOf } from '../model/line.ts';
import type { ClaimResult, ExperimentResult, Fact, LaneResult } from '../model/results.ts';
import type { ClaimDefinition, Expectation } from '../model/scenario.ts';
import { count } from '../words/figures.ts';
import type { Measure } from './measures.ts';

type Result = ClaimResult['result'];

interface Evaluation {
  readonly experiment: ExperimentResult;
  readonly result: Result;
  readonly measured: string;
}

export function evaluateClaim(claim: ClaimDefinition, experiments: readonly ExperimentResult[]): ClaimResult {
  const { variant } = claim.appliesTo;
  const relevant = experiments.filter((one) => variant === undefined || one.variant === variant);
  const evaluations = relevant.map((experiment) => evaluate(claim, experiment, relevant.length > 1));
  const result = combine(claim, evaluations);
  return {
    id: claim.id,
    text: claim.text,
    source: claim.source,
    appliesTo: claim.appliesTo,
    expected: claim.expected,
    ...(claim.because !== undefined && { because: claim.because }),
    expect: claim.that.map(expectationText).join(' and '),
    measured: measuredText(claim, evaluations),
    result,
    facts: claimFacts(claim, evaluations, result),
    runs: {
      of: evaluations.length,
      holds: evaluations.filter((one) => one.result === 'holds').length,
      undecided: evaluations.filter((one) => one.result === 'undecided').length,
    },
  };
}

/**
 * A claim that something is lost says that it can happen: it holds when one experiment shows it. Every other claim has
 * to hold in every experiment.
 */
export function isExistential(claim: ClaimDefinition): boolean {
  return claim.that.every(
    ({ measure, atLeast, atMost, equals, contains }) =>
      isLossMeasure(measure) &&
      atLeast !== undefined &&
      atMost === undefined &&
      equals === undefined &&
      contains === undefined,
  );
}

const isLossMeasure = (measure: string): boolean =>
  /^(lost(:|$|Share|WithoutRaces)|cause:|races$|windows$)/.test(measure);

function combine(claim: ClaimDefinition, evaluations: readonly Evaluation[]): Result {
  const has = (result: Result) => evaluations.some((one) => one.result === result);
  if (evaluations.length === 0) return 'undecided';
  if (isExistential(claim)) return has('holds') ? 'holds' : has('undecided') ? 'undecided' : 'fails';
  return worstOf(evaluations.map((one) => one.result));
}

/** What holds in one place and was not run in another was not run. */
const worstOf = (results: readonly Result[]): Result =>
  (['fails', 'undecided', 'not-run'] as const).find((one) => results.includes(one)) ?? 'holds';

function evaluate(claim: ClaimDefinition, experiment: ExperimentResult, many: boolean): Evaluation {
  const parts = claim.that.map((expectation) => check(expectation, claim.appliesTo.lane, experiment));
  const where = many ? `${nameOf(experiment, claim)}: ` : '';
  const measured = where + [...new Set(parts.map((part) => part.text))].join(', ');
  if (!experiment.valid) {
    return {
      experiment,
      result: 'undecided',
      measured: `${measured} (not valid: ${experiment.invalid[0] ?? experiment.status})`,
    };
  }
  return { experiment, result: worstOf(parts.map((part) => part.result)), measured };
}

function nameOf({ variant, path, agents, repeat }: ExperimentResult, claim: ClaimDefinition): string {
  const parts = [
    claim.appliesTo.variant === undefined ? variant : '',
    path === 'cluster-ip' ? '' : path,
    agents > 1 ? `${agents} agents` : '',
    `run ${repeat + 1}`,
  ];
  return parts.filter(Boolean).join(', ');
}

interface Part {
  readonly result: Result;
  readonly text: string;
}

function check(expectation: Expectation, lane: LineId | undefined, experiment: ExperimentResult): Part {
  const { measure } = expectation;
  const values = valuesOf(measure, lane, experiment);
  if (values.length === 0) {
    const reason = experiment.notRun?.[measure];
    return reason === undefined
      ? { result: 'undecided', text: `${measure} was not measured` }
      : { result: 'not-run', text: `not measured: ${reason}` };
  }
  const text = values.map((value) => valueText(measure, value, experiment)).join(', ');
  const holds = values.map(({ value }) => meets(expectation, value));
  const onlyAtLeast =
    expectation.atMost === undefined &&
    expectation.equals === undefined &&
    expectation.contains === undefined;
  const all = values.length > 1 && onlyAtLeast ? holds.some(Boolean) : holds.every(Boolean);
  return { result: all ? 'holds' : 'fails', text };
}

interface Value {
  readonly lane?: LineId;
  readonly value: Measure;
}

/**
 * A claim with a lane looks at the lines that it names. Without one, a measure of lanes is looked at in each: an upper bound or an
 * exact value must hold in all of them, a lower bound in one.
 */
function valuesOf(measure: string, lane: LineId | undefined, experiment: ExperimentResult): Value[] {
  const { measures } = experiment;
  const present = linesOf([experiment]);
  const of = (lines: readonly LineId[]): Value[] =>
    lines.flatMap((one) => {
      const value = measures[`${one}.${measure}`];
      return value === undefined ? [] : [{ lane: one, value }];
    });
  if (lane !== undefined) {
    const named = of(linesNamed(lane, present));
    if (named.length > 0) return named;
  }
  const plain = measures[measure];
  if (plain !== undefined) return [{ value: plain }];
  return lane === undefined ? of(present) : [];
}

function meets({ equals, atLeast, atMost, contains }: Expectation, value: Measure): boolean {
  if (contains !== undefined && !String(value).includes(contains)) return false;
  if (equals !== undefined && value !== equals) return false;
  if (atLeast !== undefined && !(typeof value === 'number' && value >= atLeast)) return false;
  if (atMost !== undefined && !(typeof value === 'number' && value <= atMost)) return false;
  // A claim without a bound says that there is such a figure.
  return true;
}

export function expectationText({ measure, equals, atLeast, atMost, contains }: Expectation): string {
  const figure = (value: Measure) => (typeof value === 'number' ? count(value) : `"${value}"`);
  if (equals !== undefined) return `${measure} = ${figure(equals)}`;
  if (contains !== undefined) return `${measure} contains "${contains}"`;
  if (atLeast !== undefined && atMost !== undefined) {
    return atLeast === atMost
      ? `${measure} = ${count(atLeast)}`
      : `${measure} ${count(atLeast)} to ${count(atMost)}`;
  }
  // No count is below zero.
  if (atMost === 0) return `${measure} = 0`;
  if (atMost !== undefined) return `${measure} ≤ ${count(atMost)}`;
  if (atLeast !== undefined) return `${measure} ≥ ${count(atLeast)}`;
  return `${measure} is measured`;
}

function valueText(measure: string, { lane, value }: Value, experiment: ExperimentResult): string {
  const figure = typeof value === 'number' ? count(value) : `"${value}"`;
  const name = lane ? `${measure} (${lane})` : measure;
  const attempts = lane === undefined ? undefined : experiment.lanes[lane]?.attempts;
  const of =
    attempts !== undefined && (measure === 'lost' || measure.startsWith('lost:'))
      ? ` of ${count(attempts)}`
      : '';
  return `${name} ${figure}${of}`;
}

const MAX_RUNS_LISTED = 6;

function measuredText(claim: ClaimDefinition, evaluations: readonly Evaluation[]): string {
  if (evaluations.length === 0) {
    return claim.appliesTo.variant
      ? `not measured: variant ${claim.appliesTo.variant} did not run`
      : 'not measured';
  }
  const texts = evaluations.map((one) => one.measured);
  if (texts.length === 1) return texts[0] ?? '';
  const listed = texts.slice(0, MAX_RUNS_LISTED).join('; ');
  const more = texts.length > MAX_RUNS_LISTED ? `; and ${texts.length - MAX_RUNS_LISTED} more` : '';
  const holds = evaluations.filter((one) => one.result === 'holds').length;
  return `holds in ${holds} of ${texts.length} (${listed}${more})`;
}

const MAX_FACTS = 8;

/** What the claim's figure rests on: the facts of the causes of the losses that it is about. */
function claimFacts(claim: ClaimDefinition, evaluations: readonly Evaluation[], result: Result): Fact[] {
  const shown = evaluations.find((one) => one.result === result) ?? evaluations[0];
  if (!shown || !claim.that.some(({ measure }) => isLossMeasure(measure) || measure === 'longestOutageMs'))
    return [];
  const wanted = new Set(
    claim.that
      .filter(({ measure }) => measure.startsWith('cause:'))
      .map(({ measure }) => measure.slice('cause:'.length)),
  );
  const { lane } = claim.appliesTo;
  const results: LaneResult[] = lane
    ? linesNamed(lane, linesOf([shown.experiment])).flatMap((line) => shown.experiment.lanes[line] ?? [])
    : Object.values(shown.experiment.lanes).flatMap((one) => one ?? []);
  const facts = results
    .flatMap((one) => one.windows)
    .flatMap((window) => window.causes)
    .filter(({ cause }) => wanted.size === 0 || wanted.has(cause))
    .sort((a, b) => b.lost - a.lost)
    .flatMap((share) => share.facts);
  return facts.slice(0, MAX_FACTS);
}
