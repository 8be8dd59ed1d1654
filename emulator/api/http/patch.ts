// PATCH of an object in its four forms.
import { badRequest, invalid, notFound, unsupportedMediaType } from '../errors.ts';
import { cloneObject, isObject, type JsonObject, type KubeObject } from '../objects.ts';
import { jsonPatch } from '../patch/json.ts';
import { mergePatch } from '../patch/merge.ts';
import { strategicMergePatch } from '../patch/strategic.ts';
import { groupVersion, type ResourceDefinition } from '../resources.ts';
import { DecodeError, decodeFields } from '../schema/decode.ts';
import { typeNameOf } from '../schema/schema.ts';
import { StatusError } from '../types.ts';
import { warningsFor } from '../warnings.ts';
import { applyObject } from './apply.ts';
import { contentType, type ExpectedKind, fieldValidation, goJsonError, type ReadObject } from './body.ts';
import { asServed, type Exchange, managerOf } from './context.ts';
import { checkPlace, sendObject } from './create.ts';
import { isDryRun, readBody } from './request.ts';

const jsonType = 'application/json-patch+json';
const mergeType = 'application/merge-patch+json';
const strategicType = 'application/strategic-merge-patch+json';
const applyType = 'application/apply-patch+yaml';

export async function patchObject(
  exchange: Exchange,
  stored: ResourceDefinition,
  subresource: 'status' | undefined,
): Promise<void> {
  const { context, served, namespace, name = '', query } = exchange;
  const body = await readBody(exchange.req);
  if (contentType(exchange) === applyType) {
    applyObject(exchange, stored, subresource, body.toString());
    return;
  }
  const current = context.registry.storage.get(stored, namespace, name);
  if (!current) throw notFound(stored, name);
  const { object, warnings } = patched(exchange, asServed(served, current), served, body);
  checkPlace(exchange, object);
  if (object.metadata.uid !== undefined && object.metadata.uid !== current.metadata.uid) {
    const message = `Invalid value: ${JSON.stringify(object.metadata.uid)}: field is immutable`;
    throw invalid(served, name, [{ reason: 'FieldValueInvalid', message, field: 'metadata.uid' }]);
  }
  const converted = served.toStored?.(object, current) ?? object;
  const dryRun = isDryRun(query, 'PatchOptions');
  const updated = context.registry.writes.update(stored, converted, {
    subresource,
    dryRun,
    manager: managerOf(exchange),
  });
  sendObject(exchange, 200, updated, [...warnings, ...warningsFor(updated, current)]);
}

/** The object after a JSON, merge or strategic merge patch, checked against the fields of its kind. */
export function patched(
  exchange: Exchange,
  target: KubeObject,
  expected: ExpectedKind,
  body: Buffer,
): ReadObject {
  const type = contentType(exchange);
  const validation = fieldValidation(exchange.query, 'PatchOptions');
  if (![jsonType, mergeType, strategicType].includes(type)) {
    throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
  }
  const patch = parsePatch(type, body.toString());
  const value = applyPatch(type, target, patch, expected.kind);
  // What the message shows: the patched object, or the patch itself as Go prints a map.
  const shown = type === strategicType ? goMap(patch) : JSON.stringify(value);
  const wrong = (why: string) => wrongPatch(shown, why);
  if (value.kind !== expected.kind || value.apiVersion !== groupVersion(expected)) {
    throw wrong(
      `no kind "${String(value.kind)}" is registered for version "${String(value.apiVersion)}" in scheme "pkg/runtime/scheme.go:110"`,
    );
  }
  try {
    const decoded = decodeFields(typeNameOf(groupVersion(expected), expected.kind), value);
    const { object, unknownFields } = decoded;
    if (unknownFields.length > 0 && validation === 'Strict') {
      throw wrong(`strict decoding error: ${unknownFields.join(', ')}`);
    }
    const metadata = isObject(object.metadata) ? object.metadata : {};
    return {
      object: { ...object, metadata } as unknown as KubeObject,
      warnings: validation === 'Ignore' ? [] : unknownFields,
    };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw wrong(type === strategicType ? error.converterMessage : error.message);
  }
}

function parsePatch(type: string, text: string): unknown {
  const prefix = type === strategicType ? '' : 'error decoding patch: ';
  let patch: unknown;
  try {
    patch = JSON.parse(text);
  } catch (error) {
    throw badRequest(`${prefix}${goJsonError(error)}`);
  }
  if (type !== jsonType && !isObject(patch)) {
    throw badRequest(`${prefix}json: cannot unmarshal array into Go value of type map[string]interface {}`);
  }
  return patch;
}

function applyPatch(type: string, target: KubeObject, patch: unknown, kind: string): JsonObject {
  const result = patchedValue(type, cloneObject(target), patch, kind);
  if (!isObject(result)) throw badRequest('the patched object is not a JSON object');
  return result;
}

function patchedValue(type: string, target: KubeObject, patch: unknown, kind: string): unknown {
  switch (type) {
    case jsonType:
      return jsonPatch(target, patch);
    case mergeType:
      return mergePatch(target, patch);
    case strategicType:
      return strategicMergePatch(target, patch as JsonObject, kind);
    default:
      throw unsupportedMediaType([jsonType, mergeType, strategicType, applyType]);
  }
}

function wrongPatch(shown: string, why: string): StatusError {
  const message = `Invalid value: ${JSON.stringify(shown)}: ${why}`;
  return new StatusError(422, 'Invalid', ` "" is invalid: patch: ${message}`, {
    causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }],
  });
}

/** As fmt prints it: map[spec:map[replicas:x]]. */
function goMap(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goMap).join(' ')}]`;
  if (!isObject(value)) return value === null ? '<nil>' : String(value);
  const fields = Object.entries(value).map(([field, content]) => `${field}:${goMap(content)}`);
  return `map[${fields.sort().join(' ')}]`;
}
