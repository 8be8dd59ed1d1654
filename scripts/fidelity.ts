// `npm run fidelity -- DIR…`: writes the table kind beside embedded into docs/embedded.md, from folders of
// `rollproof verify` on both, judged without the knowledge of which pod was asked.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { judgeRun } from '../harness/judge/run.ts';
import { exitCode, UsageError } from '../harness/model/errors.ts';
import type { Results } from '../harness/model/results.ts';
import { readRun } from '../harness/run/judge-folder.ts';
import { parseCommandLine, runScript } from './command-line.ts';
import { fidelityMark, fidelityOf, fidelityText } from './fidelity-text.ts';

const file = fileURLToPath(new URL('../docs/embedded.md', import.meta.url));

const command = parseCommandLine(
  new Command('fidelity')
    .description('write the table kind beside embedded into docs/embedded.md')
    .argument('<folders...>', 'results of rollproof verify on kind and on embedded'),
);
await runScript(() => main(command.args));

async function main(folders: readonly string[]): Promise<number> {
  const results: Results[] = [];
  for (const folder of folders) {
    const { journals, facts } = await readRun(folder);
    results.push(judgeRun(journals, facts, { ignoreRouteKnowledge: true }));
  }
  const real = results.filter(({ cluster }) => !cluster.emulated);
  const emulated = results.filter(({ cluster }) => cluster.emulated);
  if (real.length === 0 || emulated.length === 0) {
    throw new UsageError(
      `fidelity: ${real.length} of the folders are of a real cluster, ${emulated.length} of an emulated one; both are needed.`,
    );
  }
  const fidelity = fidelityOf(real, emulated);
  const text = readFileSync(file, 'utf8').split(fidelityMark)[0] as string;
  writeFileSync(file, `${text}${fidelityText(fidelity, [clusterText(real), clusterText(emulated)])}`);
  const different = fidelity.rows.filter(({ sameCauses, sameOrder }) => !sameCauses || !sameOrder).length;
  process.stdout.write(
    `docs/embedded.md written: ${fidelity.scenarios.length} scenarios, ${fidelity.rows.length} lanes, ${different} of them different.\n`,
  );
  return fidelity.scenarios.every(({ same }) => same) ? exitCode.ok : exitCode.refuted;
}

function clusterText(runs: readonly Results[]): string {
  const { cluster } = runs.at(-1) as Results;
  const what = cluster.emulated ? 'emulated Kubernetes' : 'Kubernetes';
  return `${cluster.kind}: ${what} ${cluster.kubernetesVersion}, ${cluster.nodes.length} nodes, ${runs.length} runs.`;
}
