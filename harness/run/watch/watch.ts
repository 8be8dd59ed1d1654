// The whole of `rollproof watch`, flags apart: looks at the Services, says what it will send, puts an agent beside them, and
// measures what somebody else's change costs. From load to report everything is what `verify` does.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { checkRights, contextProvider } from '../../cluster/context/provider.ts';
import type { Configuration } from '../../config/load.ts';
import { commandLine } from '../../exec/command.ts';
import { startThrough, type Through, type ThroughEnd } from '../../exec/through.ts';
import { connectKube } from '../../kube/client.ts';
import { rolloutApiVersion } from '../../model/argo-rollout.ts';
import { combineExitCodes, type ExitCode, exitCode, FaultError, UsageError } from '../../model/errors.ts';
import type { ClusterInfo } from '../../model/journal.ts';
import { Lifetime } from '../../model/lifetime.ts';
import type { RunFacts, WatchRunFacts } from '../../model/run.ts';
import { createJournalWriter } from '../../record/journal-writer.ts';
import { startRecorder } from '../../record/recorder.ts';
import { redactArguments } from '../../record/redact.ts';
import { concludeFolder } from '../conclude.ts';
import type { ExperimentOutcome } from '../experiment/context.ts';
import { finish, limitWhole } from '../experiment/finish.ts';
import type { Firing } from '../experiment/fire.ts';
import { measureUnderLoad } from '../experiment/under-load.ts';
import { journalFolder } from '../experiments.ts';
import { type Keeping, keepingOf } from '../gate.ts';
import { ownImages, witnessWanted } from '../images.ts';
import { onInterruptInOrder } from '../interrupt.ts';
import { createProgress, type Progress } from '../progress.ts';
import { newRunId, outputFolder, reproduceLine, timedStages } from '../session.ts';
import { toolVersion } from '../tool-version.ts';
import { chartOfCommand, type GivenChart, refuseWrongChart, valuesOf } from './chart.ts';
import { type WatchEnd, watchDriver } from './driver.ts';
import { type EndedEpisode, Episodes } from './episodes.ts';
import { keepChanges } from './keep.ts';
import { changedByHelm, helmRelease, howToValues } from './keeper.ts';
import { emulatedPods, placeWatch, watchObjects } from './objects.ts';
import {
  type Asking,
  cutControl,
  cutServices,
  episodeHeader,
  LONGEST_MS,
  PULL_MS,
  watchPlan,
  watchScenario,
} from './plan.ts';
import { type Remedy, remedyOf } from './remedy.ts';
import { announcement, dryRunText, endedText, progressText } from './said.ts';
import { readService, type ServiceWanted, type WatchedService } from './services.ts';
import { takeOf } from './take.ts';
import { refuseEmulated, startWatchWitness, witnessObjects } from './witness.ts';

interface WatchRequest {
  readonly configuration: Configuration;
  readonly namespace: string;
  readonly agentNamespace: string;
  readonly services: readonly ServiceWanted[];
  readonly asking: Asking;
  readonly forMs: number | undefined;
  readonly rollouts: number | undefined;
  readonly limitMs: number;
  /** Empty: around nothing. */
  readonly command: readonly string[];
  readonly exitCodeOf: 'command' | 'watch' | 'worse';
  readonly out: string | undefined;
  readonly gateFile: string | undefined;
  readonly historyFile: string | undefined;
  readonly otlp: string | undefined;
  readonly dryRun: boolean;
  /** Of the workloads, where flags name it. */
  readonly chart: GivenChart | undefined;
  readonly arguments: readonly string[];
}

const WARM_UP_MS = 2000;
const TAIL_MS = 3000;
/** An API server that restarts. */
const PATIENCE_MS = 90_000;
const UNDO_LIMIT_MS = 90_000;
const COMMAND_ENDS_MS = 5000;
/** A chart is rendered some dozens of times, which takes seconds. */
const CHART_LIMIT_MS = 90_000;

