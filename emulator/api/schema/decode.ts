// Brings a JSON body to the fields that its kind has, as the API server's decoder does: unknown fields are refused,
// warned of or dropped, wrong types are refused.
import { isObject, type JsonObject, timestamp } from '../objects.ts';
import { parseQuantity } from '../quantity.ts';
import { schema } from './schema.ts';

interface Decoded {
  object: JsonObject;
  /** `unknown field "spec.replica"`, one per field. */
  unknownFields: string[];
}

/** A value that does not fit its field; the message is in the words of Go's JSON decoder. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  /** The words of the converter that strategic merge patch goes through. */
  readonly converterMessage: string;
  /** The words of the typed value that server-side apply goes through. */
  readonly typedMessage: string;
  constructor(message: string, converterMessage = message, typedMessage = message) {
    super(message);
    this.converterMessage = converterMessage;
    this.typedMessage = typedMessage;
  }
}

/** @param typeName A type of the schema: see typeNameOf. Throws DecodeError. */
export function decodeFields(typeName: string, value: JsonObject): Decoded {
  const unknownFields: string[] = [];
  const object = decodeStruct(typeName, value, '', unknownFields);
  return { object, unknownFields };
}

function decodeStruct(
  typeName: string,
  value: JsonObject,
  path: string,
  unknownFields: string[],
): JsonObject {
  const type = schema.types[typeName];
  if (!type) throw new Error(`the schema has no type ${typeName}`);
  const result: JsonObject = {};
  for (const [field, content] of Object.entries(value)) {
    const known = Object.hasOwn(type.fields, field) ? type.fields[field] : undefined;
    const fieldPath = path ? `${path}.${field}` : field;
    if (!known) {
      unknownFields.push(`unknown field "${fieldPath}"`);
      continue;
    }
    if (content === null || content === undefined) continue;
    const place = { struct: goType(typeName), path: fieldPath, unknownFields };
    result[field] = decodeValue(known[0], content, place);
  }
  return result;
}

interface Place {
  struct: string;
  path: string;
  unknownFields: string[];
}

function decodeValue(type: string, value: unknown, place: Place): unknown {
  if (type.startsWith('[')) {
    if (!Array.isArray(value)) throw mismatch(value, type, place);
    return value.map((item, index) =>
      item === null
        ? zeroOf(inner(type))
        : decodeValue(inner(type), item, { ...place, path: `${place.path}[${index}]` }),
    );
  }
  if (type.startsWith('{')) {
    if (!isObject(value)) throw mismatch(value, type, place);
    const entries = Object.entries(value).filter(([, content]) => content !== null);
    return Object.fromEntries(
      entries.map(([key, content]) => [key, decodeValue(inner(type), content, place)]),
    );
  }
  switch (type) {
    case 'any':
    case 'object':
      return value;
    case 'string':
      if (typeof value !== 'string') throw mismatch(value, type, place);
      return value;
    case 'bytes':
      return decodeBytes(value, place);
    case 'boolean':
      if (typeof value !== 'boolean') throw mismatch(value, type, place);
      return value;
    case 'int32':
    case 'int64':
      if (typeof value !== 'number' || !fits(value, type)) throw mismatch(value, type, place);
      return value;
    case 'double':
      if (typeof value !== 'number') throw mismatch(value, type, place);
      return value;
    case 'Quantity':
      return decodeQuantity(value, place);
    case 'IntOrString':
      if (typeof value === 'number' && fits(value, 'int32')) return value;
      if (typeof value !== 'string') throw mismatch(value, type, place);
      return value;
    case 'Date':
    case 'MicroTime':
      return decodeTime(type, value);
    default:
      if (type.startsWith('Array<')) return value;
      if (!isObject(value)) throw mismatch(value, type, place);
      return decodeStruct(type, value, place.path, place.unknownFields);
  }
}

/** What Go makes of null in a list: a bare `-` is an object without fields. */
function zeroOf(type: string): unknown {
  if (type === 'string') return '';
  return schema.types[type] ? {} : null;
}

