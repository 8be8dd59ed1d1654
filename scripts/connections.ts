// `npm run connections`: many new connections per second on kind, with a restart in the middle. Is every connection known
// to the kernel's connection tracking, does any port come again too early, does anything grow?
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../harness/commands/flags.ts';
import type { JournalFacts } from '../harness/journal/facts.ts';
import { factsOf } from '../harness/journal/facts.ts';
import { exitCode } from '../harness/model/errors.ts';
import { isLost } from '../harness/model/load.ts';
import { hostPortOf } from '../harness/model/url-path.ts';
import { onInterrupt } from '../harness/run/interrupt.ts';
import { readRun } from '../harness/run/judge-folder.ts';
import { parseCommandLine, runScript } from './command-line.ts';
import { verifyRun } from './verify-run.ts';

interface Flags {
  readonly rate: number;
  readonly seconds: number;
  readonly agents: number;
  readonly out: string;
  readonly measure: boolean;
}

const SAMPLE_MS = 2000;
const MB = 1024 * 1024;

const command = parseCommandLine(
  new Command('connections')
    .description(
      'many new connections per second on kind: is each known to connection tracking, does anything grow?',
    )
    .option('--rate <n>', 'new connections per second', wholeNumber(1, 5000), 1000)
    .option('--seconds <n>', 'how long, beside the restart in the middle', wholeNumber(10, 3600), 60)
    .option('--agents <n>', 'load agents that share them', wholeNumber(1, 4), 1)
    .option('--out <dir>', 'folder of the run', 'out/connections')
    .option('--no-measure', 'look at what the folder has'),
);
await runScript(() => main(command.opts<Flags>()));

async function main({ rate, seconds, agents, out, measure }: Flags): Promise<number> {
  const run = join(out, 'run');
  const memory = join(out, 'harness-memory.json');
  if (measure) {
    using interrupt = onInterrupt((text) => void process.stderr.write(`${text}\n`));
    mkdirSync(out, { recursive: true });
    const config = join(out, 'connections.json');
    writeFileSync(config, JSON.stringify({ scenarios: [scenario(seconds)] }));
    const samples: number[] = [];
    let timer: NodeJS.Timeout | undefined;
    try {
      const load = ['--rate', String(rate), '--agents', String(agents)];
      // What is looked for shows on a busy machine, too.
      const flags = ['--config', config, ...load, '--measure-again', '0'];
      await verifyRun('kind', run, flags, interrupt.signal, (pid) => {
        timer = setInterval(() => samples.push(rssOf(pid)), SAMPLE_MS);
      });
    } finally {
      clearInterval(timer);
    }
    writeFileSync(memory, JSON.stringify(samples));
  }
  const { journals } = await readRun(run);
  const problems = journals.flatMap(({ journal }) => report(factsOf(journal)));
  process.stdout.write(`harness: ${growth(JSON.parse(readFileSync(memory, 'utf8')) as number[])}\n`);
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  return problems.length === 0 ? exitCode.ok : exitCode.refuted;
}

function scenario(seconds: number): object {
  return {
    id: 'connections',
    title: 'Many new connections',
    question: 'Is every connection known to the connection tracking of its node?',
    group: 'connections',
    target: { startMs: 0, workMs: 0 },
    variants: ['baseline'],
    load: [{ lane: 'new' }],
    steps: [
      { step: 'wait', for: 'time', ms: seconds * 500 },
      { step: 'restart' },
      { step: 'wait', for: 'rollout' },
      { step: 'wait', for: 'time', ms: seconds * 500 },
    ],
    claims: [],
    limitMs: seconds * 1000 + 240_000,
  };
}

/** Prints the figures; returns what must not be. */
function report({ streams, witness, journal }: JournalFacts): string[] {
  const problems: string[] = [];
  const target = streams.filter(({ control }) => !control);
  const addresses = new Set(
    journal.header.plan.streams.filter(({ id }) => id !== 'control').map(({ url }) => hostPortOf(url)),
  );
  const tracked = witness.connections.filter(({ to }) => addresses.has(to));
  const opened = sum(target.flatMap(({ ends }) => ends.map((end) => end.connectionsOpened)));
  const lost = target.flatMap(({ failures }) => failures.filter(({ outcome }) => isLost(outcome)));
  const nobody = lost.filter(({ asked }) => asked === 'nobody').length;
  const withoutPod = lost.filter(({ asked, pod }) => asked === undefined && pod === undefined).length;
  const local = sum(target.map(({ outcomes }) => outcomes.local ?? 0));
  const shed = sum(target.map((stream) => stream.shed));
  const rest = shortestRest(tracked);
  const agents = [...new Set(journal.frames.map(({ agent }) => agent))];
  // Before the load each stream of each agent asks once whether there is an answer.
  const beyond = tracked.length + nobody - opened;
  if (beyond < 0 || beyond > target.length * agents.length)
    problems.push(
      `${opened} connections were opened; ${tracked.length} are in connection tracking and ${nobody} were sent to nobody`,
    );
  if (withoutPod > 0) problems.push(`of ${withoutPod} lost attempts it is not known which pod was asked`);
  if (local > 0) problems.push(`${local} attempts were stopped by this machine's own limits`);
  const last = target.map((stream) => stream.endMs);
  process.stdout.write(
    `${sum(target.map(({ attempts }) => attempts))} attempts in ${Math.round(Math.max(...last) / 1000)} s by ${agents.length} agents: ${opened} connections, ${tracked.length} tracked, ${nobody} sent to nobody; ${lost.length} lost, ${withoutPod} of them without a pod; ${shed} shed, ${local} local; ${rest === undefined ? 'no port came again' : `a port came again after ${(rest / 1000).toFixed(1)} s at the earliest`}\n`,
  );
  for (const agent of agents) {
    const rss = journal.frames.flatMap(({ agent: of, frame }) =>
      of === agent && frame.health ? [frame.health.rssBytes] : [],
    );
    process.stdout.write(`agent ${agent}: ${growth(rss)}\n`);
  }
  return problems;
}

/** Between two connections of one port to one address, ms. What asked before the load chose no port of ours. */
function shortestRest(tracked: JournalFacts['witness']['connections']): number | undefined {
  const last = new Map<string, number>();
  let shortest: number | undefined;
  for (const { port, from, to, atMs } of tracked) {
    if (atMs < 0) continue;
    const key = `${from} ${port} ${to}`;
    const before = last.get(key);
    if (before !== undefined) shortest = Math.min(shortest ?? Number.POSITIVE_INFINITY, atMs - before);
    last.set(key, atMs);
  }
  return shortest;
}

/** Memory in fifths of the time: the mean of each. */
function growth(bytes: readonly number[]): string {
  const size = Math.ceil(bytes.length / 5);
  const parts = Array.from({ length: 5 }, (_, index) => bytes.slice(index * size, (index + 1) * size));
  const means = parts.filter((part) => part.length > 0).map((part) => sum(part) / part.length / MB);
  return `resident memory by fifths of the time ${means.map((mean) => mean.toFixed(0)).join(', ')} MB`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** 0: it has ended. */
function rssOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
