// `npm test`: runs every test file in a process of its own, checks that each really ran what it declares, and ends
// with one line `N passed, N failed, N skipped`. Usage: npm test -- [--only unit,slow,embedded,measured,page,kind] [NAME ...]
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { list } from '../harness/commands/flags.ts';
import { startProgram } from '../harness/exec/program.ts';
import { filesByHand, filesOnKept, SharedKind } from '../test/kind-shared.ts';
import { endGroups, REMOVAL_LIMIT_MS } from '../test/process-groups.ts';
import { parseCommandLine } from './command-line.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

interface FolderPlan {
  readonly parallel: number;
  readonly limitMs: number;
  /** Begins together with the folder of this name, where that comes right before. */
  readonly beside?: string;
  /** The longest: begun last, they would end alone. */
  readonly first?: readonly string[];
  /** In this order, after all others. */
  readonly last?: readonly string[];
  /** Begun at the same time, before all others: one waits where the other works. */
  readonly together?: readonly string[];
}

/** What a folder's tests need decides how they run: together or one after the other, and how long a file may take. */
const folders = {
  unit: { parallel: 2, limitMs: 300_000 },
  slow: { parallel: 3, limitMs: 900_000, first: ['package', 'load-memory', 'audit-mutations', 'scripts'] },
  embedded: {
    parallel: 2,
    limitMs: 600_000,
    first: ['failure-api-server', 'failure-table', 'kubelet-leaks'],
  },
  // `watch-outcome` waits for two minutes until what a killed watch has left is gone.
  measured: { parallel: 1, limitMs: 600_000, together: ['watch', 'watch-outcome'] },
  page: { parallel: 1, limitMs: 240_000 },
  // Who takes the same cluster comes one after the other. The first measures nothing: it can stand the browser beside it.
  kind: {
    parallel: 1,
    limitMs: 1_500_000,
    beside: 'page',
    first: ['cluster'],
    last: [...filesOnKept, ...filesByHand],
  },
} as const satisfies Record<string, FolderPlan>;
type Folder = keyof typeof folders;

/** A longer memory test. */
const longerMs = 1000 * Number(process.env.ROLLPROOF_LOAD_SECONDS ?? 0);

interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  /** A line for each test that failed: its title and the first line of why. */
  readonly failures: readonly string[];
  /** Why the file as a whole counts as failed. */
  readonly problem?: string;
}

const command = parseCommandLine(
  new Command('npm test')
    .description('run the test files whose path contains one of the names; all when there is none')
    .argument('[names...]')
    .option('--only <folders>', `of ${Object.keys(folders).join(', ')}, separated by commas`, chosenFolders),
);
const positionals = command.args;
const chosen = command.opts<{ only?: Folder[] }>().only ?? (Object.keys(folders) as Folder[]);

const reports = mkdtempSync(join(tmpdir(), 'rollproof-test-'));
const running = new Set<number>();
let interrupted = false;
let shared: SharedKind | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, async () => {
    if (interrupted) return;
    interrupted = true;
    console.error(`npm test: ${signal}; waiting until what runs has removed what it started ...`);
    const left = await endGroups([...running], signal);
    if (left.length > 0) {
      console.error(
        `npm test: ${left.length} test files did not end within ${REMOVAL_LIMIT_MS / 1000} s; killed.`,
      );
    }
    await shared?.end();
    rmSync(reports, { recursive: true, force: true });
    process.exit(130);
  });
}

const results: FileResult[] = [];
const startedAt = performance.now();
let before: { readonly folder: Folder; readonly ended: Promise<unknown> } | undefined;
for (const folder of chosen) {
  const { beside }: FolderPlan = folders[folder];
  if (before?.folder !== beside) await before?.ended;
  before = { folder, ended: Promise.all([before?.ended, runFolder(folder)]) };
  if (folder !== 'unit' || chosen.length === 1) continue;
  await before.ended;
  sayFastPart();
}
await before?.ended;
await shared?.end();
rmSync(reports, { recursive: true, force: true });

const sum = (pick: (result: FileResult) => number) =>
  results.reduce((total, result) => total + pick(result), 0);
const passed = sum((result) => result.passed);
const failed = sum((result) => result.failed + (result.problem && result.failed === 0 ? 1 : 0));
const skipped = sum((result) => result.skipped.length);
for (const reason of results.flatMap((result) => result.skipped)) console.log(`skipped: ${reason}`);
// Once more in short, at the end, where it is looked for.
for (const result of results.filter(({ problem }) => problem)) {
  console.log(`failed: ${nameOf(result)}: ${result.problem}`);
  for (const failure of result.failures) console.log(`  ${failure}`);
}
if (passed + failed + skipped === 0) console.error('npm test: no test matched.');
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 || passed + skipped === 0 ? 1 : 0);

