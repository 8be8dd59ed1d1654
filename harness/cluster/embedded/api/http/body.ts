// Request bodies as objects: JSON, YAML or protobuf, checked against the fields of their kind.
import { parse as parseYaml } from 'yaml';
import { badRequest, unsupportedMediaType } from '../errors.ts';
import { isObject, type JsonObject, type KubeObject } from '../objects.ts';
import { decodeProtobuf } from '../protobuf/decoder.ts';
import { groupVersion } from '../resources.ts';
import { DecodeError, decodeFields } from '../schema/decode.ts';
import { typeNameOf } from '../schema/schema.ts';
import { StatusError } from '../types.ts';
import type { Exchange } from './context.ts';
import { readBody } from './request.ts';

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

/** Reads and checks the object of a POST or PUT. */
export async function readObject(exchange: Exchange, expected: ExpectedKind): Promise<ReadObject> {
  const body = await readBody(exchange.req);
  const value = decodeMedia(body, contentType(exchange));
  if (!isObject(value)) throw badRequest('the object provided is unrecognized (must be a JSON object)');
  return checkObject(value, expected, exchange.query.get('fieldValidation'));
}

/** A body that need not be there, such as DeleteOptions. */
export async function readOptionalBody(exchange: Exchange): Promise<JsonObject> {
  const body = await readBody(exchange.req);
  if (body.length === 0) return {};
  const value = decodeMedia(body, contentType(exchange));
  return isObject(value) ? value : {};
}

export function decodeMedia(body: Buffer, type: string): unknown {
  switch (type) {
    case '':
    case 'application/json':
      return parseJson(body.toString());
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

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(
      `couldn't parse the body as JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
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
export function checkObject(
  value: JsonObject,
  expected: ExpectedKind,
  validation: string | null,
): ReadObject {
  const apiVersion = groupVersion(expected);
  const { kind } = expected;
  if (value.kind !== undefined && value.kind !== '' && value.kind !== kind) {
    const [, shortVersion = String(value.apiVersion)] = String(value.apiVersion).split('/');
    throw badRequest(
      `${String(value.kind)} in version "${shortVersion}" cannot be handled as a ${kind}: no kind "${String(value.kind)}" is expected here`,
    );
  }
  if (value.apiVersion !== undefined && value.apiVersion !== '' && value.apiVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${String(value.apiVersion)}) does not match the expected API version (${apiVersion})`,
    );
  }
  const { object, unknownFields } = decode(value, expected);
  if (unknownFields.length > 0 && validation === 'Strict') {
    throw badRequest(
      `${kind} in version "${expected.version}" cannot be handled as a ${kind}: strict decoding error: ${unknownFields.join(', ')}`,
    );
  }
  // metadata may be missing altogether; the write path says what it lacks.
  const metadata = isObject(object.metadata) ? object.metadata : {};
  return {
    object: { ...object, apiVersion, kind, metadata } as unknown as KubeObject,
    warnings: validation === 'Ignore' ? [] : unknownFields,
  };
}

function decode(value: JsonObject, { group, version, kind }: ExpectedKind) {
  try {
    return decodeFields(typeNameOf(groupVersion({ group, version }), kind), value);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new StatusError(
      400,
      'BadRequest',
      `${kind} in version "${version}" cannot be handled as a ${kind}: ${error.message}`,
    );
  }
}
