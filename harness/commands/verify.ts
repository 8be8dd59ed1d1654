// `rollproof verify`: brings up a cluster, runs the experiments, judges, writes the reports, cleans up.
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import type { RunningCluster } from '../cluster/provider.ts';
import { type Configuration, loadConfiguration } from '../config/load.ts';
import { overrideConfiguration } from '../config/override.ts';
import { builtInTarget } from '../deploy/built-in.ts';
import type { TargetDefinition } from '../deploy/definition.ts';
import { foreignTarget } from '../deploy/foreign.ts';
import { experimentName, type RunContext } from '../experiment.ts';
import { connectKube } from '../kube/client.ts';
import { combineExitCodes, type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import type { RunFacts } from '../model/run.ts';
import type { Profile } from '../model/scenario.ts';
import { redactArguments } from '../record/redact.ts';
import { settings, targetGracefulEnv } from '../settings/index.ts';
import { type ClusterChoice, chooseCluster } from './clusters.ts';
import { neededRequests, ownImages } from './images.ts';
import { type Interrupt, onInterrupt } from './interrupt.ts';
import { judgeFolder } from './judge.ts';
import { createProgress, type Progress } from './progress.ts';
import { runExperiments } from './run.ts';
import { cannotRun, imagesUsed, type Selection, select } from './selection.ts';
import { toolVersion } from './tool-version.ts';

export interface VerifyFlags {
  readonly cluster?: ClusterChoice;
  readonly scenario: readonly string[];
  readonly variants: readonly string[];
  readonly profile: Profile;
  readonly out?: string;
  readonly config?: string;
  readonly kindImage?: string;
  readonly oneNode?: boolean;
  readonly keepCluster?: boolean;
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly repeat: number;
  readonly rate?: number;
  readonly preStop?: number;
  readonly seed?: number;
  readonly proxyDelay?: number;
  readonly strict?: boolean;
}

const defaultPreStopSeconds = 5;

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('roll out under load with and without the settings, and prove what each loses')
    .addOption(
      new Option('--cluster <kind>', 'where to run').choices(['auto', 'kind', 'embedded', 'context']),
    )
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
    .option('--out <dir>', 'folder for the reports (default: a new one under out/)')
    .option('--config <file>', 'configuration (default: rollproof.yaml when it is there)')
    .option('--kind-image <image>', 'node image for kind')
    .option('--one-node', 'kind: one node instead of four')
    .option('--keep-cluster', 'leave the cluster up; the next run uses it again')
    .option('--context <name>', 'context of the kubeconfig, for --cluster context')
    .option('--kubeconfig <file>', 'kubeconfig, for --cluster context')
    .option('--repeat <n>', 'run each experiment this many times', wholeNumber(1, 1000), 1)
    .option('--rate <n>', 'requests per second and lane', positive)
    .option('--pre-stop <seconds>', 'length of the preStop sleep', wholeNumber(0, 600))
    .option('--proxy-delay <ms>', 'embedded: routing updates lag by this much', wholeNumber(0, 600_000))
    .option('--seed <n>', 'seed of what is chosen by chance', wholeNumber(0, 2 ** 31))
    .option('--strict', 'verdict "unneeded" is not good enough (exit code 2)')
    .action(async (flags: VerifyFlags) => {
      process.exitCode = await verify(flags, process.argv.slice(2));
    });
}

export async function verify(flags: VerifyFlags, args: readonly string[]): Promise<ExitCode> {
  const startedAt = performance.now();
  const startedAtIso = new Date().toISOString();
  // Everything that can be wrong with the input is found here, before anything is started or written.
  const { configuration, file } = loadConfiguration(flags.config, process.cwd(), {
    scenarios: knownScenarios.map((scenario) => scenario.id),
    settings: settings.map((setting) => setting.name),
  });
  const effective = withFlags(configuration, flags);
  const selection = select(knownScenarios, effective, {
    profile: flags.profile,
    scenarios: flags.scenario,
    variants: flags.variants,
    repeat: flags.repeat,
    paths: effective.load.path ?? ['cluster-ip'],
    agents: effective.load.agents ?? 1,
    builtIn: !effective.target,
  });
  const foreign = effective.target && foreignTarget(effective.target, file ?? 'configuration');
  const out = outputFolder(flags.out ?? effective.out, startedAtIso);

  const progress = createProgress();
  using interrupt = onInterrupt(progress.note);
  const stages: RunFacts['stages'] = [];
  const timed = timedStages(progress, stages);

  const { provider, why } = await chooseCluster(effective, { proxyDelayMs: flags.proxyDelay });
  progress.note(why);
  const own = await timed('Bundle target and load agent', () => ownImages());
  await using cluster = await timed('Cluster', (say) =>
    provider.create({ progress: say, signal: interrupt.signal }),
  );
  const target = foreign ?? builtInTarget(own.target, targetGracefulEnv);
  const used = new Set(selection.scenarios.flatMap(imagesUsed));
  const foreignImages = foreign
    ? Object.entries(foreign.images).filter(([name]) => name === 'current' || used.has(name))
    : [];
  await timed('Images', (say) =>
    cluster.provideImages(
      neededRequests(
        own,
        foreignImages.map(([, image]) => image),
        used,
      ),
      { progress: say, signal: interrupt.signal },
    ),
  );

  const context = await runContext(
    effective,
    flags,
    args,
    cluster,
    target,
    own.target.current as string,
    own.agent,
    interrupt,
  );
  try {
    return await execute(context, selection, out, timed, {
      startedAt,
      startedAtIso,
      stages,
      strict: flags.strict === true,
      arguments: args,
    });
  } finally {
    context.kube.close();
  }
}

