// The report's tables: before and after, causes, claims, matrix, repeats, experiments and the rows behind the marks.

import type { JoinedFinding } from '../../harness/model/finding.ts';
import type { ByLine, LineId } from '../../harness/model/line.ts';
import { lostOutcomes, type Outcome } from '../../harness/model/load.ts';
import type {
  Ablation,
  CauseShare,
  ClaimResult,
  Fact,
  LaneResult,
  LossWindow,
  ScenarioResult,
  SettingEffect,
  Verdict,
} from '../../harness/model/results.ts';
import { asIsName } from '../../harness/model/setting.ts';
import { at, count, counted, duration, listed, percent } from '../../harness/words/figures.ts';
import {
  causeWords,
  hopWords,
  lineWords,
  lossTone,
  outcomeWords,
  type Tone,
} from '../../harness/words/names.ts';
import { windowSentence } from '../../harness/words/window.ts';
import { caseRows, claimSays } from '../cases.ts';
import {
  type Column,
  caseOf,
  causesOf,
  cleanRuns,
  columnsOf,
  lanesOf,
  mainColumns,
  worst,
} from '../comparison.ts';
import { type Content, html, idOf, type Markup } from './markup.ts';
import { protocolRows } from './protocol-rows.ts';
import type { JournalView, LaneSeries, Timeline } from './types.ts';

interface TableOptions {
  readonly caption: Content;
  readonly head: readonly Content[];
  readonly look?: string;
  /** Rows, or groups of rows (a `tbody` each). */
  readonly body: readonly Markup[] | { readonly groups: readonly Markup[] };
}

/** A table with caption and column headers, in a region that scrolls on narrow screens. */
export function table({ caption, head, body, look = '' }: TableOptions): Markup {
  return html`<div class="scroll"><table class="${look}"><caption>${caption}</caption>
<thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
${'groups' in body ? body.groups : html`<tbody>${body}</tbody>`}</table></div>`;
}

/** A cell with a look of its own: one or more classes of page.css. */
class Cell {
  readonly look: string;
  readonly content: Content;
  constructor(look: string, content: Content) {
    this.look = look;
    this.content = content;
  }
}

const cell = (look: string, content: Content) => new Cell(look, content);

export const row = (head: Content, ...cells: readonly (Content | Cell)[]): Markup =>
  html`<tr><th scope="row">${head}</th>${cells.map((one) => (one instanceof Cell ? html`<td class="${one.look}">${one.content}</td>` : html`<td>${one}</td>`))}</tr>
`;

/** Lanes under one another, variants side by side; nothing is added up over lanes. */
export function beforeAfterTable(scenario: ScenarioResult): Markup {
  const columns = mainColumns(scenario);
  const repeats = Math.max(1, ...columns.map((column) => column.experiments.length));
  const groups = lanesOf(scenario).map((lane) => laneRows(lane, columns));
  return table({
    look: 'compare',
    caption: html`Before and after, lane by lane${repeats > 1 ? ` (the worst of ${repeats} runs)` : ''}. Lanes are kinds of clients; they are never added up.`,
    head: [
      html`<span class="hidden">Measure</span>`,
      ...columns.map(
        (column) => html`${column.label}<small>${caseOf(column)?.title ?? settingsOf(column)}</small>`,
      ),
    ],
    body: { groups: [...groups, rolloutRows(columns), queueRows(columns)] },
  });
}

function settingsOf({ variant, settings }: Column): string {
  if (settings.length > 0) return listed(settings);
  return variant === asIsName ? 'yours, unchanged' : 'no settings';
}

