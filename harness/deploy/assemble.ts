// Makes the manifests of one experiment: the target with its scenario's knobs and its variant's settings, the control
// target that no step touches, and the load agents. Pure.
import { label, type Manifest, managedBy, type Role } from '../model/manifest.ts';
import { mergeManifest } from '../model/merge-manifest.ts';
import type { OwnPods, Placement } from '../model/own-pods.ts';
import type { Scenario } from '../model/scenario.ts';
import { builtInContainer, claimTemplatesOf, podTemplateOf, type TargetDefinition } from './definition.ts';
import { agentLabels, ownContainerFields, ownPodFields, ownPodMetadata, spreadOut } from './own-pods.ts';

export const agentPort = 8080;
/** Where the built-in program listens: the control target, and the queue. */
export const ownPort = 8080;
export const phasePort = 7070;
/** Of the load agents' Job and Service. */
export const agentName = 'rollproof-agent';
export const controlName = 'rollproof-control';
const nodePortName = 'rollproof-node-port';
/** The load agent ends when nobody has asked it for this long: its harness was killed. */
export const AGENT_IDLE_LIMIT_MS = 60_000;
/** A Job that has ended stays this long, for who wants to know why. */
const AGENT_KEPT_SECONDS = 60;

export interface Identity {
  readonly namespace: string;
  readonly runId: string;
  readonly experiment: string;
}

/**
 * The scenario's knobs on the target's manifests: replicas, environment of the built-in target, patches, extra objects.
 * A number of pods that somebody's manifests say stays as it is, but for a scenario that is about it.
 */
export function withScenario(
  target: TargetDefinition,
  { target: spec, steps }: Pick<Scenario, 'target' | 'steps'>,
): readonly Manifest[] {
  const ownReplicas = target.asIs !== undefined && !countsPods({ steps });
  let manifests = target.manifests.map((manifest) => structuredClone(manifest));
  manifests = manifests.map((manifest) => {
    if (!isWorkload(manifest, target)) return manifest;
    const changed = structuredClone(manifest);
    if (hasReplicas(changed.kind) && !ownReplicas)
      (changed.spec as { replicas?: number }).replicas = spec.replicas;
    const env = target.builtIn
      ? { START_MS: spec.startMs, WORK_MS: spec.workMs, CPU_MS: spec.cpuMs, ...spec.env }
      : spec.env;
    setEnvironment(changed, target.workload.container, env);
    setImage(changed, target.workload.container, target.images.current);
    return changed;
  });
  for (const { kind, patch } of spec.patches) {
    const forTarget = inContainer(patch, target.workload.container);
    // Another workload of somebody's is not what the scenario is about.
    const isMeant = (manifest: Manifest) =>
      manifest.kind === kind && (kind !== target.workload.kind || isWorkload(manifest, target));
    manifests = manifests.map((manifest) =>
      isMeant(manifest) ? mergeManifest(manifest, forTarget) : manifest,
    );
  }
  return [...manifests, ...spec.extra.map((object) => withImages(object as Manifest, target))];
}

/** A patch is written for the built-in target: what it says of that one's container, it says of the one under test. */
const inContainer = (patch: Readonly<Record<string, unknown>>, container: string): Record<string, unknown> =>
  JSON.parse(JSON.stringify(patch), (field, value: unknown) =>
    field === 'containers' && Array.isArray(value)
      ? value.map((one: { name?: unknown }) =>
          one.name === builtInContainer ? { ...one, name: container } : one,
        )
      : value,
  ) as Record<string, unknown>;

const hasReplicas = (kind: string): boolean =>
  kind === 'Deployment' || kind === 'StatefulSet' || kind === 'Rollout';

/** Pods that the workload is to have, where its own object says the number. */
export function podsWanted(manifests: readonly Manifest[], target: TargetDefinition): number {
  const workload = manifests.find((manifest) => isWorkload(manifest, target));
  return (workload?.spec as { replicas?: number | null } | undefined)?.replicas ?? 1;
}

/**
 * Whether a scenario is about a number of pods: its steps change or count them. Others take the number that somebody's
 * manifests say.
 */
export const countsPods = ({ steps }: Pick<Scenario, 'steps'>): boolean =>
  steps.some(
    (step) =>
      step.step === 'scale' ||
      step.step === 'autoscale' ||
      (step.step === 'patch' && 'spec' in step.patch && 'replicas' in Object(step.patch.spec)) ||
      (step.step === 'wait' &&
        (step.for === 'ready' || step.for === 'updated' || step.for === 'replicas') &&
        step.of !== 'beside'),
  );

/** An image may be said by one of the target's names: then the container runs what the target's own runs. */
function withImages(original: Manifest, { images, asProgram }: TargetDefinition): Manifest {
  const manifest = asProgram ? asProgram(original) : structuredClone(original);
  for (const container of podTemplateOf(manifest)?.spec.containers ?? []) {
    container.image = images[container.image] ?? container.image;
  }
  return manifest;
}

