// `rollproof verify`: brings up a cluster, runs the experiments, judges, writes the reports, cleans up.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import type { Configuration } from '../config/load.ts';
import { paths } from '../config/schema.ts';
import { foreignTarget } from '../deploy/foreign.ts';
import { type ExperimentKey, experimentName } from '../experiment.ts';
import { combineExitCodes, type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import type { RunFacts } from '../model/run.ts';
import type { Profile } from '../model/scenario.ts';
import { addClusterFlags, type ClusterFlags, clusterOption, configured, list, wholeNumber } from './flags.ts';
import { judgeFolder, runFile } from './judge.ts';
import { runExperiments } from './run.ts';
import { cannotRun, type Selection, select } from './selection.ts';
import { outputFolder, reproduceLine, type Session, withSession } from './session.ts';

export interface VerifyFlags extends ClusterFlags {
  readonly scenario: readonly string[];
  readonly variants: readonly string[];
  readonly profile: Profile;
  readonly out?: string;
  readonly repeat: number;
  readonly preStop?: number;
  readonly strict?: boolean;
  readonly path: readonly string[];
  readonly agents?: number;
}

export function registerVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('roll out under load with and without the settings, and prove what each loses')
    .addOption(clusterOption())
    .option('--scenario <ids>', 'scenarios, separated by commas', list, [])
    .option(
      '--variants <names>',
      'variants, separated by commas: baseline, hardened, only:X, without:X, ablation',
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
    .option('--pre-stop <seconds>', 'length of the preStop sleep', wholeNumber(0, 600))
    .option('--path <paths>', `where load enters, separated by commas: ${paths.join(', ')}`, list, [])
    .option('--agents <n>', 'load agents that share the schedule', wholeNumber(1, 100))
    .option('--strict', 'verdict "unneeded" is not good enough (exit code 2)')
    .action(async (flags: VerifyFlags) => {
      process.exitCode = await verify(flags, process.argv.slice(2));
    });
}

export async function verify(flags: VerifyFlags, args: readonly string[]): Promise<ExitCode> {
  // Everything that can be wrong with the input is found here, before anything is started or written.
  const { configuration, file } = configured(
    flags,
    knownScenarios.map((scenario) => scenario.id),
  );
  const selection = select(knownScenarios, configuration, {
    profile: flags.profile,
    scenarios: flags.scenario,
    variants: flags.variants,
    repeat: flags.repeat,
    paths: chosenPaths(flags.path, configuration),
    agents: flags.agents ?? configuration.load.agents ?? 1,
    builtIn: !configuration.target,
  });
  const foreign = configuration.target && foreignTarget(configuration.target, file ?? 'configuration');
  const out = outputFolder(flags.out ?? configuration.out);
  return withSession(
    {
      configuration,
      foreign,
      scenarios: selection.scenarios,
      needs: { proxyDelayMs: flags.proxyDelay },
      profile: flags.profile,
      seed: flags.seed,
      arguments: args,
    },
    (session) => execute(session, selection, out, flags.strict === true),
  );
}

/** Throws UsageError for an unknown path, and for one that the cluster asked for does not have. */
function chosenPaths(
  names: readonly string[],
  { load, cluster }: Configuration,
): readonly ExperimentKey['path'][] {
  const chosen = names.map((name) => {
    const found = paths.find((path) => path === name);
    if (!found) throw new UsageError(`--path "${name}" is not known. There are ${paths.join(', ')}.`);
    return found;
  });
  const effective = chosen.length > 0 ? chosen : (load.path ?? ['cluster-ip']);
  if (effective.includes('outside') && (cluster.kind === 'embedded' || cluster.kind === 'context')) {
    throw new UsageError(
      `--path outside: cluster ${cluster.kind} has no outside that rollproof can reach; use --cluster kind.`,
    );
  }
  return [...new Set(effective)];
}

async function execute(
  session: Session,
  selection: Selection,
  out: string,
  strict: boolean,
): Promise<ExitCode> {
  const { run, timed, stages } = session;
  const notRun = selection.scenarios.flatMap((scenario) => {
    const reason = cannotRun(scenario, run.cluster, run.target.images);
    return reason ? [{ scenario, reason }] : [];
  });
  const keys = selection.keys.filter((key) => notRun.every(({ scenario }) => scenario !== key.scenario));
  mkdirSync(out, { recursive: true });
  const { ran, removed } = await runExperiments(run, keys, out, timed);
  const loadMs = stages
    .filter(({ name }) => keys.some((key) => experimentName(key) === name))
    .reduce((sum, { ms }) => sum + ms, 0);
  const facts: RunFacts = {
    schemaVersion: 1,
    runId: run.runId,
    tool: run.tool,
    cluster: run.cluster.info,
    startedAt: session.startedAt,
    durationMs: Math.round(session.elapsedMs()),
    loadMs: Math.round(loadMs),
    stages,
    reproduce: reproduceLine(run.arguments),
    strict,
    interrupted: run.signal.aborted,
    notRun,
    undeployed: ran
      .filter((one) => one.journal === undefined)
      .map(({ key, outcome }) => ({
        scenario: key.scenario,
        variant: key.variant.name,
        reason: outcome.reason ?? '',
      })),
    journals: ran.flatMap((one) => (one.journal ? [one.journal] : [])),
  };
  writeFileSync(join(out, runFile), `${JSON.stringify(facts, null, 2)}\n`);
  const judged = await timed.stage('Judge and write reports', () => judgeFolder(out));
  process.stdout.write(judged.summary);
  process.stdout.write(`\nReport: ${join(out, 'index.html')}\n`);
  // A cluster that goes away takes everything with it.
  if (run.cluster.stays) await timed.stage('Remove what was deployed', () => removed);
  return combineExitCodes([judged.exitCode, run.signal.aborted ? exitCode.interrupted : exitCode.ok]);
}