export async function watchRun(request: WatchRequest): Promise<number> {
  const { configuration } = request;
  const keeping = keepingOf({
    gateFile: request.gateFile,
    historyFile: request.historyFile,
    section: undefined,
    configuration,
  });
  const out = outputFolder(request.out ?? configuration.out);
  const progress = createProgress();
  let command: Through | undefined;
  using interrupt = onInterruptInOrder(progress.note, (signal) => command?.kill(signal));
  const life = new Lifetime({ parent: interrupt.signal, undoLimitMs: UNDO_LIMIT_MS });
  let result: { readonly value: Watched | undefined } | undefined;
  let failure: unknown;
  try {
    const value = await watchUnder(request, {
      out,
      progress,
      life,
      stopping: interrupt.stopping,
      onCommand: (started) => {
        command = started;
      },
    });
    result = { value };
  } catch (error) {
    failure = error;
  }
  const troubles = (await life.end()).map(({ what, why }) => `Could not ${what}: ${why}`);
  for (const trouble of troubles) progress.note(trouble);
  if (!result) {
    // Ctrl-C reaches our children, too: what then fails before there is a load is no fault.
    if (!interrupt.stopping.aborted || !(failure instanceof FaultError)) throw failure;
    progress.note(`It was stopped before anything was measured (${failure.message}).`);
    return exitCode.interrupted;
  }
  if (!result.value) return exitCode.ok;
  const watched = await withRemedies(request, result.value, { out, progress, signal: interrupt.signal });
  const own = await conclude(request, watched, { out, progress, keeping });
  return codeOf(
    request,
    combineExitCodes([own, troubles.length > 0 ? exitCode.faulted : exitCode.ok]),
    watched,
  );
}

interface Surroundings {
  readonly out: string;
  readonly progress: Progress;
  readonly life: Lifetime;
  readonly stopping: AbortSignal;
  onCommand(command: Through): void;
}

interface Watched {
  readonly runId: string;
  readonly cluster: ClusterInfo;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly loadMs: number;
  readonly stages: RunFacts['stages'];
  readonly watch: WatchRunFacts;
  /** As they stood when it began, and what their workloads lack. */
  readonly services: readonly { readonly service: WatchedService; readonly remedy: Remedy | undefined }[];
  readonly episodes: readonly EndedEpisode[];
  readonly outcome: ExperimentOutcome;
  readonly command: ThroughEnd | undefined;
}