/** A Deployment's strategy and number of replicas are not a DaemonSet's; everything else is. */
export function asDaemonSet(target: TargetDefinition): TargetDefinition {
  const manifests = target.manifests.map((manifest) => {
    if (!isWorkload(manifest, target)) return manifest;
    const {
      replicas: _,
      strategy: __,
      progressDeadlineSeconds: ___,
      ...spec
    } = manifest.spec as Record<string, unknown>;
    return { ...manifest, kind: 'DaemonSet', spec };
  });
  return { ...target, manifests, workload: { ...target.workload, kind: 'DaemonSet' } };
}

/** All pods of the workload on one node. Undefined: whichever the scheduler finds for the first of them. */
export function onOneNode(
  manifests: readonly Manifest[],
  target: TargetDefinition,
  node: string | undefined,
): readonly Manifest[] {
  return manifests.map((manifest) => {
    if (!isWorkload(manifest, target)) return manifest;
    const spec =
      node === undefined
        ? {
            affinity: {
              podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [besideItself(manifest)] },
            },
          }
        : { nodeSelector: { 'kubernetes.io/hostname': node } };
    return mergeManifest(manifest, { spec: { template: { spec } } });
  });
}

const besideItself = (workload: Manifest) => ({
  labelSelector: (workload.spec as { selector?: unknown }).selector,
  topologyKey: 'kubernetes.io/hostname',
});

/** Puts an experiment's namespace and labels on manifests and on their pods. */
export function labelled(
  manifests: readonly Manifest[],
  role: Role,
  identity: Identity,
): readonly Manifest[] {
  return manifests.map((original) => {
    const manifest = structuredClone(original);
    manifest.metadata.namespace = identity.namespace;
    manifest.metadata.labels = { ...manifest.metadata.labels, ...labelsOf(role, identity) };
    const template = podTemplateOf(manifest);
    if (template) {
      template.metadata = { ...template.metadata };
      template.metadata.labels = { ...template.metadata.labels, ...labelsOf(role, identity) };
    }
    // What a StatefulSet makes of them takes their labels over.
    for (const { metadata } of claimTemplatesOf(manifest))
      metadata.labels = { ...metadata.labels, ...labelsOf(role, identity) };
    return manifest;
  });
}

/** The target's manifests: what runs pods and is not the workload under test stands beside it. */
export function labelledTarget(
  manifests: readonly Manifest[],
  target: TargetDefinition,
  identity: Identity,
): readonly Manifest[] {
  return manifests.flatMap((manifest) =>
    labelled([manifest], isBeside(manifest, target) ? 'beside' : 'target', identity),
  );
}

const isBeside = (manifest: Manifest, target: TargetDefinition): boolean =>
  !isWorkload(manifest, target) && (manifest.kind === 'Pod' || podTemplateOf(manifest) !== undefined);

/** How many pods the manifests put beside the target, as far as their objects say it. */
export function podsBeside(manifests: readonly Manifest[], target: TargetDefinition): number {
  return manifests
    .filter((manifest) => isBeside(manifest, target))
    .reduce((sum, { kind, spec }) => {
      const { replicas = 1 } = (spec ?? {}) as { replicas?: number };
      return sum + (kind === 'Deployment' || kind === 'StatefulSet' || kind === 'ReplicaSet' ? replicas : 1);
    }, 0);
}

export const labelsOf = (role: Role | 'namespace', identity: Identity): Record<string, string> => ({
  [label.managedBy]: managedBy,
  [label.run]: identity.runId,
  [label.role]: role,
  [label.experiment]: identity.experiment,
});

export function namespaceManifest(identity: Identity): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: identity.namespace, labels: labelsOf('namespace', identity) },
  };
}

/** The built-in target tells the agent its phases over this address (host:port). */
export const withPhaseLink = (
  manifests: readonly Manifest[],
  target: TargetDefinition,
  address: string,
): readonly Manifest[] => withOwnEnvironment(manifests, target, { ROLLPROOF_PHASES: address });

/** Environment of the built-in target's container; a foreign target stays as it is. */
export function withOwnEnvironment(
  manifests: readonly Manifest[],
  target: TargetDefinition,
  env: Readonly<Record<string, string | number>>,
): readonly Manifest[] {
  if (!target.builtIn) return manifests;
  return manifests.map((manifest) => {
    if (!isWorkload(manifest, target)) return manifest;
    const changed = structuredClone(manifest);
    setEnvironment(changed, target.workload.container, env);
    return changed;
  });
}

/** A second Service for the same pods, reached at every node's address: the way in from outside. */
export function nodePortService(identity: Identity, service: Manifest, port: number): Manifest {
  const spec = service.spec as {
    selector?: Record<string, string>;
    ports?: { port: number; targetPort?: unknown }[];
  };
  const found = spec.ports?.find((one) => one.port === port);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: nodePortName, namespace: identity.namespace, labels: labelsOf('target', identity) },
    spec: {
      type: 'NodePort',
      selector: spec.selector,
      ports: [{ name: 'http', port, targetPort: found?.targetPort ?? port }],
    },
  };
}

