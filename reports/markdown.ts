// Markdown for a pull request's comment or a CI job's summary: the answer, one table, causes, folded details.

import type { LineId } from '../harness/model/line.ts';
import { lostOutcomes } from '../harness/model/load.ts';
import type { Results, ScenarioResult } from '../harness/model/results.ts';
import { clip, count, counted, day, duration, listed, lostOf, percent } from '../harness/words/figures.ts';
import {
  causeWords,
  hopText,
  lineWords,
  outcomeWords,
  retryText,
  targetText,
  verdictWords,
} from '../harness/words/names.ts';
import { answerOf, limitsOf, suiteHeadline } from './answer.ts';
import { caseRows, claimSays, type SubstitutionShown, substitutionsShown } from './cases.ts';
import { beforeAfter, byKind, causesOf, kindsOf, lanesOf, mainColumns, worst } from './comparison.ts';
import { byUrgency, standingOf, unusual } from './standing.ts';

/** A comment on GitHub takes 65,536 characters; room is left for what a workflow adds around it. */
const limitChars = 60_000;

export function renderMarkdown(results: Results): string {
  const { scenarios } = results;
  const single = scenarios.length === 1 ? scenarios[0]! : undefined;
  const head = [
    `## ${single ? `${sign(single)} ${text(answerOf(single, results).headline)}` : text(suiteHeadline(scenarios))}`,
    '',
    ...(results.cluster.emulated
      ? [
          `> **Emulated Kubernetes.** Real processes and connections, but under an emulation of Kubernetes ${text(results.cluster.kubernetesVersion)}, not on a real cluster.`,
          '',
        ]
      : []),
  ];
  const tail = [
    '<details><summary>What this does not prove</summary>',
    '',
    ...limitsOf(results).map((limit) => `- ${text(limit)}`),
    '',
    '</details>',
    '',
    `<sub>rollproof ${text(results.tool.version)} · ${results.target === undefined ? '' : `${text(targetText(results.target))} · `}${text(results.cluster.kind)}, ${results.cluster.emulated ? 'emulated ' : ''}Kubernetes ${text(results.cluster.kubernetesVersion)} · ${day(results.startedAt)} · again: ${code(results.reproduce)}${results.seal ? ` · seal ${code(results.seal)}` : ''}</sub>`,
    '',
  ];
  const middle = single
    ? [scenarioSection(single, results, 3)]
    : [overviewTable(results), ...byUrgency(results).map((scenario) => foldedScenario(scenario, results))];
  return fitted([...head, ...againstHistory(results)].join('\n'), middle, tail.join('\n'));
}

/** More would push the answer out of sight. */
const shownUnusual = 8;

function againstHistory(results: Results): string[] {
  const { history } = results;
  if (!history || history.runs === 0) return [];
  const lines = unusual(results);
  const runs = counted(history.runs, 'run');
  if (lines.length === 0) return [`Against the last ${runs}: nothing unusual.`, ''];
  return [
    `Against the last ${runs}:`,
    ...lines.slice(0, shownUnusual).map((line) => `- ${text(line)}`),
    ...(lines.length > shownUnusual ? [`- and ${lines.length - shownUnusual} more`] : []),
    '',
  ];
}

/** Leaves out whole sections from the end when the text would not fit, and says how many. */
function fitted(head: string, sections: readonly string[], tail: string): string {
  const parts = [head];
  let used = head.length + tail.length;
  let left = sections.length;
  for (const section of sections) {
    if (used + section.length > limitChars) break;
    parts.push(section);
    used += section.length + 1;
    left--;
  }
  if (left > 0) parts.push(`_${left} more sections are in index.html; they did not fit here._\n`);
  return [...parts, tail].join('\n');
}

