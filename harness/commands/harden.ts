// `rollproof harden`: its flags. What it does is harness/run/harden/.
import type { Command } from 'commander';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import { UsageError } from '../model/errors.ts';
import { hardenRun } from '../run/harden/index.ts';
import { addClusterFlags, type ClusterFlags, clusterOption, configured, wholeNumber } from './flags.ts';
import { summaries } from './summaries.ts';
import { configuredTarget, connected } from './target.ts';

interface HardenFlags extends ClusterFlags {
  readonly scenario?: string;
  readonly tries: number;
  readonly longest: number;
  readonly write?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly out?: string;
}

export function registerHarden(program: Command): void {
  const command = program
    .command('harden')
    .description(summaries.harden)
    .addOption(clusterOption())
    .option(
      '--scenario <id>',
      'what happens to the pods (default: image-change with target.images.next, else restart)',
    )
    .option('--tries <n>', 'runs without a loss that confirm the answer', wholeNumber(1, 100), 3)
    .option('--longest <seconds>', 'longest preStop sleep to try', wholeNumber(1, 600), 60)
    .option('--write', 'write the files (default: print the changes as a diff)')
    .option('--force', 'with --write: also into files that git could not bring back')
    .option('--out <dir>', 'folder for journals and harden.json (default: a new one under out/)')
    .option('--json', 'the answer as JSON');
  addClusterFlags(command)
    .addHelpText(
      'after',
      '\nExit code: 0 nothing is lost (any more); 1 some losses remain; 2 the measurement was not good enough.',
    )
    .action(async (flags: HardenFlags) => {
      process.exitCode = await harden(flags, process.argv.slice(2));
    });
}

async function harden(flags: HardenFlags, args: readonly string[]) {
  if (flags.force && !flags.write) throw new UsageError('--force needs --write.');
  const loaded = configured(
    flags,
    knownScenarios.map(({ id }) => id),
  );
  const copySecrets = flags.copySecrets === true;
  const foreign = await configuredTarget(loaded, copySecrets);
  if (!foreign)
    throw new UsageError(
      'harden: needs a workload of yours: name it under "target" in rollproof.yaml (rollproof init writes one).',
    );
  return hardenRun({
    loaded,
    foreign,
    source: {
      at: loaded.at,
      signal: new AbortController().signal,
      live: { connect: () => connected(loaded.configuration.cluster), copySecrets },
    },
    scenario: flags.scenario,
    tries: flags.tries,
    longestSeconds: flags.longest,
    write: flags.write === true,
    force: flags.force === true,
    json: flags.json === true,
    out: flags.out,
    proxyDelayMs: flags.proxyDelay,
    seed: flags.seed,
    arguments: args,
  });
}
