// Deploys an experiment into a namespace of its own and waits until target, control target and agents can serve.
import { setTimeout as sleep } from 'node:timers/promises';
import { agentCpuMillis } from '../../deploy/agent-cpu.ts';
import { createObjects, daemonSetSize } from '../../deploy/apply.ts';
import { rolloutTakenUp } from '../../deploy/argo-rollouts.ts';
import {
  AGENT_IDLE_LIMIT_MS,
  agentPort,
  controlName,
  isWorkload,
  ownPort,
  phasePort,
  podsBeside,
  podsWanted,
} from '../../deploy/assemble.ts';
import { belongingsIn } from '../../deploy/belongings.ts';
import { checkNeighbours } from '../../deploy/neighbours.ts';
import { answerLimitMs, type PodReady, podsAnswer, podsReady } from '../../deploy/pods-ready.ts';
import { copyPullSecret } from '../../deploy/pull-secret.ts';
import type { Spoken } from '../../deploy/spoken.ts';
import { agentAdded, nodePortAdded, stickyAgents, substitutionsOf } from '../../deploy/substitutions.ts';
import { type Kube, podProxyPath } from '../../kube/client.ts';
import type { Lifetime } from '../../model/lifetime.ts';
import { label, type Manifest, type Role } from '../../model/manifest.ts';
import type { Scenario } from '../../model/scenario.ts';
import { asIs, settingsDiff } from '../../settings/index.ts';
import {
  clusterIpOf,
  containerPortOf,
  entryPod,
  hasNodePort,
  nodePortAddress,
  servingContainer,
} from './address.ts';
import { agentsReady, preparedAgents, startHere, startOutside } from './agents.ts';
import { withCertificates } from './certificates.ts';
import { type PreparedExperiment, READY_LIMIT_MS, type RunContext } from './context.ts';
import { installController, openEntries, standingOf } from './entries.ts';
import { withoutSecrets } from './header.ts';
import { type ExperimentKey, experimentName } from './key.ts';
import { agentNodeOf, agentPlacement, agentsEndWithin, workerOf } from './node.ts';
import { experimentObjects } from './objects.ts';
import type { Standing } from './open-entry.ts';

/** What an experiment deploys belongs to `life`: at its end the namespace goes, and whatever is not in it. */
interface DeployInto {
  readonly life: Lifetime;
  removeNamespace(namespace: string): Promise<void> | void;
}

const REMOVE_LIMIT_MS = 90_000;
/** Who pressed Ctrl-C waits for the deletion to be under way; Kubernetes goes on by itself. */
const REMOVE_LIMIT_INTERRUPTED_MS = 2000;