function laneRows(lane: LineId, columns: readonly Column[]): Markup {
  const found = columns.map((column) => worst(column, lane));
  const results = found.map((one) => one?.result);
  const present = results.flatMap((result) => result ?? []);
  const seen = lostOutcomes.filter((outcome) => present.some((result) => result.outcomes[outcome]));
  const cells = (show: (result: LaneResult) => Content) =>
    results.map((result) => (result ? show(result) : html`<span class="quiet">not measured</span>`));
  const most = Math.max(1, ...present.map((result) => result.lost));
  const lost = found.map((one) => {
    if (!one) return html`<span class="quiet">not measured</span>`;
    const { result, experiment } = one;
    return cell(
      `lost ${lossTone(result.lost, experiment.valid)}`,
      html`<b>${count(result.lost)}</b> of ${count(result.attempts)} <span class="share">${percent(result.lossRate.share)}</span>${!experiment.valid && html`<small>not valid: ${experiment.invalid[0] ?? experiment.status}</small>`}<span class="bar" aria-hidden="true"><i style="width:${Math.round((result.lost / most) * 100)}%"></i></span>`,
    );
  });
  return html`<tbody><tr class="group"><th scope="rowgroup" colspan="${columns.length + 1}">Lane ${lane} <small>${lineWords(lane).title}: ${lineWords(lane).means}</small></th></tr>
${row('Lost', ...lost)}
${row('Loss rate, 95 % interval', ...cells((result) => (result.lost === 0 ? `below ${percent(result.lossRate.high95)}` : `${percent(result.lossRate.low95)} to ${percent(result.lossRate.high95)}`)))}
${seen.map((outcome) => row(html`<span class="indent"><i class="swatch o-${outcome}" aria-hidden="true"></i>${outcomeWords[outcome]}</span>`, ...cells((result) => count(result.outcomes[outcome] ?? 0))))}
${present.some((result) => result.races > 0) && row(html`<span class="indent">of these, a close that crossed a request</span>`, ...cells((result) => count(result.races)))}
${row('Longest outage', ...cells((result) => (result.longestOutageMs > 0 ? duration(result.longestOutageMs) : 'none')))}
${row('Time from first to last loss', ...cells((result) => (result.lost > 0 ? duration(result.recoveredMs) : '–')))}
${row('Main cause', ...cells((result) => mainCause(result)))}
${present.some((result) => result.shed > 0) && row('Not sent: no free connection', ...cells((result) => count(result.shed)))}
${row('Answer time, median / 99 %', ...cells((result) => `${duration(result.latencyMs.p50)} / ${duration(result.latencyMs.p99)}`))}
${protocolRows(results, row)}
</tbody>`;
}

function mainCause(result: LaneResult): Content {
  const [main] = causesOf(result);
  if (!main) return result.lost > 0 ? 'not decided' : '–';
  return `${causeWords[main[0]].title} (${count(main[1])})`;
}

function rolloutRows(columns: readonly Column[]): Markup {
  const cells = (show: (rollout: Column['experiments'][number]['rollout']) => Content) =>
    columns.map((column) => show(column.experiments[0]!.rollout));
  const first = columns[0];
  if (!first) return html``;
  const repeats = Math.max(...columns.map((column) => column.experiments.length));
  const time = (ms: number | null) => (ms === null ? 'not reached' : duration(ms));
  return html`<tbody><tr class="group"><th scope="rowgroup" colspan="${columns.length + 1}">The rollout <small>what safety costs${repeats > 1 ? ' (first run)' : ''}</small></th></tr>
${row('Rollout complete after', ...cells((rollout) => time(rollout.completedMs)))}
${row('No pod terminating after', ...cells((rollout) => time(rollout.settledMs)))}
${row('Ready pods, lowest', ...cells((rollout) => count(rollout.minReady)))}
${row('Pods, highest (terminating ones too)', ...cells((rollout) => `${rollout.maxPodsNotTerminating} (${rollout.maxPods})`))}
${row('Capacity lost', ...cells((rollout) => `${count(rollout.capacityLostPodSeconds)} pod-seconds`))}
${row('Extra capacity used', ...cells((rollout) => `${count(rollout.extraPodSeconds)} pod-seconds`))}
${routingRows(columns)}
</tbody>`;
}

/** Only where connection tracking was read. */
function routingRows(columns: readonly Column[]): Content {
  if (!columns.some(({ experiments }) => experiments[0]?.routing)) return undefined;
  const cell = (which: 'left' | 'joined') => (column: Column) =>
    listed(
      (column.experiments[0]?.routing ?? []).map(({ node, [which]: lag }) =>
        lag.count === 0
          ? `${node}: –`
          : `${node}: ${duration(lag.p50Ms)} / ${duration(lag.p90Ms)} / ${duration(lag.maxMs)}`,
      ),
    ) || 'not measured';
  return html`${row('Connections still sent to a pod that had left, for (half / 90 % / longest)', ...columns.map(cell('left')))}
${row('First connection sent to a pod that had joined, after', ...columns.map(cell('joined')))}`;
}

