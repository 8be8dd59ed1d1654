// One experiment, top to bottom: deploy, load, steps, wait for the end, record. What it yields is a journal.
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { OutsideAgent, RunningCluster } from '../../cluster/provider.ts';
import { type AgentClient, agentAt, agentInPod, fireTogether } from '../../control/agent-client.ts';
import { type FramePuller, pullFrames } from '../../control/frame-puller.ts';
import { agentCpuMillis } from '../../deploy/agent-cpu.ts';
import { createObjects, daemonSetSize, type PodReady, podsAnswer, podsReady } from '../../deploy/apply.ts';
import {
  agentJob,
  agentPort,
  agentService,
  agentServiceName,
  controlName,
  controlTarget,
  type Identity,
  isWorkload,
  labelledTarget,
  namespaceManifest,
  nodePortService,
  onOneNode,
  phasePort,
  podsBeside,
  withPhaseLink,
  withScenario,
} from '../../deploy/assemble.ts';
import type { TargetDefinition } from '../../deploy/definition.ts';
import { type QueueSpec, queueObjects, queuePort, withConsumers } from '../../deploy/queue.ts';
import { scenarioTarget } from '../../deploy/scenario-target.ts';
import { substitutionsOf } from '../../deploy/substitutions.ts';
import type { Kube } from '../../kube/client.ts';
import { kubectlOnce } from '../../kube/kubectl.ts';
import { explainK6 } from '../../load/k6/explain.ts';
import { FaultError, InterruptedError } from '../../model/errors.ts';
import type { HeaderRecord, RecordOf } from '../../model/journal.ts';
import { type AgentPlan, isLost, type Lane, type Outcome, type StreamEnd } from '../../model/load.ts';
import { label, type Manifest, type Role } from '../../model/manifest.ts';
import { mergeStreamEnds } from '../../model/merge-load.ts';
import { rolloutComplete, rolloutSettled } from '../../model/rollout.ts';
import type { Scenario, Step } from '../../model/scenario.ts';
import type { SettingContext, Variant } from '../../model/setting.ts';
import { createJournalWriter, type JournalWriter } from '../../record/journal-writer.ts';
import { followQueue, queueCounters } from '../../record/queue.ts';
import { type Recorder, startRecorder } from '../../record/recorder.ts';
import { redactArguments, redactManifest, redactValue } from '../../record/redact.ts';
import { applyVariant, settingsDiff } from '../../settings/index.ts';
import { type StepContext, workloadFacts, workloadPath } from '../../steps/context.ts';
import { runStep } from '../../steps/index.ts';
import { describeStep } from '../../words/steps.ts';
import { type CrossCheck, type CrossCheckMeans, prepareCrossCheck } from './k6-beside.ts';
import { controlStream, loadPlan } from './load-plan.ts';

/** What distinguishes one experiment from the others of a run. */
export interface ExperimentKey {
  readonly scenario: Scenario;
  readonly variant: Variant;
  readonly path: HeaderRecord['path'];
  readonly agents: number;
  readonly repeat: number;
  /** How many times it was measured before, because something disturbed it; 0 when undefined. */
  readonly attempt?: number;
}

/** What all experiments of a run share. */
export interface RunContext {
  readonly kube: Kube;
  readonly cluster: RunningCluster;
  readonly runId: string;
  readonly tool: HeaderRecord['tool'];
  readonly profile: HeaderRecord['profile'];
  readonly seed: number;
  readonly target: TargetDefinition;
  /** Images of the load agent and of the control target. */
  readonly images: { readonly agent: string; readonly control: string };
  readonly preStopSeconds: number;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly arguments: readonly string[];
  readonly signal: AbortSignal;
  /** Fire the same plan with k6 beside the agents and record its counts. */
  readonly crossCheck?: CrossCheckMeans | undefined;
  readonly progress: (event: ProgressEvent) => void;
}

/** What is going on, for people who wait. */
export interface ProgressEvent {
  readonly experiment: string;
  readonly doing: string;
  readonly lost?: Partial<Record<Lane, number>>;
  /** ms since the load began, and how long an experiment like this takes at most. */
  readonly loadMs?: number;
  readonly limitMs?: number;
}

