// The HTML report: one self-contained file that answers first and can be followed down to the journal's lines.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { LineId } from '../../harness/model/line.ts';
import type { Lane } from '../../harness/model/load.ts';
import type { Results, ScenarioResult } from '../../harness/model/results.ts';
import { count, counted, day, duration, lostOf, nodesOf } from '../../harness/words/figures.ts';
import { causeWords, lossTone, settingMeans, targetText, verdictWords } from '../../harness/words/names.ts';
import { limitsOf, suiteAnswer, suiteHeadline, tallyOf } from '../answer.ts';
import { beforeAfter, causesOf, kindsOf, lanesOf, linesOfKind, worst } from '../comparison.ts';
import { byUrgency } from '../standing.ts';
import { historyChip, historySection } from './history.ts';
import { type Content, html, idOf, type Markup, trusted } from './markup.ts';
import { chooseForms, type Forms, packed } from './packing.ts';
import { answerPanel, type ScenarioInput, scenarioBody, scenarioEvidence, verdictBadge } from './scenario.ts';
import { findingsTable, table } from './tables.ts';
import type { JournalView } from './types.ts';

interface HtmlInput {
  readonly results: Results;
  /** By the journal's file name as in the results. One that is missing costs the report only its time line. */
  readonly journals: ReadonlyMap<string, JournalView>;
}

/** The size that the scenarios of a page aim at; what does not fit is packed, the least urgent first. */
const scenarioBytes = 395_000;
/** Rows of lost attempts on the whole page; each lane gets its share. */
const failureRows = { total: 4000, atLeast: 40, atMost: 400 } as const;

export function renderHtml({ results, journals }: HtmlInput): string {
  const { scenarios } = results;
  const single = scenarios.length === 1 ? scenarios[0] : undefined;
  const bodies = scenarioBodies({ results, journals });
  return document(
    single ? `${single.verdict}: ${single.title}` : suiteHeadline(scenarios),
    html`${topBar(results)}
<main id="main">
${single ? singlePage(single, bodies.get(single)!, results) : suitePage(bodies, results)}
${historySection(results)}${findings(results)}
${environment(results, journals)}
${reproduce(results)}
${limits(results)}
${words()}
</main>
<footer><p>rollproof ${results.tool.version}. This file is complete: it loads nothing from anywhere.</p></footer>`,
  );
}

/** Each scenario's part below its answer: packed, or with packed evidence, or with packed rows, or wholly open. */
function scenarioBodies({ results, journals }: HtmlInput): ReadonlyMap<ScenarioResult, Markup> {
  const { scenarios } = results;
  const experiments = scenarios.reduce((sum, scenario) => sum + scenario.experiments.length, 0);
  const perLane = Math.floor(failureRows.total / Math.max(1, experiments));
  const urgent = byUrgency(results);
  const forms = urgent.map((scenario): Forms => {
    const input: ScenarioInput = {
      scenario,
      journals,
      heading: scenarios.length === 1 ? 'h2' : 'h4',
      failureRows: Math.min(failureRows.atMost, Math.max(failureRows.atLeast, perLane)),
      rows: 'open',
    };
    const evidence = scenarioEvidence(input);
    return [
      () => packed(scenarioBody(input, evidence), `Tables and time lines of ${scenario.name}`),
      () => scenarioBody(input, packed(evidence, `Time lines and causes of ${scenario.name}`)),
      () => scenarioBody(input, scenarioEvidence({ ...input, rows: 'packed' })),
      () => scenarioBody(input, evidence),
    ];
  });
  const chosen = chooseForms(forms, scenarioBytes - scenarios.length * answerBytes);
  return new Map(urgent.map((scenario, i) => [scenario, chosen[i]!]));
}

/** What a scenario's answer and its row in the overview take, roughly. */
const answerBytes = 3500;

