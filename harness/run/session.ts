// What every command that runs experiments does around them: cluster up, images there, context made, all ended again.
import { readdirSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { createAuthority } from '../../emulator/index.ts';
import type { CreateOptions, RunningCluster } from '../cluster/provider.ts';
import type { Configuration } from '../config/load.ts';
import { refuseWithoutController } from '../deploy/argo-rollouts.ts';
import { builtInTarget } from '../deploy/built-in.ts';
import type { TargetDefinition } from '../deploy/definition.ts';
import { definitionsIn, hasGatewayApi, installGatewayApi } from '../deploy/entries/gateway-api.ts';
import { traefikImage } from '../deploy/entries/traefik.ts';
import { hasMetrics, installMetricsServer } from '../deploy/metrics-server.ts';
import { connectKube, type Kube } from '../kube/client.ts';
import { FaultError, UsageError } from '../model/errors.ts';
import { Lifetime } from '../model/lifetime.ts';
import type { RunFacts } from '../model/run.ts';
import type { Profile, Scenario } from '../model/scenario.ts';
import { redactArguments } from '../record/redact.ts';
import { targetGracefulEnv } from '../settings/index.ts';
import { refuseWhatCannotRun } from './cannot-run.ts';
import { type ClusterNeeds, chooseCluster } from './clusters.ts';
import type { RunContext } from './experiment/index.ts';
import { checkOwnImages, neededRequests, ownImages } from './images.ts';
import { onInterrupt } from './interrupt.ts';
import { k6Means } from './k6-means.ts';
import { checkMachine } from './preflight.ts';
import { createProgress, type Progress } from './progress.ts';
import { targetDigest } from './same-measurement.ts';
import { imagesRun, imagesUsed, literalImages } from './selection.ts';
import { toolVersion } from './tool-version.ts';

interface SessionRequest {
  readonly configuration: Configuration;
  /** Undefined: the built-in target. */
  readonly foreign: TargetDefinition | undefined;
  /** Their steps say which images must be there. */
  readonly scenarios: readonly Scenario[];
  /** The run's folder: whether it can be written to is looked at before anything starts. */
  readonly out: string;
  readonly needs: ClusterNeeds;
  readonly profile: Profile;
  readonly seed: number | undefined;
  readonly arguments: readonly string[];
  readonly crossCheck?: 'k6' | undefined;
}

export type TimedProgress = Progress & Progress['stage'];

export interface Session {
  readonly run: RunContext;
  readonly timed: TimedProgress;
  /** Literal images that scenarios need and the cluster could not be given, with the reason. */
  readonly lackingImages: ReadonlyMap<string, string>;
  /** What took how long so far. */
  readonly stages: RunFacts['stages'];
  readonly startedAt: string;
  /** ms since the session began. */
  elapsedMs(): number;
}

export const defaultPreStopSeconds = 5;
/** Of metrics-server's published manifest. */
const defaultMetricsSeconds = 15;

/** Taking down a cluster of four nodes takes half a minute. */
const UNDO_LIMIT_MS = 180_000;

/** Everything that is started ends when `act` does, however it does: all of it, the first error is thrown, others noted. */
export async function withSession<T>(
  request: SessionRequest,
  act: (session: Session) => Promise<T>,
): Promise<T> {
  const progress = createProgress();
  using interrupt = onInterrupt(progress.note);
  const life = new Lifetime({ parent: interrupt.signal, undoLimitMs: UNDO_LIMIT_MS });
  let result: { readonly value: T } | undefined;
  let failure: unknown;
  try {
    result = { value: await openSession(request, act, progress, life) };
  } catch (error) {
    failure = error;
  }
  const troubles = (await life.end()).map(({ what, why }) => `Could not ${what}: ${why}`);
  if (result && troubles.length > 0) throw new FaultError(troubles.join('\n'));
  for (const trouble of troubles) progress.note(trouble);
  if (result) return result.value;
  throw failure;
}

async function openSession<T>(
  request: SessionRequest,
  act: (session: Session) => Promise<T>,
  progress: Progress,
  life: Lifetime,
): Promise<T> {
  const { configuration, foreign } = request;
  const { signal } = life;
  const from = performance.now();
  const startedAt = new Date().toISOString();
  const stages: RunFacts['stages'] = [];
  const timed = timedStages(progress, stages);

  const { provider, why } = await chooseCluster(configuration, {
    kinds: foreign?.manifests,
    ...request.needs,
  });
  progress.note(why);
  for (const warning of foreign?.asIs?.warnings ?? []) progress.note(`Warning: ${warning}`);
  if (configuration.cluster.gatewayApi !== undefined) definitionsIn(configuration.cluster.gatewayApi);
  if (foreign) refuseWhatCannotRun(provider, foreign, request.scenarios, request.configuration.images);
  checkMachine(request.out, request.scenarios, provider.kind === 'embedded');
  const own = await timed('Bundle target and load agent', () =>
    ownImages(provider.kind, configuration.agent),
  );
  const used = new Set(request.scenarios.flatMap(imagesUsed));
  if (!foreign) checkOwnImages(own, configuration.agent, used);
  let up: RunningCluster | undefined;
  life.defer('take the cluster down', async () => up?.[Symbol.asyncDispose]());
  const cluster = await timed('Cluster', async (say) => {
    up = await provider.create({ progress: say, signal });
    return up;
  });
  const images = neededRequests(own, foreign ? imagesRun(foreign, request.scenarios) : [], used);
  if (configuration.cluster.installIngress) images.push({ name: traefikImage });
  const lackingImages = await timed('Images', async (say) => {
    const options = { progress: say, signal };
    await cluster.provideImages(images, options);
    return provideWhereCan(cluster, literalImages(request.scenarios), options);
  });
  const crossCheck =
    request.crossCheck &&
    (await timed('Cross-check by k6', (say) => k6Means(cluster, { progress: say, signal })));
  if (crossCheck?.how === 'none') progress.note(crossCheck.why);
  const kube = await connectKube(cluster.kubeconfig());
  life.defer('close the connections to the API server', () => kube.close());
  if (foreign && cluster.info.kind === 'context') await refuseWithoutController(kube, foreign);
  if (cluster.info.kind === 'kind' && request.scenarios.some((scenario) => scenario.needs.metrics)) {
    let remove = async () => {};
    life.defer('remove metrics-server', () => remove());
    remove = await timed('CPU metrics', () => metricsFor(kube, request, cluster.stays, signal));
  }
  const { gatewayApi } = configuration.cluster;
  if (gatewayApi !== undefined && cluster.info.kind === 'kind' && !(await hasGatewayApi(kube))) {
    let remove = async () => {};
    life.defer('remove the Gateway API', () => (cluster.stays ? remove() : undefined));
    remove = await timed('Gateway API', () => installGatewayApi(kube, gatewayApi, signal));
  }
  const runId = newRunId();
  const run: RunContext = {
    kube,
    cluster,
    runId,
    ...(foreign && { targetDigest: targetDigest(foreign, runId) }),
    tool: toolVersion(),
    profile: request.profile,
    seed: request.seed ?? Math.floor(Math.random() * 2 ** 31),
    proxyDelayMs: request.needs.proxyDelayMs,
    target: foreign ?? builtInTarget(own.target, targetGracefulEnv, own.pods),
    own: own.pods,
    entering: {
      install: configuration.cluster.installIngress,
      ingressClass: configuration.load.ingressClass,
      gatewayClass: configuration.load.gatewayClass,
    },
    preStopSeconds: configuration.preStopSeconds ?? defaultPreStopSeconds,
    makeAuthority: createAuthority,
    configuration: configuration as unknown as Record<string, unknown>,
    arguments: request.arguments,
    signal,
    crossCheck,
    progress: () => {},
  };
  return await act({
    run,
    timed,
    lackingImages,
    stages,
    startedAt,
    elapsedMs: () => performance.now() - from,
  });
}

/** A scenario whose image cannot be had is not run; the others are. Returns the images that lack, with the reason. */
async function provideWhereCan(
  cluster: RunningCluster,
  names: readonly string[],
  options: CreateOptions,
): Promise<ReadonlyMap<string, string>> {
  const lacking = new Map<string, string>();
  for (const name of names) {
    try {
      await cluster.provideImages([{ name }], options);
    } catch (error) {
      if (options.signal.aborted || !(error instanceof FaultError)) throw error;
      lacking.set(name, error.message.split('\n', 1)[0] ?? '');
    }
  }
  return lacking;
}

/** A cluster that stays is left as it was found; one that goes takes everything with it. */
async function metricsFor(
  kube: Kube,
  { needs }: SessionRequest,
  stays: boolean,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const resolutionSeconds = needs.autoscaler?.metricsSeconds ?? defaultMetricsSeconds;
  if (await hasMetrics(kube)) return async () => {};
  const remove = await installMetricsServer(kube, { resolutionSeconds, signal });
  return stays ? remove : async () => {};
}

export function timedStages(progress: Progress, stages: RunFacts['stages']): TimedProgress {
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

/** Created only when there is something to write. A folder that holds other things is refused. */
export function outputFolder(wanted: string | undefined, startedAt = new Date().toISOString()): string {
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

export const reproduceLine = (args: readonly string[]): string =>
  ['rollproof', ...redactArguments(args)]
    .map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`))
    .join(' ');

/** Short, sortable, fit for names: base 36 of the time and two random characters. */
export const newRunId = (): string =>
  Date.now().toString(36) + Math.random().toString(36).slice(2, 4).padEnd(2, '0');
