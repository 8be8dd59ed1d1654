// Anybody's target: manifests and names from the configuration, checked against one another before anything runs.
import type { TargetConfiguration } from '../config/schema.ts';
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { podTemplateOf, type TargetDefinition } from './definition.ts';
import { readManifests } from './read-manifests.ts';

interface ServicePort {
  name?: string;
  port: number;
  targetPort?: number | string;
}

/** What a target is called in its manifests, and how clients ask it. */
export type TargetNames = Omit<TargetConfiguration, 'manifests'>;

/** `where` names the configuration in messages. Throws UsageError when names and manifests do not fit. */
export function foreignTarget(configured: TargetConfiguration, where: string): TargetDefinition {
  return targetOf(readManifests(configured.manifests), configured, where);
}

export function targetOf(
  manifests: readonly Manifest[],
  configured: TargetNames,
  where: string,
): TargetDefinition {
  const kind = configured.daemonSet ? 'DaemonSet' : 'Deployment';
  const name = configured.daemonSet ?? configured.deployment ?? '';
  const field = configured.daemonSet ? 'target.daemonSet' : 'target.deployment';
  const workload = find(manifests, kind, name, `${where}: ${field}`);
  const service = find(manifests, 'Service', configured.service, `${where}: target.service`);
  const containers = podTemplateOf(workload)?.spec.containers ?? [];
  const container = configured.container
    ? containers.find((one) => one.name === configured.container)
    : containers[0];
  if (!container) {
    throw new UsageError(
      `${where}: target.container: ${kind} ${name} has no container "${configured.container ?? ''}"; it has ${containers.map((one) => one.name).join(', ')}.`,
    );
  }
  const port = servicePort(service, configured, where);
  return {
    builtIn: false,
    manifests,
    workload: { kind, name, container: container.name },
    service: { name: configured.service, port: port.port },
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

function find(manifests: readonly Manifest[], kind: string, name: string, where: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found) return found;
  const there = manifests
    .filter((manifest) => manifest.kind === kind)
    .map((manifest) => manifest.metadata.name);
  throw new UsageError(
    `${where}: the manifests have no ${kind} "${name}"; they have ${there.join(', ') || 'none'}.`,
  );
}

function servicePort(service: Manifest, configured: TargetNames, where: string): ServicePort {
  const ports = (service.spec as { ports?: ServicePort[] } | undefined)?.ports ?? [];
  const wanted = configured.port;
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
      ? `${where}: target.port: Service ${configured.service} has ports ${there}; say which one.`
      : `${where}: target.port: Service ${configured.service} has no port ${wanted}; it has ${there}.`,
  );
}

const definedOnly = (images: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(images).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