/** Only where the target pulls from a queue. */
function queueRows(columns: readonly Column[]): Markup {
  const value = (column: Column, measure: string): Content => {
    const found = column.experiments[0]!.measures[measure];
    return typeof found === 'number' ? count(found) : html`<span class="quiet">not measured</span>`;
  };
  const cells = (measure: string) => columns.map((column) => value(column, measure));
  if (!columns.some((column) => column.experiments.some(({ measures }) => 'maxBacklog' in measures)))
    return html``;
  return html`<tbody><tr class="group"><th scope="rowgroup" colspan="${columns.length + 1}">The queue <small>the work that the target pulls</small></th></tr>
${row('Items that came in per second', ...cells('enqueuedPerSecond'))}
${row('Items finished per second, during the rollout', ...cells('processedPerSecondInRollout'))}
${row('Items finished per second, lowest', ...cells('processedPerSecondMin'))}
${row('Items waiting, highest', ...cells('maxBacklog'))}
${row('Items waiting at the end', ...cells('backlogAtEnd'))}
</tbody>`;
}

/** A scenario's own cases, one per row; undefined: it has none. */
export function caseTable(scenario: ScenarioResult): Markup | undefined {
  const rows = caseRows(scenario);
  if (rows.length === 0) return undefined;
  return table({
    look: 'small cases',
    caption: 'The cases of this scenario. Pods per node: most first, at the start and after each rollout.',
    head: [
      'Case',
      'What it is',
      'Lost',
      'Rollout complete after',
      'Ready pods, lowest',
      'Pods per node',
      'What showed',
    ],
    body: rows.map(({ name, title, lost, complete, lowestReady, placements, claims }) =>
      row(
        html`<code>${name}</code>`,
        title,
        lost,
        complete,
        lowestReady,
        placements,
        html`<ul class="plain">${claims.map(({ text, result }) => html`<li>${claimSays[result]}${text}</li>`)}</ul>`,
      ),
    ),
  });
}

/** The outcomes that were seen in any lane of a scenario, for legends. */
export function outcomesSeen(scenario: ScenarioResult): readonly Outcome[] {
  return lostOutcomes.filter((outcome) =>
    scenario.experiments.some((experiment) =>
      Object.values(experiment.lanes).some((lane) => lane.outcomes[outcome]),
    ),
  );
}

export function claimsTable({ claims, verdict }: Pick<ScenarioResult, 'claims' | 'verdict'>): Markup {
  return table({
    look: 'claims',
    caption: 'Claims: what was tested, who says so, what was measured',
    head: ['Claim', 'Applies to', 'Expected', 'Measured', 'Result'],
    body: claims.map((claim) => {
      const [tone, word] = claimWords(claim, verdict);
      return row(
        html`${claim.text}<small class="source">Source: ${claim.source}</small>${claim.because && html`<small class="source">Expected to fail, because ${claim.because}</small>`}`,
        `${claim.appliesTo.variant ?? 'every variant'}${claim.appliesTo.lane ? `, lane ${claim.appliesTo.lane}` : ''}`,
        claim.expect,
        html`${claim.measured}${claim.runs && claim.runs.of > 1 && html`<small>held in ${claim.runs.holds} of ${claim.runs.of} experiments</small>`}`,
        cell(tone, html`<b>${word}</b>`),
      );
    }),
  });
}

function claimWords(
  { result, expected }: ClaimResult,
  verdict: Verdict,
): readonly [tone: Tone, word: string] {
  if (result === 'undecided') return ['warn', '? undecided'];
  if (result === 'not-run') return ['quiet', '– not run'];
  if (result === expected) return ['good', expected === 'fails' ? '✓ fails, as expected' : '✓ holds'];
  if (expected === 'fails') return ['warn', '! holds, unexpectedly'];
  return verdict === 'unneeded' ? ['warn', '○ did not show'] : ['bad', '✕ fails'];
}