/** An experiment whose target, control target and agents can serve; nothing fires yet. */
export interface PreparedExperiment {
  readonly key: ExperimentKey;
  readonly identity: Identity;
  /** The run's, or the scenario's own. */
  readonly target: TargetDefinition;
  readonly agents: readonly PreparedAgent[];
  readonly addresses: { readonly target: string; readonly control: string };
  /** The pod of the queue that the target pulls from, where the scenario has one. */
  readonly queuePod: string | undefined;
  readonly manifests: readonly Manifest[];
  /** Settings in effect, and those that this target cannot have, each with the reason. */
  readonly applied: readonly string[];
  readonly notApplied: readonly { readonly setting: string; readonly reason: string }[];
  readonly settingsDiff: string;
  readonly substitutions: HeaderRecord['substitutions'];
  /** Ends what is not an object of the cluster (an agent outside it). */
  close(): Promise<void>;
}

/** One agent, and what it fires at. */
interface PreparedAgent {
  readonly client: AgentClient;
  readonly split: { readonly index: number; readonly of: number };
  readonly parts: { readonly target: boolean; readonly control: boolean };
}

export interface ExperimentOutcome {
  readonly status: 'complete' | 'faulted' | 'interrupted';
  readonly reason?: string;
}

const READY_LIMIT_MS = 120_000;
const AGENT_DRAIN_LIMIT_MS = 15_000;
/** The quiet tail starts anew with every loss, this many times its length at most. */
const TAIL_STRETCH = 4;

export const experimentName = ({ scenario, variant, path, agents, repeat }: ExperimentKey): string =>
  [
    scenario.id,
    variant.name,
    path !== 'cluster-ip' && path,
    agents > 1 && `agents-${agents}`,
    repeat > 0 && `repeat-${repeat + 1}`,
  ]
    .filter(Boolean)
    .join('.');

/** Deploys everything into a namespace of its own and waits until it can serve. */
export async function prepareExperiment(
  given: RunContext,
  key: ExperimentKey,
  /** Called before a namespace is created, so that it is removed whatever happens then. */
  onNamespace: (namespace: string) => void,
): Promise<PreparedExperiment> {
  const target = scenarioTarget(given.target, key.scenario);
  const run = { ...given, target };
  const { kube, signal } = run;
  const name = experimentName(key);
  const identity: Identity = {
    namespace: namespaceOf(run.runId, key.attempt ? `${name}.again-${key.attempt}` : name),
    runId: run.runId,
    experiment: labelValue(name),
  };
  const agentNode = agentNodeOf(run.cluster);
  const agentsInside = key.path === 'outside' ? 1 : key.agents;
  run.progress({ experiment: name, doing: 'deploying target, control target and load agent' });

  onNamespace(identity.namespace);
  await createObjects(kube, [namespaceManifest(identity)]);
  const [phaseService] = await createObjects(kube, [agentService(identity)]);
  const phases = `${clusterIpOf(phaseService)}:${phasePort}`;
  const { deployed, oneNode, replicas } = key.scenario.target;
  const knobs = withScenario(target, key.scenario.target);
  const base = oneNode ? onOneNode(knobs, target, workerOf(run.cluster)) : knobs;
  const context = settingContext(run, key.variant);
  const variant = applyVariant(base, key.variant, context);
  const queue = target.builtIn ? key.scenario.target.queue : undefined;
  const linked = withPhaseLink(variant.manifests, target, phases);
  const consuming = queue && withConsumers(linked, target, await deployQueue(run, identity, queue), queue);
  const manifests = labelledTarget(consuming ?? linked, target, identity);
  // Only on a cluster of ours: elsewhere it may cross a quota, and who looks after the cluster has set priorities.
  const agentCpu =
    run.cluster.info.kind === 'kind'
      ? await agentCpuMillis(kube, agentNode, agentsInside, signal)
      : undefined;
  const created = await createObjects(kube, [
    agentJob(identity, run.images.agent, agentNode, agentsInside, agentCpu),
    ...controlTarget(identity, run.images.control, agentNode),
    ...manifests.filter((manifest) => !isWorkload(manifest, target)),
  ]);

  const ready = (role: Role, count: number) =>
    podsReady(kube, identity.namespace, { [label.role]: role }, count, READY_LIMIT_MS, signal);
  // Where the target's pods go may depend on those beside it.
  await ready('beside', podsBeside(manifests, target));
  const targetReady = async () => {
    if (!deployed) return [];
    await createObjects(
      kube,
      manifests.filter((manifest) => isWorkload(manifest, target)),
    );
    const { kind, name: workload } = target.workload;
    return ready(
      'target',
      kind === 'DaemonSet'
        ? await daemonSetSize(kube, identity.namespace, workload, READY_LIMIT_MS, signal)
        : replicas,
    );
  };
  const [agentPods, controlPods, targetPods, queuePods] = await Promise.all([
    ready('agent', agentsInside),
    ready('control', 1),
    targetReady(),
    queue ? ready('queue', 1) : [],
  ]);
  await podsAnswer(kube, identity.namespace, controlPods, 8080, '/', READY_LIMIT_MS, signal);
  await podsAnswer(
    kube,
    identity.namespace,
    targetPods,
    containerPortOf(target, manifests),
    target.request.path,
    READY_LIMIT_MS,
    signal,
  );

  const serviceNamed = (wanted: string) =>
    created.find((object) => object.kind === 'Service' && object.metadata.name === wanted) as Manifest;
  const service = serviceNamed(target.service.name);
  const addresses = {
    target:
      key.path === 'cluster-ip'
        ? `${clusterIpOf(service)}:${target.service.port}`
        : await nodePortAddress(kube, identity, service, target.service.port, agentNode),
    control: `${clusterIpOf(serviceNamed(controlName))}:80`,
  };
  // Last, because it is the only thing that does not go with the namespace.
  const outside = key.path === 'outside' ? await startOutside(run, key.agents) : [];
  return {
    key,
    identity,
    target,
    agents: preparedAgents(run, identity, agentPods, outside),
    addresses,
    queuePod: queuePods[0]?.name,
    manifests,
    applied: variant.applied,
    notApplied: variant.notApplied,
    // Without values that are nobody's business: the lines around a change are shown, too.
    settingsDiff: settingsDiff(withoutSecrets(base, target), withoutSecrets(variant.manifests, target)),
    substitutions: substitutionsOf(target, knobs, base, (list) => withoutSecrets(list, target)),
    close: () => endAll(outside),
  };
}

