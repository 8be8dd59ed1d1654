// Deploys an experiment into a namespace of its own and waits until target, control target and agents can serve.
import { agentCpuMillis } from '../../deploy/agent-cpu.ts';
import { createObjects, daemonSetSize, podsAnswer, podsReady } from '../../deploy/apply.ts';
import {
  agentJob,
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
import type { Lifetime } from '../../model/lifetime.ts';
import { label, type Manifest, type Role } from '../../model/manifest.ts';
import type { SettingContext, Variant } from '../../model/setting.ts';
import { applyVariant, settingsDiff } from '../../settings/index.ts';
import { clusterIpOf, containerPortOf, nodePortAddress } from './address.ts';
import { agentsReady, preparedAgents, startOutside } from './agents.ts';
import { type PreparedExperiment, READY_LIMIT_MS, type RunContext } from './context.ts';
import { withoutSecrets } from './header.ts';
import { type ExperimentKey, experimentName, labelValue, namespaceOf } from './key.ts';
import { kubeDuring } from './kube-during.ts';
import { agentNodeOf, workerOf } from './node.ts';

/** What an experiment deploys belongs to `life`: at its end the namespace goes, and whatever is not in it. */
export interface DeployInto {
  readonly life: Lifetime;
  removeNamespace(namespace: string): Promise<void> | void;
}

/** Deploys everything into a namespace of its own and waits until it can serve. */
export async function prepareExperiment(
  given: RunContext,
  key: ExperimentKey,
  { life, removeNamespace }: DeployInto,
): Promise<PreparedExperiment> {
  const { signal } = life;
  const target = scenarioTarget(given.target, key.scenario);
  const run = { ...given, target, kube: kubeDuring(given.kube, signal), signal };
  const { kube } = run;
  const name = experimentName(key);
  const identity: Identity = {
    namespace: namespaceOf(run.runId, key.attempt ? `${name}.again-${key.attempt}` : name),
    runId: run.runId,
    experiment: labelValue(name),
  };
  const agentNode = agentNodeOf(run.cluster);
  const agentsInside = key.path === 'outside' ? 1 : key.agents;
  run.progress({ experiment: name, doing: 'deploying target, control target and load agent' });

  life.defer(`remove namespace ${identity.namespace}`, () => removeNamespace(identity.namespace));
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
    agentsReady(kube, identity.namespace, agentsInside, signal),
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
  const outside = key.path === 'outside' ? await startOutside(run, key.agents, life) : [];
  return {
    key,
    identity,
    target,
    agents: preparedAgents(given.kube, identity, agentPods, outside),
    addresses,
    queuePod: queuePods[0]?.name,
    manifests,
    applied: variant.applied,
    notApplied: variant.notApplied,
    unchanged: variant.unchanged,
    // Without values that are nobody's business: the lines around a change are shown, too.
    settingsDiff: settingsDiff(withoutSecrets(base, target), withoutSecrets(variant.manifests, target)),
    substitutions: substitutionsOf(target, knobs, base, (list) => withoutSecrets(list, target)),
  };
}

/** Returns the queue's address. */
async function deployQueue(run: RunContext, identity: Identity, queue: QueueSpec): Promise<string> {
  const objects = queueObjects(identity, run.images.control, agentNodeOf(run.cluster), queue);
  const [service] = await createObjects(run.kube, objects);
  return `${clusterIpOf(service)}:80`;
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
