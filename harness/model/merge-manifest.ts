// A strategic merge as far as manifests of ours need it: objects merge, lists whose items carry a name (containers,
// env, volumes ...) merge by it, other lists are replaced, null deletes.
import type { Manifest } from './manifest.ts';

/** Returns a merged copy; neither argument is changed. */
export function mergeManifest(manifest: Manifest, patch: Readonly<Record<string, unknown>>): Manifest {
  return merge(manifest, patch) as Manifest;
}

function merge(base: unknown, patch: unknown): unknown {
  if (Array.isArray(patch)) return mergeLists(base, patch);
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(base) ? structuredClone(base) : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

function mergeLists(base: unknown, patch: readonly unknown[]): unknown {
  const named = (items: readonly unknown[]) =>
    items.every((item) => isObject(item) && typeof item.name === 'string');
  if (!Array.isArray(base) || !named(base) || !named(patch)) return structuredClone(patch);
  const merged: unknown[] = structuredClone(base);
  for (const item of patch as { name: string }[]) {
    const at = (merged as { name: string }[]).findIndex((existing) => existing.name === item.name);
    if (at < 0) merged.push(structuredClone(item));
    else merged[at] = merge(merged[at], item);
  }
  return merged;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
