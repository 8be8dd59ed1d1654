// Defaults of pods and pod templates. Source: kubernetes/pkg/apis/core/v1/defaults.go.
import { canonicalQuantity } from '../quantity.ts';
import type { Pod } from '../types.ts';

export type PodSpec = NonNullable<Pod['spec']>;
export type Container = PodSpec['containers'][number];
type Probe = NonNullable<Container['livenessProbe']>;
type HttpGet = NonNullable<Probe['httpGet']>;
type Volume = NonNullable<PodSpec['volumes']>[number];

/** Defaults of the spec of a pod or of a template in a workload. */
export function defaultPodSpec(spec: PodSpec): void {
  spec.restartPolicy ??= 'Always';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.securityContext ??= {};
  spec.schedulerName ??= 'default-scheduler';
  // The deprecated alias is always written beside the new name.
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    defaultContainer(container);
  }
  for (const container of spec.containers ?? []) {
    // Behind a gate that is off in v1.34 (ContainerRestartRules): dropped without a word.
    delete container.restartPolicy;
    delete container.restartPolicyRules;
  }
}

/** What a Pod gets beyond a template: requests from limits, and what the admission plug-ins of a plain cluster add. */
export function defaultPod(pod: Pod): void {
  const spec = pod.spec;
  if (!spec) return;
  defaultPodSpec(spec);
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    if (spec.hostNetwork) for (const port of container.ports ?? []) port.hostPort ??= port.containerPort;
    const limits = container.resources?.limits;
    if (limits) container.resources!.requests = { ...limits, ...container.resources!.requests };
  }
  spec.enableServiceLinks ??= true;
  spec.serviceAccountName ??= 'default';
  spec.serviceAccount = spec.serviceAccountName;
  spec.priority ??= 0;
  spec.preemptionPolicy ??= 'PreemptLowerPriority';
}

/** On creation and update: the DefaultTolerationSeconds admission plug-in. */
export function addDefaultTolerations({ spec }: Pod): void {
  if (!spec) return;
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const tolerated = spec.tolerations?.some(
      (toleration) =>
        (toleration.key === key || !toleration.key) &&
        (toleration.effect === 'NoExecute' || !toleration.effect),
    );
    if (tolerated) continue;
    spec.tolerations = [
      ...(spec.tolerations ?? []),
      { effect: 'NoExecute', key, operator: 'Exists', tolerationSeconds: 300 },
    ];
  }
}

/** On creation only: matchLabelKeys become part of the selector (registry/core/pod/strategy.go). */
export function mergeMatchLabelKeys({ metadata, spec }: Pod): void {
  if (!spec) return;
  const labels = metadata.labels ?? {};
  const selecting = [
    ...(spec.topologySpreadConstraints ?? []),
    ...podTerms(spec.affinity?.podAffinity),
    ...podTerms(spec.affinity?.podAntiAffinity),
  ];
  for (const constraint of selecting) {
    for (const key of constraint.matchLabelKeys ?? []) {
      const value = labels[key];
      if (value === undefined || !constraint.labelSelector) continue;
      constraint.labelSelector.matchExpressions = [
        ...(constraint.labelSelector.matchExpressions ?? []),
        { key, operator: 'In', values: [value] },
      ];
    }
  }
}

function podTerms(
  affinity:
    | NonNullable<PodSpec['affinity']>['podAffinity']
    | NonNullable<PodSpec['affinity']>['podAntiAffinity'],
) {
  return [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => term.podAffinityTerm),
  ];
}

/** Guaranteed, Burstable or BestEffort. Source: pkg/apis/core/v1/helper/qos/qos.go. */
export function qosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const resources = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(
    (container) => container.resources,
  );
  const counted = (amounts: Record<string, string> | undefined) =>
    Object.entries(amounts ?? {}).filter(
      ([name, amount]) => (name === 'cpu' || name === 'memory') && canonicalQuantity(amount) !== '0',
    ).length;
  if (resources.every((resource) => !counted(resource?.limits) && !counted(resource?.requests))) {
    return 'BestEffort';
  }
  const guaranteed = resources.every((resource) => {
    const { limits, requests } = resource ?? {};
    return (
      limits?.cpu !== undefined &&
      limits.memory !== undefined &&
      (requests?.cpu ?? limits.cpu) === limits.cpu &&
      (requests?.memory ?? limits.memory) === limits.memory
    );
  });
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** Always for :latest and for no tag, else IfNotPresent; a digest alone is no tag. */
function defaultPullPolicy(image: string): string {
  // What is no image name has no tag to go by.
  if (/\s/.test(image)) return 'IfNotPresent';
  const name = image.slice(image.lastIndexOf('/') + 1);
  if (name.includes('@')) return name.split('@')[0]!.endsWith(':latest') ? 'Always' : 'IfNotPresent';
  const tag = name.includes(':') ? name.slice(name.indexOf(':') + 1) : 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultContainer(container: Container): void {
  container.resources ??= {};
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  container.imagePullPolicy ??= defaultPullPolicy(container.image ?? '');
  for (const amounts of [container.resources.limits, container.resources.requests]) {
    for (const [name, amount] of Object.entries(amounts ?? {})) amounts![name] = canonicalQuantity(amount);
  }
  for (const port of container.ports ?? []) port.protocol ??= 'TCP';
  for (const variable of container.env ?? []) {
    if (variable.valueFrom?.fieldRef) variable.valueFrom.fieldRef.apiVersion ??= 'v1';
    if (variable.valueFrom?.resourceFieldRef) variable.valueFrom.resourceFieldRef.divisor ??= '0';
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (!probe) continue;
    // Zero means unset for these (non-pointer fields).
    probe.timeoutSeconds ||= 1;
    probe.periodSeconds ||= 10;
    probe.successThreshold ||= 1;
    probe.failureThreshold ||= 3;
    if (probe.httpGet) defaultHttpGet(probe.httpGet);
    if (probe.grpc) probe.grpc.service ??= '';
  }
  for (const handler of [container.lifecycle?.preStop, container.lifecycle?.postStart]) {
    if (handler?.httpGet) defaultHttpGet(handler.httpGet);
  }
}

function defaultHttpGet(action: HttpGet): void {
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}

function defaultVolume(volume: Volume): void {
  const { configMap, secret, projected, downwardAPI } = volume;
  if (Object.keys(volume).every((field) => field === 'name')) volume.emptyDir = {};
  if (configMap) configMap.defaultMode ??= 420;
  if (secret) secret.defaultMode ??= 420;
  if (projected) projected.defaultMode ??= 420;
  if (downwardAPI) {
    downwardAPI.defaultMode ??= 420;
    for (const item of downwardAPI.items ?? []) if (item.fieldRef) item.fieldRef.apiVersion ??= 'v1';
  }
  if (volume.hostPath) volume.hostPath.type ??= '';
}
