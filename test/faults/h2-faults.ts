// Ways in which a server of HTTP/2 or gRPC answers, or does not, and how each must be counted.
import {
  errorCode,
  flag,
  frame,
  frameType,
  type H2Error,
  prefaceText,
  settings,
} from '../../harness/load/protocols/h2/frames.ts';
import { encodeHeaders } from '../../harness/load/protocols/h2/hpack.ts';
import type { Outcome } from '../../harness/model/load.ts';
import type { Peer } from './wire-server.ts';

export interface H2Fault {
  readonly outcome: Outcome;
  readonly code?: string;
  /** The connection is of no use afterwards: what else is on it is lost with it. */
  readonly endsConnection?: boolean;
  act(stream: number, peer: Peer): void;
}

const headers = (stream: number, fields: [string, string][], flags = 0): Buffer =>
  frame(frameType.headers, flag.endHeaders | flags, stream, encodeHeaders(fields));
const data = (stream: number, bytes: Buffer | string, flags = 0): Buffer =>
  frame(frameType.data, flags, stream, Buffer.from(bytes));
const u32 = (...numbers: number[]): Buffer => {
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, index * 4);
  return bytes;
};
const rst = (stream: number, error: H2Error): Buffer =>
  frame(frameType.rstStream, 0, stream, u32(errorCode(error)));
const goaway = (last: number, error: H2Error = 'NO_ERROR'): Buffer =>
  frame(frameType.goaway, 0, 0, u32(last, errorCode(error)));
const ok: [string, string][] = [[':status', '200']];
const END = flag.endStream;
const body = 'hello, this is the body\n';

