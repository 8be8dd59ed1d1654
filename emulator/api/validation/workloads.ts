// Deployment, ReplicaSet, DaemonSet, Job. Source: pkg/apis/{apps,batch}/validation/validation.go.
import { type LabelSelector, matchesSelector } from '../label-selector.ts';
import { equalObjects } from '../objects.ts';
import type { DaemonSet, Deployment, Job, Pod, ReplicaSet } from '../types.ts';
import type { FieldErrors } from './field.ts';
import { validateAnnotations } from './metadata.ts';
import { atMost100Percent, intOrPercent, isZero, nonNegative } from './numbers.ts';
import { validatePodSpec } from './pod-spec.ts';
import { validateLabelSelector, validateLabels } from './selectors.ts';

type Template = {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: Pod['spec'];
};

export function validateDeployment(
  errors: FieldErrors,
  { spec }: Deployment,
  current: Deployment | undefined,
): void {
  const {
    replicas,
    selector,
    template,
    strategy,
    minReadySeconds = 0,
  } = spec ?? ({} as NonNullable<Deployment['spec']>);
  nonNegative(errors, 'spec.replicas', replicas);
  const usable = validateSelector(errors, selector, 'empty selector is invalid for deployment');
  validateReplicatedTemplate(errors, template, selector, usable);
  validateStrategy(errors, strategy);
  nonNegative(errors, 'spec.minReadySeconds', minReadySeconds);
  nonNegative(errors, 'spec.revisionHistoryLimit', spec?.revisionHistoryLimit);
  const deadline = spec?.progressDeadlineSeconds;
  if (deadline !== undefined) {
    nonNegative(errors, 'spec.progressDeadlineSeconds', deadline);
    if (deadline <= minReadySeconds) {
      errors.invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds');
    }
  }
  if (current) immutable(errors, 'spec.selector', selector, current.spec?.selector);
}

export function validateReplicaSet(
  errors: FieldErrors,
  { spec }: ReplicaSet,
  current: ReplicaSet | undefined,
): void {
  nonNegative(errors, 'spec.replicas', spec?.replicas);
  nonNegative(errors, 'spec.minReadySeconds', spec?.minReadySeconds);
  const usable = validateSelector(errors, spec?.selector, 'empty selector is invalid for deployment');
  validateReplicatedTemplate(errors, spec?.template, spec?.selector, usable);
  if (current) immutable(errors, 'spec.selector', spec?.selector, current.spec?.selector);
}

export function validateDaemonSet(
  errors: FieldErrors,
  { spec }: DaemonSet,
  current: DaemonSet | undefined,
): void {
  const selector = spec?.selector;
  if (current) immutable(errors, 'spec.selector', selector, current.spec?.selector);
  const usable = selector ? validateLabelSelector(errors, 'spec.selector', selector) : true;
  const labels = spec?.template?.metadata?.labels;
  if (usable && !matchesSelector(selector, labels)) mismatch(errors, labels);
  if (selector && isEmpty(selector)) {
    errors.invalid('spec.selector', selector, 'empty selector is invalid for daemonset');
  }
  validateTemplate(errors, spec?.template);
  onlyAlways(errors, spec?.template);
  nonNegative(errors, 'spec.minReadySeconds', spec?.minReadySeconds);
  validateUpdateStrategy(errors, spec?.updateStrategy);
  nonNegative(errors, 'spec.revisionHistoryLimit', spec?.revisionHistoryLimit);
}

export function validateJob(errors: FieldErrors, { metadata, spec }: Job, current: Job | undefined): void {
  nonNegative(errors, 'spec.parallelism', spec?.parallelism);
  nonNegative(errors, 'spec.completions', spec?.completions);
  nonNegative(errors, 'spec.activeDeadlineSeconds', spec?.activeDeadlineSeconds);
  nonNegative(errors, 'spec.backoffLimit', spec?.backoffLimit);
  nonNegative(errors, 'spec.ttlSecondsAfterFinished', spec?.ttlSecondsAfterFinished);
  if (spec?.completionMode !== 'NonIndexed' && spec?.completionMode !== 'Indexed') {
    errors.notSupported('spec.completionMode', spec?.completionMode, ['NonIndexed', 'Indexed']);
  }
  if (spec?.completionMode === 'Indexed' && spec.completions === undefined) {
    errors.required('spec.completions', 'when completion mode is Indexed');
  }
  validateTemplate(errors, spec?.template);
  const restartPolicy = spec?.template?.spec?.restartPolicy;
  if (restartPolicy !== 'OnFailure' && restartPolicy !== 'Never') {
    errors.required('spec.template.spec.restartPolicy', 'valid values: "OnFailure", "Never"');
  }
  if (!current && !spec?.manualSelector && !isOwnSelector(spec?.selector, metadata.uid)) {
    errors.invalid('spec.selector', spec?.selector, '`selector` not auto-generated');
  }
  const labels = spec?.template?.metadata?.labels;
  if (!matchesSelector(spec?.selector, labels)) mismatch(errors, labels);
  if (current) validateJobUpdate(errors, spec!, current.spec!);
}

function isOwnSelector(selector: LabelSelector | undefined, uid: string): boolean {
  return equalObjects(selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } });
}