/** Setting × lane with losses and causes; only for scenarios with more variants than before and after. */
export function matrixTable(scenario: ScenarioResult): Markup | undefined {
  const { ablation } = scenario;
  if (ablation) return ablationTables(ablation);
  const columns = columnsOf(scenario);
  const settings = [...new Set(columns.flatMap((column) => column.settings))];
  if (columns.length < 3 || settings.length === 0) return undefined;
  const lanes = lanesOf(scenario);
  return settingsMatrix(
    settings,
    lanes,
    columns
      .toSorted((a, b) => a.settings.length - b.settings.length || a.label.localeCompare(b.label))
      .map((column) => ({
        label: column.label,
        settings: column.settings,
        lanes: Object.fromEntries(lanes.map((lane) => [lane, worst(column, lane)?.result])),
      })),
  );
}

interface MatrixRow {
  readonly label: string;
  readonly settings: readonly string[];
  readonly lanes: ByLine<Pick<LaneResult, 'lost' | 'attempts' | 'causes'> | undefined>;
}

function settingsMatrix(
  settings: readonly string[],
  lanes: readonly LineId[],
  rows: readonly MatrixRow[],
): Markup {
  return table({
    look: 'matrix',
    caption: 'Every combination of settings that ran, and what it lost in each lane (● on, ○ off)',
    head: ['Settings', ...settings, ...lanes.map((lane) => `Lost, ${lane}`), 'Causes'],
    body: rows.map((one) => {
      const found = lanes.flatMap((lane) => {
        const measured = one.lanes[lane];
        return measured ? causesOf(measured).map(([cause]) => cause) : [];
      });
      return row(
        one.label,
        ...settings.map((setting) =>
          one.settings.includes(setting)
            ? cell('dot on', html`<span aria-hidden="true">●</span><span class="hidden">on</span>`)
            : cell('dot', html`<span aria-hidden="true">○</span><span class="hidden">off</span>`),
        ),
        ...lanes.map((lane) => {
          const measured = one.lanes[lane];
          if (!measured) return 'not measured';
          return cell(
            measured.lost > 0 ? 'bad' : 'good',
            html`<b>${count(measured.lost)}</b> <small>of ${count(measured.attempts)}</small>`,
          );
        }),
        html`${[...new Set(found)].map((cause, i) => html`${i > 0 && ', '}<code>${cause}</code>`)}${found.length === 0 && '–'}`,
      );
    }),
  });
}

const effectWords: Readonly<Record<SettingEffect['effect'], readonly [look: string, words: string]>> = {
  needed: ['bad', 'needed'],
  enough: ['good', 'enough alone'],
  helps: ['good', 'helps'],
  harms: ['bad', 'harms'],
  'not-needed': ['', 'not needed here'],
  'no-effect': ['', 'no effect seen'],
  undecided: ['warn', 'undecided'],
};

/** What each setting does per lane, first in words, then the rows that it rests on. */
function ablationTables(ablation: Ablation): Markup {
  const { settings, lanes, effects, pairs, rows } = ablation;
  const effect = (setting: string, lane: LineId) =>
    effects.find((one) => one.setting === setting && one.lane === lane);
  return html`${table({
    look: 'effects',
    caption: 'What each setting does, lane by lane',
    head: ['Setting', ...lanes.map((lane) => `Lane ${lane}`)],
    body: settings.map((setting) =>
      row(
        html`<code>${setting}</code>`,
        ...lanes.map((lane) => {
          const found = effect(setting, lane);
          if (!found) return '–';
          const [look, words] = effectWords[found.effect];
          return cell(look, html`<b>${words}</b><small>${found.text}</small>`);
        }),
      ),
    ),
  })}
${pairs.length > 0 && html`<p>Only together:</p><ul>${pairs.map((pair) => html`<li>${pair.text}</li>`)}</ul>`}
${settingsMatrix(settings, lanes, rows)}`;
}

/** What the static check found, beside what was measured. */
export function findingsTable(findings: readonly JoinedFinding[]): Markup {
  const words: Readonly<Record<JoinedFinding['evidence'], readonly [look: string, text: string]>> = {
    confirmed: ['bad', '✕ confirmed'],
    'not-confirmed': ['good', '✓ not confirmed'],
    'not-measured': ['warn', '? not measured'],
  };
  return table({
    look: 'claims',
    caption: 'Risks that the static check names in the manifests, and whether they showed',
    head: ['Risk', 'Where', 'Rule', 'What was measured', 'Evidence'],
    body: findings.map(({ finding, evidence, text }) => {
      const [look, shown] = words[evidence];
      return row(
        html`${finding.message}<small>${finding.why}</small>`,
        html`<code>${finding.file}:${finding.line}</code><small>${finding.object}</small>`,
        html`<code>${finding.rule}</code><small>${finding.severity}</small>`,
        text,
        cell(look, html`<b>${shown}</b>`),
      );
    }),
  });
}