/** Returns the queue's address. */
async function deployQueue(run: RunContext, identity: Identity, queue: QueueSpec): Promise<string> {
  const objects = queueObjects(identity, run.images.control, agentNodeOf(run.cluster), queue);
  const [service] = await createObjects(run.kube, objects);
  return `${clusterIpOf(service)}:80`;
}

/**
 * With agents outside, they alone fire at the target; the one in the cluster watches the control target and takes the
 * target's phases.
 */
function preparedAgents(
  run: RunContext,
  identity: Identity,
  pods: readonly PodReady[],
  outside: readonly OutsideAgent[],
): PreparedAgent[] {
  const inside = pods.map((pod, index) => ({
    client: agentInPod(run.kube, identity.namespace, pod.name, agentPort),
    split: { index, of: pods.length },
    parts: { target: outside.length === 0, control: index === 0 },
  }));
  const beyond = outside.map((agent, index) => ({
    client: agentAt(agent.name, agent.controlUrl),
    split: { index, of: outside.length },
    parts: { target: true, control: false },
  }));
  return [...inside, ...beyond];
}

/** All or none. */
async function startOutside(run: RunContext, count: number): Promise<OutsideAgent[]> {
  const start = run.cluster.outsideAgent;
  if (!start)
    throw new FaultError(
      `Path outside: cluster ${run.cluster.info.name} has no outside; use --cluster kind.`,
    );
  const starts = await Promise.allSettled(Array.from({ length: count }, () => start(run.images.agent)));
  const started = starts.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = starts.find((one) => one.status === 'rejected');
  if (!failed && !run.signal.aborted) return started;
  await endAll(started);
  throw failed?.reason ?? new InterruptedError();
}

async function endAll(agents: readonly OutsideAgent[]): Promise<void> {
  await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
}

/** host:port of the target's NodePort on the agent's node, which no step touches. */
async function nodePortAddress(
  kube: Kube,
  identity: Identity,
  service: Manifest,
  port: number,
  node: string,
): Promise<string> {
  const [created] = await createObjects(kube, [nodePortService(identity, service, port)]);
  const nodePort = (created?.spec as { ports?: { nodePort?: number }[] } | undefined)?.ports?.[0]?.nodePort;
  const { status } = await kube.json<{ status: { addresses?: { type: string; address: string }[] } }>(
    'GET',
    `/api/v1/nodes/${node}`,
  );
  const address = status.addresses?.find((one) => one.type === 'InternalIP')?.address;
  if (!nodePort || !address)
    throw new FaultError(`Path node-port: node ${node} or its Service has no address.`);
  return `${address}:${nodePort}`;
}

