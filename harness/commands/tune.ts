// `rollproof tune`: the shortest preStop sleep that loses no new connection, from measured routing, then confirmed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import { podTemplateOf, type TargetDefinition } from '../deploy/definition.ts';
import { readJournalFile } from '../journal/file.ts';
import { judgeExperiment } from '../judge/experiment.ts';
import { type ExitCode, exitCode, FaultError, InterruptedError } from '../model/errors.ts';
import type { ExperimentResult } from '../model/results.ts';
import type { Scenario } from '../model/scenario.ts';
import type { ExperimentKey } from '../run/experiment/index.ts';
import { removeAll, runExperiments } from '../run/experiments.ts';
import { measureAgain } from '../run/measure-again.ts';
import { cannotRun, select } from '../run/selection.ts';
import { outputFolder, type Session, withSession } from '../run/session.ts';
import {
  candidateSeconds,
  type GraceCheck,
  graceCheck,
  isCutOff,
  MARGIN_MS,
  type Routing,
  routingOf,
} from '../run/tune-advice.ts';
import { addClusterFlags, type ClusterFlags, clusterOption, configured, wholeNumber } from './flags.ts';
import { configuredTarget } from './target.ts';

interface TuneFlags extends ClusterFlags {
  readonly scenario: string;
  readonly tries: number;
  readonly longest: number;
  readonly out?: string;
  readonly json?: boolean;
}

/** What tune.json says. Times in ms since a pod's deletion unless said. */
interface Tuned {
  readonly scenario: string;
  readonly cluster: { kind: string; kubernetesVersion: string; emulated: boolean; proxyMode: string };
  /** Undefined: no length up to `longestSeconds` was confirmed. */
  readonly preStopSeconds: number | undefined;
  readonly measured: { preStopSeconds: number; lagMs: number; shutdownMs: number }[];
  readonly confirmed: {
    preStopSeconds: number;
    tries: number;
    lost: number;
    attempts: number;
    lagMs: number;
  }[];
  readonly marginMs: number;
  readonly grace: GraceCheck | undefined;
  readonly longestSeconds: number;
}

/** Kube-proxy applies changes once a second or so: long enough for nearly every cluster, short enough to wait for. */
const FIRST_SECONDS = 8;
/** No app that outlasts its own sleep by itself: what protects the connections is the sleep alone. */
const confirming = ['readinessProbe', 'preStop', 'gracePeriod', 'surge'];
const measuring = [...confirming, 'gracefulShutdown'];

export function registerTune(program: Command): void {
  const command = program
    .command('tune')
    .description('find the shortest preStop sleep that loses no new connection on this cluster')
    .addOption(clusterOption())
    .option('--scenario <id>', 'what happens to the pods', 'image-change')
    .option('--tries <n>', 'runs without a loss that confirm a length', wholeNumber(1, 100), 3)
    .option('--longest <seconds>', 'longest sleep to consider', wholeNumber(1, 600), 60)
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
      const reason = cannotRun(scenario, run.cluster, run.target.images, lackingImages);
      if (reason) throw new FaultError(`tune: scenario ${scenario.id} cannot run here. ${reason}`);
      mkdirSync(out, { recursive: true });
      const search = new Search(session, scenario, out, flags);
      const code = await search.find();
      const tuned = search.result();
      writeFileSync(join(out, 'tune.json'), `${JSON.stringify(tuned, null, 2)}\n`);
      process.stdout.write(flags.json ? `${JSON.stringify(tuned, null, 2)}\n` : tunedText(tuned));
      for (const problem of search.problems) process.stderr.write(`${problem}\n`);
      return code;
    },
  );
}

class Search {
  readonly problems: string[] = [];
  private readonly session: Session;
  private readonly scenario: Scenario;
  private readonly out: string;
  private readonly flags: TuneFlags;
  private readonly measured: Tuned['measured'] = [];
  private readonly confirmed: Tuned['confirmed'] = [];
  private found: number | undefined;

  constructor(session: Session, scenario: Scenario, out: string, flags: TuneFlags) {
    this.session = session;
    this.scenario = scenario;
    this.out = out;
    this.flags = flags;
  }

  async find(): Promise<ExitCode> {
    const routing = await this.measureRouting();
    if (!routing) return exitCode.inconclusive;
    let { lagMs } = routing;
    for (let seconds = candidateSeconds(lagMs); seconds <= this.flags.longest; ) {
      const tries = await this.confirm(seconds);
      if (!tries) return exitCode.inconclusive;
      // A later connection than before counts even if this app happened to answer it.
      lagMs = Math.max(lagMs, tries.lagMs);
      if (tries.lost === 0 && candidateSeconds(lagMs) <= seconds) {
        this.found = seconds;
        return exitCode.ok;
      }
      seconds = Math.max(seconds + 1, candidateSeconds(lagMs));
    }
    this.problems.push(
      `No sleep of up to ${this.flags.longest} s kept all connections; allow more with --longest.`,
    );
    return exitCode.refuted;
  }

  /** With a sleep that outlasts the routing; a longer one, when it turns out that it did not. */
  private async measureRouting(): Promise<Routing | undefined> {
    for (let seconds = Math.min(FIRST_SECONDS, this.flags.longest); ; seconds *= 2) {
      const preStop = Math.min(seconds, this.flags.longest);
      const [result] = await this.experiments(preStop, 'measure', measuring, this.scenario, 1);
      if (!result) return undefined;
      const routing = routingOf(result, preStop);
      if (!routing) {
        this.problems.push(
          'tune: no answer says which pod gave it, so the routing cannot be measured. Let the app name its pod in a response header (target.podHeader).',
        );
        return undefined;
      }
      this.measured.push({ preStopSeconds: preStop, ...routing });
      if (!isCutOff(routing, preStop) || preStop === this.flags.longest) return routing;
    }
  }