export function repeatTable(scenario: ScenarioResult): Markup | undefined {
  const columns = columnsOf(scenario).filter((column) => column.experiments.length > 1);
  if (columns.length === 0) return undefined;
  const lanes = lanesOf(scenario);
  return table({
    look: 'repeats',
    caption: 'Repeats: how often a lane lost nothing, and how much the runs differ',
    head: ['Variant', ...lanes.flatMap((lane) => [`Clean runs, ${lane}`, `Lost per run, ${lane}`])],
    body: columns.map((column) =>
      row(
        column.label,
        ...lanes.flatMap((lane) => {
          const { clean, runs } = cleanRuns(column, lane);
          const lost = column.experiments.map((experiment) => experiment.lanes[lane]?.lost ?? 0);
          return [
            cell(
              clean < runs
                ? 'bad'
                : lossTone(
                    0,
                    column.experiments.every(({ valid }) => valid),
                  ),
              html`<b>${clean} of ${runs}</b>`,
            ),
            lost.length <= 12
              ? lost.map(count).join(', ')
              : `${count(Math.min(...lost))} to ${count(Math.max(...lost))}`,
          ];
        }),
      ),
    ),
  });
}

export function experimentsTable(
  scenario: ScenarioResult,
  journals: ReadonlyMap<string, JournalView>,
): Markup {
  return table({
    look: 'small',
    caption: 'Every experiment, its validity and its journal',
    head: [
      'Variant',
      'Run',
      'Over',
      'State',
      'Load',
      'Control target lost',
      'Send lag 99 %',
      'Clock error',
      'Journal',
    ],
    body: scenario.experiments.map((experiment) => {
      const lag = Math.max(0, ...Object.values(experiment.lanes).map((lane) => lane.sendLagMs.p99));
      const state =
        experiment.status !== 'complete' ? experiment.status : experiment.valid ? 'valid' : 'not valid';
      return row(
        experiment.variant,
        // Repeats are numbered from 0.
        count(experiment.repeat + 1),
        `${experiment.path}${experiment.agents > 1 ? `, ${experiment.agents} agents` : ''}`,
        cell(
          experiment.valid ? 'good' : 'bad',
          html`${state}${experiment.invalid.map((reason) => html`<small>${reason}</small>`)}`,
        ),
        duration(experiment.loadMs),
        experiment.control
          ? `${count(experiment.control.lost)} of ${count(experiment.control.attempts)}`
          : '–',
        duration(lag),
        Number.isFinite(experiment.clock.errorMs)
          ? `± ${duration(experiment.clock.errorMs)}`
          : 'not measured',
        html`<a href="${encodePath(experiment.journal)}">${experiment.journal}</a>${journals.has(experiment.journal) ? '' : html` <small>(not read)</small>`}`,
      );
    }),
  });
}

/** A relative path as a link: a name with spaces or a colon must not become a scheme. */
export function encodePath(path: string): string {
  return `./${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Loss windows of one lane with causes and facts; facts link to the journal's lines that the page carries. */
export function causesTable(
  windows: readonly LossWindow[],
  caption: string,
  {
    key,
    line,
    view,
  }: { readonly key: string; readonly line: LineId; readonly view: JournalView | undefined },
): Markup {
  return table({
    look: 'causes',
    caption,
    head: ['Window', 'Lost', 'Cause and how sure', 'Facts, pod by pod'],
    body: windows.flatMap((window) => {
      const shares = window.causes.toSorted((a, b) => b.lost - a.lost);
      const head = html`<th scope="rowgroup" rowspan="${Math.max(1, shares.length)}">${view ? html`<a class="moment" href="${momentLink(key, line, window)}">${span(window)}</a>` : span(window)}<small>${count(window.lost)} lost: ${outcomeList(window.outcomes)}</small></th>`;
      if (shares.length === 0) {
        return html`<tr>${head}<td>${count(window.lost)}</td><td colspan="2">not decided</td></tr>`;
      }
      return shares.map(
        (
          share,
          i,
        ) => html`<tr>${i === 0 && head}<td><b>${count(share.lost)}</b></td><td><b>${causeWords[share.cause].title}</b><small>${share.hop && html`${hopWords[share.hop]}, `}<code>${share.cause}</code>, confidence ${share.confidence}</small></td><td>${factList(share, key, view)}</td></tr>
`,
      );
    }),
  });
}

const span = ({ startMs, endMs }: LossWindow): string => `${at(startMs)} to ${at(endMs)}`;

/** Leads to the time line of an experiment, to a span or a moment of it (browser.js reads it). */
function momentLink(key: string, line: LineId, { startMs, endMs }: LossWindow): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  return `#at=${seconds(startMs)}-${seconds(endMs)}&in=${idOf(key, 'tl')}&lane=${encodeURIComponent(line)}`;
}

