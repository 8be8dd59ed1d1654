// Compares two runs by their figures: what got better, what got worse, beyond chance and tolerance.
import { linesOf } from '../model/line.ts';
import type { Verdict } from '../model/results.ts';
import type {
  ChangeWord,
  Comparison,
  FigureChange,
  LaneFigures,
  RunSummary,
  ScenarioChange,
  VariantFigures,
} from '../model/run-summary.ts';
import { watchedName } from '../model/setting.ts';
import { count, duration, listed, percent, podSeconds } from '../words/figures.ts';
import { targetText } from '../words/names.ts';
import { isMoreLost, lossRate } from './statistics.ts';

/** Outages differ by this much at least: one bucket and a quarter. */
const OUTAGE_TOLERANCE = { ms: 100, share: 0.25 };
/** Milestones of the same rollout vary by this much from run to run (recordings of Kubernetes v1.34.4). */
const ROLLOUT_TOLERANCE = { ms: 1000, share: 0.25 };
const POD_SECONDS_TOLERANCE = { ms: 2, share: 0.25 };

export function compareRuns(before: RunSummary, after: RunSummary): Comparison {
  const names = [...new Set([...before.scenarios, ...after.scenarios].map((scenario) => scenario.name))];
  const scenarios = names.map((name) =>
    compareScenario(
      name,
      before.scenarios.find((scenario) => scenario.name === name),
      after.scenarios.find((scenario) => scenario.name === name),
    ),
  );
  return { before, after, notes: differences(before, after), scenarios, summary: summary(scenarios) };
}

function differences(before: RunSummary, after: RunSummary): string[] {
  const notes: string[] = [];
  const say = (what: string, a: string, b: string) => {
    if (a !== b) notes.push(`Another ${what}: ${a} before, ${b} after.`);
  };
  const cluster = (run: RunSummary) => `${run.cluster.kind}${run.cluster.emulated ? ' (emulated)' : ''}`;
  say('kind of cluster', cluster(before), cluster(after));
  say('Kubernetes version', before.cluster.kubernetesVersion, after.cluster.kubernetesVersion);
  if (before.target !== undefined && after.target !== undefined)
    say('workload', targetText(before.target), targetText(after.target));
  say('version of rollproof', version(before), version(after));
  return notes;
}

const version = ({ tool }: RunSummary) => (tool.commit ? `${tool.version} (${tool.commit})` : tool.version);

type Side = RunSummary['scenarios'][number];

function compareScenario(name: string, before: Side | undefined, after: Side | undefined): ScenarioChange {
  if (!before || !after) {
    return {
      name,
      change: before ? 'gone' : 'new',
      ...(before && { before: before.verdict }),
      ...(after && { after: after.verdict }),
      figures: [],
    };
  }
  const figures = after.variants.flatMap((variant) => {
    const same = before.variants.find(
      (other) =>
        other.variant === variant.variant && other.path === variant.path && other.agents === variant.agents,
    );
    return same ? compareVariant(same, variant) : [];
  });
  return {
    name,
    change: overall(ownVerdict(before), ownVerdict(after), figures),
    before: before.verdict,
    after: after.verdict,
    ...watchedText(before, after),
    figures,
  };
}

/** Changes differ in length, and so does the share of the requests meanwhile that was lost: its interval is told, too. */
function watchedText(before: Side, after: Side): Pick<ScenarioChange, 'watched'> {
  const [a, b] = [before, after].map((side) => side.variants.find(({ variant }) => variant === watchedName));
  if (!a || !b) return {};
  const lanes = linesOf([a, b]).flatMap((line) => {
    const [was, is] = [a.lanes[line], b.lanes[line]];
    return was && is ? [{ line, was, is, change: lostChange(was, is) }] : [];
  });
  if (a.validRuns === 0 || b.validRuns === 0 || lanes.length === 0)
    return { watched: 'Whether it lost less cannot be told: one of the two was not measured well enough.' };
  const some = (change: ChangeWord) => lanes.some((lane) => lane.change === change);
  const answer = some('worse')
    ? some('better')
      ? 'It lost less in one lane and more in another'
      : 'It lost more than before'
    : some('better')
      ? 'It lost less than before'
      : 'No difference beyond chance';
  const parts = lanes.map(({ line, was, is }) => `lane ${line} ${rateText(was)} before, ${rateText(is)} now`);
  return { watched: `${answer}: ${listed(parts)}.` };
}

/** "12 of 300 (4 %; 2.3 % to 6.9 %)"; "none of 310 (at most 0.97 %)". */
function rateText({ lost, attempts }: LaneFigures): string {
  const { share, low95, high95 } = lossRate(lost, attempts);
  return lost === 0
    ? `none of ${count(attempts)} (at most ${percent(high95)})`
    : `${count(lost)} of ${count(attempts)} (${percent(share)}; ${percent(low95)} to ${percent(high95)})`;
}