/** Fires, steps, waits, records. Never throws for what goes wrong in the experiment: the journal's end says it. */
export async function runExperiment(
  given: RunContext,
  prepared: PreparedExperiment,
  journalFile: string,
): Promise<ExperimentOutcome> {
  const run = { ...given, target: prepared.target };
  const journal = createJournalWriter(journalFile);
  const undo: { what: string; act: () => Promise<void> }[] = [];
  const startedAt = performance.now();
  const limit = AbortSignal.timeout(prepared.key.scenario.limitMs + READY_LIMIT_MS);
  const signal = AbortSignal.any([run.signal, limit]);
  setMaxListeners(0, signal);
  let recorder: Recorder | undefined;
  let firing: Firing | undefined;
  let crossCheck: CrossCheck | undefined;
  let queue: ReturnType<typeof followQueue> | undefined;
  let outcome: ExperimentOutcome = { status: 'complete' };
  try {
    const clients = prepared.agents.map((agent) => agent.client);
    const plans = prepared.agents.map((agent) => planOf(run, prepared, agent));
    const streams = wholeStreams(plans);
    journal.write(headerOf(run, prepared, { ...(plans[0] as AgentPlan), streams }));
    for (const { setting, reason } of prepared.notApplied) {
      journal.write({
        type: 'note',
        level: 'warning',
        text: `Setting ${setting} is not in effect: ${reason}.`,
      });
    }
    recorder = await startRecorder(run.kube, prepared.identity.namespace, journal);
    crossCheck = await crossCheckOf(run, prepared, plans, journal, signal);
    queue = followQueueOf(run, prepared, journal);
    journal.write({ type: 'milestone', name: 'ready-for-load' });
    const alsoFire = () => beside(crossCheck?.begin(), journal);
    firing = await startLoad(run, prepared, clients, plans, journal, alsoFire);
    await pause(prepared.key.scenario.warmUpMs, firing, signal);
    await runSteps(run, prepared, recorder, firing, journal, signal, (what, act) => undo.push({ what, act }));
    await untilOver(run, prepared, recorder, firing, journal, signal);
    const counted = beside(crossCheck?.stop(), journal);
    await stopLoad(firing, journal);
    recordCrossCheck(run, prepared, crossCheck?.version, await counted, firing, journal);
    await recorder.verify(2000);
    if (recorder.faults.length > 0) throw new FaultError(recorder.faults.join(' '));
  } catch (error) {
    outcome = outcomeOf(error, run.signal, limit, prepared.key.scenario.limitMs);
    if (firing) await abandonLoad(firing, journal);
  } finally {
    recorder?.stop();
    queue?.stop();
    firing?.stopPulling();
    await beside(crossCheck?.[Symbol.asyncDispose](), journal);
    for (const { what, act } of undo.reverse()) {
      await act().catch((error) => {
        journal.write({ type: 'note', level: 'fault', text: `Could not ${what}: ${messageOf(error)}` });
        outcome = { status: 'faulted', reason: `Could not ${what}: ${messageOf(error)}` };
      });
    }
    const totalMs = performance.now() - startedAt;
    await journal.end({ ...outcome, harness: { totalMs, loadMs: firing?.loadMs() ?? 0 } });
  }
  return outcome;
}

function followQueueOf({ kube }: RunContext, prepared: PreparedExperiment, journal: JournalWriter) {
  const { identity, queuePod } = prepared;
  if (queuePod === undefined) return undefined;
  return followQueue(() => queueCounters(kube, identity.namespace, queuePod, queuePort), journal);
}

/** k6 with the target's streams, ready to fire. */
async function crossCheckOf(
  run: RunContext,
  prepared: PreparedExperiment,
  plans: readonly AgentPlan[],
  journal: JournalWriter,
  signal: AbortSignal,
): Promise<CrossCheck | undefined> {
  const streams = wholeStreams(plans).filter((stream) => stream.id !== controlStream);
  if (!run.crossCheck || streams.length === 0) return undefined;
  run.progress({ experiment: experimentName(prepared.key), doing: 'starting k6 beside the load agents' });
  const starting = prepareCrossCheck(run.crossCheck, {
    kube: run.kube,
    identity: prepared.identity,
    node: agentNodeOf(run.cluster),
    streams,
    limitMs: prepared.key.scenario.limitMs,
    signal,
  });
  const ready = await beside(starting, journal);
  signal.throwIfAborted();
  return ready;
}

/** What goes wrong with the tool beside our load is a note in the journal: the experiment does not depend on it. */
async function beside<T>(act: PromiseLike<T> | undefined, journal: JournalWriter): Promise<T | undefined> {
  try {
    return await act;
  } catch (error) {
    journal.write({ type: 'note', level: 'info', text: redactValue(messageOf(error)) as string });
    return undefined;
  }
}

