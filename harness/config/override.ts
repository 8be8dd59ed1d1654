// Flags override the configuration: field by field, a flag that was not given leaves the field alone.
import type { Configuration } from './load.ts';

type Overrides<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: Overrides<T[K]> | undefined }
    : T;

/**
 * Objects are merged field by field; everything else (lists too) replaces what was there; `undefined` is not given.
 * Neither argument is changed.
 */
export function overrideConfiguration(
  configuration: Configuration,
  flags: Overrides<Configuration>,
): Configuration {
  return merge(configuration, flags) as Configuration;
}

function merge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isPlain(base) || !isPlain(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    // A profile of rates is one value: fields of two shapes must not mix.
    merged[key] = key === 'rate' && value !== undefined ? value : merge(merged[key], value);
    if (merged[key] === undefined) delete merged[key];
  }
  return merged;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
