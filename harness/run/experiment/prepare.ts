// Deploys an experiment into a namespace of its own and waits until target, control target and agents can serve.
import type { OutsideAgent } from '../../cluster/provider.ts';
import { agentAt, agentInPod } from '../../control/agent-client.ts';
import { agentCpuMillis } from '../../deploy/agent-cpu.ts';
import { createObjects, daemonSetSize, type PodReady, podsAnswer, podsReady } from '../../deploy/apply.ts';
import {
  agentJob,
  agentPort,
  agentService,
  controlName,
  controlTarget,
  type Identity,
  isWorkload,
  labelledTarget,
  namespaceManifest,
  onOneNode,
  phasePort,
  podsBeside,
  withPhaseLink,
  withScenario,
} from '../../deploy/assemble.ts';
import { isForeign } from '../../deploy/definition.ts';
import { type QueueSpec, queueObjects, withConsumers } from '../../deploy/queue.ts';
import { scenarioTarget } from '../../deploy/scenario-target.ts';
import { substitutionsOf } from '../../deploy/substitutions.ts';
import { FaultError, InterruptedError } from '../../model/errors.ts';
import { label, type Manifest, type Role } from '../../model/manifest.ts';
import type { SettingContext, Variant } from '../../model/setting.ts';
import { applyVariant, settingsDiff } from '../../settings/index.ts';
import { clusterIpOf, containerPortOf, nodePortAddress } from './address.ts';
import { type PreparedAgent, type PreparedExperiment, READY_LIMIT_MS, type RunContext } from './context.ts';
import { withoutSecrets } from './header.ts';
import { type ExperimentKey, experimentName, labelValue, namespaceOf } from './key.ts';
import { agentNodeOf, workerOf } from './node.ts';

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
    unchanged: variant.unchanged,
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

/** A variant may carry figures and a way to stop of its own. */
export function settingContext(
  run: Pick<RunContext, 'target' | 'cluster' | 'preStopSeconds'>,
  variant: Variant,
): SettingContext {
  const { preStopSeconds, minReadySeconds, maxSurge, stopMode } = variant;
  const { target } = run;
  return {
    kubernetesVersion: run.cluster.info.kubernetesVersion,
    workload: target.workload,
    health: target.health,
    preStopSeconds: preStopSeconds ?? run.preStopSeconds,
    preStopExact: preStopSeconds !== undefined,
    foreign: isForeign(target),
    minReadySeconds,
    maxSurge,
    gracefulEnv: stopMode === undefined ? target.gracefulEnv : target.stopModeEnv?.(stopMode),
  };
}
