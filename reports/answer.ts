// The answer that every report puts first: is it safe, why not, what to change, how sure. Pure, from results alone.
import type { LineId } from '../harness/model/line.ts';
import type { Cause, DirectVerdict, Results, ScenarioResult, Verdict } from '../harness/model/results.ts';
import { verdicts } from '../harness/model/results.ts';
import { count, counted, duration, listed, lostOf, nodesOf, percent } from '../harness/words/figures.ts';
import { causeWords, helpAgainst, lineWords } from '../harness/words/names.ts';
import { substitutionsShown } from './cases.ts';
import { beforeAfter, type Column, causesOf, cleanRuns, comparisons, lanesOf, worst } from './comparison.ts';
import { worstFirst } from './standing.ts';

export interface Answer {
  /** One sentence. */
  readonly headline: string;
  /** Per variant and lane: what was lost. Lanes are never added up. */
  readonly safe: readonly SafeLine[];
  readonly why: readonly WhyLine[];
  readonly change: readonly string[];
  readonly sure: readonly SureLine[];
}
export interface SafeLine {
  readonly column: Column;
  readonly role: 'before' | 'after' | 'only';
  readonly lanes: readonly {
    readonly lane: LineId;
    readonly lost: number;
    readonly attempts: number;
    readonly share: number;
    /** Whether the measurement was good enough: without it zero proves nothing. */
    readonly valid: boolean;
  }[];
}
export interface WhyLine {
  readonly cause: Cause;
  readonly lane: LineId;
  readonly lost: number;
  /** Share of the lane's losses. */
  readonly share: number;
}
export interface SureLine {
  readonly tone: 'good' | 'warn' | 'note';
  readonly text: string;
}

export function answerOf(scenario: ScenarioResult, results: Pick<Results, 'cluster'>): Answer {
  const { before, after } = beforeAfter(scenario);
  return {
    headline: headlineOf(scenario, before, after),
    safe: safeLines(scenario),
    why: whyLines(scenario, before),
    change: changeLines(scenario, before, after).filter((line) => !isSaid(line, scenario)),
    sure: sureLines(scenario, results, before, after),
  };
}

/** The answer of a run with several scenarios: how many of which verdict, the worst named first. */
export function suiteHeadline(scenarios: readonly ScenarioResult[]): string {
  if (scenarios.length === 0) return 'No scenario was run, so nothing is proven.';
  const tally = tallyOf(scenarios);
  const total = scenarios.length;
  if (tally.proven === total) return `All ${total} scenarios are proven.`;
  const named = (verdict: Verdict) => namesOf(scenarios.filter((scenario) => scenario.verdict === verdict));
  const watched = watchedHeadline(scenarios);
  if (watched) return watched;
  const direct = ownHeadline(scenarios);
  if (direct) return direct;
  const parts = [...toRead, 'safe' as const]
    .filter((verdict) => tally[verdict] > 0)
    .map((verdict) => `${count(tally[verdict])} ${verdict} (${named(verdict)})`);
  return `${count(tally.proven)} of ${counted(total, 'scenario')} proven; ${listed(parts)}.`;
}

const good: readonly Verdict[] = ['proven', 'safe', 'clean'];
/** Verdicts that need a reader, the worst first. */
const toRead = worstFirst.filter((verdict) => !good.includes(verdict));

