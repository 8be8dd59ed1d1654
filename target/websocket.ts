// WebSocket by hand: every message comes back as it came; while stopping, close 1001 with a reason, right behind the next
// answer: a message that crosses a close frame cannot be answered any more (RFC 6455, section 5.5.1). With ?push=MS a message
// comes by itself that often.
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TargetConfig } from './config.ts';
import { everyInterval, type Streams } from './streams.ts';

const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const GOING_AWAY = 1001;
/** A stream on which nothing is answered meanwhile is closed all the same. */
const QUIET_LIMIT_MS = 2000;
const CLOSE_LIMIT_MS = 2000;
const FINAL = 0x80;
const MESSAGE_LIMIT = 1024 * 1024;

export function serveWebSocket(
  config: TargetConfig,
  request: IncomingMessage,
  socket: Socket,
  streams: Streams,
): void {
  const key = request.headers['sec-websocket-key'];
  if (typeof key !== 'string') {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n` +
      `x-rollproof-pod: ${config.podName}\r\nx-rollproof-version: ${config.version}\r\n\r\n`,
  );
  let rest: Buffer = Buffer.alloc(0);
  let leaving = false;
  let closing = false;
  const pushMs = Number(new URLSearchParams((request.url ?? '').split('?', 2)[1]).get('push') ?? 0);
  const stopPush =
    pushMs > 0 ? everyInterval(pushMs, 0, (number) => answer(1, Buffer.from(`{"n":${number}}`))) : () => {};
  const gone = streams.add({
    end() {
      if (leaving) return;
      leaving = true;
      setTimeout(close, QUIET_LIMIT_MS).unref();
    },
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    stopPush();
    gone();
  });
  socket.on('end', () => socket.end());
  socket.on('data', (data: Buffer) => {
    rest = rest.length > 0 ? Buffer.concat([rest, data]) : data;
    for (let frame = frameIn(rest); frame; frame = frameIn(rest)) {
      rest = rest.subarray(frame.bytes);
      if (frame.opcode === 8) {
        if (!closing) send(8, frame.data.subarray(0, 2));
        socket.end();
        return;
      }
      if (frame.opcode === 9) send(10, frame.data);
      else if (frame.opcode < 3) answer(frame.opcode, frame.data, frame.flags);
    }
    if (rest.length > MESSAGE_LIMIT) socket.destroy();
  });

  function answer(opcode: number, data: Buffer, flags?: number): void {
    if (closing) return;
    send(opcode, data, flags);
    if (leaving && (flags ?? FINAL) & FINAL) close();
  }

  function close(): void {
    if (closing) return;
    closing = true;
    stopPush();
    const reason = Buffer.from('going away');
    const data = Buffer.alloc(2 + reason.length);
    data.writeUInt16BE(GOING_AWAY);
    reason.copy(data, 2);
    send(8, data);
    setTimeout(() => socket.destroy(), CLOSE_LIMIT_MS).unref();
  }

  function send(opcode: number, data: Buffer, flags = FINAL): void {
    if (!socket.writable) return;
    const { length } = data;
    const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
    const head = Buffer.alloc(2 + extra);
    head[0] = flags | opcode;
    head[1] = extra === 0 ? length : extra === 2 ? 126 : 127;
    if (extra === 2) head.writeUInt16BE(length, 2);
    if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2);
    socket.write(Buffer.concat([head, data]));
  }
}

interface Frame {
  readonly opcode: number;
  readonly flags: number;
  readonly data: Buffer;
  /** Of the whole frame. */
  readonly bytes: number;
}

/** A client's frame is masked. Undefined: not whole yet. */
function frameIn(bytes: Buffer): Frame | undefined {
  if (bytes.length < 6) return undefined;
  const short = (bytes[1] as number) & 127;
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (bytes.length < 6 + extra) return undefined;
  const length = extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const start = 6 + extra;
  if (bytes.length < start + length) return undefined;
  const mask = bytes.subarray(start - 4, start);
  const data = Buffer.from(
    bytes.subarray(start, start + length).map((byte, at) => byte ^ (mask[at & 3] as number)),
  );
  const first = bytes[0] as number;
  return { opcode: first & 15, flags: first & 0x80, data, bytes: start + length };
}
