// Which fields an object has, as paths: the FieldsV1 format of managedFields.
// Source: sigs.k8s.io/structured-merge-diff/v6/fieldpath (serialize-pe.go).
import { equalObjects, isObject, type JsonObject, type KubeObject } from './objects.ts';
import { applyKeys, isAtomicObject, isPrimitiveSet } from './patch/list-keys.ts';

/** Segments: f:FIELD, k:{KEYS} for a list item, v:VALUE for a member of a set, "." for the item itself. */
export type FieldPath = readonly string[];

/** Leaves of an object by their path, joined with the separator. */
type Fields = Map<string, unknown>;

const separator = '\n';

export const joinPath = (path: FieldPath): string => path.join(separator);
export const splitPath = (path: string): string[] => path.split(separator);

// What nobody manages (apimachinery/pkg/util/managedfields/internal/stripmeta.go).
const unmanaged = new Set(
  [
    ['f:apiVersion'],
    ['f:kind'],
    ...[
      'name',
      'namespace',
      'creationTimestamp',
      'selfLink',
      'uid',
      'generation',
      'managedFields',
      'resourceVersion',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
    ].map((field) => ['f:metadata', `f:${field}`]),
  ].map(joinPath),
);

/** @param without Fields that this way of writing does not touch: status, or everything but it. */
export function fieldsOf(object: KubeObject | JsonObject, without: 'status' | 'spec' | undefined): Fields {
  const fields: Fields = new Map();
  const kind = String(object.kind);
  for (const [field, value] of Object.entries(object)) {
    if (field === without) continue;
    collect(kind, [field], [`f:${field}`], value, fields);
  }
  for (const path of unmanaged) fields.delete(path);
  for (const path of fields.keys())
    if (path.startsWith(`f:metadata${separator}f:managedFields`)) fields.delete(path);
  return fields;
}

function collect(
  kind: string,
  names: readonly string[],
  path: FieldPath,
  value: unknown,
  fields: Fields,
): void {
  if (value === null || value === undefined) return;
  if (isObject(value) && Object.keys(value).length > 0 && !isAtomicObject(names)) {
    for (const [field, content] of Object.entries(value)) {
      collect(kind, [...names, field], [...path, `f:${field}`], content, fields);
    }
    return;
  }
  const keys = Array.isArray(value) ? applyKeys(kind, names) : undefined;
  if (Array.isArray(value) && keys) {
    for (const item of value) {
      if (!isObject(item)) continue;
      const itemPath = [...path, keySegment(item, keys)];
      fields.set(joinPath([...itemPath, '.']), true);
      for (const [field, content] of Object.entries(item)) {
        collect(kind, [...names, field], [...itemPath, `f:${field}`], content, fields);
      }
    }
    return;
  }
  if (Array.isArray(value) && isPrimitiveSet(names)) {
    for (const item of value) fields.set(joinPath([...path, `v:${JSON.stringify(item)}`]), true);
    return;
  }
  fields.set(joinPath(path), value);
}

/** k:{"name":"app"}; a port without protocol is a TCP port. */
export function keySegment(item: JsonObject, keys: readonly string[]): string {
  const values = keys.map((key) => [key, item[key] ?? (key === 'protocol' ? 'TCP' : undefined)]);
  return `k:${JSON.stringify(Object.fromEntries(values.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))))}`;
}

/** Paths that the write added or changed, and those that it removed. */
export function compareFields(before: Fields, after: Fields): { changed: Set<string>; removed: Set<string> } {
  const changed = new Set<string>();
  const removed = new Set<string>();
  for (const [path, value] of after) {
    if (!before.has(path) || !equalObjects(before.get(path), value)) changed.add(path);
  }
  for (const path of before.keys()) if (!after.has(path)) removed.add(path);
  return { changed, removed };
}

export function toFieldsV1(paths: Iterable<string>): JsonObject {
  const root: JsonObject = {};
  for (const path of [...paths].sort()) {
    let node = root;
    for (const segment of splitPath(path)) {
      const below = isObject(node[segment]) ? node[segment] : {};
      node[segment] = below;
      node = below;
    }
  }
  return root;
}

export function fromFieldsV1(tree: unknown): Set<string> {
  const paths = new Set<string>();
  const walk = (node: JsonObject, path: FieldPath) => {
    const entries = Object.entries(node);
    if (entries.length === 0 && path.length > 0) paths.add(joinPath(path));
    for (const [segment, below] of entries) walk(isObject(below) ? below : {}, [...path, segment]);
  };
  if (isObject(tree)) walk(tree, []);
  return paths;
}

/** .spec.template.spec.containers[name="app"].image */
export function showPath(path: string): string {
  return splitPath(path)
    .filter((segment) => segment !== '.')
    .map((segment) => {
      const content = segment.slice(2);
      if (segment.startsWith('f:')) return `.${content}`;
      if (segment.startsWith('v:')) return `[${content}]`;
      const keys = Object.entries(JSON.parse(content) as JsonObject);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');
}