/** Somebody's own workload in several scenarios: whether it is safe as it is comes first. */
function ownHeadline(scenarios: readonly ScenarioResult[]): string | undefined {
  const asked = scenarios.filter(({ verdict }) => verdict !== 'not-run');
  if (asked.length === 0 || asked.some(({ direct }) => !direct)) return undefined;
  const of = (verdict: DirectVerdict) => asked.filter(({ direct }) => direct?.verdict === verdict);
  const [loses, unclear] = [of('loses'), of('inconclusive')];
  const proven = asked.filter(({ verdict }) => verdict === 'proven').length;
  const more = [
    ...(unclear.length > 0
      ? [`${count(unclear.length)} not measured well enough (${namesOf(unclear)})`]
      : []),
    ...(proven > 0 ? [`with the settings nothing was lost in ${count(proven)} of them`] : []),
  ];
  const rest = more.length > 0 ? `; ${listed(more)}` : '';
  if (loses.length > 0) {
    return `Not safe as it is: it loses in ${loses.length} of ${counted(asked.length, 'scenario')} (${namesOf(loses)})${rest}.`;
  }
  return unclear.length === 0
    ? `Safe as it is in all ${counted(asked.length, 'scenario')}: nothing was lost.`
    : `Safe as it is in ${of('safe').length} of ${counted(asked.length, 'scenario')}${rest}.`;
}

/** Several Services that others changed. */
function watchedHeadline(scenarios: readonly ScenarioResult[]): string | undefined {
  const says = {
    lost: 'lost requests',
    inconclusive: 'not measured well enough',
    clean: 'changed without a loss',
    'nothing-changed': 'did not change',
  };
  const words = Object.keys(says) as (keyof typeof says)[];
  const of = (verdict: Verdict) => scenarios.filter((scenario) => scenario.verdict === verdict);
  const all = words.reduce((sum, verdict) => sum + of(verdict).length, 0) === scenarios.length;
  if (!all || of('inconclusive').length === scenarios.length) return undefined;
  const parts = words.flatMap((verdict) => {
    const some = of(verdict);
    return some.length > 0 ? [`${count(some.length)} ${says[verdict]} (${namesOf(some)})`] : [];
  });
  return `${counted(scenarios.length, 'Service')} watched: ${listed(parts)}.`;
}

