// POST to a collection, PUT to an object.
import { badRequest, methodNotAllowed, notFound } from '../errors.ts';
import type { FieldManager } from '../managed-fields.ts';
import { cloneObject, isObject, type KubeObject } from '../objects.ts';
import { definitionOf, type ResourceDefinition } from '../resources.ts';
import { strategyOf } from '../strategy/index.ts';
import { toTable } from '../tables/table.ts';
import { warningsFor } from '../warnings.ts';
import { readObject } from './body.ts';
import { asServed, type Exchange, managerOf } from './context.ts';
import { includeObject } from './list.ts';
import { wantedRepresentation } from './negotiation.ts';
import { isDryRun } from './request.ts';
import { sendApiObject, warningHeader } from './responses.ts';

export async function createObject(exchange: Exchange, stored: ResourceDefinition): Promise<void> {
  const { object, warnings } = await readObject(exchange, exchange.served);
  const created = store(exchange, stored, object, managerOf(exchange));
  sendObject(exchange, 201, created, [...warnings, ...warningsFor(created, undefined)]);
}

export async function replaceObject(
  exchange: Exchange,
  stored: ResourceDefinition,
  subresource: 'status' | undefined,
): Promise<void> {
  const { context, served, namespace, name = '', query } = exchange;
  const { object, warnings } = await readObject(exchange, served);
  const current = context.registry.storage.get(stored, namespace, name);
  checkPlace(exchange, object);
  if (!current) {
    if (!strategyOf(stored).createsOnUpdate || object.metadata.resourceVersion) throw notFound(stored, name);
    sendObject(exchange, 201, store(exchange, stored, object, managerOf(exchange)), warnings);
    return;
  }
  const converted = served.toStored?.(object, current) ?? object;
  const updated = context.registry.writes.update(stored, converted, {
    subresource,
    dryRun: isDryRun(query, 'UpdateOptions'),
    manager: managerOf(exchange),
  });
  sendObject(exchange, 200, updated, [...warnings, ...warningsFor(updated, current)]);
}

/** PUT namespaces/NAME/finalize: the finalizers of the spec alone; without any a deleted namespace goes. */
export async function finalizeNamespace(exchange: Exchange): Promise<void> {
  const { context, served, name = '' } = exchange;
  if (exchange.req.method !== 'PUT') throw methodNotAllowed();
  const { object } = await readObject(exchange, served);
  const namespaces = definitionOf('namespaces');
  const current = context.registry.storage.get(namespaces, undefined, name);
  if (!current) throw notFound(namespaces, name);
  const finalizers =
    isObject(object.spec) && Array.isArray(object.spec.finalizers) ? object.spec.finalizers : [];
  const changed = { ...cloneObject(current), spec: { finalizers } };
  sendObject(exchange, 200, context.registry.writes.update(namespaces, changed, {}));
}

/** Creates an object in the request's namespace; also for server-side apply. */
export function store(
  exchange: Exchange,
  stored: ResourceDefinition,
  object: KubeObject,
  manager?: FieldManager,
): KubeObject {
  const { context, served, namespace, query } = exchange;
  checkNamespace(exchange, object);
  const placed = {
    ...object,
    metadata: { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) },
  };
  const converted = served.toStored?.(placed, undefined) ?? placed;
  const dryRun = isDryRun(query, 'CreateOptions');
  const created = context.registry.writes.create(stored, converted, { dryRun, manager });
  if (!dryRun) context.registry.writes.collectOrphan(stored, created);
  return created;
}

/** Sends one object in the wanted representation. */
export function sendObject(
  exchange: Exchange,
  code: number,
  object: KubeObject,
  warnings: readonly string[] = [],
): void {
  const { req, res, served, query, context } = exchange;
  const headers = warningHeader(warnings);
  const { resourceVersion } = object.metadata;
  switch (wantedRepresentation(req)) {
    case 'table': {
      const resource = served.stored?.resource ?? served.resource;
      const options = {
        nowMs: context.registry.now(),
        includeObject: includeObject(query),
        withColumns: true,
      };
      sendApiObject(req, res, code, toTable(resource, [object], { resourceVersion }, options), headers);
      break;
    }
    case 'metadata':
      sendApiObject(
        req,
        res,
        code,
        { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
        headers,
      );
      break;
    case 'object':
      sendApiObject(req, res, code, asServed(served, object), headers);
      break;
  }
}

/** An object must be what the path says it is; what it leaves out is filled in from the path. */
export function checkPlace(exchange: Exchange, object: KubeObject): void {
  const { name = '', namespace } = exchange;
  const { metadata } = object;
  if (metadata.name !== undefined && metadata.name !== '' && metadata.name !== name) {
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  }
  checkNamespace(exchange, object);
  metadata.name = name;
  if (namespace !== undefined) metadata.namespace = namespace;
}

function checkNamespace({ namespace }: Exchange, { metadata }: KubeObject): void {
  if (metadata.namespace && namespace !== undefined && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}
