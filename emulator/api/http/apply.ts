// PATCH with application/apply-patch+yaml: server-side apply with owners and conflicts.
import { badRequest, invalid } from '../errors.ts';
import { compareFields, fieldsOf } from '../field-sets.ts';
import { appliedBefore, type FieldManager, trackApply, writeOwners } from '../managed-fields.ts';
import {
  cloneObject,
  equalObjects,
  isObject,
  type JsonObject,
  type KubeObject,
  timestamp,
} from '../objects.ts';
import { mergeApplied, prune } from '../patch/apply.ts';
import { groupVersion, type ResourceDefinition } from '../resources.ts';
import { DecodeError, decodeFields } from '../schema/decode.ts';
import { typeNameOf } from '../schema/schema.ts';
import { StatusError } from '../types.ts';
import { warningsFor } from '../warnings.ts';
import { yaml } from './body.ts';
import { asServed, type Exchange } from './context.ts';
import { checkPlace, sendObject, store } from './create.ts';
import { invalidOption, isDryRun, isTrue } from './request.ts';

export function applyObject(
  exchange: Exchange,
  stored: ResourceDefinition,
  subresource: 'status' | undefined,
  body: string,
): void {
  const { context, served, namespace, name = '', query } = exchange;
  const { registry } = context;
  const managerName = query.get('fieldManager');
  if (!managerName) {
    throw invalidOption(
      'PatchOptions',
      'fieldManager',
      'Required value: is required for apply patch',
      'FieldValueRequired',
    );
  }
  const manager: FieldManager = {
    name: managerName,
    operation: 'Apply',
    ...(subresource === undefined ? {} : { subresource }),
  };
  const applied = readConfiguration(exchange, body);
  const current = registry.storage.get(stored, namespace, name);
  const live = current && asServed(served, current);
  const merged = mergeApplied(
    live ? cloneObject(live) : { apiVersion: groupVersion(served), kind: served.kind, metadata: {} },
    applied,
    served.kind,
  );
  const without = subresource === 'status' ? 'spec' : 'status';
  const appliedPaths = new Set(fieldsOf(applied, without).keys());
  const before = live ? fieldsOf(live, without) : new Map<string, unknown>();
  const { changed } = compareFields(before, fieldsOf(merged, without));
  const gone = [...appliedBefore(live, manager)].filter((path) => !appliedPaths.has(path));
  const owners = trackApply(
    live,
    manager,
    groupVersion(served),
    appliedPaths,
    changed,
    isTrue(query, 'force') || (managerName === 'kubectl' && fieldsAppliedByClient(live, without)),
    timestamp(registry.now()),
  );
  const owned = new Set(owners.flatMap(({ paths }) => [...paths]));
  prune(merged, gone, owned, served.kind);
  const object = merged as unknown as KubeObject;
  if (managerName === 'kubectl' && live?.metadata.annotations?.[lastApplied]) {
    object.metadata.annotations = {
      ...object.metadata.annotations,
      [lastApplied]: `${JSON.stringify(applied)}\n`,
    };
  }
  writeOwners(object, owners);
  checkPlace(exchange, object);
  if (current) {
    const { resourceVersion, uid } = isObject(applied.metadata) ? applied.metadata : {};
    if (typeof resourceVersion === 'string') object.metadata.resourceVersion = resourceVersion;
    if (uid !== undefined && uid !== current.metadata.uid) {
      const message = `Invalid value: ${JSON.stringify(uid)}: field is immutable`;
      throw invalid(served, name, [{ reason: 'FieldValueInvalid', message, field: 'metadata.uid' }]);
    }
    const converted = served.toStored?.(object, current) ?? object;
    const dryRun = isDryRun(query, 'PatchOptions');
    const updated = registry.writes.update(stored, converted, { subresource, dryRun });
    sendObject(exchange, 200, updated, warningsFor(updated, current));
    return;
  }
  const created = store(exchange, stored, object);
  sendObject(exchange, 201, created, warningsFor(created, undefined));
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * What kubectl applied from the client's side and is still as it was: its move to the server's side may overrule these
 * owners. Source: apimachinery/pkg/util/managedfields/internal/lastappliedmanager.go.
 */
function fieldsAppliedByClient(
  live: KubeObject | undefined,
  without: 'status' | 'spec',
): false | Set<string> {
  const text = live?.metadata.annotations?.[lastApplied];
  if (!live || !text) return false;
  let before: unknown;
  try {
    before = JSON.parse(text);
  } catch {
    return false;
  }
  if (!isObject(before)) return false;
  const now = fieldsOf(live, without);
  const fields = fieldsOf(before, without);
  return new Set(
    [...fields].filter(([path, value]) => equalObjects(now.get(path), value)).map(([path]) => path),
  );
}

/** The configuration, of the right kind and with known fields alone. */
function readConfiguration({ served }: Exchange, body: string): JsonObject {
  const value = yaml(body);
  if (!isObject(value)) throw badRequest('error decoding YAML: the configuration is not an object');
  const { apiVersion = '', kind = '' } = value as { apiVersion?: string; kind?: string };
  if (!apiVersion || !kind) {
    throw badRequest(
      `invalid object type: ${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${kind}`,
    );
  }
  if (apiVersion !== groupVersion(served) || kind !== served.kind) {
    throw badRequest(
      `invalid object type: ${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${kind}`,
    );
  }
  const metadata = isObject(value.metadata) ? value.metadata : {};
  if (metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  const named = `failed to create typed patch object (${String(metadata.namespace ?? '')}/${String(metadata.name ?? '')}; ${apiVersion}, Kind=${kind})`;
  try {
    const { object, unknownFields } = decodeFields(typeNameOf(apiVersion, kind), value);
    if (unknownFields.length > 0) {
      // The first one stands for all.
      const path = unknownFields[0]!.slice('unknown field "'.length, -1);
      throw new StatusError(500, '', `${named}: .${path}: field not declared in schema`);
    }
    return object;
  } catch (error) {
    if (error instanceof DecodeError) throw new StatusError(500, '', `${named}: ${error.typedMessage}`);
    throw error;
  }
}
