// The verdict of a scenario: its claims on its experiments, and a sentence with figures that says why.

import { linesOf } from '../model/line.ts';
import type {
  ClaimResult,
  DirectResult,
  ExperimentResult,
  ScenarioResult,
  Verdict,
} from '../model/results.ts';
import type { MeasuredAgain, VariantNotRun, WatchedServiceFacts } from '../model/run.ts';
import type { ClaimDefinition, Scenario } from '../model/scenario.ts';
import { asIsName } from '../model/setting.ts';
import { count, counted, listed, percent } from '../words/figures.ts';
import { judgeAblation } from './ablation.ts';
import { advise } from './advice.ts';
import { evaluateClaim, isExistential } from './claims.ts';
import { costOfSafety } from './cost.ts';
import { judgeDirect } from './direct.ts';
import { judgeWatched } from './watched.ts';

interface ScenarioFaults {
  /** The cluster cannot run it; the reason. */
  readonly notRun?: string;
  /** Experiments that left no journal, each with the reason. */
  readonly undeployed?: readonly { readonly variant: string; readonly reason: string }[];
  readonly variantsNotRun?: readonly VariantNotRun[];
  readonly measuredAgain?: readonly MeasuredAgain[];
  /** It stands for a Service that was watched. */
  readonly watched?: WatchedServiceFacts;
}

export function judgeScenario(
  scenario: Scenario,
  experiments: readonly ExperimentResult[],
  faults: ScenarioFaults = {},
): ScenarioResult {
  const claims = claimsMade(scenario, experiments).map((claim) => evaluateClaim(claim, experiments));
  if (faults.watched || experiments.some(({ episode }) => episode))
    return watchedService(scenario, experiments, faults.watched);
  const { verdict, reason } = decide(scenario, claims, experiments, faults);
  const direct = judgeDirect(experiments);
  const rounds = verdictsOfRounds(scenario, experiments, verdict, faults);
  const ablation = judgeAblation(experiments);
  const again = (faults.measuredAgain ?? []).map(({ scenario: _, ...told }) => told);
  const cost = costOfSafety(experiments);
  const { variantsNotRun = [] } = faults;
  return {
    name: scenario.id,
    title: scenario.title,
    question: scenario.question,
    verdict,
    reason: rounds ? `${reason} (${rounds.asVerdict} of ${rounds.of} repeats say ${verdict})` : reason,
    ...(direct && { direct }),
    advice: [...(ablation?.advice ?? []), ...advise(comparable(experiments), ablation?.settings)],
    claims,
    experiments,
    ...(variantsNotRun.length > 0 && { variantsNotRun }),
    ...(again.length > 0 && { measuredAgain: again }),
    ...(rounds && { rounds }),
    ...(cost && { cost }),
    ...(ablation && { ablation }),
  };
}

const patchOf = (watched: WatchedServiceFacts | undefined): string[] =>
  watched?.remedy
    ? [
        `What it lacks of the recommended settings (${watched.remedy.settings.join(', ')}) is in ${watched.remedy.file}: ${watched.remedy.command}${watched.remedy.note ? `. ${watched.remedy.note}` : ''}`,
      ]
    : [];

/** Nobody claims anything of what others change: its episodes are the answer. */
function watchedService(
  { id, title: name, question }: Scenario,
  experiments: readonly ExperimentResult[],
  watched: WatchedServiceFacts | undefined,
): ScenarioResult {
  const { verdict, reason } = judgeWatched(experiments, watched);
  return {
    name: id,
    title: name,
    question,
    verdict,
    reason,
    advice: [...advise(experiments), ...(verdict === 'lost' ? patchOf(watched) : [])],
    claims: [],
    experiments,
  };
}

/**
 * Of somebody's own workload nobody claims that it loses: whether it does is the direct verdict. What is claimed of
 * variants that did not run beside it is not asked.
 */
