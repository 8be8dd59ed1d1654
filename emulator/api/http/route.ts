// Sends a request to the code that answers it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { User } from '../auth/access.ts';
import { methodNotAllowed, noSuchPath, notFound } from '../errors.ts';
import { groupVersion, type ResourceDefinition } from '../resources.ts';
import { servedGroups } from '../served.ts';
import { StatusError } from '../types.ts';
import type { Exchange, ServerContext } from './context.ts';
import { createObject, finalizeNamespace, replaceObject, sendObject } from './create.ts';
import { deleteCollection, deleteObject } from './delete.ts';
import { sendDiscovery } from './discovery.ts';
import { listResource } from './list.ts';
import { handleMetrics } from './metrics.ts';
import { acceptsKnownForm } from './negotiation.ts';
import { sendOpenApi } from './openapi.ts';
import { patchObject } from './patch.ts';
import { handleBinding, handleEviction, handleLog, handlePodProxy, handleServiceProxy } from './pods.ts';
import { isTrue, parseResourcePath, readBody } from './request.ts';
import { sendJson, sendText, warningHeader } from './responses.ts';
import { handleReview } from './reviews.ts';
import { handleScale } from './scale.ts';
import { handleTokenRequest } from './tokens.ts';
import { watchResource } from './watch.ts';

export async function route(
  context: ServerContext,
  user: User | undefined,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const url = new URL(req.url ?? '/', 'http://localhost');
  const { pathname, searchParams } = url;
  if (/^\/(healthz|livez|readyz)(\/|$)/.test(pathname)) {
    sendText(res, 200, 'ok', 'text/plain; charset=utf-8');
    return;
  }
  if (pathname === '/version' || pathname === '/version/') {
    sendJson(res, 200, versionInfo(context.version));
    return;
  }
  if (req.method === 'GET' && (sendDiscovery(req, res, pathname) || sendOpenApi(res, pathname))) return;
  if (!isServedPath(pathname)) {
    sendText(res, 404, '404 page not found\n', 'text/plain; charset=utf-8');
    return;
  }
  await routeResource({ context, user, req, res, ...parseResourcePath(pathname, searchParams) });
}

/** Paths outside of the known groups get the plain answer of Go's HTTP server. */
function isServedPath(pathname: string): boolean {
  const [, root, group] = pathname.split('/');
  return (
    root === 'api' || (root === 'apis' && servedGroups().some((each) => each.group === group && group !== ''))
  );
}

async function routeResource(exchange: Exchange): Promise<void> {
  const { req, served, name, subresource } = exchange;
  const { stored } = served;
  if (subresource === 'proxy') {
    if (served.resource === 'pods') return handlePodProxy(exchange);
    if (served.resource === 'services') return handleServiceProxy(exchange);
    if (served.resource === 'nodes')
      throw notEmulated('nodes/proxy', 'its kubelets have no API of their own');
  }
  if (subresource === 'log' && stored?.resource === 'pods') return handleLog(exchange);
  if (!acceptsKnownForm(req)) throw notAcceptable();
  if (served.group === 'metrics.k8s.io') return handleMetrics(exchange);
  if (!stored) return handleReview(exchange);
  if (stored.refused !== undefined && ['POST', 'PUT', 'PATCH'].includes(req.method ?? '')) {
    throw notEmulated(`${stored.kind} ${await nameOf(exchange)}(${groupVersion(stored)})`, stored.refused);
  }
  if (stored.resource === 'endpoints') {
    const text = 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice';
    exchange.res.setHeader('warning', warningHeader([text]).warning ?? '');
  }
  if (name === undefined) return routeCollection(exchange, stored);
  switch (subresource) {
    case undefined:
      return routeObject(exchange, stored, undefined);
    case 'status':
      if (!stored.hasStatus) throw noSuchPath();
      return routeObject(exchange, stored, 'status');
    case 'scale':
      if (!stored.hasScale) throw noSuchPath();
      return handleScale(exchange, stored);
    case 'eviction':
      if (stored.resource !== 'pods') throw noSuchPath();
      return handleEviction(exchange);
    case 'token':
      if (stored.resource !== 'serviceaccounts') throw noSuchPath();
      return handleTokenRequest(exchange);
    case 'finalize':
      if (stored.resource !== 'namespaces') throw noSuchPath();
      return finalizeNamespace(exchange);
    case 'resize':
      throw notEmulated('pods/resize', 'containers are processes, whose resources nobody limits');
    case 'ephemeralcontainers':
      throw notEmulated('pods/ephemeralcontainers', 'a container joins a pod only when the pod starts');
    case 'binding':
      if (stored.resource !== 'pods') throw noSuchPath();
      return handleBinding(exchange);
    default:
      throw noSuchPath();
  }
}

async function routeCollection(exchange: Exchange, stored: ResourceDefinition): Promise<void> {
  const { req, query, namespace, served } = exchange;
  switch (req.method) {
    case 'GET':
      return isTrue(query, 'watch') ? watchResource(exchange, stored) : listResource(exchange, stored);
    case 'POST':
      if (served.namespaced && namespace === undefined) throw methodNotAllowed();
      return createObject(exchange, stored);
    case 'DELETE':
      if (served.namespaced && namespace === undefined) throw methodNotAllowed();
      return deleteCollection(exchange, stored);
    default:
      throw methodNotAllowed();
  }
}

async function routeObject(
  exchange: Exchange,
  stored: ResourceDefinition,
  subresource: 'status' | undefined,
): Promise<void> {
  const { req, query, namespace, name = '', context } = exchange;
  switch (req.method) {
    case 'GET': {
      if (isTrue(query, 'watch')) {
        query.set('fieldSelector', `metadata.name=${name}`);
        return watchResource(exchange, stored);
      }
      const object = context.registry.storage.get(stored, namespace, name);
      if (!object) throw notFound(stored, name);
      return sendObject(exchange, 200, object);
    }
    case 'PUT':
      return replaceObject(exchange, stored, subresource);
    case 'PATCH':
      return patchObject(exchange, stored, subresource);
    case 'DELETE':
      if (subresource) throw methodNotAllowed();
      return deleteObject(exchange, stored);
    default:
      throw methodNotAllowed();
  }
}

function versionInfo(version: string) {
  const [, major = '1', minor = '34'] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    // Parses as a semantic version, and says what it is.
    gitVersion: `${version}+rollproof.emulated`,
    gitCommit: 'emulated',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: 'none',
    compiler: 'none',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}

/** Of an object that is not decoded: quoted, with a space behind it; empty where it is not JSON. */
async function nameOf({ req, name }: Exchange): Promise<string> {
  if (name !== undefined) return `"${name}" `;
  try {
    const { metadata } = JSON.parse(String(await readBody(req))) as { metadata: { name: string } };
    return `"${metadata.name}" `;
  } catch {
    return '';
  }
}

function notEmulated(what: string, why: string): StatusError {
  const text = `${what} is unsupported by the emulated cluster: ${why}; run this on a real cluster (--cluster kind)`;
  return new StatusError(501, 'NotImplemented', text, {});
}

function notAcceptable(): StatusError {
  return new StatusError(
    406,
    'NotAcceptable',
    '406: Not Acceptable\n\nAvailable representations: application/json, application/json;stream=watch, application/vnd.kubernetes.protobuf, application/vnd.kubernetes.protobuf;stream=watch',
    {},
  );
}
