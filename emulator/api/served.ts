// What discovery offers: stored resources, other versions of them, and the virtual ones (usage, access reviews).
import { isObject, type JsonObject, type KubeObject } from './objects.ts';
import { definitionOf, definitions, type ResourceDefinition } from './resources.ts';
import type { Autoscaler } from './types.ts';

export interface Subresource {
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly verbs: readonly string[];
}

export interface Served extends ResourceDefinition {
  /** Where its objects are; undefined for a virtual resource. */
  readonly stored: ResourceDefinition | undefined;
  readonly singular: string;
  readonly verbs: readonly string[];
  readonly subresources: readonly Subresource[];
  /** From and to the stored version, where they differ. `current` is the stored object that is replaced. */
  fromStored?(object: KubeObject): KubeObject;
  toStored?(object: KubeObject, current: KubeObject | undefined): KubeObject;
}

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const statusVerbs = ['get', 'patch', 'update'];
const proxyVerbs = ['create', 'delete', 'get', 'patch', 'update'];

function subresourcesOf(definition: ResourceDefinition): Subresource[] {
  const { group, version, kind, resource } = definition;
  const own = (name: string, verbs: readonly string[], kindOf = kind) => ({
    name,
    group,
    version,
    kind: kindOf,
    verbs,
  });
  return [
    ...(resource === 'pods'
      ? [
          own('binding', ['create'], 'Binding'),
          { name: 'eviction', group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
          own('exec', ['create', 'get'], 'PodExecOptions'),
          own('log', ['get']),
          own('proxy', proxyVerbs, 'PodProxyOptions'),
        ]
      : []),
    ...(resource === 'serviceaccounts'
      ? [
          {
            name: 'token',
            group: 'authentication.k8s.io',
            version: 'v1',
            kind: 'TokenRequest',
            verbs: ['create'],
          },
        ]
      : []),
    ...(resource === 'namespaces' ? [own('finalize', ['update'])] : []),
    ...(resource === 'services' ? [own('proxy', proxyVerbs, 'ServiceProxyOptions')] : []),
    ...(definition.hasScale
      ? [{ name: 'scale', group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: statusVerbs }]
      : []),
    ...(definition.hasStatus ? [own('status', statusVerbs)] : []),
  ];
}

function asStored(definition: ResourceDefinition): Served {
  return {
    ...definition,
    stored: definition,
    singular: definition.kind.toLowerCase(),
    verbs: allVerbs,
    subresources: subresourcesOf(definition),
  };
}

function virtual(
  group: string,
  version: string,
  resource: string,
  kind: string,
  namespaced: boolean,
  verbs: string[],
): Served {
  return {
    resource,
    group,
    version,
    kind,
    namespaced,
    shortNames: [],
    inAll: false,
    hasStatus: false,
    hasScale: false,
    generation: 'none',
    stored: undefined,
    singular: group === 'metrics.k8s.io' ? '' : kind.toLowerCase(),
    verbs,
    subresources: [],
  };
}

/** autoscaling/v1 as a view of the stored v2 object; what v1 cannot say stays as it was. */
const autoscalerV1: Served = {
  ...asStored({ ...definitionOf('horizontalpodautoscalers'), version: 'v1' }),
  stored: definitionOf('horizontalpodautoscalers'),
  fromStored(object) {
    const { spec, status, ...rest } = object as unknown as Autoscaler;
    const { metrics = [], behavior: _, ...shared } = spec ?? ({} as NonNullable<Autoscaler['spec']>);
    const cpu = metrics.find(({ resource }) => resource?.name === 'cpu')?.resource?.target.averageUtilization;
    const used = status?.currentMetrics?.find(({ resource }) => resource?.name === 'cpu')?.resource?.current;
    return {
      ...rest,
      apiVersion: 'autoscaling/v1',
      spec: { ...shared, ...(cpu === undefined ? {} : { targetCPUUtilizationPercentage: cpu }) },
      status: {
        currentReplicas: status?.currentReplicas ?? 0,
        desiredReplicas: status?.desiredReplicas ?? 0,
        ...(status?.observedGeneration === undefined
          ? {}
          : { observedGeneration: status.observedGeneration }),
        ...(status?.lastScaleTime === undefined ? {} : { lastScaleTime: status.lastScaleTime }),
        ...(used?.averageUtilization === undefined
          ? {}
          : { currentCPUUtilizationPercentage: used.averageUtilization }),
      },
    };
  },
  toStored(object, current) {
    const spec: JsonObject = isObject(object.spec) ? { ...object.spec } : {};
    const kept = (current as Autoscaler | undefined)?.spec;
    const { targetCPUUtilizationPercentage: cpu, ...shared } = spec;
    const others = (kept?.metrics ?? []).filter(({ resource }) => resource?.name !== 'cpu');
    const cpuMetric = {
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpu } },
    };
    const metrics = [...others, ...(typeof cpu === 'number' ? [cpuMetric] : [])];
    return {
      ...object,
      apiVersion: 'autoscaling/v2',
      spec: {
        ...shared,
        ...(metrics.length > 0 ? { metrics } : {}),
        ...(kept?.behavior ? { behavior: kept.behavior } : {}),
      },
      ...(current?.status === undefined ? {} : { status: current.status }),
    };
  },
};

const emulated = definitions.filter(({ refused }) => refused === undefined);

/** In discovery order. autoscaling/v2 stands before v1: the first is the preferred one. */
export const served: readonly Served[] = [
  ...emulated.filter(({ group }) => group < 'authentication.k8s.io' || group === 'autoscaling').map(asStored),
  autoscalerV1,
  ...emulated.filter(({ group }) => group > 'autoscaling').map(asStored),
  virtual('authentication.k8s.io', 'v1', 'selfsubjectreviews', 'SelfSubjectReview', false, ['create']),
  virtual('authentication.k8s.io', 'v1', 'tokenreviews', 'TokenReview', false, ['create']),
  virtual('authorization.k8s.io', 'v1', 'localsubjectaccessreviews', 'LocalSubjectAccessReview', true, [
    'create',
  ]),
  virtual('authorization.k8s.io', 'v1', 'subjectaccessreviews', 'SubjectAccessReview', false, ['create']),
  virtual('authorization.k8s.io', 'v1', 'selfsubjectaccessreviews', 'SelfSubjectAccessReview', false, [
    'create',
  ]),
  virtual('authorization.k8s.io', 'v1', 'selfsubjectrulesreviews', 'SelfSubjectRulesReview', false, [
    'create',
  ]),
  virtual('metrics.k8s.io', 'v1beta1', 'nodes', 'NodeMetrics', false, ['get', 'list']),
  virtual('metrics.k8s.io', 'v1beta1', 'pods', 'PodMetrics', true, ['get', 'list']),
  ...definitions.filter(({ refused }) => refused !== undefined).map(asStored),
];

const index = new Map(served.map((each) => [`${each.group}/${each.version}/${each.resource}`, each]));

export function findServed(group: string, version: string, resource: string): Served | undefined {
  return index.get(`${group}/${version}/${resource}`);
}

/** Groups in discovery order, "" first, with their versions, the preferred one first. */
export function servedGroups(): { group: string; versions: string[] }[] {
  const groups = new Map<string, string[]>();
  for (const { group, version } of served) {
    const versions = groups.get(group) ?? [];
    if (!versions.includes(version)) versions.push(version);
    groups.set(group, versions);
  }
  return [...groups].map(([group, versions]) => ({ group, versions }));
}
