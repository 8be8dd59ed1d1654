// `npm run conform`: replays recordings of a real cluster on the embedded one and says where they differ.
// Usage: npm run conform -- FILE… [--jobs N] [--all [FOLDER]] [--kubectl real|own] [--write FOLDER] [--verbose]
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { wholeNumber } from '../harness/commands/flags.ts';
import { exitCode, RollproofError, UsageError } from '../harness/model/errors.ts';
import { parseCommandLine, runScript } from './command-line.ts';
import { type Comparison, compare } from './conform/compare.ts';
import { digest } from './conform/digest.ts';
import { kubectlIsThere } from './conform/kubectl.ts';
import { notReplayable } from './conform/not-replayable.ts';
import { type Recording, readRecording } from './conform/recording.ts';
import { replay } from './conform/replay.ts';
import { stepsInFlight } from './conform/rollout-state.ts';

const DEFAULT_FOLDER = '../shared/traces';
const MOST_JOBS = 16;
/** Timers that come later than this make milestones late. */
const BUSY_MS = 200;

interface Row {
  readonly name: string;
  readonly matched: number;
  readonly of: number;
  readonly difference: string;
  readonly outcome: 'matched' | 'different' | 'not replayable' | 'failed';
  readonly notes: readonly string[];
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted.abort();
    // The embedded clusters' processes end with this one.
    process.exit(exitCode.interrupted);
  });
}

const command = parseCommandLine(
  new Command('conform')
    .description('replay recordings of a real cluster on the embedded one, and say where they differ')
    .argument('[recordings...]', 'FILE.jsonl …; with --all a folder')
    .option('--all', `all recordings of the folder (default: ${DEFAULT_FOLDER})`)
    .option('--jobs <n>', 'replays at a time', wholeNumber(1, MOST_JOBS), 1)
    .addOption(
      new Option(
        '--kubectl <which>',
        "do the steps with the real kubectl, or with kubectl's requests",
      ).choices(['real', 'own']),
    )
    .option('--write <folder>', 'write the replays there')
    .option('--verbose', 'say every difference'),
);
await runScript(() => main(command.args, command.opts<Flags>()));

interface Flags {
  readonly all?: boolean;
  readonly jobs: number;
  readonly kubectl?: 'real' | 'own';
  readonly write?: string;
  readonly verbose?: boolean;
}

async function main(positionals: readonly string[], flags: Flags): Promise<number> {
  const files = flags.all ? allFiles(positionals[0] ?? DEFAULT_FOLDER) : positionals.map(existing);
  if (files.length === 0) {
    throw new UsageError('conform: name recordings (FILE.jsonl …), or --all for those of ../shared/traces.');
  }
  const kubectl = flags.kubectl ?? ((await kubectlIsThere()) ? 'real' : 'own');
  process.stdout.write(
    `emulated Kubernetes v1.34.4 against ${files.length} recordings; steps by ${kubectl === 'real' ? 'kubectl' : "kubectl's requests (no kubectl here)"}\n`,
  );
  const scenarios = byScenario(files);
  const rows: Row[] = [];
  const queue = [...scenarios];
  await Promise.all(
    Array.from({ length: Math.min(flags.jobs, queue.length) }, async () => {
      for (let next = queue.shift(); next && !interrupted.signal.aborted; next = queue.shift()) {
        const done = await replayScenario(next, kubectl, flags.write, flags.verbose === true);
        rows.push(...done);
        for (const row of done) process.stdout.write(`${shortLine(row)}\n`);
      }
    }),
  );
  rows.sort((a, b) => a.name.localeCompare(b.name));
  process.stdout.write(`\n${table(rows)}\n`);
  const bad = rows.filter(({ outcome }) => outcome === 'different' || outcome === 'failed');
  process.stdout.write(
    `${rows.filter(({ outcome }) => outcome === 'matched').length} matched, ${bad.length} differ, ${rows.filter(({ outcome }) => outcome === 'not replayable').length} cannot be replayed\n`,
  );
  return bad.length > 0 ? 1 : 0;
}

interface Scenario {
  /** Recordings of the same scenario: one replay is compared with each of them. */
  readonly files: readonly string[];
}

/** NAME.jsonl with its repeats NAME.r2.jsonl, NAME.load.jsonl …, where several of them were asked for. */
function byScenario(files: readonly string[]): Scenario[] {
  const groups = new Map<string, string[]>();
  for (const file of files) {
    const key = join(dirname(file), scenarioOf(file));
    groups.set(key, [...(groups.get(key) ?? []), file]);
  }
  return [...groups.values()].map((group) => ({ files: group.sort() }));
}

function scenarioOf(file: string): string {
  return basename(file, '.jsonl').replace(/\.(r\d+|load)$/, '');
}