const inner = (type: string) => type.slice(1, -1);

function fits(value: number, type: 'int32' | 'int64'): boolean {
  return (
    Number.isInteger(value) && Math.abs(value) <= (type === 'int32' ? 2_147_483_648 : Number.MAX_SAFE_INTEGER)
  );
}

function decodeQuantity(value: unknown, place: Place): string {
  if (typeof value !== 'string' && typeof value !== 'number') throw mismatch(value, 'Quantity', place);
  if (parseQuantity(value) === undefined) {
    throw new DecodeError(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  }
  return String(value);
}

function decodeBytes(value: unknown, place: Place): string {
  if (typeof value !== 'string') throw mismatch(value, 'bytes', place);
  const wrong = /[^A-Za-z0-9+/=\r\n]/.exec(value);
  if (wrong) throw new DecodeError(`illegal base64 data at input byte ${wrong.index}`);
  if (value.replace(/[\r\n]/g, '').length % 4 !== 0) {
    throw new DecodeError(`illegal base64 data at input byte ${value.length - (value.length % 4)}`);
  }
  return value;
}

function decodeTime(type: 'Date' | 'MicroTime', value: unknown): string {
  const timeMs = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  const layout = type === 'Date' ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00';
  if (typeof value !== 'string' || Number.isNaN(timeMs)) {
    throw new DecodeError(
      `parsing time ${JSON.stringify(value)} as "${layout}": cannot parse ${JSON.stringify(value)} as "2006"`,
    );
  }
  // metav1.Time has whole seconds, MicroTime six digits.
  return type === 'Date' ? timestamp(timeMs) : microTime(value, timeMs);
}

function microTime(text: string, timeMs: number): string {
  const digits = /\.(\d+)/.exec(text)?.[1] ?? '';
  return `${new Date(timeMs).toISOString().slice(0, 19)}.${digits.padEnd(6, '0').slice(0, 6)}Z`;
}

function mismatch(value: unknown, type: string, { struct, path }: Place): DecodeError {
  const found = jsonType(value, type);
  const wanted = qualified(type);
  const shape = /^\[\]/.test(wanted)
    ? 'slice'
    : /^map/.test(wanted)
      ? 'map'
      : /\./.test(wanted)
        ? 'struct'
        : undefined;
  return new DecodeError(
    `json: cannot unmarshal ${found} into Go struct field ${struct}.${path.replace(/\[\d+\]/g, '')} of type ${wanted}`,
    shape === undefined ? `unrecognized type: ${wanted}` : `cannot restore ${shape} from: ${found}`,
    `.${path}: expected ${typedName(type)}, got ${found.replace(/^number .*/, 'number')}`,
  );
}

function typedName(type: string): string {
  if (type.startsWith('[')) return 'list';
  if (type === 'int32' || type === 'int64' || type === 'double') return 'numeric (int or float)';
  if (type === 'boolean' || type === 'string') return type;
  return 'map';
}

function jsonType(value: unknown, wanted: string): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number')
    return wanted === 'int32' || wanted === 'int64' ? `number ${value}` : 'number';
  return typeof value;
}

/** V1DeploymentSpec → DeploymentSpec. */
function goType(type: string): string {
  return type.replace(/^(?:[A-Z][a-z]+)?V\d/, '');
}

/** V1DeploymentSpec → v1.DeploymentSpec; [V1Container] → []v1.Container; {string} → map[string]string. */
function qualified(type: string): string {
  if (type.startsWith('[')) return `[]${qualified(inner(type))}`;
  if (type.startsWith('{')) return `map[string]${qualified(inner(type))}`;
  if (type === 'boolean') return 'bool';
  if (type === 'double') return 'float64';
  if (type === 'bytes') return '[]uint8';
  const version = /^(?:[A-Z][a-z]+)?(V\d)/.exec(type)?.[1];
  return version ? `${version.toLowerCase()}.${goType(type)}` : type;
}