function namesOf(scenarios: readonly ScenarioResult[]): string {
  const names = scenarios.map(({ name }) => name);
  return names.length <= 3 ? listed(names) : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

interface SuiteAnswer {
  readonly safe: readonly string[];
  /** Scenarios that lost something without the settings. */
  readonly lossy: number;
  readonly why: readonly { readonly cause: Cause; readonly scenarios: number }[];
  /** Settings of the variants that were proven to stop losses. */
  readonly settings: readonly string[];
  /** Scenarios whose verdict needs a reader, the worst first. */
  readonly attention: readonly ScenarioResult[];
  readonly sure: readonly SureLine[];
}

/** The answer of a suite, counted in scenarios: attempts of different scenarios are never added up. */
export function suiteAnswer(results: Pick<Results, 'cluster' | 'scenarios'>): SuiteAnswer {
  const { scenarios } = results;
  const compared = scenarios.map((scenario) => ({ scenario, ...beforeAfter(scenario) }));
  const lossy = compared.filter(({ scenario, before }) => before && lossyLanes(scenario, before).length > 0);
  const stopped = compared.filter(
    ({ scenario, before, after }) =>
      scenario.verdict === 'proven' &&
      before &&
      after &&
      lossyLanes(scenario, before).length > 0 &&
      lossyLanes(scenario, after).length === 0,
  );
  const both = lossy.filter(({ after }) => after?.experiments.every((experiment) => experiment.valid));
  const still = both.filter(({ scenario, after }) => after && lossyLanes(scenario, after).length > 0);
  const measured = compared.filter(({ before }) => before).length;
  const found = new Map<Cause, number>();
  for (const { scenario, before } of lossy) {
    for (const cause of new Set(whyLines(scenario, before).map((line) => line.cause))) {
      found.set(cause, (found.get(cause) ?? 0) + 1);
    }
  }
  return {
    safe:
      measured === 0
        ? ['Nothing was measured.']
        : [
            `As it is: ${lossy.length === 0 ? 'no scenario' : `${lossy.length} of ${counted(measured, 'scenario')}`} lost connections.`,
            ...(both.length > 0
              ? [
                  still.length === 0
                    ? `Of ${counted(both.length, 'well-measured scenario')}, none lost requests with the settings.`
                    : `Of ${counted(both.length, 'well-measured scenario')}, ${still.length} still lost requests with the settings.`,
                ]
              : []),
          ],
    lossy: lossy.length,
    why: [...found]
      .toSorted((a, b) => b[1] - a[1])
      .slice(0, 4)
      .map(([cause, n]) => ({ cause, scenarios: n })),
    settings: [...new Set(stopped.flatMap(({ after }) => after?.settings ?? []))],
    attention: toRead.flatMap((verdict) => scenarios.filter((scenario) => scenario.verdict === verdict)),
    sure: suiteSureLines(results),
  };
}

function suiteSureLines({ cluster, scenarios }: Pick<Results, 'cluster' | 'scenarios'>): readonly SureLine[] {
  const claims = scenarios.flatMap((scenario) => scenario.claims);
  const held = claims.filter((claim) => claim.result === claim.expected).length;
  const experiments = scenarios.flatMap((scenario) => scenario.experiments);
  const valid = experiments.filter((experiment) => experiment.valid).length;
  // Repeats are numbered from 0.
  const runs = Math.max(0, ...experiments.map((experiment) => experiment.repeat + 1));
  const again = scenarios.reduce((sum, scenario) => sum + (scenario.measuredAgain?.length ?? 0), 0);
  return [
    ...(claims.length > 0
      ? [
          {
            tone: held === claims.length ? 'good' : 'warn',
            text: `${held} of ${counted(claims.length, 'claim')} came out as expected`,
          } as const,
        ]
      : []),
    {
      tone: valid === experiments.length ? 'good' : 'warn',
      text: `${valid} of ${counted(experiments.length, 'experiment')} ${valid === 1 ? 'was' : 'were'} valid`,
    },
    ...(again > 0
      ? [{ tone: 'note', text: `${counted(again, 'experiment')} disturbed and measured again` } as const]
      : []),
    ...(isWatch(experiments)
      ? []
      : [
          {
            tone: 'note',
            text: runs > 1 ? `up to ${runs} runs per variant` : 'one run per variant (use --repeat for more)',
          } as const,
        ]),
    clusterLine(cluster),
  ];
}

function clusterLine(cluster: Results['cluster']): SureLine {
  return cluster.emulated
    ? {
        tone: 'warn',
        text: `emulated Kubernetes ${cluster.kubernetesVersion.replace(/\+.*/, '')}: real processes and connections, but not a real cluster`,
      }
    : {
        tone: 'good',
        text: `real Kubernetes ${cluster.kubernetesVersion} (${cluster.kind}, ${nodesOf(cluster)})`,
      };
}

export function tallyOf(scenarios: readonly ScenarioResult[]): Record<Verdict, number> {
  const tally = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Record<Verdict, number>;
  for (const { verdict } of scenarios) tally[verdict]++;
  return tally;
}

function headlineOf(scenario: ScenarioResult, before: Column | undefined, after: Column | undefined): string {
  const failed = scenario.claims.filter((claim) => claim.result === 'fails' && claim.expected === 'holds');
  const lossyAfter = after ? lossyLanes(scenario, after) : [];
  const lossyBefore = before ? lossyLanes(scenario, before) : [];
  switch (scenario.verdict) {
    case 'proven':
      if (!after || lossyBefore.length === 0) {
        return asExpected(scenario);
      }
      if (lossyAfter.length === 0) {
        return `Not safe as it is. Safe with ${settingsPhrase(after, before)}: nothing was lost.`;
      }
      return `Not safe as it is. Much safer with ${settingsPhrase(after, before)}, but ${listed(lossyAfter.map((lane) => laneLoss(after, lane)))}.`;
    case 'unneeded':
      return 'Nothing was lost even without the settings, so this run is no evidence for them.';
    case 'refuted':
      if (after && lossyAfter.length > 0) {
        if (scenario.direct?.verdict === 'loses' && after.settings.length === 0)
          return `Not safe as it is, and our settings have nothing to add: ${listed(lossyBefore.map((lane) => laneLoss(before!, lane)))}.`;
        const own = scenario.direct?.verdict === 'loses' ? ' as it is, and not' : ', even';
        return `Not safe${own} with ${settingsPhrase(after, before)}: ${listed(lossyAfter.map((lane) => laneLoss(after, lane)))}.`;
      }
      return ownFirst(
        scenario,
        before,
        failed.length === 1
          ? `a claim fails that was expected to hold (${failed[0]!.text.replace(/\.$/, '')}).`
          : `${failed.length || 'some'} of ${counted(scenario.claims.length, 'claim')} fail that were expected to hold.`,
      );
    case 'safe':
      return 'Safe as it is: nothing was lost.';
    case 'loses': {
      const nothingToAdd = scenario.variantsNotRun?.some(({ sameAs }) => sameAs !== undefined);
      return `Not safe as it is${nothingToAdd ? ', and our settings have nothing to add' : ''}: ${listed(lossyBefore.map((lane) => laneLoss(before!, lane)))}.`;
    }
    case 'inconclusive':
      return scenario.experiments.length > 0 && scenario.experiments.every(({ valid }) => valid)
        ? 'No verdict: what was measured is sound, but not all that is claimed was run.'
        : 'No answer yet: the measurement was not good enough.';
    case 'faulted':
      return 'No answer: the experiment failed.';
    case 'clean':
      return 'It was changed, and nothing was lost.';
    case 'lost':
      return `Changing it lost requests: ${listed(lossyBefore.map((lane) => laneLoss(before!, lane)))}.`;
    case 'nothing-changed':
      return 'Nothing changed while it was watched, so nothing is proven.';
    case 'not-run':
      return 'Not run: something that it needs is missing here.';
  }
}

/** Of somebody's own workload the direct verdict is the first thing said, whatever else is claimed. */
function ownFirst(scenario: ScenarioResult, before: Column | undefined, failure: string): string {
  if (!scenario.direct) return `No: ${failure}`;
  const { verdict } = scenario.direct;
  const lost = before ? lossyLanes(scenario, before).map((lane) => laneLoss(before, lane)) : [];
  const own =
    verdict === 'loses'
      ? `Not safe as it is${lost.length > 0 ? `: ${listed(lost)}` : ''}.`
      : verdict === 'safe'
        ? 'Safe as it is: nothing was lost.'
        : 'Not known whether it is safe as it is.';
  return `${own} Beside that, ${failure}`;
}

/** "Yes" only answers a question that asks for it, and that no published claim answers otherwise. */
function asExpected({ question, claims }: ScenarioResult): string {
  const plain = claims.every(({ expected }) => expected === 'holds');
  const yes = plain && /^(do|does|did|is|are|has|have|can|will)\b/i.test(question);
  const tested = claims.filter(({ result }) => result !== 'not-run').length;
  const which = tested < claims.length ? ' that could be tested here' : '';
  const all =
    tested === 1 ? `the claim${which} holds` : `all ${counted(tested, 'claim')}${which} are as expected`;
  return yes ? `Yes: ${all}.` : `${all[0]!.toUpperCase()}${all.slice(1)}.`;
}

const lossyLanes = (scenario: ScenarioResult, column: Column): readonly LineId[] =>
  lanesOf(scenario).filter((lane) => (worst(column, lane)?.result.lost ?? 0) > 0);

function laneLoss(column: Column, lane: LineId): string {
  return `${lineWords(lane).title} lost ${lostOf(worst(column, lane)!.result)}`;
}

/** Where both have the same settings, it is not they that make the difference. */
function settingsPhrase(column: Column, before: Column | undefined): string {
  const n = column.settings.length;
  if (n === 0 || !addsTo(before, column)) return `variant ${column.variant}`;
  return n === 1
    ? `the setting ${column.settings[0]} (“${column.variant}”)`
    : `the ${counted(n, 'setting')} of “${column.variant}”`;
}

const addsTo = (before: Column | undefined, after: Column): boolean =>
  before === undefined || after.settings.some((setting) => !before.settings.includes(setting));

/** Each path for itself. */
function safeLines(scenario: ScenarioResult): readonly SafeLine[] {
  const line = (column: Column, role: SafeLine['role']): SafeLine => ({
    column,
    role,
    lanes: lanesOf(scenario).flatMap((lane) => {
      const found = worst(column, lane);
      if (!found) return [];
      const { lost, attempts, lossRate } = found.result;
      const valid = column.experiments.every((experiment) => experiment.valid);
      return [{ lane, lost, attempts, share: lossRate.share, valid }];
    }),
  });
  return comparisons(scenario).flatMap(({ before, after }) => {
    if (before && after) return [line(before, 'before'), line(after, 'after')];
    return before ? [line(before, 'only')] : [];
  });
}

/** Causes in the variant before the change, lane by lane, the largest first. */
function whyLines(scenario: ScenarioResult, before: Column | undefined): readonly WhyLine[] {
  if (!before) return [];
  return lanesOf(scenario).flatMap((lane) => {
    const result = worst(before, lane)?.result;
    if (!result) return [];
    return causesOf(result).map(([cause, lost]) => ({ cause, lane, lost, share: lost / result.lost }));
  });
}

function changeLines(
  scenario: ScenarioResult,
  before: Column | undefined,
  after: Column | undefined,
): readonly string[] {
  if (scenario.verdict === 'refuted') {
    const what = scenario.advice.length > 0 ? scenario.advice : remedies(scenario, after ?? before);
    // A claim that fails is nothing to change: the claims stand by themselves.
    return what.length > 0 ? what : [scenario.reason];
  }
  if (scenario.advice.length > 0) return scenario.advice;
  if (scenario.verdict === 'loses' || scenario.verdict === 'lost') return remedies(scenario, before);
  const lossyBefore = before ? lossyLanes(scenario, before) : [];
  if (scenario.verdict === 'proven' && after && lossyBefore.length > 0) {
    return [
      after.settings.length > 0 && addsTo(before, after)
        ? `Apply ${settingsPhrase(after, before)}: ${listed(after.settings)}.`
        : `Do as ${settingsPhrase(after, before)} does.`,
    ];
  }
  if (scenario.verdict === 'nothing-changed') return [];
  if (['proven', 'unneeded', 'safe', 'clean'].includes(scenario.verdict))
    return ['Nothing, as far as this run shows.'];
  const reasons = scenario.experiments.flatMap((experiment) => experiment.invalid);
  return reasons.length > 0 ? [...new Set(reasons)] : [scenario.reason].filter(Boolean);
}

/** What stopped a run is its reason, said above: it is nothing to change beside it. */
const isSaid = (line: string, { verdict, reason, experiments }: ScenarioResult): boolean =>
  (verdict === 'faulted' ||
    verdict === 'not-run' ||
    verdict === 'refuted' ||
    experiments.some(({ episode }) => episode)) &&
  reason.includes(unstopped(line));

const isWatch = (experiments: ScenarioResult['experiments']): boolean =>
  experiments.some(({ episode }) => episode);

/** What helps against the causes of what was lost in a variant. */
function remedies(scenario: ScenarioResult, column: Column | undefined): readonly string[] {
  if (!column) return [];
  const found = lanesOf(scenario).flatMap((lane) => {
    const result = worst(column, lane)?.result;
    return result ? causesOf(result).map(([cause]) => cause) : [];
  });
  return [...new Set(found)].map(
    (cause) => `${causeWords[cause].title}: ${helpAgainst(cause, column.experiments)}`,
  );
}

function sureLines(
  scenario: ScenarioResult,
  results: Pick<Results, 'cluster'>,
  before: Column | undefined,
  after: Column | undefined,
): readonly SureLine[] {
  const lines: SureLine[] = [];
  const { claims } = scenario;
  if (claims.length > 0) {
    const asExpected = claims.filter(
      (claim) => claim.result !== 'undecided' && claim.result === claim.expected,
    ).length;
    const undecided = claims.filter((claim) => claim.result === 'undecided').length;
    const notRun = claims.filter((claim) => claim.result === 'not-run').length;
    lines.push({
      tone: asExpected === claims.length ? 'good' : 'warn',
      text: `${asExpected} of ${counted(claims.length, 'claim')} came out as expected${undecided ? `, ${undecided} undecided` : ''}${notRun ? `, ${notRun} not run` : ''}`,
    });
  }
  if (scenario.rounds && scenario.rounds.of > 1) {
    const { of, asVerdict } = scenario.rounds;
    lines.push({
      tone: asVerdict === of ? 'good' : 'warn',
      text: `${asVerdict} of ${of} rounds came to this verdict`,
    });
  }
  const shown = after ?? before;
  if (shown) {
    const runs = shown.experiments.length;
    if (runs > 1) {
      for (const lane of lanesOf(scenario)) {
        const { clean, runs: n } = cleanRuns(shown, lane);
        lines.push({
          tone: clean === n ? 'good' : 'warn',
          text: `${lineWords(lane).title}: nothing lost in ${clean} of ${n} ${isWatch(shown.experiments) ? 'changes' : `runs with ${shown.label}`}`,
        });
      }
    } else if (!isWatch(shown.experiments)) {
      lines.push({ tone: 'note', text: 'one run per variant (use --repeat for more)' });
    }
    const bounds = lanesOf(scenario)
      .flatMap((lane) => {
        const found = worst(shown, lane);
        const zero = found?.experiment.valid && found.result.lost === 0 && found.result.attempts > 0;
        return zero ? [found.result.lossRate.high95] : [];
      })
      .toSorted((a, b) => b - a);
    if (bounds[0] !== undefined) {
      lines.push({
        tone: 'note',
        text: `0 lost means: below ${percent(bounds[0])} with 95 % confidence, not never`,
      });
    }
  }
  for (const text of new Set(scenario.experiments.flatMap(({ warnings = [] }) => warnings)))
    lines.push({ tone: 'warn', text });
  const changed = scenario.direct ? substitutionsShown(scenario).length : 0;
  if (changed > 0)
    lines.push({
      tone: 'note',
      text: `your manifests ran with ${counted(changed, 'change')}, each told under “What had to be changed to run it”`,
    });
  for (const text of unchangedOf(scenario)) lines.push({ tone: 'note', text });
  for (const { variant, reason, sameAs } of scenario.variantsNotRun ?? [])
    lines.push({ tone: sameAs === undefined ? 'warn' : 'note', text: `${variant} was ${unstopped(reason)}` });
  const controls = scenario.experiments.flatMap((experiment) => experiment.control ?? []);
  const noise = controls.reduce((sum, control) => sum + control.lost, 0);
  if (controls.length > 0) {
    const attempts = controls.reduce((sum, control) => sum + control.attempts, 0);
    lines.push({
      tone: noise === 0 ? 'good' : 'warn',
      text: `the control target, which no step touches, lost ${lostOf({ lost: noise, attempts })}`,
    });
  }
  for (const { variant, reasons, setAside } of scenario.measuredAgain ?? []) {
    lines.push({
      tone: 'note',
      text: `${variant} was measured again: before, ${seenOf(reasons[0] ?? '')} (${setAside})`,
    });
  }
  const invalid = scenario.experiments.filter((experiment) => !experiment.valid).length;
  if (invalid > 0) {
    lines.push({
      tone: 'warn',
      text: `${counted(invalid, 'experiment')} of ${scenario.experiments.length} ${invalid === 1 ? 'was' : 'were'} not valid`,
    });
  }
  lines.push(clusterLine(results.cluster));
  return lines;
}

/** Settings that changed nothing, because the manifests say so already; each once. */
function unchangedOf({ experiments }: ScenarioResult): readonly string[] {
  const texts = experiments.flatMap(({ variant, unchanged = [] }) =>
    unchanged.map(({ setting, why }) => `${setting} of ${variant} changed nothing: ${why}`),
  );
  return [...new Set(texts)];
}

const unstopped = (sentence: string): string => sentence.replace(/\.$/, '');

/** A reason's first sentence, inside one of ours: what was seen, without what to change. */
function seenOf(reason: string): string {
  const end = reason.search(/[.:] (?=[A-Z])/);
  const seen = end < 0 ? reason.replace(/\.$/, '') : reason.slice(0, end);
  return `${seen.slice(0, 1).toLowerCase()}${seen.slice(1)}`;
}

/** What a run did not prove: said in every report, from what was and was not measured. */
export function limitsOf(results: Results): readonly string[] {
  const { cluster, scenarios } = results;
  const experiments = scenarios.flatMap((scenario) => scenario.experiments);
  const limits: string[] = [];
  if (cluster.emulated) {
    limits.push(
      `This was emulated Kubernetes: ${cluster.kubernetesVersion} as rollproof emulates it, with real processes and real connections on this machine. Container networks, node failures, cloud load balancers and your cluster’s timing were not part of it. Run it again with --cluster kind or --cluster context.`,
    );
  } else {
    limits.push(
      `Measured on one cluster: ${cluster.name} (Kubernetes ${cluster.kubernetesVersion}, ${nodesOf(cluster)}, kube-proxy mode ${cluster.proxyMode}). Another network plugin, proxy mode or a busier cluster may route longer to a pod that is gone.`,
    );
  }
  const paths = [...new Set(experiments.map((experiment) => experiment.path))];
  if (paths.length > 0) {
    limits.push(
      `Connections came over ${listed(paths)}. Ingress controllers, service meshes and cloud load balancers in front add their own lag.`,
    );
  }
  const zero = experiments
    .filter((experiment) => experiment.valid)
    .flatMap((experiment) =>
      Object.values(experiment.lanes).filter((lane) => lane.lost === 0 && lane.attempts > 0),
    );
  if (zero.length > 0) {
    const highest = Math.max(...zero.map((lane) => lane.lossRate.high95));
    limits.push(
      `Zero lost is not “never”: with the number of attempts made here a loss rate of up to ${percent(highest)} could still have gone unseen (95 %).`,
    );
  }
  if (experiments.length > 0 && experiments.every((experiment) => experiment.repeat === 0)) {
    limits.push('Every variant ran once. Timings differ from run to run; --repeat 10 shows by how much.');
  }
  const lanesSeen = new Set(experiments.flatMap((experiment) => Object.keys(experiment.lanes)));
  if (experiments.length > 0 && !lanesSeen.has('long')) {
    limits.push(
      'No long requests were in flight: how slow answers, uploads and streams fare was not measured.',
    );
  }
  // JSON has no Infinity: a clock that was never measured reads as null from a file.
  const errors = experiments.map((experiment) => experiment.clock.errorMs ?? Number.POSITIVE_INFINITY);
  const error = Math.max(0, ...errors);
  if (error === Number.POSITIVE_INFINITY) {
    limits.push(
      'The clocks of cluster and clients were not aligned in every experiment, so the order of events there is not certain.',
    );
  } else if (error > 0) {
    limits.push(
      `Times of cluster and clients agree to ± ${duration(error)}; a cause that rests on a closer order of events is given as unknown.`,
    );
  }
  const notRun = [
    ...scenarios
      .filter((scenario) => scenario.verdict === 'not-run')
      .map((scenario) => `${scenario.name} (${scenario.reason})`),
    ...scenarios.flatMap(({ name, verdict, variantsNotRun = [] }) =>
      variantsNotRun
        .filter(({ sameAs }) => sameAs === undefined && verdict !== 'not-run')
        .map(({ variant, reason }) => `${name}, variant ${variant} (${unstopped(reason)})`),
    ),
  ];
  if (notRun.length > 0) limits.push(`Not run, so not proven: ${listed(notRun)}.`);
  return limits;
}
