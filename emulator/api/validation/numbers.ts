// Counts, and numbers that may be percentages.
import type { FieldErrors } from './field.ts';
import { portName, portNumber } from './names.ts';

export function nonNegative(errors: FieldErrors, field: string, value: number | undefined): void {
  if (value !== undefined && value < 0) errors.invalid(field, value, 'must be greater than or equal to 0');
}

/** A count or a percentage such as 25%. */
export function intOrPercent(errors: FieldErrors, field: string, value: number | string | undefined): void {
  if (value === undefined) return;
  if (typeof value === 'number') nonNegative(errors, field, value);
  else if (!/^[0-9]+%$/.test(value)) {
    errors.invalid(
      field,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    );
  }
}

export function atMost100Percent(
  errors: FieldErrors,
  field: string,
  value: number | string | undefined,
): void {
  if (typeof value === 'string' && /^[0-9]+%$/.test(value) && Number.parseInt(value, 10) > 100) {
    errors.invalid(field, value, 'must not be greater than 100%');
  }
}

/** 0 for both 0 and "0%". */
export function isZero(value: number | string | undefined): boolean {
  return typeof value === 'number' ? value === 0 : value !== undefined && /^0+%$/.test(value);
}

/** A port by number or by name. */
export function portReference(errors: FieldErrors, field: string, port: number | string | undefined): void {
  const value = port ?? 0;
  const problems = typeof value === 'number' ? portNumber(value) : portName(value);
  for (const problem of problems) errors.invalid(field, value, problem);
}
