// The whole of `rollproof verify`, flags apart: what is to be measured is planned, everything that can be wrong with it is
// found before anything starts, then cluster, experiments, judging, reports.
import { mkdirSync } from 'node:fs';
import { scenarios as knownScenarios } from '../../scenarios/index.ts';
import type { Configuration, KnownNames } from '../config/load.ts';
import type { TargetDefinition } from '../deploy/definition.ts';
import { hasGatewayApi } from '../deploy/entries/gateway-api.ts';
import { hasPodMetrics } from '../deploy/metrics-server.ts';
import type { Entry } from '../model/entry.ts';
import { combineExitCodes, type ExitCode, exitCode } from '../model/errors.ts';
import { builtInName } from '../model/results.ts';
import type { RunFacts } from '../model/run.ts';
import type { Profile, Scenario } from '../model/scenario.ts';
import type { ClusterNeeds } from './clusters.ts';
import { concludeFolder } from './conclude.ts';
import { dryRun } from './dry-run.ts';
import type { ExperimentKey } from './experiment/index.ts';
import { runExperiments } from './experiments.ts';
import { type Keeping, keepingOf } from './gate.ts';
import { measureAgain } from './measure-again.ts';
import { joinFacts, type Resumed, readResumed, refuseDifferent, reuseOf, seedOf } from './resume.ts';
import { cannotRun, type Selection, select } from './selection.ts';
import { outputFolder, reproduceLine, type Session, withSession } from './session.ts';
import { type Shard, shardOf } from './shard.ts';
import { toolVersion } from './tool-version.ts';
import { measurable, scenariosLeftOut } from './variants-not-run.ts';

/** What a user asked for, with the configuration and all defaults in it. */
export interface VerifyRequest {
  readonly configuration: Configuration;
  /** Undefined: the built-in target. */
  readonly foreign: TargetDefinition | undefined;
  readonly known: KnownNames;
  readonly profile: Profile;
  readonly scenarios: readonly string[];
  readonly variants: readonly string[];
  readonly paths: readonly ExperimentKey['path'][];
  /** Fired at side by side in each experiment; empty: the path alone. */
  readonly entries: readonly Entry[];
  readonly agents: number;
  readonly repeat: number;
  /** How many times at most what was disturbed is measured again. */
  readonly measuringAgain: number;
  readonly strict: boolean;
  /** Print what would be created, and create nothing. */
  readonly dryRun: boolean;
  readonly shard: Shard | undefined;
  readonly gateFile: string | undefined;
  readonly historyFile: string | undefined;
  /** Folder of an earlier run to go on in. */
  readonly resume: string | undefined;
  /** Folder for a new run. */
  readonly out: string | undefined;
  readonly proxyDelayMs: number | undefined;
  readonly seed: number | undefined;
  readonly crossCheck: 'k6' | undefined;
  /** Where figures and time line are sent to in the end, too (OTLP over HTTP). */
  readonly otlp: string | undefined;
  /** As typed, for the line that makes the run again. */
  readonly arguments: readonly string[];
}

export async function verifyRun(request: VerifyRequest): Promise<ExitCode> {
  const { configuration, foreign } = request;
  const all = select(knownScenarios, configuration, {
    profile: request.profile,
    scenarios: request.scenarios,
    variants: request.variants,
    repeat: request.repeat,
    paths: request.paths,
    entries: request.entries,
    agents: request.agents,
    builtIn: !configuration.target,
  });
  const selection = request.shard ? shardOf(all, request.shard) : all;
  const keeping = keepingOf({
    gateFile: request.gateFile,
    historyFile: request.historyFile,
    section: configuration.gate,
    known: request.known,
    configuration,
  });
  const resumed = request.resume === undefined ? undefined : await readResumed(request.resume);
  const needs: ClusterNeeds = {
    proxyDelayMs: request.proxyDelayMs,
    autoscaler: autoscalerCycle(request.profile, selection.scenarios),
  };
  if (resumed) {
    const { kind } = configuration.cluster;
    refuseDifferent(resumed, selection.keys, {
      tool: toolVersion(),
      profile: request.profile,
      seed: request.seed,
      proxyDelayMs: request.proxyDelayMs,
      configuration: configuration as unknown as Record<string, unknown>,
      arguments: request.arguments,
      builtIn: foreign === undefined,
      cluster: kind === undefined || kind === 'auto' ? undefined : { kind },
      target: foreign,
    });
  }
  if (request.dryRun) {
    process.stdout.write(await dryRun({ configuration, foreign, keys: selection.keys, needs }));
    return exitCode.ok;
  }
  const out = request.resume ?? outputFolder(request.out ?? configuration.out);
  return withSession(
    {
      configuration,
      foreign,
      scenarios: selection.scenarios,
      out,
      needs,
      profile: request.profile,
      seed: request.seed ?? (resumed && seedOf(resumed)),
      arguments: request.arguments,
      crossCheck: request.crossCheck,
    },
    (session) =>
      execute(session, selection, {
        out,
        strict: request.strict,
        keeping,
        resumed,
        measuringAgain: request.measuringAgain,
        otlp: request.otlp,
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

interface Plan {
  readonly out: string;
  readonly strict: boolean;
  readonly keeping: Keeping | undefined;
  readonly resumed: Resumed | undefined;
  readonly measuringAgain: number;
  readonly otlp: string | undefined;
}

async function execute(
  session: Session,
  selection: Selection,
  { out, strict, keeping, resumed, measuringAgain, otlp }: Plan,
): Promise<ExitCode> {
  const { run, timed, stages } = session;
  // A cluster of ours has the API or was given it; one of somebody else's is left as it is.
  const metrics =
    run.cluster.info.kind !== 'context' || (await hasPodMetrics(run.kube, run.cluster.namespace));
  const gatewayApi =
    !selection.scenarios.some(({ entries }) => entries?.some(({ kind }) => kind === 'gateway')) ||
    (await hasGatewayApi(run.kube));
  const notRun = selection.scenarios.flatMap((scenario) => {
    const reason = cannotRun(scenario, run.cluster, run.target, session.lackingImages, metrics, gatewayApi);
    return reason ? [{ scenario, reason }] : [];
  });
  const runnable = selection.keys.filter((key) =>
    notRun.every(({ scenario }) => scenario.id !== key.scenario.id),
  );
  const { keys, notRun: variantsNotRun } = measurable(run, runnable);
  for (const { scenario, variant, reason } of variantsNotRun)
    timed.note(`${scenario}, variant ${variant}: ${reason}`);
  notRun.push(...scenariosLeftOut(selection.scenarios, { keys, notRun: variantsNotRun }));
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
    target: run.target.builtIn ? builtInName : `${run.target.workload.kind}/${run.target.workload.name}`,
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
    ...(variantsNotRun.length > 0 && { variantsNotRun: [...variantsNotRun] }),
    journals: keys.flatMap((key) => ran.find((one) => one.key === key)?.journal ?? []),
    measuredAgain: [...again],
  };
  const known = resumed ? joinFacts(resumed, facts, new Set(selection.scenarios.map(({ id }) => id))) : facts;
  const concluded = await concludeFolder(out, {
    facts: known,
    keeping,
    otlp,
    stage: (name, act) => timed.stage(name, act),
    note: (text) => timed.note(text),
  });
  // A cluster that goes away takes everything with it.
  if (run.cluster.stays) await timed.stage('Remove what was deployed', () => removed);
  return combineExitCodes([concluded, run.signal.aborted ? exitCode.interrupted : exitCode.ok]);
}
