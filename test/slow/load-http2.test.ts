// HTTP/2 and gRPC, fast: each fault of a server is counted as what it is, and real servers of node:http2 agree.
import { once } from 'node:events';
import { createServer } from 'node:http2';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import * as assert from 'uvu/assert';
import { Meter } from '../../harness/load/meter.ts';
import { frame, frameType, settings } from '../../harness/load/protocols/h2/frames.ts';
import { encodeHeaders, HpackDecoder } from '../../harness/load/protocols/h2/hpack.ts';
import { type StreamEnd, type StreamPlan, streamPlanSchema } from '../../harness/model/load.ts';
import { grpcFaults, type H2Fault, h2Faults, h2Service } from '../faults/h2-faults.ts';
import { startWireServer } from '../faults/wire-server.ts';
import { suite } from '../suite.ts';

const test = suite('load: HTTP/2 and gRPC');

async function fired(port: number, plan: Partial<StreamPlan>): Promise<{ end: StreamEnd; codes: string[] }> {
  const meter = new Meter({
    plan: streamPlanSchema.parse({
      id: 'x',
      lane: 'new',
      url: `http://127.0.0.1:${port}/`,
      rate: { shape: 'constant', ratePerSecond: 500 },
      connections: 50,
      timeoutMs: 200,
      maxDurationMs: 10,
      ...plan,
    }),
  });
  meter.start();
  const end = await meter.ended;
  return { end, codes: meter.drain().failures.map(({ code }) => code) };
}

for (const [protocol, faults] of [
  ['http2', h2Faults],
  ['grpc', grpcFaults],
] as const) {
  test(`${protocol}: each of ${Object.keys(faults).length} answers is counted as what it is`, async () => {
    const wrong: string[] = [];
    for (const [name, fault] of Object.entries(faults) as [string, H2Fault][]) {
      const server = await startWireServer(h2Service(faults, () => name));
      try {
        for (const lane of ['new', 'kept'] as const) {
          const { end, codes } = await fired(server.port, {
            protocol,
            lane,
            // On a machine that stands still for a moment nothing else may run out of time.
            timeoutMs: fault.outcome === 'timeout' ? 200 : 20_000,
          });
          const count = end.outcomes[fault.outcome] ?? 0;
          if (count !== 5 || end.attempts !== 5 || end.brokenIdentities.length > 0)
            wrong.push(
              `${name}, ${lane}: ${JSON.stringify(end.outcomes)} ${codes.join()} ${end.brokenIdentities}`,
            );
          if (fault.code !== undefined && codes.some((code) => code !== fault.code))
            wrong.push(`${name}, ${lane}: ${codes.join()}, not ${fault.code}`);
        }
      } finally {
        await server.close();
      }
    }
    assert.equal(wrong, []);
  });
}

for (const [what, flood] of [
  ['PING', frame(frameType.ping, 0, 0, Buffer.alloc(8))],
  ['SETTINGS', settings([])],
] as const) {
  test(`a server that sends ${what} without end and reads no answer is named, and fills no memory`, async () => {
    const many = Buffer.concat(new Array<Buffer>(5000).fill(flood));
    const server = createTcp((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.pause();
        socket.write(settings([]));
        const more = (): void => {
          while (!socket.destroyed && socket.write(many));
        };
        socket.on('drain', more);
        more();
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { end, codes } = await fired((server.address() as AddressInfo).port, {
      protocol: 'http2',
      lane: 'kept',
      connections: 1,
      rate: { shape: 'constant', ratePerSecond: 1 },
      timeoutMs: 30_000,
    });
    server.close();
    assert.equal(end.outcomes, { protocol: 1 });
    assert.equal(codes, ['ENHANCE_YOUR_CALM']);
  });
}

test('a server of node:http2: many streams on few connections, bodies both ways', async () => {
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => response.end('x'.repeat(100_000)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const body = 'y'.repeat(100_000);
  const { end } = await fired(port, {
    protocol: 'http2',
    lane: 'kept',
    method: 'POST',
    body,
    connections: 2,
    streamsPerConnection: 10,
    timeoutMs: 5000,
    maxDurationMs: 40,
  });
  server.close();
  assert.equal(end.outcomes, { ok: 20 });
  assert.equal(end.connectionsOpened, 2);
  assert.is(bytes, 20 * body.length);
});

test('gRPC: a target that expects a status of HTTP still has calls that end with OK; a number of gRPC counts', async () => {
  const table: [string, number[], string][] = [
    ['status OK', [204], 'ok'],
    ['status UNAVAILABLE', [204], 'grpc-status'],
    ['status UNAVAILABLE', [14], 'ok'],
  ];
  for (const [answer, expectStatus, outcome] of table) {
    const server = await startWireServer(h2Service(grpcFaults, () => answer));
    const { end } = await fired(server.port, { protocol: 'grpc', expectStatus, timeoutMs: 20_000 });
    await server.close();
    assert.equal(end.outcomes, { [outcome]: 5 }, `${answer}, ${expectStatus} expected`);
  }
});

test('header blocks: what we write we read, and damaged ones are told', () => {
  const fields: [string, string][] = [
    [':method', 'POST'],
    [':path', '/'.padEnd(300, 'x')],
    ['x-empty', ''],
    ['content-type', 'application/grpc'],
  ];
  const read: [string, string][] = [];
  assert.is(
    new HpackDecoder().decode(encodeHeaders(fields), (name, value) => read.push([name, value])),
    undefined,
  );
  assert.equal(read, fields);
  // RFC 7541, C.4.1: Huffman codes.
  const example = Buffer.from('828684418cf1e3c2e5f23a6ba0ab90f4ff', 'hex');
  const huffman: string[] = [];
  assert.is(
    new HpackDecoder().decode(example, (name, value) => huffman.push(`${name}=${value}`)),
    undefined,
  );
  assert.is(huffman[3], ':authority=www.example.com');
  const damaged = ['ff', '80', 'bf', '41', '418f01', '3fffffffff7f', '0085ffffffff', '823f00'];
  for (const hex of damaged)
    assert.is(
      new HpackDecoder().decode(Buffer.from(hex, 'hex'), () => undefined),
      'COMPRESSION_ERROR',
      hex,
    );
});

test.run();
