// Two runs side by side as a page: every figure before and after, what got worse first. Pure, from the comparison alone.
import type {
  ChangeWord,
  Comparison,
  FigureChange,
  RunSummary,
  ScenarioChange,
} from '../../harness/model/run-summary.ts';
import { count, counted, day, duration, podSeconds } from '../../harness/words/figures.ts';
import { lineWords, type Tone } from '../../harness/words/names.ts';
import { type Content, html, idOf, type Markup } from './markup.ts';
import { document } from './page.ts';
import { verdictBadge } from './scenario.ts';
import { table } from './tables.ts';

const words: Readonly<
  Record<ChangeWord, { readonly sign: string; readonly text: string; readonly tone: Tone }>
> = {
  worse: { sign: '✕', text: 'worse', tone: 'bad' },
  gone: { sign: '−', text: 'gone', tone: 'warn' },
  unclear: { sign: '?', text: 'not comparable', tone: 'warn' },
  new: { sign: '+', text: 'new', tone: 'note' },
  better: { sign: '✓', text: 'better', tone: 'good' },
  same: { sign: '·', text: 'the same', tone: 'quiet' },
};
/** What a reader must see first. */
const order = Object.keys(words) as ChangeWord[];
const byNeed = <T extends { readonly change: ChangeWord }>(all: readonly T[]): T[] =>
  all.toSorted((a, b) => order.indexOf(a.change) - order.indexOf(b.change));

export function renderComparePage(comparison: Comparison): string {
  const { before, after, notes, scenarios } = comparison;
  const counts = order.flatMap((word) => {
    const n = scenarios.filter(({ change }) => change === word).length;
    return n > 0 ? [{ word, n }] : [];
  });
  const headline = `${counted(scenarios.length, 'scenario')}: ${counts.map(({ word, n }) => `${count(n)} ${words[word].text}`).join(', ') || 'none'}`;
  const tone = counts[0] ? words[counts[0].word].tone : 'warn';
  return document(
    headline,
    html`<header class="top"><p class="brand">rollproof</p><p class="run">two runs compared</p></header>
<main id="main">
<section class="answer ${tone === 'quiet' || tone === 'note' ? 'good' : tone}" aria-labelledby="answer">
<p class="kicker"><span>What changed between two runs?</span></p>
<h1 id="answer">${headline}</h1>
<div class="cards"><div class="card"><h2>Before</h2>${runFacts(before)}</div><div class="card"><h2>After</h2>${runFacts(after)}</div></div>
${notes.length > 0 && html`<ul class="sure">${notes.map((note) => html`<li class="warn">${note}</li>`)}</ul>`}
</section>
${byNeed(scenarios).map(scenarioPart)}
</main>
<footer><p>This file is complete: it loads nothing from anywhere.</p></footer>`,
  );
}

function runFacts({ runId, startedAt, durationMs, cluster, tool }: RunSummary): Markup {
  return html`<p>Run <code>${runId}</code>, <time datetime="${startedAt}">${day(startedAt)}</time>, took ${duration(durationMs)}</p>
<p>${cluster.kind}, ${cluster.emulated && 'emulated '}Kubernetes ${cluster.kubernetesVersion}; ${tool.name} ${tool.version}</p>`;
}

const changed = (change: ChangeWord): Markup =>
  html`<span class="${words[change].tone}">${words[change].sign} ${words[change].text}</span>`;

function scenarioPart(scenario: ScenarioChange): Markup {
  const { name, change, before, after, watched, figures } = scenario;
  const id = idOf('s', name);
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${name} <small>${changed(change)}</small></h2>
<p>${before ? verdictBadge(before) : 'not there'} → ${after ? verdictBadge(after) : 'not there'}</p>
${watched !== undefined && html`<p>${watched}</p>`}${
  figures.length > 0 &&
  table({
    look: 'compare',
    caption: `${name}: before and after, what got worse first`,
    head: ['Variant', 'Figure', 'Before', 'After', 'Change'],
    body: byNeed(figures).map(figureRow),
  })
}</section>
`;
}

const figureNames: Readonly<Record<FigureChange['figure'], string>> = {
  lost: 'Lost',
  longestOutageMs: 'Longest outage',
  rolloutMs: 'Rollout complete after',
  extraPodSeconds: 'Pods beside the wanted ones',
  capacityLostPodSeconds: 'Capacity lost',
};

function figureRow(change: FigureChange): Markup {
  const { variant, path, agents, lane, figure } = change;
  const where = [path === 'cluster-ip' ? '' : path, agents > 1 ? `${agents} agents` : '']
    .filter(Boolean)
    .join(', ');
  return html`<tr><th scope="row">${variant}${where && html` <small>${where}</small>`}</th><td>${figureNames[figure]}${lane !== undefined && html` <small>lane ${lane}, ${lineWords(lane).title}</small>`}</td><td class="num">${shown(figure, change.before)}</td><td class="num"><b>${shown(figure, change.after)}</b></td><td>${changed(change.change)}</td></tr>
`;
}

function shown(figure: FigureChange['figure'], value: number | null): Content {
  if (value === null) return 'not reached';
  switch (figure) {
    case 'lost':
      return count(value);
    case 'longestOutageMs':
      return value === 0 ? 'none' : duration(value);
    case 'rolloutMs':
      return duration(value);
    case 'extraPodSeconds':
    case 'capacityLostPodSeconds':
      return podSeconds(value);
  }
}
