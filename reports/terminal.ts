// The summary on a terminal: the verdicts, what was lost per lane before and after, why, and what to change.
import { stripVTControlCharacters } from 'node:util';
import type { LineId } from '../harness/model/line.ts';
import type { Results, ScenarioResult } from '../harness/model/results.ts';
import { count, counted, duration, listed, lostOf, percent } from '../harness/words/figures.ts';
import {
  causeWords,
  lineWords,
  lossTone,
  type Tone,
  toneSigns,
  verdictWords,
} from '../harness/words/names.ts';
import { answerOf, suiteHeadline } from './answer.ts';
import { substitutionsShown } from './cases.ts';
import { beforeAfter, byKind, kindsOf, lanesOf, worst } from './comparison.ts';

interface TerminalOptions {
  /** From {@link wantsColour}. */
  readonly colour: boolean;
}

/** Colours only on a terminal, and never with NO_COLOR (https://no-color.org) or TERM=dumb. */
export function wantsColour(
  stream: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}

export function renderTerminal(results: Results, { colour }: TerminalOptions): string {
  const paint = colour ? coloured : plain;
  const { scenarios, cluster } = results;
  const lines: string[] = [''];
  if (cluster.emulated) {
    lines.push(
      paint(
        'warn',
        `Emulated Kubernetes ${safe(cluster.kubernetesVersion)}: real processes and connections, not a real cluster.`,
      ),
      '',
    );
  }
  const [single] = scenarios;
  if (single && scenarios.length === 1) lines.push(...singleLines(single, results, paint));
  else lines.push(...suiteLines(scenarios, paint));
  return `${lines.join('\n')}\n`;
}

type Paint = (tone: Tone | 'bold', text: string) => string;
const codes: Readonly<Record<Tone | 'bold', string>> = {
  good: '32',
  bad: '31',
  warn: '33',
  note: '34',
  quiet: '2',
  bold: '1',
};
const coloured: Paint = (tone, text) => `\u001b[${codes[tone]}m${text}\u001b[0m`;
const plain: Paint = (_, text) => text;

function badge(scenario: ScenarioResult, paint: Paint): string {
  const { sign, tone } = verdictWords[scenario.verdict];
  return paint(tone, `${sign} ${scenario.verdict}`);
}

/** Before a verdict that says more: whether the user's own is safe as it is. */
function ownBadge({ direct, verdict }: ScenarioResult, paint: Paint): string {
  if (!direct || direct.verdict === verdict) return '';
  const { sign, tone } = verdictWords[direct.verdict];
  return `${paint(tone, `${sign} ${direct.verdict}`)} as it is, with the settings `;
}

function singleLines(scenario: ScenarioResult, results: Results, paint: Paint): readonly string[] {
  const answer = answerOf(scenario, results);
  const lines = [
    `${ownBadge(scenario, paint)}${badge(scenario, paint)}  ${safe(scenario.name)}: ${safe(scenario.title)}`,
    paint('bold', safe(answer.headline)),
    safe(scenario.reason),
    '',
  ];
  lines.push(...episodeLines(scenario, paint));
  const lanes = lanesOf(scenario);
  if (answer.safe.length > 0 && lanes.length > 0) {
    const rows = answer.safe.map((line) => [
      safe(line.column.label),
      ...lanes.map((lane) => {
        const found = worst(line.column, lane);
        if (!found) return '–';
        const { result, experiment } = found;
        const tone = lossTone(result.lost, experiment.valid);
        const share = result.lost > 0 ? ` (${percent(result.lossRate.share)})` : '';
        const outage = result.longestOutageMs > 0 ? `, outage ${duration(result.longestOutageMs)}` : '';
        return paint(tone, `${toneSigns[tone]} ${lostOf(result)}${share}${outage}`);
      }),
    ]);
    lines.push(...columns([['', ...lanes.map((lane) => `lost, ${lineWords(lane).title}`)], ...rows]), '');
  }
  const changes = substitutionsShown(scenario);
  if (changes.length > 0) {
    lines.push(paint('bold', 'What had to be changed to run it'));
    for (const { because } of changes) lines.push(`  ${safe(because)}`);
    lines.push('');
  }
  if (answer.why.length > 0) {
    lines.push(paint('bold', 'Why'));
    for (const line of answer.why.slice(0, 6)) {
      lines.push(
        `  ${percent(line.share).padStart(6)} of lost ${lineWords(line.lane).title}: ${causeWords[line.cause].title}`,
      );
    }
    lines.push('');
  }
  if (answer.change.length > 0) {
    lines.push(paint('bold', 'What to change'), ...answer.change.map((line) => `  ${safe(line)}`), '');
  }
  lines.push(paint('bold', 'How sure'));
  for (const line of answer.sure) {
    const sign = line.tone === 'good' ? '✓' : line.tone === 'warn' ? '!' : '·';
    lines.push(`  ${paint(line.tone, sign)} ${safe(line.text)}`);
  }
  return lines;
}

