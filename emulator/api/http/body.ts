// Request bodies as objects: JSON, YAML or protobuf, checked against the fields of their kind.
import { parse as parseYaml } from 'yaml';
import { badRequest, unsupportedMediaType } from '../errors.ts';
import { isObject, type JsonObject, type KubeObject } from '../objects.ts';
import { decodeProtobuf } from '../protobuf/decode.ts';
import { groupVersion } from '../resources.ts';
import { DecodeError, decodeFields } from '../schema/decode.ts';
import { typeNameOf } from '../schema/schema.ts';
import type { StatusError } from '../types.ts';
import type { Exchange } from './context.ts';
import { invalidOption, readBody } from './request.ts';

export interface ReadObject {
  object: KubeObject;
  warnings: string[];
}

/** The kind that a body is expected to have. */
export interface ExpectedKind {
  group: string;
  version: string;
  kind: string;
}

export function contentType({ req }: Pick<Exchange, 'req'>): string {
  return (req.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

/**
 * Reads and checks the object of a POST or PUT.
 * @param unsaidType What a body without a content type is: kubectl scales so. Everywhere else it is refused.
 */
export async function readObject(
  exchange: Exchange,
  expected: ExpectedKind,
  unsaidType = '',
): Promise<ReadObject> {
  const body = await readBody(exchange.req);
  const validation = fieldValidation(
    exchange.query,
    exchange.req.method === 'PUT' ? 'UpdateOptions' : 'CreateOptions',
  );
  const value = decodeMedia(body, contentType(exchange) || unsaidType, expected.kind);
  if (!isObject(value))
    throw unrecognized(expected.kind, 'json: cannot unmarshal array into a Go struct', body);
  return checkObject(value, expected, validation);
}

/** A body that need not be there, such as DeleteOptions. */
export async function readOptionalBody(exchange: Exchange): Promise<JsonObject> {
  const body = await readBody(exchange.req);
  if (body.length === 0) return {};
  const value = decodeMedia(body, contentType(exchange), 'DeleteOptions');
  return isObject(value) ? value : {};
}

/** @param kind What the error says that the object should have been. */
export function decodeMedia(body: Buffer, type: string, kind: string): unknown {
  switch (type) {
    case 'application/json':
      try {
        return JSON.parse(body.toString());
      } catch (error) {
        throw unrecognized(kind, goJsonError(error), body);
      }
    case 'application/yaml':
      return yaml(body.toString());
    case 'application/vnd.kubernetes.protobuf':
      return decodeProtobuf(body);
    default:
      throw unsupportedMediaType([
        'application/json',
        'application/yaml',
        'application/vnd.kubernetes.protobuf',
      ]);
  }
}

function unrecognized(kind: string, why: string, body: Buffer): StatusError {
  const shown = body.length === 0 ? '<empty>' : body.subarray(0, 128).toString('hex');
  return badRequest(
    `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why} (${shown})`,
  );
}

/** A JSON syntax error as Go words it. */
export function goJsonError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const character = /Unexpected token '?(.)/u.exec(message)?.[1];
  if (character) return `invalid character '${character}' looking for beginning of value`;
  return /end of JSON input/.test(message) ? 'unexpected end of JSON input' : message;
}

/** The fieldValidation parameter. */
export function fieldValidation(query: URLSearchParams, optionsKind: string): string {
  const value = query.get('fieldValidation') ?? '';
  if (['', 'Ignore', 'Strict', 'Warn'].includes(value)) return value;
  throw invalidOption(
    optionsKind,
    'fieldValidation',
    `Unsupported value: "${value}": supported values: "", "Ignore", "Strict", "Warn"`,
  );
}

/** apply-patch bodies are YAML by name and mostly JSON by content. */
export function yaml(text: string): unknown {
  try {
    return parseYaml(text, { maxAliasCount: 100 });
  } catch (error) {
    throw badRequest(`error decoding YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Kind and version as expected, every field known and of the right type. */
export function checkObject(value: JsonObject, expected: ExpectedKind, validation: string): ReadObject {
  const apiVersion = groupVersion(expected);
  const { group, kind } = expected;
  if (value.kind !== undefined && value.kind !== '' && value.kind !== kind) {
    const [, shortVersion = String(value.apiVersion)] = String(value.apiVersion).split('/');
    throw badRequest(
      `${String(value.kind)} in version "${shortVersion}" cannot be handled as a ${kind}: converting (${shortVersion}.${String(value.kind)}) to (${group || 'core'}.${kind}): unknown conversion`,
    );
  }
  if (value.apiVersion === 'v1' && apiVersion !== 'v1') {
    throw unhandled(
      { ...expected, version: 'v1' },
      `no kind "${kind}" is registered for version "v1" in scheme "pkg/runtime/scheme.go:110"`,
    );
  }
  if (value.apiVersion !== undefined && value.apiVersion !== '' && value.apiVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${String(value.apiVersion)}) does not match the expected API version (${apiVersion})`,
    );
  }
  const { object, unknownFields } = decode(value, expected);
  if (unknownFields.length > 0 && validation === 'Strict') {
    throw unhandled(expected, `strict decoding error: ${unknownFields.join(', ')}`);
  }
  // metadata may be missing altogether; the write path says what it lacks.
  const metadata = isObject(object.metadata) ? object.metadata : {};
  return {
    object: { ...object, apiVersion, kind, metadata } as unknown as KubeObject,
    warnings: validation === 'Ignore' ? [] : unknownFields,
  };
}

function decode(value: JsonObject, expected: ExpectedKind) {
  try {
    return decodeFields(typeNameOf(groupVersion(expected), expected.kind), value);
  } catch (error) {
    if (error instanceof DecodeError) throw unhandled(expected, error.message);
    throw error;
  }
}

function unhandled({ version, kind }: ExpectedKind, why: string): StatusError {
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
}
