// One scenario on the page: the answer, then before and after, what to change, the time line, causes and claims.
import type {
  ExperimentResult,
  LaneResult,
  Results,
  ScenarioResult,
  Verdict,
} from '../../harness/model/results.ts';
import { count, counted, percent } from '../../harness/words/figures.ts';
import {
  causeWords,
  helpAgainst,
  hopText,
  lineWords,
  lossTone,
  retryText,
  settingMeans,
  toneSigns,
  verdictWords,
} from '../../harness/words/names.ts';
import { type Answer, answerOf } from '../answer.ts';
import { substitutionsShown } from '../cases.ts';
import { beforeAfter, caseOf, columnsOf, lanesOf, mainColumns } from '../comparison.ts';
import { crossCheckTable } from './cross-check.ts';
import { episodesTable, mostTelling } from './episodes.ts';
import { figureOf, legend } from './figure.ts';
import { historyChip } from './history.ts';
import { type Content, html, idOf, type Markup, trusted } from './markup.ts';
import { embeddedJson, packed } from './packing.ts';
import {
  beforeAfterTable,
  caseTable,
  causesTable,
  citedLinesTable,
  claimsTable,
  eventTable,
  experimentsTable,
  failureTable,
  matrixTable,
  outcomesSeen,
  podTable,
  repeatTable,
  stepTable,
  windowSentences,
} from './tables.ts';
import type { JournalView, Timeline } from './types.ts';

type Heading = 'h1' | 'h2' | 'h3' | 'h4' | 'h5';

const headingBelow: Readonly<Record<Heading, Heading>> = { h1: 'h2', h2: 'h3', h3: 'h4', h4: 'h5', h5: 'h5' };

export function verdictBadge(verdict: Verdict): Markup {
  const { sign, tone } = verdictWords[verdict];
  return html`<span class="badge ${tone}"><span aria-hidden="true">${sign}</span> ${verdict}</span>`;
}

/** Before a verdict that says more: whether the user's own is safe as it is. */
function ownBadge({ direct, verdict }: ScenarioResult): Markup | undefined {
  if (!direct || direct.verdict === verdict) return undefined;
  return html`${verdictBadge(direct.verdict)} <span>as it is, with the settings</span> `;
}

/** Is it safe, why not, what to change, how sure: what a reader needs in the first minute. */
export function answerPanel(
  scenario: ScenarioResult,
  results: Pick<Results, 'cluster' | 'history'>,
  heading: 'h1' | 'h3',
): Markup {
  const answer = answerOf(scenario, results);
  // Somebody's own that loses is no green answer, also where settings were proven.
  const { tone } = verdictWords[scenario.direct?.verdict === 'loses' ? 'loses' : scenario.verdict];
  const below = headingBelow[heading];
  const card = (title: string, content: Content) =>
    html`<div class="card">${tag(below, title)}${content}</div>`;
  return html`<section class="answer ${tone}">
<p class="kicker">${ownBadge(scenario)}${verdictBadge(scenario.verdict)}${historyChip(results, scenario.name)}${results.cluster.emulated && html` <span class="badge emu">emulated Kubernetes</span>`} <span>${scenario.question}</span></p>
${tag(heading, answer.headline)}
<p class="reason">${sentence(scenario.reason)}</p>
<div class="cards">
${answer.safe.length > 0 && card('Is it safe?', safeList(answer))}
${answer.why.length > 0 && card('Why not?', whyList(answer))}
${answer.change.length > 0 && card('What to change', changeList(scenario, answer))}
${card('How sure is this?', html`<ul class="sure">${answer.sure.map((line) => html`<li class="${line.tone}">${line.text}</li>`)}</ul>`)}
</div></section>`;
}

function tag(name: Heading, content: Content, id?: string): Markup {
  const open = trusted(`<${name}`);
  return html`${open}${id && html` id="${id}"`}>${content}</${trusted(name)}>`;
}

const sentence = (text: string): string =>
  text === '' ? '' : `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?”]$/.test(text) ? '' : '.'}`;

