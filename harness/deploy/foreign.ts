// Anybody's target: manifests and names from the configuration, checked against one another before anything runs.
import type { TargetConfiguration } from '../config/schema.ts';
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import type { FieldPath } from '../model/yaml-path.ts';
import { asIs } from './as-is.ts';
import { type Container, podTemplateOf, type TargetDefinition } from './definition.ts';
import type { ReadManifest } from './read-manifests.ts';
import { refuseUnreachable, refuseUntestable, standstills } from './refusals.ts';
import { readSource, type SourceContext } from './sources/index.ts';

interface ServicePort {
  name?: string | null;
  port: number;
  targetPort?: number | string | null;
}

/** What a target is called in its manifests, and how clients ask it. */
type TargetNames = Omit<TargetConfiguration, 'manifests' | 'kustomize' | 'helm' | 'from' | 'namespace'>;

/**
 * Reads the target's source. Throws UsageError when it cannot be had, or when names and manifests do not fit. `look`: who
 * knows more of manifests refuses them, too; `created` are those that are not left out.
 */
export async function foreignTarget(
  configured: TargetConfiguration,
  context: SourceContext,
  look?: (read: readonly ReadManifest[], created: readonly Manifest[]) => void,
): Promise<TargetDefinition> {
  const read = await readSource(configured, context);
  const target = asIsTarget(read, configured, context.at);
  // What runs was taken by an API server before.
  if (configured.from === undefined) look?.(read, target.manifests);
  return target;
}

/** `at` says where a field of the configuration stands. */
export function asIsTarget(
  read: readonly ReadManifest[],
  configured: TargetConfiguration,
  at: (path: FieldPath) => string,
): TargetDefinition {
  const [kind, name] = workloadOf(configured);
  refuseUntestable(read, { kind, name });
  const { manifests, substitutions } = asIs(
    read.map(({ manifest }) => manifest),
    { kind, name },
  );
  const definition = located(() => targetOf(manifests, configured, ''), configured, at);
  const service = read.find(
    ({ manifest }) => manifest.kind === 'Service' && manifest.metadata.name === definition.service.name,
  );
  const workload = read.find(({ manifest }) => manifest.kind === kind && manifest.metadata.name === name);
  if (service && workload) refuseUnreachable(service, workload.manifest, definition.service.port);
  const entries = read.flatMap(({ manifest }) => (manifest.kind === 'Ingress' ? [manifest] : []));
  return {
    ...definition,
    ...(entries.length > 0 && { entries }),
    asIs: { substitutions, warnings: standstills(manifests, { kind, name }) },
  };
}

/** Where a sentence that begins with a field of the target belongs. */
function located(
  act: () => TargetDefinition,
  configured: TargetConfiguration,
  at: (path: FieldPath) => string,
): TargetDefinition {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const message = error.message.replace(/^: /, '');
    const field = /^target\.(\w+)/.exec(message)?.[1];
    const path = field && field in configured ? ['target', field] : ['target'];
    throw new UsageError(`${at(path)}: ${message}`, { cause: error });
  }
}

const workloadOf = ({
  daemonSet,
  statefulSet,
  rollout,
  deployment = '',
}: TargetNames): readonly [kind: string, name: string, field: string] =>
  daemonSet !== undefined
    ? ['DaemonSet', daemonSet, 'daemonSet']
    : statefulSet !== undefined
      ? ['StatefulSet', statefulSet, 'statefulSet']
      : rollout !== undefined
        ? ['Rollout', rollout, 'rollout']
        : ['Deployment', deployment, 'deployment'];

/** `where` names the configuration in messages. Throws UsageError when names and manifests do not fit. */
export function targetOf(
  manifests: readonly Manifest[],
  configured: TargetNames,
  where: string,
): TargetDefinition {
  const [kind, name, field] = workloadOf(configured);
  const workload = find(manifests, kind, name, `${where}: target.${field}`);
  const template = podTemplateOf(workload);
  const service = serviceOf(manifests, configured, template?.metadata?.labels ?? {}, where);
  const containers = template?.spec.containers ?? [];
  const container = configured.container
    ? containers.find((one) => one.name === configured.container)
    : containers[0];
  if (!container) {
    throw new UsageError(
      `${where}: target.container: ${kind} ${name} has no container "${configured.container ?? ''}"; it has ${containers.map((one) => one.name).join(', ')}.`,
    );
  }
  const port = servicePort(service, configured, where);
  refuseUnnamed(configured.health?.port, container, where);
  return {
    builtIn: false,
    manifests,
    workload: { kind, name, container: container.name },
    service: { name: service.metadata.name, port: port.port },
    request: {
      method: configured.method,
      path: configured.path,
      headers: configured.headers,
      ...(configured.body !== undefined && { body: configured.body }),
      expectStatus: configured.expectStatus ?? [],
      ...(configured.longPath !== undefined && { longPath: configured.longPath }),
    },
    health: {
      port: configured.health?.port ?? port.targetPort ?? port.port,
      path: configured.health?.path ?? configured.path,
    },
    podHeader: configured.podHeader ?? 'x-rollproof-pod',
    images: { current: container.image, ...definedOnly(configured.images ?? {}) },
    gracefulEnv: configured.gracefulEnv,
    adminPort: undefined,
  };
}

