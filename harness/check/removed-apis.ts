// API versions that Kubernetes no longer serves, and what took their place. Source: kubernetes.io, "Deprecated API
// Migration Guide". Minor versions of 1.x.

interface RemovedApi {
  readonly removedInMinor: number;
  /** Undefined: nothing took its place. */
  readonly replacement: string | undefined;
}

/** What is known of an apiVersion and kind that is gone; undefined: it is served, or not one of Kubernetes' own. */
export function removedApi(apiVersion: string, kind: string): RemovedApi | undefined {
  const row = table.find(([version, , , kinds]) => version === apiVersion && kinds.includes(kind));
  return row && { removedInMinor: row[1], replacement: row[2] };
}

type Row = readonly [
  version: string,
  removedInMinor: number,
  replacement: string | undefined,
  kinds: readonly string[],
];

const table: readonly Row[] = [
  ['extensions/v1beta1', 16, 'apps/v1', ['Deployment', 'DaemonSet', 'ReplicaSet']],
  ['extensions/v1beta1', 16, 'networking.k8s.io/v1', ['NetworkPolicy']],
  ['extensions/v1beta1', 16, undefined, ['PodSecurityPolicy']],
  ['apps/v1beta1', 16, 'apps/v1', ['Deployment', 'StatefulSet', 'ControllerRevision']],
  [
    'apps/v1beta2',
    16,
    'apps/v1',
    ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ControllerRevision'],
  ],
  ['batch/v2alpha1', 21, 'batch/v1', ['CronJob']],
  [
    'admissionregistration.k8s.io/v1beta1',
    22,
    'admissionregistration.k8s.io/v1',
    ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'],
  ],
  ['apiextensions.k8s.io/v1beta1', 22, 'apiextensions.k8s.io/v1', ['CustomResourceDefinition']],
  ['apiregistration.k8s.io/v1beta1', 22, 'apiregistration.k8s.io/v1', ['APIService']],
  ['authentication.k8s.io/v1beta1', 22, 'authentication.k8s.io/v1', ['TokenReview']],
  [
    'authorization.k8s.io/v1beta1',
    22,
    'authorization.k8s.io/v1',
    ['LocalSubjectAccessReview', 'SelfSubjectAccessReview', 'SubjectAccessReview', 'SelfSubjectRulesReview'],
  ],
  ['certificates.k8s.io/v1beta1', 22, 'certificates.k8s.io/v1', ['CertificateSigningRequest']],
  ['coordination.k8s.io/v1beta1', 22, 'coordination.k8s.io/v1', ['Lease']],
  ['extensions/v1beta1', 22, 'networking.k8s.io/v1', ['Ingress']],
  ['networking.k8s.io/v1beta1', 22, 'networking.k8s.io/v1', ['Ingress', 'IngressClass']],
  [
    'rbac.authorization.k8s.io/v1alpha1',
    22,
    'rbac.authorization.k8s.io/v1',
    ['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'],
  ],
  [
    'rbac.authorization.k8s.io/v1beta1',
    22,
    'rbac.authorization.k8s.io/v1',
    ['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'],
  ],
  ['scheduling.k8s.io/v1alpha1', 22, 'scheduling.k8s.io/v1', ['PriorityClass']],
  ['scheduling.k8s.io/v1beta1', 22, 'scheduling.k8s.io/v1', ['PriorityClass']],
  [
    'storage.k8s.io/v1beta1',
    22,
    'storage.k8s.io/v1',
    ['CSIDriver', 'CSINode', 'StorageClass', 'VolumeAttachment'],
  ],
  ['batch/v1beta1', 25, 'batch/v1', ['CronJob']],
  ['discovery.k8s.io/v1beta1', 25, 'discovery.k8s.io/v1', ['EndpointSlice']],
  ['events.k8s.io/v1beta1', 25, 'events.k8s.io/v1', ['Event']],
  ['autoscaling/v2beta1', 25, 'autoscaling/v2', ['HorizontalPodAutoscaler']],
  ['policy/v1beta1', 25, 'policy/v1', ['PodDisruptionBudget']],
  ['policy/v1beta1', 25, undefined, ['PodSecurityPolicy']],
  ['node.k8s.io/v1beta1', 25, 'node.k8s.io/v1', ['RuntimeClass']],
  ['autoscaling/v2beta2', 26, 'autoscaling/v2', ['HorizontalPodAutoscaler']],
  [
    'flowcontrol.apiserver.k8s.io/v1beta1',
    26,
    'flowcontrol.apiserver.k8s.io/v1',
    ['FlowSchema', 'PriorityLevelConfiguration'],
  ],
  ['storage.k8s.io/v1beta1', 27, 'storage.k8s.io/v1', ['CSIStorageCapacity']],
  [
    'flowcontrol.apiserver.k8s.io/v1beta2',
    29,
    'flowcontrol.apiserver.k8s.io/v1',
    ['FlowSchema', 'PriorityLevelConfiguration'],
  ],
  [
    'flowcontrol.apiserver.k8s.io/v1beta3',
    32,
    'flowcontrol.apiserver.k8s.io/v1',
    ['FlowSchema', 'PriorityLevelConfiguration'],
  ],
];
