// How this run stands among the last ones, in words that page, comment and terminal share.
import type { Results } from '../harness/model/results.ts';
import type { FigureStanding, ScenarioStanding } from '../harness/model/standing.ts';
import { count, counted, duration } from '../harness/words/figures.ts';
import { lineWords } from '../harness/words/names.ts';

export const standingOf = (
  results: Pick<Results, 'history'>,
  scenario: string,
): ScenarioStanding | undefined => results.history?.scenarios.find(({ name }) => name === scenario);

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

/** What differs from the last runs, as sentences; empty: nothing unusual. */
export const unusual = ({ history }: Pick<Results, 'history'>): readonly string[] =>
  (history?.scenarios ?? []).flatMap((scenario) => {
    const chip = history?.runs === 0 ? undefined : chipText(scenario);
    return [
      ...(chip === undefined ? [] : [`${scenario.name} is ${chip}`]),
      ...scenario.figures.filter(({ above }) => above).map((one) => `${scenario.name}, ${aboveText(one)}`),
    ];
  });