  private async confirm(seconds: number): Promise<{ lost: number; lagMs: number } | undefined> {
    const load = this.scenario.load.filter(({ lane }) => lane === 'new');
    const results = await this.experiments(
      seconds,
      'confirm',
      confirming,
      { ...this.scenario, load },
      this.flags.tries,
    );
    if (results.length < this.flags.tries) return undefined;
    const sum = (pick: (result: ExperimentResult) => number) =>
      results.reduce((total, result) => total + pick(result), 0);
    const tries = {
      preStopSeconds: seconds,
      tries: results.length,
      lost: sum((result) => result.lanes.new?.lost ?? 0),
      attempts: sum((result) => result.lanes.new?.attempts ?? 0),
      lagMs: Math.max(...results.map((result) => routingOf(result, seconds)?.lagMs ?? 0)),
    };
    this.confirmed.push(tries);
    return tries;
  }

  /** Only those that are valid; the reason why one is not goes to `problems`. */
  private async experiments(
    preStopSeconds: number,
    what: string,
    settings: readonly string[],
    scenario: Scenario,
    repeats: number,
  ): Promise<ExperimentResult[]> {
    const { run, timed } = this.session;
    const variant = { name: `${what}-${preStopSeconds}s`, version: 1, settings, preStopSeconds };
    const keys = Array.from(
      { length: repeats },
      (_, repeat): ExperimentKey => ({ scenario, variant, path: 'cluster-ip', agents: 1, repeat }),
    );
    const context = { ...run, preStopSeconds };
    const first = await runExperiments(context, keys, this.out, timed);
    const measured = await measureAgain(context, first, { times: 1, out: this.out, progress: timed });
    await timed('Remove what was deployed', () => removeAll(run, measured));
    if (run.signal.aborted) throw new InterruptedError();
    const results: ExperimentResult[] = [];
    for (const { journal, outcome } of measured.ran) {
      if (!journal) throw new FaultError(`tune: the target ${outcome.reason ?? 'left no journal'}`);
      const file = join(this.out, journal);
      const result = judgeExperiment(await readJournalFile(file), { journalName: journal });
      if (result.valid) results.push(result);
      else
        this.problems.push(
          `tune: ${journal} was not measured well enough: ${result.invalid[0] ?? result.status}`,
        );
    }
    return results;
  }

  result(): Tuned {
    const { cluster, target } = this.session.run;
    const { kind, kubernetesVersion, emulated, proxyMode } = cluster.info;
    const shutdownMs = Math.max(0, ...this.measured.map((one) => one.shutdownMs));
    const lagMs = Math.max(
      0,
      ...this.measured.map((one) => one.lagMs),
      ...this.confirmed.map((one) => one.lagMs),
    );
    return {
      scenario: this.scenario.id,
      cluster: { kind, kubernetesVersion, emulated, proxyMode },
      preStopSeconds: this.found,
      measured: this.measured,
      confirmed: this.confirmed,
      marginMs: this.found === undefined ? 0 : Math.round(this.found * 1000 - lagMs),
      grace:
        this.found === undefined ? undefined : graceCheck(this.found, shutdownMs, graceSecondsOf(target)),
      longestSeconds: this.flags.longest,
    };
  }
}

function graceSecondsOf({ manifests, workload }: TargetDefinition): number | undefined {
  const manifest = manifests.find((one) => one.kind === workload.kind && one.metadata.name === workload.name);
  const seconds = manifest && podTemplateOf(manifest)?.spec.terminationGracePeriodSeconds;
  return typeof seconds === 'number' ? seconds : undefined;
}

function tunedText({
  preStopSeconds,
  measured,
  confirmed,
  marginMs,
  grace,
  cluster,
  scenario,
}: Tuned): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  const where = `${cluster.kind} ${cluster.kubernetesVersion}${cluster.emulated ? ' (emulated)' : ''}, kube-proxy ${cluster.proxyMode}`;
  const lines = [
    ...measured.map(
      (one) =>
        `Measured with a sleep of ${one.preStopSeconds} s: the last new connection came ${seconds(one.lagMs)} after the deletion.`,
    ),
    ...confirmed.map(
      (one) =>
        `Tried ${one.preStopSeconds} s ${one.tries === 1 ? 'once' : `${one.tries} times`}: lost ${one.lost} of ${one.attempts} new connections, the last one came after ${seconds(one.lagMs)}.`,
    ),
  ];
  if (preStopSeconds !== undefined && grace) {
    const [last] = confirmed.slice(-1);
    lines.push(
      '',
      `preStop: sleep ${preStopSeconds} s`,
      `Margin: ${seconds(marginMs)} after the last new connection (at least ${seconds(MARGIN_MS)}); nothing lost in ${last?.tries} of ${last?.tries} tries, an app that stops at SIGTERM.`,
      `It holds for this cluster (${where}) and scenario ${scenario}: another cluster, or a busier one, may route longer.`,
      'Kept connections are not saved by it: the app has to answer them with Connection: close before it ends.',
      grace.text,
    );
  }
  return `${lines.join('\n')}\n`;
}