function claimsMade(
  scenario: Scenario,
  experiments: readonly ExperimentResult[],
): readonly ClaimDefinition[] {
  const ran = new Set(experiments.map(({ variant }) => variant));
  if (!ran.has(asIsName)) return scenario.claims;
  return scenario.claims.filter(({ role, appliesTo: { variant } }) => {
    if (variant === undefined) return true;
    return ran.has(variant) && !(role === 'baseline-loses' && variant === asIsName);
  });
}

/** Cases are different targets: what their settings save is no comparison, but the one to end with may still lose. */
const comparable = (experiments: readonly ExperimentResult[]): readonly ExperimentResult[] =>
  experiments.filter((experiment) => experiment.case === undefined || experiment.case.role === 'after');

interface Decision {
  readonly verdict: Verdict;
  readonly reason: string;
}

/** In this order: what could not run, what failed, what is contradicted, what is not known, what is not needed. */
function decide(
  scenario: Scenario,
  claims: readonly ClaimResult[],
  experiments: readonly ExperimentResult[],
  faults: ScenarioFaults,
): Decision {
  if (faults.notRun !== undefined) return { verdict: 'not-run', reason: faults.notRun };
  const undeployed = faults.undeployed?.[0];
  if (undeployed) {
    return {
      verdict: 'faulted',
      reason: `Variant ${undeployed.variant} ${undeployed.reason}`,
    };
  }
  if (experiments.length === 0) return { verdict: 'not-run', reason: 'No experiment of it ran.' };
  const faulted = experiments.find((experiment) => experiment.status === 'faulted');
  if (faulted)
    return {
      verdict: 'faulted',
      reason: `${title(faulted)}: ${faulted.invalid[0] ?? 'the experiment failed.'}`,
    };

  const direct = judgeDirect(experiments);
  // Nothing but the user's own ran: its direct verdict is the answer.
  if (direct && experiments.every(({ variant }) => variant === direct.variant)) {
    const { verdict, reason } = direct;
    return { verdict, reason };
  }
  const definitions = new Map(scenario.claims.map((claim) => [claim.id, claim]));
  const nothingLost = claims.filter(
    (claim) => claim.result === 'fails' && definitions.get(claim.id)?.role === 'baseline-loses',
  );
  const contradicted = claims.filter((claim) =>
    isContradicted(claim, definitions.get(claim.id), nothingLost),
  );
  if (contradicted.length > 0) return { verdict: 'refuted', reason: refutation(contradicted) };

  // What is safe as it is needs no settings, whatever else is not known of them.
  if (direct?.verdict === 'safe') {
    return { verdict: 'safe', reason: `${direct.reason} ${lossesOf(experiments)}`.trim() };
  }
  const undecided = claims.filter((claim) => claim.result === 'undecided');
  if (undecided.length > 0) {
    const reason = doubt(undecided, experiments);
    return direct?.verdict === 'loses'
      ? { verdict: 'loses', reason: `${direct.reason} ${reason}` }
      : { verdict: 'inconclusive', reason };
  }
  if (claims.length === 0) {
    if (direct) return besideSettings(direct, claims, experiments);
    return {
      verdict: 'inconclusive',
      reason:
        `The scenario claims nothing, so nothing was proven. Add claims to it. ${lossesOf(experiments)}`.trim(),
    };
  }
  const [untested] = claims;
  if (untested && claims.every((claim) => claim.result === 'not-run')) {
    return { verdict: 'not-run', reason: `Claim ${quote(untested)}: ${untested.measured}.` };
  }
  if (direct) return besideSettings(direct, claims, experiments);
  if (nothingLost.length > 0) return { verdict: 'unneeded', reason: unneeded(nothingLost, experiments) };
  return { verdict: 'proven', reason: proof(claims, experiments) };
}

/** It ran as it is and with settings: they are proven when it loses as it is, and nothing with most of them. */
function besideSettings(
  direct: DirectResult,
  claims: readonly ClaimResult[],
  experiments: readonly ExperimentResult[],
): Decision {
  const most = Math.max(...experiments.map(({ settings }) => settings.length));
  const fullest = experiments.filter(({ settings }) => settings.length === most && most > 0);
  const clean =
    fullest.length > 0 &&
    fullest.every(({ valid, lanes: own }) => valid && Object.values(own).every(({ lost }) => lost === 0));
  if (direct.verdict === 'loses' && clean) return { verdict: 'proven', reason: proof(claims, experiments) };
  return { verdict: direct.verdict, reason: `${direct.reason} ${lossesOf(experiments)}`.trim() };
}

