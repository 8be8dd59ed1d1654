// The resources that the emulated API server has, in discovery order: what kubectl resolves names and "all" by.
export interface ResourceDefinition {
  /** Plural, unique among stored resources. */
  readonly resource: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  /** Member of `kubectl get all`. */
  readonly inAll: boolean;
  readonly hasStatus: boolean;
  readonly hasScale: boolean;
  /** What raises metadata.generation; `none`: it has none. */
  readonly generation: 'spec' | 'spec-or-annotations' | 'content' | 'none';
  /** Why none of it can be made here: Kubernetes has the kind, and the emulation could only store it. */
  readonly refused?: string;
}

/** "apps/v1", "v1". */
export function groupVersion(definition: Pick<ResourceDefinition, 'group' | 'version'>): string {
  return definition.group ? `${definition.group}/${definition.version}` : definition.version;
}

type Flag = 'cluster' | 'all' | 'status' | 'scale';

function define(
  group: string,
  version: string,
  resource: string,
  kind: string,
  shortNames: string[],
  generation: ResourceDefinition['generation'],
  ...flags: Flag[]
): ResourceDefinition {
  return {
    resource,
    group,
    version,
    kind,
    namespaced: !flags.includes('cluster'),
    shortNames,
    inAll: flags.includes('all'),
    hasStatus: flags.includes('status'),
    hasScale: flags.includes('scale'),
    generation,
  };
}

// Generations: the strategies' PrepareForUpdate in kubernetes/pkg/registry (deployment bumps on annotations too).
const ownDefinitions: readonly ResourceDefinition[] = [
  define('', 'v1', 'namespaces', 'Namespace', ['ns'], 'none', 'cluster', 'status'),
  define('', 'v1', 'nodes', 'Node', ['no'], 'none', 'cluster', 'status'),
  define('', 'v1', 'pods', 'Pod', ['po'], 'spec', 'all', 'status'),
  define(
    '',
    'v1',
    'replicationcontrollers',
    'ReplicationController',
    ['rc'],
    'spec',
    'all',
    'status',
    'scale',
  ),
  define('', 'v1', 'services', 'Service', ['svc'], 'none', 'all', 'status'),
  define('', 'v1', 'endpoints', 'Endpoints', ['ep'], 'none'),
  define('', 'v1', 'events', 'Event', ['ev'], 'none'),
  define('', 'v1', 'configmaps', 'ConfigMap', ['cm'], 'none'),
  define('', 'v1', 'secrets', 'Secret', [], 'none'),
  define('', 'v1', 'serviceaccounts', 'ServiceAccount', ['sa'], 'none'),
  define('', 'v1', 'limitranges', 'LimitRange', ['limits'], 'none'),
  define('', 'v1', 'resourcequotas', 'ResourceQuota', ['quota'], 'none', 'status'),
  define('', 'v1', 'persistentvolumeclaims', 'PersistentVolumeClaim', ['pvc'], 'none', 'status'),
  define('', 'v1', 'persistentvolumes', 'PersistentVolume', ['pv'], 'none', 'cluster', 'status'),
  define('', 'v1', 'podtemplates', 'PodTemplate', [], 'content'),
  define(
    'apps',
    'v1',
    'deployments',
    'Deployment',
    ['deploy'],
    'spec-or-annotations',
    'all',
    'status',
    'scale',
  ),
  define('apps', 'v1', 'replicasets', 'ReplicaSet', ['rs'], 'spec', 'all', 'status', 'scale'),
  define('apps', 'v1', 'daemonsets', 'DaemonSet', ['ds'], 'spec', 'all', 'status'),
  define('apps', 'v1', 'statefulsets', 'StatefulSet', ['sts'], 'spec', 'all', 'status', 'scale'),
  define('apps', 'v1', 'controllerrevisions', 'ControllerRevision', [], 'none'),
  define(
    'autoscaling',
    'v2',
    'horizontalpodautoscalers',
    'HorizontalPodAutoscaler',
    ['hpa'],
    'none',
    'all',
    'status',
  ),
  define('batch', 'v1', 'cronjobs', 'CronJob', ['cj'], 'spec', 'all', 'status'),
  define('batch', 'v1', 'jobs', 'Job', [], 'spec', 'all', 'status'),
  define('coordination.k8s.io', 'v1', 'leases', 'Lease', [], 'none'),
  define('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice', [], 'content'),
  define('networking.k8s.io', 'v1', 'ingresses', 'Ingress', ['ing'], 'spec', 'status'),
  define('networking.k8s.io', 'v1', 'ingressclasses', 'IngressClass', [], 'spec', 'cluster'),
  define('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy', ['netpol'], 'spec'),
  define('policy', 'v1', 'poddisruptionbudgets', 'PodDisruptionBudget', ['pdb'], 'spec', 'status'),
  define('rbac.authorization.k8s.io', 'v1', 'roles', 'Role', [], 'none'),
  define('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding', [], 'none'),
  define('rbac.authorization.k8s.io', 'v1', 'clusterroles', 'ClusterRole', [], 'none', 'cluster'),
  define(
    'rbac.authorization.k8s.io',
    'v1',
    'clusterrolebindings',
    'ClusterRoleBinding',
    [],
    'none',
    'cluster',
  ),
  define('scheduling.k8s.io', 'v1', 'priorityclasses', 'PriorityClass', ['pc'], 'content', 'cluster'),
  define('storage.k8s.io', 'v1', 'storageclasses', 'StorageClass', ['sc'], 'none', 'cluster'),
];

