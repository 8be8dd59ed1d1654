// Objects in their JSON form to protobuf: bodies of answers, and the frames of watches.
import protobuf from 'protobufjs/minimal.js';
import { isObject, type JsonObject } from '../objects.ts';
import { itemsPrefix, magic } from './decode.ts';
import { type Field, messageNameOf, messageOf } from './messages.ts';

export const protobufType = 'application/vnd.kubernetes.protobuf';

type Writer = protobuf.Writer;

/** The body for an object; undefined for a kind that has no protobuf form (tables, usage). */
export function encodeProtobuf(object: JsonObject): Buffer | undefined {
  const { apiVersion, kind } = object;
  const name = messageNameOf(String(apiVersion), String(kind));
  if (name === undefined) return undefined;
  const unknown = protobuf.Writer.create();
  const typeMeta = encodeMessage({ apiVersion, kind }, 'runtime.TypeMeta');
  unknown.uint32(tag(1, 2)).bytes(typeMeta);
  unknown.uint32(tag(2, 2)).bytes(encodeMessage(object, name));
  // The real encoder always writes these two.
  unknown.uint32(tag(3, 2)).string('').uint32(tag(4, 2)).string('');
  return Buffer.concat([magic, unknown.finish()]);
}

/** A frame of a watch: its length in four bytes, then a WatchEvent with the object as a body of its own. */
export function encodeWatchEvent(type: string, object: Buffer): Buffer {
  const raw = protobuf.Writer.create().uint32(tag(1, 2)).bytes(object).finish();
  const event = protobuf.Writer.create().uint32(tag(1, 2)).string(type).uint32(tag(2, 2)).bytes(raw).finish();
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}

function encodeMessage(object: JsonObject, name: string): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const field of messageOf(name).fields) writeField(writer, field, object);
  return writer.finish();
}

const tag = (number: number, wireType: number) => ((number << 3) | wireType) >>> 0;

function writeField(writer: Writer, field: Field, object: JsonObject): void {
  const { number, name, form, type } = field;
  const value = name === '=' ? object : object[name];
  if (value === undefined || value === null) return;
  switch (form) {
    case 'list':
      for (const item of Array.isArray(value) ? value : []) writeValue(writer, number, type, item);
      return;
    case 'map':
      for (const [key, content] of Object.entries(isObject(value) ? value : {})) {
        const entry = protobuf.Writer.create().uint32(tag(1, 2)).string(key);
        if (type.startsWith(itemsPrefix)) writeNamedList(entry, 2, type.slice(itemsPrefix.length), content);
        else writeValue(entry, 2, type, content);
        writer.uint32(tag(number, 2)).bytes(entry.finish());
      }
      return;
    case 'items':
      writeNamedList(writer, number, type, value);
      return;
    default:
      writeValue(writer, number, type, value);
  }
}

function writeNamedList(writer: Writer, number: number, type: string, value: unknown): void {
  const list = protobuf.Writer.create();
  for (const item of Array.isArray(value) ? value : []) writeValue(list, 1, type, item);
  writer.uint32(tag(number, 2)).bytes(list.finish());
}

function writeValue(writer: Writer, number: number, type: string, value: unknown): void {
  switch (type) {
    case 'bool':
      writer.uint32(tag(number, 0)).bool(value === true);
      return;
    case 'int32':
    case 'int64':
      writer.uint32(tag(number, 0)).int64(Number(value));
      return;
    case 'double':
      writer.uint32(tag(number, 1)).double(Number(value));
      return;
    default:
      writer.uint32(tag(number, 2)).bytes(contentOf(type, value));
  }
}

function contentOf(type: string, value: unknown): Uint8Array {
  switch (type) {
    case 'string':
      return Buffer.from(String(value));
    case 'bytes':
      return Buffer.from(String(value), 'base64');
    case 'Time':
    case 'MicroTime':
      return time(String(value));
    case 'Quantity':
      return protobuf.Writer.create().uint32(tag(1, 2)).string(String(value)).finish();
    case 'IntOrString':
      return intOrString(value);
    case 'Raw':
    case 'FieldsV1':
      return protobuf.Writer.create()
        .uint32(tag(1, 2))
        .bytes(Buffer.from(JSON.stringify(value)))
        .finish();
    default:
      return encodeMessage(isObject(value) ? value : {}, type);
  }
}

function time(text: string): Uint8Array {
  const timeMs = Date.parse(text);
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  return protobuf.Writer.create()
    .uint32(tag(1, 0))
    .int64(Math.floor(timeMs / 1000))
    .uint32(tag(2, 0))
    .int32(Number(fraction.padEnd(9, '0').slice(0, 9)))
    .finish();
}

function intOrString(value: unknown): Uint8Array {
  const isString = typeof value === 'string';
  return protobuf.Writer.create()
    .uint32(tag(1, 0))
    .int64(isString ? 1 : 0)
    .uint32(tag(2, 0))
    .int32(isString ? 0 : Number(value))
    .uint32(tag(3, 2))
    .string(isString ? value : '')
    .finish();
}