/** The Service comes first: its address is known before any pod runs. */
export function agentService(identity: Identity): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: agentName, namespace: identity.namespace, labels: labelsOf('agent', identity) },
    spec: {
      selector: agentLabels(identity),
      ports: [{ name: 'phases', port: phasePort, targetPort: phasePort }],
    },
  };
}

/** What is said of the load agents beside how our pods run. */
export interface AgentsWanted {
  readonly count: number;
  /** What each of them asks for on a cluster of ours. */
  readonly cpuMillis?: number | undefined;
  /** On a cluster that stays: however long the experiment takes, its agents end by then, ms. */
  readonly deadlineMs?: number | undefined;
  /** They end when nobody has asked them for this long; default {@link AGENT_IDLE_LIMIT_MS}. */
  readonly idleLimitMs?: number | undefined;
}

/**
 * The load agents, on a node that no step touches (or, where it is asked for, on several): an Indexed Job, so that any number is one object. On a cluster that
 * stays it is also what everything else of the experiment belongs to: agents that nobody asks any more end, the Job goes,
 * and Kubernetes removes what belongs to it.
 */
export function agentJob(
  identity: Identity,
  own: OwnPods,
  placement: Placement,
  { count, cpuMillis, deadlineMs, idleLimitMs = AGENT_IDLE_LIMIT_MS }: AgentsWanted,
): Manifest {
  const ends = deadlineMs !== undefined && {
    activeDeadlineSeconds: Math.ceil(deadlineMs / 1000),
    ttlSecondsAfterFinished: AGENT_KEPT_SECONDS,
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: agentName, namespace: identity.namespace, labels: labelsOf('agent', identity) },
    spec: {
      completionMode: 'Indexed',
      completions: count,
      parallelism: count,
      // An agent that ends early has lost its counts: the experiment is over, nothing is to be tried again.
      backoffLimit: 0,
      ...ends,
      template: {
        metadata: ownPodMetadata(own, labelsOf('agent', identity)),
        spec: {
          restartPolicy: 'Never',
          ...ownPodFields(own, placement, agentLabels(identity)),
          ...(placement === 'with-agents' && own.guest?.spread && spreadOut(agentLabels(identity))),
          containers: [
            {
              name: 'agent',
              ...ownContainerFields(own, 'agent', cpuMillis),
              ports: [{ containerPort: agentPort }, { containerPort: phasePort }],
              env: [
                { name: 'PORT', value: String(agentPort) },
                { name: 'PHASE_PORT', value: String(phasePort) },
                ...(ends ? [{ name: 'ROLLPROOF_IDLE_LIMIT_MS', value: String(idleLimitMs) }] : []),
              ],
              readinessProbe: { httpGet: { path: '/healthz', port: agentPort }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}

/** A target that no step touches, on the agent's node: what it loses is the harness's own noise. */
export const controlTarget = (identity: Identity, own: OwnPods, placement: Placement): readonly Manifest[] =>
  ownPod(identity, own, placement, { name: controlName, role: 'control', env: { START_MS: '0' } });

/** One pod of the built-in target's program that no step touches, and its Service. */
export function ownPod(
  identity: Identity,
  own: OwnPods,
  placement: Placement,
  { name, role, env }: OwnPod,
): readonly [service: Manifest, deployment: Manifest] {
  const labels = labelsOf(role, identity);
  const selector = {
    [label.role]: role,
    [label.run]: identity.runId,
    [label.experiment]: identity.experiment,
  };
  const metadata = { name, namespace: identity.namespace, labels };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector, ports: [{ port: 80, targetPort: ownPort }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: selector },
        template: {
          metadata: ownPodMetadata(own, labels),
          spec: {
            ...ownPodFields(own, placement, agentLabels(identity)),
            containers: [
              {
                name: 'target',
                ...ownContainerFields(own, 'target'),
                ports: [{ containerPort: ownPort }],
                env: [
                  ...Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
                  { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                ],
                readinessProbe: { httpGet: { path: '/healthz', port: ownPort }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    },
  ];
}

interface OwnPod {
  readonly name: string;
  readonly role: Role;
  readonly env: Readonly<Record<string, string>>;
}

export const isWorkload = (manifest: Manifest, target: TargetDefinition): boolean =>
  manifest.kind === target.workload.kind && manifest.metadata.name === target.workload.name;

function containerOf(manifest: Manifest, name: string) {
  return podTemplateOf(manifest)?.spec.containers.find((container) => container.name === name);
}

function setEnvironment(
  manifest: Manifest,
  name: string,
  env: Readonly<Record<string, string | number>>,
): void {
  const container = containerOf(manifest, name);
  if (!container) return;
  const set = Object.entries(env).map(([key, value]) => ({ name: key, value: String(value) }));
  const names = new Set(set.map((variable) => variable.name));
  const kept = (container.env ?? []).filter((variable) => !names.has(variable.name));
  if (kept.length + set.length > 0) container.env = [...kept, ...set];
}

function setImage(manifest: Manifest, name: string, image: string | undefined): void {
  const container = containerOf(manifest, name);
  if (container && image) container.image = image;
}
