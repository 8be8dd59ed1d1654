// `rollproof tune`: the shortest preStop sleep that loses no new connection, from measured routing, then confirmed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import { entriesOf } from '../config/entries.ts';
import { type ExitCode, FaultError } from '../model/errors.ts';
import type { Scenario } from '../model/scenario.ts';
import type { ExperimentKey } from '../run/experiment/index.ts';
import { cannotRun, select } from '../run/selection.ts';
import { outputFolder, withSession } from '../run/session.ts';
import { tunePreStop } from '../run/tune.ts';
import { tunedText } from '../run/tune-text.ts';
import { chosenEntries } from './entries.ts';
import { addClusterFlags, type ClusterFlags, clusterOption, configured, list, wholeNumber } from './flags.ts';
import { summaries } from './summaries.ts';
import { configuredTarget } from './target.ts';

interface TuneFlags extends ClusterFlags {
  readonly scenario: string;
  readonly entry: readonly string[];
  readonly tries: number;
  readonly longest: number;
  readonly out?: string;
  readonly json?: boolean;
}

export function registerTune(program: Command): void {
  const command = program
    .command('tune')
    .description(summaries.tune)
    .addOption(clusterOption())
    .option('--scenario <id>', 'what happens to the pods', 'image-change')
    .option(
      '--entry <entries>',
      'where load comes in, side by side: service, node-port, outside, ingress, gateway, a URL, here:URL',
      list,
      [],
    )
    .option('--tries <n>', 'runs without a loss that confirm a length', wholeNumber(1, 100), 3)
    .option('--longest <seconds>', 'longest preStop sleep to try', wholeNumber(1, 600), 60)
    .option('--out <dir>', 'folder for journals and tune.json (default: a new one under out/)')
    .option('--json', 'the answer as JSON');
  addClusterFlags(command)
    .addHelpText(
      'after',
      '\nExit code: 0 found; 1 every length up to --longest lost connections; 2 the measurement was not good enough.',
    )
    .action(async (flags: TuneFlags) => {
      process.exitCode = await tune(flags, process.argv.slice(2));
    });
}

async function tune(flags: TuneFlags, args: readonly string[]): Promise<ExitCode> {
  const loaded = configured(
    flags,
    knownScenarios.map((scenario) => scenario.id),
  );
  const { configuration } = loaded;
  const selection = select(knownScenarios, configuration, {
    profile: 'quick',
    scenarios: [flags.scenario],
    variants: ['hardened'],
    repeat: 1,
    paths: ['cluster-ip'],
    agents: configuration.load.agents ?? 1,
    builtIn: !configuration.target,
  });
  const chosen = chosenEntries({ entry: flags.entry, path: [] }, configuration);
  // Several paths of verify are measured one after another; here they are side by side.
  const entries = chosen.paths.length > 1 ? entriesOf(chosen.paths.map(kindOfPath)) : chosen.entries;
  const foreign = await configuredTarget(loaded, flags.copySecrets === true);
  const out = outputFolder(flags.out ?? configuration.out);
  const scenario = { ...(selection.scenarios[0] as Scenario), claims: [] };
  return withSession(
    {
      configuration,
      foreign,
      scenarios: [scenario],
      out,
      needs: { proxyDelayMs: flags.proxyDelay },
      profile: 'quick',
      seed: flags.seed,
      arguments: args,
    },
    async (session) => {
      const { run, lackingImages } = session;
      const reason = cannotRun(scenario, run.cluster, run.target, lackingImages);
      if (reason) throw new FaultError(`tune: scenario ${scenario.id} cannot run here. ${reason}`);
      mkdirSync(out, { recursive: true });
      const { tuned, code, problems } = await tunePreStop(session, {
        scenario,
        out,
        tries: flags.tries,
        entries: entries.length > 0 ? entries : (scenario.entries ?? []),
        path: chosen.paths[0] ?? 'cluster-ip',
        longestSeconds: flags.longest,
      });
      writeFileSync(join(out, 'tune.json'), `${JSON.stringify(tuned, null, 2)}\n`);
      process.stdout.write(flags.json ? `${JSON.stringify(tuned, null, 2)}\n` : tunedText(tuned));
      for (const problem of problems) process.stderr.write(`${problem}\n`);
      return code;
    },
  );
}

const kindOfPath = (path: ExperimentKey['path']) => (path === 'cluster-ip' ? 'service' : path);
