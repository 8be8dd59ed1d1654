// `rollproof verify`: brings up a cluster, runs the experiments, judges, writes the reports, cleans up.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import type { Configuration } from '../config/load.ts';
import { paths } from '../config/schema.ts';
import { hasMetrics } from '../deploy/metrics-server.ts';
import { combineExitCodes, type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import type { RunFacts } from '../model/run.ts';
import type { Profile, Scenario } from '../model/scenario.ts';
import type { ClusterNeeds } from '../run/clusters.ts';
import type { ExperimentKey } from '../run/experiment/index.ts';
import { runExperiments } from '../run/experiments.ts';
import { concludeRun, type Keeping, keepingOf } from '../run/gate.ts';
import { defaultHistoryFile } from '../run/history.ts';
import { measureAgain } from '../run/measure-again.ts';
import { withoutRefused } from '../run/own-check.ts';
import { joinFacts, type Resumed, readResumed, reuseOf } from '../run/resume.ts';
import { cannotRun, type Selection, select } from '../run/selection.ts';
import { outputFolder, reproduceLine, type Session, withSession } from '../run/session.ts';
import { parseShard, type Shard, shardOf } from '../run/shard.ts';
import {
  addClusterFlags,
  type ClusterFlags,
  clusterOption,
  configured,
  knownNames,
  list,
  wholeNumber,
} from './flags.ts';
import { judgeFolder, runFile } from './judge.ts';
import { configuredTarget } from './target.ts';

export interface VerifyFlags extends ClusterFlags {
  readonly scenario: readonly string[];
  readonly variants: readonly string[];
  readonly profile: Profile;
  readonly out?: string;
  readonly repeat: number;
  readonly measureAgain: number;
  readonly preStop?: number;
  readonly strict?: boolean;
  readonly path: readonly string[];
  readonly agents?: number;
  readonly gate?: string;
  readonly history?: string;
  readonly resume?: string;
  readonly shard?: Shard;
  readonly crossCheck?: 'k6';
}

export function registerVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('roll out under load with and without the settings, and prove what each loses')
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
    .option('--path <paths>', `where load enters, separated by commas: ${paths.join(', ')}`, list, [])
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
    .option('--strict', 'verdict "unneeded" is not good enough (exit code 2)')
    .action(async (flags: VerifyFlags) => {
      process.exitCode = await verify(flags, process.argv.slice(2));
    });
}

export async function verify(flags: VerifyFlags, args: readonly string[]): Promise<ExitCode> {
  // Everything that can be wrong with the input is found here, before anything is started or written.
  const loaded = configured(
    flags,
    knownScenarios.map((scenario) => scenario.id),
  );
  const { configuration } = loaded;
  const all = select(knownScenarios, configuration, {
    profile: flags.profile,
    scenarios: flags.scenario,
    variants: flags.variants,
    repeat: flags.repeat,
    paths: chosenPaths(flags.path, configuration),
    agents: flags.agents ?? configuration.load.agents ?? 1,
    builtIn: !configuration.target,
  });
  const foreign = await configuredTarget(loaded, flags.copySecrets === true);
  const selection = flags.shard ? shardOf(all, flags.shard) : all;
  const keeping = keepingOf({
    gateFile: flags.gate,
    historyFile: flags.history,
    section: configuration.gate,
    known: knownNames(knownScenarios.map(({ id }) => id)),
    configuration,
  });
  const resumed = flags.resume === undefined ? undefined : await readResumed(flags.resume);
  const out = flags.resume ?? outputFolder(flags.out ?? configuration.out);
  return withSession(
    {
      configuration,
      foreign,
      scenarios: selection.scenarios,
      needs: {
        proxyDelayMs: flags.proxyDelay,
        autoscaler: autoscalerCycle(flags.profile, selection.scenarios),
      },
      profile: flags.profile,
      seed: flags.seed,
      arguments: args,
      crossCheck: flags.crossCheck,
    },
    (session) =>
      execute(session, selection, {
        out,
        strict: flags.strict === true,
        keeping,
        resumed,
        measuringAgain: flags.measureAgain,
      }),
  );
}

/** Profile quick shortens the cycle (kube-controller-manager's and metrics-server's own flags); full keeps the defaults. */
function autoscalerCycle(profile: Profile, scenarios: readonly Scenario[]): ClusterNeeds['autoscaler'] {
  if (!scenarios.some((scenario) => scenario.needs.metrics)) return undefined;
  return profile === 'quick'
    ? { syncSeconds: 5, metricsSeconds: 10, emulatedMetricsSeconds: 5 }
    : { syncSeconds: 15, metricsSeconds: 15, emulatedMetricsSeconds: 15 };
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

interface Wanted {
  readonly out: string;
  readonly strict: boolean;
  readonly keeping: Keeping | undefined;
  readonly resumed: Resumed | undefined;
  /** How many times at most what was disturbed is measured again. */
  readonly measuringAgain: number;
}

async function execute(
  session: Session,
  selection: Selection,
  { out, strict, keeping, resumed, measuringAgain }: Wanted,
): Promise<ExitCode> {
  const { run, timed, stages } = session;
  // A cluster of ours has the API or was given it; one of somebody else's is left as it is.
  const metrics = run.cluster.info.kind !== 'context' || (await hasMetrics(run.kube));
  const notRun = selection.scenarios.flatMap((scenario) => {
    const reason = cannotRun(scenario, run.cluster, run.target.images, session.lackingImages, metrics);
    return reason ? [{ scenario, reason }] : [];
  });
  const runnable = selection.keys.filter((key) =>
    notRun.every(({ scenario }) => scenario.id !== key.scenario.id),
  );
  const { keys, refused } = withoutRefused(run, runnable);
  for (const { scenario, variant, reason } of refused)
    process.stdout.write(`${scenario}, variant ${variant}: ${reason}\n`);
  mkdirSync(out, { recursive: true });
  const reuse = resumed ? reuseOf(resumed, keys, session, out) : new Map<ExperimentKey, string>();
  const first = await runExperiments(run, keys, out, timed, { reuse: (key) => reuse.get(key) });
  const { ran, removed, loadMs, again } = await measureAgain(run, first, {
    times: measuringAgain,
    out,
    progress: timed,
  });
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
    ...(refused.length > 0 && { variantsNotRun: [...refused] }),
    journals: keys.flatMap((key) => ran.find((one) => one.key === key)?.journal ?? []),
    measuredAgain: [...again],
  };
  const known = resumed ? joinFacts(resumed, facts, new Set(selection.scenarios.map(({ id }) => id))) : facts;
  writeFileSync(join(out, runFile), `${JSON.stringify(known, null, 2)}\n`);
  const judged = await timed.stage('Judge and write reports', () => judgeFolder(out));
  process.stdout.write(judged.summary);
  process.stdout.write(`\nReport: ${join(out, 'index.html')}\n`);
  const concluded = keeping && concludeRun(judged.results, keeping, out);
  for (const line of concluded?.lines ?? []) process.stdout.write(`${line}\n`);
  // A cluster that goes away takes everything with it.
  if (run.cluster.stays) await timed.stage('Remove what was deployed', () => removed);
  return combineExitCodes([
    judged.exitCode,
    concluded?.exitCode ?? exitCode.ok,
    run.signal.aborted ? exitCode.interrupted : exitCode.ok,
  ]);
}