/**
 * A claim that was expected to hold and fails. That the baseline loses is no promise: when it does not, the settings
 * are unneeded here, and what else is said about the baseline's losses falls with it.
 */
function isContradicted(
  claim: ClaimResult,
  definition: ClaimDefinition | undefined,
  nothingLost: readonly ClaimResult[],
): boolean {
  if (claim.result !== 'fails' || claim.expected === 'fails' || !definition) return false;
  if (definition.role === 'baseline-loses') return false;
  const aboutSameLosses =
    isExistential(definition) &&
    nothingLost.some(
      (other) =>
        other.appliesTo.variant === claim.appliesTo.variant &&
        (other.appliesTo.lane === undefined || other.appliesTo.lane === claim.appliesTo.lane),
    );
  return !aboutSameLosses;
}

const title = ({ variant, path, agents, repeat }: ExperimentResult): string =>
  [
    `Variant ${variant}`,
    path === 'cluster-ip' ? '' : `path ${path}`,
    agents > 1 ? `${agents} agents` : '',
    repeat > 0 ? `run ${repeat + 1}` : '',
  ]
    .filter(Boolean)
    .join(', ');

function refutation(contradicted: readonly ClaimResult[]): string {
  const [first] = contradicted;
  if (!first) return '';
  const more =
    contradicted.length > 1 ? ` ${counted(contradicted.length - 1, 'other claim')} failed too.` : '';
  const cause = first.facts[0] ? ` First fact: ${first.facts[0].text}.` : '';
  return `Claimed: ${quote(first)} (${first.expect}). Measured${variantOf(first)}: ${first.measured}.${cause}${more}`;
}

const quote = (claim: ClaimResult) => `“${claim.text.replace(/\.$/, '')}”`;
const variantOf = (claim: ClaimResult) => (claim.appliesTo.variant ? ` in ${claim.appliesTo.variant}` : '');

/** The experiments that a claim is undecided for say themselves what to change. */
function doubt(undecided: readonly ClaimResult[], experiments: readonly ExperimentResult[]): string {
  const invalid = experiments.filter(
    (experiment) =>
      !experiment.valid &&
      undecided.some(
        ({ appliesTo }) => appliesTo.variant === undefined || appliesTo.variant === experiment.variant,
      ),
  );
  const [first] = invalid;
  if (first) {
    const more = invalid.length > 1 ? ` (${counted(invalid.length, 'experiment')} are not valid)` : '';
    return `${title(first)}: ${first.invalid[0] ?? 'the measurement was not good enough.'}${more}`;
  }
  const missing = variantsMissing(undecided, experiments);
  if (missing.length > 0) {
    return `${listed(missing)} did not run, so nothing is said of ${missing.length === 1 ? 'it' : 'them'}. ${lossesOf(experiments)}`.trim();
  }
  const [claim] = undecided;
  return claim
    ? `Claim ${quote(claim)} could not be decided: ${claim.measured}. Run the variant and cluster that it needs.`
    : '';
}

/** Variants that claims are about and that did not run. */
function variantsMissing(claims: readonly ClaimResult[], experiments: readonly ExperimentResult[]): string[] {
  const ran = new Set(experiments.map(({ variant }) => variant));
  const named = claims.flatMap(({ appliesTo }) => appliesTo.variant ?? []);
  return [...new Set(named)].filter((variant) => !ran.has(variant));
}

function unneeded(nothingLost: readonly ClaimResult[], experiments: readonly ExperimentResult[]): string {
  const where = nothingLost.map(({ appliesTo }) =>
    [appliesTo.variant, appliesTo.lane && `lane ${appliesTo.lane}`].filter(Boolean).join(', '),
  );
  return `Nothing was lost without the settings (${listed(where)}), so there is no evidence that they are needed here. ${lossesOf(experiments)}`.trim();
}

