// The trend page of nightly runs: what changed last night first, then one row of marks per scenario and lane.
import { lanes } from '../../harness/model/load.ts';
import { count, counted, day, duration } from '../figures.ts';
import type { HistoryLine } from '../history.ts';
import { laneWords, verdictWords } from '../words.ts';
import { type Content, html, type Markup } from './markup.ts';
import { document } from './page.ts';
import { verdictBadge } from './scenario.ts';
import { table } from './tables.ts';

/** Nights shown; older ones stay in the history file. */
const shownRuns = 60;

/** @param history lines of the history file, the oldest first. */
export function renderTrend(history: readonly HistoryLine[]): string {
  const runs = history
    .toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt))
    .slice(-shownRuns);
  const latest = runs.at(-1);
  const changes = latest ? changesOf(latest, runs.at(-2)) : [];
  const bad = changes.some((change) => change.worse);
  const headline = !latest
    ? 'No run is in the history yet.'
    : changes.length === 0
      ? 'Nothing changed in the last run.'
      : bad
        ? `The last run got worse: ${counted(changes.filter((change) => change.worse).length, 'change')}.`
        : 'The last run got better.';
  const names = [...new Set(runs.flatMap((run) => run.scenarios.map((scenario) => scenario.name)))];
  return document(
    headline,
    html`<header class="top"><p class="brand">rollproof</p><p class="run"><span>${counted(runs.length, 'run')}</span>${latest && html` · <span>the last one ${day(latest.startedAt)}</span>`}</p></header>
${runs.some((run) => run.cluster.emulated) && html`<p class="emulated" role="note"><b>Emulated Kubernetes</b> in ${counted(runs.filter((run) => run.cluster.emulated).length, 'of these runs', 'of these runs')}; these are not results of a real cluster.</p>`}
<main id="main"><section class="answer ${!latest ? 'warn' : bad ? 'bad' : 'good'}"><p class="kicker">Trend</p><h1>${headline}</h1>
${changes.length > 0 && html`<ul>${changes.slice(0, 20).map((change) => html`<li>${change.text}</li>`)}${changes.length > 20 && html`<li>and ${changes.length - 20} more</li>`}</ul>`}</section>
${
  latest &&
  html`<section aria-labelledby="nights"><h2 id="nights">Run by run</h2>${verdictTable(names, runs)}</section>
<section aria-labelledby="losses"><h2 id="losses">Losses and cost</h2>${names.map((name) => scenarioTrend(name, runs))}</section>`
}
</main><footer><p>This file is complete: it loads nothing from anywhere.</p></footer>`,
  );
}

interface Change {
  readonly text: string;
  readonly worse: boolean;
}

/** What is different from the run before; scenarios that one of them has not are named too. */
export function changesOf(latest: HistoryLine, before: HistoryLine | undefined): readonly Change[] {
  if (!before) return [];
  const changes: Change[] = [];
  const rank = ['proven', 'unneeded', 'not-run', 'inconclusive', 'faulted', 'refuted'];
  for (const scenario of latest.scenarios) {
    const old = before.scenarios.find((one) => one.name === scenario.name);
    if (!old) {
      changes.push({
        text: `${scenario.name} is new: ${scenario.verdict}`,
        worse: scenario.verdict === 'refuted',
      });
      continue;
    }
    if (old.verdict !== scenario.verdict) {
      changes.push({
        text: `${scenario.name}: ${old.verdict} → ${scenario.verdict}`,
        worse: rank.indexOf(scenario.verdict) > rank.indexOf(old.verdict),
      });
    }
    for (const variant of scenario.variants) {
      // Baselines lose by chance more or less; only what is meant to be safe is compared.
      if (variant.variant.startsWith('baseline')) continue;
      const oldVariant = old.variants.find((one) => one.variant === variant.variant);
      for (const lane of lanes) {
        const now = variant.lanes[lane];
        const then = oldVariant?.lanes[lane];
        if (!now || !then || now.lost === then.lost) continue;
        changes.push({
          text: `${scenario.name}, ${variant.variant}, lane ${lane}: lost ${count(then.lost)} → ${count(now.lost)} of ${count(now.attempts)}`,
          worse: now.lost > then.lost,
        });
      }
    }
  }
  for (const old of before.scenarios) {
    if (!latest.scenarios.some((scenario) => scenario.name === old.name)) {
      changes.push({ text: `${old.name} was not part of the last run`, worse: true });
    }
  }
  return changes;
}

