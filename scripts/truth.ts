// `npm run truth`: are the causes of lost attempts true? On kind, the scenarios of the quick profile and apps that do not
// speak to us are rolled out under load; what the judge says of each lost attempt is compared with what arrived at the
// nodes of the pods and with what the apps logged of each connection (docs/causes.md).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { kindProvider } from '../harness/cluster/kind/provider.ts';
import { list, wholeNumber } from '../harness/commands/flags.ts';
import { runToExit } from '../harness/exec/command.ts';
import { factsOf } from '../harness/journal/facts.ts';
import { exitCode, FaultError, UsageError } from '../harness/model/errors.ts';
import { onInterrupt } from '../harness/run/interrupt.ts';
import { readRun } from '../harness/run/judge-folder.ts';
import { parseCommandLine, runScript } from './command-line.ts';
import { podPort, truthCases } from './truth/cases.ts';
import { compareWithTruth } from './truth/compare.ts';
import { recordNodes } from './truth/nodes.ts';
import { readOtherEnd } from './truth/seen.ts';
import { agrees, differences, type TruthRow, truthTable, withTable } from './truth/table.ts';

interface Flags {
  readonly out: string;
  readonly scenario: readonly string[];
  readonly rate: number;
  readonly agents: number;
  readonly measure: boolean;
  readonly write?: boolean;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs', 'causes.md');
const seenFolder = 'other-end';
const RUN_LIMIT_MS = 3_600_000;

const { configuration, ids } = truthCases();
const { opts } = parseCommandLine(
  new Command('truth')
    .description(
      'compare the causes that are said of lost attempts with what became of them at the other end',
    )
    .option('--out <dir>', 'folder of the runs; what is there already is not measured again', 'out/truth')
    .option('--scenario <ids>', `of ${ids.join(', ')} (default: all)`, list, [])
    .option('--rate <n>', 'requests per second and lane', wholeNumber(1, 1000), 50)
    .option('--agents <n>', 'load agents that share the schedule', wholeNumber(1, 4), 1)
    .option('--no-measure', 'compare what the folder has')
    .option('--write', 'put the table into docs/causes.md'),
);
await runScript(() => main(opts<Flags>()));

async function main({ out, scenario, rate, agents, measure, write }: Flags): Promise<number> {
  const odd = scenario.find((id) => !ids.includes(id));
  if (odd !== undefined)
    throw new UsageError(`truth: --scenario: there is no "${odd}"; there are ${ids.join(', ')}.`);
  if (measure) {
    const flags = ['--rate', String(rate), '--agents', String(agents)];
    await measured(out, scenario.length > 0 ? scenario : ids, flags);
  }
  const rows = await compared(out);
  process.stdout.write(`${truthTable(rows)}\n`);
  for (const text of differences(rows)) process.stdout.write(`${text}\n`);
  if (write) writeFileSync(page, withTable(readFileSync(page, 'utf8'), truthTable(rows)));
  return agrees(rows) ? exitCode.ok : exitCode.refuted;
}

/** One run of `verify`, watched from the nodes. */
async function measured(out: string, scenarios: readonly string[], flags: readonly string[]): Promise<void> {
  const say = (text: string) => void process.stderr.write(`${text}\n`);
  using interrupt = onInterrupt(say);
  const { signal } = interrupt;
  const resume = existsSync(join(out, 'journals'));
  mkdirSync(out, { recursive: true });
  const config = join(out, 'truth.json');
  writeFileSync(config, JSON.stringify(configuration));
  const cluster = await kindProvider({ keep: true }).create({ progress: say, signal });
  const nodes = cluster.info.nodes.map(({ name }) => name);
  // From here on it is kept, and the run below takes it.
  await cluster[Symbol.asyncDispose]();
  const recording = await recordNodes(nodes, podPort, join(out, seenFolder, String(Date.now())));
  const args = [
    ...[join(root, 'scripts', 'rollproof.mjs'), 'verify', '--cluster', 'kind', '--keep-cluster'],
    ...['--config', config, '--scenario', scenarios.join(','), ...flags],
    ...(resume ? ['--resume', out] : ['--out', out]),
  ];
  try {
    const { code, stdout } = await runToExit(process.execPath, args, {
      limitMs: RUN_LIMIT_MS,
      signal,
      onLine: say,
    });
    // There are no claims, so a run that went well proves nothing.
    if (code > exitCode.inconclusive) throw new FaultError(`truth: verify ended with ${code}.\n${stdout}`);
  } finally {
    await recording.end();
  }
}

/** Runs one after another: what was seen of all is looked at together. */
async function compared(out: string): Promise<TruthRow[]> {
  const folder = join(out, seenFolder);
  if (!existsSync(folder))
    throw new UsageError(`truth: ${out} has no ${seenFolder}/; measure into it first.`);
  const otherEnd = readOtherEnd(folder);
  const { journals } = await readRun(out);
  return journals.map(({ journal }) => ({
    scenario: journal.header.scenario.id.replace(/^truth-/, ''),
    compared: compareWithTruth(factsOf(journal), otherEnd),
  }));
}