/** Undefined: a dry run. */
async function watchUnder(request: WatchRequest, around: Surroundings): Promise<Watched | undefined> {
  const { configuration, namespace, asking } = request;
  const { progress, life, out } = around;
  const { signal } = life;
  const from = performance.now();
  const startedAt = new Date().toISOString();
  const stages: RunFacts['stages'] = [];
  const { stage } = timedStages(progress, stages);

  const found = await lookAround(request, around, stage);
  if (!found) return undefined;
  const { cluster, kube, services, runId, identity, own, objects, lacking } = found;
  const placed = await stage('Start the load agent and the control target', () =>
    life.run('start the load agent', () => placeWatch(kube, identity, objects, life)),
  );

  mkdirSync(join(out, journalFolder), { recursive: true });
  const info = { agentNode: placed.agentPods[0]?.node ?? '', ...cluster.info };
  const { control } = placed;
  const fired = { runId, control, witnessed: own.guest?.witness !== undefined };
  const plan = watchPlan(services, asking, fired);
  const episodes = new Episodes({
    services: cutServices(services, asking),
    control: cutControl(control),
    timeoutMs: asking.timeoutMs,
    limitMs: request.limitMs,
    tailMs: TAIL_MS,
    headerOf: (begin) =>
      episodeHeader(begin, serviceNamed(services, begin.service), asking, {
        ...fired,
        tool: toolVersion(),
        cluster: info,
        limitMs: request.limitMs,
        configuration: configuration as unknown as Record<string, unknown>,
        arguments: request.arguments,
      }),
    open(begin, clock) {
      progress.note(`${begin.service}: a change begins: ${begin.trigger}.`);
      return createJournalWriter(join(out, journalOf(begin)), {
        clock,
        onFailure: (error) => life.fail(error),
      });
    },
    ended: (episode) => progress.note(endedText(episode)),
  });
  let ended: { why: string; trouble?: string } = { why: 'It ended.' };
  let command: { readonly through: Through; end?: ThroughEnd } | undefined;
  const commandEnded = promiseOf<string>();
  const until: WatchEnd = {
    ...(request.command.length > 0 && { command: commandEnded.promise }),
    forMs: request.forMs,
    rollouts: request.rollouts,
    stopping: around.stopping,
  };
  const begin = () => {
    const [file, ...args] = request.command;
    if (file === undefined) return;
    const through = startThrough(file, args);
    command = { through };
    around.onCommand(through);
    void through.ended.then((end) => {
      command = { through, end };
      commandEnded.resolve(`The command ${end.how}.`);
    });
  };
  const measurement = new Lifetime({ parent: signal });
  limitWhole(measurement, LONGEST_MS, request.limitMs);
  let firing: Firing | undefined;
  let failed: unknown;
  const podsOfSlices = await slicedPods(kube.during(signal), namespace, services);
  try {
    await progress.stage('Watch', (say) =>
      measureUnderLoad(
        {
          kube,
          clients: [placed.agent.client],
          plans: [plan],
          journal: episodes,
          life: measurement,
          warmUpMs: WARM_UP_MS,
          // Each episode has its own.
          tailMs: 0,
          pulling: { patienceMs: PATIENCE_MS, everyMs: PULL_MS },
          record: () =>
            startRecorder(kube, namespace, episodes, {
              workloads: ['StatefulSet', ...rolloutsBehind(services)],
              take: takeOf(services, podsOfSlices),
              mayLack: ['Node', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'Event', 'Rollout'],
            }),
          beside: async () => ({
            witness: await startWatchWitness({
              placed,
              identity,
              own,
              plan,
              journal: episodes,
              life: measurement,
            }),
          }),
          progress: ({ doing, loadMs, lost }) => say(progressText(doing, loadMs, lost)),
          onFiring: (started) => {
            firing = started;
          },
        },
        watchDriver({
          namespace,
          services,
          episodes,
          until,
          limitMs: request.limitMs,
          begun: begin,
          ended: (why, trouble) => {
            ended = { why, ...(trouble !== undefined && { trouble }) };
          },
        }),
      ),
    );
  } catch (error) {
    failed = error ?? new FaultError('something was thrown that is no error');
  }
  // Nobody is left to tell it to end.
  if (command && !command.end) await endOf(command.through);
  const loadMs = firing?.loadMs() ?? 0;
  const outcome = await finish(measurement, episodes, failed, () => ({ totalMs: 0, loadMs: 0 }));
  // Nothing was sent: there is nothing to tell but why.
  if (failed instanceof UsageError || (failed instanceof FaultError && !firing)) throw failed;
  const trouble = outcome.status === 'complete' ? ended.trouble : outcome.reason;
  return {
    runId,
    cluster: info,
    startedAt,
    durationMs: Math.round(performance.now() - from),
    loadMs: Math.round(loadMs),
    stages,
    episodes: episodes.ended,
    outcome,
    command: command?.end,
    services: lacking,
    watch: {
      namespace,
      forMs: Math.round(loadMs),
      ended: outcome.status === 'complete' ? ended.why : (outcome.reason ?? 'It failed.'),
      ...(command?.end && {
        command: { line: commandLineOf(request.command), code: command.end.code, how: command.end.how },
      }),
      services: services.map(({ name, owners }) => ({
        name,
        scenario: watchScenario(name, asking, request.limitMs),
        owners: [...owners],
        totals: episodes.totalsOf(name),
        ...(trouble !== undefined && { trouble }),
      })),
    },
  };
}

