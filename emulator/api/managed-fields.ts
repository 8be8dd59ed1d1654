// Who set which field: what server-side apply finds conflicts by.
// Source: apimachinery/pkg/util/managedfields, structured-merge-diff/v6/merge/update.go.
import { compareFields, fieldsOf, fromFieldsV1, showPath, toFieldsV1 } from './field-sets.ts';
import type { KubeObject } from './objects.ts';
import { equalObjects, isObject } from './objects.ts';
import { StatusError } from './types.ts';

/** A writer of an object. */
export interface FieldManager {
  name: string;
  operation: 'Apply' | 'Update';
  subresource?: 'status' | 'scale';
}

interface Entry {
  manager: string;
  operation: 'Apply' | 'Update';
  subresource?: 'status' | 'scale';
  apiVersion: string;
  time: string;
  fieldsType: 'FieldsV1';
  fieldsV1: unknown;
}

/** managedFields as parsed: the manager's entry and its paths. */
interface Owner {
  entry: Entry;
  paths: Set<string>;
}

/** Records a write that is no apply: what it changed belongs to its manager from now on, alone. */
export function trackUpdate(
  before: KubeObject | undefined,
  after: KubeObject,
  manager: FieldManager,
  time: string,
): void {
  const without = before === undefined ? undefined : manager.subresource === 'status' ? 'spec' : 'status';
  const old = before ? fieldsOf(before, without) : new Map<string, unknown>();
  const { changed, removed } = compareFields(old, fieldsOf(after, without ?? 'status'));
  const given = readOwners(after.metadata.managedFields);
  const owners =
    given.length > 0 || after.metadata.managedFields ? given : readOwners(before?.metadata.managedFields);
  for (const owner of owners) {
    for (const path of [...changed, ...removed]) owner.paths.delete(path);
  }
  if (changed.size > 0) {
    const own = find(owners, manager);
    if (own) {
      for (const path of changed) own.paths.add(path);
      own.entry.time = time;
    } else owners.push({ entry: newEntry(manager, after.apiVersion, time), paths: changed });
  }
  writeOwners(after, owners);
}

/**
 * Records an apply of these paths. Throws 409 when another manager owns one of them with another value, unless forced;
 * then it loses them.
 * @param changes The paths that the apply changes in the live object.
 */
export function trackApply(
  live: KubeObject | undefined,
  manager: FieldManager,
  apiVersion: string,
  applied: ReadonlySet<string>,
  changes: ReadonlySet<string>,
  /** true: all conflicts are overruled; a set: those within it, when there are no others. */
  force: boolean | ReadonlySet<string>,
  time: string,
): Owner[] {
  const owners = readOwners(live?.metadata.managedFields);
  const conflicts: { owner: Owner; path: string }[] = [];
  for (const owner of owners) {
    if (isSame(owner.entry, manager)) continue;
    for (const path of owner.paths) {
      if (applied.has(path) && changes.has(path)) conflicts.push({ owner, path });
    }
  }
  const refused = conflicts.filter(({ path }) => (typeof force === 'boolean' ? !force : !force.has(path)));
  if (refused.length > 0) throw applyConflict(refused);
  for (const { owner, path } of conflicts) owner.paths.delete(path);
  const own = find(owners, manager);
  if (!own) return [...owners, { entry: newEntry(manager, apiVersion, time), paths: new Set(applied) }];
  if (!equalObjects([...own.paths].sort(), [...applied].sort())) own.entry.time = time;
  own.paths = new Set(applied);
  return owners;
}

/** What a manager applied before. */
export function appliedBefore(live: KubeObject | undefined, manager: FieldManager): Set<string> {
  return find(readOwners(live?.metadata.managedFields), manager)?.paths ?? new Set();
}

/** Applies first, then by time: the order that the API server keeps. */
export function writeOwners(object: KubeObject, owners: readonly Owner[]): void {
  const entries = owners
    .filter(({ paths }) => paths.size > 0)
    .map(({ entry, paths }) => ({ ...entry, fieldsV1: toFieldsV1(paths) }))
    .sort((a, b) =>
      a.operation === b.operation
        ? a.time < b.time
          ? -1
          : a.time > b.time
            ? 1
            : 0
        : a.operation < b.operation
          ? -1
          : 1,
    );
  if (entries.length > 0) object.metadata.managedFields = entries;
  else delete object.metadata.managedFields;
}

function readOwners(managedFields: readonly unknown[] | undefined): Owner[] {
  return (managedFields ?? []).filter(isObject).flatMap((value) => {
    const entry = value as unknown as Entry;
    return entry.manager ? [{ entry: { ...entry }, paths: fromFieldsV1(entry.fieldsV1) }] : [];
  });
}

function find(owners: readonly Owner[], manager: FieldManager): Owner | undefined {
  return owners.find(({ entry }) => isSame(entry, manager));
}

function isSame(entry: Entry, manager: FieldManager): boolean {
  return (
    entry.manager === manager.name &&
    entry.operation === manager.operation &&
    (entry.subresource ?? '') === (manager.subresource ?? '')
  );
}

function newEntry({ name, operation, subresource }: FieldManager, apiVersion: string, time: string): Entry {
  return {
    manager: name,
    operation,
    apiVersion,
    time,
    fieldsType: 'FieldsV1',
    fieldsV1: {},
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function applyConflict(conflicts: readonly { owner: Owner; path: string }[]): StatusError {
  const named = conflicts
    .map(({ owner: { entry }, path }) => ({ manager: showManager(entry), path: showPath(path) }))
    .sort((a, b) => (`${a.manager} ${a.path}` < `${b.manager} ${b.path}` ? -1 : 1));
  const [only] = named;
  const message =
    named.length === 1 && only
      ? `Apply failed with 1 conflict: conflict with ${only.manager}: ${only.path}`
      : `Apply failed with ${named.length} conflicts: ${[...new Set(named.map(({ manager }) => manager))]
          .map((manager) => {
            const paths = named.filter((each) => each.manager === manager).map(({ path }) => `- ${path}`);
            return `conflicts with ${manager}:\n${paths.join('\n')}`;
          })
          .join('\n')}`;
  return new StatusError(409, 'Conflict', message, {
    causes: named.map(({ manager, path }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${manager}`,
      field: path,
    })),
  });
}

function showManager(entry: Entry): string {
  // Another applier is known by its name alone.
  if (entry.operation === 'Apply') return `"${entry.manager}"`;
  const subresource = entry.subresource ? ` with subresource "${entry.subresource}"` : '';
  return `"${entry.manager}"${subresource} using ${entry.apiVersion}`;
}