/** Deploys everything into a namespace of its own, or into the one that it was given, and waits until it can serve. */
export async function prepareExperiment(
  given: RunContext,
  key: ExperimentKey,
  { life, removeNamespace }: DeployInto,
): Promise<PreparedExperiment> {
  const { signal } = life;
  const { cluster } = given;
  const entries = key.entries ?? [];
  const standings = new Set<Standing>(
    entries.length > 0 ? entries.map(standingOf) : [key.path === 'outside' ? 'outside' : 'inside'],
  );
  const agentsInside = standings.has('inside') ? key.agents : 1;
  const filled = withCertificates(key.scenario, given.makeAuthority);
  given.progress({
    experiment: experimentName(key),
    doing: 'deploying target, control target and load agent',
  });
  const objects = experimentObjects(
    { ...given, kubernetesVersion: cluster.info.kubernetesVersion, namespace: cluster.namespace },
    { ...key, scenario: filled },
    {
      agents: agentPlacement(cluster),
      wanted: {
        count: agentsInside,
        cpuMillis: await cpuOfAgents({ ...given, signal }, agentsInside),
        deadlineMs: cluster.info.kind === 'context' ? agentsEndWithin(key.scenario.limitMs) : undefined,
      },
      worker: workerOf(cluster),
    },
  );
  const { identity, target } = objects;
  const { deployed } = key.scenario.target;

  const belongings = cluster.info.kind === 'context' ? belongingsIn(identity) : undefined;
  const marking = belongings ? belongings.marking(given.kube) : given.kube;
  const kube = marking.during(signal);
  const run = { ...given, kube, signal };

  if (objects.namespace) {
    life.defer(`remove namespace ${identity.namespace}`, () => removeNamespace(identity.namespace));
    await createObjects(kube, [objects.namespace]);
  } else if (belongings) {
    await checkNeighbours(kube, identity.namespace, objects.targetAt({ phases: '', queue: '' }));
    life.defer(`remove everything from namespace ${identity.namespace}`, () =>
      belongings.remove(given.kube, given.signal.aborted ? REMOVE_LIMIT_INTERRUPTED_MS : REMOVE_LIMIT_MS),
    );
  }
  if (objects.namespace && run.own.guest) await copyPullSecret(kube, run.own.pullSecret, identity.namespace);
  for (const manifest of objects.agents) {
    const [created] = await createObjects(kube, [manifest]);
    if (created?.kind === 'Job') belongings?.belongTo(created);
  }
  const [phaseService] = await createObjects(kube, [objects.agentService]);
  const [queueService] = await createObjects(kube, objects.queue);
  const manifests = objects.targetAt({
    phases: `${clusterIpOf(phaseService)}:${phasePort}`,
    queue: queueService ? `${clusterIpOf(queueService)}:80` : '',
  });
  const installed = await installController(run, identity, entries, key.scenario, life, given.kube);
  const created = await createObjects(kube, [
    ...objects.control,
    ...manifests.filter((manifest) => !isWorkload(manifest, target)),
  ]);

  // In a namespace that others use, only ours.
  const labelsOf = (role: Role) => ({
    [label.role]: role,
    ...(!objects.namespace && { [label.run]: run.runId }),
  });
  const ready = (role: Role, count: number) =>
    podsReady(kube, identity.namespace, labelsOf(role), count, READY_LIMIT_MS, signal);
  // Where the target's pods go may depend on those beside it.
  await ready('beside', podsBeside(manifests, target));
  const targetReady = async () => {
    if (!deployed) return [];
    await createObjects(
      kube,
      manifests.filter((manifest) => isWorkload(manifest, target)),
    );
    const { kind, name: workload } = target.workload;
    if (kind === 'Rollout') await rolloutTakenUp(kube, identity.namespace, workload, signal);
    return ready(
      'target',
      kind === 'DaemonSet'
        ? await daemonSetSize(kube, identity.namespace, workload, READY_LIMIT_MS, signal)
        : podsWanted(manifests, target),
    );
  };
  const [agentPods, controlPods, targetPods, queuePods] = await Promise.all([
    agentsReady(kube, identity.namespace, labelsOf('agent'), agentsInside, signal),
    ready('control', 1),
    targetReady(),
    queueService ? ready('queue', 1) : [],
    installed ? ready('entry', installed.replicas) : [],
  ]);
  const port = containerPortOf(target, manifests);
  await podsAnswer(kube, identity.namespace, controlPods, ownPort, '/', READY_LIMIT_MS, signal);
  await podsAnswer(
    kube,
    identity.namespace,
    targetPods,
    port,
    target.request.path,
    target.asIs ? answerLimitMs(servingContainer(target, manifests)) : READY_LIMIT_MS,
    signal,
    `The pods are Ready, yet nothing answers on the port that Service ${target.service.name} sends to. Let targetPort name the port on which container ${target.workload.container} listens; where it only takes long to start, give it a readinessProbe on that port.`,
    spokenByLoad(key.scenario),
  );

  const serviceNamed = (wanted: string) =>
    created.find((object) => object.kind === 'Service' && object.metadata.name === wanted) as Manifest;
  const service = serviceNamed(target.service.name);
  const entry = key.path === 'cluster-ip' ? undefined : entryPod(service, targetPods, agentPods);
  // Asked for once: a Service without a node's port gets a second one beside it.
  let nodePort: Promise<string> | undefined;
  const addressOf = async (path: 'cluster-ip' | 'node-port') => {
    if (path === 'cluster-ip') return `${clusterIpOf(service)}:${target.service.port}`;
    const pod = entry ?? entryPod(service, targetPods, agentPods);
    nodePort ??= nodePortAddress(kube, identity, service, target.service.port, pod);
    return nodePort;
  };
  const addresses = {
    target: await addressOf(key.path === 'cluster-ip' ? 'cluster-ip' : 'node-port'),
    control: `${clusterIpOf(serviceNamed(controlName))}:80`,
  };
  const open = await openEntries(run, entries, { identity, target, installed, addressOf });
  const outside = standings.has('outside') ? await startOutside(run, key.agents, life) : [];
  const here = standings.has('here') ? await startHere(run, key.agents, life) : [];
  if (belongings) {
    life.meanwhile('let the load agents know that they are wanted', (until) =>
      keepWanted(given.kube, identity.namespace, agentPods, until),
    );
  }
  return {
    key,
    filled,
    identity,
    kube: marking,
    shared: objects.namespace
      ? undefined
      : { runId: run.runId, names: manifests.map(({ metadata }) => metadata.name) },
    agentNode: agentPods[0]?.node,
    agentPods,
    routedOn: [...agentPods, ...(entry ? [entry] : [])].map(({ node }) => node),
    target,
    agents: preparedAgents(given.kube, identity, agentPods, outside, here),
    addresses,
    entries: open,
    queuePod: queuePods[0]?.name,
    manifests,
    applied: objects.variant.applied,
    notApplied: objects.variant.notApplied,
    unchanged: objects.variant.unchanged,
    // Without values that are nobody's business: the lines around a change are shown, too.
    settingsDiff: settingsDiff(
      withoutSecrets(objects.base, target),
      withoutSecrets(objects.variant.manifests, target),
      target.asIs ? asIs.name : undefined,
    ),
    substitutions: substitutionsOf(
      target,
      key.scenario,
      objects.knobs,
      objects.base,
      (list) => withoutSecrets(list, target),
      [
        agentAdded([...new Set(agentPods.map(({ node }) => node))]),
        ...stickyAgents(service, key.agents),
        ...(key.path === 'cluster-ip' || hasNodePort(service)
          ? []
          : [nodePortAdded(service, target.service.port)]),
      ],
    ),
  };
}

/** Agents end when nobody asks them; while another experiment is measured, nobody else does. */
async function keepWanted(
  kube: Kube,
  namespace: string,
  agents: readonly PodReady[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    // One that does not answer is found out by who needs it.
    await Promise.allSettled(
      agents.map(({ name }) =>
        kube.raw('GET', podProxyPath(namespace, name, agentPort, '/clock'), { signal }),
      ),
    );
    await sleep(AGENT_IDLE_LIMIT_MS / 4, undefined, { signal }).catch(() => {});
  }
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

/** What pods may answer with where they do not answer HTTP/1.1 in plain text: lanes of the load speak it. */
function spokenByLoad({ load }: Pick<Scenario, 'load'>): ReadonlySet<Spoken> {
  const spoken = new Set<Spoken>();
  for (const { protocol, tls } of load) {
    if (tls) spoken.add('tls');
    else if (protocol === 'http2' || protocol === 'grpc') spoken.add('http2');
  }
  return spoken;
}
