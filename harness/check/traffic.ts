// Who sends connections to a pod: decides whether probes and hooks matter for them. Metrics ports do not count: a lost
// scrape is no lost request of a client.
import { type Container, declaredPorts, onlyWaits } from './container.ts';
import { type Fields, fields, has, integer, list, text, textOrNumber } from './fields.ts';
import { partnerName, type SourceObject } from './objects.ts';
import { podTemplateOf } from './pod-template.ts';
import type { Related } from './related.ts';

export interface TrafficPort {
  /** Number, or name of a container's port. */
  readonly target: number | string;
  readonly protocol: string;
  readonly name: string | undefined;
  readonly service: SourceObject | undefined;
}

export interface Traffic {
  /** `service`: a Service selects the pods. `presumed`: no Service was given at all, and a port is declared. */
  readonly kind: 'service' | 'presumed' | 'none';
  readonly ports: readonly TrafficPort[];
  /** Containers behind the ports. */
  readonly containers: readonly Container[];
  /** At least one Service gives its clients an address of its own: new connections go where it routes. */
  readonly routed: boolean;
  /** Pods are given only to clients on their own node: another pod cannot take over. */
  readonly nodeLocal: boolean;
}

export const noTraffic: Traffic = {
  kind: 'none',
  ports: [],
  containers: [],
  routed: false,
  nodeLocal: false,
};

/** Names of ports and Services that carry no client's requests. */
export const metricsLike =
  /(^|[-_])(metrics?|prom(etheus)?|monitor(ing)?|telemetry|exporter|stats|profil\w*|pprof|probes?|healthz?|debug)($|[-_\d])/i;
/** Where only a container's port is known, these are most likely for others than clients. */
export const sideDoor =
  /(^|[-_])(status|healthcheck|liveness|readiness|live|ready|admin|gossip|peer|memberlist|raft|jmx)($|[-_\d])/i;

export function trafficOf(object: SourceObject, containers: readonly Container[], related: Related): Traffic {
  const selecting = related.services(object);
  if (selecting.length === 0) {
    const alone = !related.servicesGiven(object);
    return alone && (object.kind === 'Deployment' || object.kind === 'Rollout')
      ? presumed(object, containers)
      : noTraffic;
  }
  const services = selecting.filter(hasReadyGate);
  const ports = services.flatMap(servicePorts).filter((port) => port.protocol === 'TCP');
  if (ports.length === 0) return noTraffic;
  const served = ports.flatMap((port) => {
    const container = containerBehind(port, containers, object.kind);
    return container && !onlyWaits(container) ? [{ port, container }] : [];
  });
  if (served.length === 0) return noTraffic;
  const routing = services.filter((service) => fields(service.value.spec).clusterIP !== 'None');
  return {
    kind: 'service',
    ports: served.map(({ port }) => port),
    containers: [...new Set(served.map(({ container }) => container))],
    routed: routing.length > 0,
    nodeLocal: routing.length > 0 && routing.every(isNodeLocal),
  };
}

/** Name of the sender for sentences: `Service "web"`, with its file where that is another one. */
export function senderName(traffic: Traffic, of: SourceObject): string {
  const service = traffic.ports.find((port) => port.service)?.service;
  return service ? partnerName(service, of) : 'its Service';
}

/** A DaemonSet is most likely an agent, a StatefulSet has its Service: without one only Deployments are presumed. */
function presumed(object: SourceObject, containers: readonly Container[]): Traffic {
  const scraped = textOrNumber(podTemplateOf(object)?.annotations['prometheus.io/port']);
  const ports = containers
    .filter((container) => !container.sidecar && !onlyWaits(container))
    .flatMap((container) => declaredPorts(container).map((port) => ({ container, port })))
    .filter(({ port }) => (port.protocol ?? 'TCP') === 'TCP' && integer(port.containerPort) !== undefined)
    .filter(({ port }) => String(port.containerPort) !== scraped)
    .filter(({ port }) => ![metricsLike, sideDoor].some((names) => names.test(text(port.name) ?? '')))
    .map(({ container, port }) => ({
      container,
      port: {
        target: text(port.name) ?? integer(port.containerPort)!,
        protocol: 'TCP',
        name: text(port.name),
        service: undefined,
      },
    }));
  if (ports.length === 0) return noTraffic;
  return {
    kind: 'presumed',
    ports: ports.map(({ port }) => port),
    containers: [...new Set(ports.map(({ container }) => container))],
    routed: true,
    nodeLocal: false,
  };
}

/** A Service that publishes pods before they are ready (peer discovery) takes no notice of readiness. */
export function hasReadyGate(service: SourceObject): boolean {
  const annotations = fields(fields(service.value.metadata).annotations);
  return (
    fields(service.value.spec).publishNotReadyAddresses !== true &&
    annotations['service.alpha.kubernetes.io/tolerate-unready-endpoints'] !== 'true'
  );
}

function servicePorts(service: SourceObject): readonly TrafficPort[] {
  // The API server calls a metrics API server; nobody but a scraper calls the others.
  if (metricsLike.test(service.name) && !/metrics-(api)?server/.test(service.name)) return [];
  const ports = servicePortsOf(service);
  return ports.flatMap((port) => {
    const target = has(port.targetPort) ? port.targetPort : port.port;
    if (typeof target !== 'number' && typeof target !== 'string') return [];
    const name = text(port.name);
    if (metricsLike.test(name ?? '') || metricsLike.test(String(target))) return [];
    return [{ target, protocol: text(port.protocol) ?? 'TCP', name, service }];
  });
}

/** Ports as written. */
export function servicePortsOf(service: SourceObject): readonly Fields[] {
  return list(fields(service.value.spec).ports).map(fields);
}

function isNodeLocal(service: SourceObject): boolean {
  const spec = fields(service.value.spec);
  return spec.internalTrafficPolicy === 'Local' || spec.externalTrafficPolicy === 'Local';
}

/**
 * The container that declares the port; where none does, the first one: ports need not be declared. A StatefulSet has
 * to name a Service, often one with a port that nobody serves: there only a declared port counts.
 */
function containerBehind(
  port: TrafficPort,
  containers: readonly Container[],
  kind: string,
): Container | undefined {
  const declared = containers.find((container) =>
    declaredPorts(container).some(
      (own) => own.containerPort === port.target || (has(own.name) && own.name === port.target),
    ),
  );
  return declared ?? (kind === 'StatefulSet' ? undefined : containers[0]);
}
