// What a request is about: its path and query, as the API server's RequestInfo has them.
import type { IncomingMessage } from 'node:http';
import { badRequest, noSuchPath } from '../errors.ts';
import { findServed, type Served } from '../served.ts';
import { StatusError } from '../types.ts';

export interface ResourceRequest {
  served: Served;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
  /** What follows …/proxy, with its slash; "" without. */
  rest: string;
  query: URLSearchParams;
}

/** Throws 404 for a path of no resource. */
export function parseResourcePath(pathname: string, query: URLSearchParams): ResourceRequest {
  const segments = pathname.split('/').slice(1).map(decodeSegment);
  const core = segments[0] === 'api';
  if (!core && segments[0] !== 'apis') throw noSuchPath();
  const [group, version] = core ? ['', segments[1] ?? ''] : [segments[1] ?? '', segments[2] ?? ''];
  let parts = segments.slice(core ? 2 : 3);
  if (parts.at(-1) === '' && !parts.includes('proxy')) parts = parts.slice(0, -1);
  let namespace: string | undefined;
  const aboutNamespace =
    parts.length <= 2 || (parts.length === 3 && ['status', 'finalize'].includes(parts[2]!));
  if (parts[0] === 'namespaces' && !aboutNamespace) {
    namespace = parts[1];
    parts = parts.slice(2);
  }
  const [resource = '', name, subresource, ...rest] = parts;
  const served = findServed(group, version, resource);
  if (!served || (namespace !== undefined && !served.namespaced)) throw noSuchPath();
  if (served.namespaced && name !== undefined && namespace === undefined) throw noSuchPath();
  if (rest.length > 0 && subresource !== 'proxy') throw noSuchPath();
  return {
    served,
    namespace,
    name,
    subresource,
    rest: proxyRest(pathname),
    query,
  };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest(`invalid URL escape in "${segment}"`);
  }
}

// The path behind /proxy is handed on as it came, escapes included.
function proxyRest(pathname: string): string {
  const match = /^\/api\/v1\/namespaces\/[^/]+\/(?:pods|services)\/[^/]+\/proxy(\/.*)?$/.exec(pathname);
  return match?.[1] ?? '';
}

export function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value === 'true' || value === '1';
}

/** A non-negative whole number from the query. */
export function numberFrom(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d+$/.test(text)) {
    throw badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`);
  }
  return Number(text);
}

/** @param optionsKind CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, for the error. */
export function isDryRun(query: URLSearchParams, optionsKind: string, body?: unknown): boolean {
  const inBody = (body as { dryRun?: unknown } | undefined)?.dryRun;
  const values = Array.isArray(inBody) ? inBody.map(String) : query.getAll('dryRun').filter(Boolean);
  if (values.some((value) => value !== 'All')) {
    throw invalidOption(
      optionsKind,
      'dryRun',
      `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`,
    );
  }
  return values.length > 0;
}

/** 422 for a request's option. */
export function invalidOption(
  kind: string,
  field: string,
  message: string,
  reason = 'FieldValueNotSupported',
): StatusError {
  return new StatusError(422, 'Invalid', `${kind}.meta.k8s.io "" is invalid: ${field}: ${message}`, {
    group: 'meta.k8s.io',
    kind,
    causes: [{ reason, message, field }],
  });
}

/** kube-apiserver's limit for a request body. */
const bodyLimitBytes = 3 * 1024 * 1024;

export async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimitBytes) {
      throw new StatusError(
        413,
        'RequestEntityTooLarge',
        `Request entity too large: limit is ${bodyLimitBytes}`,
        {},
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