function proof(all: readonly ClaimResult[], experiments: readonly ExperimentResult[]): string {
  const claims = all.filter((claim) => claim.result !== 'not-run');
  const untested = all.filter((claim) => claim.result === 'not-run');
  const expectedToFail = claims.filter((claim) => claim.expected === 'fails');
  const contradicted = expectedToFail.filter((claim) => claim.result === 'fails').length;
  const surprising = expectedToFail.filter((claim) => claim.result === 'holds');
  const held = claims.filter((claim) => claim.expected === 'holds').length;
  const parts = [
    lossesOf(experiments),
    held > 0 ? `${held === 1 ? 'The claim holds' : `All ${held} claims hold`}.` : '',
    contradicted > 0
      ? `${counted(contradicted, 'published claim')} ${contradicted === 1 ? 'is' : 'are'} contradicted, as expected.`
      : '',
    surprising.length > 0 && surprising[0]
      ? `${counted(surprising.length, 'claim')} expected to fail held here: ${quote(surprising[0])}.`
      : '',
    ...untested.map((claim) => `Not run: ${quote(claim)} (${claim.measured}).`),
  ];
  return parts.filter(Boolean).join(' ');
}

/** "baseline lost 320 of 6,000 (new) and 76 of 6,000 (kept); hardened lost 0 of 6,000 (new, at most 0.05 %) …": valid runs, if there is one. */
function lossesOf(experiments: readonly ExperimentResult[]): string {
  const variants = [...new Set(experiments.map((experiment) => experiment.variant))];
  const told = variants.length <= MOST_VARIANTS_TOLD ? variants : ends(experiments);
  const texts = told.map((variant) => {
    const all = experiments.filter((experiment) => experiment.variant === variant);
    const valid = all.filter((experiment) => experiment.valid);
    const ofVariant = valid.length > 0 ? valid : all;
    const parts = linesOf(ofVariant).flatMap((lane) => {
      const results = ofVariant
        .map((experiment) => experiment.lanes[lane])
        .filter((result) => result !== undefined);
      if (results.length === 0) return [];
      const lost = results.reduce((sum, result) => sum + result.lost, 0);
      const attempts = results.reduce((sum, result) => sum + result.attempts, 0);
      const bound = lost === 0 && attempts > 0 ? `, at most ${percent(Math.min(1, 3 / attempts))}` : '';
      return [`${count(lost)} of ${count(attempts)} (${lane}${bound})`];
    });
    return parts.length > 0 ? `${variant} lost ${listed(parts)}` : '';
  });
  const text = texts.filter(Boolean).join('; ');
  const others = variants.length - told.length;
  const rest = others > 0 ? ` ${counted(others, 'other combination')} of settings ran too.` : '';
  return text ? `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.${rest}` : '';
}

const MOST_VARIANTS_TOLD = 4;

/** The variants with the fewest and the most settings. */
function ends(experiments: readonly ExperimentResult[]): string[] {
  const bySettings = experiments.toSorted((a, b) => a.settings.length - b.settings.length);
  return [...new Set([bySettings[0], bySettings.at(-1)].flatMap((one) => one?.variant ?? []))];
}

/** Each repeat judged alone: how many of them say what all together say. */
function verdictsOfRounds(
  scenario: Scenario,
  experiments: readonly ExperimentResult[],
  verdict: Verdict,
  faults: ScenarioFaults,
): ScenarioResult['rounds'] {
  const repeats = [...new Set(experiments.map((experiment) => experiment.repeat))];
  if (repeats.length < 2) return undefined;
  const verdicts = repeats.map((repeat) => {
    const round = experiments.filter((experiment) => experiment.repeat === repeat);
    const claims = claimsMade(scenario, round).map((claim) => evaluateClaim(claim, round));
    return decide(scenario, claims, round, faults).verdict;
  });
  return { of: repeats.length, asVerdict: verdicts.filter((one) => one === verdict).length };
}