interface RunTimes {
  readonly startedAt: number;
  readonly startedAtIso: string;
  readonly stages: RunFacts['stages'];
  readonly strict: boolean;
  readonly arguments: readonly string[];
}

async function execute(
  run: RunContext,
  selection: Selection,
  out: string,
  timed: Progress,
  times: RunTimes,
): Promise<ExitCode> {
  const notRun = selection.scenarios.flatMap((scenario) => {
    const reason = cannotRun(scenario, run.cluster, run.target.images);
    return reason ? [{ scenario, reason }] : [];
  });
  const keys = selection.keys.filter((key) => notRun.every(({ scenario }) => scenario !== key.scenario));
  mkdirSync(out, { recursive: true });
  const { ran, removed } = await runExperiments(run, keys, out, timed);
  const loadMs = times.stages
    .filter(({ name }) => keys.some((key) => experimentName(key) === name))
    .reduce((sum, { ms }) => sum + ms, 0);
  const facts: RunFacts = {
    schemaVersion: 1,
    runId: run.runId,
    tool: run.tool,
    cluster: run.cluster.info,
    startedAt: times.startedAtIso,
    durationMs: Math.round(performance.now() - times.startedAt),
    loadMs: Math.round(loadMs),
    stages: times.stages,
    reproduce: reproduceLine(times.arguments),
    strict: times.strict,
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
  writeFileSync(join(out, 'run.json'), `${JSON.stringify(facts, null, 2)}\n`);
  const judged = await timed.stage('Judge and write reports', () => judgeFolder(out));
  process.stdout.write(judged.summary);
  process.stdout.write(`\nReport: ${join(out, 'index.html')}\n`);
  // A cluster that goes away takes everything with it.
  if (run.cluster.stays) await timed.stage('Remove what was deployed', () => removed);
  return combineExitCodes([judged.exitCode, run.signal.aborted ? exitCode.interrupted : exitCode.ok]);
}

async function runContext(
  configuration: Configuration,
  flags: VerifyFlags,
  args: readonly string[],
  cluster: RunningCluster,
  target: TargetDefinition,
  control: string,
  agent: string,
  interrupt: Interrupt,
): Promise<RunContext> {
  return {
    kube: await connectKube(cluster.kubeconfig()),
    cluster,
    runId: newRunId(),
    tool: toolVersion(),
    profile: flags.profile,
    seed: flags.seed ?? Math.floor(Math.random() * 2 ** 31),
    target,
    images: { agent, control },
    preStopSeconds: configuration.preStopSeconds ?? defaultPreStopSeconds,
    configuration: configuration as unknown as Record<string, unknown>,
    arguments: args,
    signal: interrupt.signal,
    progress: () => {},
  };
}

function withFlags(configuration: Configuration, flags: VerifyFlags): Configuration {
  return overrideConfiguration(configuration, {
    load: { rate: flags.rate === undefined ? undefined : { shape: 'constant', ratePerSecond: flags.rate } },
    preStopSeconds: flags.preStop,
    cluster: {
      kind: flags.cluster,
      nodeImage: flags.kindImage,
      oneNode: flags.oneNode,
      keep: flags.keepCluster,
      context: flags.context,
      kubeconfig: flags.kubeconfig,
    },
  });
}

/** Created only when there is something to write. A folder that holds other things is refused. */
function outputFolder(wanted: string | undefined, startedAt: string): string {
  if (!wanted) return join('out', startedAt.replace(/[:T]/g, '-').slice(0, 19));
  const found = statSync(wanted, { throwIfNoEntry: false });
  if (found && !found.isDirectory()) throw new UsageError(`--out ${wanted}: it is a file; name a folder.`);
  if (found && readdirSync(wanted).length > 0) {
    throw new UsageError(
      `--out ${wanted}: the folder is not empty; name a new one, so that no earlier evidence is mixed with this run's.`,
    );
  }
  return relative(process.cwd(), resolve(wanted)) || '.';
}

function timedStages(
  progress: Progress,
  stages: RunFacts['stages'],
): Progress & (<T>(title: string, act: (say: (text: string) => void) => Promise<T>) => Promise<T>) {
  const stage: Progress['stage'] = async (title, act) => {
    const from = performance.now();
    try {
      return await progress.stage(title, act);
    } finally {
      stages.push({ name: title, ms: Math.round(performance.now() - from) });
    }
  };
  return Object.assign(stage, { stage, note: progress.note });
}

const reproduceLine = (args: readonly string[]): string =>
  ['rollproof', ...redactArguments(args)]
    .map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`))
    .join(' ');

/** Short, sortable, fit for names: base 36 of the time and two random characters. */
const newRunId = (): string =>
  Date.now().toString(36) + Math.random().toString(36).slice(2, 4).padEnd(2, '0');

const list = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
