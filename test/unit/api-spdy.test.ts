// SPDY/3.1 as clients before WebSockets speak it. What kubectl v1.32 sent (KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false) was
// recorded: its compressed headers can be read with the right dictionary only.
import { type Duplex, duplexPair } from 'node:stream';
import { createInflate } from 'node:zlib';
import * as assert from 'uvu/assert';
import { SpdyConnection, type SpdyStream } from '../../emulator/api/http/spdy/connection.ts';
import { dictionary } from '../../emulator/api/http/spdy/dictionary.ts';
import {
  controlFrame,
  controlType,
  type Frame,
  framesOf,
  numbers,
} from '../../emulator/api/http/spdy/frames.ts';
import { suite } from '../suite.ts';

const test = suite('api: SPDY', { timeoutMs: 5000 });

/** kubectl exec -i p -- cat, with "words" on its standard input. */
const execBytes = Buffer.from(
  'gAMAAQAAACkAAAABAAAAAAAAePnjxqfCYmBgYASns5Ki1MRcaFHCmgoKaAAAAAD//4ADAAEAAAAXAAAAAwAAAAAAAMIuVVySkpkHAAAA//+AAwAB' +
    'AAAAGQAAAAUAAAAAAADCKsVWXJKSX1oCAAAA//+AAwABAAAAFQAAAAcAAAAAAADCKZdaVAQAAAD//wAAAAMAAAAFd29yZHMAAAADAQAAAIADAAMA' +
    'AAAIAAAAAQAAAAWAAwADAAAACAAAAAUAAAAFgAMAAwAAAAgAAAAHAAAABYADAAcAAAAIAAAAAAAAAAA=',
  'base64',
);
/** Without its last frames, which reset the streams and say goodbye. */
const execStart = execBytes.subarray(0, execBytes.length - 4 * 16);

interface Ends {
  readonly client: Duplex;
  readonly connection: SpdyConnection;
  readonly streams: SpdyStream[];
  readonly served: Promise<void>;
}

function open(onStream: (stream: SpdyStream) => void = (stream) => void stream.resume()): Ends {
  const [client, server] = duplexPair();
  const connection = new SpdyConnection(server);
  const streams: SpdyStream[] = [];
  const served = connection.serve((stream) => {
    streams.push(stream);
    onStream(stream);
  });
  return { client, connection, streams, served };
}

async function framesUntil(client: Duplex, isLast: (frame: Frame) => boolean): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of framesOf(client)) {
    frames.push(frame);
    if (isLast(frame)) break;
  }
  return frames;
}

const shown = (frame: Frame): string =>
  frame.type === 'data'
    ? `data ${frame.stream} ${frame.data}${frame.fin ? ' end' : ''}`
    : `control ${frame.control} of ${frame.body.readUInt32BE(0)}`;
const isGoAway = (frame: Frame) => frame.type === 'control' && frame.control === controlType.goAway;

test('the streams of a recorded exec, its input, and what goes back', async () => {
  const input: Buffer[] = [];
  const { client, connection, streams } = open((stream) => {
    stream.on('data', (chunk) => input.push(chunk));
    if (stream.headers.get('streamtype') !== 'stdin') return;
    stream.on('end', () => {
      streams[2]?.write('out');
      for (const each of streams) each.end();
      setImmediate(() => connection.end());
    });
  });
  // As networks deliver: in pieces that end anywhere.
  for (let at = 0; at < execStart.length; at += 7) client.write(execStart.subarray(at, at + 7));
  const frames = await framesUntil(client, isGoAway);
  assert.equal(
    streams.map(({ headers }) => [...headers]),
    [
      [['streamtype', 'error']],
      [['streamtype', 'stdin']],
      [['streamtype', 'stdout']],
      [['streamtype', 'stderr']],
    ],
  );
  assert.is(String(Buffer.concat(input)), 'words');
  const isUpdate = (frame: Frame) => frame.type === 'control' && frame.control === controlType.windowUpdate;
  assert.equal(frames.filter((frame) => !isUpdate(frame)).map(shown), [
    'control 2 of 1',
    'control 2 of 3',
    'control 2 of 5',
    'control 2 of 7',
    'data 5 out',
    'data 1  end',
    'data 3  end',
    'data 7  end',
    'data 5  end',
    'control 7 of 7',
  ]);
});

test('the headers of a reply are what the client can unpack', async () => {
  const { client, connection } = open();
  client.write(execStart);
  const isReply = (frame: Frame) => frame.type === 'control' && frame.control === controlType.synReply;
  const [reply] = (await framesUntil(client, isReply)).filter(isReply);
  const inflate = createInflate({ dictionary });
  inflate.write((reply as Frame & { type: 'control' }).body.subarray(4));
  const [block] = await inflate.take(1).toArray();
  assert.equal(block, numbers(0));
  connection.end();
});

test('a reset stream is closed, goodbye ends the connection', async () => {
  const { client, streams, served } = open();
  client.resume();
  client.write(execBytes);
  await served;
  assert.equal(
    streams.map(({ destroyed }) => destroyed),
    [true, true, true, true],
  );
});

test('pings come back, one that answers ours does not', async () => {
  const { client, connection } = open();
  const ping = (id: number) => controlFrame(controlType.ping, numbers(id));
  client.write(Buffer.concat([ping(2), ping(7), ping(9)]));
  const frames = await framesUntil(
    client,
    (frame) => frame.type === 'control' && shown(frame).endsWith('of 9'),
  );
  assert.equal(frames.map(shown), ['control 6 of 7', 'control 6 of 9']);
  connection.end();
});

test('what is no SPDY, or too large, ends the connection', async () => {
  const cut = Buffer.from(execStart.subarray(0, 49));
  // A header block that claims to be one and is none.
  cut.fill(0x55, 18);
  for (const bytes of [
    Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0]),
    Buffer.from([0, 0, 0, 1, 0, 0xff, 0xff, 0xff]),
    cut,
  ]) {
    const { client, served, streams } = open();
    client.resume();
    client.on('error', () => {});
    client.write(bytes);
    await served;
    assert.is(streams.length, 0);
  }
});

test('a stream that nobody reads holds the connection up, and not its end', async () => {
  const { client, connection, served } = open(() => {});
  client.on('error', () => {});
  client.write(execStart.subarray(0, execStart.length - 21));
  const much = Buffer.alloc(1024 * 1024);
  const head = Buffer.from([0, 0, 0, 3, 0, 0x10, 0, 0]);
  client.write(Buffer.concat([head, much]));
  const sent = client.write(controlFrame(controlType.ping, numbers(11)));
  assert.is(sent, false);
  client.resume();
  await new Promise((resolve) => setImmediate(resolve));
  connection.end();
  client.end();
  await served;
});

test.run();
