// `npm run truth`: are the causes of lost attempts true? On kind, the scenarios of the quick profile and apps that do not
// speak to us are rolled out under load; what the judge says of each lost attempt is compared with what arrived at the
// nodes of the pods and with what the apps logged of each connection (docs/causes.md).
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { list, wholeNumber } from '../harness/commands/flags.ts';
import { factsOf } from '../harness/journal/facts.ts';
import { exitCode, UsageError } from '../harness/model/errors.ts';
import { onInterrupt } from '../harness/run/interrupt.ts';
import { readRun } from '../harness/run/judge-folder.ts';
import { parseCommandLine, runScript } from './command-line.ts';
import { writePart } from './doc-part.ts';
import { podPort, truthCases } from './truth/cases.ts';
import { compareWithTruth } from './truth/compare.ts';
import { recordNodes } from './truth/nodes.ts';
import { readOtherEnd } from './truth/seen.ts';
import { agrees, differences, type TruthRow, truthTable } from './truth/table.ts';
import { keptKind, verifyRun } from './verify-run.ts';

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
const runFolder = 'run';
const seenFolder = 'other-end';

const { configuration, ids } = truthCases();
const command = parseCommandLine(
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
await runScript(() => main(command.opts<Flags>()));

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
  if (write) writePart(page, 'truth', truthTable(rows));
  return agrees(rows) ? exitCode.ok : exitCode.refuted;
}

/** One run of `verify`, watched from the nodes. */
async function measured(out: string, scenarios: readonly string[], flags: readonly string[]): Promise<void> {
  using interrupt = onInterrupt((text) => void process.stderr.write(`${text}\n`));
  const { signal } = interrupt;
  const { nodes } = await keptKind(signal);
  mkdirSync(out, { recursive: true });
  const config = join(out, 'truth.json');
  writeFileSync(config, JSON.stringify(configuration));
  const recording = await recordNodes(nodes, podPort, join(out, seenFolder, String(Date.now())));
  try {
    const what = ['--config', config, '--scenario', scenarios.join(',')];
    await verifyRun('kind', join(out, runFolder), [...what, ...flags], signal);
  } finally {
    await recording.end();
  }
}

/** Runs one after another: what was seen of all is looked at together. */
async function compared(out: string): Promise<TruthRow[]> {
  const folder = join(out, seenFolder);
  if (!existsSync(folder))
    throw new UsageError(`truth: ${out} has no ${seenFolder}/; measure into it first.`);
  const otherEnd = readOtherEnd(folder, podPort);
  const { journals } = await readRun(join(out, runFolder));
  return journals.map(({ journal }) => ({
    scenario: journal.header.scenario.id.replace(/^truth-/, ''),
    compared: compareWithTruth(factsOf(journal), otherEnd),
  }));
}
