// JSON patch (RFC 6902), with the words that the API server has for its failures.
import { badRequest } from '../errors.ts';
import { equalObjects, isObject, type JsonObject } from '../objects.ts';
import { StatusError } from '../types.ts';

/** apiserver handlers/patch.go maxJSONPatchOperations. */
const operationLimit = 10_000;

type Container = JsonObject | unknown[];

export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw badRequest(
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    );
  }
  if (patch.length > operationLimit) {
    throw new StatusError(
      413,
      'RequestEntityTooLarge',
      `Request entity too large: The allowed maximum operations in a JSON patch is ${operationLimit}, got ${patch.length}`,
    );
  }
  // The document hangs under one more key, so that "" is a path like any other.
  const root: JsonObject = { document: structuredClone(target) };
  for (const operation of patch) {
    if (!isObject(operation)) throw rejected();
    apply(root, operation);
  }
  return root.document;
}

function apply(root: JsonObject, operation: JsonObject): void {
  const path = segments(operation.path);
  switch (operation.op) {
    case 'add':
      add(root, path, structuredClone(operation.value));
      break;
    case 'remove':
      remove(root, path);
      break;
    case 'replace':
      read(root, path);
      replace(root, path, structuredClone(operation.value));
      break;
    case 'test':
      if (!equalObjects(readOrUndefined(root, path), operation.value)) throw rejected();
      break;
    case 'copy':
      add(root, path, structuredClone(read(root, segments(operation.from))));
      break;
    case 'move': {
      const from = segments(operation.from);
      const value = read(root, from);
      remove(root, from);
      add(root, path, value);
      break;
    }
    default:
      throw rejected();
  }
}

function segments(pointer: unknown): string[] {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) throw rejected();
  const parts = pointer.split('/').slice(1);
  return ['document', ...parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))];
}

function parentOf(root: JsonObject, path: readonly string[]): Container {
  let container: unknown = root;
  for (const key of path.slice(0, -1)) container = child(container, key);
  if (!isObject(container) && !Array.isArray(container)) throw rejected();
  return container;
}

function child(container: unknown, key: string): unknown {
  if (Array.isArray(container)) return container[position(container, key)];
  if (isObject(container) && Object.hasOwn(container, key)) return container[key];
  throw rejected();
}

function position(list: unknown[], key: string): number {
  const index = /^(0|-?[1-9]\d*)$/.test(key) ? Number(key) : Number.NaN;
  // evanphx/json-patch counts negative indices from the end.
  const absolute = index < 0 ? index + list.length : index;
  if (!(absolute >= 0 && absolute < list.length)) throw rejected();
  return absolute;
}

function read(root: JsonObject, path: readonly string[]): unknown {
  return child(parentOf(root, path), path.at(-1)!);
}

// A test of an absent field against null holds.
function readOrUndefined(root: JsonObject, path: readonly string[]): unknown {
  const parent = parentOf(root, path);
  return isObject(parent) ? parent[path.at(-1)!] : read(root, path);
}

function add(root: JsonObject, path: readonly string[], value: unknown): void {
  const parent = parentOf(root, path);
  const key = path.at(-1)!;
  if (!Array.isArray(parent)) parent[key] = value;
  else if (key === '-' || key === String(parent.length)) parent.push(value);
  else parent.splice(position(parent, key), 0, value);
}

function replace(root: JsonObject, path: readonly string[], value: unknown): void {
  const parent = parentOf(root, path);
  const key = path.at(-1)!;
  if (Array.isArray(parent)) parent[position(parent, key)] = value;
  else parent[key] = value;
}

function remove(root: JsonObject, path: readonly string[]): void {
  const parent = parentOf(root, path);
  const key = path.at(-1)!;
  if (Array.isArray(parent)) parent.splice(position(parent, key), 1);
  else if (Object.hasOwn(parent, key)) delete parent[key];
  else throw rejected();
}

function rejected(): StatusError {
  return new StatusError(
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
    {},
  );
}
