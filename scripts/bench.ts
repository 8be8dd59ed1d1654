// `npm run bench`: the load's speed beside raw autocannon, wrk, hey and k6, in one run, against one server, each
// generator on one core and the server on another. Prints ratios and writes out/bench.json.
// Usage: npm run bench -- [--seconds 4] [--repeats 3] [--only kept,new,open] [--out out/bench.json] [--profile FOLDER]
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { list, wholeNumber } from '../harness/commands/flags.ts';
import { runToExit } from '../harness/exec/command.ts';
import { startProgram } from '../harness/exec/program.ts';
import { bundle } from '../harness/load/bundle.ts';
import { selfTimes } from './bench/profile.ts';
import { type Case, type Figures, otherTools, ownTools, runPinned, type Tool } from './bench/tools.ts';
import { parseCommandLine } from './command-line.ts';

const here = dirname(fileURLToPath(import.meta.url));
const command = parseCommandLine(
  new Command('bench')
    .description('the speed of the load beside raw autocannon, wrk, hey and k6')
    .option('--seconds <n>', 'length of each measurement', atLeastASecond, 4)
    .option('--repeats <n>', 'measurements of each; the median counts', wholeNumber(1, 100), 3)
    .option('--only <groups>', 'of kept, new and open, separated by commas', chosenGroups, [
      'kept',
      'new',
      'open',
    ])
    .option('--out <file>', 'where the figures go as JSON', 'out/bench.json')
    .option('--profile <folder>', 'also profile the meter, and put the profile there'),
);
const values = command.opts<{
  seconds: number;
  repeats: number;
  only: readonly Group[];
  out: string;
  profile?: string;
}>();
const durationMs = values.seconds * 1000;
const { repeats } = values;
/** A server that does not end when its input does is killed. */
const STOP_LIMIT_MS = 5000;

const closedKept: Case = {
  name: 'closed loop, 50 kept connections',
  lane: 'kept',
  ratePerSecond: 0,
  connections: 50,
  durationMs,
};
const closedNew: Case = {
  name: 'closed loop, 50 at a time, a connection per request',
  lane: 'new',
  ratePerSecond: 0,
  connections: 50,
  durationMs,
};
const openKept: Case = {
  name: 'open loop, 2,000 per second, 50 kept connections',
  lane: 'kept',
  ratePerSecond: 2000,
  connections: 50,
  durationMs,
};
const openNew: Case = {
  name: 'open loop, 1,000 per second, a connection per request',
  lane: 'new',
  ratePerSecond: 1000,
  connections: 100,
  durationMs,
};
const groups: Readonly<Record<Group, readonly Case[]>> = {
  kept: [closedKept],
  new: [closedNew],
  open: [openKept, openNew],
};
const cases = values.only.flatMap((name) => groups[name]);

const pinning = cpus().length > 1 && (await isThere('taskset', ['-c', '0', 'true']));
const generatorCore = pinning ? 0 : undefined;
const serverCore = pinning ? 1 : undefined;
if (!pinning)
  process.stdout.write(
    'No taskset or one core only: generator and server share cores, so that ratios mean little.\n',
  );

const generator = await bundle(join(here, 'bench', 'generator.ts'));
const [serverProgram, ...serverArguments] = [
  ...(pinning ? ['taskset', '-c', String(serverCore)] : []),
  process.execPath,
  await bundle(join(here, 'bench', 'server.ts')),
];
let onPort = (_: string) => {};
const port = new Promise<string>((resolve) => {
  onPort = resolve;
});
const server = startProgram(serverProgram as string, serverArguments, {
  onLine: (line) => onPort(line.trim()),
});
process.once('exit', () => server.kill('SIGKILL'));
const ended = server.ended.then(({ how, stderr }): never => {
  throw new Error(`bench: the server ${how}: ${stderr}`);
});
ended.catch(() => {});
const url = `http://127.0.0.1:${await Promise.race([port, ended])}/`;

const present: Tool[] = [];
for (const tool of otherTools) if (await isThere(tool.name, ['--help'])) present.push(tool);
const missing = otherTools.filter((tool) => !present.includes(tool)).map(({ name }) => name);
const tools = [...ownTools(generator), ...present];
if (missing.length > 0) process.stdout.write(`Not on the PATH, so not compared: ${missing.join(', ')}.\n`);

type Group = 'kept' | 'new' | 'open';

/** Whether it can be started at all; what it answers is its own affair. */
async function isThere(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await runToExit(program, args, { limitMs: 10_000 });
    return true;
  } catch {
    return false;
  }
}

