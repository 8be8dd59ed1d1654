// Deploys an experiment into a namespace of its own and waits until target, control target and agents can serve.
import { agentCpuMillis } from '../../deploy/agent-cpu.ts';
import { createObjects, daemonSetSize } from '../../deploy/apply.ts';
import { controlName, isWorkload, phasePort, podsBeside, podsWanted } from '../../deploy/assemble.ts';
import { podsAnswer, podsReady } from '../../deploy/pods-ready.ts';
import { substitutionsOf } from '../../deploy/substitutions.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import { label, type Manifest, type Role } from '../../model/manifest.ts';
import { settingsDiff } from '../../settings/index.ts';
import { clusterIpOf, containerPortOf, entryNode, nodePortAddress } from './address.ts';
import { agentsReady, preparedAgents, startOutside } from './agents.ts';
import { type PreparedExperiment, READY_LIMIT_MS, type RunContext } from './context.ts';
import { withoutSecrets } from './header.ts';
import { type ExperimentKey, experimentName } from './key.ts';
import { agentNodeOf, agentPlacement, workerOf } from './node.ts';
import { experimentObjects } from './objects.ts';

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
  const kube = given.kube.during(signal);
  const run = { ...given, kube, signal };
  const { cluster } = run;
  const agentsInside = key.path === 'outside' ? 1 : key.agents;
  run.progress({ experiment: experimentName(key), doing: 'deploying target, control target and load agent' });
  const objects = experimentObjects(
    { ...run, kubernetesVersion: cluster.info.kubernetesVersion, namespace: cluster.namespace },
    key,
    {
      agents: agentPlacement(cluster),
      wanted: { count: agentsInside, cpuMillis: await cpuOfAgents(run, agentsInside) },
      worker: workerOf(cluster),
    },
  );
  const { identity, target } = objects;
  const { deployed } = key.scenario.target;

  life.defer(`remove namespace ${identity.namespace}`, () => removeNamespace(identity.namespace));
  await createObjects(kube, [...(objects.namespace ? [objects.namespace] : []), ...objects.agents]);
  const [phaseService] = await createObjects(kube, [objects.agentService]);
  const [queueService] = await createObjects(kube, objects.queue);
  const manifests = objects.targetAt({
    phases: `${clusterIpOf(phaseService)}:${phasePort}`,
    queue: queueService ? `${clusterIpOf(queueService)}:80` : '',
  });
  const created = await createObjects(kube, [
    ...objects.control,
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
        : podsWanted(manifests, target),
    );
  };
  const [agentPods, controlPods, targetPods, queuePods] = await Promise.all([
    agentsReady(kube, identity.namespace, agentsInside, signal),
    ready('control', 1),
    targetReady(),
    queueService ? ready('queue', 1) : [],
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
        : await nodePortAddress(
            kube,
            identity,
            service,
            target.service.port,
            entryNode(service, targetPods, agentNodeOf(cluster)),
          ),
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
    applied: objects.variant.applied,
    notApplied: objects.variant.notApplied,
    unchanged: objects.variant.unchanged,
    // Without values that are nobody's business: the lines around a change are shown, too.
    settingsDiff: settingsDiff(
      withoutSecrets(objects.base, target),
      withoutSecrets(objects.variant.manifests, target),
    ),
    substitutions: substitutionsOf(target, key.scenario, objects.knobs, objects.base, (list) =>
      withoutSecrets(list, target),
    ),
  };
}

/** Only on a cluster of ours: elsewhere what they ask for is said beforehand. */
async function cpuOfAgents(
  { kube, cluster, signal }: RunContext,
  agents: number,
): Promise<number | undefined> {
  return cluster.info.kind === 'kind'
    ? agentCpuMillis(kube, agentNodeOf(cluster), agents, signal)
    : undefined;
}