function safeList(answer: Answer): Markup {
  const roles = { before: 'As it is', after: 'With the settings', only: 'As measured' } as const;
  const roleOf = ({ role, column }: Answer['safe'][number]) =>
    (role === 'after' && caseOf(column)?.title) || roles[role];
  const words = { bad: 'loses', warn: 'not measured well enough' } as const;
  return html`<dl class="safe">${answer.safe.map((line) => {
    const tones = line.lanes.map((lane) => lossTone(lane.lost, lane.valid));
    const tone = tones.includes('bad') ? 'bad' : tones.includes('warn') ? 'warn' : 'good';
    return html`<div><dt><b class="${tone}">${toneSigns[tone]} ${roleOf(line)}: ${tone === 'good' ? 'nothing lost' : words[tone]}</b> <small>${line.column.label}</small></dt>
${line.lanes.map((lane) => html`<dd><span>${lineWords(lane.lane).title}</span> <span><b class="${lossTone(lane.lost, lane.valid)}">${count(lane.lost)}</b> of ${count(lane.attempts)}${lane.lost > 0 && html` <small>(${percent(lane.share)})</small>`}</span></dd>`)}</div>`;
  })}</dl>`;
}

/** One entry per cause; lanes have their own shares, since they are never added up. */
function whyList(answer: Answer): Markup {
  const causes = [...new Set(answer.why.map((line) => line.cause))].slice(0, 4);
  return html`<ul class="why">${causes.map((cause) => {
    const lines = answer.why.filter((line) => line.cause === cause);
    return html`<li><b>${causeWords[cause].title}</b>${lines.map((line) => html`<span class="bar" aria-hidden="true"><i style="width:${Math.max(1, Math.round(line.share * 100))}%"></i></span><small>${percent(line.share)} of lost ${lineWords(line.lane).title}</small>`)}</li>`;
  })}</ul>`;
}

/** The settings that were proven, or else the judge's advice as it is. */
function changeList(scenario: ScenarioResult, answer: Answer): Markup {
  const { after } = beforeAfter(scenario);
  const clean = after && !Object.values(after.experiments[0]!.lanes).some((lane) => lane.lost > 0);
  const settled = scenario.verdict === 'proven' && answer.why.length > 0 && clean;
  if (!settled || !after || after.settings.length === 0) {
    return html`${answer.change.map((line) => html`<p>${line}</p>`)}`;
  }
  return html`<p>Apply ${after.settings.length === 1 ? 'this setting' : `these ${after.settings.length} settings`}:</p>
<ul class="settings">${after.settings.map((name) => html`<li><code>${name}</code>${settingMeans(name) && html` <small>${settingMeans(name)}</small>`}</li>`)}</ul>
<p><a href="#${idOf('s', scenario.name, 'change')}">The change as YAML</a></p>`;
}

export interface ScenarioInput {
  readonly scenario: ScenarioResult;
  readonly journals: ReadonlyMap<string, JournalView>;
  readonly heading: 'h2' | 'h4';
  /** Rows of lost attempts per lane; fewer in a report of many experiments. */
  readonly failureRows: number;
  /** The rows behind the marks: in the page, or packed in it. */
  readonly rows: 'open' | 'packed';
}

/** Time lines, causes, the rows behind them and the experiments: by far the larger part. */
export function scenarioEvidence(input: ScenarioInput): Markup {
  const { scenario, journals } = input;
  return html`${section(input, 'timeline', 'What happened, second by second', timelines(input))}${section(input, 'causes', 'Why attempts were lost', causes(input))}${section(input, 'cross-check', 'Counted by another tool, too', crossChecks(scenario))}${scenario.experiments.length > 0 && section(input, 'experiments', 'Experiments and journals', html`${experimentsTable(scenario, journals)}${notes(scenario, journals)}`)}`;
}