export const h2Faults: Readonly<Record<string, H2Fault>> = {
  whole: {
    outcome: 'ok',
    act: (id, peer) => peer.write(Buffer.concat([headers(id, ok), data(id, body, END)])),
  },
  'head alone': { outcome: 'ok', act: (id, peer) => peer.write(headers(id, [[':status', '204']], END)) },
  'in pieces of a byte': {
    outcome: 'ok',
    act: (id, peer) => {
      for (const byte of Buffer.concat([headers(id, ok), data(id, 'ab', END)]))
        peer.write(Buffer.from([byte]));
    },
  },
  'large body': {
    outcome: 'ok',
    act: (id, peer) => {
      peer.write(headers(id, ok));
      for (let n = 0; n < 20; n++) peer.write(data(id, Buffer.alloc(16_000)));
      peer.write(data(id, '', END));
    },
  },
  'continuation and padding': {
    outcome: 'ok',
    act: (id, peer) => {
      const block = encodeHeaders([...ok, ['x-long', 'x'.repeat(300)]]);
      peer.write(frame(frameType.headers, 0, id, block.subarray(0, 10)));
      peer.write(frame(frameType.continuation, 0, id, block.subarray(10, 20)));
      peer.write(frame(frameType.continuation, flag.endHeaders, id, block.subarray(20)));
      peer.write(
        frame(
          frameType.data,
          flag.padded | END,
          id,
          Buffer.concat([Buffer.from([3]), Buffer.from('abc\0\0\0')]),
        ),
      );
    },
  },
  '103 before': {
    outcome: 'ok',
    act: (id, peer) => peer.write(Buffer.concat([headers(id, [[':status', '103']]), headers(id, ok, END)])),
  },
  trailers: {
    outcome: 'ok',
    act: (id, peer) =>
      peer.write(Buffer.concat([headers(id, ok), data(id, body), headers(id, [['x-sum', '1']], END)])),
  },
  'unknown frames, pings, settings again': {
    outcome: 'ok',
    act: (id, peer) =>
      peer.write(
        Buffer.concat([
          frame(0x42, 7, id, Buffer.from('what?')),
          frame(frameType.ping, 0, 0, Buffer.alloc(8)),
          settings([[3, 100]]),
          frame(frameType.priority, 0, id, Buffer.alloc(5)),
          headers(id, ok, END),
        ]),
      ),
  },
  '404': {
    outcome: 'http4xx',
    code: '404',
    act: (id, peer) => peer.write(headers(id, [[':status', '404']], END)),
  },
  '503': {
    outcome: 'http5xx',
    code: '503',
    act: (id, peer) => peer.write(headers(id, [[':status', '503']], END)),
  },
  'stream refused': { outcome: 'refused-stream', act: (id, peer) => peer.write(rst(id, 'REFUSED_STREAM')) },
  'stream reset': {
    outcome: 'stream-reset',
    code: 'INTERNAL_ERROR',
    act: (id, peer) => peer.write(rst(id, 'INTERNAL_ERROR')),
  },
  'stream reset in the body': {
    outcome: 'stream-reset',
    code: 'CANCEL',
    act: (id, peer) => peer.write(Buffer.concat([headers(id, ok), data(id, body), rst(id, 'CANCEL')])),
  },
  'GOAWAY without this one': {
    outcome: 'goaway-lost',
    code: 'GOAWAY_UNPROCESSED',
    endsConnection: true,
    act: (_id, peer) => {
      peer.write(goaway(0));
      peer.fin();
    },
  },
  'GOAWAY with this one, then FIN': {
    outcome: 'goaway-lost',
    code: 'GOAWAY_PROCESSED',
    endsConnection: true,
    act: (id, peer) => {
      peer.write(goaway(id));
      peer.fin();
    },
  },
  'GOAWAY for an error': {
    outcome: 'goaway-lost',
    code: 'GOAWAY_ENHANCE_YOUR_CALM',
    endsConnection: true,
    act: (_id, peer) => {
      peer.write(goaway(0, 'ENHANCE_YOUR_CALM'));
      peer.fin();
    },
  },
  'GOAWAY twice, then the answer': {
    outcome: 'ok',
    endsConnection: true,
    act: (id, peer) => peer.write(Buffer.concat([goaway(2 ** 31 - 1), goaway(id), headers(id, ok, END)])),
  },
  'GOAWAY that goes up': {
    outcome: 'protocol',
    code: 'PROTOCOL_ERROR',
    endsConnection: true,
    act: (id, peer) => peer.write(Buffer.concat([goaway(id), goaway(id + 2)])),
  },
  FIN: { outcome: 'closed', endsConnection: true, act: (_id, peer) => peer.fin() },
  RST: { outcome: 'reset', endsConnection: true, act: (_id, peer) => peer.rst() },
  'FIN in the body': {
    outcome: 'closed',
    endsConnection: true,
    act: (id, peer) => {
      peer.write(Buffer.concat([headers(id, ok), data(id, 'half')]));
      peer.fin();
    },
  },
  'FIN in a frame': {
    outcome: 'closed',
    endsConnection: true,
    act: (id, peer) => {
      peer.write(data(id, body).subarray(0, 12));
      peer.fin();
    },
  },
  silence: { outcome: 'timeout', code: 'RESPONSE_TIMEOUT', act: () => undefined },
  'body that never ends': {
    outcome: 'timeout',
    code: 'BODY_TIMEOUT',
    act: (id, peer) => peer.write(Buffer.concat([headers(id, ok), data(id, 'half')])),
  },
  'garbage in HPACK': {
    outcome: 'protocol',
    code: 'COMPRESSION_ERROR',
    endsConnection: true,
    act: (id, peer) =>
      peer.write(frame(frameType.headers, flag.endHeaders, id, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]))),
  },
  'oversized frame': {
    outcome: 'protocol',
    code: 'FRAME_SIZE_ERROR',
    endsConnection: true,
    act: (id, peer) => peer.write(data(id, Buffer.alloc(20_000))),
  },
  'more window than there can be': {
    outcome: 'protocol',
    code: 'FLOW_CONTROL_ERROR',
    act: (id, peer) => {
      const most = frame(frameType.windowUpdate, 0, id, u32(2 ** 31 - 1));
      peer.write(Buffer.concat([most, most]));
    },
  },
  'a window of nothing': {
    outcome: 'protocol',
    code: 'PROTOCOL_ERROR',
    act: (id, peer) => peer.write(frame(frameType.windowUpdate, 0, id, u32(0))),
  },
  'settings that make a window too large': {
    outcome: 'protocol',
    code: 'FLOW_CONTROL_ERROR',
    endsConnection: true,
    act: (id, peer) =>
      peer.write(
        Buffer.concat([
          settings([[4, 65_535]]),
          frame(frameType.windowUpdate, 0, id, u32(2 ** 31 - 1 - 65_535)),
          settings([[4, 65_536]]),
        ]),
      ),
  },
  'no status': {
    outcome: 'protocol',
    code: 'BAD_HEADERS',
    act: (id, peer) => peer.write(headers(id, [['x', 'y']], END)),
  },
  'data before headers': {
    outcome: 'protocol',
    code: 'DATA_BEFORE_HEADERS',
    act: (id, peer) => peer.write(data(id, 'x')),
  },
  'headers in upper case': {
    outcome: 'protocol',
    code: 'BAD_HEADERS',
    act: (id, peer) => peer.write(headers(id, [...ok, ['X-Upper', 'y']], END)),
  },
  'a line end in a value': {
    outcome: 'protocol',
    code: 'BAD_HEADERS',
    act: (id, peer) => peer.write(headers(id, [...ok, ['x', 'y\r\nz: 1']], END)),
  },
  'a colon in a name': {
    outcome: 'protocol',
    code: 'BAD_HEADERS',
    act: (id, peer) => peer.write(headers(id, [...ok, ['x:y', 'z']], END)),
  },
  'a short priority': {
    outcome: 'protocol',
    code: 'FRAME_SIZE_ERROR',
    act: (id, peer) => peer.write(frame(frameType.priority, 0, id, Buffer.alloc(4))),
  },
  'pushes allowed by the server': {
    outcome: 'protocol',
    code: 'PROTOCOL_ERROR',
    endsConnection: true,
    act: (_id, peer) => peer.write(settings([[2, 1]])),
  },
  'a length and no body': {
    outcome: 'protocol',
    code: 'BAD_CONTENT_LENGTH',
    act: (id, peer) => peer.write(headers(id, [...ok, ['content-length', '99']], END)),
  },
  'length too long': {
    outcome: 'protocol',
    code: 'BAD_CONTENT_LENGTH',
    act: (id, peer) =>
      peer.write(Buffer.concat([headers(id, [...ok, ['content-length', '99']]), data(id, body, END)])),
  },
  'headers without end': {
    outcome: 'protocol',
    code: 'HEADERS_TOO_LARGE',
    endsConnection: true,
    act: (id, peer) => {
      peer.write(frame(frameType.headers, 0, id, encodeHeaders(ok)));
      for (let n = 0; n < 40; n++) peer.write(frame(frameType.continuation, 0, id, Buffer.alloc(16_000)));
    },
  },
  'a push': {
    outcome: 'protocol',
    code: 'PROTOCOL_ERROR',
    endsConnection: true,
    act: (id, peer) => peer.write(frame(frameType.pushPromise, flag.endHeaders, id, u32(2))),
  },
  'frame of a stream that nobody opened': {
    outcome: 'protocol',
    code: 'PROTOCOL_ERROR',
    endsConnection: true,
    act: (_id, peer) => peer.write(headers(999_999, ok, END)),
  },
};

