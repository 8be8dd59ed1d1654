// `rollproof check FILE…`: names risks of manifests before anything runs, and mends those that need no measurement.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CheckReport, checkManifests, type ManifestText, nothingChecked } from '../check/check.ts';
import { fixAll } from '../check/fix.ts';
import { findingsAsSarif } from '../check/sarif.ts';
import { findingsAsText } from '../check/text.ts';
import { combineExitCodes, type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import { findingSchema } from '../model/finding.ts';
import { assumedMinor, RENDER_LIMIT_MS } from '../model/rendering.ts';
import { encodedLike, type Found, type Render, readFiles } from './check-files.ts';
import { summaries } from './summaries.ts';

interface CheckOptions {
  readonly json?: boolean;
  readonly sarif?: boolean;
  readonly kubernetes: number;
  readonly fix?: boolean;
  readonly dryRun?: boolean;
  readonly render?: boolean;
}

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description(summaries.check)
    .argument(
      '<files...>',
      'manifests (YAML, JSON), folders (charts and kustomizations too), or - for standard input',
    )
    .addOption(new Option('--json', 'findings as JSON').conflicts('sarif'))
    .option('--sarif', 'findings as SARIF 2.1.0')
    .option('--fix', 'write the fixes of errors and warnings into the files')
    .option('--dry-run', 'with --fix: print the changes as a diff, write nothing')
    .option('--no-render', 'read charts and kustomizations as files, without helm and kubectl')
    .addOption(
      new Option('--kubernetes <version>', 'version that the manifests are meant for')
        .argParser(minorVersion)
        .default(assumedMinor, `1.${assumedMinor}`),
    )
    .addHelpText('after', '\nExit code: 0 no error found, 1 an error found, 4 input that cannot be read.')
    .action(async (files: string[], options: CheckOptions) => {
      const stdin = files.includes('-') ? await readStandardInput() : undefined;
      if (options.dryRun && !options.fix) throw new UsageError('--dry-run needs --fix.');
      const { output, problems, code } = await runCheck(
        files,
        options,
        stdin,
        options.render === false ? undefined : runProgram,
      );
      process.stdout.write(output);
      for (const line of problems) process.stderr.write(`${line}\n`);
      process.exitCode = code;
    });
}

/** `stdin`: what `-` stands for. Problems are lines for standard error. */
export async function runCheck(
  files: readonly string[],
  options: CheckOptions,
  stdin?: Buffer,
  renderer?: Render,
): Promise<{ readonly output: string; readonly problems: readonly string[]; readonly code: ExitCode }> {
  const found = await readFiles(files, stdin, renderer, options.kubernetes);
  const fixed = options.fix ? await fixFiles(found, options) : undefined;
  const texts = fixed?.texts ?? found.texts;
  const report = checkManifests(texts, { kubernetesMinor: options.kubernetes });
  const problems = [...found.problems, ...problemLines(report, texts)];
  const unread = problems.length > 0;
  const onlyParts = report.workloads === 0 && report.partial.length > 0;
  const names = files.map((file) => (file === '-' ? 'stdin' : file)).join(', ');
  if (nothingChecked(report) && found.problems.length === 0)
    problems.push(`${names}: there is no Kubernetes object in it, so nothing was checked.`);
  else if (onlyParts)
    problems.push(
      `${names}: only parts of a workload (patches) are in it (${report.partial.join(', ')}), so no workload was checked. Check what \`kustomize build\` prints.`,
    );
  else if (report.workloads === 0 && report.objects > 0)
    problems.push(
      `${names}: no workload was checked: ${report.objects === 1 ? 'the object in it is' : `the ${report.objects} objects in it are`} none of Deployment, StatefulSet, DaemonSet, Rollout.`,
    );
  const hasError = report.findings.some((finding) => finding.severity === 'error');
  return {
    output: (fixed?.output ?? '') + (await render(report, texts, options)),
    problems,
    code: combineExitCodes([
      unread || onlyParts || nothingChecked(report) ? exitCode.usage : exitCode.ok,
      hasError ? exitCode.refuted : exitCode.ok,
    ]),
  };
}

