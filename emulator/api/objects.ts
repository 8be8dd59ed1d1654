// Objects as JSON: clone, freeze, compare. Absent, undefined and null are the same thing in a stored object, as they are
// for a Go struct with omitempty.
import type { ObjectMeta } from './types.ts';

/** Any stored object. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: unknown;
  status?: unknown;
  [field: string]: unknown;
}

export type JsonObject = { [field: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A mutable copy without undefined and null fields; Dates become RFC 3339 in whole seconds. */
export function cloneObject<T>(value: T): T {
  return copy(value) as T;
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copy);
  if (value instanceof Date) return timestamp(value.getTime());
  const result: JsonObject = {};
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined || field === null) continue;
    result[key] = copy(field);
  }
  return result;
}

/** metav1.Time: whole seconds, truncated. */
export function timestamp(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const field of Object.values(value)) deepFreeze(field);
  }
  return value;
}

/** Equal as JSON: the order of fields does not matter, an absent field equals undefined. */
export function equalObjects(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    return (left ?? undefined) === (right ?? undefined);
  }
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => equalObjects(item, right[index]));
  }
  const leftObject = left as JsonObject;
  const rightObject = right as JsonObject;
  const keys = new Set([...Object.keys(leftObject), ...Object.keys(rightObject)]);
  for (const key of keys) if (!equalObjects(leftObject[key], rightObject[key])) return false;
  return true;
}
