// Field numbers of the messages that kubectl posts as protobuf. Source: the generated.proto files of k8s.io/api v1.34.
// `int?` is a pointer field (0 is a value), `int` a plain one (0 is unset).

export type FieldType =
  | 'string'
  | 'int'
  | 'int?'
  | 'bool'
  | 'bool?'
  | 'bytes'
  | 'stringMap'
  | 'bytesMap'
  | 'quantityMap'
  /** Zeros that a client sends along and no server reads. */
  | 'ignored'
  | `message:${string}`;

export interface Field {
  name: string;
  type: FieldType;
  repeated: boolean;
}

export type Message = ReadonlyMap<number, Field>;

/** "3 replicas int?" per line; "[]" after the type: repeated. A type that is none of the above is a message. */
function message(text: string): Message {
  const fields = new Map<number, Field>();
  for (const line of text.trim().split(/\s*;\s*/)) {
    if (!line) continue;
    const [number, name = '', written = 'string'] = line.trim().split(/\s+/);
    const repeated = written.endsWith('[]');
    const type = written.replace('[]', '');
    fields.set(Number(number), {
      name,
      type: (/^[A-Z]/.test(type) ? `message:${type}` : type) as FieldType,
      repeated,
    });
  }
  return fields;
}

export const messages: Readonly<Record<string, Message>> = {
  Unknown: message('1 typeMeta TypeMeta; 2 raw bytes; 3 contentEncoding; 4 contentType'),
  TypeMeta: message('1 apiVersion; 2 kind'),
  ObjectMeta: message(`1 name; 2 generateName; 3 namespace; 4 selfLink ignored; 5 uid; 6 resourceVersion;
    7 generation ignored; 8 creationTimestamp ignored; 11 labels stringMap;
    12 annotations stringMap; 13 ownerReferences OwnerReference[]; 14 finalizers string[]`),
  OwnerReference: message(
    '5 apiVersion; 1 kind; 3 name; 4 uid; 6 controller bool?; 7 blockOwnerDeletion bool?',
  ),
  LabelSelector: message('1 matchLabels stringMap; 2 matchExpressions LabelSelectorRequirement[]'),
  LabelSelectorRequirement: message('1 key; 2 operator; 3 values string[]'),
  IntOrString: message('1 type int?; 2 int int?; 3 string'),
  Quantity: message('1 string'),

  Namespace: message('1 metadata ObjectMeta; 2 spec NamespaceSpec; 3 status ignored'),
  NamespaceSpec: message('1 finalizers string[]'),
  ConfigMap: message('1 metadata ObjectMeta; 2 data stringMap; 3 binaryData bytesMap; 4 immutable bool?'),
  Secret: message(
    '1 metadata ObjectMeta; 2 data bytesMap; 3 type; 4 stringData stringMap; 5 immutable bool?',
  ),
  ServiceAccount: message('1 metadata ObjectMeta; 4 automountServiceAccountToken bool?'),
  Service: message('1 metadata ObjectMeta; 2 spec ServiceSpec; 3 status ignored'),
  ServiceSpec:
    message(`1 ports ServicePort[]; 2 selector stringMap; 3 clusterIP; 4 type; 5 externalIPs string[];
    7 sessionAffinity; 8 loadBalancerIP; 10 externalName; 11 externalTrafficPolicy; 13 publishNotReadyAddresses bool`),
  ServicePort: message(
    '1 name; 2 protocol; 3 port int; 4 targetPort IntOrString; 5 nodePort int; 6 appProtocol',
  ),

  Deployment: message('1 metadata ObjectMeta; 2 spec DeploymentSpec; 3 status ignored'),
  DeploymentSpec: message(`1 replicas int?; 2 selector LabelSelector; 3 template PodTemplateSpec;
    4 strategy DeploymentStrategy; 5 minReadySeconds int; 6 revisionHistoryLimit int?; 7 paused bool;
    9 progressDeadlineSeconds int?`),
  DeploymentStrategy: message('1 type; 2 rollingUpdate RollingUpdateDeployment'),
  RollingUpdateDeployment: message('1 maxUnavailable IntOrString; 2 maxSurge IntOrString'),
  PodTemplateSpec: message('1 metadata ObjectMeta; 2 spec PodSpec'),
  Pod: message('1 metadata ObjectMeta; 2 spec PodSpec; 3 status ignored'),
  PodSpec: message(`2 containers Container[]; 3 restartPolicy; 4 terminationGracePeriodSeconds int?;
    5 activeDeadlineSeconds int?; 6 dnsPolicy; 7 nodeSelector stringMap; 8 serviceAccountName; 10 nodeName;
    11 hostNetwork bool; 14 securityContext Empty; 19 schedulerName; 20 initContainers Container[]`),
  Empty: message(''),
  Container:
    message(`1 name; 2 image; 3 command string[]; 4 args string[]; 5 workingDir; 6 ports ContainerPort[];
    7 env EnvVar[]; 8 resources ResourceRequirements; 13 terminationMessagePath; 14 imagePullPolicy;
    16 stdin bool; 17 stdinOnce bool; 18 tty bool; 20 terminationMessagePolicy`),
  ContainerPort: message('1 name; 2 hostPort int; 3 containerPort int; 4 protocol; 5 hostIP'),
  EnvVar: message('1 name; 2 value'),
  ResourceRequirements: message('1 limits quantityMap; 2 requests quantityMap'),

  Job: message('1 metadata ObjectMeta; 2 spec JobSpec; 3 status ignored'),
  JobSpec:
    message(`1 parallelism int?; 2 completions int?; 3 activeDeadlineSeconds int?; 4 selector LabelSelector;
    5 manualSelector bool?; 6 template PodTemplateSpec; 7 backoffLimit int?; 8 ttlSecondsAfterFinished int?;
    9 completionMode; 10 suspend bool?`),
  PodDisruptionBudget: message('1 metadata ObjectMeta; 2 spec PodDisruptionBudgetSpec; 3 status ignored'),
  PodDisruptionBudgetSpec:
    message(`1 minAvailable IntOrString; 2 selector LabelSelector; 3 maxUnavailable IntOrString;
    4 unhealthyPodEvictionPolicy`),

  'autoscaling/v2 HorizontalPodAutoscaler': message(
    '1 metadata ObjectMeta; 2 spec HorizontalPodAutoscalerSpec; 3 status ignored',
  ),
  HorizontalPodAutoscalerSpec: message(`1 scaleTargetRef CrossVersionObjectReference; 2 minReplicas int?;
    3 maxReplicas int; 4 metrics MetricSpec[]`),
  'autoscaling/v1 HorizontalPodAutoscaler': message(
    '1 metadata ObjectMeta; 2 spec HorizontalPodAutoscalerSpecV1; 3 status ignored',
  ),
  HorizontalPodAutoscalerSpecV1: message(`1 scaleTargetRef CrossVersionObjectReference; 2 minReplicas int?;
    3 maxReplicas int; 4 targetCPUUtilizationPercentage int?`),
  CrossVersionObjectReference: message('1 kind; 2 name; 3 apiVersion'),
  MetricSpec: message('1 type; 4 resource ResourceMetricSource'),
  ResourceMetricSource: message('1 name; 2 target MetricTarget'),
  MetricTarget: message('1 type; 2 value Quantity; 3 averageValue Quantity; 4 averageUtilization int?'),

  SelfSubjectAccessReview: message(
    '1 metadata ObjectMeta; 2 spec SelfSubjectAccessReviewSpec; 3 status ignored',
  ),
  SelfSubjectAccessReviewSpec: message(
    '1 resourceAttributes ResourceAttributes; 2 nonResourceAttributes NonResourceAttributes',
  ),
  ResourceAttributes: message('1 namespace; 2 verb; 3 group; 4 version; 5 resource; 6 subresource; 7 name'),
  NonResourceAttributes: message('1 path; 2 verb'),
  SelfSubjectRulesReview: message(
    '1 metadata ObjectMeta; 2 spec SelfSubjectRulesReviewSpec; 3 status ignored',
  ),
  SelfSubjectRulesReviewSpec: message('1 namespace'),
  SelfSubjectReview: message('1 metadata ObjectMeta; 2 status ignored'),
  Eviction: message('1 metadata ObjectMeta; 2 deleteOptions DeleteOptions'),
  DeleteOptions: message(
    '1 gracePeriodSeconds int?; 2 preconditions Preconditions; 3 orphanDependents bool?; 4 propagationPolicy; 5 dryRun string[]',
  ),
  Preconditions: message('1 uid; 2 resourceVersion'),
};