const grpc: [string, string][] = [...ok, ['content-type', 'application/grpc']];
const message = (bytes: string, compressed = 0): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, Buffer.from(bytes)]);
};
const answered = (id: number, status: string): Buffer =>
  Buffer.concat([headers(id, grpc), data(id, message('hi')), headers(id, [['grpc-status', status]], END)]);

export const grpcFaults: Readonly<Record<string, H2Fault>> = {
  'status OK': { outcome: 'ok', act: (id, peer) => peer.write(answered(id, '0')) },
  'an empty message': {
    outcome: 'ok',
    act: (id, peer) =>
      peer.write(
        Buffer.concat([headers(id, grpc), data(id, message('')), headers(id, [['grpc-status', '0']], END)]),
      ),
  },
  'message in pieces': {
    outcome: 'ok',
    act: (id, peer) => {
      peer.write(headers(id, grpc));
      for (const byte of message('a longer one')) peer.write(data(id, Buffer.from([byte])));
      peer.write(headers(id, [['grpc-status', '0']], END));
    },
  },
  'status UNAVAILABLE': {
    outcome: 'grpc-status',
    code: 'UNAVAILABLE',
    act: (id, peer) => peer.write(answered(id, '14')),
  },
  'trailers only': {
    outcome: 'grpc-status',
    code: 'UNIMPLEMENTED',
    act: (id, peer) => peer.write(headers(id, [...grpc, ['grpc-status', '12']], END)),
  },
  'trailers only, and OK': {
    outcome: 'protocol',
    code: 'NO_MESSAGE',
    act: (id, peer) => peer.write(headers(id, [...grpc, ['grpc-status', '0']], END)),
  },
  'no trailers': {
    outcome: 'missing-trailers',
    act: (id, peer) => peer.write(Buffer.concat([headers(id, grpc), data(id, message('hi'), END)])),
  },
  'trailers without a status': {
    outcome: 'missing-trailers',
    act: (id, peer) =>
      peer.write(Buffer.concat([headers(id, grpc), data(id, message('hi')), headers(id, [['x', 'y']], END)])),
  },
  'status that is none': {
    outcome: 'protocol',
    code: 'BAD_GRPC_STATUS',
    act: (id, peer) => peer.write(answered(id, 'many')),
  },
  'compressed message': {
    outcome: 'protocol',
    code: 'COMPRESSED_MESSAGE',
    act: (id, peer) => peer.write(Buffer.concat([headers(id, grpc), data(id, message('hi', 1))])),
  },
  'message cut': {
    outcome: 'protocol',
    code: 'MESSAGE_CUT',
    act: (id, peer) =>
      peer.write(
        Buffer.concat([
          headers(id, grpc),
          data(id, message('hello').subarray(0, 7)),
          headers(id, [['grpc-status', '0']], END),
        ]),
      ),
  },
  'two messages': {
    outcome: 'protocol',
    code: 'MORE_THAN_ONE_MESSAGE',
    act: (id, peer) =>
      peer.write(
        Buffer.concat([
          headers(id, grpc),
          data(id, message('a')),
          data(id, message('b')),
          headers(id, [['grpc-status', '0']], END),
        ]),
      ),
  },
  'enormous message': {
    outcome: 'protocol',
    code: 'MESSAGE_TOO_LARGE',
    act: (id, peer) =>
      peer.write(Buffer.concat([headers(id, grpc), data(id, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]))])),
  },
  'no gRPC': {
    outcome: 'protocol',
    code: 'NOT_GRPC',
    act: (id, peer) =>
      peer.write(Buffer.concat([headers(id, [...ok, ['content-type', 'text/html']]), data(id, body, END)])),
  },
  "a proxy's 503": {
    outcome: 'http5xx',
    code: '503',
    act: (id, peer) => peer.write(headers(id, [[':status', '503']], END)),
  },
  'stream refused': { outcome: 'refused-stream', act: (id, peer) => peer.write(rst(id, 'REFUSED_STREAM')) },
  'stream refused behind its headers': {
    outcome: 'refused-stream',
    act: (id, peer) => peer.write(Buffer.concat([headers(id, grpc), rst(id, 'REFUSED_STREAM')])),
  },
  'RST in the answer': {
    outcome: 'reset',
    endsConnection: true,
    act: (id, peer) => {
      peer.write(Buffer.concat([headers(id, grpc), data(id, message('hi'))]));
      peer.rst();
    },
  },
  silence: { outcome: 'timeout', act: () => undefined },
};

/** Answers each request as `plan` says; `done` is told the name of what was done. */
export function h2Service(
  faults: Readonly<Record<string, H2Fault>>,
  plan: () => string,
  done: (name: string) => void = () => undefined,
): (peer: Peer) => (bytes: Buffer) => void {
  return (peer) => {
    let rest: Buffer = Buffer.alloc(0);
    let begun = false;
    peer.write(settings([[3, 1000]]));
    return (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      if (!begun) {
        if (rest.length < prefaceText.length) return;
        rest = rest.subarray(prefaceText.length);
        begun = true;
      }
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const size = rest.readUIntBE(0, 3);
        const type = rest[3] as number;
        const flags = rest[4] as number;
        const stream = rest.readUInt32BE(5);
        if (type === frameType.settings && !(flags & flag.ack))
          peer.write(frame(frameType.settings, flag.ack, 0, Buffer.alloc(0)));
        const ends = (type === frameType.headers || type === frameType.data) && flags & flag.endStream;
        rest = rest.subarray(9 + size);
        if (!ends || !peer.open) continue;
        const name = plan();
        done(name);
        (faults[name] as H2Fault).act(stream, peer);
      }
    };
  };
}