function chosenGroups(text: string): Group[] {
  return list(text).map((name) => {
    if (name === 'kept' || name === 'new' || name === 'open') return name;
    throw new InvalidArgumentError(`There is no "${name}"; there are kept, new and open.`);
  });
}

function atLeastASecond(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 1 && seconds <= 3600))
    throw new InvalidArgumentError('It must be a number from 1 to 3600.');
  return seconds;
}

interface Row {
  readonly tool: string;
  /** Median of the repeats. */
  readonly figures: Figures;
  readonly runs: readonly Figures[];
}

const report: { case: Case; rows: Row[] }[] = [];
for (const one of cases) {
  const runs = new Map<Tool, Figures[]>();
  // In turn, not one tool after the other: neighbours' noise then falls on all.
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const tool of tools) {
      const command = tool.command(one, url);
      if (!command) continue;
      const { output, cpuSeconds } = await runPinned(command, generatorCore, durationMs * 3 + 30_000);
      const figures = tool.read(output, one, durationMs / 1000, cpuSeconds);
      runs.set(tool, [...(runs.get(tool) ?? []), figures]);
    }
  }
  const rows = [...runs].map(([tool, all]): Row => ({ tool: tool.name, figures: median(all), runs: all }));
  report.push({ case: one, rows });
  process.stdout.write(table(one, rows));
}
if (values.profile) await profile(values.profile);
await server.stop(undefined, STOP_LIMIT_MS);
mkdirSync(dirname(values.out), { recursive: true });
writeFileSync(
  values.out,
  `${JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, pinned: pinning, repeats, cases: report }, null, 2)}\n`,
);
process.stdout.write(`Written to ${values.out}.\n`);

function median(all: readonly Figures[]): Figures {
  const sorted = all.toSorted((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const byCpu = all.toSorted((a, b) => a.cpuMicrosPerRequest - b.cpuMicrosPerRequest);
  const middle = sorted[Math.floor(sorted.length / 2)] as Figures;
  const cpu = byCpu[Math.floor(byCpu.length / 2)] as Figures;
  return { ...middle, cpuMicrosPerRequest: cpu.cpuMicrosPerRequest, cpuShare: cpu.cpuShare };
}

function table(one: Case, rows: readonly Row[]): string {
  const raw = rows.find((row) => row.tool === 'autocannon')?.figures;
  const lines = rows.map(({ tool, figures }) => {
    const ratio = raw ? `${(figures.requestsPerSecond / raw.requestsPerSecond).toFixed(2)}` : '-';
    const perCore = figures.cpuMicrosPerRequest > 0 ? 1e6 / figures.cpuMicrosPerRequest : 0;
    return [
      tool.padEnd(11),
      figures.requestsPerSecond.toFixed(0).padStart(8),
      ratio.padStart(9),
      figures.cpuMicrosPerRequest.toFixed(1).padStart(10),
      perCore.toFixed(0).padStart(12),
      `${(figures.cpuShare * 100).toFixed(0)} %`.padStart(8),
      (figures.p99Ms === undefined ? '-' : figures.p99Ms.toFixed(1)).padStart(8),
      (figures.sendLagP99Ms === undefined ? '-' : figures.sendLagP99Ms.toFixed(2)).padStart(10),
      String(figures.failed).padStart(7),
    ].join(' ');
  });
  const header =
    'generator      req/s  vs. raw  cpu µs/req  req/cpu-second  of a core  p99 ms  lag p99 ms  failed';
  return `\n${one.name}\n${header}\n${lines.join('\n')}\n`;
}

/** Where the meter's time goes: self time by function, from V8's sampling profiler. */
async function profile(folder: string): Promise<void> {
  const run = JSON.stringify({ generator: 'meter', url, ...closedKept });
  const command = [
    process.execPath,
    '--cpu-prof',
    '--cpu-prof-interval',
    '200',
    `--cpu-prof-dir=${folder}`,
    generator,
    run,
  ];
  await runPinned(command, generatorCore, durationMs * 3 + 30_000);
  const file = readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs)
    .at(-1);
  if (!file) throw new Error(`bench: Node left no profile in ${folder}.`);
  const lines = selfTimes(file).map(
    ({ share, name }) => `${(share * 100).toFixed(1).padStart(5)} %  ${name}`,
  );
  process.stdout.write(
    `\n${closedKept.name}: self time of the meter's process (${file})\n${lines.join('\n')}\n`,
  );
}
