// The built-in target speaks every protocol on one port, and its stops differ as they should: cut, GOAWAY without a
// wait, drained in order.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createAuthority } from '../../emulator/index.ts';
import { Meter } from '../../harness/load/meter.ts';
import {
  certificateCounter,
  type StreamEnd,
  type StreamLife,
  type StreamPlan,
  streamPlanSchema,
} from '../../harness/model/load.ts';
import { readTargetConfig } from '../../target/config.ts';
import { HttpListener } from '../../target/listener.ts';
import { suite } from '../suite.ts';

const test = suite('target: protocols');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function target(env: Record<string, string>): Promise<{ port: number; listener: HttpListener }> {
  const port = await freePort();
  const listener = new HttpListener(
    readTargetConfig({
      PORT: String(port),
      ROLLPROOF_BIND_ADDRESS: '127.0.0.1',
      PROTOCOLS: 'all',
      POD_NAME: 'web-1',
      LINGER_MS: '50',
      LINGER_LIMIT_MS: '100',
      WORK_MS: '1',
      ...env,
    }),
  );
  await listener.listen();
  return { port, listener };
}

function meter(port: number, plan: Partial<StreamPlan>, path = '/'): Meter {
  return new Meter({
    plan: streamPlanSchema.parse({
      id: 'x',
      lane: 'kept',
      url: `http://127.0.0.1:${port}${path}`,
      rate: { shape: 'constant', ratePerSecond: 100 },
      connections: 2,
      timeoutMs: 2000,
      maxDurationMs: 100,
      ...plan,
    }),
  });
}

const ended = async (
  one: Meter,
): Promise<{ end: StreamEnd; lives: readonly StreamLife[]; pods: string[] }> => {
  const end = await one.ended;
  const { lives = [], buckets } = one.drain();
  return { end, lives, pods: [...new Set(buckets.flatMap(({ pods }) => Object.keys(pods ?? {})))] };
};

const lanes: readonly [string, Partial<StreamPlan>, string][] = [
  ['http1', { protocol: 'http1' }, '/'],
  ['http2', { protocol: 'http2' }, '/'],
  ['grpc health', { protocol: 'grpc' }, '/'],
  ['grpc call', { protocol: 'grpc', grpc: { method: 'rollproof.v1.Target/Call', message: '' } }, '/'],
  [
    'grpc stream',
    {
      protocol: 'grpc',
      lane: 'stream',
      grpc: { method: 'rollproof.v1.Target/Stream', message: '' },
      headers: { 'x-rollproof-interval-ms': '20' },
    },
    '/',
  ],
  ['websocket', { protocol: 'websocket', lane: 'stream' }, '/'],
  ['sse', { protocol: 'sse', lane: 'stream' }, '/events?interval=20'],
  ['whole sse', { protocol: 'sse', lane: 'long', connections: 20 }, '/events?interval=10&for=40'],
  ['tcp', { protocol: 'tcp' }, '/'],
];

test('every protocol on one port: all is answered, and answers name the pod', async () => {
  const { port, listener } = await target({});
  const found: Record<string, unknown> = {};
  for (const [name, plan, path] of lanes) {
    const one = meter(port, plan, path);
    one.start();
    const { end, pods } = await ended(one);
    // On a machine that stands still for a moment some arrivals find no slot.
    found[name] = [Object.keys(end.outcomes), pods, end.brokenIdentities];
  }
  await listener.drain();
  assert.equal(found, Object.fromEntries(lanes.map(([name]) => [name, [['ok'], ['web-1'], []]])));
});

for (const [drain, expected] of [
  ['on', { grpc: 'ended UNAVAILABLE', websocket: 'ended 1001', sse: 'ended end' }],
  ['off', { grpc: 'cut GOAWAY', websocket: 'held END_OF_LOAD', sse: 'held END_OF_LOAD' }],
] as const) {
  test(`a graceful stop, streams drained: ${drain}`, async () => {
    const { port, listener } = await target({ STREAM_DRAIN: drain });
    const streams = lanes
      .filter(([name]) => ['grpc stream', 'websocket', 'sse'].includes(name))
      .map(([, plan, path]) => meter(port, { ...plan, maxDurationMs: 400, timeoutMs: 300 }, path));
    for (const one of streams) one.start();
    await new Promise((resolve) => setTimeout(resolve, 150));
    const stopped = listener.linger();
    const ends = await Promise.all(streams.map(ended));
    await stopped;
    const found = Object.fromEntries(
      ends.map(({ lives }, at) => [['grpc', 'websocket', 'sse'][at], `${lives[0]?.end} ${lives[0]?.code}`]),
    );
    assert.equal(found, expected);
    for (const { end } of ends) assert.equal(end.brokenIdentities, []);
  });
}