/** The streams as one agent alone would fire them. */
function wholeStreams(plans: readonly AgentPlan[]): AgentPlan['streams'] {
  const whole = new Map<string, AgentPlan['streams'][number]>();
  for (const stream of plans.flatMap((plan) => plan.streams)) {
    const connections = (whole.get(stream.id)?.connections ?? 0) + stream.connections;
    whole.set(stream.id, { ...stream, connections, split: { index: 0, of: 1 } });
  }
  return [...whole.values()];
}

function recordCrossCheck(
  run: RunContext,
  prepared: PreparedExperiment,
  version: string | undefined,
  results: Awaited<ReturnType<CrossCheck['stop']>> | undefined,
  firing: Firing,
  journal: JournalWriter,
): void {
  if (version === undefined || !results?.size) return;
  const explained: string[] = [];
  if (prepared.key.path === 'outside' && run.crossCheck?.how === 'pod') {
    explained.push('k6 ran in the cluster, on the node whose NodePort the agents outside it asked.');
  }
  if (run.crossCheck?.how === 'process') {
    explained.push(
      "k6 went by the emulated Service's front address, where a pod that refuses shows as a reset and one that hangs as a timeout; it began a moment later.",
    );
  }
  for (const [stream, counts] of results) {
    const ours = firing.ends.filter((end) => end.stream === stream);
    if ('problem' in counts || ours.length === 0) continue;
    const sentences = explainK6(mergeStreamEnds(ours), counts);
    explained.push(...sentences.map((sentence) => `Lane ${stream}: ${sentence}`));
  }
  const counts = redactValue(Object.fromEntries(results)) as RecordOf<'cross-check'>['counts'];
  journal.write({ type: 'cross-check', tool: 'k6', version, counts, explained });
}

interface Firing {
  readonly clients: readonly AgentClient[];
  readonly pullers: readonly FramePuller[];
  /** Streams at the target, by agent. */
  readonly streams: readonly (readonly string[])[];
  readonly lost: Partial<Record<Lane, number>>;
  /** Totals, once the load has ended. */
  readonly ends: StreamEnd[];
  /** performance.now() of the last frame that carried a loss of the target. */
  lastLossAt: number;
  /** Rejects as soon as the control channel fails or a frame is missing. */
  readonly failed: Promise<never>;
  loadMs(): number;
  stopPulling(): void;
}

async function startLoad(
  run: RunContext,
  prepared: PreparedExperiment,
  clients: readonly AgentClient[],
  plans: readonly AgentPlan[],
  journal: JournalWriter,
  alsoFire: () => Promise<void>,
): Promise<Firing> {
  const name = experimentName(prepared.key);
  const startedAt = performance.now();
  let stoppedAt: number | undefined;
  await Promise.all(clients.map((client, index) => client.prepare(plans[index] as AgentPlan)));
  await fireTogether(clients, () => journal.nowMs());
  await alsoFire();
  for (const client of clients) {
    journal.write({ type: 'load', agent: client.name, event: 'started' });
  }
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const firing: Firing = {
    clients,
    streams: plans.map((plan) =>
      plan.streams.map((stream) => stream.id).filter((id) => id !== controlStream),
    ),
    lost: {},
    ends: [],
    lastLossAt: 0,
    failed,
    loadMs: () => (stoppedAt ?? performance.now()) - startedAt,
    stopPulling() {
      stoppedAt ??= performance.now();
      for (const puller of this.pullers) puller.stop();
    },
    pullers: clients.map((client) =>
      pullFrames(client, {
        frame(agent, frame) {
          journal.write({ type: 'frame', agent, frame });
          for (const [stream, delta] of Object.entries(frame.streams)) {
            if (stream === controlStream) continue;
            const lost = delta.buckets.reduce((sum, bucket) => sum + lostOf(bucket.outcomes), 0);
            firing.lost[stream as Lane] = (firing.lost[stream as Lane] ?? 0) + lost;
            if (lost > 0) firing.lastLossAt = performance.now();
          }
          run.progress({
            experiment: name,
            doing: 'under load',
            lost: { ...firing.lost },
            loadMs: firing.loadMs(),
            limitMs: prepared.key.scenario.limitMs,
          });
        },
        gap(agent, fromSeq, toSeq) {
          journal.write({ type: 'frame-gap', agent, fromSeq, toSeq });
          fail(
            new FaultError(
              `Frames ${fromSeq} to ${toSeq} of load agent ${agent} were lost: its counts are incomplete.`,
            ),
          );
        },
      }),
    ),
  };
  for (const puller of firing.pullers) puller.done.catch(fail);
  await measureClocks(firing, journal);
  return firing;
}

