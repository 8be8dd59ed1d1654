// What leads from one version of an object to another: as changes of fields, as a strategic merge patch, as operations. Pure.
import { isDeepStrictEqual } from 'node:util';
import type { FieldChange } from '../check/edit.ts';
import type { FieldPath } from '../model/yaml-path.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The fewest fields that say it: what both have alike is not among them. Items of lists are told by their names where
 * they have some, else by their places; a list in which items moved or went is one change. What is new comes before
 * what goes, so that no map is empty in between. A field that is undefined is not there.
 */
export function changesBetween(before: unknown, after: unknown, path: FieldPath = []): FieldChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isFields(before) && isFields(after)) {
    const sets = Object.keys(after)
      .filter((key) => isThere(after, key))
      .flatMap((key) =>
        isThere(before, key)
          ? changesBetween(before[key], after[key], [...path, key])
          : [{ set: [...path, key], value: after[key] }],
      );
    const gone = Object.keys(before).filter((key) => isThere(before, key) && !isThere(after, key));
    return [...sets, ...gone.map((key) => ({ remove: [...path, key] }))];
  }
  if (Array.isArray(before) && Array.isArray(after) && grows(before, after))
    return (after as unknown[]).flatMap((item, index) =>
      index < before.length
        ? changesBetween(before[index], item, [...path, index])
        : [{ set: [...path, index], value: item }],
    );
  return [{ set: path, value: after }];
}

/** The items that were there stand where they stood. Scalars that changed are another list. */
function grows(before: readonly unknown[], after: readonly unknown[]): boolean {
  return (
    before.length > 0 &&
    after.length >= before.length &&
    before.every((item, index) => {
      const now = after[index];
      return isFields(item) && isFields(now) ? item.name === now.name : isDeepStrictEqual(item, now);
    })
  );
}

/**
 * A strategic merge patch without its head (apiVersion, kind, metadata.name): lists whose items have names carry those
 * that change, other lists are whole, `null` takes a field away. Undefined: there is no difference.
 */
export function strategicPatch(before: unknown, after: unknown): unknown {
  if (isDeepStrictEqual(before, after)) return undefined;
  if (isFields(before) && isFields(after)) {
    const patch: Record<string, unknown> = {};
    for (const key of Object.keys(after)) {
      const inner = isThere(before, key) ? strategicPatch(before[key], after[key]) : after[key];
      if (inner !== undefined) patch[key] = inner;
    }
    for (const key of Object.keys(before))
      if (isThere(before, key) && !isThere(after, key)) patch[key] = null;
    return Object.keys(patch).length > 0 ? patch : undefined;
  }
  if (named(before) && named(after) && before.every(({ name }) => after.some((item) => item.name === name)))
    return after.flatMap((item) => {
      const inner = strategicPatch(
        before.find(({ name }) => name === item.name),
        item,
      );
      return inner === undefined ? [] : [{ name: item.name, ...(inner as Fields) }];
    });
  return after;
}

/**
 * As operations of a JSON patch (RFC 6902). `add` takes the place of a field that is there; of a list, only items behind
 * the last are told by their place.
 */
export function operationsBetween(before: unknown, after: unknown): Fields[] {
  const pointer = (path: FieldPath) =>
    path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return changesBetween(before, after).map((change) =>
    'remove' in change
      ? { op: 'remove', path: pointer(change.remove) }
      : { op: 'add', path: pointer(change.set), value: change.value },
  );
}

/** The same, however lists of named items are ordered: a merge may put new ones first. */
export function sameMeaning(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(ordered(one), ordered(other));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(ordered);
    if (!items.every(isFields)) return items;
    const key = (item: Fields) => String(item.name ?? item.topologyKey ?? '');
    return items.toSorted((a, b) => key(a).localeCompare(key(b)));
  }
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, ordered(inner)]));
}

function named(value: unknown): value is (Fields & { readonly name: string })[] {
  return Array.isArray(value) && value.every((item) => isFields(item) && typeof item.name === 'string');
}

const isThere = (fields: Fields, key: string): boolean =>
  Object.hasOwn(fields, key) && fields[key] !== undefined;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
