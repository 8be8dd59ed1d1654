// HorizontalPodAutoscaler v2. Source: pkg/apis/autoscaling/validation/validation.go.
import { parseQuantity } from '../quantity.ts';
import type { Autoscaler } from '../types.ts';
import type { FieldErrors } from './field.ts';

type Spec = NonNullable<Autoscaler['spec']>;
type Metric = NonNullable<Spec['metrics']>[number];
type Target = NonNullable<Metric['resource']>['target'];
type Rules = NonNullable<NonNullable<Spec['behavior']>['scaleUp']>;

/** Seconds. */
const longestWindow = 3600;
const longestPeriod = 1800;

export function validateAutoscaler(errors: FieldErrors, { spec }: Autoscaler): void {
  const { minReplicas, maxReplicas = 0, scaleTargetRef, metrics = [], behavior } = spec ?? ({} as Spec);
  if (minReplicas !== undefined && minReplicas < 1) {
    errors.invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1');
  }
  if (maxReplicas < 1) errors.invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0');
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`');
  }
  if (!scaleTargetRef?.kind) errors.required('spec.scaleTargetRef.kind');
  if (!scaleTargetRef?.name) errors.required('spec.scaleTargetRef.name');
  // The one workload of the core group that has a size.
  const maybeCore = scaleTargetRef?.kind === 'ReplicationController';
  if (!maybeCore && !scaleTargetRef?.apiVersion?.includes('/')) {
    errors.invalid(
      'spec.scaleTargetRef.apiVersion',
      scaleTargetRef?.apiVersion ?? '',
      'apiVersion must specify API group',
    );
  }
  for (const [index, metric] of metrics.entries()) validateMetric(errors, `spec.metrics[${index}]`, metric);
  if (minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External')) {
    errors.forbidden(
      'spec.metrics',
      'must specify at least one Object or External metric to support scaling to zero replicas',
    );
  }
  validateRules(errors, 'spec.behavior.scaleUp', behavior?.scaleUp);
  validateRules(errors, 'spec.behavior.scaleDown', behavior?.scaleDown);
}

const metricTypes = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];

function validateMetric(errors: FieldErrors, field: string, metric: Metric): void {
  if (!metricTypes.includes(metric.type)) {
    errors.notSupported(`${field}.type`, metric.type, metricTypes);
    return;
  }
  const path = `${field}.${metric.type.charAt(0).toLowerCase()}${metric.type.slice(1)}`;
  const { resource, containerResource, pods } = metric;
  switch (metric.type) {
    case 'Resource':
      if (resource) validateResource(errors, path, resource);
      else errors.required(path, populated);
      break;
    case 'ContainerResource':
      if (!containerResource) {
        errors.required(path, populated);
        break;
      }
      if (!containerResource.container) errors.required(`${path}.container`, 'must specify a container');
      validateResource(errors, path, containerResource);
      break;
    case 'Pods':
      if (!pods) {
        errors.required(path, populated);
        break;
      }
      if (!pods.metric?.name) errors.required(`${path}.metric.name`, 'must specify a metric name');
      validateTarget(errors, `${path}.target`, pods.target);
      if (!((parseQuantity(pods.target?.averageValue ?? '0')?.nano ?? 0n) > 0n)) {
        errors.required(`${path}.target.averageValue`, 'must specify a positive target averageValue');
      }
      break;
    default:
      break;
  }
}

const populated = 'must populate information for the given metric source';

function validateResource(
  errors: FieldErrors,
  path: string,
  { name, target }: { name?: string; target?: Target },
): void {
  if (!name) errors.required(`${path}.name`, 'must specify a resource name');
  validateTarget(errors, `${path}.target`, target);
  if (target?.averageUtilization === undefined && target?.averageValue === undefined) {
    errors.required(
      `${path}.target.averageUtilization`,
      'must set either a target raw value or a target utilization',
    );
  }
  if (target?.averageUtilization !== undefined && target.averageValue !== undefined) {
    errors.forbidden(
      `${path}.target.averageValue`,
      'may not set both a target raw value and a target utilization',
    );
  }
}

function validateTarget(errors: FieldErrors, field: string, target: Target | undefined): void {
  const type = target?.type ?? '';
  if (!type) errors.required(`${field}.type`, 'must specify a metric target type');
  else if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    errors.invalid(`${field}.type`, type, 'must be either Utilization, Value, or AverageValue');
  }
  if (target?.averageUtilization !== undefined && target.averageUtilization < 1) {
    errors.invalid(`${field}.averageUtilization`, target.averageUtilization, 'must be greater than 0');
  }
  for (const amount of ['value', 'averageValue'] as const) {
    const text = target?.[amount];
    if (text !== undefined && !((parseQuantity(text)?.nano ?? 0n) > 0n)) {
      errors.invalid(`${field}.${amount}`, text, 'must be positive');
    }
  }
}

function validateRules(errors: FieldErrors, field: string, rules: Rules | undefined): void {
  if (!rules) return;
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [] } = rules;
  if (window !== undefined && window < 0) {
    errors.invalid(`${field}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero');
  }
  if (window !== undefined && window > longestWindow) {
    errors.invalid(
      `${field}.stabilizationWindowSeconds`,
      window,
      `must be less than or equal to ${longestWindow}`,
    );
  }
  if (selectPolicy !== undefined && !['Disabled', 'Max', 'Min'].includes(selectPolicy)) {
    errors.notSupported(`${field}.selectPolicy`, selectPolicy, ['Disabled', 'Max', 'Min']);
  }
  for (const [index, { type, value = 0, periodSeconds = 0 }] of policies.entries()) {
    const path = `${field}.policies[${index}]`;
    if (type !== 'Percent' && type !== 'Pods') errors.notSupported(`${path}.type`, type, ['Percent', 'Pods']);
    if (value <= 0) errors.invalid(`${path}.value`, value, 'must be greater than zero');
    if (periodSeconds <= 0)
      errors.invalid(`${path}.periodSeconds`, periodSeconds, 'must be greater than zero');
    if (periodSeconds > longestPeriod) {
      errors.invalid(
        `${path}.periodSeconds`,
        periodSeconds,
        `must be less than or equal to ${longestPeriod}`,
      );
    }
  }
}
