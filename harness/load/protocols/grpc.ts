// gRPC on HTTP/2: an attempt is a unary call. A stream of the server is in streams.ts.
import type { EngineOwner } from '../engine.ts';
import { outcomeOfStatus } from '../outcome.ts';
import { GrpcMessages } from './grpc-messages.ts';
import type { H2Headers, H2Request } from './h2/connection.ts';
import { H2Engine } from './h2/engine.ts';
import { encodeHeaders } from './h2/hpack.ts';
import type { AnswerReader, Judged } from './h2/slot.ts';
import { ownHeaders } from './http2.ts';
import type { Destination } from './wire.ts';

/** By number (google.rpc.Code). */
const grpcStatusNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

/** The standard health service, which needs no descriptor. */
export const healthCheck = 'grpc.health.v1.Health/Check';

export class GrpcEngine extends H2Engine {
  constructor(owner: EngineOwner) {
    // A target's expected statuses are those of HTTP; what can be a number of gRPC is one.
    super(
      owner,
      grpcRequest,
      (expected) => new UnaryReader(expected.filter((status) => status < grpcStatusNames.length)),
    );
  }
}

/** `deadlineMs`: told to the server; undefined: the call has none. */
export function grpcRequest({ plan }: EngineOwner, to: Destination, withDeadline = true): H2Request {
  const { method = healthCheck, message = '' } = plan.grpc ?? {};
  const bytes = Buffer.from(message, 'base64');
  const body = Buffer.alloc(5 + bytes.length);
  body.writeUInt32BE(bytes.length, 1);
  bytes.copy(body, 5);
  const block = encodeHeaders([
    [':method', 'POST'],
    [':scheme', to.secure ? 'https' : 'http'],
    [':authority', to.authority],
    [':path', `/${method.replace(/^\//, '')}`],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
    ...(withDeadline
      ? ([['grpc-timeout', `${Math.min(99_999_999, Math.ceil(plan.timeoutMs))}m`]] as const)
      : []),
    ...ownHeaders(plan.headers),
  ]);
  return { block, body };
}

/** What headers of an answer say before any message: undefined, that messages or trailers follow. */
export function judgeGrpcHead({ status, contentType, grpcStatus }: H2Headers): Judged | undefined {
  if (status !== 200) {
    // A proxy's answer, or a server of something else: no gRPC status can be trusted.
    const outcome = outcomeOfStatus(status, []);
    return { outcome: outcome === 'ok' ? 'protocol' : outcome, code: String(status), answered: true };
  }
  if (!/^application\/grpc(\+|;|$)/.test(contentType) && grpcStatus === undefined)
    return { outcome: 'protocol', code: 'NOT_GRPC', answered: false };
  return undefined;
}

/** `expected`: numbers of statuses that count as ok; empty: OK alone. */
export function judgeGrpcStatus(status: string, expected: readonly number[]): Judged {
  const name = /^\d{1,2}$/.test(status) ? grpcStatusNames[Number(status)] : undefined;
  if (name === undefined) return { outcome: 'protocol', code: 'BAD_GRPC_STATUS', answered: false };
  const ok = expected.length > 0 ? expected.includes(Number(status)) : name === 'OK';
  return { outcome: ok ? 'ok' : 'grpc-status', code: name, answered: true };
}

class UnaryReader implements AnswerReader {
  readonly #expected: readonly number[];
  readonly #messages = new GrpcMessages();
  #head: H2Headers | undefined;

  constructor(expected: readonly number[]) {
    this.#expected = expected;
  }

  begin(): void {
    this.#head = undefined;
    this.#messages.reset();
  }

  headers(headers: H2Headers): Judged | undefined {
    this.#head = headers;
    return judgeGrpcHead(headers);
  }

  data(buffer: Buffer, start: number, end: number): Judged | undefined {
    const problem = this.#messages.read(buffer, start, end);
    return problem && { outcome: 'protocol', code: problem, answered: false };
  }

  complete(trailers: H2Headers | undefined): Judged {
    const status = (trailers ?? this.#head)?.grpcStatus;
    if (status === undefined) return { outcome: 'missing-trailers', code: 'NO_GRPC_STATUS', answered: false };
    if (trailers === undefined && this.#messages.count > 0)
      return { outcome: 'missing-trailers', code: 'NO_TRAILERS', answered: false };
    const judged = judgeGrpcStatus(status, this.#expected);
    if (this.#messages.partial) return { outcome: 'protocol', code: 'MESSAGE_CUT', answered: false };
    if (judged.code === 'OK' && this.#messages.count !== 1)
      return {
        outcome: 'protocol',
        code: this.#messages.count === 0 ? 'NO_MESSAGE' : 'MORE_THAN_ONE_MESSAGE',
        answered: false,
      };
    return judged;
  }
}
