// How this run stands among the last ones, in words that page, comment and terminal share.
import type { Results, ScenarioResult, Verdict } from '../harness/model/results.ts';
import type { FigureStanding, HistoryChip, ScenarioStanding } from '../harness/model/standing.ts';
import { count, counted, duration } from '../harness/words/figures.ts';
import { lineWords } from '../harness/words/names.ts';

export const standingOf = (
  results: Pick<Results, 'history'>,
  scenario: string,
): ScenarioStanding | undefined => results.history?.scenarios.find(({ name }) => name === scenario);

/** Every verdict; the first ones need a reader most. */
export const worstFirst: readonly Verdict[] = [
  'refuted',
  'loses',
  'lost',
  'faulted',
  'inconclusive',
  'unneeded',
  'nothing-changed',
  'proven',
  'safe',
  'clean',
  'not-run',
];

/** What went wrong is read first; of what went equally wrong, what was well before. */
export function byUrgency(results: Pick<Results, 'scenarios' | 'history'>): ScenarioResult[] {
  const regressed = (name: string) => (standingOf(results, name)?.chip === 'regressed' ? 0 : 1);
  return results.scenarios.toSorted(
    (a, b) => urgency(a) - urgency(b) || regressed(a.name) - regressed(b.name),
  );
}

const urgency = ({ verdict, direct }: ScenarioResult): number =>
  worstFirst.indexOf(direct?.verdict === 'loses' && verdict !== 'refuted' ? 'loses' : verdict);

/** "regressed: it was proven when it was last known". Undefined: nothing to say. */
export function chipText({ chip, before }: ScenarioStanding): string | undefined {
  if (chip === undefined) return undefined;
  return chip === 'new' ? 'new: no earlier run has it' : `${chip}: it was ${before} when it was last known`;
}

/** "hardened: lost, new connections". */
export const figureTitle = ({ variant, line, figure }: FigureStanding): string => {
  const title = { lost: 'lost', longestOutageMs: 'longest outage', rolloutMs: 'rollout complete after' }[
    figure
  ];
  return `${variant}: ${title}${line === undefined ? '' : `, ${lineWords(line).title}`}`;
};

export const figureValue = (figure: FigureStanding['figure'], value: number): string =>
  figure === 'lost' ? count(value) : duration(value);

/** "hardened: lost, new connections: 5, above P95 (P50 0, P95 0, 12 runs)". */
function aboveText(standing: FigureStanding): string {
  const { figure, now, p50, p95, runs } = standing;
  const [value, middle, high] = [now, p50, p95].map((one) => figureValue(figure, one));
  return `${figureTitle(standing)}: ${value}, above P95 (P50 ${middle}, P95 ${high}, ${counted(runs, 'run')})`;
}

/** What differs from the last runs, as sentences, what got worse first; empty: nothing unusual. */
export function unusual({ history }: Pick<Results, 'history'>): readonly string[] {
  const scenarios = history?.scenarios ?? [];
  const chips = (wanted: HistoryChip, verb: string) =>
    history?.runs === 0
      ? []
      : scenarios
          .filter(({ chip }) => chip === wanted)
          .map((scenario) => `${scenario.name} ${verb} ${chipText(scenario)}`);
  return [
    ...chips('regressed', 'has'),
    ...scenarios.flatMap(({ name, figures }) =>
      figures.filter(({ above }) => above).map((one) => `${name}, ${aboveText(one)}`),
    ),
    ...chips('fixed', 'is'),
    ...chips('new', 'is'),
  ];
}
