// Label selectors in specs. Source: apimachinery/pkg/apis/meta/v1/validation/validation.go.
import type { LabelSelector } from '../label-selector.ts';
import type { FieldErrors } from './field.ts';
import { labelValue, qualifiedName } from './names.ts';

/** True when it is a valid selector. */
export function validateLabelSelector(
  errors: FieldErrors,
  field: string,
  selector: LabelSelector | undefined,
): boolean {
  if (!selector) return true;
  const before = errors.causes.length;
  validateLabels(errors, `${field}.matchLabels`, selector.matchLabels);
  for (const [index, { key, operator, values }] of (selector.matchExpressions ?? []).entries()) {
    const path = `${field}.matchExpressions[${index}]`;
    switch (operator) {
      case 'In':
      case 'NotIn':
        if (!values?.length) {
          errors.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (values?.length) {
          errors.forbidden(
            `${path}.values`,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
          );
        }
        break;
      default:
        errors.invalid(`${path}.operator`, operator ?? '', 'not a valid selector operator');
    }
    for (const problem of qualifiedName(key ?? '')) errors.invalid(`${path}.key`, key ?? '', problem);
    for (const [number, value] of (values ?? []).entries()) {
      for (const problem of labelValue(value)) errors.invalid(`${path}.values[${number}]`, value, problem);
    }
  }
  return errors.causes.length === before;
}

export function validateLabels(
  errors: FieldErrors,
  field: string,
  labels: Readonly<Record<string, string>> | undefined,
): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const problem of qualifiedName(key)) errors.invalid(field, key, problem);
    for (const problem of labelValue(value)) errors.invalid(field, value, problem);
  }
}