/** Each window as a sentence to paste. */
export const windowSentences = (windows: readonly LossWindow[], line: LineId): Markup =>
  html`${windows.map((window) => html`<div class="command say"><code>${windowSentence(window, line)}</code></div>`)}`;

function outcomeList(outcomes: LaneResult['outcomes']): string {
  return lostOutcomes
    .filter((outcome) => outcomes[outcome])
    .map((outcome) => `${count(outcomes[outcome]!)} ${outcomeWords[outcome]}`)
    .join(', ');
}

const podsShown = 8;
const factsShown = 8;

/** Facts under their pod, in order of time; those of no pod first. */
function factList(share: CauseShare, key: string, view: JournalView | undefined): Content {
  const byPod = new Map<string, Fact[]>();
  for (const fact of share.facts) {
    const pod = fact.pod ?? '';
    byPod.set(pod, [...(byPod.get(pod) ?? []), fact]);
  }
  for (const pod of share.pods) if (!byPod.has(pod)) byPod.set(pod, []);
  if (byPod.size === 0) return 'none recorded';
  const groups = [...byPod]
    .toSorted(([a, x], [b, y]) => Number(b === '') - Number(a === '') || firstMs(x) - firstMs(y))
    .slice(0, podsShown);
  const more = byPod.size - groups.length;
  return html`<ul class="facts">${groups.map(([pod, facts]) => {
    const shown = facts.toSorted((a, b) => (a.tMs ?? 0) - (b.tMs ?? 0)).slice(0, factsShown);
    const rest = facts.length - shown.length;
    return html`<li>${pod && html`<code>${pod}</code>`}${shown.map((fact) => html`<span>${factText(fact)} ${fact.line !== undefined && lineLink(fact.line, key, view)}</span>`)}${rest > 0 && html`<span>and ${counted(rest, 'more fact')}</span>`}</li>`;
  })}${more > 0 && html`<li>and ${counted(more, 'more pod')}</li>`}</ul>`;
}

/** Under its pod a fact need not name the pod again; a text that says its time needs no other. */
function factText({ text, tMs, pod }: Fact): Content {
  const short = pod === undefined ? text : text.replace(`pod ${pod} `, '').replace(`pod ${pod}: `, '');
  const timed = /\d(\.\d+)? m?s\b/.test(short);
  return timed || tMs === undefined ? short : html`<b class="when">${at(tMs)}</b> ${short}`;
}

const firstMs = (facts: readonly Fact[]): number =>
  Math.min(Infinity, ...facts.map((fact) => fact.tMs ?? Infinity));

function lineLink(line: number, key: string, view: JournalView | undefined): Content {
  return view && line in view.cited
    ? html`<a class="line" href="#${idOf(key, 'line', line)}">line ${line}</a>`
    : html`<span class="quiet">line ${line}</span>`;
}

/** The journal's lines that facts cite, so that a figure can be followed without opening the journal. */
export function citedLinesTable(view: JournalView, key: string): Markup | undefined {
  const lines = Object.entries(view.cited);
  if (lines.length === 0) return undefined;
  return table({
    look: 'rows',
    caption: 'Lines of the journal that the facts cite',
    head: ['Line', 'Record'],
    body: lines.map(
      ([line, text]) =>
        html`<tr id="${idOf(key, 'line', line)}"><th scope="row">${line}</th><td><code class="record">${text}</code></td></tr>
`,
    ),
  });
}

