// What becomes of each object that lies beside a workload: created as it stands, put in another's place, or left out
// with a sentence. Nothing is forgotten: a kind that is not named here is left out, and the report says so.
import type { Manifest } from '../model/manifest.ts';

type Fate =
  /** Created in the experiment's namespace, as it stands. */
  { readonly is: 'created' } | { readonly is: 'left-out'; readonly because: string };

const created: Fate = { is: 'created' };
const leftOut = (because: string): Fate => ({ is: 'left-out', because });

const entry = leftOut('the load enters at the Service, not in front of it');
const clusterWide = leftOut('it belongs to the whole cluster, where rollproof creates nothing');
const rules = leftOut('it is about a namespace as a whole, and load agent and control target run in it, too');
const once = leftOut('it runs beside the Service and answers nobody');

/** By kind; the API group only where two kinds share a name. */
const fates: Readonly<Record<string, Fate>> = {
  Deployment: created,
  StatefulSet: created,
  DaemonSet: created,
  ReplicaSet: created,
  Pod: created,
  Service: created,
  ConfigMap: created,
  Secret: created,
  ServiceAccount: created,
  PersistentVolumeClaim: created,
  PodDisruptionBudget: created,
  Role: created,
  RoleBinding: created,
  ReplicationController: leftOut('it is an old kind of workload; name a Deployment'),
  Rollout: leftOut('of Argo Rollouts, the one under test alone is created'),
  Job: once,
  CronJob: once,
  Namespace: leftOut('each experiment has a namespace of its own; labels of this one are not taken over'),
  HorizontalPodAutoscaler: leftOut(
    'it would change the number of pods in the middle of a measurement; scenario autoscale makes one of its own',
  ),
  VerticalPodAutoscaler: leftOut('it would restart pods in the middle of a measurement'),
  ScaledObject: leftOut('it would change the number of pods in the middle of a measurement'),
  Ingress: entry,
  IngressRoute: entry,
  VirtualService: entry,
  DestinationRule: leftOut('the load goes without a service mesh'),
  Gateway: entry,
  HTTPRoute: entry,
  GRPCRoute: entry,
  Route: entry,
  NetworkPolicy: leftOut('it could keep the load agent out'),
  ResourceQuota: rules,
  LimitRange: rules,
  Endpoints: leftOut('the endpoints of a Service are its own'),
  EndpointSlice: leftOut('the endpoints of a Service are its own'),
  Event: leftOut('it is no part of a workload'),
  ServiceMonitor: leftOut('nobody collects metrics here'),
  PodMonitor: leftOut('nobody collects metrics here'),
  PrometheusRule: leftOut('nobody collects metrics here'),
  Certificate: leftOut('nobody issues certificates here'),
  ClusterRole: clusterWide,
  ClusterRoleBinding: clusterWide,
  CustomResourceDefinition: clusterWide,
  PersistentVolume: clusterWide,
  StorageClass: clusterWide,
  IngressClass: clusterWide,
  GatewayClass: clusterWide,
  PriorityClass: clusterWide,
  RuntimeClass: clusterWide,
  APIService: clusterWide,
  MutatingWebhookConfiguration: clusterWide,
  ValidatingWebhookConfiguration: clusterWide,
  ValidatingAdmissionPolicy: clusterWide,
  ValidatingAdmissionPolicyBinding: clusterWide,
  PodSecurityPolicy: clusterWide,
  Node: clusterWide,
};

/** `workload`: kind and name of the one under test. */
export function fateOf(
  { kind, metadata }: Manifest,
  workload: { readonly kind: string; readonly name: string },
): Fate {
  if (kind === 'Rollout' && kind === workload.kind && metadata.name === workload.name) return created;
  const hook = metadata.annotations?.['helm.sh/hook'];
  if (hook) return leftOut(`it is a hook of Helm (${hook})`);
  const argoHook = metadata.annotations?.['argocd.argoproj.io/hook'];
  // What belongs to the sync itself is there while it serves.
  if (argoHook && argoHook !== 'Sync') return leftOut(`it is a hook of Argo CD (${argoHook})`);
  if (Object.hasOwn(fates, kind)) return fates[kind] as Fate;
  return leftOut('it is a kind that Kubernetes itself does not have');
}
