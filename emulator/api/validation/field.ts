// Collects the violated rules of an object in the words of apimachinery/pkg/util/validation/field/errors.go.
import type { Cause } from '../errors.ts';

export interface FieldErrors {
  readonly causes: Cause[];
  required(field: string, detail?: string): void;
  invalid(field: string, value: unknown, detail: string): void;
  notSupported(field: string, value: unknown, supported: readonly string[]): void;
  forbidden(field: string, detail: string): void;
  duplicate(field: string, value: unknown): void;
  notFound(field: string, value: unknown): void;
}

export function createFieldErrors(): FieldErrors {
  const causes: Cause[] = [];
  const add = (reason: string, field: string, message: string) => {
    causes.push({ reason, message, field });
  };
  return {
    causes,
    required: (field, detail) =>
      add('FieldValueRequired', field, `Required value${detail === undefined ? '' : `: ${detail}`}`),
    invalid: (field, value, detail) =>
      add('FieldValueInvalid', field, `Invalid value: ${show(value)}: ${detail}`),
    notSupported: (field, value, supported) =>
      add(
        'FieldValueNotSupported',
        field,
        `Unsupported value: ${show(value)}: supported values: ${supported.map((each) => `"${each}"`).join(', ')}`,
      ),
    forbidden: (field, detail) => add('FieldValueForbidden', field, `Forbidden: ${detail}`),
    duplicate: (field, value) => add('FieldValueDuplicate', field, `Duplicate value: ${show(value)}`),
    notFound: (field, value) => add('FieldValueNotFound', field, `Not found: ${show(value)}`),
  };
}

function show(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value);
}
