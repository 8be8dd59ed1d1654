// `npm run nightly`: the full profile on kind, gated against its last green run; its reports stay under out/nightly.
// Usage: npm run nightly -- [--profile quick] [--cluster embedded] [--gate FILE] [--folder DIR] [flags of verify ...]
// The exit code is verify's: verdicts and gate.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { parseCommandLine } from './command-line.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const command = parseCommandLine(
  new Command('nightly')
    .description(
      'the full profile, gated against its last green run; other flags are those of rollproof verify',
    )
    .option('--profile <profile>', 'quick or full', 'full')
    .option('--cluster <kind>', 'where to run', 'kind')
    .option('--gate <file>', 'bounds that the run must keep', join(root, 'scripts', 'nightly-gate.yaml'))
    .option('--folder <dir>', 'where reports and history go', join('out', 'nightly'))
    .allowUnknownOption()
    .allowExcessArguments(),
);
const { profile, cluster, gate, folder } = command.opts<{
  profile: string;
  cluster: string;
  gate: string;
  folder: string;
}>();
const args = [
  'verify',
  ...['--profile', profile],
  ...['--cluster', cluster],
  ...['--gate', gate],
  // Each profile has its own history: their figures are not to be compared.
  ...['--history', join(folder, `history-${profile}.ndjson`)],
  ...['--out', unusedFolder(join(folder, new Date().toISOString().slice(0, 10)))],
  ...command.args,
];
process.stderr.write(`rollproof ${args.join(' ')}\n`);
process.argv = [process.argv[0] as string, join(root, 'harness', 'cli.ts'), ...args];
// In this same process, so that signals and the exit code need no forwarding.
await import('../harness/cli.ts');

/** A second run of the same day gets a folder of its own. */
function unusedFolder(wanted: string): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted}-${n}`;
    if (!existsSync(name)) return name;
  }
}
