// Protobuf request bodies: `kubectl create KIND`, autoscale and auth can-i send them. Answers are always JSON.
// Form: the magic "k8s\0", then runtime.Unknown {TypeMeta, raw}; raw is the object.
import { badRequest } from '../errors.ts';
import type { JsonObject } from '../objects.ts';
import { StatusError } from '../types.ts';
import { type Field, type Message, messages } from './messages.ts';

const magic = Buffer.from('k8s\0', 'latin1');

export function decodeProtobuf(body: Buffer): JsonObject {
  if (!body.subarray(0, 4).equals(magic)) {
    throw badRequest(
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  }
  const unknown = decode(body.subarray(4), messages.Unknown!);
  const { apiVersion = '', kind = '' } = (unknown.typeMeta ?? {}) as { apiVersion?: string; kind?: string };
  const known = messages[`${apiVersion} ${kind}`] ?? messages[kind];
  if (!known) {
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the emulated cluster takes no protobuf for ${kind}: send JSON (kubectl create -f or apply -f)`,
      {},
    );
  }
  return { apiVersion, kind, ...decode(unknown.raw as Buffer, known) };
}

function decode(bytes: Buffer, message: Message): JsonObject {
  const result: JsonObject = {};
  for (const { number, varint, data } of wireFields(bytes)) {
    const field = message.get(number);
    if (!field) {
      // A field that the table lacks would be lost without a word.
      if (data === undefined ? varint !== 0 : data.length > 0) throw unsupportedField(number);
      continue;
    }
    const value = fieldValue(field, varint, data);
    if (value === undefined) continue;
    if (field.type.endsWith('Map')) {
      result[field.name] = { ...(result[field.name] as JsonObject | undefined), ...(value as JsonObject) };
    } else if (field.repeated) {
      result[field.name] = [...((result[field.name] as unknown[] | undefined) ?? []), value];
    } else {
      result[field.name] = value;
    }
  }
  return result;
}

function fieldValue(field: Field, varint: number, data: Buffer | undefined): unknown {
  switch (field.type) {
    case 'ignored':
      return undefined;
    case 'int?':
      return varint;
    case 'int':
      return varint === 0 ? undefined : varint;
    case 'bool?':
      return varint !== 0;
    case 'bool':
      return varint === 0 ? undefined : true;
    default:
      break;
  }
  if (data === undefined) throw badRequest(`protobuf: wrong wire type for field ${field.name}`);
  switch (field.type) {
    case 'bytes':
      return data;
    case 'string':
      // Plain strings are on the wire even when empty.
      return data.length === 0 && !field.repeated ? undefined : data.toString();
    case 'stringMap':
      return mapEntry(data, (value) => value.toString());
    case 'bytesMap':
      return mapEntry(data, (value) => value.toString('base64'));
    case 'quantityMap':
      return mapEntry(data, (value) => decode(value, messages.Quantity!).string ?? '0');
    case 'message:IntOrString': {
      const { type, int, string } = decode(data, messages.IntOrString!);
      return type === 1 ? (string ?? '') : (int ?? 0);
    }
    case 'message:Quantity':
      return decode(data, messages.Quantity!).string;
    default:
      return decode(data, messages[field.type.slice('message:'.length)]!);
  }
}

function mapEntry(data: Buffer, convert: (value: Buffer) => unknown): JsonObject {
  let key = '';
  let value: Buffer = Buffer.alloc(0);
  for (const field of wireFields(data)) {
    if (field.number === 1) key = field.data?.toString() ?? '';
    if (field.number === 2) value = field.data ?? value;
  }
  return { [key]: convert(value) };
}

interface WireField {
  number: number;
  varint: number;
  data: Buffer | undefined;
}

function* wireFields(bytes: Buffer): Generator<WireField> {
  let offset = 0;
  const readVarint = (): number => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[offset++];
      if (byte === undefined) throw badRequest('protobuf: unexpected end of the message');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
    throw badRequest('protobuf: varint too long');
  };
  while (offset < bytes.length) {
    const tag = readVarint();
    const number = Math.floor(tag / 8);
    switch (tag & 7) {
      case 0:
        yield { number, varint: readVarint(), data: undefined };
        break;
      case 2: {
        const length = readVarint();
        if (length < 0 || offset + length > bytes.length) {
          throw badRequest('protobuf: unexpected end of the message');
        }
        yield { number, varint: 0, data: bytes.subarray(offset, offset + length) };
        offset += length;
        break;
      }
      default:
        throw badRequest(`protobuf: unsupported wire type ${tag & 7}`);
    }
  }
}

function unsupportedField(number: number): StatusError {
  return new StatusError(
    415,
    'UnsupportedMediaType',
    `the emulated cluster cannot read protobuf field ${number} of this object: send JSON (kubectl create -f or apply -f)`,
    {},
  );
}
