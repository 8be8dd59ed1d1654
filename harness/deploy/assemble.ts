// Makes the manifests of one experiment: the target with its scenario's knobs and its variant's settings, the control
// target that no step touches, and the load agents. Pure.
import { label, type Manifest, managedBy, type Role } from '../model/manifest.ts';
import { mergeManifest } from '../model/merge-manifest.ts';
import type { TargetSpec } from '../model/scenario.ts';
import { podTemplateOf, type TargetDefinition } from './definition.ts';

export const agentPort = 8080;
export const phasePort = 7070;
export const agentServiceName = 'rollproof-agent';
export const controlName = 'rollproof-control';
export const nodePortName = 'rollproof-node-port';

export interface Identity {
  readonly namespace: string;
  readonly runId: string;
  readonly experiment: string;
}

/** The scenario's knobs on the target's manifests: replicas, environment of the built-in target, patches, extra objects. */
export function withScenario(target: TargetDefinition, spec: TargetSpec): readonly Manifest[] {
  let manifests = target.manifests.map((manifest) => structuredClone(manifest));
  manifests = manifests.map((manifest) => {
    if (!isWorkload(manifest, target)) return manifest;
    const changed = structuredClone(manifest);
    if (changed.kind === 'Deployment') (changed.spec as { replicas?: number }).replicas = spec.replicas;
    const env = target.builtIn
      ? { START_MS: spec.startMs, WORK_MS: spec.workMs, CPU_MS: spec.cpuMs, ...spec.env }
      : spec.env;
    setEnvironment(changed, target.workload.container, env);
    setImage(changed, target.workload.container, target.images.current);
    return changed;
  });
  for (const { kind, patch } of spec.patches) {
    manifests = manifests.map((manifest) =>
      manifest.kind === kind ? mergeManifest(manifest, patch) : manifest,
    );
  }
  return [
    ...manifests,
    ...spec.extra.map((object) => withImages(structuredClone(object) as Manifest, target)),
  ];
}

/** An image may be said by one of the target's names. */
function withImages(manifest: Manifest, { images }: TargetDefinition): Manifest {
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

/** All pods of the workload on one node. */
export function onOneNode(
  manifests: readonly Manifest[],
  target: TargetDefinition,
  node: string,
): readonly Manifest[] {
  const nodeSelector = { 'kubernetes.io/hostname': node };
  return manifests.map((manifest) =>
    isWorkload(manifest, target)
      ? mergeManifest(manifest, { spec: { template: { spec: { nodeSelector } } } })
      : manifest,
  );
}

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

/** Pod fields that put a pod on one node whatever taints that node has. */
export const pinnedTo = (node: string) => ({
  nodeSelector: { 'kubernetes.io/hostname': node },
  tolerations: [{ operator: 'Exists' }],
});

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
    metadata: { name: agentServiceName, namespace: identity.namespace, labels: labelsOf('agent', identity) },
    spec: {
      selector: { [label.role]: 'agent', [label.experiment]: identity.experiment },
      ports: [{ name: 'phases', port: phasePort, targetPort: phasePort }],
    },
  };
}

/**
 * The load agents, on a node that no step touches: an Indexed Job, so that any number is one object. `cpuMillis`: what
 * each of them asks for.
 */
export function agentJob(
  identity: Identity,
  image: string,
  node: string,
  agents: number,
  cpuMillis?: number,
): Manifest {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'rollproof-agent', namespace: identity.namespace, labels: labelsOf('agent', identity) },
    spec: {
      completionMode: 'Indexed',
      completions: agents,
      parallelism: agents,
      // An agent that ends early has lost its counts: the experiment is over, nothing is to be tried again.
      backoffLimit: 0,
      template: {
        metadata: { labels: labelsOf('agent', identity) },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          enableServiceLinks: false,
          automountServiceAccountToken: false,
          ...pinnedTo(node),
          containers: [
            {
              name: 'agent',
              image,
              imagePullPolicy: 'IfNotPresent',
              ports: [{ containerPort: agentPort }, { containerPort: phasePort }],
              env: [
                { name: 'PORT', value: String(agentPort) },
                { name: 'PHASE_PORT', value: String(phasePort) },
              ],
              readinessProbe: { httpGet: { path: '/healthz', port: agentPort }, periodSeconds: 1 },
              ...(cpuMillis !== undefined && { resources: { requests: { cpu: `${cpuMillis}m` } } }),
            },
          ],
        },
      },
    },
  };
}

/** A target that no step touches, on the agent's node: what it loses is the harness's own noise. */
export const controlTarget = (identity: Identity, image: string, node: string): readonly Manifest[] =>
  ownPod(identity, { name: controlName, role: 'control', image, node, env: { START_MS: '0' } });

/** One pod of the built-in target's image that no step touches, and its Service. */
export function ownPod(
  identity: Identity,
  { name, role, image, node, env }: OwnPod,
): readonly [service: Manifest, deployment: Manifest] {
  const selector = { [label.role]: role, [label.experiment]: identity.experiment };
  const metadata = { name, namespace: identity.namespace, labels: labelsOf(role, identity) };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: selector },
        template: {
          metadata: { labels: labelsOf(role, identity) },
          spec: {
            terminationGracePeriodSeconds: 1,
            enableServiceLinks: false,
            automountServiceAccountToken: false,
            ...pinnedTo(node),
            containers: [
              {
                name: 'target',
                image,
                imagePullPolicy: 'IfNotPresent',
                ports: [{ containerPort: 8080 }],
                env: [
                  ...Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
                  { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
                ],
                readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
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
  readonly image: string;
  readonly node: string;
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
