// Protobuf to the JSON form of an object. What Go's JSON encoder would leave out (zero and omitempty) is left out here.
import protobuf from 'protobufjs/minimal.js';
import { badRequest } from '../errors.ts';
import { type JsonObject, timestamp } from '../objects.ts';
import { StatusError } from '../types.ts';
import { type Field, messageNameOf, messageOf } from './messages.ts';

/** Before runtime.Unknown {TypeMeta, raw}; raw is the object. */
export const magic = Buffer.from('k8s\0', 'latin1');

type Reader = protobuf.Reader;

/** A body of application/vnd.kubernetes.protobuf. */
export function decodeProtobuf(body: Buffer): JsonObject {
  if (!body.subarray(0, 4).equals(magic)) {
    throw badRequest(
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  }
  try {
    return decodeUnknown(body.subarray(4));
  } catch (error) {
    if (error instanceof StatusError) throw error;
    // What protobufjs says of bytes that are no message.
    throw badRequest(`protobuf: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function decodeUnknown(bytes: Buffer): JsonObject {
  const reader = protobuf.Reader.create(bytes);
  let typeMeta: JsonObject = {};
  let raw: Uint8Array = Buffer.alloc(0);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) typeMeta = decodeMessage(reader.bytes(), 'runtime.TypeMeta');
    else if (tag >>> 3 === 2) raw = reader.bytes();
    else reader.skipType(tag & 7);
  }
  const { apiVersion = '', kind = '' } = typeMeta as { apiVersion?: string; kind?: string };
  const name = messageNameOf(apiVersion, kind);
  if (!name) {
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the emulated cluster takes no protobuf for ${kind} of ${apiVersion || 'no group'}: send JSON (kubectl create -f or apply -f)`,
      {},
    );
  }
  return { apiVersion, kind, ...decodeMessage(raw, name) };
}

/** @param name See messages.json. Fields that the table lacks are newer than v1.34: left out, as the real server does. */
function decodeMessage(bytes: Uint8Array, name: string): JsonObject {
  const { byNumber } = messageOf(name);
  const reader = protobuf.Reader.create(bytes);
  const result: JsonObject = {};
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const field = byNumber.get(tag >>> 3);
    if (field) readField(reader, tag & 7, field, result);
    else reader.skipType(tag & 7);
  }
  return result;
}

function readField(reader: Reader, wireType: number, field: Field, result: JsonObject): void {
  const { name, form, type } = field;
  switch (form) {
    case 'list':
      result[name] = [
        ...((result[name] as unknown[] | undefined) ?? []),
        ...readItems(reader, wireType, type),
      ];
      return;
    case 'map':
      result[name] = { ...(result[name] as JsonObject | undefined), ...readEntry(reader.bytes(), type) };
      return;
    case 'items':
      result[name] = readNamedList(reader.bytes(), type);
      return;
    default: {
      const value = readValue(reader, type);
      if (name === '=') Object.assign(result, value);
      else if (value !== undefined && (form === 'pointer' || field.required || !isZero(value)))
        result[name] = value;
    }
  }
}

/** Numbers may come packed into one field. */
function readItems(reader: Reader, wireType: number, type: string): unknown[] {
  if (wireType !== 2 || !['int32', 'int64', 'bool', 'double'].includes(type))
    return [readValue(reader, type)];
  const items: unknown[] = [];
  for (const end = reader.uint32() + reader.pos; reader.pos < end; ) items.push(readValue(reader, type));
  return items;
}

function readEntry(bytes: Uint8Array, type: string): JsonObject {
  const reader = protobuf.Reader.create(bytes);
  let key = '';
  let value: unknown;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) key = reader.string();
    else if (tag >>> 3 !== 2) reader.skipType(tag & 7);
    else if (type.startsWith(itemsPrefix))
      value = readNamedList(reader.bytes(), type.slice(itemsPrefix.length));
    else value = readValue(reader, type);
  }
  return { [key]: value ?? (type === 'string' || type === 'bytes' ? '' : {}) };
}

/** How a map's value that is a named list of Go stands in the table. */
export const itemsPrefix = 'items:[]';

function readNamedList(bytes: Uint8Array, type: string): unknown[] {
  const reader = protobuf.Reader.create(bytes);
  const items: unknown[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) items.push(readValue(reader, type));
    else reader.skipType(tag & 7);
  }
  return items;
}

function readValue(reader: Reader, type: string): unknown {
  switch (type) {
    case 'string':
      return reader.string();
    case 'bool':
      return reader.bool();
    case 'int32':
      return reader.int32();
    case 'int64':
      return Number(reader.int64());
    case 'double':
      return reader.double();
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64');
    case 'Time':
    case 'MicroTime':
      return timeText(reader.bytes(), type);
    case 'Quantity':
      return part(reader.bytes(), 1, (inner) => inner.string()) ?? '0';
    case 'IntOrString':
      return intOrString(reader.bytes());
    case 'Raw':
    case 'FieldsV1':
      return embedded(part(reader.bytes(), 1, (inner) => inner.bytes()));
    default:
      return decodeMessage(reader.bytes(), type);
  }
}

function part<T>(bytes: Uint8Array, number: number, read: (reader: Reader) => T): T | undefined {
  const reader = protobuf.Reader.create(bytes);
  let found: T | undefined;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === number) found = read(reader);
    else reader.skipType(tag & 7);
  }
  return found;
}

/** Seconds and nanoseconds; nothing at all is the zero time, which JSON leaves out. */
function timeText(bytes: Uint8Array, type: 'Time' | 'MicroTime'): string | undefined {
  if (bytes.length === 0) return undefined;
  const seconds = Number(part(bytes, 1, (reader) => reader.int64()) ?? 0);
  if (type === 'Time') return timestamp(seconds * 1000);
  const nanos = part(bytes, 2, (reader) => reader.int32()) ?? 0;
  const micros = String(Math.floor(nanos / 1000)).padStart(6, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${micros}Z`;
}

function intOrString(bytes: Uint8Array): number | string {
  const isString = part(bytes, 1, (reader) => reader.int64());
  if (Number(isString ?? 0) === 1) return part(bytes, 3, (reader) => reader.string()) ?? '';
  return part(bytes, 2, (reader) => reader.int32()) ?? 0;
}

function embedded(bytes: Uint8Array | undefined): unknown {
  if (!bytes || bytes.length === 0) return undefined;
  const buffer = Buffer.from(bytes);
  return buffer.subarray(0, 4).equals(magic)
    ? decodeUnknown(buffer.subarray(4))
    : JSON.parse(buffer.toString());
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false;
}