async function runSteps(
  run: RunContext,
  prepared: PreparedExperiment,
  recorder: Recorder,
  firing: Firing,
  journal: JournalWriter,
  signal: AbortSignal,
  defer: StepContext['defer'],
): Promise<void> {
  const { target, cluster } = run;
  const context: StepContext = {
    kube: run.kube,
    namespace: prepared.identity.namespace,
    workload: target.workload,
    images: target.images,
    adminPort: target.adminPort,
    undeployed: prepared.key.scenario.target.deployed
      ? undefined
      : prepared.manifests.find((manifest) => isWorkload(manifest, target)),
    state: recorder.live,
    signal,
    async setRate(ratePerSecond, overMs, lane) {
      const firingAt = (stream: string) => !lane || stream === lane;
      // Each agent knows the whole rate and fires its share of the arrivals.
      await Promise.all(
        firing.clients.flatMap((client, index) =>
          (firing.streams[index] ?? [])
            .filter(firingAt)
            .map((stream) => client.rate(stream, ratePerSecond, overMs)),
        ),
      );
    },
    kubectl: kubectlOnce(() => cluster.kubeconfig(), prepared.identity.namespace, signal, defer),
    delayProxy:
      cluster.delayProxy && ((delayMs) => (cluster.delayProxy as (ms: number) => Promise<void>)(delayMs)),
    defer,
    random: randomOf(run.seed + prepared.key.repeat),
  };
  for (const [index, step] of prepared.key.scenario.steps.entries()) {
    run.progress({ experiment: experimentName(prepared.key), doing: describeStep(step) });
    journal.write({ type: 'step', index, event: 'begin', step });
    try {
      const detail = await Promise.race([runStep(step, context), firing.failed]);
      journal.write({ type: 'step', index, event: 'end', step, detail });
      if (!passive.has(step.step) && detail.refused !== true)
        await Promise.race([seenByWatch(context), firing.failed]);
    } catch (error) {
      journal.write({ type: 'step', index, event: 'failed', step, detail: { error: messageOf(error) } });
      throw error;
    }
  }
  journal.write({ type: 'milestone', name: 'steps-done' });
}

/** Steps that change nothing on the cluster. */
const passive: ReadonlySet<Step['step']> = new Set([
  'wait',
  'history',
  'load-rate',
  'proxy-delay',
  'expect-refusal',
  'read-fields',
  'twin',
  'kubectl',
  'compare-twin',
]);
const WATCH_LIMIT_MS = 15_000;

/**
 * Waits until the watch shows the workload as the last step left it. Without this, a wait that follows would look at
 * the state before the step and find the old rollout complete.
 */
async function seenByWatch(context: StepContext): Promise<void> {
  const { metadata } = await context.kube.json<{ metadata: { generation?: number } }>(
    'GET',
    workloadPath(context),
  );
  const wanted = metadata.generation ?? 0;
  await context.state.until(
    `the watch to show generation ${wanted} of ${context.workload.name}`,
    () => (workloadFacts(context)?.generation ?? 0) >= wanted,
    WATCH_LIMIT_MS,
    context.signal,
    () => `generation ${workloadFacts(context)?.generation ?? 'none'}`,
  );
}

/** The load goes on until the rollout is complete, no pod is terminating, and a quiet tail has passed. */
async function untilOver(
  run: RunContext,
  prepared: PreparedExperiment,
  recorder: Recorder,
  firing: Firing,
  journal: JournalWriter,
  signal: AbortSignal,
): Promise<void> {
  const { scenario } = prepared.key;
  const { live } = recorder;
  const until = (what: string, met: () => boolean, limitMs: number) =>
    Promise.race([live.until(what, met, limitMs, signal), firing.failed]);
  const say = (doing: string) => run.progress({ experiment: experimentName(prepared.key), doing });

  const kind = run.target.workload.kind === 'DaemonSet' ? 'DaemonSet' : 'Deployment';
  if (scenario.until === 'rollout') {
    say('waiting for the rollout to complete');
    await until(
      `the rollout of ${run.target.workload.name} to complete`,
      () => rolloutComplete(live.all(kind).get(run.target.workload.name)),
      scenario.limitMs,
    );
    journal.write({ type: 'milestone', name: 'rollout-complete' });
  }
  say('waiting until no pod is terminating');
  await until(
    'no pod of the target to be terminating',
    () =>
      scenario.until === 'rollout'
        ? rolloutSettled(live.all(kind).get(run.target.workload.name), live.pods('target').values())
        : [...live.pods('target').values()].every((pod) => !pod.terminating),
    scenario.limitMs,
  );
  journal.write({ type: 'milestone', name: 'no-terminating' });
  say('quiet tail');
  const since = performance.now();
  const stretched = since + scenario.tailMs * TAIL_STRETCH;
  const quiet = () => performance.now() - Math.max(since, firing.lastLossAt) >= scenario.tailMs;
  await until(
    'a quiet tail',
    () => quiet() || performance.now() > stretched,
    scenario.tailMs * TAIL_STRETCH + 5000,
  );
  if (quiet()) journal.write({ type: 'milestone', name: 'quiet' });
  else {
    journal.write({
      type: 'note',
      level: 'warning',
      text: `Connections were still lost ${(scenario.tailMs * TAIL_STRETCH) / 1000} s after the last pod had gone.`,
    });
  }
}

