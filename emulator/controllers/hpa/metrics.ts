// The metrics of an autoscaler: what each asks for, its status entry, and how it fails.
// Source: computeReplicasForMetric and computeStatusFor… in pkg/controller/podautoscaler/horizontal.go.
import type { PodUsage } from '../../api/hooks.ts';
import { canonicalQuantity } from '../../api/quantity.ts';
import type { Autoscaler, Pod } from '../../api/types.ts';
import { amountOf } from '../scheduler/resources.ts';
import {
  type CalculatorOptions,
  type PodMetric,
  type Proposal,
  type ResourceTarget,
  resourceReplicas,
} from './replica-calculator.ts';

type AutoscalerSpec = NonNullable<Autoscaler['spec']>;
type MetricSpec = NonNullable<AutoscalerSpec['metrics']>[number];
export type MetricStatus = NonNullable<NonNullable<Autoscaler['status']>['currentMetrics']>[number];

interface MetricInput {
  readonly current: number;
  readonly pods: readonly Pod[];
  readonly usage: readonly PodUsage[];
  readonly nowMs: number;
  readonly options: CalculatorOptions;
}

export type MetricResult =
  | { readonly ok: true; readonly replicas: number; readonly name: string; readonly status: MetricStatus }
  | {
      readonly ok: false;
      /** Of the event and the ScalingActive condition. */
      readonly reason: string;
      /** Of the event and, after "the HPA was unable to compute the replica count: ", of the condition. */
      readonly message: string;
      /** As one of several metrics. */
      readonly error: string;
    };

export function evaluateMetric(metric: MetricSpec, input: MetricInput): MetricResult {
  switch (metric.type) {
    case 'Resource': {
      const { name, target } = metric.resource ?? { name: '', target: { type: '' } };
      return evaluateResource({ resource: name, ...goalOf(name, target) }, input);
    }
    case 'ContainerResource': {
      const { name, container, target } = metric.containerResource ?? {
        name: '',
        container: '',
        target: { type: '' },
      };
      return evaluateResource({ resource: name, container, ...goalOf(name, target) }, input);
    }
    case 'Pods':
      return unavailable('FailedGetPodsMetric', 'pods metric value', metric.pods?.metric.name, 'custom');
    case 'Object':
      return unavailable(
        'FailedGetObjectMetric',
        'object metric value',
        metric.object?.metric.name,
        'custom',
      );
    case 'External':
      return unavailable(
        'FailedGetExternalMetric',
        'external metric value',
        metric.external?.metric.name,
        'external',
      );
    default: {
      const message = `unknown metric source type "${metric.type}"`;
      return { ok: false, reason: 'InvalidMetricSourceType', message, error: message };
    }
  }
}

function evaluateResource(target: ResourceTarget, input: MetricInput): MetricResult {
  const { resource, container } = target;
  const kind = container === undefined ? 'resource' : 'container resource';
  const reason = container === undefined ? 'FailedGetResourceMetric' : 'FailedGetContainerResourceMetric';
  const goal = target.utilization === undefined ? 'usage' : 'utilization';
  try {
    const metrics = metricsOf(target, input);
    const { current, pods, nowMs, options } = input;
    const proposal = resourceReplicas(current, target, pods, metrics, nowMs, options);
    const name =
      target.utilization === undefined
        ? `${resource} ${kind}`
        : `${resource} ${kind} utilization (percentage of request)`;
    return { ok: true, replicas: proposal.replicas, name, status: statusOf(target, proposal) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const message = `failed to get ${resource} ${goal}: ${error.message}`;
    const source = container === undefined ? 'resource' : 'container';
    return {
      ok: false,
      reason,
      message,
      error: `failed to get ${resource} ${source} metric value: ${message}`,
    };
  }
}

/** Usage per pod; a pod one of whose containers is not in the metrics has none. */
function metricsOf({ resource, container }: ResourceTarget, { pods, usage }: MetricInput) {
  const names = new Set(pods.map(({ metadata }) => metadata.name));
  const metrics = new Map<string, PodMetric>();
  for (const { name, timestamp, windowSeconds, containers } of usage) {
    if (!names.has(name)) continue;
    const counted =
      container === undefined ? containers : containers.filter((each) => each.name === container);
    if (counted.length === 0) continue;
    const valueMilli = counted.reduce(
      (total, { cpuNanocores, memoryBytes }) =>
        total + (resource === 'cpu' ? Math.ceil(cpuNanocores / 1e6) : Math.ceil(memoryBytes) * 1000),
      0,
    );
    metrics.set(name, { valueMilli, atMs: Date.parse(timestamp), windowMs: windowSeconds * 1000 });
  }
  if (metrics.size > 0) return metrics;
  throw new Error(
    `unable to get metrics for resource ${resource}: no metrics returned from resource metrics API`,
  );
}

function goalOf(
  resource: string,
  target: { averageUtilization?: number; averageValue?: string },
): Pick<ResourceTarget, 'utilization' | 'averageMilli'> {
  return target.averageValue === undefined
    ? { utilization: target.averageUtilization ?? 0 }
    : { averageMilli: amountOf(resource, target.averageValue) * (resource === 'cpu' ? 1 : 1000) };
}

function statusOf({ resource, container }: ResourceTarget, proposal: Proposal): MetricStatus {
  const current = {
    averageValue: canonicalQuantity(`${proposal.averageMilli}m`),
    ...(proposal.utilization === undefined ? {} : { averageUtilization: proposal.utilization }),
  };
  return container === undefined
    ? { type: 'Resource', resource: { name: resource, current } }
    : { type: 'ContainerResource', containerResource: { name: resource, container, current } };
}

/** A cluster without an adapter for custom or external metrics, as this one is. */
function unavailable(
  reason: string,
  what: string,
  name: string | undefined,
  api: 'custom' | 'external',
): MetricResult {
  const message = `unable to get ${api === 'external' ? 'external metric' : 'metric'} ${name}: unable to fetch metrics from ${api} metrics API: no ${api} metrics API (${api}.metrics.k8s.io) registered`;
  return { ok: false, reason, message, error: `failed to get ${what}: ${message}` };
}
