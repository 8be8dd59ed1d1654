// A stream of a gRPC server as a channel: a call whose answer is many messages.
import type { Outcome, Phase } from '../../model/load.ts';
import type { EngineOwner } from '../engine.ts';
import { grpcRequest, judgeGrpcHead, judgeGrpcStatus } from './grpc.ts';
import { GrpcMessages } from './grpc-messages.ts';
import type { H2Connection, H2Headers, H2User } from './h2/connection.ts';
import { H2Pool } from './h2/slot.ts';
import type { Channel, ChannelUser } from './single.ts';
import { cuts } from './sse.ts';
import type { Destination, Wire } from './wire.ts';

/** Statuses by which a server ends a stream in order: all was said, or it goes away and says so. */
const inOrder: ReadonlySet<string> = new Set(['OK', 'UNAVAILABLE', 'CANCELLED']);

/** Streams share connections as the plan says. */
export function grpcStreams(owner: EngineOwner, to: Destination) {
  const pool = new H2Pool(owner, to, grpcRequest(owner, to, false), true);
  const perConnection = owner.plan.streamsPerConnection ?? 1;
  return {
    pool,
    open: (stream: number, user: ChannelUser): Channel =>
      new GrpcStream(pool.connection(Math.floor(stream / perConnection)), pool, user),
  };
}

class GrpcStream implements Channel, H2User {
  bytes = 0;
  status = 0;
  pod: string | undefined = undefined;
  readonly #connection: H2Connection;
  readonly #user: ChannelUser;
  readonly #messages: GrpcMessages;
  #head: H2Headers | undefined;
  #phase: Phase = 'connect';
  #over = false;

  constructor(connection: H2Connection, pool: H2Pool, user: ChannelUser) {
    this.#connection = connection;
    this.#user = user;
    this.#messages = new GrpcMessages((start) => {
      if (!this.#over) user.message(numberOf(start));
    });
    connection.request(pool.request, this);
  }

  get wire(): Wire {
    return this.#connection.wire;
  }
  get phase(): Phase {
    if (this.#phase !== 'connect') return this.#phase;
    const { phase } = this.#connection.wire;
    return phase === 'open' ? 'first-byte' : phase;
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.cancel(this);
  }

  /** Nothing comes on it: the connection is not used for others either. */
  drop(): void {
    this.close();
    this.#connection.retire();
  }

  sent(): void {
    this.#phase = 'first-byte';
  }

  received(bytes: number): void {
    this.bytes += bytes;
    if (this.#phase === 'first-byte') this.#phase = 'headers';
  }

  headers(headers: H2Headers): void {
    this.status = headers.status;
    this.pod = headers.pod;
    this.#head = headers;
    this.#phase = 'body';
    const judged = judgeGrpcHead(headers);
    if (judged) this.#broke(judged.outcome, judged.code);
    // A status in the first headers is the whole answer.
    else if (headers.grpcStatus === undefined) this.#user.opened();
  }

  data(buffer: Buffer, start: number, end: number): void {
    const problem = this.#messages.read(buffer, start, end);
    if (problem) this.#broke('protocol', problem);
  }

  complete(trailers: H2Headers | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const status = (trailers ?? this.#head)?.grpcStatus;
    if (status === undefined) this.#user.broke('missing-trailers', 'NO_GRPC_STATUS');
    else if (this.#messages.partial) this.#user.broke('protocol', 'MESSAGE_CUT');
    else {
      const { outcome, code } = judgeGrpcStatus(status, []);
      if (trailers && inOrder.has(code)) this.#user.ended(code, undefined);
      else if (trailers === undefined && outcome === 'ok') this.#user.ended(code, undefined);
      else this.#user.broke(outcome, code);
    }
  }

  failed(outcome: Outcome, code: string): void {
    if (this.#over) return;
    this.#over = true;
    // That a stream was refused which had been answered is a word like any other.
    const reset = outcome === 'stream-reset' || outcome === 'refused-stream';
    const cut = reset || outcome === 'goaway-lost' || cuts.has(outcome);
    const how = outcome === 'goaway-lost' ? 'GOAWAY' : code;
    if (this.#phase === 'body' && cut) this.#user.broke('stream-cut', how);
    else this.#user.broke(outcome, code);
  }

  #broke(outcome: Outcome, code: string): void {
    if (this.#over) return;
    this.close();
    this.#user.broke(outcome, code);
  }
}

/** Field 1 as a varint, as our own target counts its messages. */
function numberOf(start: Buffer): number | undefined {
  if (start[0] !== 8) return undefined;
  let value = 0;
  for (let at = 1; at < Math.min(start.length, 8); at++) {
    const byte = start[at] as number;
    value += (byte & 127) * 2 ** (7 * (at - 1));
    if (byte < 128) return value;
  }
  return undefined;
}