function verdictTable(names: readonly string[], runs: readonly HistoryLine[]): Markup {
  const shown = runs.slice(-14);
  return table({
    look: 'small',
    caption: `Verdicts of the last ${counted(shown.length, 'run')}, the newest on the right`,
    head: [
      'Scenario',
      ...shown.map(
        (run) => html`<span class="hidden">${day(run.startedAt)} </span>${run.startedAt.slice(5, 10)}`,
      ),
    ],
    body: names.map(
      (name) => html`<tr><th scope="row">${name}</th>${shown.map((run) => {
        const verdict = run.scenarios.find((scenario) => scenario.name === name)?.verdict;
        if (!verdict) return html`<td class="quiet">·</td>`;
        const { sign, tone } = verdictWords[verdict];
        return html`<td class="${tone}" title="${verdict}"><b aria-hidden="true">${sign}</b><span class="hidden">${verdict}</span></td>`;
      })}</tr>
`,
    ),
  });
}

function scenarioTrend(name: string, runs: readonly HistoryLine[]): Markup {
  const rows: Markup[] = [];
  const points = runs.map((run) => run.scenarios.find((scenario) => scenario.name === name));
  const variants = [
    ...new Set(points.flatMap((point) => point?.variants.map(({ variant }) => variant) ?? [])),
  ];
  const add = (
    head: Content,
    values: readonly (number | undefined)[],
    show: (value: number) => string,
    zeroIsGood: boolean,
  ) => {
    const known = values.filter((value) => value !== undefined);
    const last = values.at(-1);
    if (known.length === 0) return;
    const tone = zeroIsGood && last !== undefined ? (last > 0 ? 'bad' : 'good') : '';
    rows.push(
      html`<tr><th scope="row">${head}</th><td class="${tone}"><b>${last === undefined ? 'not run' : show(last)}</b></td><td>${show(Math.min(...known))} to ${show(Math.max(...known))}</td><td class="trend">${sparkline(values)}</td></tr>
`,
    );
  };
  for (const variant of variants) {
    const of = points.map((point) => point?.variants.find((one) => one.variant === variant));
    for (const lane of lanes) {
      const lost = of.map((one) => one?.lanes[lane]?.lost);
      add(`${variant}: lost, ${laneWords[lane].title}`, lost, count, !variant.startsWith('baseline'));
      const outage = of.map((one) => one?.lanes[lane]?.longestOutageMs);
      if (outage.some((ms) => ms))
        add(`${variant}: longest outage, ${laneWords[lane].title}`, outage, duration, false);
    }
    add(
      `${variant}: rollout complete after`,
      of.map((one) => one?.rolloutMs ?? undefined),
      duration,
      false,
    );
  }
  const verdict = points.at(-1)?.verdict;
  return table({
    look: 'small trends',
    caption: html`<b>${name}</b> ${verdict && verdictBadge(verdict)}`,
    head: ['Figure', 'Last run', 'Range', 'Trend, the newest on the right'],
    body: rows,
  });
}

/** Bars from zero; a run without the figure leaves a gap. The figures stand beside it. */
function sparkline(values: readonly (number | undefined)[]): Markup {
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  const bars = values
    .map((value, i) =>
      value === undefined ? '' : `M${i * 6} 22h5v-${Math.max(1, Math.round((value / most) * 20))}h-5z`,
    )
    .join('');
  const width = Math.max(6, values.length * 6);
  return html`<svg aria-hidden="true" width="${width}" height="22" viewBox="0 0 ${width} 22"><path class="spark" d="${bars}"/></svg>`;
}
