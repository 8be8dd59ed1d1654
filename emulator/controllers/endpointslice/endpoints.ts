// Which pods of a Service are endpoints, in which state, with which ports.
// Source: staging/src/k8s.io/endpointslice/{utils,reconciler}.go.
import type { EndpointSlice, Node, Pod, Service } from '../../api/types.ts';
import { isReady, isTerminal, isTerminating } from '../runtime/pods.ts';

export type Endpoint = EndpointSlice['endpoints'][number];
export type EndpointPort = NonNullable<EndpointSlice['ports']>[number];

/** It has an address and has not ended. Terminating pods stay listed until their phase is terminal. */
export function isListed(pod: Pod): boolean {
  return !isTerminal(pod) && Boolean(pod.status?.podIP);
}

/**
 *   serving     = the pod's Ready condition, deleted or not
 *   terminating = it has a deletionTimestamp
 *   ready       = serving and not terminating, or the Service publishes not-ready addresses
 */
export function endpointOf(pod: Pod, service: Service, node: Node | undefined): Endpoint {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const zone = node?.metadata.labels?.['topology.kubernetes.io/zone'];
  const { namespace, name, uid } = pod.metadata;
  const subdomain = pod.spec?.subdomain;
  const isInService = subdomain === service.metadata.name && service.metadata.namespace === namespace;
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: {
      ready: Boolean(service.spec?.publishNotReadyAddresses) || (serving && !terminating),
      serving,
      terminating,
    },
    ...(pod.spec?.hostname && isInService ? { hostname: pod.spec.hostname } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(zone ? { zone } : {}),
  };
}

/** The Service's ports with the pod's own numbers; a named port that the pod lacks is left out. */
export function portsOf(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const { name = '', protocol = 'TCP', port, targetPort, appProtocol } of service.spec?.ports ?? []) {
    const number = podPort(pod, targetPort ?? port, protocol);
    if (number === undefined) continue;
    ports.push({ name, port: number, protocol, ...(appProtocol ? { appProtocol } : {}) });
  }
  return ports;
}

function podPort(pod: Pod, target: number | string, protocol: string): number | undefined {
  if (typeof target === 'number') return target;
  for (const container of pod.spec?.containers ?? []) {
    const port = container.ports?.find((each) => each.name === target && each.protocol === protocol);
    if (port) return port.containerPort;
  }
  return undefined;
}