/** The cluster, the Services and what is put beside them; nothing is created yet. Undefined: a dry run, which has said it. */
async function lookAround(request: WatchRequest, { progress, life }: Surroundings, stage: Progress['stage']) {
  const { configuration, namespace, agentNamespace } = request;
  const { signal } = life;
  const bundled = ownImages('context', configuration.agent);
  bundled.catch(() => {});
  const cluster = await stage('Cluster', (say) =>
    contextProvider({
      ...(configuration.cluster.context !== undefined && { context: configuration.cluster.context }),
      ...(configuration.cluster.kubeconfig !== undefined && {
        kubeconfigFile: configuration.cluster.kubeconfig,
      }),
      mesh: configuration.agent.mesh,
      wanted: {
        namespace: agentNamespace,
        watch: 'agents',
        servicesIn: namespace,
        witness: witnessWanted(configuration.agent),
        dryRun: request.dryRun,
      },
    }).create({ progress: say, signal }),
  );
  refuseEmulated(configuration.agent, cluster.info);
  const kube = await connectKube(cluster.kubeconfig());
  life.defer('close the connections to the API server', () => kube.close());
  const during = kube.during(signal);
  if (request.dryRun) await checkRights(during, cluster.info.name, { namespace, watch: 'services' });
  const services = await Promise.all(
    request.services.map((service) => readService(during, namespace, service)),
  );
  if (request.chart) await refuseWrongChart(request.chart, services, cluster.info.kubernetesVersion, signal);
  const runId = newRunId();
  const identity = {
    namespace: agentNamespace,
    runId: request.dryRun ? 'dry-run' : runId,
    experiment: 'watch',
  };
  const own = cluster.info.emulated ? emulatedPods(configuration.agent) : (await bundled).pods;
  const objects = watchObjects(identity, own);
  if (request.dryRun) {
    const all = [...objects, ...witnessObjects(identity, own, services)];
    process.stdout.write(dryRunText(request, services, all));
    return undefined;
  }
  const lacking = services.map((service) => ({
    service,
    remedy: remedyOf(service, namespace, cluster.info.kubernetesVersion),
  }));
  for (const line of announcement(request, services)) progress.note(line);
  return { cluster, kube, services, runId, identity, own, objects, lacking };
}

async function conclude(
  request: WatchRequest,
  watched: Watched,
  { out, progress, keeping }: { out: string; progress: Progress; keeping: Keeping | undefined },
): Promise<ExitCode> {
  const facts: RunFacts = {
    schemaVersion: 1,
    runId: watched.runId,
    tool: toolVersion(),
    cluster: watched.cluster,
    target: `Namespace/${watched.watch.namespace}`,
    startedAt: watched.startedAt,
    durationMs: watched.durationMs,
    loadMs: watched.loadMs,
    stages: watched.stages,
    reproduce: reproduceLine(request.arguments),
    strict: false,
    interrupted: watched.outcome.status === 'interrupted',
    notRun: [],
    undeployed: [],
    watch: watched.watch,
    journals: watched.episodes.map(journalOf),
    measuredAgain: [],
  };
  const concluded = await concludeFolder(out, {
    facts,
    keeping,
    otlp: request.otlp,
    ended: watched.watch.ended,
    keep: keepChanges,
    stage: (name, act) => progress.stage(name, act),
    note: (text) => progress.note(text),
  });
  const { status, reason } = watched.outcome;
  if (status === 'faulted') progress.note(`The watch failed: ${reason}`);
  return combineExitCodes([
    concluded,
    status === 'faulted' ? exitCode.faulted : exitCode.ok,
    status === 'interrupted' ? exitCode.interrupted : exitCode.ok,
  ]);
}

/** The command's code stands beside ours; where both are bad, a loss or a fault says more than that the command failed. */
function codeOf({ exitCodeOf, command }: WatchRequest, own: ExitCode, watched: Watched): number {
  if (command.length === 0 || exitCodeOf === 'watch') return own;
  const theirs = watched.command?.code ?? exitCode.faulted;
  process.stderr.write(`Exit code of the command: ${theirs}; of the watch: ${own}.\n`);
  if (exitCodeOf === 'command') return theirs;
  return own === exitCode.ok || (own === exitCode.inconclusive && theirs !== 0) ? theirs : own;
}

const journalOf = ({ service, number }: Pick<EndedEpisode, 'service' | 'number'>): string =>
  `${journalFolder}/${String(number).padStart(3, '0')}-${service}.ndjson`;