function isBusy(file: string): boolean {
  return file.endsWith('.load.jsonl');
}

function existing(file: string): string {
  if (!existsSync(file)) throw new UsageError(`conform: there is no file ${file}.`);
  return file;
}

function allFiles(folder: string): string[] {
  if (!existsSync(folder)) throw new UsageError(`conform: there is no folder ${folder}.`);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => join(folder, name))
    .sort();
}

/** Other recordings of a file's scenario that lie beside it. */
function repeatsOf(file: string): string[] {
  const scenario = scenarioOf(file);
  return readdirSync(dirname(file))
    .filter((name) => name.endsWith('.jsonl') && scenarioOf(name) === scenario && name !== basename(file))
    .map((name) => join(dirname(file), name));
}

async function replayScenario(
  { files }: Scenario,
  kubectl: 'real' | 'own',
  writeTo: string | undefined,
  verbose: boolean,
): Promise<Row[]> {
  const [first] = files as [string];
  const name = (file: string) => basename(file, '.jsonl');
  const recording = readRecording(files.find((file) => !isBusy(file)) ?? first);
  const reason = notReplayable(recording);
  if (reason) {
    return files.map((file) => ({
      name: name(file),
      matched: 0,
      of: 0,
      difference: reason,
      outcome: 'not replayable',
      notes: [],
    }));
  }
  try {
    const replayed = await replay(recording, {
      kubectl,
      progress: (text) => verbose && process.stderr.write(`${name(first)}: ${text}\n`),
    });
    if (writeTo) write(join(writeTo, `${name(first)}.jsonl`), replayed.recording);
    return files.map((file) => {
      const recorded = readRecording(file);
      const repeats = repeatsOf(file);
      const result = compare(digest(recorded), digest(replayed.recording), {
        repeats: repeats.map((repeat) => digest(readRecording(repeat))),
        timedRepeats: repeats
          .filter((repeat) => !isBusy(repeat))
          .map((repeat) => digest(readRecording(repeat))),
        compareTimes: !isBusy(file),
        comparePlacement: decidesPlacement(recorded),
        inFlight: stepsInFlight(recorded) > 0,
        createdBefore: !recorded.header.createdAtFirstStep,
      });
      return rowOf(name(file), result, replayed.factor, replayed.lateMs);
    });
  } catch (error) {
    if (!(error instanceof RollproofError)) throw error;
    return files.map((file) => ({
      name: name(file),
      matched: 0,
      of: 0,
      difference: error.message,
      outcome: 'failed',
      notes: [],
    }));
  }
}

/** Anti-affinity, spreading, a fixed node or a DaemonSet. */
function decidesPlacement({ header }: Recording): boolean {
  const text = JSON.stringify(header.manifests);
  return /"(podAntiAffinity|topologySpreadConstraints|nodeName|nodeSelector)"|"kind":"DaemonSet"/.test(text);
}

function rowOf(name: string, { checks, free }: Comparison, factor: number, lateMs: number): Row {
  const differences = checks.filter(({ matched }) => !matched);
  const [first] = differences;
  return {
    name,
    matched: checks.length - differences.length,
    of: checks.length,
    difference: first ? `${first.what}: ${first.difference}` : '',
    outcome: differences.length === 0 ? 'matched' : 'different',
    notes: [
      ...differences.slice(1).map(({ what, difference }) => `also ${what}: ${difference}`),
      ...free.map((text) => `free: ${text}`),
      ...(lateMs > BUSY_MS ? [`this machine was busy: timers came up to ${Math.round(lateMs)} ms late`] : []),
      ...(Math.abs(factor - 1) > 0.05 ? [`machine: ${factor.toFixed(2)} × the emulation's latencies`] : []),
    ],
  };
}

function shortLine({ name, matched, of, outcome }: Row): string {
  return `${outcome === 'matched' ? 'ok  ' : outcome === 'not replayable' ? 'skip' : 'FAIL'}  ${name}${of > 0 ? ` ${matched}/${of}` : ''}`;
}

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length), 'scenario'.length);
  const line = (name: string, matched: string, difference: string) =>
    `${name.padEnd(width)}  ${matched.padEnd(7)}  ${difference}`.trimEnd();
  return [
    line('scenario', 'matched', 'first difference'),
    ...rows.flatMap((row) => [
      line(row.name, row.of > 0 ? `${row.matched}/${row.of}` : '-', row.difference || 'none'),
      ...row.notes.map((note) => line('', '', `  ${note}`)),
    ]),
  ].join('\n');
}

function write(file: string, { header, events }: Recording): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${[header, ...events].map((line) => JSON.stringify(line)).join('\n')}\n`);
}
