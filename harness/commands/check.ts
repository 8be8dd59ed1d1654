// `rollproof check FILE…`: names risks of manifests before anything runs.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type CheckReport,
  checkManifests,
  defaultKubernetesMinor,
  type ManifestText,
  nothingChecked,
} from '../check/check.ts';
import { findingsAsSarif } from '../check/sarif.ts';
import { findingsAsText } from '../check/text.ts';
import { combineExitCodes, type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import { findingSchema } from '../model/finding.ts';
import { toolVersion } from '../run/tool-version.ts';

interface CheckOptions {
  readonly json?: boolean;
  readonly sarif?: boolean;
  readonly kubernetes: number;
}

const manifestFile = /\.(ya?ml|json)$/i;
const FOLDER_DEPTH_LIMIT = 20;
const FILE_LIMIT = 10_000;

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('name risks of manifests before anything runs')
    .argument('<files...>', 'manifests (YAML, JSON), folders, or - for standard input')
    .addOption(new Option('--json', 'findings as JSON').conflicts('sarif'))
    .option('--sarif', 'findings as SARIF 2.1.0')
    .addOption(
      new Option('--kubernetes <version>', 'version that the manifests are meant for')
        .argParser(minorVersion)
        .default(defaultKubernetesMinor, `1.${defaultKubernetesMinor}`),
    )
    .addHelpText('after', '\nExit code: 0 no error found, 1 an error found, 4 input that cannot be read.')
    .action(async (files: string[], options: CheckOptions) => {
      const stdin = files.includes('-') ? await readStandardInput() : undefined;
      const { output, problems, code } = runCheck(files, options, stdin);
      process.stdout.write(output);
      for (const line of problems) process.stderr.write(`${line}\n`);
      process.exitCode = code;
    });
}

/** `stdin`: what `-` stands for. Problems are lines for standard error. */
export function runCheck(
  files: readonly string[],
  options: CheckOptions,
  stdin?: Buffer,
): { readonly output: string; readonly problems: readonly string[]; readonly code: ExitCode } {
  const texts = files.flatMap((file) => readArgument(file, stdin));
  const report = checkManifests(texts, { kubernetesMinor: options.kubernetes });
  const problems = problemLines(report, texts);
  if (nothingChecked(report))
    problems.push(
      `${files.map(shownName).join(', ')}: there is no Kubernetes object in it, so nothing was checked.`,
    );
  const hasError = report.findings.some((finding) => finding.severity === 'error');
  return {
    output: render(report, texts, options),
    problems,
    code: combineExitCodes([
      problems.length > 0 ? exitCode.usage : exitCode.ok,
      hasError ? exitCode.refuted : exitCode.ok,
    ]),
  };
}

function render(report: CheckReport, texts: readonly ManifestText[], options: CheckOptions): string {
  const asLines = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  if (options.json) return asLines(report.findings.map((finding) => findingSchema.parse(finding)));
  if (options.sarif) return asLines(findingsAsSarif(report, texts, toolVersion()));
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

function shownName(file: string): string {
  return file === '-' ? 'stdin' : file;
}

function readArgument(file: string, stdin: Buffer | undefined): readonly ManifestText[] {
  try {
    if (file === '-') return [{ file: 'stdin', text: decode(stdin ?? Buffer.alloc(0)) }];
    if (!statSync(file).isDirectory()) return [{ file, text: decode(readFileSync(file)) }];
    const found = filesIn(file, 0);
    if (found.length === 0) throw new UsageError(`${file}: the folder has no .yaml, .yml or .json file.`);
    if (found.length > FILE_LIMIT)
      throw new UsageError(
        `${file}: the folder has ${found.length} manifests; at most ${FILE_LIMIT} are read.`,
      );
    return found.map((name) => ({ file: name, text: decode(readFileSync(name)), found: true }));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const reason =
      code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code ?? (error as Error).message})`;
    throw new UsageError(`${shownName(file)}: ${reason}.`, { cause: error });
  }
}

/** A manifest may start with a byte order mark, and PowerShell writes UTF-16. */
function decode(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.subarray(2).toString('utf16le');
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}

/** Hidden folders and installed packages are passed over; links are not followed. */
function filesIn(folder: string, depth: number): readonly string[] {
  if (depth > FOLDER_DEPTH_LIMIT) return [];
  return readdirSync(folder, { withFileTypes: true })
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .filter((entry) => !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesIn(path, depth + 1);
      return entry.isFile() && manifestFile.test(entry.name) ? [relative('.', path) || path] : [];
    });
}

function minorVersion(value: string): number {
  const minor = /^v?1\.(\d{1,3})(\..*)?$/.exec(value)?.[1];
  if (minor === undefined) throw new InvalidArgumentError('a version is written like 1.34.');
  return Number(minor);
}
