// Where load enters, read from the objects as they were created.
import { createObjects } from '../../deploy/apply.ts';
import { agentName, type Identity, isWorkload, nodePortService } from '../../deploy/assemble.ts';
import { type Container, podTemplateOf, type TargetDefinition } from '../../deploy/definition.ts';
import type { PodReady } from '../../deploy/pods-ready.ts';
import type { Kube } from '../../kube/client.ts';
import { FaultError } from '../../model/errors.ts';
import type { Manifest } from '../../model/manifest.ts';

/** Types of Service that have a port on every node: the target's own is the way in then. */
export const hasNodePort = ({ spec }: Manifest): boolean =>
  ['NodePort', 'LoadBalancer'].includes((spec as { type?: string } | undefined)?.type ?? '');

/**
 * A pod on the node that is asked. The agent's, which no step touches; with externalTrafficPolicy Local one that has a pod when
 * the load begins, as a balancer's health checks would choose it: any other drops what comes.
 */
export function entryPod(
  service: Manifest,
  pods: readonly PodReady[],
  agents: readonly PodReady[],
): PodReady | undefined {
  const { externalTrafficPolicy } = (service.spec ?? {}) as { externalTrafficPolicy?: string };
  return hasNodePort(service) && externalTrafficPolicy === 'Local' ? (pods[0] ?? agents[0]) : agents[0];
}

/** host:port of the target's NodePort on a node: its own, or that of a second Service where it has none. */
export async function nodePortAddress(
  kube: Kube,
  identity: Identity,
  service: Manifest,
  port: number,
  pod: PodReady | undefined,
): Promise<string> {
  const [entry] = hasNodePort(service)
    ? [service]
    : await createObjects(kube, [nodePortService(identity, service, port)]);
  const ports = (entry?.spec as { ports?: { port: number; nodePort?: number }[] } | undefined)?.ports;
  const nodePort = ports?.find((one) => one.port === port)?.nodePort;
  // A pod knows its node's address, so that no right to read nodes is needed.
  if (!nodePort || !pod?.hostIp) {
    throw new FaultError(
      `Path node-port: node ${pod?.node ?? 'of the load agent'} or its Service has no address.`,
    );
  }
  return `${pod.hostIp}:${nodePort}`;
}

export function containerPortOf(target: TargetDefinition, manifests: readonly Manifest[]): number {
  const service = manifests.find(
    (manifest) => manifest.kind === 'Service' && manifest.metadata.name === target.service.name,
  );
  const ports =
    (service?.spec as { ports?: { port: number; targetPort?: number | string }[] } | undefined)?.ports ?? [];
  const wanted = ports.find((port) => port.port === target.service.port)?.targetPort ?? target.service.port;
  if (typeof wanted === 'number') return wanted;
  const named = containersOf(target, manifests)
    .flatMap((container) => container.ports ?? [])
    .find((port) => port.name === wanted);
  if (!named)
    throw new FaultError(`Service ${target.service.name}: no container has a port named "${wanted}".`);
  return named.containerPort;
}

/** The one that the target names. */
export const servingContainer = (target: TargetDefinition, manifests: readonly Manifest[]) =>
  containersOf(target, manifests).find(({ name }) => name === target.workload.container);

/** Of the workload's pods, sidecars among the init containers too. */
function containersOf(target: TargetDefinition, manifests: readonly Manifest[]): readonly Container[] {
  const workload = manifests.find((manifest) => isWorkload(manifest, target));
  const spec = workload && podTemplateOf(workload)?.spec;
  return [...(spec?.containers ?? []), ...((spec?.initContainers ?? []) as Container[])];
}

export function clusterIpOf(service: Manifest | undefined): string {
  const address = (service?.spec as { clusterIP?: string } | undefined)?.clusterIP;
  if (!address || address === 'None') {
    throw new FaultError(`Service ${service?.metadata.name ?? agentName} has no ClusterIP; load needs one.`);
  }
  return address;
}
