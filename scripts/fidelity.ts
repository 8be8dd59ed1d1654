// `npm run fidelity -- DIR…`: writes the tables kind beside embedded into docs/embedded.md, from folders of
// `rollproof verify` on both. With --measure DIR it makes these runs first; what is there already is not measured again, so
// that the whole can be measured part by part (--shard), and goes on where it was cut off.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { list, wholeNumber } from '../harness/commands/flags.ts';
import { judgeRun } from '../harness/judge/run.ts';
import { exitCode, UsageError } from '../harness/model/errors.ts';
import type { Results } from '../harness/model/results.ts';
import { onInterrupt } from '../harness/run/interrupt.ts';
import { readRun } from '../harness/run/judge-folder.ts';
import { parseShard, type Shard } from '../harness/run/shard.ts';
import { parseCommandLine, runScript } from './command-line.ts';
import { writePart } from './doc-part.ts';
import { causesText, fidelityOf, fidelityText, rowsWith } from './fidelity-text.ts';
import { verifyRun } from './verify-run.ts';

interface Flags {
  readonly measure?: string;
  readonly scenario: readonly string[];
  readonly rate?: number;
  readonly shard?: Shard;
  readonly blind?: boolean;
  readonly write: boolean;
}

const file = fileURLToPath(new URL('../docs/embedded.md', import.meta.url));

const command = parseCommandLine(
  new Command('fidelity')
    .description('write the table kind beside embedded into docs/embedded.md')
    .argument('[folders...]', 'results of rollproof verify on kind and on embedded')
    .option('--measure <dir>', 'make the runs, into folders of this one, and compare all that are there')
    .option('--scenario <ids>', 'with --measure: these (default: those of profile quick)', list, [])
    .option('--rate <n>', 'with --measure: requests per second and lane', wholeNumber(1, 1000))
    .option('--shard <i/n>', 'with --measure: the i-th of n parts of the scenarios', parseShard)
    .option('--blind', 'judge without the knowledge of which pod was asked')
    .option('--no-write', 'only print how many agree'),
);
await runScript(() => main(command.args, command.opts<Flags>()));

async function main(named: readonly string[], flags: Flags): Promise<number> {
  if (flags.measure !== undefined) await measured(flags.measure, flags);
  const folders = [...named, ...(flags.measure === undefined ? [] : runsIn(flags.measure))];
  const results: Results[] = [];
  for (const folder of folders) {
    const { journals, facts } = await readRun(folder);
    results.push(judgeRun(journals, facts, { ignoreRouteKnowledge: flags.blind === true }));
  }
  const real = results.filter(({ cluster }) => !cluster.emulated);
  const emulated = results.filter(({ cluster }) => cluster.emulated);
  if (real.length === 0 || emulated.length === 0) {
    throw new UsageError(
      `fidelity: ${real.length} of the folders are of a real cluster, ${emulated.length} of an emulated one; both are needed.`,
    );
  }
  const fidelity = fidelityOf(real, emulated);
  const known = flags.blind ? 'blind' : 'known';
  if (flags.write)
    writePart(
      file,
      `fidelity ${known}`,
      fidelityText(fidelity, [clusterText(real), clusterText(emulated)], known),
    );
  const { scenarios, rows } = fidelity;
  process.stdout.write(
    `${scenarios.length} scenarios, ${rows.length} lanes: the same causes in ${rowsWith(rows, 'yes')}, within chance ${rowsWith(rows, 'within chance')}; losses of the same order in ${rows.filter(({ sameOrder }) => sameOrder).length}.\n`,
  );
  for (const { scenario, variant, lane, real: kind, emulated: ours, sameCauses } of rows)
    if (sameCauses !== 'yes')
      process.stdout.write(
        `${sameCauses === 'no' ? 'other causes' : sameCauses}: ${scenario}, ${variant}, ${lane}: kind ${causesText(kind)}; embedded ${causesText(ours)}\n`,
      );
  return scenarios.every(({ same }) => same) ? exitCode.ok : exitCode.refuted;
}

async function measured(folder: string, { scenario, rate, shard }: Flags): Promise<void> {
  using interrupt = onInterrupt((text) => void process.stderr.write(`${text}\n`));
  const part = shard ? `-${shard.index}-of-${shard.of}` : '';
  const flags = [
    ...(scenario.length > 0 ? ['--scenario', scenario.join(',')] : []),
    ...(rate === undefined ? [] : ['--rate', String(rate)]),
    ...(shard ? ['--shard', `${shard.index}/${shard.of}`] : []),
  ];
  for (const cluster of ['kind', 'embedded'] as const)
    await verifyRun(cluster, join(folder, `${cluster}${part}`), flags, interrupt.signal);
}

function runsIn(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(path, 'journals')));
}

function clusterText(runs: readonly Results[]): string {
  const { cluster } = runs.at(-1) as Results;
  const what = cluster.emulated ? 'emulated Kubernetes' : 'Kubernetes';
  const number = runs.length === 1 ? '1 run' : `${runs.length} runs`;
  return `${cluster.kind}: ${what} ${cluster.kubernetesVersion}, ${cluster.nodes.length} nodes, ${number}.`;
}
