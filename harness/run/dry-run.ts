// `verify --dry-run`: every object that a run would create, as YAML. Nothing is created, and no cluster is needed; one that
// exists is asked for its version alone.
import { stringify } from 'yaml';
import { podEvents } from '../cluster/conntrack.ts';
import { contextVersion } from '../cluster/context/provider.ts';
import type { ClusterProvider } from '../cluster/provider.ts';
import type { Configuration } from '../config/load.ts';
import { agentName, type Identity, nodePortService, phasePort } from '../deploy/assemble.ts';
import { builtInTarget } from '../deploy/built-in.ts';
import type { TargetDefinition } from '../deploy/definition.ts';
import { queueName } from '../deploy/queue.ts';
import { witnessJob } from '../deploy/witness-pod.ts';
import type { Manifest } from '../model/manifest.ts';
import type { OwnPods } from '../model/own-pods.ts';
import { assumedMinor } from '../model/rendering.ts';
import { targetGracefulEnv } from '../settings/index.ts';
import { type ClusterNeeds, chooseCluster, contextOptions } from './clusters.ts';
import { hasNodePort } from './experiment/address.ts';
import { type ExperimentKey, experimentName } from './experiment/index.ts';
import { agentsEndWithin } from './experiment/node.ts';
import { experimentObjects } from './experiment/objects.ts';
import { checkOwnImages, ownImages } from './images.ts';
import { imagesUsed } from './selection.ts';
import { defaultPreStopSeconds } from './session.ts';
import { measurable } from './variants-not-run.ts';

interface DryRunRequest {
  readonly configuration: Configuration;
  readonly foreign: TargetDefinition | undefined;
  readonly keys: readonly ExperimentKey[];
  readonly needs: ClusterNeeds;
}

/** What is assumed of a cluster that is not there yet. */
const ASSUMED_VERSION = `v1.${assumedMinor}.0`;

export async function dryRun(request: DryRunRequest): Promise<string> {
  const { configuration, foreign } = request;
  const { provider } = await chooseCluster(configuration, { kinds: foreign?.manifests, ...request.needs });
  const own = await ownImages(provider.kind, configuration.agent);
  const used = new Set(request.keys.flatMap(({ scenario }) => imagesUsed(scenario)));
  if (!foreign) checkOwnImages(own, configuration.agent, used);
  const isContext = provider.kind === 'context';
  const kubernetesVersion = isContext
    ? await contextVersion(contextOptions(configuration, request.needs))
    : ASSUMED_VERSION;
  const run = {
    runId: 'dry-run',
    own: own.pods,
    target: foreign ?? builtInTarget(own.target, targetGracefulEnv, own.pods),
    preStopSeconds: configuration.preStopSeconds ?? defaultPreStopSeconds,
    kubernetesVersion,
    namespace: configuration.cluster.namespace,
  };
  const { keys, notRun } = measurable({ ...run, cluster: { info: { kubernetesVersion } } }, request.keys);
  const documents = keys.map((key) => {
    const objects = experimentObjects(run, key, {
      agents: isContext ? 'with-agents' : { node: nodeOf(provider.kind) },
      wanted: {
        count: key.path === 'outside' ? 1 : key.agents,
        deadlineMs: isContext ? agentsEndWithin(key.scenario.limitMs) : undefined,
      },
      worker: isContext ? undefined : workerOf(provider.kind),
    });
    const target = objects.targetAt({
      phases: `ADDRESS-OF-${agentName}:${phasePort}`,
      queue: `ADDRESS-OF-${queueName}:80`,
    });
    const all: readonly Manifest[] = [
      ...(objects.namespace ? [objects.namespace] : []),
      ...objects.agents,
      objects.agentService,
      ...objects.queue,
      ...objects.control,
      ...witnessOf(own.pods, key, objects.identity),
      ...target,
      ...nodePortOf(key, objects.identity, objects.target, target),
    ];
    return [`# Experiment ${experimentName(key)}`, ...laterOf(key), all.map(yamlOf).join('---\n')].join('\n');
  });
  const warnings = [
    ...(foreign?.asIs?.warnings ?? []).map((warning) => `# Warning: ${warning}\n`),
    ...notRun.map(({ scenario, variant, reason }) => `# ${scenario}, variant ${variant}: ${reason}\n`),
  ];
  return [
    `${headOf(provider.kind, kubernetesVersion, run.namespace)}\n`,
    ...warnings,
    documents.join('---\n'),
  ].join('');
}