/** Its files, each in a process of its own, as its plan says. */
async function runFolder(folder: Folder): Promise<void> {
  const files = readdirSync(join(root, 'test', folder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join('test', folder, entry.name))
    .filter((file) => positionals.length === 0 || positionals.some((name) => file.includes(name)))
    .sort();
  const { parallel, first = [], last = [], together = [] }: FolderPlan = folders[folder];
  const named = (names: readonly string[]) =>
    names.flatMap((name) => files.filter((file) => basename(file, '.test.ts') === name));
  const [paired, begun, ended] = [named(together), named(first), named(last)];
  const between = files.filter((file) => ![...paired, ...begun, ...ended].includes(file));
  const queue = [...begun, ...between, ...ended];
  const limitMs = folders[folder].limitMs + longerMs;
  const run = async (file: string) => {
    const isSharing = folder === 'kind' && ended.includes(file);
    if (isSharing) shared ??= new SharedKind(ended);
    const result = await runFile(file, limitMs, isSharing ? shared : undefined);
    results.push(result);
    print(result);
  };
  await Promise.all(paired.map(run));
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let file = queue.shift(); file; file = queue.shift()) await run(file);
    }),
  );
}

/** What needs neither time nor load nor a cluster has ended: whoever edits code has the answer here. */
function sayFastPart(): void {
  const bad = results.filter((result) => result.problem).length;
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    `-- the fast part (test/unit) has ended after ${seconds} s: ${bad === 0 ? 'all passed' : `${bad} files failed`}. What needs time, a browser or a cluster follows (npm test -- --only unit leaves it out).`,
  );
}

function chosenFolders(text: string): Folder[] {
  return list(text).map((name) => {
    if (name in folders) return name as Folder;
    throw new InvalidArgumentError(`There is no folder "${name}".`);
  });
}

async function runFile(
  file: string,
  limitMs: number,
  sharing: SharedKind | undefined,
): Promise<FileResult & { output: string; ms: number }> {
  const report = join(reports, `${file.replaceAll('/', '-')}.json`);
  const lent = await sharing?.lend(file);
  if (interrupted) return new Promise(() => {}); // the handler above ends this process
  const startedAt = performance.now();
  const program = startProgram(process.execPath, ['--import', 'tsx', file], {
    onlyEnv: {
      ...process.env,
      ...lent,
      ROLLPROOF_TEST_REPORT: report,
      ROLLPROOF_TEST_LIMIT_MS: String(limitMs),
      FORCE_COLOR: '0',
    },
  });
  const { pid } = program;
  if (pid !== undefined) running.add(pid);
  sharing?.runs(pid);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    program.kill('SIGKILL');
  }, limitMs);
  const { how, stdout, stderr } = await program.ended;
  clearTimeout(timer);
  if (interrupted) return new Promise(() => {}); // the handler above waits for the group and ends this process
  // A test file leads a process group of its own: whatever it left running goes with it.
  program.kill('SIGKILL');
  if (pid !== undefined) running.delete(pid);
  sharing?.runs(undefined);
  const ms = Math.round(performance.now() - startedAt);
  const tally = readTally(report);
  const left = await sharing?.takeBack(file);
  const problem = [problemOf(), left].filter((one) => one !== undefined).join('; ');
  return {
    file,
    passed: tally?.passed ?? 0,
    failed: tally?.failed ?? 0,
    skipped: tally?.skipped ?? [],
    failures: tally?.failures ?? [],
    output: stdout + stderr,
    ms,
    ...(problem && { problem }),
  };

  function problemOf(): string | undefined {
    if (timedOut) return `did not end within ${limitMs / 1000} s`;
    if (!tally) return `left no tally: it ${how}`;
    if (tally.declared === 0) return 'declares no test';
    if (tally.failed > 0) return `${tally.failed} failed`;
    const ran = tally.passed + tally.failed + tally.skipped.length;
    if (ran !== tally.declared) return `declares ${tally.declared} tests, ran ${ran}: is .run() missing?`;
    return how === 'ended with 0' ? undefined : how;
  }
}

function readTally(file: string) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as {
      declared: number;
      passed: number;
      failed: number;
      skipped: string[];
      failures: string[];
    };
  } catch {
    return undefined;
  }
}

function nameOf({ file }: FileResult): string {
  return `${basename(dirname(file))}/${basename(file, '.test.ts')}`;
}

function print(result: FileResult & { output?: string; ms?: number }): void {
  const name = nameOf(result);
  const counts = `${result.passed} passed, ${result.skipped.length} skipped, ${((result.ms ?? 0) / 1000).toFixed(1)} s`;
  if (result.problem) console.log(`FAIL  ${name}: ${result.problem} (${counts})\n${result.output ?? ''}`);
  else console.log(`ok    ${name} (${counts})`);
}