/** `evidence`: as it is, or packed. */
export function scenarioBody(input: ScenarioInput, evidence: Markup): Markup {
  const { scenario, journals } = input;
  const measured = scenario.experiments.some((experiment) => Object.keys(experiment.lanes).length > 0);
  const sideBySide = beforeAfter(scenario).after ? 'Before and after' : 'Side by side';
  return html`${section(input, 'episodes', 'Changes that were watched', episodesTable(scenario))}${measured && section(input, 'before-after', sideBySide, beforeAfterTable(scenario))}
${section(input, 'cases', 'Case by case', caseTable(scenario))}
${section(input, 'substitutions', 'What had to be changed to run it', substitutions(scenario))}
${section(input, 'change', 'The change as YAML', settingsDiffs(scenario, journals))}
${section(input, 'matrix', 'Setting by setting', matrixTable(scenario))}
${section(input, 'repeats', 'Run by run', repeatTable(scenario))}
${scenario.claims.length > 0 && section(input, 'claims', 'Claims', claimsTable(scenario))}
${evidence}`;
}

function section(
  { scenario, heading }: ScenarioInput,
  part: string,
  title: string,
  content: Content,
): Markup {
  const id = idOf('s', scenario.name, part);
  return content
    ? html`<section aria-labelledby="${id}">${tag(heading, title, id)}${content}</section>
`
    : html``;
}

/** The difference of the variant after the change, and of the others folded away. */
function settingsDiffs(
  scenario: ScenarioResult,
  journals: ReadonlyMap<string, JournalView>,
): Markup | undefined {
  const { after } = beforeAfter(scenario);
  const diffs = columnsOf(scenario).flatMap((column) => {
    const view = column.experiments.map((experiment) => journals.get(experiment.journal)).find(Boolean);
    return view?.settingsDiff ? [{ column, diff: view.settingsDiff }] : [];
  });
  const main = diffs.find(({ column }) => column.label === after?.label);
  // One variant's change is the same over every path.
  const variants = new Set([main?.column.variant]);
  const others = diffs.filter(({ column }) => !variants.has(column.variant) && variants.add(column.variant));
  if (diffs.length === 0) return undefined;
  return html`${scenario.advice.length > 0 && html`<ul>${scenario.advice.map((line) => html`<li>${line}</li>`)}</ul>`}
${main && html`<p>What “${main.column.variant}” changes in the manifests. Lines with + are new, lines with − go.</p>${diffBlock(main.diff)}`}
${others.map(({ column, diff }) => html`<details><summary>What “${column.variant}” changes</summary>${diffBlock(diff)}</details>`)}`;
}

/** Published manifests are run as they stand; every change that this took stands here with its reason. */
function substitutions(scenario: ScenarioResult): Markup | undefined {
  const shown = substitutionsShown(scenario);
  if (shown.length === 0) return undefined;
  return html`<p>Each change of the manifests with its reason. Lines with + are new, lines with − go.</p>
${shown.map(({ because, diff, variants }) => html`<p><b>${because}</b> <small>Run with it: ${variants.map((name, i) => html`${i > 0 && ', '}<code>${name}</code>`)}</small></p>${diff !== '' && diffBlock(diff)}`)}`;
}

function diffBlock(diff: string): Markup {
  const lines = diff.replace(/\n$/, '').split('\n');
  return html`<pre class="diff" tabindex="0">${lines.map((line) => {
    const look = /^(\+\+\+|---|@@)/.test(line)
      ? 'head'
      : line.startsWith('+')
        ? 'add'
        : line.startsWith('-')
          ? 'del'
          : 'same';
    return html`<span class="${look}">${line}\n</span>`;
  })}</pre>`;
}

/** Of a watch that saw more, those that lost. */
const mostTimelines = 60;