/** What stands behind the marks of the time line. */
export function podTable(timeline: Timeline): Markup {
  const when = (ms: number | undefined) => (ms === undefined ? '–' : ms < 0 ? 'before' : at(ms));
  return table({
    look: 'rows',
    caption: `Pods: when they changed (seconds since the load’s start)${timeline.omitted.pods > 0 ? `; ${count(timeline.omitted.pods)} more are in the journal` : ''}`,
    head: [
      'Pod',
      'Node',
      'Seen',
      'Running',
      'App listening',
      'Ready',
      'In Service',
      'Out of Service',
      'Deleted',
      'SIGTERM',
      'Port closed',
      'Gone',
    ],
    body: timeline.pods.map((pod) => {
      const state = (name: string) => pod.states.find((span) => span.state === name);
      const phase = (name: string) => pod.phases.find((mark) => mark.phase === name)?.atMs;
      const inService = pod.endpoint.find((span) => span.state === 'ready');
      const running = pod.states.find((span) => span.state === 'not-ready' || span.state === 'ready');
      const last = pod.states.at(-1);
      const ends = (span: { toMs: number } | undefined) =>
        span && span.toMs < timeline.toMs ? span.toMs : undefined;
      return row(
        html`<code>${pod.name}</code>`,
        pod.node ?? '–',
        when(pod.states[0]?.fromMs),
        when(running?.fromMs),
        when(phase('listening')),
        when(state('ready')?.fromMs),
        when(inService?.fromMs),
        when(ends(inService)),
        when(state('terminating')?.fromMs),
        when(phase('sigterm')),
        when(phase('closed') ?? phase('gone')),
        when(last?.state === 'terminating' ? ends(last) : undefined),
      );
    }),
  });
}

export function stepTable(timeline: Timeline): Markup {
  return table({
    look: 'rows',
    caption: 'Steps and milestones',
    head: ['What', 'From', 'To', 'Journal line'],
    body: [
      ...timeline.steps.map((step) => ({
        ms: step.fromMs,
        markup: row(
          `${step.label}${step.failed ? ' (failed)' : ''}`,
          at(step.fromMs),
          step.toMs === undefined ? 'did not end' : at(step.toMs),
          count(step.line),
        ),
      })),
      ...timeline.milestones.map((mark) => ({
        ms: mark.atMs,
        markup: row(mark.name.replaceAll('-', ' '), at(mark.atMs), '', count(mark.line)),
      })),
    ]
      .toSorted((a, b) => a.ms - b.ms)
      .map(({ markup }) => markup),
  });
}

export function eventTable(timeline: Timeline): Markup | undefined {
  if (timeline.events.length === 0) return undefined;
  return table({
    look: 'rows',
    caption: `Kubernetes events${timeline.omitted.events > 0 ? ` (${count(timeline.omitted.events)} more in the journal)` : ''}`,
    head: ['At', 'Type', 'Reason', 'Object', 'Message', 'Journal line'],
    body: timeline.events.map((event) =>
      row(
        at(event.atMs),
        event.warning ? 'Warning' : 'Normal',
        event.reason,
        event.object,
        `${event.message}${event.count > 1 ? ` (${event.count} times)` : ''}`,
        count(event.line),
      ),
    ),
  });
}

export function failureTable(lane: LaneSeries, rows: number): Markup | undefined {
  const shown = lane.failures.slice(0, rows);
  const more = lane.failuresOmitted + lane.failures.length - shown.length;
  if (shown.length === 0) return undefined;
  return table({
    look: 'rows',
    caption: `Lost attempts, ${lane.control ? 'control target' : `lane ${lane.stream}`}: ${counted(shown.length, 'row')}${more > 0 ? `, ${count(more)} more in the journal` : ''}`,
    head: ['Due', 'Ended', 'Outcome', 'Phase', 'Code', 'Connection', 'Request on it', 'Pod', 'Journal line'],
    body: shown.map((failure) =>
      row(
        at(failure.dueMs),
        at(failure.endMs),
        `${outcomeWords[failure.outcome]}${failure.race ? ' (race)' : ''}`,
        failure.phase,
        failure.code,
        `${count(failure.connection)}${failure.reused ? ', reused' : ''}`,
        count(failure.nth),
        failure.pod ?? '–',
        count(failure.line),
      ),
    ),
  });
}
