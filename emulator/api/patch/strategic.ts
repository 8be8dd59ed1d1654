// Strategic merge patch: objects merge, lists merge by their key or are replaced, directives say what else.
// Source: apimachinery/pkg/util/strategicpatch/patch.go; the order rule is mergeSliceWithSpecialElements/normalizeElementOrder.
import { isObject, type JsonObject } from '../objects.ts';
import { StatusError } from '../types.ts';
import { isPrimitiveSet, isReplaced, mergeKey, type Path } from './list-keys.ts';

const orderDirective = '$setElementOrder/';
const deleteDirective = '$deleteFromPrimitiveList/';

export function strategicMergePatch(target: unknown, patch: JsonObject, kind: string): unknown {
  return mergeObject(isObject(target) ? target : {}, patch, { kind, path: [] }) ?? {};
}

interface Place {
  kind: string;
  path: Path;
}

/** Undefined when the patch says to delete the object. */
function mergeObject(
  target: JsonObject | undefined,
  patch: JsonObject,
  place: Place,
): JsonObject | undefined {
  if (patch.$patch === 'delete') return undefined;
  if (patch.$patch === 'replace' || isReplaced(place.kind, place.path)) return plain(patch) as JsonObject;
  if (patch.$patch !== undefined && patch.$patch !== 'merge') {
    throw new StatusError(
      500,
      '',
      `unknown patch type: ${String(patch.$patch)} in map: map[$patch:${String(patch.$patch)}]`,
    );
  }
  const result: JsonObject = { ...target };
  if (Array.isArray(patch.$retainKeys)) {
    for (const field of Object.keys(result)) if (!patch.$retainKeys.includes(field)) delete result[field];
  }
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith(deleteDirective)) deleteValues(result, field.slice(deleteDirective.length), value);
    if (field.startsWith('$')) continue;
    const below = { kind: place.kind, path: [...place.path, field] };
    if (value === null) delete result[field];
    else if (Array.isArray(value))
      result[field] = mergeList(asList(result[field]), value, patch[orderDirective + field], below);
    else if (isObject(value)) {
      const present = result[field];
      const merged = mergeObject(isObject(present) ? present : undefined, value, below);
      if (merged === undefined) delete result[field];
      else result[field] = isObject(present) ? merged : plain(merged);
    } else result[field] = value;
  }
  for (const [directive, wanted] of Object.entries(patch)) {
    if (!directive.startsWith(orderDirective)) continue;
    const field = directive.slice(orderDirective.length);
    const list = result[field];
    // Where the patch has the list itself, it is in order already.
    if (!Array.isArray(list) || !Array.isArray(wanted) || Array.isArray(patch[field])) continue;
    const key = mergeKey(place.kind, [...place.path, field]);
    result[field] = inOrder(list, wanted, asList(target?.[field]), key);
  }
  return result;
}

function mergeList(target: unknown[], patch: unknown[], order: unknown, place: Place): unknown[] {
  const key = mergeKey(place.kind, place.path);
  if (key === undefined) {
    if (!isPrimitiveSet(place.path)) return plain(patch) as unknown[];
    return inOrder(
      [...new Set([...target, ...patch])],
      Array.isArray(order) ? order : patch,
      target,
      undefined,
    );
  }
  // The item that says so is not part of the new list, whatever else it has.
  if (patch.some((item) => isObject(item) && item.$patch === 'replace')) {
    return plain(patch.filter((item) => !(isObject(item) && item.$patch === 'replace'))) as unknown[];
  }
  const result = [...target];
  for (const item of patch) {
    if (!isObject(item) || !(key in item)) throw noMergeKey(item, key);
    const index = result.findIndex((present) => isObject(present) && present[key] === item[key]);
    const present = result[index];
    if (item.$patch === 'delete') {
      if (index >= 0) result.splice(index, 1);
    } else if (isObject(present)) result[index] = mergeObject(present, item, place);
    else result.push(plain(item));
  }
  return inOrder(result, Array.isArray(order) ? order : patch, target, key);
}

/**
 * Listed items stand in the wanted order. The others are woven in: one of them goes first only where both heads were in
 * the old list and it stood before. So [a, b] patched with c becomes [c, a, b].
 */
function inOrder(list: unknown[], wanted: unknown[], before: unknown[], key: string | undefined): unknown[] {
  const idOf = (item: unknown) => (key !== undefined && isObject(item) ? item[key] : item);
  const wantedIds = wanted.map(idOf);
  const oldIds = before.map(idOf);
  const listed = list.filter((item) => wantedIds.includes(idOf(item)));
  listed.sort((a, b) => wantedIds.indexOf(idOf(a)) - wantedIds.indexOf(idOf(b)));
  const others = list.filter((item) => !wantedIds.includes(idOf(item)));
  const result: unknown[] = [];
  while (others.length > 0 && listed.length > 0) {
    const other = oldIds.indexOf(idOf(others[0]));
    const next = oldIds.indexOf(idOf(listed[0]));
    result.push(other >= 0 && next >= 0 && other < next ? others.shift() : listed.shift());
  }
  return [...result, ...others, ...listed];
}

function deleteValues(result: JsonObject, field: string, values: unknown): void {
  const list = result[field];
  if (!Array.isArray(list) || !Array.isArray(values)) return;
  const rest = list.filter((item) => !values.includes(item));
  if (rest.length > 0) result[field] = rest;
  else delete result[field];
}

const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** A value without counterpart: taken over without nulls and directives. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !(isObject(item) && item.$patch === 'delete')).map(plain);
  }
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [field, content] of Object.entries(value)) {
    if (content !== null && !field.startsWith('$')) result[field] = plain(content);
  }
  return result;
}

// Go prints the map: map[image:x name:y].
function noMergeKey(item: unknown, key: string): StatusError {
  const fields = isObject(item)
    ? Object.entries(item).map(([field, value]) => `${field}:${String(value)}`)
    : [];
  return new StatusError(
    500,
    '',
    `map: map[${fields.sort().join(' ')}] does not contain declared merge key: ${key}`,
  );
}
