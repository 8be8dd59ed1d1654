// Every change of a Service that was watched, one row each: when, what, what it lost and why.
import type { ExperimentResult, ScenarioResult } from '../../harness/model/results.ts';
import { clip, count, day, duration, lostOf } from '../../harness/words/figures.ts';
import { causeWords, lossTone, verdictWords } from '../../harness/words/names.ts';
import { causesOf, lanesOf } from '../comparison.ts';
import { type Content, html, type Markup } from './markup.ts';
import { encodePath, row, table } from './tables.ts';

/** A day of watching may have hundreds; the rest is in results.json. */
const mostEpisodes = 200;

export function episodesTable(scenario: ScenarioResult): Markup | undefined {
  const all = scenario.experiments.filter(({ episode }) => episode);
  if (all.length === 0) return undefined;
  const lanes = lanesOf(scenario);
  const shown = mostTelling(all);
  const left = all.length - shown.length;
  const owners = all[0]?.episode?.owners ?? [];
  return html`<p>Behind the Service: ${[...owners, 'pods'].join(' → ')}.</p>${table({
    look: 'small',
    caption: `Every change while it was watched${left > 0 ? ` (${count(left)} without a loss are left out)` : ''}`,
    head: [
      'Change',
      'Began',
      'What',
      'Pods',
      'Settled after',
      ...lanes.map((lane) => `Lost, ${lane}`),
      'Why',
      'Verdict',
      'Journal',
    ],
    body: shown.map((experiment) => {
      const { episode } = experiment;
      if (!episode) return html``;
      const { sign, tone } = verdictWords[episode.verdict];
      const what = [...episode.changes, `first sign: ${episode.trigger}`];
      return row(
        count(episode.number),
        html`<time datetime="${episode.beganAt}">${day(episode.beganAt)}</time>`,
        html`${what.map((line) => html`<small>${clip(line, 160)}</small>`)}`,
        `+${episode.podsCame} −${episode.podsWent}${episode.restarts > 0 ? `, ${episode.restarts} restarts` : ''}`,
        episode.settledMs === null ? '–' : duration(episode.settledMs),
        ...lanes.map((lane): Content => {
          const result = experiment.lanes[lane];
          return result
            ? html`<span class="${lossTone(result.lost, experiment.valid)}">${lostOf(result)}</span>`
            : '–';
        }),
        why(experiment),
        html`<b class="${tone}">${sign} ${episode.verdict}</b>`,
        html`<a href="${encodePath(experiment.journal)}">${experiment.journal}</a>`,
      );
    }),
  })}`;
}

/** Those that lost or are not known first, when there are too many; then in order of time again. */
export function mostTelling(
  experiments: readonly ExperimentResult[],
  most: number = mostEpisodes,
): readonly ExperimentResult[] {
  const quiet = ({ episode }: ExperimentResult) => Number(episode?.verdict === 'clean');
  return experiments
    .toSorted((a, b) => quiet(a) - quiet(b) || b.repeat - a.repeat)
    .slice(0, most)
    .toSorted((a, b) => a.repeat - b.repeat);
}

function why(experiment: ExperimentResult): Content {
  const found = Object.values(experiment.lanes).flatMap((result) => (result ? causesOf(result) : []));
  const causes = [
    ...new Set(found.toSorted((a, b) => b[1] - a[1]).map(([cause]) => causeWords[cause].title)),
  ];
  if (causes.length > 0) return causes.slice(0, 3).join('; ');
  return experiment.episode?.verdict === 'inconclusive' ? clip(experiment.episode.reason, 200) : '–';
}