function validateJobUpdate(
  errors: FieldErrors,
  spec: NonNullable<Job['spec']>,
  before: NonNullable<Job['spec']>,
): void {
  if (spec.completionMode !== 'Indexed') {
    immutable(errors, 'spec.completions', spec.completions, before.completions);
  } else if (spec.completions !== before.completions && spec.completions !== spec.parallelism) {
    errors.invalid(
      'spec.completions',
      spec.completions,
      'can only be modified in tandem with spec.parallelism',
    );
  }
  immutable(errors, 'spec.selector', spec.selector, before.selector);
  if (!spec.suspend || !before.suspend) immutable(errors, 'spec.template', spec.template, before.template);
  else immutable(errors, 'spec.template', fixedTemplate(spec.template), fixedTemplate(before.template));
  immutable(errors, 'spec.completionMode', spec.completionMode, before.completionMode);
  immutable(errors, 'spec.podFailurePolicy', spec.podFailurePolicy, before.podFailurePolicy);
  immutable(errors, 'spec.backoffLimitPerIndex', spec.backoffLimitPerIndex, before.backoffLimitPerIndex);
}

// The scheduling directives of a suspended Job may change.
function fixedTemplate(template: Template) {
  const {
    nodeSelector: _n,
    tolerations: _t,
    affinity: _a,
    schedulingGates: _g,
    ...spec
  } = template.spec ?? { containers: [] };
  return { spec };
}

function immutable(errors: FieldErrors, field: string, value: unknown, before: unknown): void {
  if (!equalObjects(value, before)) errors.invalid(field, value, 'field is immutable');
}

function isEmpty({ matchLabels, matchExpressions }: LabelSelector): boolean {
  return Object.keys(matchLabels ?? {}).length === 0 && !matchExpressions?.length;
}

/** True when pods can be matched against it. */
export function validateSelector(
  errors: FieldErrors,
  selector: LabelSelector | undefined,
  whenEmpty: string,
): boolean {
  if (!selector) {
    errors.required('spec.selector');
    return true;
  }
  const valid = validateLabelSelector(errors, 'spec.selector', selector);
  if (isEmpty(selector)) errors.invalid('spec.selector', selector, whenEmpty);
  if (!valid) errors.invalid('spec.selector', selector, 'invalid label selector');
  return valid;
}

export function validateReplicatedTemplate(
  errors: FieldErrors,
  template: Template | undefined,
  selector: LabelSelector | undefined,
  usableSelector: boolean,
): void {
  const labels = template?.metadata?.labels;
  if (usableSelector && !(selector && isEmpty(selector)) && !matchesSelector(selector, labels)) {
    mismatch(errors, labels);
  }
  if (!usableSelector) return;
  validateTemplate(errors, template);
  onlyAlways(errors, template);
  if (template?.spec?.activeDeadlineSeconds !== undefined) {
    errors.forbidden(
      'spec.template.spec.activeDeadlineSeconds',
      'activeDeadlineSeconds in ReplicaSet is not Supported',
    );
  }
}

export function mismatch(errors: FieldErrors, labels: Record<string, string> | undefined): void {
  errors.invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`');
}

function validateTemplate(errors: FieldErrors, template: Template | undefined): void {
  validateLabels(errors, 'spec.template.labels', template?.metadata?.labels);
  validateAnnotations(errors, 'spec.template.annotations', template?.metadata?.annotations);
  if (template?.spec) validatePodSpec(errors, 'spec.template.spec', template.spec);
  else errors.required('spec.template.spec.containers');
}

function onlyAlways(errors: FieldErrors, template: Template | undefined): void {
  const restartPolicy = template?.spec?.restartPolicy;
  if (template?.spec && restartPolicy !== 'Always') {
    errors.notSupported('spec.template.spec.restartPolicy', restartPolicy, ['Always']);
  }
}

function validateStrategy(errors: FieldErrors, strategy: NonNullable<Deployment['spec']>['strategy']): void {
  const field = 'spec.strategy';
  const { type, rollingUpdate } = strategy ?? {};
  if (type === 'Recreate') {
    if (rollingUpdate) {
      errors.forbidden(`${field}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'");
    }
    return;
  }
  if (type !== 'RollingUpdate') {
    if (strategy)
      errors.notSupported(field, { Type: type, RollingUpdate: null }, ['Recreate', 'RollingUpdate']);
    return;
  }
  const { maxSurge, maxUnavailable } = rollingUpdate ?? {};
  const path = `${field}.rollingUpdate`;
  intOrPercent(errors, `${path}.maxUnavailable`, maxUnavailable);
  intOrPercent(errors, `${path}.maxSurge`, maxSurge);
  if (isZero(maxSurge) && isZero(maxUnavailable)) {
    errors.invalid(`${path}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0');
  }
  atMost100Percent(errors, `${path}.maxUnavailable`, maxUnavailable);
}

function validateUpdateStrategy(
  errors: FieldErrors,
  strategy: NonNullable<DaemonSet['spec']>['updateStrategy'],
): void {
  const field = 'spec.updateStrategy';
  const { type, rollingUpdate } = strategy ?? {};
  if (type === 'OnDelete') return;
  if (type !== 'RollingUpdate') {
    if (strategy)
      errors.notSupported(field, { Type: type, RollingUpdate: null }, ['RollingUpdate', 'OnDelete']);
    return;
  }
  const { maxSurge, maxUnavailable } = rollingUpdate ?? {};
  const path = `${field}.rollingUpdate`;
  intOrPercent(errors, `${path}.maxUnavailable`, maxUnavailable);
  intOrPercent(errors, `${path}.maxSurge`, maxSurge);
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0');
  } else if (!isZero(maxUnavailable) && !isZero(maxSurge)) {
    errors.invalid(`${path}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero');
  }
  atMost100Percent(errors, `${path}.maxUnavailable`, maxUnavailable);
  atMost100Percent(errors, `${path}.maxSurge`, maxSurge);
}