/** Argo's, where one owns the pods: whoever may not watch them has the pods and their ReplicaSets. */
const rolloutsBehind = (services: readonly WatchedService[]): string[] =>
  services.some(({ objects }) =>
    objects.some(({ apiVersion, kind }) => kind === 'Rollout' && apiVersion === rolloutApiVersion),
  )
    ? ['Rollout']
    : [];

/** Pods that slices made by hand name. */
async function slicedPods(
  kube: Parameters<typeof readService>[0],
  namespace: string,
  services: readonly WatchedService[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const byHand = services.filter(({ selector }) => selector === undefined);
  const found = await Promise.all(
    byHand.map(async ({ name }) => {
      const { items } = await kube.json<{
        items: { endpoints?: { targetRef?: { kind?: string; name?: string } }[] }[];
      }>('GET', `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
        query: { labelSelector: `kubernetes.io/service-name=${name}` },
      });
      const pods = items.flatMap(({ endpoints = [] }) =>
        endpoints.map(({ targetRef }) => targetRef?.name ?? ''),
      );
      return [name, new Set(pods)] as const;
    }),
  );
  return new Map(found);
}

/** SIGTERM, and SIGKILL for what does not heed it. */
async function endOf({ kill, ended }: Through): Promise<void> {
  kill('SIGTERM');
  const timer = setTimeout(() => kill('SIGKILL'), COMMAND_ENDS_MS);
  await ended;
  clearTimeout(timer);
}

/** What workloads lack, in files beside the reports, so that it can be applied as it is. */
async function withRemedies(
  request: WatchRequest,
  watched: Watched,
  around: Pick<Surroundings, 'out' | 'progress'> & { readonly signal: AbortSignal },
): Promise<Watched> {
  const remedies = new Map<string, Awaited<ReturnType<typeof keptRemedy>>>();
  for (const { service, remedy } of watched.services)
    if (remedy)
      remedies.set(service.name, await keptRemedy(request, watched.cluster, { service, remedy }, around));
  const services = watched.watch.services.map((facts) => {
    const remedy = remedies.get(facts.name);
    return remedy ? { ...facts, remedy } : facts;
  });
  return { ...watched, watch: { ...watched.watch, services } };
}

async function keptRemedy(
  { namespace, command: around, chart }: WatchRequest,
  { kubernetesVersion }: ClusterInfo,
  { service, remedy }: { readonly service: WatchedService; readonly remedy: Remedy },
  { out, progress, signal }: Pick<Surroundings, 'out' | 'progress'> & { readonly signal: AbortSignal },
) {
  const file = `patch-${service.name}.yaml`;
  writeFileSync(join(out, file), remedy.patch);
  const keeper = remedy.keeper ?? (basename(around[0] ?? '') === 'helm' ? changedByHelm : undefined);
  const release = service.objects.map(helmRelease).find((one) => one !== undefined);
  const given = chart ?? (keeper?.isHelm ? chartOfCommand(around, release) : undefined);
  const said = given
    ? await progress.stage(`Values of chart ${given.source.chart}`, () =>
        valuesOf({ given, service, namespace, kubernetesVersion, out, limitMs: CHART_LIMIT_MS, signal }),
      )
    : { notes: keeper?.isHelm ? [howToValues] : [] };
  if (said.values) progress.note(`${said.values.file}:\n${said.values.text.trimEnd()}`);
  const note = [...(keeper ? [keeper.note] : []), ...said.notes].join(' ');
  return {
    settings: [...remedy.settings],
    file,
    command: remedy.command.replace('FILE', file),
    ...(note !== '' && { note }),
    ...(said.values && { values: relative(out, said.values.file) }),
  };
}

const serviceNamed = (services: readonly WatchedService[], name: string): WatchedService => {
  const found = services.find((service) => service.name === name);
  if (!found) throw new Error(`no Service ${name} is watched`);
  return found;
};

const commandLineOf = ([file = '', ...args]: readonly string[]): string =>
  commandLine(file, redactArguments(args));

function promiseOf<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (value) => resolve(value) };
}