/** No attempt starts any more; those in flight are awaited to their own timeout, then the totals are read. */
async function stopLoad(firing: Firing, journal: JournalWriter): Promise<void> {
  for (const client of firing.clients) journal.write({ type: 'load', agent: client.name, event: 'stopping' });
  await Promise.all(firing.clients.map((client) => client.stop()));
  const limitMs = AGENT_DRAIN_LIMIT_MS;
  await Promise.race([
    Promise.all(firing.pullers.map((puller) => puller.done)),
    sleep(limitMs, undefined, { ref: false }).then(() => {
      throw new FaultError(
        `The load agents did not end within ${limitMs / 1000} s after they were told to stop.`,
      );
    }),
  ]);
  firing.stopPulling();
  await measureClocks(firing, journal);
  await Promise.all(firing.clients.map((client) => recordEnd(client, firing.ends, journal)));
}

async function recordEnd(client: AgentClient, all: StreamEnd[], journal: JournalWriter): Promise<void> {
  const { ends } = await client.end();
  all.push(...ends);
  for (const end of ends) journal.write({ type: 'stream-end', agent: client.name, end });
  journal.write({ type: 'load', agent: client.name, event: 'ended' });
}

/** After a fault or an interrupt: stop the load and keep what the agents can still say. */
async function abandonLoad(firing: Firing, journal: JournalWriter): Promise<void> {
  try {
    await Promise.race([
      stopLoad(firing, journal),
      sleep(AGENT_DRAIN_LIMIT_MS, undefined, { ref: false }).then(() => {
        throw new FaultError('the load agents did not answer in time');
      }),
    ]);
  } catch (error) {
    journal.write({
      type: 'note',
      level: 'warning',
      text: `The load could not be ended in order: ${messageOf(error)}`,
    });
  }
}

async function measureClocks(firing: Firing, journal: JournalWriter): Promise<void> {
  for (const client of firing.clients) {
    const { offsetMs, errorMs } = await client.clock(() => journal.nowMs());
    journal.write({ type: 'clock', agent: client.name, offsetMs, errorMs });
  }
}

async function pause(ms: number, firing: Firing, signal: AbortSignal): Promise<void> {
  await Promise.race([sleep(ms, undefined, { signal }), firing.failed]);
}

const withoutSecrets = (manifests: readonly Manifest[], target: TargetDefinition): Manifest[] =>
  manifests.map((manifest) => redactManifest(manifest, target.builtIn || target.published !== undefined));

function planOf(run: RunContext, prepared: PreparedExperiment, { split, parts }: PreparedAgent): AgentPlan {
  return loadPlan(prepared.key.scenario, run.target, prepared.addresses, run.runId, split, parts);
}

function headerOf(run: RunContext, prepared: PreparedExperiment, plan: AgentPlan): HeaderRecord {
  const { key } = prepared;
  const { target } = run;
  return {
    type: 'header',
    schemaVersion: 1,
    tool: run.tool,
    runId: run.runId,
    startedAt: new Date().toISOString(),
    seed: run.seed,
    scenario: key.scenario,
    profile: run.profile,
    variant: { ...key.variant, settings: [...prepared.applied] },
    path: key.path,
    agents: key.agents,
    repeat: key.repeat,
    cluster: run.cluster.info,
    target: {
      builtIn: target.builtIn,
      workload: `${target.workload.kind}/${target.workload.name}`,
      service: `${target.service.name}:${target.service.port}`,
      images: { ...target.images },
    },
    plan: redactValue(plan) as AgentPlan,
    manifests: withoutSecrets(prepared.manifests, target)
      .map((manifest) => stringify(manifest))
      .join('---\n'),
    settingsDiff: prepared.settingsDiff,
    ...(prepared.substitutions?.length && { substitutions: prepared.substitutions }),
    configuration: redactValue(run.configuration) as Record<string, unknown>,
    arguments: redactArguments(run.arguments),
  };
}

