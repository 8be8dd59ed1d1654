// Rows of what people mostly only store and look at: volumes, quotas, ingresses, bindings, classes.
// Source: kubernetes/pkg/printers/internalversion/printers.go.
import { formatLabelSelector } from '../label-selector.ts';
import { isObject, type KubeObject } from '../objects.ts';
import type { Kinds } from '../types.ts';
import { columns, containerCells, formatLabels, noneIfEmpty, type Printer } from './columns.ts';
import { ageSince } from './durations.ts';

const shownAtMost = 3;

export const endpointsPrinter: Printer<Kinds['endpoints']> = {
  columns: columns('Name', 'Endpoints', 'Age'),
  row: ({ metadata, subsets }, nowMs) => [
    metadata.name,
    noneIfEmpty(
      firstOf(
        (subsets ?? []).flatMap(({ addresses, ports }) =>
          // A headless Service may have no ports.
          ports?.length
            ? ports.flatMap(({ port }) => (addresses ?? []).map(({ ip }) => `${ip}:${port}`))
            : (addresses ?? []).map(({ ip }) => ip),
        ),
      ),
    ),
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

/** What is asked for beside what may be asked for at most. */
export const quotaPrinter: Printer<Kinds['resourcequotas']> = {
  columns: columns('Name', 'Request', 'Limit', 'Age'),
  row: ({ metadata, status }, nowMs) => {
    const names = Object.keys(status?.hard ?? {}).sort();
    const cell = (ofLimits: boolean) =>
      names
        .filter((name) => name.startsWith('limits.') === ofLimits)
        .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name]}`)
        .join(', ');
    return [metadata.name, cell(false), cell(true), ageSince(metadata.creationTimestamp, nowMs)];
  },
};

export const volumePrinter: Printer<Kinds['persistentvolumes']> = {
  columns: columns(
    'Name',
    'Capacity',
    'Access Modes',
    'Reclaim Policy',
    'Status',
    'Claim',
    'StorageClass',
    'VolumeAttributesClass',
    'Reason',
    'Age',
    'VolumeMode+',
  ),
  row: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    spec?.capacity?.storage ?? '0',
    accessModes(spec?.accessModes),
    spec?.persistentVolumeReclaimPolicy ?? '',
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
    spec?.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '',
    metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName ?? '',
    spec?.volumeAttributesClassName || '<unset>',
    status?.reason ?? '',
    ageSince(metadata.creationTimestamp, nowMs),
    spec?.volumeMode ?? '<unset>',
  ],
};

export const claimPrinter: Printer<Kinds['persistentvolumeclaims']> = {
  columns: columns(
    'Name',
    'Status',
    'Volume',
    'Capacity',
    'Access Modes',
    'StorageClass',
    'VolumeAttributesClass',
    'Age',
    'VolumeMode+',
  ),
  row: ({ metadata, spec, status }, nowMs) => {
    const bound = Boolean(spec?.volumeName);
    return [
      metadata.name,
      metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
      spec?.volumeName ?? '',
      bound ? (status?.capacity?.storage ?? '0') : '',
      bound ? accessModes(status?.accessModes) : '',
      metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName ?? '',
      spec?.volumeAttributesClassName || '<unset>',
      ageSince(metadata.creationTimestamp, nowMs),
      spec?.volumeMode ?? '<unset>',
    ];
  },
};

export const podTemplatePrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Containers', 'Images', 'Pod Labels'),
  row: ({ metadata, template }) => {
    const found = template as Parameters<typeof containerCells>[0] & {
      metadata?: { labels?: Record<string, string> };
    };
    return [metadata.name, ...containerCells(found), formatLabels(found?.metadata?.labels)];
  },
};

interface IngressSpec {
  ingressClassName?: string;
  rules?: { host?: string }[];
  tls?: unknown[];
}

export const ingressPrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Class', 'Hosts', 'Address', 'Ports', 'Age'),
  row: ({ metadata, spec, status }, nowMs) => {
    const { ingressClassName, rules = [], tls = [] } = (spec ?? {}) as IngressSpec;
    const hosts = rules.flatMap(({ host }) => (host ? [host] : []));
    return [
      metadata.name,
      noneIfEmpty(ingressClassName ?? metadata.annotations?.['kubernetes.io/ingress.class']),
      firstOf(hosts) || '*',
      loadBalancerAddresses(status),
      tls.length > 0 ? '80, 443' : '80',
      ageSince(metadata.creationTimestamp, nowMs),
    ];
  },
};

export const ingressClassPrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Controller', 'Parameters', 'Age'),
  row: ({ metadata, spec }, nowMs) => {
    const { controller = '', parameters } = (spec ?? {}) as {
      controller?: string;
      parameters?: { apiGroup?: string; kind: string; name: string };
    };
    const group = parameters?.apiGroup ? `.${parameters.apiGroup}` : '';
    return [
      metadata.name,
      controller,
      parameters ? `${parameters.kind}${group}/${parameters.name}` : '<none>',
      ageSince(metadata.creationTimestamp, nowMs),
    ];
  },
};

export const networkPolicyPrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Pod-Selector', 'Age'),
  row: ({ metadata, spec }, nowMs) => [
    metadata.name,
    formatLabelSelector((spec as { podSelector?: object } | undefined)?.podSelector),
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

export const roleBindingPrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Role', 'Age', 'Users+', 'Groups+', 'ServiceAccounts+'),
  row: (binding, nowMs) => {
    const { metadata, roleRef, subjects } = binding as KubeObject & {
      roleRef?: { kind: string; name: string };
      subjects?: { kind: string; name: string; namespace?: string }[];
    };
    const named = (kind: string) => (subjects ?? []).filter((subject) => subject.kind === kind);
    return [
      metadata.name,
      `${roleRef?.kind}/${roleRef?.name}`,
      ageSince(metadata.creationTimestamp, nowMs),
      named('User')
        .map(({ name }) => name)
        .join(', '),
      named('Group')
        .map(({ name }) => name)
        .join(', '),
      named('ServiceAccount')
        .map(({ namespace = '', name }) => `${namespace}/${name}`)
        .join(', '),
    ];
  },
};

export const priorityClassPrinter: Printer<Kinds['priorityclasses']> = {
  columns: columns('Name', 'Value:integer', 'Global-Default:boolean', 'Age', 'PreemptionPolicy'),
  row: ({ metadata, value, globalDefault, preemptionPolicy }, nowMs) => [
    metadata.name,
    value,
    globalDefault ?? false,
    ageSince(metadata.creationTimestamp, nowMs),
    preemptionPolicy ?? 'PreemptLowerPriority',
  ],
};

export const storageClassPrinter: Printer<Kinds['storageclasses']> = {
  columns: columns(
    'Name',
    'Provisioner',
    'ReclaimPolicy',
    'VolumeBindingMode',
    'AllowVolumeExpansion',
    'Age',
  ),
  row: ({ metadata, provisioner, reclaimPolicy, volumeBindingMode, allowVolumeExpansion }, nowMs) => {
    const isDefault = metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true';
    return [
      isDefault ? `${metadata.name} (default)` : metadata.name,
      provisioner,
      reclaimPolicy ?? 'Delete',
      volumeBindingMode ?? 'Immediate',
      String(allowVolumeExpansion ?? false),
      ageSince(metadata.creationTimestamp, nowMs),
    ];
  },
};

/** Of a Service or an Ingress that something outside gave an address. */
export function loadBalancerAddresses(status: unknown): string {
  const balancer = isObject(status) ? status.loadBalancer : undefined;
  const ingress = isObject(balancer) && Array.isArray(balancer.ingress) ? balancer.ingress : [];
  return [
    ...new Set(ingress.map(({ ip, hostname }: { ip?: string; hostname?: string }) => ip || hostname || '')),
  ]
    .filter(Boolean)
    .join(',');
}

const shortModes: readonly (readonly [string, string])[] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
];

function accessModes(modes: readonly string[] | undefined): string {
  return shortModes
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');
}

function firstOf(texts: readonly string[]): string {
  const shown = texts.slice(0, shownAtMost).join(',');
  return texts.length > shownAtMost ? `${shown} + ${texts.length - shownAtMost} more...` : shown;
}