/** Writes the fixes (or shows them), and returns the texts as they are now and what was done. */
async function fixFiles(
  found: Found,
  { kubernetes, dryRun, json, sarif }: CheckOptions,
): Promise<{ readonly texts: readonly ManifestText[]; readonly output: string }> {
  const { texts, fixed } = fixAll(found.texts, { kubernetesMinor: kubernetes });
  const changed = new Map(texts.map(({ file, text }) => [file, text]));
  const lines: string[] = [];
  if (dryRun) {
    const { createTwoFilesPatch } = await import('diff');
    for (const { file, text } of found.texts) {
      const after = changed.get(file);
      if (after !== undefined)
        lines.push(createTwoFilesPatch(file, file, text, after, '', '').replace(/^=+\n/, ''));
    }
  } else {
    for (const [file, text] of changed) {
      if (file === 'stdin') lines.push(text);
      else if (writeBack(file, text, found)) lines.push(`fixed ${file}`);
    }
  }
  const count = `${fixed.length} finding${fixed.length === 1 ? '' : 's'} ${dryRun ? 'can be ' : ''}fixed in ${changed.size} file${changed.size === 1 ? '' : 's'}.`;
  // What a program reads is findings alone.
  const output = json || sarif ? '' : `${[...lines, count].join('\n')}\n`;
  const now = dryRun
    ? found.texts
    : found.texts.map((own) => ({ ...own, text: changed.get(own.file) ?? own.text }));
  return { texts: now, output };
}

function writeBack(file: string, text: string, found: Found): boolean {
  try {
    writeFileSync(file, encodedLike(readFileSync(file), text));
    return true;
  } catch (error) {
    found.problems.push(`${file}: cannot be written (${(error as NodeJS.ErrnoException).code}).`);
    return false;
  }
}

/**
 * The room that starts programs is loaded when one is needed: a check of files starts without it. An interrupt ends the
 * program, too, which leads a group of its own. Throws InterruptedError then.
 */
async function runProgram(program: string, args: readonly string[]): Promise<string | undefined> {
  const { CommandError, runCommand } = await import('../exec/command.ts');
  const { onInterrupt } = await import('../run/interrupt.ts');
  using interrupt = onInterrupt(() => {});
  try {
    return (await runCommand(program, args, { limitMs: RENDER_LIMIT_MS, signal: interrupt.signal })).stdout;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.end === 'not-found') return undefined;
    throw new Error(`${error.reason}.`, { cause: error });
  }
}

async function render(
  report: CheckReport,
  texts: readonly ManifestText[],
  options: CheckOptions,
): Promise<string> {
  const asLines = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  if (options.json) return asLines(report.findings.map((finding) => findingSchema.parse(finding)));
  if (options.sarif) {
    const { toolVersion } = await import('../run/tool-version.ts');
    return asLines(findingsAsSarif(report, texts, toolVersion()));
  }
  return findingsAsText(report);
}

/** Templates found in one folder (a chart's) are told once. */
function problemLines(report: CheckReport, texts: readonly ManifestText[]): string[] {
  const found = new Set(texts.filter((text) => text.found).map((text) => text.file));
  const folderOf = (file: string) => (found.has(file) ? dirname(file) : file);
  const templates = report.problems.filter((problem) => problem.template);
  return report.problems.flatMap((problem) => {
    const { file, line, column, sentence } = problem;
    const alike = problem.template
      ? templates.filter((own) => folderOf(own.file) === folderOf(file))
      : [problem];
    if (alike[0] !== problem) return [];
    const more = alike.length - 1;
    const others = more > 0 ? ` (${more} more in ${dirname(file)}, too.)` : '';
    return [`${file}:${line}:${column}: ${sentence}${others}`];
  });
}

const STDIN_LIMIT_BYTES = 256 * 1024 * 1024;

async function readStandardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > STDIN_LIMIT_BYTES)
      throw new UsageError(`stdin: more than ${STDIN_LIMIT_BYTES} bytes; check the files one by one.`);
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}

function minorVersion(value: string): number {
  const minor = /^v?1\.(\d{1,3})(\..*)?$/.exec(value)?.[1];
  if (minor === undefined) throw new InvalidArgumentError('a version is written like 1.34.');
  return Number(minor);
}
