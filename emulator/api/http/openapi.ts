// OpenAPI v3 per group and version, with the descriptions that `kubectl explain` shows. v2 is an empty document: kubectl
// then leaves all validation to the server. Strategic merge patch is left out of the patches' content types on purpose:
// kubectl then builds its patches from its own types.
import type { ServerResponse } from 'node:http';
import { noSuchPath } from '../errors.ts';
import { groupVersion } from '../resources.ts';
import { schema, typeNameOf } from '../schema/schema.ts';
import { type Served, served } from '../served.ts';
import { sendJson, sendText } from './responses.ts';

const emptyDocumentType = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** Answers when the path is one of OpenAPI; false otherwise. */
export function sendOpenApi(res: ServerResponse, pathname: string): boolean {
  if (pathname === '/openapi/v2') {
    sendText(res, 200, '', emptyDocumentType);
    return true;
  }
  if (pathname === '/openapi/v3') {
    const paths = [...new Set(described().map(pathOf))];
    sendJson(res, 200, {
      paths: Object.fromEntries(
        paths.map((path) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${documentHash}` }]),
      ),
    });
    return true;
  }
  if (!pathname.startsWith('/openapi/v3/')) return false;
  const path = pathname.slice('/openapi/v3/'.length);
  const resources = described().filter((resource) => pathOf(resource) === path);
  if (resources.length === 0) throw noSuchPath();
  sendJson(res, 200, document(path, resources));
  return true;
}

// kubectl caches documents by this; it changes when the schema does.
const documentHash = Object.keys(schema.types).length;

function described(): Served[] {
  return served.filter((resource) => schema.types[typeOf(resource)] !== undefined);
}

const typeOf = (resource: Served) => typeNameOf(groupVersion(resource), resource.kind);

function pathOf({ group, version }: Served): string {
  return group ? `apis/${group}/${version}` : `api/${version}`;
}

const queryParameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) => ({
  name,
  in: 'query',
  schema: { type: 'string' },
}));

function document(path: string, resources: readonly Served[]) {
  const paths: Record<string, unknown> = {};
  const roots: Record<string, Served> = {};
  for (const resource of resources) {
    const gvk = { group: resource.group, version: resource.version, kind: resource.kind };
    const prefix = resource.namespaced ? 'namespaces/{namespace}/' : '';
    paths[`/${path}/${prefix}${resource.resource}/{name}`] = {
      get: { 'x-kubernetes-action': 'get', 'x-kubernetes-group-version-kind': gvk, responses: {} },
      patch: {
        parameters: queryParameters,
        'x-kubernetes-action': 'patch',
        'x-kubernetes-group-version-kind': gvk,
        requestBody: {
          content: {
            'application/json-patch+json': { schema: {} },
            'application/merge-patch+json': { schema: {} },
          },
        },
        responses: {},
      },
    };
    roots[typeOf(resource)] = resource;
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Emulated Kubernetes', version: 'v1.34' },
    paths,
    components: { schemas: schemasFrom(roots) },
  };
}

function schemasFrom(roots: Readonly<Record<string, Served>>): Record<string, unknown> {
  const schemas: Record<string, unknown> = {};
  const waiting = Object.keys(roots);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const type = schema.types[name];
    if (!type || schemas[schemaName(name)]) continue;
    const root = roots[name];
    schemas[schemaName(name)] = {
      type: 'object',
      description: type.description,
      properties: Object.fromEntries(
        Object.entries(type.fields).map(([field, [written, description]]) => [
          field,
          property(written, description),
        ]),
      ),
      ...(root
        ? {
            'x-kubernetes-group-version-kind': [
              { group: root.group, version: root.version, kind: root.kind },
            ],
          }
        : {}),
    };
    for (const [written] of Object.values(type.fields)) waiting.push(written.replace(/^[[{]|[\]}]$/g, ''));
  }
  return schemas;
}

/** explain shows what follows the last dot. */
function schemaName(type: string): string {
  const [, version = 'V1', name = type] = /^(?:[A-Z][a-z]+)?(V\d)(\w+)$/.exec(type) ?? [];
  return `io.k8s.api.${version.toLowerCase()}.${name}`;
}

function property(written: string, description: string | undefined): object {
  if (written.startsWith('['))
    return { type: 'array', description, items: property(written.slice(1, -1), undefined) };
  if (written.startsWith('{')) {
    return { type: 'object', description, additionalProperties: property(written.slice(1, -1), undefined) };
  }
  const referred = schema.types[written];
  if (referred) {
    return {
      // A field without words of its own shows those of its type.
      ...(description === undefined ? {} : { description: description || referred.description }),
      default: {},
      allOf: [{ $ref: `#/components/schemas/${schemaName(written)}` }],
    };
  }
  const text = description ? { description } : {};
  switch (written) {
    case 'int32':
    case 'int64':
      return { type: 'integer', format: written, ...text };
    case 'double':
      return { type: 'number', format: 'double', ...text };
    case 'boolean':
      return { type: 'boolean', ...text };
    case 'bytes':
      return { type: 'string', format: 'byte', ...text };
    case 'Date':
    case 'MicroTime':
      return { type: 'string', format: 'date-time', ...text };
    case 'any':
    case 'object':
      return { type: 'object', ...text };
    default:
      return { type: 'string', ...text };
  }
}
