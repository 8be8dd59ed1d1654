// DELETE of an object or a collection.
import { isObject, type JsonObject, type KubeObject } from '../objects.ts';
import { groupVersion, type ResourceDefinition } from '../resources.ts';
import { strategyOf } from '../strategy/index.ts';
import type { DeleteOptions } from '../types.ts';
import type { RemoveOptions } from '../writes.ts';
import { readOptionalBody } from './body.ts';
import { asServed, type Exchange } from './context.ts';
import { selection } from './list.ts';
import { invalidOption, isDryRun, numberFrom } from './request.ts';
import { sendApiObject, success, warningHeader } from './responses.ts';

export async function deleteObject(exchange: Exchange, stored: ResourceDefinition): Promise<void> {
  const { context, req, res, served, namespace, name = '', query } = exchange;
  const body = await readOptionalBody(exchange);
  const options = removeOptions(stored, query, body);
  const { object, gone } = context.registry.writes.delete(stored, namespace, name, options);
  const answer =
    gone && !strategyOf(stored).returnsDeleted
      ? success(served, name, object.metadata.uid)
      : asServed(served, object);
  sendApiObject(req, res, 200, answer, warningHeader(orphanWarning(stored, options, query, body)));
}

export async function deleteCollection(exchange: Exchange, stored: ResourceDefinition): Promise<void> {
  const { context, req, res, served, namespace, query } = exchange;
  const { storage, writes } = context.registry;
  const body = await readOptionalBody(exchange);
  const options = removeOptions(stored, query, body);
  const selects = selection(stored, namespace, query);
  const items: KubeObject[] = [];
  for (const object of storage.list(stored, namespace).filter(selects)) {
    // A dependent may be gone with one that was deleted before it.
    if (!storage.get(stored, object.metadata.namespace, object.metadata.name)) continue;
    items.push(
      asServed(
        served,
        writes.delete(stored, object.metadata.namespace, object.metadata.name, options).object,
      ),
    );
  }
  sendApiObject(req, res, 200, {
    kind: `${served.kind}List`,
    apiVersion: groupVersion(served),
    metadata: { resourceVersion: String(storage.version) },
    items,
  });
}

/** DeleteOptions from the body, or from the query when there is no body. */
export function removeOptions(
  stored: ResourceDefinition,
  inQuery: URLSearchParams,
  body: JsonObject,
): RemoveOptions {
  const query = Object.keys(body).length > 0 ? new URLSearchParams() : inQuery;
  const preconditions = isObject(body.preconditions) ? body.preconditions : {};
  const gracePeriodSeconds =
    typeof body.gracePeriodSeconds === 'number'
      ? body.gracePeriodSeconds
      : numberFrom(query, 'gracePeriodSeconds');
  return {
    propagationPolicy: propagationPolicy(stored, query, body),
    dryRun: isDryRun(query, 'DeleteOptions', body),
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(typeof preconditions.uid === 'string' ? { uid: preconditions.uid } : {}),
    ...(typeof preconditions.resourceVersion === 'string' && preconditions.resourceVersion
      ? { resourceVersion: preconditions.resourceVersion }
      : {}),
  };
}

const policies = ['Foreground', 'Background', 'Orphan'] as const;

function requestedPolicy(query: URLSearchParams, body: JsonObject): string | undefined {
  if (typeof body.propagationPolicy === 'string') return body.propagationPolicy;
  const inQuery = query.get('propagationPolicy');
  if (inQuery) return inQuery;
  const orphan = body.orphanDependents ?? query.get('orphanDependents');
  if (orphan === true || orphan === 'true') return 'Orphan';
  if (orphan === false || orphan === 'false') return 'Background';
  return undefined;
}

function propagationPolicy(
  stored: ResourceDefinition,
  query: URLSearchParams,
  body: JsonObject,
): DeleteOptions['propagationPolicy'] {
  const orphan = body.orphanDependents ?? query.get('orphanDependents');
  const named = body.propagationPolicy ?? query.get('propagationPolicy');
  if (orphan !== undefined && orphan !== null && typeof named === 'string') {
    throw invalidOption(
      'DeleteOptions',
      'propagationPolicy',
      `Invalid value: "${named}": orphanDependents and deletionPropagation cannot be both set`,
      'FieldValueInvalid',
    );
  }
  const wanted = requestedPolicy(query, body);
  if (wanted === undefined) return strategyOf(stored).defaultPropagation ?? 'Background';
  const policy = policies.find((each) => each === wanted);
  if (policy) return policy;
  const message = `Unsupported value: "${wanted}": supported values: "Foreground", "Background", "Orphan", "nil"`;
  throw invalidOption('DeleteOptions', 'propagationPolicy', message);
}

function orphanWarning(
  stored: ResourceDefinition,
  options: RemoveOptions,
  query: URLSearchParams,
  body: JsonObject,
): string[] {
  if (stored.resource !== 'jobs' || options.propagationPolicy !== 'Orphan') return [];
  if (requestedPolicy(query, body) !== undefined) return [];
  return [
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  ];
}
