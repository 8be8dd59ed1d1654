// PATCH of an object in its four forms.
import { badRequest, notFound, unsupportedMediaType } from '../errors.ts';
import { cloneObject, isObject, type JsonObject, type KubeObject } from '../objects.ts';
import { jsonPatch } from '../patch/json.ts';
import { mergePatch } from '../patch/merge.ts';
import { strategicMergePatch } from '../patch/strategic.ts';
import type { ResourceDefinition } from '../resources.ts';
import { applyObject } from './apply.ts';
import { checkObject, contentType, parseJson } from './body.ts';
import { asServed, type Exchange } from './context.ts';
import { checkPlace, sendObject } from './create.ts';
import { isDryRun, readBody } from './request.ts';

const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

export async function patchObject(
  exchange: Exchange,
  stored: ResourceDefinition,
  subresource: 'status' | undefined,
): Promise<void> {
  const { context, served, namespace, name = '', query } = exchange;
  const type = contentType(exchange);
  if (!patchTypes.includes(type)) throw unsupportedMediaType(patchTypes);
  const body = await readBody(exchange.req);
  if (type === 'application/apply-patch+yaml') {
    applyObject(exchange, stored, subresource, body.toString());
    return;
  }
  const current = context.registry.storage.get(stored, namespace, name);
  if (!current) throw notFound(stored, name);
  const patched = applyPatch(type, asServed(served, current), parseJson(body.toString()), served.kind);
  const { object, warnings } = checkObject(patched, served, query.get('fieldValidation'));
  checkPlace(exchange, object);
  const converted = served.toStored?.(object, current) ?? object;
  const updated = context.registry.writes.update(stored, converted, { subresource, dryRun: isDryRun(query) });
  sendObject(exchange, 200, updated, warnings);
}

/** The object after a JSON, merge or strategic merge patch. */
export function applyPatch(type: string, target: KubeObject, patch: unknown, kind: string): JsonObject {
  const result = patchedValue(type, cloneObject(target), patch, kind);
  if (!isObject(result)) throw badRequest('the patched object is not a JSON object');
  return result;
}

function patchedValue(type: string, target: KubeObject, patch: unknown, kind: string): unknown {
  if (type === 'application/json-patch+json') return jsonPatch(target, patch);
  if (!isObject(patch)) {
    throw badRequest(
      'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
    );
  }
  if (type === 'application/merge-patch+json') return mergePatch(target, patch);
  if (type === 'application/strategic-merge-patch+json') return strategicMergePatch(target, patch, kind);
  throw unsupportedMediaType(patchTypes);
}
