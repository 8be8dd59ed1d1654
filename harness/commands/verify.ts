// `rollproof verify`: its flags. What it does is harness/run/verify.ts.
import { type Command, Option } from 'commander';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import { paths } from '../config/schema.ts';
import type { Profile } from '../model/scenario.ts';
import { defaultHistoryFile } from '../run/history.ts';
import { parseShard, type Shard } from '../run/shard.ts';
import { type VerifyRequest, verifyRun } from '../run/verify.ts';
import { chosenEntries } from './entries.ts';
import {
  addClusterFlags,
  type ClusterFlags,
  clusterOption,
  configured,
  httpUrl,
  knownNames,
  list,
  wholeNumber,
} from './flags.ts';
import { summaries } from './summaries.ts';
import { configuredTarget } from './target.ts';

interface VerifyFlags extends ClusterFlags {
  readonly scenario: readonly string[];
  readonly variants: readonly string[];
  readonly profile: Profile;
  readonly out?: string;
  readonly repeat: number;
  readonly measureAgain: number;
  readonly preStop?: number;
  readonly strict?: boolean;
  readonly dryRun?: boolean;
  readonly entry: readonly string[];
  readonly path: readonly string[];
  readonly agents?: number;
  readonly gate?: string;
  readonly history?: string;
  readonly resume?: string;
  readonly shard?: Shard;
  readonly crossCheck?: 'k6';
  readonly otlp?: string;
}

export function registerVerify(program: Command): void {
  const command = program
    .command('verify')
    .description(summaries.verify)
    .addOption(clusterOption())
    .option('--scenario <ids>', 'scenarios, separated by commas', list, [])
    .option(
      '--variants <names>',
      'variants, separated by commas: as-is (yours, unchanged), hardened, baseline, only:X, without:X, ablation',
      list,
      [],
    )
    .addOption(
      new Option('--profile <profile>', 'quick, or full with the literal figures')
        .choices(['quick', 'full'])
        .default('quick'),
    )
    .option('--out <dir>', 'folder for the reports (default: a new one under out/)');
  addClusterFlags(command)
    .option('--repeat <n>', 'run each experiment this many times', wholeNumber(1, 1000), 1)
    .option(
      '--measure-again <n>',
      'measure an experiment again that something else disturbed, this many times at most',
      wholeNumber(0, 10),
      1,
    )
    .option('--pre-stop <seconds>', 'length of the preStop sleep', wholeNumber(0, 600))
    .option(
      '--entry <entries>',
      'where load comes in, side by side: service, node-port, outside, ingress, gateway, a URL, here:URL',
      list,
      [],
    )
    .option('--path <paths>', `an older name, one experiment for each: ${paths.join(', ')}`, list, [])
    .option('--agents <n>', 'load agents that share the schedule', wholeNumber(1, 100))
    .option('--gate <file>', 'bounds that the run must keep (default: "gate" of the configuration)')
    .option('--history <file>', `history of runs to append to (with a gate: ${defaultHistoryFile})`)
    .addOption(new Option('--resume <dir>', 'continue in the folder of an earlier run').conflicts('out'))
    .option('--shard <i/n>', 'the i-th of n parts of the scenarios', parseShard)
    .addOption(
      new Option('--cross-check <tool>', 'fire the same plan with another tool beside the agent').choices([
        'k6',
      ]),
    )
    .option(
      '--otlp <url>',
      'send figures and time line to an OpenTelemetry collector, too (OTLP/HTTP)',
      httpUrl,
    )
    .option('--dry-run', 'print every object that would be created, as YAML, and create nothing')
    .option('--strict', 'verdict "unneeded" is not good enough (exit code 2)')
    .action(async (flags: VerifyFlags) => {
      process.exitCode = await verifyRun(await requestOf(flags, process.argv.slice(2)));
    });
}

/** Throws UsageError for everything that is wrong with the flags and the configuration. */
async function requestOf(flags: VerifyFlags, args: readonly string[]): Promise<VerifyRequest> {
  const ids = knownScenarios.map(({ id }) => id);
  const loaded = configured(flags, ids);
  return {
    configuration: loaded.configuration,
    foreign: await configuredTarget(loaded, flags.copySecrets === true),
    known: knownNames(ids),
    profile: flags.profile,
    scenarios: flags.scenario,
    variants: flags.variants,
    ...chosenEntries(flags, loaded.configuration),
    agents: flags.agents ?? loaded.configuration.load.agents ?? 1,
    repeat: flags.repeat,
    measuringAgain: flags.measureAgain,
    strict: flags.strict === true,
    dryRun: flags.dryRun === true,
    shard: flags.shard,
    gateFile: flags.gate,
    historyFile: flags.history,
    resume: flags.resume,
    out: flags.out,
    proxyDelayMs: flags.proxyDelay,
    seed: flags.seed,
    crossCheck: flags.crossCheck,
    otlp: flags.otlp,
    arguments: args,
  };
}
