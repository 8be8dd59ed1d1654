// Our counts beside those of another tool that fired the same plan, lane by lane, and why they differ.
import { type CrossCheckCounts, uncodedByK6 } from '../../harness/model/cross-check.ts';
import { type LineId, linesOf } from '../../harness/model/line.ts';
import { outcomes } from '../../harness/model/load.ts';
import type { ExperimentResult, LaneResult } from '../../harness/model/results.ts';
import { count, percent } from '../../harness/words/figures.ts';
import { lineWords, outcomeWords } from '../../harness/words/names.ts';
import { type Content, html, type Markup } from './markup.ts';
import { row, table } from './tables.ts';

/** Undefined: no other tool ran. */
export function crossCheckTable(experiment: ExperimentResult, name: string): Markup | undefined {
  const { crossCheck } = experiment;
  if (!crossCheck) return undefined;
  const { tool, version, counts, explained } = crossCheck;
  const body = linesOf([experiment]).flatMap((lane) => {
    const ours = experiment.lanes[lane];
    const theirs = counts[lane];
    if (!ours || !theirs) return [];
    return ['problem' in theirs ? problemRow(lane, theirs.problem) : laneRows(lane, ours, theirs, tool)];
  });
  return html`${table({
    look: 'compare',
    caption: `Cross-check with ${tool}: ${name}, the same plan fired and counted by rollproof and by ${tool} ${version}`,
    head: [html`<span class="hidden">Measure</span>`, 'rollproof', `${tool} ${version}`],
    body: { groups: body },
  })}${explained.length > 0 && html`<p>Why the counts differ:</p><ul>${explained.map((sentence) => html`<li>${sentence}</li>`)}</ul>`}`;
}

const groupRow = (lane: LineId): Markup =>
  html`<tr class="group"><th scope="rowgroup" colspan="3">Lane ${lane} <small>${lineWords(lane).title}</small></th></tr>`;

const problemRow = (lane: LineId, problem: string): Markup =>
  html`<tbody>${groupRow(lane)}${row('Not compared', '–', problem)}</tbody>`;

function laneRows(lane: LineId, ours: LaneResult, theirs: CrossCheckCounts, tool: string): Markup {
  const uncoded = new Set<string>(uncodedByK6);
  const coded = outcomes.filter(
    (outcome) => !uncoded.has(outcome) && (ours.outcomes[outcome] || theirs.outcomes[outcome]),
  );
  const oursUncoded = uncodedByK6.filter((outcome) => ours.outcomes[outcome]);
  const theirsUncoded = (theirs.outcomes.uncoded ?? 0) + (theirs.outcomes.otherStatus ?? 0);
  const theirsLost = theirs.attempts - (theirs.outcomes.ok ?? 0);
  const lost = (value: number, attempts: number): Content =>
    html`<b>${count(value)}</b> of ${count(attempts)}${attempts > 0 && ` (${percent(value / attempts)})`}`;
  return html`<tbody>${groupRow(lane)}
${row('Requests sent', count(ours.attempts), count(theirs.attempts))}
${row('Not sent: no free connection', count(ours.shed), count(theirs.dropped))}
${coded.map((outcome) => row(html`<span class="indent">${outcomeWords[outcome]}</span>`, count(ours.outcomes[outcome] ?? 0), count(theirs.outcomes[outcome] ?? 0)))}
${(oursUncoded.length > 0 || theirsUncoded > 0) && row(html`<span class="indent">without a code in ${tool}</span>`, oursUncoded.map((outcome) => `${count(ours.outcomes[outcome] ?? 0)} ${outcomeWords[outcome]}`).join(', ') || '0', count(theirsUncoded))}
${row('Lost', lost(ours.lost, ours.attempts), lost(theirsLost, theirs.attempts))}
</tbody>`;
}
