// `rollproof compare BEFORE AFTER`: what changed between two runs in verdicts, losses, outages and cost.
import { writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { renderComparePage } from '../../reports/html/compare-page.ts';
import { compareRuns } from '../judge/compare.ts';
import { summarizeRun } from '../judge/summarize.ts';
import { combineExitCodes, type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import type { ChangeWord, Comparison, RunSummary, ScenarioChange } from '../model/run-summary.ts';
import { readResultsFile } from './results-file.ts';
import { summaries } from './summaries.ts';

export function registerCompare(program: Command): void {
  program
    .command('compare')
    .description(summaries.compare)
    .argument('<before>', 'results.json of a run, or its folder')
    .argument('<after>', 'the same of the run to compare with it')
    .addOption(new Option('--json', 'the comparison as JSON').conflicts('markdown'))
    .option('--markdown', 'as Markdown, for a pull request')
    .option('--html <file>', 'also as a page, both runs side by side')
    .addHelpText(
      'after',
      '\nExit code: 0 nothing got worse; 1 a verdict, a loss or an outage got worse (cost alone does not count);\n2 a scenario is gone or could not be judged, so that nothing can be said; 4 input that cannot be read.',
    )
    .action((before: string, after: string, flags: { json?: boolean; markdown?: boolean; html?: string }) => {
      const comparison = compareRuns(
        summarizeRun(readResultsFile(before)),
        summarizeRun(readResultsFile(after)),
      );
      if (flags.html !== undefined) writePage(flags.html, comparison);
      process.stdout.write(
        flags.json
          ? `${JSON.stringify(comparison, null, 2)}\n`
          : flags.markdown
            ? comparisonMarkdown(comparison)
            : comparisonText(comparison),
      );
      process.exitCode = comparisonExitCode(comparison);
    });
}

function writePage(file: string, comparison: Comparison): void {
  try {
    writeFileSync(file, renderComparePage(comparison));
  } catch (error) {
    throw new UsageError(`--html ${file}: cannot be written: ${(error as Error).message}.`, { cause: error });
  }
}

/** What got worse fails; what cannot be told is no pass either. */
export const comparisonExitCode = ({ scenarios }: Comparison): ExitCode =>
  combineExitCodes(scenarios.map(({ change }) => codes[change]));

const codes: Readonly<Record<ChangeWord, ExitCode>> = {
  worse: exitCode.refuted,
  unclear: exitCode.inconclusive,
  gone: exitCode.inconclusive,
  better: exitCode.ok,
  same: exitCode.ok,
  new: exitCode.ok,
};
const signs: Readonly<Record<ChangeWord, string>> = {
  worse: '✕',
  better: '✓',
  same: '·',
  new: '+',
  gone: '−',
  unclear: '?',
};
const words: Readonly<Record<ChangeWord, string>> = {
  worse: 'worse',
  better: 'better',
  same: 'the same',
  new: 'new',
  gone: 'gone',
  unclear: 'not comparable',
};
/** What a reader must see first. */
const order: readonly ChangeWord[] = ['worse', 'gone', 'unclear', 'new', 'better', 'same'];

export function comparisonText(comparison: Comparison): string {
  const lines = [
    `Before: ${runText(comparison.before)}`,
    `After:  ${runText(comparison.after)}`,
    ...comparison.notes.map((note) => `Note: ${note}`),
    '',
    headline(comparison),
  ];
  for (const scenario of sorted(comparison)) {
    lines.push('', `${signs[scenario.change]} ${scenario.name}: ${verdictText(scenario)}`);
    if (scenario.watched !== undefined) lines.push(`    ${scenario.watched}`);
    const { told, untold } = toldFigures(scenario);
    const width = Math.max(0, ...told.map((figure) => words[figure.change].length));
    for (const figure of told) lines.push(`    ${words[figure.change].padEnd(width)}  ${figure.text}`);
    if (untold) lines.push(`    ${untold}`);
  }
  return `${lines.join('\n')}\n`;
}

export function comparisonMarkdown(comparison: Comparison): string {
  const lines = [
    `### ${headline(comparison)}`,
    '',
    `Before: ${runText(comparison.before)}  `,
    `After: ${runText(comparison.after)}`,
    ...comparison.notes.flatMap((note) => ['', `> ${note}`]),
    '',
    '| | Scenario | Change | Figures |',
    '|---|---|---|---|',
    ...sorted(comparison).map((scenario) => {
      const { told, untold } = toldFigures(scenario);
      const figures = [
        ...(scenario.watched === undefined ? [] : [cell(scenario.watched)]),
        ...told.map((figure) => `${words[figure.change]}: ${cell(figure.text)}`),
        ...(untold ? [untold] : []),
      ];
      return `| ${signs[scenario.change]} | ${cell(scenario.name)} | ${verdictText(scenario)} | ${figures.join('<br>')} |`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

const cell = (text: string) => text.replaceAll('|', '\\|');

function runText({ runId, startedAt, cluster, tool }: RunSummary): string {
  const emulated = cluster.emulated ? ', emulated' : '';
  const started = startedAt.slice(0, 16).replace('T', ' ');
  return `run ${runId}, ${started} UTC, ${cluster.kind} ${cluster.kubernetesVersion}${emulated}, ${tool.name} ${tool.version}`;
}

function headline({ scenarios }: Comparison): string {
  const parts = order.flatMap((word) => {
    const count = scenarios.filter(({ change }) => change === word).length;
    return count > 0 ? [`${count} ${words[word]}`] : [];
  });
  const noun = scenarios.length === 1 ? 'scenario' : 'scenarios';
  return `${scenarios.length} ${noun}: ${parts.join(', ') || 'none'}`;
}

const sorted = ({ scenarios }: Comparison): ScenarioChange[] =>
  scenarios.toSorted((a, b) => order.indexOf(a.change) - order.indexOf(b.change));

function verdictText({ change, before, after }: ScenarioChange): string {
  if (change === 'new') return `new, ${after}`;
  if (change === 'gone') return `gone, it was ${before}`;
  return `${words[change]}, ${before === after ? after : `${before} → ${after}`}`;
}

function toldFigures({ figures }: ScenarioChange) {
  const told = figures
    .filter(({ change }) => change !== 'same')
    .toSorted((a, b) => order.indexOf(a.change) - order.indexOf(b.change));
  const same = figures.length - told.length;
  const untold =
    same === 0
      ? ''
      : `${same}${told.length > 0 ? ' other' : ''} ${same === 1 ? 'figure is' : 'figures are'} the same`;
  return { told, untold };
}
