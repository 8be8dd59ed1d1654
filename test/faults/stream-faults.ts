// Servers of WebSocket, event streams and TCP that do one thing well or badly, and how each must be counted.
import { createHash } from 'node:crypto';
import type { Outcome } from '../../harness/model/load.ts';
import type { Peer } from './wire-server.ts';

export interface LineFault {
  readonly outcome: Outcome;
  readonly code?: string;
  /** After the request's head has come. `text`: what came behind it, where something must. */
  act(peer: Peer, head: string, text: string): void;
}

const upgrade = (head: string): string => {
  const key = /sec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
};

/** A frame of a server. `flags`: final is 0x80. */
export function wsFrame(opcode: number, bytes: Buffer | string, flags = 0x80, mask = false): Buffer {
  const data = Buffer.from(bytes);
  const { length } = data;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extra);
  head[0] = flags | opcode;
  head[1] = (mask ? 0x80 : 0) | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) head.writeUInt16BE(length, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, ...(mask ? [Buffer.alloc(4)] : []), data]);
}
export const wsClose = (code: number, reason = ''): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return wsFrame(8, Buffer.concat([bytes, Buffer.from(reason)]));
};

const afterUpgrade =
  (...parts: (Buffer | string)[]) =>
  (peer: Peer, head: string): void => {
    peer.write(upgrade(head));
    for (const part of parts) peer.write(part);
  };
const thenFin =
  (act: LineFault['act']): LineFault['act'] =>
  (peer, head, text) => {
    act(peer, head, text);
    peer.fin();
  };

export const webSocketFaults: Readonly<Record<string, LineFault>> = {
  echo: { outcome: 'ok', act: afterUpgrade(wsFrame(1, '1 ')) },
  'echo in fragments, a ping between': {
    outcome: 'ok',
    act: afterUpgrade(wsFrame(1, '1 ', 0), wsFrame(9, 'ping'), wsFrame(0, 'more', 0), wsFrame(0, 'end')),
  },
  'a message of 300,000 bytes': { outcome: 'ok', act: afterUpgrade(wsFrame(1, '1 '.padEnd(300_000, 'ä'))) },
  'closed with 1001 instead': {
    outcome: 'stream-ended',
    code: '1001',
    act: afterUpgrade(wsClose(1001, 'going away')),
  },
  'closed with 1011': { outcome: 'stream-cut', code: '1011', act: afterUpgrade(wsClose(1011)) },
  'FIN after the upgrade': { outcome: 'stream-cut', code: 'FIN', act: thenFin(afterUpgrade()) },
  'FIN in a frame': {
    outcome: 'stream-cut',
    code: 'FIN',
    act: thenFin(afterUpgrade(wsFrame(1, '1 hello').subarray(0, 4))),
  },
  'RST after the upgrade': {
    outcome: 'stream-cut',
    code: 'ECONNRESET',
    act: (peer, head) => {
      afterUpgrade()(peer, head);
      peer.rst();
    },
  },
  'FIN instead of an answer': { outcome: 'closed', act: (peer) => peer.fin() },
  'RST instead of an answer': { outcome: 'reset', act: (peer) => peer.rst() },
  'silence after the upgrade': { outcome: 'timeout', code: 'BODY_TIMEOUT', act: afterUpgrade() },
  'silence instead of an answer': { outcome: 'timeout', code: 'RESPONSE_TIMEOUT', act: () => undefined },
  'no upgrade': {
    outcome: 'protocol',
    code: 'NO_UPGRADE',
    act: (peer) => peer.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  },
  '503': {
    outcome: 'http5xx',
    code: '503',
    act: (peer) => peer.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'),
  },
  'wrong accept': {
    outcome: 'protocol',
    code: 'BAD_ACCEPT',
    act: (peer, head) => peer.write(upgrade(head).replace(/Accept: .*/, 'Accept: nonsense')),
  },
  'an upgrade to something else': {
    outcome: 'protocol',
    code: 'NO_UPGRADE',
    act: (peer, head) => peer.write(upgrade(head).replace('Upgrade: websocket', 'Upgrade: h2c')),
  },
  'no word of the connection': {
    outcome: 'protocol',
    code: 'NO_UPGRADE',
    act: (peer, head) => peer.write(upgrade(head).replace('Connection: Upgrade\r\n', '')),
  },
  'a subprotocol that nobody asked for': {
    outcome: 'protocol',
    code: 'UNASKED_SUBPROTOCOL',
    act: (peer, head) =>
      peer.write(upgrade(head).replace('\r\n\r\n', '\r\nSec-WebSocket-Protocol: chat\r\n\r\n')),
  },
  'a masked frame': {
    outcome: 'protocol',
    code: 'MASKED_FRAME',
    act: afterUpgrade(wsFrame(1, '1 ', 0x80, true)),
  },
  'a compressed message': {
    outcome: 'protocol',
    code: 'RESERVED_BITS',
    act: afterUpgrade(wsFrame(1, '1 ', 0xc0)),
  },
  'an unknown opcode': { outcome: 'protocol', code: 'UNKNOWN_OPCODE', act: afterUpgrade(wsFrame(3, 'x')) },
  'invalid UTF-8': {
    outcome: 'protocol',
    code: 'INVALID_UTF8',
    act: afterUpgrade(wsFrame(1, Buffer.from([0x31, 0xc3, 0x28]))),
  },
  'UTF-8 cut at the end of the last fragment': {
    outcome: 'protocol',
    code: 'INVALID_UTF8',
    act: afterUpgrade(wsFrame(1, '1 ', 0), wsFrame(0, Buffer.from([0xc3]))),
  },
  'a continuation of nothing': {
    outcome: 'protocol',
    code: 'BAD_FRAGMENT',
    act: afterUpgrade(wsFrame(0, 'x')),
  },
  'a long ping': {
    outcome: 'protocol',
    code: 'BAD_CONTROL_FRAME',
    act: afterUpgrade(wsFrame(9, 'x'.repeat(126))),
  },
  'an enormous message': {
    outcome: 'protocol',
    code: 'MESSAGE_TOO_LARGE',
    act: afterUpgrade(Buffer.from([0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0])),
  },
  'a close code that is none': {
    outcome: 'protocol',
    code: 'BAD_CLOSE_CODE',
    act: afterUpgrade(wsClose(1005)),
  },
};

