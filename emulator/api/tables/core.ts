// Rows of nodes, services, endpoint slices, events and the small kinds.
// Source: kubernetes/pkg/printers/internalversion/printers.go.
import type { KubeObject } from '../objects.ts';
import { isObject } from '../objects.ts';
import type { EndpointSlice, Kinds, KubeEvent, Node, Service } from '../types.ts';
import { columns, formatLabels, noneIfEmpty, type Printer } from './columns.ts';
import { ageSince } from './durations.ts';
import { loadBalancerAddresses } from './stored.ts';

export const namespacePrinter: Printer<Kinds['namespaces']> = {
  columns: columns('Name', 'Status', 'Age'),
  row: ({ metadata, status }, nowMs) => [
    metadata.name,
    status?.phase ?? '',
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

export const nodePrinter: Printer<Node> = {
  columns: columns(
    'Name',
    'Status',
    'Roles',
    'Age',
    'Version',
    'Internal-IP+',
    'External-IP+',
    'OS-Image+',
    'Kernel-Version+',
    'Container-Runtime+',
  ),
  row: ({ metadata, spec, status }, nowMs) => {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
    const rolePrefix = 'node-role.kubernetes.io/';
    const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
      if (key.startsWith(rolePrefix)) return [key.slice(rolePrefix.length)];
      return key === 'kubernetes.io/role' ? [value] : [];
    });
    const address = (type: string) =>
      noneIfEmpty(status?.addresses?.find((candidate) => candidate.type === type)?.address);
    const info = status?.nodeInfo;
    return [
      metadata.name,
      spec?.unschedulable ? `${state},SchedulingDisabled` : state,
      noneIfEmpty(roles.filter(Boolean).sort().join(',')),
      ageSince(metadata.creationTimestamp, nowMs),
      info?.kubeletVersion ?? '',
      address('InternalIP'),
      address('ExternalIP'),
      info?.osImage || '<unknown>',
      info?.kernelVersion || '<unknown>',
      info?.containerRuntimeVersion || '<unknown>',
    ];
  },
};

export const servicePrinter: Printer<Service> = {
  columns: columns('Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', 'Selector+'),
  row: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    spec?.type ?? '',
    noneIfEmpty(spec?.clusterIP),
    externalAddress(spec, status),
    noneIfEmpty(
      (spec?.ports ?? [])
        .map(({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`)
        .join(','),
    ),
    ageSince(metadata.creationTimestamp, nowMs),
    formatLabels(spec?.selector),
  ],
};

function externalAddress(spec: Service['spec'], status: Service['status']): string {
  if (spec?.type === 'ExternalName') return spec.externalName ?? '';
  const own = spec?.externalIPs ?? [];
  if (spec?.type !== 'LoadBalancer') return noneIfEmpty(own.join(','));
  const given = loadBalancerAddresses(status);
  return [...(given ? [given] : []), ...own].join(',') || '<pending>';
}

export const endpointSlicePrinter: Printer<EndpointSlice> = {
  columns: columns('Name', 'AddressType', 'Ports', 'Endpoints', 'Age'),
  row: ({ metadata, addressType, ports, endpoints }, nowMs) => {
    const addresses = (endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
    return [
      metadata.name,
      addressType,
      shorten((ports ?? []).map(({ name, port }) => (port === undefined ? (name ?? '') : String(port)))),
      shorten(addresses),
      ageSince(metadata.creationTimestamp, nowMs),
    ];
  },
};

export const eventPrinter: Printer<KubeEvent> = {
  columns: columns(
    'Last Seen',
    'Type',
    'Reason',
    'Object',
    'Subobject+',
    'Source+',
    'Message',
    'First Seen+',
    'Count+',
    'Name+',
  ),
  row: (event, nowMs) => {
    const first = event.firstTimestamp ?? event.eventTime;
    const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? first;
    const { kind, name, fieldPath } = event.involvedObject;
    const component = event.source?.component || event.reportingComponent;
    const host = event.source?.host || event.reportingInstance;
    return [
      ageSince(last, nowMs),
      event.type ?? '',
      event.reason ?? '',
      name ? `${(kind ?? '').toLowerCase()}/${name}` : (kind ?? '').toLowerCase(),
      fieldPath ?? '',
      [component, host].filter(Boolean).join(', '),
      (event.message ?? '').trim(),
      ageSince(first, nowMs),
      event.series?.count ?? event.count ?? 1,
      event.metadata.name,
    ];
  },
};

export const configMapPrinter: Printer<Kinds['configmaps']> = {
  columns: columns('Name', 'Data', 'Age'),
  row: ({ metadata, data, binaryData }, nowMs) => [
    metadata.name,
    Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

export const secretPrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Type', 'Data', 'Age'),
  row: ({ metadata, type, data }, nowMs) => [
    metadata.name,
    String(type),
    isObject(data) ? Object.keys(data).length : 0,
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

export const serviceAccountPrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Secrets', 'Age'),
  row: ({ metadata, secrets }, nowMs) => [
    metadata.name,
    Array.isArray(secrets) ? secrets.length : 0,
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

export const leasePrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Holder', 'Age'),
  row: ({ metadata, spec }, nowMs) => [
    metadata.name,
    isObject(spec) && typeof spec.holderIdentity === 'string' ? spec.holderIdentity : '',
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

/** Kinds without a printer of their own. */
export const plainPrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Created At'),
  row: ({ metadata }) => [metadata.name, metadata.creationTimestamp],
};

/** formatDiscoveryPorts/Endpoints: three, then a count. */
function shorten(texts: readonly string[]): string {
  if (texts.length === 0) return '<unset>';
  const shown = texts.slice(0, 3).join(',');
  return texts.length > 3 ? `${shown} + ${texts.length - 3} more...` : shown;
}