function headOf(kind: ClusterProvider['kind'], version: string, namespace: string | undefined): string {
  return [
    `# What would be created on cluster ${kind} (Kubernetes ${version}); nothing was. The label rollproof.dev/run of a run, and the`,
    '# addresses of Services (ADDRESS-OF-...), are known only then.',
    ...(kind === 'context'
      ? [
          `# Everything but Namespaces carries an ownerReference to Job ${agentName}, and goes with it at the latest.`,
        ]
      : []),
    ...(namespace === undefined
      ? []
      : [`# In namespace ${namespace} experiments run one after the other; each removes its objects.`]),
  ].join('\n');
}

/** What steps create while the load runs. */
const laterOf = ({ scenario }: ExperimentKey): string[] =>
  scenario.steps.flatMap(({ step }) =>
    step === 'autoscale'
      ? ['# Its step autoscale creates a HorizontalPodAutoscaler of the target’s name.']
      : step === 'twin'
        ? ['# Its step twin creates a copy of the target’s workload, for kubectl.']
        : step === 'apply'
          ? ['# Its step apply applies an object of the scenario.']
          : [],
  );

function nodePortOf(
  { path }: ExperimentKey,
  identity: Parameters<typeof nodePortService>[0],
  { service }: TargetDefinition,
  manifests: readonly Manifest[],
): Manifest[] {
  const found = manifests.find(({ kind, metadata }) => kind === 'Service' && metadata.name === service.name);
  return path === 'cluster-ip' || !found || hasNodePort(found)
    ? []
    : [nodePortService(identity, found, service.port)];
}

/** Which nodes (agents that are spread may have one each), and which addresses, is known only then. */
const witnessOf = (own: OwnPods, { scenario, agents }: ExperimentKey, identity: Identity): Manifest[] => {
  const { witness, spread } = own.guest ?? {};
  if (!witness) return [];
  return Array.from({ length: spread ? agents : 1 }, (_, index) =>
    witnessJob(identity, own, {
      image: witness.image ?? 'IMAGE-OF-KUBE-PROXY',
      node: undefined,
      events: podEvents(['ADDRESS-OF-THE-SERVICE:PORT']),
      deadlineMs: agentsEndWithin(scenario.limitMs),
      index,
    }),
  );
};

/** Whoever prints this to a terminal or a log has not asked for the values of Secrets. */
function yamlOf(manifest: Manifest): string {
  const hidden =
    manifest.kind === 'Secret'
      ? {
          ...manifest,
          data: valuesHidden(manifest.data, 'KGhpZGRlbik='),
          stringData: valuesHidden(manifest.stringData, '(hidden)'),
        }
      : manifest;
  return stringify(hidden, { lineWidth: 0, aliasDuplicateObjects: false });
}

const valuesHidden = (values: unknown, as: string): Record<string, string> | undefined =>
  values && typeof values === 'object'
    ? Object.fromEntries(Object.keys(values).map((key) => [key, as]))
    : undefined;

/** Of a cluster of ours, by the names that it gets when it is the only one. */
const nodeOf = (kind: 'kind' | 'embedded' | 'context') =>
  kind === 'kind' ? 'rollproof-control-plane' : 'embedded-control-plane';
const workerOf = (kind: 'kind' | 'embedded' | 'context') =>
  kind === 'kind' ? 'rollproof-worker' : 'embedded-worker';