/** A whole page around a body, with style and script inside and every request forbidden. */
export function document(title: string, body: Markup): string {
  const style = asset('page.css');
  const script = asset('browser.js');
  const hash = createHash('sha256').update(script).digest('base64');
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · rollproof</title>
<link rel="icon" href="data:,">
<style>${trusted(style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the answer</a>
${body}
<script>${trusted(script)}</script>
</body>
</html>
`.text;
}

/** Without indentation and lines of comments: a page of a suite carries thousands of both. Neither file has text over several lines. */
function asset(name: string): string {
  return readFileSync(new URL(`./${name}`, import.meta.url), 'utf8')
    .replace(/^ +/gm, '')
    .replace(/^\/\/.*\n|^\/\*.*\*\/\n|^\n/gm, '');
}

function topBar(results: Results): Markup {
  const { cluster } = results;
  return html`<header class="top"><p class="brand">rollproof</p>
<p class="run">${results.target !== undefined && html`<span><b>${targetText(results.target)}</b></span> · `}<span>${cluster.kind}, ${cluster.emulated && 'emulated '}Kubernetes ${shortVersion(cluster.kubernetesVersion)}, ${nodesOf(cluster)}</span> · <span><time datetime="${results.startedAt}">${day(results.startedAt)}</time></span> · <span>took ${duration(results.durationMs)}</span></p>
</header>
${cluster.emulated && html`<p class="emulated" role="note"><b>Emulated Kubernetes.</b> Real processes, connections and signals on this machine, under rollproof’s emulation of Kubernetes ${shortVersion(cluster.kubernetesVersion)}; not a real cluster.</p>`}`;
}

function singlePage(scenario: ScenarioResult, body: Markup, results: Results): Markup {
  return html`<article class="single" id="${idOf('s', scenario.name)}">
${answerPanel(scenario, results, 'h1')}
${body}
</article>`;
}

function suitePage(bodies: ReadonlyMap<ScenarioResult, Markup>, results: Results): Markup {
  const open = results.scenarios.length <= 2;
  const scenarios = byUrgency(results);
  return html`${suitePanel(results)}
<section aria-labelledby="overview"><h2 id="overview">Overview</h2>${overview(results)}</section>
<section aria-labelledby="scenarios"><h2 id="scenarios">Scenarios</h2>
${scenarios.map(
  (
    scenario,
  ) => html`<details class="scenario" ${trusted(open ? 'open' : '')}><summary>${verdictBadge(scenario.verdict)}${historyChip(results, scenario.name)} <span class="name">${scenario.title}</span> <code>${scenario.name}</code></summary>
<article id="${idOf('s', scenario.name)}">
${answerPanel(scenario, results, 'h3')}
${bodies.get(scenario)!}
</article></details>
`,
)}
</section>`;
}

/** The suite's answer in the same four parts as a scenario's. */
function suitePanel(results: Results): Markup {
  const { scenarios } = results;
  const answer = suiteAnswer(results);
  const counts = tallyOf(scenarios);
  const tone =
    counts.refuted + counts.faulted + counts.loses + counts.lost > 0 ||
    scenarios.some(({ direct }) => direct?.verdict === 'loses')
      ? 'bad'
      : counts.proven + counts.safe + counts.clean === scenarios.length
        ? 'good'
        : 'warn';
  const card = (title: string, content: Content) => html`<div class="card"><h2>${title}</h2>${content}</div>`;
  return html`<section class="answer ${scenarios.length === 0 ? 'warn' : tone}" aria-labelledby="answer">
<p class="kicker">${results.cluster.emulated && html`<span class="badge emu">emulated Kubernetes</span> `}<span>${counted(scenarios.length, 'scenario')}: is a change to a running workload safe?</span></p>
<h1 id="answer">${suiteHeadline(scenarios)}</h1>
${tally(scenarios)}
<div class="cards">
${card(
  'Is it safe?',
  html`${answer.safe.map((line) => html`<p>${line}</p>`)}${answer.attention.length > 0 && html`<p>To be read:</p><ul class="attention">${answer.attention.slice(0, 5).map((scenario) => html`<li><a href="#${idOf('s', scenario.name)}">${scenario.name}</a> <small>${scenario.reason}</small></li>`)}${answer.attention.length > 5 && html`<li>and ${answer.attention.length - 5} more, in the overview</li>`}</ul>`}`,
)}
${card('Why not?', answer.why.length === 0 ? html`<p>Nothing was lost.</p>` : html`<ul class="why">${answer.why.map((line) => html`<li><b>${causeWords[line.cause].title}</b><span class="bar" aria-hidden="true"><i style="width:${Math.round((line.scenarios / answer.lossy) * 100)}%"></i></span><small>in ${line.scenarios} of ${answer.lossy} scenarios that lost</small></li>`)}</ul>`)}
${card('What to change', html`${answer.settings.length > 0 && html`<p>Apply ${answer.settings.length === 1 ? 'this setting' : `these ${answer.settings.length} settings`}:</p><ul class="settings">${answer.settings.map((name) => html`<li><code>${name}</code>${settingMeans(name) && html` <small>${settingMeans(name)}</small>`}</li>`)}</ul>`}${answer.settings.length === 0 && html`<p>${answer.lossy === 0 ? 'Nothing, as far as this run shows.' : 'No set of settings was proven to stop the losses; see the scenarios.'}</p>`}`)}
${card('How sure is this?', html`<ul class="sure">${answer.sure.map((line) => html`<li class="${line.tone}">${line.text}</li>`)}</ul>`)}
</div></section>`;
}

const shortVersion = (version: string): string => version.replace(/\+.*/, '');

function tally(scenarios: readonly ScenarioResult[]): Markup {
  const counts = tallyOf(scenarios);
  const shown = (Object.keys(counts) as (keyof typeof counts)[]).filter((verdict) => counts[verdict] > 0);
  return html`<ul class="tally" aria-label="Verdicts">${shown.map((verdict) => html`<li class="${verdictWords[verdict].tone}"><b>${count(counts[verdict])}</b> ${verdictBadge(verdict)} <span>${verdictWords[verdict].means}</span></li>`)}</ul>`;
}

/** The only line of a kind as it is; several under one another, each with its name. */
function kindCell(
  scenario: ScenarioResult,
  kind: Lane,
  cell: (scenario: ScenarioResult, line: LineId) => Content,
): Content {
  const lines = linesOfKind(scenario, kind);
  const [only] = lines;
  if (!only) return '–';
  if (lines.length === 1) return cell(scenario, only);
  return html`${lines.map((line) => html`<div><small>${line}</small> ${cell(scenario, line)}</div>`)}`;
}

/** One row per scenario: the variant before and the one after, per lane, and the main cause. */
function overview(results: Results): Markup {
  const scenarios = byUrgency(results);
  const kinds = kindsOf(scenarios);
  const cell = (scenario: ScenarioResult, lane: LineId): Content => {
    const { before, after } = beforeAfter(scenario);
    const from = before && worst(before, lane);
    const to = after && worst(after, lane);
    if (!from) return '–';
    if (!to) return lostOf(from.result);
    const tone = (one: typeof from) => lossTone(one.result.lost, one.experiment.valid);
    return html`<span class="${tone(from)}">${count(from.result.lost)}</span> → <b class="${tone(to)}">${count(to.result.lost)}</b> <small>of ${count(to.result.attempts)}</small>`;
  };
  return table({
    look: 'overview',
    caption:
      'One row per scenario, what needs attention first. Lost attempts: without the settings → with them (the worst run)',
    head: [
      'Scenario',
      'Verdict',
      ...kinds.map((kind) => `Lost, ${kind}`),
      'Main cause without the settings',
      'Claims as expected',
    ],
    body: scenarios.map((scenario) => {
      const { before } = beforeAfter(scenario);
      const main = lanesOf(scenario)
        .flatMap((lane) => (before ? causesOf(worst(before, lane)!.result) : []))
        .toSorted((a, b) => b[1] - a[1])[0];
      const held = scenario.claims.filter((claim) => claim.result === claim.expected).length;
      return html`<tr><th scope="row"><a href="#${idOf('s', scenario.name)}">${scenario.title}</a> <small><code>${scenario.name}</code></small></th><td>${scenario.direct && scenario.direct.verdict !== scenario.verdict && html`${verdictBadge(scenario.direct.verdict)} <small>as it is</small> `}${verdictBadge(scenario.verdict)}${historyChip(results, scenario.name)}</td>${kinds.map((kind) => html`<td class="num">${kindCell(scenario, kind, cell)}</td>`)}<td>${main ? causeWords[main[0]].title : '–'}</td><td class="num">${scenario.claims.length > 0 ? `${held} of ${scenario.claims.length}` : '–'}</td></tr>
`;
    }),
  });
}

function findings({ findings: found }: Results): Markup | undefined {
  if (!found || found.length === 0) return undefined;
  return html`<section aria-labelledby="findings"><h2 id="findings">Risks in the manifests</h2>
${findingsTable(found)}</section>`;
}

function environment(results: Results, journals: ReadonlyMap<string, JournalView>): Markup {
  const { cluster, tool } = results;
  const view = journals.values().next().value;
  const rows: [string, Content][] = [
    [
      'Cluster',
      `${cluster.name} (${cluster.kind}), ${cluster.emulated ? 'emulated Kubernetes' : 'real Kubernetes'}`,
    ],
    ['Kubernetes', cluster.kubernetesVersion],
    ['Nodes', cluster.nodes.map((node) => `${node.name} (${node.role})`).join(', ')],
    ['kube-proxy mode', cluster.proxyMode],
    ['Load agent and control target on', cluster.agentNode ?? 'not recorded'],
    ['rollproof', [tool.version, tool.commit && `commit ${tool.commit}`].filter(Boolean).join(', ')],
    ['Run', results.runId],
    [
      'Started, took',
      `${day(results.startedAt)}, ${duration(results.durationMs)} (no load for ${Math.round(results.idleShare * 100)} % of it)`,
    ],
  ];
  if (view) {
    rows.push(
      ['Profile, seed', `${view.profile}, ${view.seed}`],
      ['Target', view.target],
      [
        'Images',
        Object.entries(view.images)
          .map(([name, image]) => `${name}: ${image}`)
          .join(', '),
      ],
      [
        'Load',
        html`<ul class="plain">${view.streams.map((stream) => html`<li>${stream.id}: ${stream.rate} to <code>${stream.url}</code>, ${counted(stream.connections, stream.lane === 'kept' ? 'connection' : 'slot')}, timeout ${duration(stream.timeoutMs)}</li>`)}</ul>`,
      ],
    );
  }
  rows.push(...cluster.notes.map((note): [string, Content] => ['Note', note]));
  return html`<section aria-labelledby="environment"><h2 id="environment">Environment and versions</h2>
${table({
  look: 'facts',
  caption: 'Where this was measured, and with what',
  head: ['What', 'Value'],
  body: rows.map(
    ([what, value]) => html`<tr><th scope="row">${what}</th><td>${value}</td></tr>
`,
  ),
})}
${view && html`<details><summary>Effective configuration</summary><pre tabindex="0">${view.configuration}</pre></details>`}
</section>`;
}

function reproduce(results: Results): Markup {
  return html`<section aria-labelledby="reproduce"><h2 id="reproduce">Do it again</h2>
<div class="command"><pre tabindex="0"><code id="reproduce-line">${results.reproduce}</code></pre></div>
<p>The journals beside this file hold everything that was recorded; <code>rollproof report DIR</code> makes this page from them again.</p>
${results.seal && html`<p>They are sealed: <code class="seal">${results.seal}</code> stands for all of them. <code>rollproof audit DIR</code> says whether anything was changed since.</p>`}
</section>`;
}

function limits(results: Results): Markup {
  return html`<section aria-labelledby="limits"><h2 id="limits">What this does not prove</h2>
<ul>${limitsOf(results).map((limit) => html`<li>${limit}</li>`)}</ul></section>`;
}

function words(): Markup {
  return html`<section aria-labelledby="words"><h2 id="words">Words</h2>
<dl class="words">
<div><dt>Lost</dt><dd>An attempt that got no expected answer: refused, reset, closed, timed out, or a wrong status. Nothing is retried.</dd></div>
<div><dt>Lane</dt><dd>One kind of client: <i>new</i> opens a connection for every request, <i>kept</i> uses its connections again, <i>long</i> has slow requests in flight. They fail for different reasons, so they are never added up.</dd></div>
<div><dt>Outage</dt><dd>From the moment a lost attempt was due to the next success, with no success between.</dd></div>
<div><dt>Race</dt><dd>A connection that the pod closed while a request was already on its way: lost, and shown separately.</dd></div>
<div><dt>Verdict</dt><dd>${Object.entries(verdictWords).map(([verdict, { means }], i) => html`${i > 0 && '; '}<b>${verdict}</b>: ${means}`)}.</dd></div>
</dl></section>`;
}