/** Changes that somebody else made, one line each; of very many the last. */
function episodeLines({ experiments }: ScenarioResult, paint: Paint): readonly string[] {
  const episodes = experiments.flatMap(({ episode }) => episode ?? []);
  if (episodes.length === 0) return [];
  const lines = episodes.slice(-MOST_EPISODES_TOLD).map(({ number, verdict, trigger, changes, reason }) => {
    const { sign, tone } = verdictWords[verdict];
    return `  ${number}. ${paint(tone, `${sign} ${verdict}`)}  ${safe(changes[0] ?? trigger)}: ${safe(reason)}`;
  });
  return [paint('bold', 'Changes'), ...lines, ''];
}

const MOST_EPISODES_TOLD = 20;

function suiteLines(scenarios: readonly ScenarioResult[], paint: Paint): readonly string[] {
  const kinds = kindsOf(scenarios);
  const own = scenarios.some(({ direct }) => direct);
  const rows = scenarios.map((scenario) => {
    const { before, after } = beforeAfter(scenario);
    const ofLine = (lane: LineId): string => {
      const from = before && worst(before, lane);
      const to = after && worst(after, lane);
      if (!from) return '–';
      const { result, experiment } = to ?? from;
      const text = to ? `${count(from.result.lost)} → ${count(to.result.lost)}` : count(from.result.lost);
      return paint(lossTone(result.lost, experiment.valid), text);
    };
    return [
      ...(own ? [ownCell(scenario, paint)] : []),
      badge(scenario, paint),
      safe(scenario.name),
      ...kinds.map((kind) => byKind(scenario, kind, ofLine)),
    ];
  });
  const reasons = scenarios
    .filter(({ verdict }) => verdict !== 'proven' && verdict !== 'safe')
    .map((scenario) => `  ${badge(scenario, paint)}  ${safe(scenario.name)}: ${safe(scenario.reason)}`);
  return [
    ...columns([
      [...(own ? ['as it is'] : []), 'verdict', 'scenario', ...kinds.map((kind) => `lost, ${kind}`)],
      ...rows,
    ]),
    '',
    ...(reasons.length > 0 ? [...reasons, ''] : []),
    paint('bold', safe(suiteHeadline(scenarios))),
    ...(scenarios.length > 0
      ? [
          paint(
            'quiet',
            `${counted(scenarios.length, 'scenario')}; lost: ${listed(['without', 'with'])} the settings, each lane on its own.`,
          ),
        ]
      : []),
  ];
}

function ownCell({ direct }: ScenarioResult, paint: Paint): string {
  if (!direct) return '–';
  const { sign, tone } = verdictWords[direct.verdict];
  return paint(tone, `${sign} ${direct.verdict}`);
}

/** Rows as columns of equal width; what a colour adds is not counted. */
function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, stripVTControlCharacters(cell).length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, i) => cell + ' '.repeat(widths[i]! - stripVTControlCharacters(cell).length))
      .join('   ')
      .trimEnd(),
  );
}

/** Names come from a cluster: nothing of them may move the cursor or change colours. */
function safe(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}