/** A variant may carry figures and a way to stop of its own. */
function settingContext(run: RunContext, variant: Variant): SettingContext {
  const { preStopSeconds, minReadySeconds, maxSurge, stopMode } = variant;
  const { target } = run;
  return {
    kubernetesVersion: run.cluster.info.kubernetesVersion,
    workload: target.workload,
    health: target.health,
    preStopSeconds: preStopSeconds ?? run.preStopSeconds,
    minReadySeconds,
    maxSurge,
    gracefulEnv: stopMode === undefined ? target.gracefulEnv : target.stopModeEnv?.(stopMode),
  };
}

/** The control plane where there is one apart from the workers (steps do not touch it), else the first node. */
export function agentNodeOf(cluster: RunningCluster): string {
  const { nodes, agentNode } = cluster.info;
  const chosen = agentNode ?? nodes.find((node) => node.role === 'control-plane')?.name ?? nodes[0]?.name;
  if (!chosen) throw new FaultError(`Cluster ${cluster.info.name} has no node for the load agent.`);
  return chosen;
}

/** A node that takes the target's pods. */
function workerOf({ info }: RunningCluster): string {
  const worker = info.nodes.find((node) => node.role !== 'control-plane') ?? info.nodes[0];
  if (!worker) throw new FaultError(`Cluster ${info.name} has no node for the target.`);
  return worker.name;
}

function outcomeOf(
  error: unknown,
  interrupted: AbortSignal,
  limit: AbortSignal,
  limitMs: number,
): ExperimentOutcome {
  if (interrupted.aborted || error instanceof InterruptedError) {
    return { status: 'interrupted', reason: 'interrupted before the end' };
  }
  if (limit.aborted) {
    return {
      status: 'faulted',
      reason: `The experiment did not end within its limit of ${limitMs / 1000} s.`,
    };
  }
  return { status: 'faulted', reason: messageOf(error) };
}

function containerPortOf(target: TargetDefinition, manifests: readonly Manifest[]): number {
  const service = manifests.find(
    (manifest) => manifest.kind === 'Service' && manifest.metadata.name === target.service.name,
  );
  const ports =
    (service?.spec as { ports?: { port: number; targetPort?: number | string }[] } | undefined)?.ports ?? [];
  const wanted = ports.find((port) => port.port === target.service.port)?.targetPort ?? target.service.port;
  if (typeof wanted === 'number') return wanted;
  const workload = manifests.find(
    (manifest) => manifest.metadata.name === target.workload.name && manifest.kind === target.workload.kind,
  );
  const containers =
    (
      workload?.spec as {
        template?: { spec?: { containers?: { ports?: { name?: string; containerPort: number }[] }[] } };
      }
    )?.template?.spec?.containers ?? [];
  const named = containers.flatMap((container) => container.ports ?? []).find((port) => port.name === wanted);
  if (!named)
    throw new FaultError(`Service ${target.service.name}: no container has a port named "${wanted}".`);
  return named.containerPort;
}

function clusterIpOf(service: Manifest | undefined): string {
  const address = (service?.spec as { clusterIP?: string } | undefined)?.clusterIP;
  if (!address || address === 'None') {
    throw new FaultError(
      `Service ${service?.metadata.name ?? agentServiceName} has no ClusterIP; load needs one.`,
    );
  }
  return address;
}

/**
 * A DNS label for the run and an experiment's name. What cannot be said in one (capital letters, "only:preStop", more
 * than 63 characters) ends in a hash, so that two experiments never share a namespace.
 */
export function namespaceOf(runId: string, name: string): string {
  const prefix = `rollproof-${runId}-`;
  const plain = name.replaceAll('.', '-');
  const fit = plain.toLowerCase().replace(/[^a-z0-9-]/g, '-');
  const room = 63 - prefix.length;
  if (fit === plain && fit.length <= room) return prefix + fit.replace(/-+$/, '');
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 6);
  return `${prefix}${fit.slice(0, room - hash.length - 1).replace(/-+$/, '')}-${hash}`;
}

const labelValue = (name: string): string =>
  name
    .replace(/[^A-Za-z0-9_.-]/g, '-')
    .slice(0, 63)
    .replace(/[^A-Za-z0-9]+$/, '');

const lostOf = (counts: Partial<Record<Outcome, number>>): number =>
  Object.entries(counts).reduce((sum, [outcome, count]) => sum + (isLost(outcome as Outcome) ? count : 0), 0);

/** mulberry32: small, seeded, good enough to choose a pod. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