/** Time lines of the experiments that answer the question, on one scale; repeats and other variants packed. */
function timelines(input: ScenarioInput): Markup | undefined {
  const { scenario, journals } = input;
  const shown = mostTelling(scenario.experiments, mostTimelines).flatMap((experiment) => {
    const view = journals.get(experiment.journal);
    return view ? [{ experiment, view }] : [];
  });
  if (shown.length === 0) return undefined;
  const { before, after } = beforeAfter(scenario);
  const open = before && caseOf(before) ? mainColumns(scenario) : [before, after];
  const first = open.flatMap((column) => {
    const entry = shown.find(({ experiment }) => column?.experiments.includes(experiment));
    return entry ? [entry] : [];
  });
  const others = shown.filter((entry) => !first.includes(entry));
  const toMs = Math.max(1000, ...first.map(({ view }) => view.timeline.toMs));
  return html`${legend(outcomesSeen(scenario))}
${first.map(({ experiment, view }) => experimentFigure(input, experiment, view, toMs))}
${others.map(
  ({
    experiment,
    view,
  }) => html`<details class="lazy"><summary>Time line of ${experimentName(scenario, experiment)}</summary>${packed(experimentFigure(input, experiment, view, Math.max(toMs, view.timeline.toMs)), 'The time line')}</details>
`,
)}`;
}

/** The variant, and what tells it apart from others of the same variant. */
function experimentName(scenario: ScenarioResult, experiment: ExperimentResult): string {
  const same = scenario.experiments.filter(({ variant }) => variant === experiment.variant);
  const differs = (pick: (one: ExperimentResult) => unknown) => new Set(same.map(pick)).size > 1;
  return [
    experiment.variant,
    differs((one) => one.path) && experiment.path,
    differs((one) => one.agents) && `${experiment.agents} agents`,
    differs((one) => one.repeat) && `run ${experiment.repeat + 1}`,
  ]
    .filter(Boolean)
    .join(', ');
}

function experimentFigure(
  { scenario, failureRows, rows }: ScenarioInput,
  experiment: ExperimentResult,
  view: JournalView,
  toMs: number,
): Markup {
  const key = experimentKey(scenario, experiment);
  const { timeline } = view;
  const name = experimentName(scenario, experiment);
  const lost = lanesOf(scenario)
    .flatMap((lane) => {
      const result = experiment.lanes[lane];
      if (!result) return [];
      return [
        `lane ${lane} lost ${result.lost === 0 ? 'nothing' : `${count(result.lost)} of ${count(result.attempts)}`}`,
      ];
    })
    .join(', ');
  const behind = html`${podTable(timeline)}${stepTable(timeline)}${timeline.lanes.map((lane) => failureTable(lane, failureRows))}${eventTable(timeline)}`;
  return html`<figure class="experiment"><figcaption><b>${name}</b> <span>${lost}</span></figcaption>
${figureOf(timeline, { id: idOf(key, 'tl'), title: `Time line of ${scenario.title}, ${name}`, toMs, group: idOf('g', scenario.name) })}
${embeddedJson(idOf(key, 'tl'), cursorData(timeline))}
<details class="lazy rows" id="${idOf(key, 'rows')}"><summary>Rows behind the marks of ${name}</summary>${rows === 'open' ? behind : packed(behind, 'The rows')}</details>
</figure>
`;
}

function experimentKey(scenario: ScenarioResult, experiment: ExperimentResult): string {
  return idOf('s', scenario.name, experiment.variant, experiment.path, experiment.agents, experiment.repeat);
}

/** What the script shows at the cursor. */
function cursorData(timeline: Timeline): unknown {
  return {
    lanes: timeline.lanes.map(({ stream, bucketMs, ok, shed, slowestMs, lost }) => ({
      stream,
      bucketMs,
      ok,
      shed: shed.some((n) => n > 0) ? shed : [],
      slowestMs,
      lost,
    })),
    ready: timeline.ready.map(({ atMs, ready, wanted }) => [atMs, ready, wanted]),
    queue: timeline.queue.map(({ atMs, backlog, perSecond }) => [atMs, backlog, perSecond]),
    pods: timeline.pods.map(({ name, states, endpoint, phases }) => ({
      name,
      states: states.map(({ state, fromMs, toMs }) => [state, fromMs, toMs]),
      endpoint: endpoint.map(({ state, fromMs, toMs }) => [state, fromMs, toMs]),
      phases: phases.map(({ phase, atMs }) => [phase, atMs]),
    })),
  };
}

