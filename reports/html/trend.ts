// The trend page of nightly runs: what changed last night first, then one row of marks per scenario and lane.
import { linesOf } from '../../harness/model/line.ts';
import type { Verdict } from '../../harness/model/results.ts';
import {
  type Comparison,
  ofSameTarget,
  type RunSummary,
  shownVerdict,
  type VariantFigures,
} from '../../harness/model/run-summary.ts';
import { count, counted, day, duration } from '../../harness/words/figures.ts';
import { lineWords, type Tone, targetText, verdictWords } from '../../harness/words/names.ts';
import { type Content, html, type Markup } from './markup.ts';
import { document } from './page.ts';
import { verdictBadge } from './scenario.ts';
import { table } from './tables.ts';

/** Runs shown; older ones stay in the history file. */
const shownRuns = 60;

/**
 * @param history runs in any order.
 * @param comparison of the last run with the one that it is measured against; without it verdicts are compared.
 */
export function renderTrend(history: readonly RunSummary[], comparison?: Comparison): string {
  const all = history.toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
  const latest = all.at(-1);
  const ofLatest = latest ? all.filter((run) => ofSameTarget(run, latest)) : [];
  const runs = ofLatest.slice(-shownRuns);
  const others = all.length - ofLatest.length;
  const change = comparison ? changeOf(comparison) : verdictChange(latest, runs.at(-2));
  const headline = latest ? headlines[change.word] : 'No run is in the history yet.';
  const names = [...new Set(runs.flatMap((run) => run.scenarios.map((scenario) => scenario.name)))];
  const emulated = runs.filter((run) => run.cluster.emulated).length;
  return document(
    headline,
    html`<header class="top"><p class="brand">rollproof</p><p class="run"><span>${counted(runs.length, 'run')}</span>${latest && html`${latest.target !== undefined && html` of <b>${targetText(latest.target)}</b>`} · <span>the last one ${day(latest.startedAt)}</span>`}${others > 0 && html` · <span>${counted(others, 'run')} of other workloads in this history ${others === 1 ? 'is' : 'are'} not shown</span>`}</p></header>
${emulated > 0 && html`<p class="emulated" role="note"><b>Emulated Kubernetes</b> in ${emulated === runs.length ? 'all' : `${emulated} of`} ${counted(runs.length, 'run')}: these are not results of a real cluster.</p>`}
<main id="main"><section class="answer ${latest ? tones[change.word] : 'warn'}"><p class="kicker">Trend</p><h1>${headline}</h1>
${change.texts.length > 0 && html`<ul>${change.texts.slice(0, 20).map((text) => html`<li>${text}</li>`)}${change.texts.length > 20 && html`<li>and ${change.texts.length - 20} more</li>`}</ul>`}</section>
${
  latest &&
  html`<section aria-labelledby="nights"><h2 id="nights">Run by run</h2>${verdictTable(names, runs)}</section>
<section aria-labelledby="losses"><h2 id="losses">Losses and cost</h2>${names.map((name) => scenarioTrend(name, runs))}</section>`
}
</main><footer><p>This file is complete: it loads nothing from anywhere.</p></footer>`,
  );
}

type Word = 'worse' | 'better' | 'changed' | 'same' | 'first';
const headlines: Readonly<Record<Word, string>> = {
  worse: 'The last run got worse.',
  better: 'The last run got better.',
  changed: 'The last run differs, but is neither better nor worse.',
  same: 'Nothing changed in the last run.',
  first: 'This is the first run, so there is nothing to compare it with.',
};
const tones: Readonly<Record<Word, Tone>> = {
  worse: 'bad',
  better: 'good',
  changed: 'warn',
  same: 'good',
  first: 'note',
};

interface Change {
  readonly word: Word;
  readonly texts: readonly string[];
}

function changeOf({ scenarios, summary, notes }: Comparison): Change {
  const words = new Set(scenarios.map((scenario) => scenario.change));
  const word =
    words.has('worse') || words.has('gone')
      ? 'worse'
      : words.has('better')
        ? 'better'
        : words.has('new') || words.has('unclear')
          ? 'changed'
          : 'same';
  return { word, texts: [...summary, ...notes] };
}

/** From good to bad; a verdict that could not be given is worse than one that could. */
const rank: readonly Verdict[] = [
  'proven',
  'safe',
  'clean',
  'unneeded',
  'not-run',
  'nothing-changed',
  'inconclusive',
  'faulted',
  'loses',
  'lost',
  'refuted',
];

function verdictChange(latest: RunSummary | undefined, before: RunSummary | undefined): Change {
  if (!latest || !before) return { word: 'first', texts: [] };
  const pairs = latest.scenarios.flatMap((scenario) => {
    const old = before.scenarios.find((one) => one.name === scenario.name);
    if (!old) return [];
    const [from, to] = [shownVerdict(old), shownVerdict(scenario)];
    return from === to ? [] : [{ name: scenario.name, from, to }];
  });
  const worse = pairs.some(({ from, to }) => rank.indexOf(to) > rank.indexOf(from));
  return {
    word: worse ? 'worse' : pairs.length > 0 ? 'better' : 'same',
    texts: pairs.map(({ name, from, to }) => `${name}: ${from} → ${to}`),
  };
}

function verdictTable(names: readonly string[], runs: readonly RunSummary[]): Markup {
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
        const found = run.scenarios.find((scenario) => scenario.name === name);
        if (!found) return html`<td class="quiet">·</td>`;
        const verdict = shownVerdict(found);
        const { sign, tone } = verdictWords[verdict];
        return html`<td class="${tone}" title="${verdict}"><b aria-hidden="true">${sign}</b><span class="hidden">${verdict}</span></td>`;
      })}</tr>
`,
    ),
  });
}

function scenarioTrend(name: string, runs: readonly RunSummary[]): Markup {
  const rows: Markup[] = [];
  const points = runs.map((run) => run.scenarios.find((scenario) => scenario.name === name));
  const variants = [...new Set(points.flatMap((point) => point?.variants.map(labelOf) ?? []))];
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
    const of = points.map((point) => point?.variants.find((one) => labelOf(one) === variant));
    for (const lane of linesOf(of.flatMap((one) => one ?? []))) {
      const lost = of.map((one) => one?.lanes[lane]?.lost);
      add(`${variant}: lost, ${lineWords(lane).title}`, lost, count, !variant.startsWith('baseline'));
      const outage = of.map((one) => one?.lanes[lane]?.longestOutageMs);
      if (outage.some((ms) => ms))
        add(`${variant}: longest outage, ${lineWords(lane).title}`, outage, duration, false);
    }
    add(
      `${variant}: rollout complete after`,
      of.map((one) => one?.rolloutMs ?? undefined),
      duration,
      false,
    );
  }
  const last = points.at(-1);
  const verdict = last && shownVerdict(last);
  return table({
    look: 'small trends',
    caption: html`<b>${name}</b> ${verdict && verdictBadge(verdict)}`,
    head: ['Figure', 'Last run', 'Range', 'Trend, the newest on the right'],
    body: rows,
  });
}

/** Another path or several agents make another row. */
function labelOf({ variant, path, agents }: VariantFigures): string {
  return [variant, path !== 'cluster-ip' && path, agents > 1 && `${agents} agents`]
    .filter(Boolean)
    .join(', ');
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
