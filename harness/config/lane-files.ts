// What a lane of the configuration names as files is read here: certificates, keys, descriptors.
import { resolve } from 'node:path';
import { messageOf, UsageError } from '../model/errors.ts';
import { readNamedText } from '../model/named-file.ts';
import { pemProblem } from '../model/pem.ts';
import { grpcMessage } from './grpc-message.ts';
import type { ConfiguredLane } from './schema.ts';

/** TLS fields hold PEM afterwards, `bytes` the gRPC message. Throws a UsageError that begins with `at`. */
export function laneWithFiles(lane: ConfiguredLane, folder: string, at: string): ConfiguredLane {
  const { tls, protocol, method, descriptor, message, bytes } = lane;
  if (tls && (tls.cert === undefined) !== (tls.key === undefined))
    throw new UsageError(`${at}.tls: cert and key go together; one of them is missing.`);
  const pem = (field: 'ca' | 'cert' | 'key') =>
    tls?.[field] === undefined ? {} : { [field]: text(resolve(folder, tls[field]), `${at}.tls.${field}`) };
  const read = { ...pem('ca'), ...pem('cert'), ...pem('key') };
  const problem = pemProblem(read);
  if (problem)
    throw new UsageError(`${at}.tls.${problem.field}: ${String(tls?.[problem.field])} ${problem.why}.`);
  return {
    ...lane,
    ...(tls && { tls: { ...tls, ...read } }),
    ...(protocol === 'grpc' &&
      method !== undefined && {
        bytes: grpcMessage(
          {
            method,
            descriptor: descriptor === undefined ? undefined : resolve(folder, descriptor),
            json: message,
            bytes,
          },
          at,
        ),
      }),
  };
}

function text(file: string, at: string): string {
  try {
    return readNamedText(file);
  } catch (error) {
    throw new UsageError(`${at}: ${file}: ${messageOf(error)}.`, { cause: error });
  }
}
