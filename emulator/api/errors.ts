// API errors in Kubernetes' own words (apimachinery/pkg/api/errors) and their form on the wire.
import type { ResourceDefinition } from './resources.ts';
import { StatusError } from './types.ts';

/** One violated rule of an object, as field.Error has it. */
export interface Cause {
  reason: string;
  message: string;
  field: string;
}

export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: object;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: Record<string, unknown>;
  code?: number;
}

export function failure(error: StatusError): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    ...(error.reason ? { reason: error.reason } : {}),
    ...(error.details ? { details: error.details } : {}),
    code: error.code,
  };
}

/** "deployments.apps", "pods". */
function groupResource(definition: ResourceDefinition): string {
  return definition.group ? `${definition.resource}.${definition.group}` : definition.resource;
}

/** "Deployment.apps", "Pod". */
function groupKind(definition: ResourceDefinition): string {
  return definition.group ? `${definition.kind}.${definition.group}` : definition.kind;
}

function detailsOf(definition: ResourceDefinition, name: string): Record<string, unknown> {
  return {
    ...(name ? { name } : {}),
    ...(definition.group ? { group: definition.group } : {}),
    kind: definition.resource,
  };
}

export function notFound(definition: ResourceDefinition, name: string): StatusError {
  return new StatusError(
    404,
    'NotFound',
    `${groupResource(definition)} "${name}" not found`,
    detailsOf(definition, name),
  );
}

export function alreadyExists(definition: ResourceDefinition, name: string): StatusError {
  return new StatusError(
    409,
    'AlreadyExists',
    `${groupResource(definition)} "${name}" already exists`,
    detailsOf(definition, name),
  );
}

export function conflict(
  definition: ResourceDefinition,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): StatusError {
  return new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${groupResource(definition)} "${name}": ${why}`,
    detailsOf(definition, name),
  );
}

/** A deletion's precondition; Kubernetes names the kind here, not the resource. */
export function preconditionFailed(definition: ResourceDefinition, name: string, why: string): StatusError {
  return new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${groupKind(definition)} "${name}": ${why}`,
    { ...detailsOf(definition, name), kind: definition.kind },
  );
}

export function forbidden(
  definition: ResourceDefinition,
  name: string,
  why: string,
  causes?: Cause[],
): StatusError {
  return new StatusError(403, 'Forbidden', `${groupResource(definition)} "${name}" is forbidden: ${why}`, {
    ...detailsOf(definition, name),
    ...(causes ? { causes } : {}),
  });
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

/** 422 with all causes; one cause stands without brackets, as ToAggregate prints it. */
export function invalid(
  definition: Pick<ResourceDefinition, 'group' | 'kind'>,
  name: string,
  causes: readonly Cause[],
): StatusError {
  const kind = definition.group ? `${definition.kind}.${definition.group}` : definition.kind;
  const texts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${list}`, {
    ...(name ? { name } : {}),
    ...(definition.group ? { group: definition.group } : {}),
    kind: definition.kind,
    causes,
  });
}

export function expired(version: number, oldest: number): StatusError {
  return new StatusError(410, 'Expired', `too old resource version: ${version} (${oldest})`);
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}

export function noSuchPath(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function methodNotAllowed(): StatusError {
  return new StatusError(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  );
}
