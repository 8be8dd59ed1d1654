// This run among the last ones of its kind: a chip beside a verdict, and a table of figures with their percentiles.
import type { Results } from '../../harness/model/results.ts';
import type { HistoryChip } from '../../harness/model/standing.ts';
import { counted } from '../../harness/words/figures.ts';
import { chipText, figureTitle, figureValue, standingOf, unusual } from '../standing.ts';
import { html, type Markup } from './markup.ts';
import { table } from './tables.ts';

const tones: Readonly<Record<HistoryChip, string>> = { new: 'note', fixed: 'good', regressed: 'bad' };
const signs: Readonly<Record<HistoryChip, string>> = { new: '+', fixed: '↑', regressed: '↓' };
/** A history of many scenarios and variants must not make the page large; what is unusual comes first. */
const shownRows = 60;

export function historyChip(results: Pick<Results, 'history'>, scenario: string): Markup | undefined {
  const standing = standingOf(results, scenario);
  if (!standing?.chip || results.history?.runs === 0) return undefined;
  const { chip } = standing;
  return html` <span class="badge ${tones[chip]}" title="${chipText(standing)}"><b aria-hidden="true">${signs[chip]}</b> ${chip}</span>`;
}

export function historySection(results: Results): Markup | undefined {
  const { history } = results;
  if (!history || history.runs === 0) return undefined;
  const rows = history.scenarios
    .flatMap(({ name, figures }) => figures.map((standing) => ({ name, standing })))
    .toSorted((a, b) => Number(b.standing.above) - Number(a.standing.above));
  const lines = unusual(results);
  return html`<section aria-labelledby="history"><h2 id="history">Against the last ${counted(history.runs, 'run')}</h2>
${lines.length > 0 ? html`<ul>${lines.slice(0, 20).map((line) => html`<li>${line}</li>`)}</ul>` : html`<p>Nothing unusual.</p>`}
${
  rows.length > 0 &&
  table({
    look: 'small',
    caption: 'Percentiles of the earlier runs on the same kind of cluster, this run not among them',
    head: ['Scenario', 'Figure', 'This run', 'P50', 'P95', 'Runs'],
    body: rows.slice(0, shownRows).map(
      ({ name, standing }) =>
        html`<tr><th scope="row">${name}</th><td>${figureTitle(standing)}</td><td class="num ${standing.above && 'bad'}"><b>${figureValue(standing.figure, standing.now)}</b>${standing.above && ' above P95'}</td><td class="num">${figureValue(standing.figure, standing.p50)}</td><td class="num">${figureValue(standing.figure, standing.p95)}</td><td class="num">${standing.runs}</td></tr>
`,
    ),
  })
}
${rows.length > shownRows && html`<p>${counted(rows.length - shownRows, 'figure')} more in results.json.</p>`}
</section>`;
}
