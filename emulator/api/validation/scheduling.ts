// Where pods may run: selectors, affinity, tolerations, spread.
// Source: pkg/apis/core/validation/validation.go validateAffinity, ValidateTolerations, validateTopologySpreadConstraints.
import type { PodSpec } from '../defaults/pod.ts';
import type { FieldErrors } from './field.ts';
import { labelValue, qualifiedName } from './names.ts';
import { validateLabelSelector, validateLabels } from './selectors.ts';

type Affinity = NonNullable<PodSpec['affinity']>;
type PodTerm = NonNullable<
  NonNullable<Affinity['podAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
>[number];
type NodeTerm = NonNullable<
  NonNullable<Affinity['nodeAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
>['nodeSelectorTerms'][number];

export function validateScheduling(errors: FieldErrors, field: string, spec: PodSpec): void {
  validateLabels(errors, `${field}.nodeSelector`, spec.nodeSelector);
  validateTolerations(errors, `${field}.tolerations`, spec.tolerations ?? []);
  validateAffinity(errors, `${field}.affinity`, spec.affinity);
  validateSpread(errors, `${field}.topologySpreadConstraints`, spec.topologySpreadConstraints ?? []);
}

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function validateTolerations(
  errors: FieldErrors,
  field: string,
  tolerations: NonNullable<PodSpec['tolerations']>,
): void {
  for (const [index, { key, operator, value, effect, tolerationSeconds }] of tolerations.entries()) {
    const path = `${field}[${index}]`;
    if (key) for (const problem of qualifiedName(key)) errors.invalid(`${path}.key`, key, problem);
    if (!key && operator !== 'Exists') {
      errors.invalid(
        `${path}.operator`,
        operator ?? '',
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.invalid(
        `${path}.effect`,
        effect ?? '',
        "effect must be 'NoExecute' when `tolerationSeconds` is set",
      );
    }
    if (operator === undefined || operator === '' || operator === 'Equal') {
      for (const problem of labelValue(value ?? '')) errors.invalid(`${path}.operator`, value, problem);
    } else if (operator === 'Exists') {
      if (value) errors.invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'");
    } else errors.notSupported(`${path}.operator`, operator, ['Equal', 'Exists']);
    if (effect && !effects.includes(effect)) errors.notSupported(`${path}.effect`, effect, effects);
  }
}

function validateAffinity(errors: FieldErrors, field: string, affinity: PodSpec['affinity']): void {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {};
  const required = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required) {
    const path = `${field}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
    const terms = required.nodeSelectorTerms ?? [];
    if (terms.length === 0) errors.required(path, 'must have at least one node selector term');
    for (const [index, term] of terms.entries()) validateNodeTerm(errors, `${path}[${index}]`, term);
  }
  const preferred = nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  for (const [index, { weight, preference }] of preferred.entries()) {
    const path = `${field}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
    checkWeight(errors, path, weight);
    validateNodeTerm(errors, `${path}.preference`, preference);
  }
  for (const [name, pods] of [
    ['podAffinity', podAffinity] as const,
    ['podAntiAffinity', podAntiAffinity] as const,
  ]) {
    for (const [index, term] of (pods?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      validatePodTerm(
        errors,
        `${field}.${name}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`,
        term,
      );
    }
    for (const [index, term] of (pods?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const path = `${field}.${name}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
      checkWeight(errors, path, term.weight);
      validatePodTerm(errors, `${path}.podAffinityTerm`, term.podAffinityTerm);
    }
  }
}

function checkWeight(errors: FieldErrors, path: string, weight: number | undefined): void {
  const value = weight ?? 0;
  if (value < 1 || value > 100) errors.invalid(`${path}.weight`, value, 'must be in the range 1-100');
}

const nodeOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'];

function validateNodeTerm(errors: FieldErrors, field: string, term: NodeTerm): void {
  for (const [index, { key, operator, values = [] }] of (term?.matchExpressions ?? []).entries()) {
    const path = `${field}.matchExpressions[${index}]`;
    if (!nodeOperators.includes(operator)) {
      errors.invalid(`${path}.operator`, operator, 'not a valid selector operator');
    } else if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
      errors.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
    } else if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
      errors.forbidden(
        `${path}.values`,
        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      );
    } else if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1) {
      errors.required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'");
    }
    for (const problem of qualifiedName(key)) errors.invalid(`${path}.key`, key, problem);
  }
}

function validatePodTerm(errors: FieldErrors, field: string, term: PodTerm): void {
  validateLabelSelector(errors, `${field}.labelSelector`, term?.labelSelector);
  const topologyKey = term?.topologyKey ?? '';
  if (!topologyKey) errors.required(`${field}.topologyKey`, 'can not be empty');
  for (const problem of qualifiedName(topologyKey))
    errors.invalid(`${field}.topologyKey`, topologyKey, problem);
}

function validateSpread(
  errors: FieldErrors,
  field: string,
  constraints: NonNullable<PodSpec['topologySpreadConstraints']>,
): void {
  for (const [index, constraint] of constraints.entries()) {
    const path = `${field}[${index}]`;
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains, labelSelector, matchLabelKeys } = constraint;
    if (!(maxSkew > 0)) errors.invalid(`${path}.maxSkew`, maxSkew ?? 0, 'must be greater than zero');
    if (!topologyKey) errors.required(`${path}.topologyKey`, 'can not be empty');
    if (whenUnsatisfiable !== 'DoNotSchedule' && whenUnsatisfiable !== 'ScheduleAnyway') {
      errors.notSupported(`${path}.whenUnsatisfiable`, whenUnsatisfiable, [
        'DoNotSchedule',
        'ScheduleAnyway',
      ]);
    }
    const same = constraints
      .slice(index + 1)
      .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable);
    if (same) {
      errors.duplicate(`${path}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`);
    }
    if (minDomains !== undefined) {
      if (minDomains <= 0) errors.invalid(`${path}.minDomains`, minDomains, 'must be greater than zero');
      if (whenUnsatisfiable !== 'DoNotSchedule') {
        errors.invalid(
          `${path}.minDomains`,
          minDomains,
          `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
        );
      }
    }
    for (const policy of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      const value = constraint[policy];
      if (value !== undefined && value !== 'Honor' && value !== 'Ignore') {
        errors.notSupported(`${path}.${policy}`, value, ['Honor', 'Ignore']);
      }
    }
    validateMatchLabelKeys(errors, path, matchLabelKeys ?? [], labelSelector);
    validateLabelSelector(errors, `${path}.labelSelector`, labelSelector);
  }
}

function validateMatchLabelKeys(
  errors: FieldErrors,
  path: string,
  keys: readonly string[],
  selector: Parameters<typeof validateLabelSelector>[2],
): void {
  if (keys.length > 0 && !selector) {
    errors.forbidden(`${path}.matchLabelKeys`, 'must not be specified when labelSelector is not set');
    return;
  }
  for (const [index, key] of keys.entries()) {
    for (const problem of qualifiedName(key))
      errors.invalid(`${path}.matchLabelKeys[${index}]`, key, problem);
  }
}