function overviewTable(results: Results): string {
  const scenarios = byUrgency(results);
  const own = scenarios.some(({ direct }) => direct);
  const kinds = kindsOf(scenarios);
  return [
    `| Scenario | ${own ? 'As it is | ' : ''}Verdict | ${kinds.map((kind) => `Lost, ${kind}: before → after`).join(' | ')} |`,
    `|---|${own ? '---|' : ''}---|${kinds.map(() => '---:|').join('')}`,
    ...scenarios.map((scenario) => {
      const { before, after } = beforeAfter(scenario);
      const ofLine = (lane: LineId): string => {
        const from = before && worst(before, lane)?.result;
        const to = after && worst(after, lane)?.result;
        if (!from) return '–';
        return to ? `${count(from.lost)} → **${count(to.lost)}**` : lostOf(from);
      };
      const cells = kinds.map((kind) => byKind(scenario, kind, ofLine));
      const chip = (name: string) => {
        const standing = standingOf(results, name);
        return standing?.chip && results.history?.runs ? `, **${standing.chip}**` : '';
      };
      const direct = scenario.direct
        ? `${verdictWords[scenario.direct.verdict].sign} ${scenario.direct.verdict}`
        : '–';
      return `| ${text(scenario.title)} ${code(scenario.name)} | ${own ? `${direct} | ` : ''}${sign(scenario)} ${scenario.verdict}${chip(scenario.name)} | ${cells.join(' | ')} |`;
    }),
    '',
  ].join('\n');
}

function foldedScenario(scenario: ScenarioResult, results: Results): string {
  return [
    `<details><summary>${sign(scenario)} ${scenario.verdict}: ${text(scenario.title)}</summary>`,
    '',
    `**${text(answerOf(scenario, results).headline)}**`,
    '',
    scenarioSection(scenario, results, 4),
    '</details>',
    '',
  ].join('\n');
}

function scenarioSection(scenario: ScenarioResult, results: Results, level: number): string {
  const answer = answerOf(scenario, results);
  const heading = (title: string) => `${'#'.repeat(level)} ${title}`;
  const lines = [`${text(scenario.question)} ${text(scenario.reason)}`.trim(), ''];
  if (scenario.direct) {
    const { verdict, reason } = scenario.direct;
    lines.push(`As it is: ${verdictWords[verdict].sign} **${verdict}**. ${text(reason)}`, '');
  }
  const table = comparisonTable(scenario);
  if (table) lines.push(table, '');
  const cases = casesTable(scenario);
  if (cases) lines.push(heading('Case by case'), '', cases, '');
  const changes = substitutionsShown(scenario);
  if (changes.length > 0)
    lines.push(heading('What had to be changed to run it'), '', ...changes.map(changeText));
  if (answer.why.length > 0) {
    lines.push(heading('Why'), '');
    for (const line of answer.why) {
      lines.push(
        `- ${percent(line.share)} of lost ${lineWords(line.lane).title}: ${causeWords[line.cause].title} (${code(line.cause)})`,
      );
    }
    lines.push('');
  }
  if (answer.change.length > 0) {
    lines.push(heading('What to change'), '', ...answer.change.map((line) => `- ${text(line)}`), '');
  }
  lines.push(heading('How sure'), '', ...answer.sure.map((line) => `- ${text(line.text)}`), '');
  if (scenario.claims.length > 0) lines.push(claimsTable(scenario), '');
  return lines.join('\n');
}

