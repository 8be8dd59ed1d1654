// Defaults of Service, HorizontalPodAutoscaler, Namespace, EndpointSlice, Event and the small kinds.
// Source: kubernetes/pkg/apis/{core,autoscaling,discovery}/…/defaults.go and the create strategies.
import { canonicalQuantity } from '../quantity.ts';
import type { Autoscaler, EndpointSlice, Kinds, KubeEvent, Service } from '../types.ts';

type ScalingRules = NonNullable<NonNullable<NonNullable<Autoscaler['spec']>['behavior']>['scaleUp']>;

/** @param allocate Gives what is unused. */
export function defaultService(
  service: Service,
  allocate: { clusterIP(): string; nodePort(own: Service): number },
): void {
  const spec = service.spec;
  if (!spec) return;
  spec.sessionAffinity ||= 'None';
  if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= 10_800;
  } else delete spec.sessionAffinityConfig;
  spec.type ||= 'ClusterIP';
  if (spec.type !== 'ExternalName') {
    spec.clusterIP ||= allocate.clusterIP();
    spec.clusterIPs = [spec.clusterIP];
    spec.ipFamilies ??= ['IPv4'];
    spec.ipFamilyPolicy ??= 'SingleStack';
    spec.internalTrafficPolicy ??= 'Cluster';
  }
  const balanced = spec.type === 'LoadBalancer';
  if (balanced) spec.allocateLoadBalancerNodePorts ??= true;
  const onNodes = spec.type === 'NodePort' || (balanced && spec.allocateLoadBalancerNodePorts);
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    if (port.targetPort === undefined || port.targetPort === '' || port.targetPort === 0) {
      port.targetPort = port.port;
    }
    if (onNodes) port.nodePort ||= allocate.nodePort(service);
  }
  if (spec.type === 'NodePort' || balanced) spec.externalTrafficPolicy ??= 'Cluster';
  if (balanced && spec.externalTrafficPolicy === 'Local')
    spec.healthCheckNodePort ||= allocate.nodePort(service);
}

export function defaultAutoscaler(autoscaler: Autoscaler): void {
  const spec = autoscaler.spec;
  if (!spec) return;
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length) {
    spec.metrics = [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
      },
    ];
  }
  for (const metric of spec.metrics) {
    const target = (
      metric.resource ??
      metric.containerResource ??
      metric.pods ??
      metric.object ??
      metric.external
    )?.target;
    if (target?.averageValue !== undefined) target.averageValue = canonicalQuantity(target.averageValue);
    if (target?.value !== undefined) target.value = canonicalQuantity(target.value);
  }
  if (!spec.behavior) return;
  // Behind a gate that is off in v1.34 (HPAConfigurableTolerance): dropped without a word.
  delete spec.behavior.scaleUp?.tolerance;
  delete spec.behavior.scaleDown?.tolerance;
  spec.behavior.scaleUp = defaultRules(spec.behavior.scaleUp, 0, [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ]);
  spec.behavior.scaleDown = defaultRules(spec.behavior.scaleDown, undefined, [
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ]);
}

function defaultRules(
  rules: ScalingRules = {},
  stabilizationWindowSeconds: number | undefined,
  policies: NonNullable<ScalingRules['policies']>,
): ScalingRules {
  return {
    ...(stabilizationWindowSeconds === undefined ? {} : { stabilizationWindowSeconds }),
    selectPolicy: 'Max',
    ...rules,
    policies: rules.policies?.length ? rules.policies : policies,
  };
}

export function defaultNamespace(namespace: Kinds['namespaces']): void {
  namespace.spec ??= {};
  namespace.spec.finalizers ??= ['kubernetes'];
  namespace.metadata.labels = {
    ...namespace.metadata.labels,
    'kubernetes.io/metadata.name': namespace.metadata.name,
  };
}

export function defaultEndpointSlice(slice: EndpointSlice): void {
  slice.endpoints ??= [];
  for (const endpoint of slice.endpoints) endpoint.conditions ??= {};
  for (const port of slice.ports ?? []) {
    port.name ??= '';
    port.protocol ??= 'TCP';
  }
}

export function defaultEvent(event: KubeEvent): void {
  event.source ??= {};
  event.reportingComponent ??= '';
  event.reportingInstance ??= '';
}

interface PolicySpec {
  policyTypes?: string[];
  egress?: { ports?: { protocol?: string }[] }[];
  ingress?: { ports?: { protocol?: string }[] }[];
}

export function defaultNetworkPolicy({ spec }: { spec?: PolicySpec }): void {
  if (!spec) return;
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
    for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
  }
  if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
}

interface Binding {
  roleRef?: { apiGroup?: string };
  subjects?: { kind?: string; apiGroup?: string }[];
}

export function defaultBinding({ roleRef, subjects = [] }: Binding): void {
  const group = 'rbac.authorization.k8s.io';
  if (roleRef) roleRef.apiGroup ||= group;
  for (const subject of subjects) {
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= group;
  }
}