/** A probe at a port that the container does not name would never succeed. */
function refuseUnnamed(port: number | string | undefined, { name, ports }: Container, where: string): void {
  const there = (ports ?? []).flatMap((one) => one.name ?? []);
  if (typeof port !== 'string' || there.includes(port)) return;
  throw new UsageError(
    `${where}: target.health.port: container ${name} has no port named "${port}"; it has ${there.join(', ') || 'none with a name'}.`,
  );
}

function find(manifests: readonly Manifest[], kind: string, name: string, where: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found.length > 1)
    throw new UsageError(
      `${where}: the manifests have ${found.length} objects ${kind} "${name}"; leave one of them.`,
    );
  if (found[0]) return found[0];
  throw new UsageError(
    `${where}: the manifests have no ${kind} "${name}"; they have ${namesOf(manifests, kind)}${otherWorkloads(manifests, kind, name)}.`,
  );
}

const namesOf = (manifests: readonly Manifest[], kind: string): string =>
  manifests
    .filter((manifest) => manifest.kind === kind)
    .map((manifest) => manifest.metadata.name)
    .join(', ') || 'none';

function otherWorkloads(manifests: readonly Manifest[], kind: string, name: string): string {
  const other = manifests.find(
    (manifest) =>
      manifest.kind !== kind && manifest.metadata.name === name && podTemplateOf(manifest) !== undefined,
  );
  return other ? `; "${name}" is a ${other.kind}` : '';
}

/** The one that is named, else the only one that selects the pods. */
function serviceOf(
  manifests: readonly Manifest[],
  { service }: TargetNames,
  labels: Readonly<Record<string, string>>,
  where: string,
): Manifest {
  if (service !== undefined) return find(manifests, 'Service', service, `${where}: target.service`);
  const fit = manifests.filter(
    (manifest) =>
      manifest.kind === 'Service' &&
      selectorOf(manifest).length > 0 &&
      selectorOf(manifest).every(([key, value]) => labels[key] === value),
  );
  // A headless Service beside another one is for names, not for load.
  const reachable = fit.filter(
    ({ spec }) => (spec as { clusterIP?: string } | undefined)?.clusterIP !== 'None',
  );
  const [only, second] = reachable.length > 0 ? reachable : fit;
  if (only && !second) return only;
  const names = fit.map(({ metadata }) => metadata.name).join(', ');
  throw new UsageError(
    only
      ? `${where}: target.service: Services ${names} all select the pods; say which one clients use.`
      : `${where}: target.service: no Service of the manifests selects the pods; they have ${namesOf(manifests, 'Service')}.`,
  );
}

const selectorOf = ({ spec }: Manifest): [string, string][] =>
  Object.entries((spec as { selector?: Record<string, string> | null } | undefined)?.selector ?? {});

function servicePort(service: Manifest, configured: TargetNames, where: string): ServicePort {
  const ports = (service.spec as { ports?: ServicePort[] | null } | undefined)?.ports ?? [];
  const wanted = configured.port;
  const { name } = service.metadata;
  const found =
    wanted === undefined
      ? ports.length === 1
        ? ports[0]
        : undefined
      : ports.find((one) => one.port === wanted || one.name === wanted);
  if (found) return found;
  const there = ports.map((one) => one.name ?? one.port).join(', ') || 'none';
  throw new UsageError(
    wanted === undefined
      ? `${where}: target.port: Service ${name} has ports ${there}; say which one.`
      : `${where}: target.port: Service ${name} has no port ${wanted}; it has ${there}.`,
  );
}

const definedOnly = (images: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(images).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