function comparisonTable(scenario: ScenarioResult): string | undefined {
  const columns = mainColumns(scenario);
  const lanes = lanesOf(scenario);
  if (columns.length === 0 || lanes.length === 0) return undefined;
  const rows: string[][] = [];
  for (const lane of lanes) {
    const found = columns.map((column) => worst(column, lane));
    const results = found.map((one) => one?.result);
    rows.push([
      `**Lane ${lane}**: lost`,
      ...found.map((one) => {
        if (!one) return '–';
        const { result, experiment } = one;
        const figures = `**${count(result.lost)}** of ${count(result.attempts)} (${percent(result.lossRate.share)})`;
        return experiment.valid ? figures : `${figures}, not valid`;
      }),
    ]);
    if (results.some((result) => result && retryText(result)))
      rows.push(['retries', ...results.map((result) => (result && retryText(result)) ?? '–')]);
    if (!results.some((result) => result && result.lost > 0)) continue;
    rows.push([
      'outcomes',
      ...results.map((result) =>
        result && result.lost > 0
          ? lostOutcomes
              .filter((outcome) => result.outcomes[outcome])
              .map((outcome) => `${count(result.outcomes[outcome]!)} ${outcomeWords[outcome]}`)
              .join(', ')
          : '–',
      ),
    ]);
    rows.push([
      'longest outage',
      ...results.map((result) => (result?.longestOutageMs ? duration(result.longestOutageMs) : 'none')),
    ]);
    if (results.some((result) => hopText(result?.hops)))
      rows.push(['where on the way', ...results.map((result) => hopText(result?.hops) ?? '–')]);
    rows.push([
      'main cause',
      ...results.map((result) =>
        result && causesOf(result)[0] ? causeWords[causesOf(result)[0]![0]].title : '–',
      ),
    ]);
  }
  rows.push([
    'rollout complete after',
    ...columns.map(({ experiments }) => {
      const ms = experiments[0]!.rollout.completedMs;
      return ms === null ? 'not reached' : duration(ms);
    }),
  ]);
  return [
    `| | ${columns.map((column) => text(column.label)).join(' | ')} |`,
    `|---|${columns.map(() => '---|').join('')}`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

function casesTable(scenario: ScenarioResult): string | undefined {
  const rows = caseRows(scenario);
  if (rows.length === 0) return undefined;
  return [
    '| Case | What it is | Lost | Rollout complete after | Ready pods, lowest | Pods per node, most first: at the start, after each rollout | What showed |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(({ name, title, lost, complete, lowestReady, placements, claims }) => {
      const showed = claims.map((claim) => claimSays[claim.result] + claim.text).join(' ');
      const cells = [title, lost, complete, lowestReady, placements, showed].map(text);
      return `| ${[code(name), ...cells].join(' | ')} |`;
    }),
  ].join('\n');
}

function changeText({ because, diff, variants }: SubstitutionShown): string {
  // A fence that is longer than any run of backquotes inside it.
  const runs = [...diff.matchAll(/`+/g)].map(([run]) => run.length);
  const fence = '`'.repeat(Math.max(2, ...runs) + 1);
  return [
    `- ${text(because)} Run with it: ${variants.map(code).join(', ')}.`,
    '',
    ...(diff === '' ? [] : [`${fence}diff`, diff.trimEnd(), fence, '']),
  ].join('\n');
}

function claimsTable(scenario: ScenarioResult): string {
  return [
    `<details><summary>Claims (${scenario.claims.length})</summary>`,
    '',
    '| Claim | Applies to | Expected | Measured | Result |',
    '|---|---|---|---|---|',
    ...scenario.claims.map((claim) => {
      const result =
        claim.result === 'undecided' || claim.result === 'not-run'
          ? `${claim.result === 'undecided' ? '?' : '–'} ${claim.result}`
          : claim.result === claim.expected
            ? `✓ ${claim.result}${claim.expected === 'fails' ? ', as expected' : ''}`
            : `✕ ${claim.result}`;
      const applies = listed(
        [claim.appliesTo.variant ?? 'every variant', claim.appliesTo.lane ?? ''].filter(Boolean),
      );
      return `| ${[claim.text, applies, claim.expect, claim.measured].map((cell) => text(clip(cell, 300))).join(' | ')} | ${result} |`;
    }),
    '',
    '</details>',
  ].join('\n');
}

const sign = (scenario: ScenarioResult): string => verdictWords[scenario.verdict].sign;

/** Text that stays text: no markup of Markdown or HTML, no new table cell, no line break, no mention of a user. */
function text(value: string): string {
  return value
    .replace(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[\\`*_[\]|~]/g, (char) => `\\${char}`)
    .replaceAll('@', '&#64;');
}

/** Code: backquotes cannot be escaped inside, so they are left out; pipes are written as entities of tables. */
function code(value: string): string {
  return `\`${value.replace(/\s+/g, ' ').replaceAll('`', '').replaceAll('|', '\\|')}\``;
}