test('the same through TLS; a certificate that is replaced is shown to new connections, an expired one is refused by name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-target-tls-'));
  const authority = createAuthority();
  const put = (hours: number) => {
    const { cert, key } = authority.issue({ hosts: ['web.test'], validToMs: Date.now() + hours * 3_600_000 });
    writeFileSync(join(folder, 'tls.crt'), cert);
    writeFileSync(join(folder, 'tls.key'), key);
  };
  put(24);
  const { port, listener } = await target({ TLS_FOLDER: folder });
  const asked = async (plan: Partial<StreamPlan>) => {
    const one = meter(port, {
      url: `https://127.0.0.1:${port}/`,
      tls: { ca: authority.cert, insecure: false, serverName: 'web.test' },
      connections: 20,
      ...plan,
    });
    one.start();
    const end = await one.ended;
    return { end, failures: one.drain().failures };
  };
  try {
    for (const plan of [
      { lane: 'new' },
      { lane: 'kept' },
      { lane: 'kept', protocol: 'http2' },
      { lane: 'kept', protocol: 'grpc' },
      { lane: 'new', protocol: 'websocket' },
      { lane: 'kept', protocol: 'tcp' },
    ] as const) {
      const { end } = await asked(plan);
      const shown = Object.entries(end.counters ?? {}).filter(([name]) =>
        name.startsWith(certificateCounter),
      );
      assert.equal(end.outcomes, { ok: end.attempts }, JSON.stringify(plan));
      assert.is(shown.length, 1, JSON.stringify(plan));
      assert.is(shown[0]?.[1], end.connectionsOpened, JSON.stringify(plan));
    }
    const first = await asked({ lane: 'new' });
    put(48);
    const second = await asked({ lane: 'new' });
    assert.not.equal(Object.keys(first.end.counters ?? {}), Object.keys(second.end.counters ?? {}));
    put(-1);
    const third = await asked({ lane: 'new' });
    assert.equal(third.end.outcomes, { tls: third.end.attempts });
    assert.equal([...new Set(third.failures.map(({ code }) => code))], ['CERT_HAS_EXPIRED']);
  } finally {
    rmSync(folder, { recursive: true });
    await listener.drain();
  }
});

for (const tls of [false, true]) {
  test(`HTTP/2 ${tls ? 'through TLS' : 'in plain text'} is drained: what is under way is answered, what comes later finds nobody`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rollproof-target-drain-'));
    const authority = createAuthority();
    const { cert, key } = authority.issue({ hosts: ['web.test'], validToMs: Date.now() + 3_600_000 });
    writeFileSync(join(folder, 'tls.crt'), cert);
    writeFileSync(join(folder, 'tls.key'), key);
    const { port, listener } = await target({ STREAM_DRAIN: 'on', WORK_MS: '5', TLS_FOLDER: folder });
    const one = meter(port, {
      protocol: 'http2',
      connections: 10,
      rate: { shape: 'constant', ratePerSecond: 400 },
      maxDurationMs: 400,
      timeoutMs: 20_000,
      ...(tls && {
        url: `https://127.0.0.1:${port}/`,
        tls: { ca: authority.cert, insecure: false, serverName: 'web.test' },
      }),
    });
    one.start();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await listener.linger();
    const end = await one.ended;
    rmSync(folder, { recursive: true });
    // Connections that nobody took any more are reset by the kernel, later ones refused.
    assert.equal(
      one.drain().failures.filter(({ outcome, reused }) => reused || !['refused', 'reset'].includes(outcome)),
      [],
    );
    assert.ok((end.outcomes.ok ?? 0) > 0);
    assert.ok((end.counters?.goaways ?? 0) > 0);
  });
}

test('a connection has its age: GOAWAY, a new connection, and nothing is lost', async () => {
  const { port, listener } = await target({ CONNECTION_AGE_MS: '80', CONNECTION_AGE_GRACE_MS: '500' });
  const one = meter(port, { protocol: 'http2', maxDurationMs: 400 });
  one.start();
  const { end } = await ended(one);
  await listener.drain();
  assert.equal(end.outcomes, { ok: end.attempts });
  assert.is(end.attempts + end.shed, 40);
  assert.ok((end.counters?.goaways ?? 0) >= 2, `${end.counters?.goaways} GOAWAY`);
  assert.ok(end.connectionsOpened > 2);
});

test.run();