function refuse(
  why: string,
  group: string,
  version: string,
  ...kinds: [resource: string, kind: string, shortNames?: string[], namespaced?: boolean][]
): ResourceDefinition[] {
  return kinds.map(([resource, kind, shortNames = [], namespaced = false]) => ({
    ...define(
      group,
      version,
      resource,
      kind,
      shortNames,
      'none',
      ...(namespaced ? [] : (['cluster'] as const)),
    ),
    refused: why,
  }));
}

/** Kinds of Kubernetes that can be listed, and of which there is never one: whoever makes one hears why not. */
const refusedDefinitions: readonly ResourceDefinition[] = [
  ...refuse(
    'webhooks and policies are asked by nobody when an object is written',
    'admissionregistration.k8s.io',
    'v1',
    ['mutatingwebhookconfigurations', 'MutatingWebhookConfiguration'],
    ['validatingadmissionpolicies', 'ValidatingAdmissionPolicy'],
    ['validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding'],
    ['validatingwebhookconfigurations', 'ValidatingWebhookConfiguration'],
  ),
  ...refuse("it has Kubernetes' own kinds and no others", 'apiextensions.k8s.io', 'v1', [
    'customresourcedefinitions',
    'CustomResourceDefinition',
    ['crd', 'crds'],
  ]),
  ...refuse('it hands no requests on to other API servers', 'apiregistration.k8s.io', 'v1', [
    'apiservices',
    'APIService',
  ]),
  ...refuse('nobody signs certificates', 'certificates.k8s.io', 'v1', [
    'certificatesigningrequests',
    'CertificateSigningRequest',
    ['csr'],
  ]),
  ...refuse(
    'it queues no requests',
    'flowcontrol.apiserver.k8s.io',
    'v1',
    ['flowschemas', 'FlowSchema'],
    ['prioritylevelconfigurations', 'PriorityLevelConfiguration'],
  ),
  ...refuse(
    'addresses come from a block of its own',
    'networking.k8s.io',
    'v1',
    ['ipaddresses', 'IPAddress', ['ip']],
    ['servicecidrs', 'ServiceCIDR'],
  ),
  ...refuse('it has no container runtime', 'node.k8s.io', 'v1', ['runtimeclasses', 'RuntimeClass']),
  ...refuse(
    'it has no devices',
    'resource.k8s.io',
    'v1',
    ['deviceclasses', 'DeviceClass'],
    ['resourceclaims', 'ResourceClaim', [], true],
    ['resourceclaimtemplates', 'ResourceClaimTemplate', [], true],
    ['resourceslices', 'ResourceSlice'],
  ),
  ...refuse(
    'it has one provisioner of its own and no drivers',
    'storage.k8s.io',
    'v1',
    ['csidrivers', 'CSIDriver'],
    ['csinodes', 'CSINode'],
    ['csistoragecapacities', 'CSIStorageCapacity', [], true],
    ['volumeattachments', 'VolumeAttachment'],
    ['volumeattributesclasses', 'VolumeAttributesClass', ['vac']],
  ),
];

export const definitions: readonly ResourceDefinition[] = [...ownDefinitions, ...refusedDefinitions];

const byResource = new Map(definitions.map((definition) => [definition.resource, definition]));

/** The definition of a stored resource. Throws for a name that is not in the table: a programming error. */
export function definitionOf(resource: string): ResourceDefinition {
  const definition = byResource.get(resource);
  if (!definition) throw new Error(`no resource "${resource}" in the emulated cluster`);
  return definition;
}