/** Where on the way, and what retries did: of a line that goes through an entry. */
const wayText = (result: LaneResult): string =>
  [hopText(result.hops), retryText(result)].map((part) => part && `; ${part}`).join('');

/** Per experiment and lane that lost anything: windows, causes, facts. */
function causes({ scenario, journals }: ScenarioInput): Markup | undefined {
  const lossy = scenario.experiments.flatMap((experiment) =>
    lanesOf(scenario).flatMap((lane) => {
      const result = experiment.lanes[lane];
      return result && result.windows.length > 0 ? [{ experiment, lane, result }] : [];
    }),
  );
  if (lossy.length === 0) {
    return scenario.experiments.some((experiment) => Object.keys(experiment.lanes).length > 0)
      ? html`<p>Nothing was lost in any lane, so there is nothing to explain.</p>`
      : undefined;
  }
  const seen = new Set(
    lossy.flatMap(({ result }) =>
      result.windows.flatMap(({ causes: shares }) => shares.map(({ cause }) => cause)),
    ),
  );
  const { before, after } = beforeAfter(scenario);
  const first = new Set([before?.experiments[0], after?.experiments[0]]);
  return html`<dl class="causes-words">${[...seen].map(
    (cause) =>
      html`<div><dt>${causeWords[cause].title} <code>${cause}</code></dt><dd>${causeWords[cause].what} What helps: ${helpAgainst(
        cause,
        lossy.map(({ experiment }) => experiment),
      )}</dd></div>`,
  )}</dl>
${lossy.map(({ experiment, lane, result }) => {
  const shown = result.windows.slice(0, windowsShown);
  const rest = result.windows.length - shown.length;
  const caption = `${experimentName(scenario, experiment)}, lane ${lane}: ${count(result.lost)} lost in ${counted(result.windows.length, 'window')}${rest > 0 ? ` (the first ${windowsShown} of them; all are in results.json)` : ''}${wayText(result)}`;
  const part = html`${causesTable(shown, caption, {
    key: experimentKey(scenario, experiment),
    line: lane,
    view: journals.get(experiment.journal),
  })}${windowSentences(shown.slice(0, sentencesShown), lane)}`;
  return first.has(experiment)
    ? part
    : html`<details class="lazy"><summary>${caption}</summary>${packed(part, 'These causes')}</details>`;
})}
${[...new Set(lossy.map(({ experiment }) => experiment))].map((experiment) => {
  const view = journals.get(experiment.journal);
  const lines = view && citedLinesTable(view, experimentKey(scenario, experiment));
  return (
    lines &&
    html`<details class="lazy rows"><summary>Journal lines behind these facts: ${experimentName(scenario, experiment)}</summary>${first.has(experiment) ? lines : packed(lines, 'The lines')}</details>`
  );
})}`;
}

function crossChecks(scenario: ScenarioResult): Markup | undefined {
  const tables = scenario.experiments.flatMap((experiment) => {
    const shown = crossCheckTable(experiment, experimentName(scenario, experiment));
    return shown ? [shown] : [];
  });
  return tables.length > 0 ? html`${tables}` : undefined;
}

const windowsShown = 40;
/** One for each of the first windows. */
const sentencesShown = 5;

function notes(scenario: ScenarioResult, journals: ReadonlyMap<string, JournalView>): Markup | undefined {
  const all = scenario.experiments.flatMap((experiment) => {
    const view = journals.get(experiment.journal);
    const texts = view?.notes.map((note) => `${note.level}: ${note.text}`) ?? [];
    if (view?.truncated) texts.push('warning: the journal reached its size bound and is cut off');
    return texts.map((text) => `${experimentName(scenario, experiment)}: ${text}`);
  });
  if (all.length === 0) return undefined;
  return html`<details><summary>What the harness noted (${all.length})</summary><ul>${all.slice(0, 60).map((text) => html`<li>${text}</li>`)}</ul></details>`;
}