/** From good to bad; what could not be judged is neither. */
const rank: Readonly<Record<Verdict, number | undefined>> = {
  proven: 0,
  unneeded: 0,
  refuted: 1,
  safe: 0,
  loses: 1,
  clean: 0,
  lost: 1,
  'nothing-changed': undefined,
  inconclusive: undefined,
  faulted: undefined,
  'not-run': undefined,
};

/** Where the user's own workload ran as it is, that it got better or worse is what counts. */
const ownVerdict = ({ verdict, direct }: Side): Verdict => direct ?? verdict;

function overall(before: Verdict, after: Verdict, figures: readonly FigureChange[]): ChangeWord {
  const a = rank[before];
  const b = rank[after];
  if (a === undefined || b === undefined) return before === after ? 'same' : 'unclear';
  if (a !== b) return b > a ? 'worse' : 'better';
  // The verdict stands: what counts is what was lost, not what it cost.
  const losses = deciding(figures).filter((one) => one.figure === 'lost' || one.figure === 'longestOutageMs');
  if (losses.some((one) => one.change === 'worse')) return 'worse';
  return losses.some((one) => one.change === 'better') ? 'better' : 'same';
}

/** How much the variant without settings loses varies from run to run; it decides only where there is no other. */
function deciding(figures: readonly FigureChange[]): readonly FigureChange[] {
  const others = figures.filter((one) => one.variant !== 'baseline');
  return others.length > 0 ? others : figures;
}

function compareVariant(before: VariantFigures, after: VariantFigures): FigureChange[] {
  const { variant, path, agents } = after;
  const where = [variant, path === 'cluster-ip' ? '' : path, agents > 1 ? `${agents} agents` : '']
    .filter(Boolean)
    .join(', ');
  const measured = before.validRuns > 0 && after.validRuns > 0;
  const base = { variant, path, agents };
  const changes: FigureChange[] = linesOf([before, after]).flatMap((lane) => {
    const a = before.lanes[lane];
    const b = after.lanes[lane];
    if (!a || !b) return [];
    const place = `${where}, lane ${lane}`;
    return [
      {
        ...base,
        lane,
        figure: 'lost' as const,
        before: a.lost,
        after: b.lost,
        change: lostChange(a, b),
        text: `${place}: lost ${count(a.lost)} of ${count(a.attempts)} → ${count(b.lost)} of ${count(b.attempts)}`,
      },
      {
        ...base,
        lane,
        figure: 'longestOutageMs' as const,
        before: a.longestOutageMs,
        after: b.longestOutageMs,
        change: within(a.longestOutageMs, b.longestOutageMs, OUTAGE_TOLERANCE),
        text: `${place}: longest outage ${duration(a.longestOutageMs)} → ${duration(b.longestOutageMs)}`,
      },
    ];
  });
  const cost = (
    figure: 'rolloutMs' | 'extraPodSeconds' | 'capacityLostPodSeconds',
    words: string,
    unit: (value: number) => string,
  ) => {
    const a = before[figure];
    const b = after[figure];
    if (a === null && b === null) return;
    const tolerance = figure === 'rolloutMs' ? ROLLOUT_TOLERANCE : POD_SECONDS_TOLERANCE;
    changes.push({
      ...base,
      figure,
      before: a,
      after: b,
      change: !measured || a === null || b === null ? 'unclear' : within(a, b, tolerance),
      text: `${where}: ${words} ${a === null ? 'not reached' : unit(a)} → ${b === null ? 'not reached' : unit(b)}`,
    });
  };
  cost('rolloutMs', 'rollout took', duration);
  cost('extraPodSeconds', 'surge and termination cost', podSeconds);
  cost('capacityLostPodSeconds', 'capacity lost', podSeconds);
  return measured ? changes : changes.map((change) => ({ ...change, change: 'unclear' }));
}

function lostChange(before: LaneFigures, after: LaneFigures): ChangeWord {
  if (isMoreLost(after, before)) return 'worse';
  return isMoreLost(before, after) ? 'better' : 'same';
}

function within(before: number, after: number, tolerance: { ms: number; share: number }): ChangeWord {
  const limit = Math.max(tolerance.ms, tolerance.share * before);
  if (after > before + limit) return 'worse';
  return after < before - limit ? 'better' : 'same';
}

function summary(scenarios: readonly ScenarioChange[]): string[] {
  const order: readonly ChangeWord[] = ['worse', 'unclear', 'gone', 'new', 'better', 'same'];
  return [...scenarios]
    .filter((scenario) => scenario.change !== 'same')
    .sort((a, b) => order.indexOf(a.change) - order.indexOf(b.change))
    .map(sentence);
}

function sentence({ name, change, before, after, figures }: ScenarioChange): string {
  if (change === 'new') return `${name} is new: ${after}.`;
  if (change === 'gone') return `${name} is gone; it was ${before}.`;
  const verdict = before === after ? `${after}` : `${before} → ${after}`;
  const main = deciding(figures)
    .filter((one) => one.change === change && one.lane !== undefined)
    .map((one) => one.text);
  return `${name} is ${change === 'unclear' ? 'not comparable' : change}: ${verdict}${main.length > 0 ? `; ${main.join('; ')}` : ''}.`;
}