const events = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const event = (id: number): string => chunk(`id: ${id}\ndata: token\n\n`);

/** Lane `long`: a whole stream. */
export const eventFaults: Readonly<Record<string, LineFault>> = {
  whole: { outcome: 'ok', act: (peer) => peer.write(`${events}${event(1)}${event(2)}0\r\n\r\n`) },
  'whole, line ends of CR': {
    outcome: 'ok',
    act: (peer) => peer.write(`${events}${chunk('data: a\r\rdata: b\r\r')}0\r\n\r\n`),
  },
  'whole, behind a byte order mark': {
    outcome: 'ok',
    act: (peer) =>
      peer.write(Buffer.from(`${events}${'b'}\r\n\xef\xbb\xbfdata: a\n\r\n1\r\n\n\r\n0\r\n\r\n`, 'latin1')),
  },
  'whole, until FIN': {
    outcome: 'ok',
    act: thenFin((peer) =>
      peer.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n'),
    ),
  },
  'ended early, and said so': {
    outcome: 'stream-ended',
    act: (peer) => peer.write(`${events}${event(1)}${chunk('retry: 50\nevent: end\ndata:\n\n')}0\r\n\r\n`),
  },
  'FIN in the stream': {
    outcome: 'stream-cut',
    code: 'FIN',
    act: thenFin((peer) => peer.write(`${events}${event(1)}`)),
  },
  'RST in the stream': {
    outcome: 'stream-cut',
    code: 'ECONNRESET',
    act: (peer) => {
      peer.write(`${events}${event(1)}`);
      peer.rst();
    },
  },
  'FIN instead of an answer': { outcome: 'closed', act: (peer) => peer.fin() },
  'stays silent': {
    outcome: 'timeout',
    code: 'BODY_TIMEOUT',
    act: (peer) => peer.write(`${events}${event(1)}`),
  },
  'no event': { outcome: 'protocol', code: 'NO_EVENT', act: (peer) => peer.write(`${events}0\r\n\r\n`) },
  'a name without data': {
    outcome: 'protocol',
    code: 'NO_EVENT',
    act: (peer) => peer.write(`${events}${chunk('event: ping\n\n')}0\r\n\r\n`),
  },
  'something else': {
    outcome: 'protocol',
    code: 'NOT_EVENT_STREAM',
    act: (peer) => peer.write('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok'),
  },
  '500': {
    outcome: 'http5xx',
    code: '500',
    act: (peer) => peer.write('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'),
  },
  'a bad chunk': { outcome: 'protocol', code: 'BAD_CHUNK', act: (peer) => peer.write(`${events}zz\r\n`) },
};

export const tcpFaults: Readonly<Record<string, LineFault>> = {
  echo: { outcome: 'ok', act: (peer) => peer.write('rollproof\n') },
  'echo with the name of a pod': { outcome: 'ok', act: (peer) => peer.write('rollproof web-1\n') },
  'in pieces': {
    outcome: 'ok',
    act: (peer) => {
      for (const letter of 'rollproof\r\n') peer.write(letter);
    },
  },
  'another line': { outcome: 'protocol', code: 'OTHER_LINE', act: (peer) => peer.write('hello\n') },
  'no line at all': {
    outcome: 'protocol',
    code: 'OTHER_LINE',
    act: (peer) => peer.write('rollproof'.padEnd(2000, 'x')),
  },
  FIN: { outcome: 'closed', code: 'FIN', act: (peer) => peer.fin() },
  'FIN in the line': { outcome: 'closed', code: 'FIN', act: thenFin((peer) => peer.write('roll')) },
  RST: { outcome: 'reset', act: (peer) => peer.rst() },
  silence: { outcome: 'timeout', code: 'RESPONSE_TIMEOUT', act: () => undefined },
  'half a line': { outcome: 'timeout', code: 'BODY_TIMEOUT', act: (peer) => peer.write('roll') },
};

/** Acts once the head of a request has come (`line`: once a line has). */
export function lineService(
  faults: Readonly<Record<string, LineFault>>,
  plan: () => string,
  end: '\r\n\r\n' | '\n',
): (peer: Peer) => (bytes: Buffer) => void {
  return (peer) => {
    let came = '';
    return (bytes) => {
      came += bytes.toString('latin1');
      for (let at = came.indexOf(end); at >= 0; at = came.indexOf(end)) {
        const head = came.slice(0, at);
        came = came.slice(at + end.length);
        // What comes behind a head is another protocol.
        if (end !== '\n' && !/^(GET|POST) /.test(head)) return;
        if (peer.open) (faults[plan()] as LineFault).act(peer, head, came);
      }
    };
  };
}
