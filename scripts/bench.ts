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
import type { ProtocolPorts } from './bench/protocol-server.ts';
import { type Case, type Figures, otherTools, ownTools, runPinned, type Tool } from './bench/tools.ts';
import { parseCommandLine } from './command-line.ts';

const groupNames = ['kept', 'new', 'open', 'http2', 'grpc', 'websocket'] as const;
type Group = (typeof groupNames)[number];

const here = dirname(fileURLToPath(import.meta.url));
const command = parseCommandLine(
  new Command('bench')
    .description('the speed of the load beside raw autocannon, wrk, hey and k6')
    .option('--seconds <n>', 'length of each measurement', atLeastASecond, 4)
    .option('--repeats <n>', 'measurements of each; the median counts', wholeNumber(1, 100), 3)
    .option('--only <groups>', `of ${groupNames.join(', ')}, separated by commas`, chosenGroups, [
      ...groupNames,
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
const multiplexed = {
  lane: 'kept',
  ratePerSecond: 0,
  connections: 10,
  streamsPerConnection: 10,
  durationMs,
} as const;
const http2: Case = {
  ...multiplexed,
  name: 'HTTP/2, closed loop, 10 connections × 10 streams, without TLS',
  protocol: 'http2',
};
const http2Tls: Case = {
  ...multiplexed,
  name: 'HTTP/2, closed loop, 10 connections × 10 streams, through TLS',
  protocol: 'http2',
  ca: '',
};
const grpc: Case = {
  ...multiplexed,
  name: 'gRPC unary, closed loop, 10 connections × 10 calls',
  protocol: 'grpc',
};
const webSocket: Case = {
  name: 'WebSocket, 2,000 streams, a message per second each',
  lane: 'stream',
  ratePerSecond: 2000,
  connections: 2000,
  protocol: 'websocket',
  // Opening them is not what is measured.
  durationMs: Math.max(durationMs, 15_000),
};
const groups: Readonly<Record<Group, readonly Case[]>> = {
  http2: [http2, http2Tls],
  grpc: [grpc],
  websocket: [webSocket],
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
const server = await serverOf('server.ts');
const url = `http://127.0.0.1:${server.said}/`;
const protocols = cases.some(({ protocol }) => protocol) ? await serverOf('protocol-server.ts') : undefined;
const ports = protocols && (JSON.parse(protocols.said) as ProtocolPorts);

function urlOf({ protocol, ca }: Case): string {
  if (!ports || !protocol) return url;
  if (ca !== undefined) return `https://127.0.0.1:${ports.tls}/`;
  return `http://127.0.0.1:${protocol === 'websocket' ? ports.webSocket : ports.plain}/`;
}

/** Starts one of the servers on its core; `said` is its first line. */
async function serverOf(file: string) {
  const [program = '', ...args] = [
    ...(pinning ? ['taskset', '-c', String(serverCore)] : []),
    process.execPath,
    await bundle(join(here, 'bench', file)),
  ];
  let onSaid = (_: string) => {};
  const said = new Promise<string>((resolve) => {
    onSaid = resolve;
  });
  const running = startProgram(program, args, { onLine: (line) => onSaid(line.trim()) });
  process.once('exit', () => running.kill('SIGKILL'));
  const ended = running.ended.then(({ how, stderr }): never => {
    throw new Error(`bench: the server ${how}: ${stderr}`);
  });
  ended.catch(() => {});
  return { said: await Promise.race([said, ended]), stop: () => running.stop(undefined, STOP_LIMIT_MS) };
}

const present: Tool[] = [];
for (const tool of otherTools) if (await isThere(tool.name, ['--help'])) present.push(tool);
const missing = otherTools.filter((tool) => !present.includes(tool)).map(({ name }) => name);
const tools = [...ownTools(generator), ...present];
if (missing.length > 0) process.stdout.write(`Not on the PATH, so not compared: ${missing.join(', ')}.\n`);

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
    const found = groupNames.find((group) => group === name);
    if (found) return found;
    throw new InvalidArgumentError(`There is no "${name}"; there are ${groupNames.join(', ')}.`);
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
for (const given of cases) {
  const one = given.ca === undefined ? given : { ...given, ca: ports?.ca ?? '' };
  const runs = new Map<Tool, Figures[]>();
  // In turn, not one tool after the other: neighbours' noise then falls on all.
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const tool of tools) {
      const command = tool.command(one, urlOf(one));
      if (!command) continue;
      const { output, cpuSeconds } = await runPinned(command, generatorCore, one.durationMs * 3 + 30_000);
      const figures = tool.read(output, one, one.durationMs / 1000, cpuSeconds);
      runs.set(tool, [...(runs.get(tool) ?? []), figures]);
    }
  }
  const rows = [...runs].map(([tool, all]): Row => ({ tool: tool.name, figures: median(all), runs: all }));
  report.push({ case: one, rows });
  process.stdout.write(table(one, rows));
}
if (values.profile) await profile(values.profile);
await server.stop();
await protocols?.stop();
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
  // Of other protocols autocannon knows nothing: there k6 is what the others are set against.
  const base = one.protocol ? 'k6' : 'autocannon';
  const raw = rows.find((row) => row.tool === base)?.figures;
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
      (figures.rssMb === undefined ? '-' : figures.rssMb.toFixed(0)).padStart(7),
    ].join(' ');
  });
  const header = `generator      req/s  vs. ${one.protocol ? ' k6' : 'raw'}  cpu µs/req  req/cpu-second  of a core  p99 ms  lag p99 ms  failed  RSS MB`;
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
