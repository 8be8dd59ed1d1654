// GET of a collection: selectors, pages, and the three representations.
import { badRequest } from '../errors.ts';
import { parseFieldSelector } from '../field-selector.ts';
import { parseLabelSelector } from '../label-selector.ts';
import type { KubeObject } from '../objects.ts';
import { groupVersion, type ResourceDefinition } from '../resources.ts';
import type { Storage } from '../storage.ts';
import { type IncludeObject, partialMetadata, toTable } from '../tables/table.ts';
import { StatusError } from '../types.ts';
import { asServed, type Exchange } from './context.ts';
import { wantedRepresentation } from './negotiation.ts';
import { numberFrom } from './request.ts';
import { sendApiObject } from './responses.ts';

export function listResource(exchange: Exchange, stored: ResourceDefinition): void {
  const { storage } = exchange.context.registry;
  const { query, namespace } = exchange;
  checkVersion(storage, query);
  const selects = selection(stored, namespace, query);
  const token = query.get('continue');
  const from = token ? decodeToken(token, storage) : { version: storage.version, after: '' };
  const objects =
    from.version === storage.version
      ? storage.list(stored, namespace)
      : objectsAt(storage, stored, from.version);
  const selected = objects
    .filter(selects)
    .filter((object) => from.after === '' || keyOf(object) > from.after);
  const limit = numberFrom(query, 'limit') ?? 0;
  const page = limit > 0 ? selected.slice(0, limit) : selected;
  const metadata: Record<string, unknown> = { resourceVersion: String(from.version) };
  if (page.length < selected.length) {
    metadata.continue = encodeToken({ version: from.version, after: keyOf(page.at(-1)!) });
    if (!query.get('labelSelector') && !query.get('fieldSelector')) {
      metadata.remainingItemCount = selected.length - page.length;
    }
  }
  sendList(exchange, page, metadata, stored.resource);
}

/** @param resource Whose table columns are used. */
function sendList(
  exchange: Exchange,
  objects: readonly KubeObject[],
  metadata: Record<string, unknown>,
  resource: string,
): void {
  const { req, res, served, query, context } = exchange;
  switch (wantedRepresentation(req)) {
    case 'table':
      sendApiObject(
        req,
        res,
        200,
        toTable(resource, objects, metadata, {
          nowMs: context.registry.now(),
          includeObject: includeObject(query),
          withColumns: true,
        }),
      );
      break;
    case 'metadata':
      sendApiObject(req, res, 200, {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: objects.map(partialMetadata),
      });
      break;
    case 'object':
      sendApiObject(req, res, 200, {
        kind: `${served.kind}List`,
        apiVersion: groupVersion(served),
        metadata,
        // As in typed lists of the real server: the kind is said once.
        items: objects.map((object) => {
          const { kind: _kind, apiVersion: _apiVersion, ...item } = asServed(served, object);
          return item;
        }),
      });
      break;
  }
}

export function includeObject(query: URLSearchParams): IncludeObject {
  const wanted = query.get('includeObject') || 'Metadata';
  if (wanted !== 'None' && wanted !== 'Metadata' && wanted !== 'Object') {
    throw badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: "${wanted}": must be 'Metadata', 'Object', 'None', or empty`,
    );
  }
  return wanted;
}

/** Which objects a list, a watch or a deletion of a collection is about. */
export function selection(
  stored: ResourceDefinition,
  namespace: string | undefined,
  query: URLSearchParams,
): (object: KubeObject) => boolean {
  const byLabel = parseLabelSelector(query.get('labelSelector'));
  const byField = parseFieldSelector(stored.resource, query.get('fieldSelector'));
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    byLabel(object) &&
    byField(object);
}

function checkVersion(storage: Storage, query: URLSearchParams): void {
  const text = query.get('resourceVersion');
  if (!text || text === '0') return;
  const version = Number(text);
  if (!Number.isSafeInteger(version) || version < 0)
    throw badRequest(
      `invalid resource version: resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`,
    );
  if (version > storage.version) throw tooLarge(version, storage.version);
  if (query.get('resourceVersionMatch') === 'Exact' && version < storage.oldestVersion) throw expiredList();
}

export function tooLarge(version: number, current: number): StatusError {
  return new StatusError(
    504,
    'Timeout',
    `Timeout: Too large resource version: ${version}, current: ${current}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  );
}

interface PageToken {
  version: number;
  after: string;
}

function encodeToken({ version, after }: PageToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: version, start: after })).toString(
    'base64url',
  );
}

function decodeToken(token: string, storage: Storage): PageToken {
  let content: { rv?: unknown; start?: unknown };
  try {
    content = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    throw badRequest(
      'invalid continue token: continue key is not valid: it was not given out by this server',
    );
  }
  const { rv, start } = content;
  if (typeof rv !== 'number' || typeof start !== 'string' || rv > storage.version) {
    throw badRequest(
      'invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
    );
  }
  if (rv < storage.oldestVersion) throw expiredList();
  return { version: rv, after: start };
}

function expiredList(): StatusError {
  return new StatusError(
    410,
    'Expired',
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  );
}

/** The collection as it was at a version: the changes since then are taken back. */
function objectsAt(storage: Storage, stored: ResourceDefinition, version: number): KubeObject[] {
  const objects = new Map(storage.list(stored).map((object) => [keyOf(object), object]));
  for (const change of [...storage.changesAfter(version)].reverse()) {
    if (change.definition !== stored) continue;
    if (change.previous) objects.set(keyOf(change.object), change.previous);
    else objects.delete(keyOf(change.object));
  }
  return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}

function keyOf({ metadata }: KubeObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}
