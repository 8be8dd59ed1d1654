// What ordinary clients see of the same servers: @grpc/grpc-js sends some calls again by itself, `ws` says of most ends
// only that it was not clean. What they hide stands beside our counts (docs/protocols.md).
import { Client, credentials, status } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { Meter } from '../../harness/load/meter.ts';
import { type StreamPlan, streamPlanSchema } from '../../harness/model/load.ts';
import { grpcFaults, h2Faults, h2Service } from '../faults/h2-faults.ts';
import { lineService, webSocketFaults } from '../faults/stream-faults.ts';
import { startWireServer } from '../faults/wire-server.ts';
import { suite } from '../suite.ts';

const test = suite('load: beside stock clients');
/** For both: of what is silent as well. */
const LIMIT_MS = 1500;

async function ours(port: number, plan: Partial<StreamPlan>): Promise<string> {
  const meter = new Meter({
    plan: streamPlanSchema.parse({
      id: 'x',
      lane: 'new',
      url: `http://127.0.0.1:${port}/`,
      rate: { shape: 'constant', ratePerSecond: 100 },
      connections: 5,
      timeoutMs: LIMIT_MS,
      maxDurationMs: 10,
      ...plan,
    }),
  });
  meter.start();
  const { outcomes } = await meter.ended;
  return Object.keys(outcomes).join();
}

/** One call of an ordinary client: the name of its status. */
function call(port: number): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.alloc(0),
      { deadline: Date.now() + LIMIT_MS },
      (error) => {
        client.close();
        resolve(status[error?.code ?? status.OK] ?? 'none');
      },
    );
  });
}

const faults = { ...h2Faults, ...grpcFaults };

test('gRPC: a call that the server did not look at is sent again by grpc-js without a word; every other loss it tells', async () => {
  // What the server does to the first call, what we count, what grpc-js says, and how many calls the server saw of it.
  const table: [string, string, string, number][] = [
    ['status OK', 'ok', 'OK', 1],
    ['stream refused', 'refused-stream', 'OK', 2],
    ['GOAWAY without this one', 'goaway-lost', 'OK', 2],
    ['GOAWAY with this one, then FIN', 'goaway-lost', 'UNAVAILABLE', 1],
    ['status UNAVAILABLE', 'grpc-status', 'UNAVAILABLE', 1],
    ['no trailers', 'missing-trailers', 'INTERNAL', 1],
    ['RST in the answer', 'reset', 'UNAVAILABLE', 1],
    ["a proxy's 503", 'http5xx', 'UNAVAILABLE', 1],
    ['silence', 'timeout', 'DEADLINE_EXCEEDED', 1],
  ];
  const found: typeof table = [];
  for (const [fault] of table) {
    // Only the first call: what comes again by itself is answered.
    let seen = 0;
    const plan = () => (seen++ === 0 ? fault : 'status OK');
    const first = await startWireServer(h2Service(faults, plan));
    const counted = await ours(first.port, { protocol: 'grpc' });
    await first.close();
    seen = 0;
    const second = await startWireServer(h2Service(faults, plan));
    const said = await call(second.port);
    await second.close();
    found.push([fault, counted, said, seen]);
  }
  assert.equal(found, table);
});

/** An ordinary client that sends one message: what it heard, in order. */
function echoed(port: number): Promise<string> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, { handshakeTimeout: LIMIT_MS });
  return new Promise((resolve) => {
    const heard: string[] = [];
    const timer = setTimeout(() => {
      heard.push('nothing');
      client.terminate();
    }, LIMIT_MS);
    client.on('open', () => client.send('1 '));
    client.on('message', () => {
      heard.push('message');
      client.terminate();
    });
    client.on('error', (error: Error & { code?: string }) => heard.push(error.code ?? 'error'));
    client.on('close', (code) => {
      clearTimeout(timer);
      if (heard.at(-1) !== 'message') heard.push(String(code));
      resolve(heard.join(' '));
    });
  });
}

test('WebSocket: `ws` hides no loss, but says 1006 of a FIN, a reset and of silence that somebody ends', async () => {
  const table: [string, string, string][] = [
    ['echo', 'ok', 'message'],
    ['closed with 1001 instead', 'stream-ended', '1001'],
    ['closed with 1011', 'stream-cut', '1011'],
    ['FIN after the upgrade', 'stream-cut', '1006'],
    ['RST after the upgrade', 'stream-cut', '1006'],
    ['silence after the upgrade', 'timeout', 'nothing 1006'],
    ['FIN instead of an answer', 'closed', 'ECONNRESET 1006'],
    ['RST instead of an answer', 'reset', 'ECONNRESET 1006'],
    ['503', 'http5xx', 'error 1006'],
    ['wrong accept', 'protocol', 'error 1006'],
    ['a masked frame', 'protocol', 'WS_ERR_UNEXPECTED_MASK 1006'],
    ['a compressed message', 'protocol', 'WS_ERR_UNEXPECTED_RSV_1 1006'],
  ];
  const found: typeof table = [];
  for (const [fault] of table) {
    const server = await startWireServer(lineService(webSocketFaults, () => fault, '\r\n\r\n'));
    found.push([fault, await ours(server.port, { protocol: 'websocket' }), await echoed(server.port)]);
    await server.close();
  }
  assert.equal(found, table);
});

test.run();
