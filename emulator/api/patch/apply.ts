// Server-side apply: merges a configuration into the live object and takes away what its manager no longer wants.
// Source: structured-merge-diff/v6/merge/update.go Apply, prune.
import { type FieldPath, joinPath, keySegment, splitPath } from '../field-sets.ts';
import { isObject, type JsonObject } from '../objects.ts';
import { applyKeys, isAtomicObject, isPrimitiveSet } from './list-keys.ts';

/** The live object with the applied values; nothing is removed. */
export function mergeApplied(
  live: JsonObject,
  applied: JsonObject,
  kind: string,
  path: FieldPath = [],
): JsonObject {
  const result: JsonObject = { ...live };
  for (const [field, value] of Object.entries(applied)) {
    if (value === null || value === undefined) continue;
    const below = [...path, field];
    const present = result[field];
    if (Array.isArray(value))
      result[field] = mergeList(Array.isArray(present) ? present : [], value, kind, below);
    else if (isObject(value) && isObject(present) && !isAtomicObject(below)) {
      result[field] = mergeApplied(present, value, kind, below);
    } else result[field] = value;
  }
  return result;
}

function mergeList(live: unknown[], applied: unknown[], kind: string, path: FieldPath): unknown[] {
  const keys = applyKeys(kind, path);
  if (!keys) return isPrimitiveSet(path) ? [...new Set([...live, ...applied])] : applied;
  const result = [...live];
  for (const item of applied) {
    if (!isObject(item)) continue;
    const key = keySegment(item, keys);
    const index = result.findIndex((present) => isObject(present) && keySegment(present, keys) === key);
    const present = result[index];
    if (isObject(present)) result[index] = mergeApplied(present, item, kind, path);
    else result.push(item);
  }
  return result;
}

/**
 * Takes out what was applied before and is no longer, unless somebody owns it. A whole field or item goes when nothing
 * below it is owned any more, defaults included. Changes the object.
 */
export function prune(
  object: JsonObject,
  gone: Iterable<string>,
  owned: ReadonlySet<string>,
  kind: string,
): void {
  for (const path of gone) {
    const segments = splitPath(path);
    for (let length = 1; length <= segments.length; length++) {
      const prefix = segments.slice(0, length);
      if (prefix.at(-1) === '.') break;
      const text = joinPath(prefix);
      if (owned.has(text) || hasBelow(owned, `${text}\n`)) continue;
      removeAt(object, prefix, kind);
      break;
    }
  }
}

function hasBelow(owned: ReadonlySet<string>, prefix: string): boolean {
  for (const path of owned) if (path.startsWith(prefix)) return true;
  return false;
}

function removeAt(object: JsonObject, segments: readonly string[], kind: string): void {
  let node: unknown = object;
  const names: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    const content = segment.slice(2);
    if (segment.startsWith('f:')) {
      if (!isObject(node)) return;
      names.push(content);
      if (last) delete node[content];
      else node = node[content];
    } else {
      if (!Array.isArray(node)) return;
      const position: number = node.findIndex((item) =>
        segment.startsWith('v:')
          ? JSON.stringify(item) === content
          : isObject(item) && keySegment(item, applyKeys(kind, names) ?? []) === segment,
      );
      if (position < 0) return;
      if (last) node.splice(position, 1);
      else node = node[position];
    }
  }
}
