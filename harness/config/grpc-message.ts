// The message of a gRPC call as people write it: JSON with a descriptor, or bytes.
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import { messageOf, UsageError } from '../model/errors.ts';
import { readNamedFile } from '../model/named-file.ts';

interface WrittenMessage {
  /** "package.Service/Method". */
  readonly method: string;
  /** A .proto file, or a FileDescriptorSet as protoc --descriptor_set_out writes it. */
  readonly descriptor?: string | undefined;
  /** JSON of the request's message. */
  readonly json?: string | undefined;
  /** The message's bytes, base64. */
  readonly bytes?: string | undefined;
}

/** The message's bytes as base64. Throws a UsageError that names file, method or field. `what`: who asks, for errors. */
export function grpcMessage({ method, descriptor: file, json, bytes }: WrittenMessage, what: string): string {
  if (!/^[A-Za-z_][\w.]*\/[A-Za-z_]\w*$/.test(method))
    throw new UsageError(`${what}: "${method}" is not a gRPC method. Write it as package.Service/Method.`);
  if (bytes !== undefined) {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(bytes))
      throw new UsageError(`${what}: the bytes of the gRPC message are not base64.`);
    return bytes;
  }
  if (json === undefined) return '';
  if (file === undefined)
    throw new UsageError(
      `${what}: a gRPC message in JSON needs a descriptor (a .proto file or a descriptor set); give one, or the message as bytes.`,
    );
  const type = requestType(rootOf(file, what), method, file, what);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new UsageError(`${what}: the gRPC message is not JSON: ${json.slice(0, 60)}`);
  }
  const unknown = unknownField(value, type);
  if (unknown !== undefined)
    throw new UsageError(`${what}: message ${type.fullName.slice(1)} has no field "${unknown}".`);
  try {
    const message = type.fromObject(value as Record<string, unknown>);
    const problem = type.verify(message);
    if (problem) throw new Error(problem);
    return Buffer.from(type.encode(message).finish()).toString('base64');
  } catch (error) {
    throw new UsageError(
      `${what}: the gRPC message does not fit ${type.fullName.slice(1)}: ${(error as Error).message}.`,
    );
  }
}

/** What the library's extension adds to its class. */
interface FromDescriptor {
  fromDescriptor(set: unknown): protobuf.Root;
}

function rootOf(file: string, what: string): protobuf.Root {
  let contents: Buffer;
  try {
    contents = readNamedFile(file);
  } catch (error) {
    throw new UsageError(`${what}: descriptor ${file}: ${messageOf(error)}.`, { cause: error });
  }
  try {
    const root = file.endsWith('.proto')
      ? new protobuf.Root().loadSync(file, { keepCase: true })
      : (protobuf.Root as unknown as FromDescriptor).fromDescriptor(
          descriptor.FileDescriptorSet.decode(contents),
        );
    root.resolveAll();
    return root;
  } catch (error) {
    throw new UsageError(`${what}: descriptor ${file} cannot be understood: ${(error as Error).message}.`);
  }
}

function requestType(root: protobuf.Root, method: string, file: string, what: string): protobuf.Type {
  const [serviceName = '', methodName = ''] = method.split('/');
  let service: protobuf.Service;
  try {
    service = root.lookupService(serviceName);
  } catch {
    throw new UsageError(`${what}: ${file} has no service "${serviceName}".`);
  }
  const found = service.methods[methodName];
  if (!found)
    throw new UsageError(
      `${what}: service ${serviceName} in ${file} has no method "${methodName}"; it has ${Object.keys(service.methods).join(', ') || 'none'}.`,
    );
  found.resolve();
  return found.resolvedRequestType as protobuf.Type;
}

/** Of the outermost message; protobufjs would drop it in silence. */
function unknownField(value: unknown, type: protobuf.Type): string | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  return Object.keys(value).find((name) => !(name in type.fields) && !(camel(name) in type.fields));
}

const camel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
