// Which endpoints a node sends a Service's connections to, by kube-proxy's rules (pkg/proxy/topology.go). Pure.
import type { EndpointSlice, Service } from '../api/types.ts';

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
  readonly pod?: string;
}

/** One port of one Service as one node routes it. */
export interface ServicePort {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  readonly clusterIP: string;
  readonly nodePort: number | undefined;
  /** The same client goes to the same endpoint for as long as it is there. */
  readonly sticky: boolean;
  /** For clients inside the cluster, by the Service's clusterIP. */
  readonly endpoints: readonly Endpoint[];
  /** For clients outside, by a node port of this node. */
  readonly externalEndpoints: readonly Endpoint[];
  /** Policy Local without a local endpoint while others exist: packets are dropped, connections hang. */
  readonly drops: boolean;
  /** The same for clients outside. */
  readonly externalDrops: boolean;
}

type SliceEndpoint = NonNullable<EndpointSlice['endpoints']>[number];

export function serviceTable(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  node: string,
): ServicePort[] {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const name = slice.metadata.labels?.['kubernetes.io/service-name'];
    if (!name) continue;
    const key = `${slice.metadata.namespace}/${name}`;
    byService.set(key, [...(byService.get(key) ?? []), slice]);
  }
  return services.flatMap((service) => {
    const { spec, metadata } = service;
    const { namespace = '', name } = metadata;
    const clusterIP = spec?.clusterIP;
    if (!spec || !clusterIP || clusterIP === 'None' || spec.type === 'ExternalName') return [];
    const own = byService.get(`${namespace}/${name}`) ?? [];
    return (spec.ports ?? [])
      .filter((port) => (port.protocol ?? 'TCP') === 'TCP')
      .map((port): ServicePort => {
        const candidates = own.flatMap((slice) => {
          const number = slice.ports?.find((candidate) => (candidate.name ?? '') === (port.name ?? ''))?.port;
          return number === undefined
            ? []
            : (slice.endpoints ?? []).map((endpoint) => ({ endpoint, number }));
        });
        const inside = categorize(candidates, spec.internalTrafficPolicy === 'Local', node);
        const outside = categorize(candidates, spec.externalTrafficPolicy === 'Local', node);
        return {
          namespace,
          service: name,
          port: port.port,
          clusterIP,
          nodePort: port.nodePort || undefined,
          sticky: spec.sessionAffinity === 'ClientIP',
          endpoints: inside.chosen.map(routed),
          externalEndpoints: outside.chosen.map(routed),
          drops: inside.chosen.length === 0 && inside.elsewhere,
          externalDrops: outside.chosen.length === 0 && outside.elsewhere,
        };
      });
  });
}

interface Candidate {
  readonly endpoint: SliceEndpoint;
  readonly number: number;
}

/** Ready ones; when there is none, those that terminate but still serve. Policy Local: of this node only. */
function categorize(
  candidates: readonly Candidate[],
  localOnly: boolean,
  node: string,
): { chosen: readonly Candidate[]; elsewhere: boolean } {
  const usable = usableOf(candidates);
  if (!localOnly) return { chosen: usable, elsewhere: false };
  const local = usableOf(candidates.filter(({ endpoint }) => endpoint.nodeName === node));
  return { chosen: local, elsewhere: usable.length > 0 };
}

function usableOf(candidates: readonly Candidate[]): readonly Candidate[] {
  // A condition that is not set counts as true for ready and serving, as false for terminating (EndpointConditions).
  const ready = candidates.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  if (ready.length > 0) return ready;
  return candidates.filter(
    ({ endpoint }) => endpoint.conditions?.serving !== false && endpoint.conditions?.terminating === true,
  );
}

function routed({ endpoint, number }: Candidate): Endpoint {
  const pod = endpoint.targetRef?.kind === 'Pod' ? endpoint.targetRef.name : undefined;
  return { ip: endpoint.addresses[0] ?? '', port: number, ...(pod !== undefined && { pod }) };
}
