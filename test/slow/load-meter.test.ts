// What the meter does beside faults: lanes, requests as asked for, routes, pods, queues, stops and interrupts.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, isIPv6, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { Meter, type MeterOptions } from '../../harness/load/meter.ts';
import { SourcePorts } from '../../harness/load/source-ports.ts';
import {
  type StreamDelta,
  type StreamEnd,
  type StreamPlan,
  streamPlanSchema,
} from '../../harness/model/load.ts';
import { suite } from '../suite.ts';

const test = suite('load meter', { timeoutMs: 40_000 });

interface Run {
  readonly meter: Meter;
  finish(): Promise<{ end: StreamEnd; told: StreamDelta }>;
}

function fire(
  plan: Partial<StreamPlan> & { url: string },
  options: Omit<Partial<MeterOptions>, 'plan'> = {},
): Run {
  const meter = new Meter({
    ...options,
    plan: streamPlanSchema.parse({
      id: 'stream',
      lane: 'new',
      rate: { shape: 'constant', ratePerSecond: 100 },
      connections: 50,
      timeoutMs: 30_000,
      maxDurationMs: 500,
      ...plan,
    }),
  });
  meter.start();
  return {
    meter,
    async finish() {
      const end = await meter.ended;
      assert.equal(end.brokenIdentities, []);
      assert.is(end.inFlight, 0);
      return { end, told: meter.drain() };
    },
  };
}

/**
 * Every arrival of the schedule was sent and ended so, but those that still waited for one of few connections when the
 * schedule ended: on a machine that stands still for a moment there are some.
 */
function allSent(end: StreamEnd, scheduled: number): void {
  assert.is(end.scheduled, scheduled);
  assert.is(end.attempts + end.shed, scheduled);
  assert.ok(end.attempts > 0);
  assert.equal(end.outcomes, { ok: end.attempts });
}

async function serve(
  answer: (
    request: IncomingMessage,
    body: string,
    port: number,
  ) => { status?: number; headers?: Record<string, string>; body?: string; afterMs?: number },
  host = '127.0.0.1',
) {
  const sockets = new Set<Socket>();
  const server: Server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const {
      status = 200,
      headers = {},
      body: text = 'hello',
      afterMs = 0,
    } = answer(request, body, request.socket.remotePort ?? 0);
    if (afterMs > 0) await sleep(afterMs);
    response.writeHead(status, headers).end(text);
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${isIPv6(host) ? `[${host}]` : host}:${port}/`,
    sockets,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function serveTcp(connection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    connection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

test('requests arrive as asked for: method, path, headers, body, connection', async () => {
  const seen: string[] = [];
  await using server = await serve((request, body) => {
    const { host, connection, 'x-one': one, 'content-length': length } = request.headers;
    seen.push(`${request.method} ${request.url} ${host} ${connection} ${one} ${length} ${body}`);
    return {};
  });
  const host = `127.0.0.1:${server.port}`;
  const table: [Partial<StreamPlan>, string][] = [
    [{ lane: 'new' }, `GET /a?b=c ${host} close undefined undefined `],
    [{ lane: 'kept', connections: 2 }, `GET /a?b=c ${host} keep-alive undefined undefined `],
    [{ lane: 'long', method: 'POST', body: 'größe' }, `POST /a?b=c ${host} close undefined 7 größe`],
    [
      { lane: 'new', method: 'PUT', headers: { 'X-One': 'eins', Connection: 'close', Host: 'other' } },
      'PUT /a?b=c other close eins undefined ',
    ],
    [
      { lane: 'kept', connections: 1, method: 'DELETE', headers: { connection: 'close' } },
      `DELETE /a?b=c ${host} close undefined undefined `,
    ],
  ];
  for (const [plan, expected] of table) {
    seen.length = 0;
    const { end } = await fire({ url: `${server.url}a?b=c`, maxDurationMs: 100, ...plan }).finish();
    allSent(end, 10);
    assert.equal([...new Set(seen)], [expected]);
    assert.is(seen.length, end.attempts);
  }
});

test('HEAD: a length without a body, on kept connections too', async () => {
  await using server = await serve(() => ({ headers: { 'content-length': '500' }, body: '' }));
  for (const lane of ['new', 'kept'] as const) {
    const { end } = await fire({
      url: server.url,
      lane,
      method: 'HEAD',
      connections: 3,
      maxDurationMs: 300,
    }).finish();
    allSent(end, 30);
    if (lane === 'kept') assert.is(end.connectionsOpened, 3);
  }
});

test('expected status: what is expected is ok, everything else is not', async () => {
  await using server = await serve((request) => ({ status: Number(request.url?.slice(1)) }));
  const table: [number, number[], string][] = [
    [200, [], 'ok'],
    [201, [200], 'other'],
    [404, [200, 404], 'ok'],
    [404, [], 'http4xx'],
    [302, [], 'http3xx'],
    [503, [], 'http5xx'],
    [503, [503], 'ok'],
  ];
  for (const [status, expectStatus, outcome] of table) {
    const { end } = await fire({ url: `${server.url}${status}`, expectStatus, maxDurationMs: 50 }).finish();
    assert.equal(end.outcomes, { [outcome]: 5 }, `${status} when ${expectStatus} is expected`);
  }
});

test('lane kept: so many connections, used in turn', async () => {
  const byPort = new Map<number, number>();
  await using server = await serve((_request, _body, port) => {
    byPort.set(port, (byPort.get(port) ?? 0) + 1);
    return {};
  });
  const { end } = await fire({ url: server.url, lane: 'kept', connections: 5, maxDurationMs: 1000 }).finish();
  assert.is(end.connectionsOpened, 5);
  // The order of use is that of the answers, so that a slow one may let others pass.
  for (const [port, count] of byPort)
    assert.ok(count >= 5 && count <= 50, `${count} requests by port ${port}`);
  assert.is(byPort.size, 5);
});

test('lane kept: arrivals wait for a connection up to a bound, and are shed beyond it', async () => {
  await using server = await serve(() => ({ afterMs: 100 }));
  // Two connections serve 20/s; 200/s arrive. One time limit holds 200 × 0.5 = 100 arrivals.
  const { end, told } = await fire({
    url: server.url,
    lane: 'kept',
    connections: 2,
    timeoutMs: 500,
    maxDurationMs: 1000,
    rate: { shape: 'constant', ratePerSecond: 200 },
  }).finish();
  assert.is(end.scheduled, 200);
  assert.is(end.attempts + end.shed, 200);
  assert.ok(end.shed > 100, `${end.shed} shed`);
  assert.is(end.connectionsOpened, 2);
  assert.equal(end.outcomes, { ok: end.attempts });
  assert.ok(end.latencyMs.max > 300, 'latency counts from the due time');
  assert.ok(end.serviceMs.p50 < 300, 'service time does not');
  assert.is(
    told.buckets.reduce((sum, bucket) => sum + bucket.shed, 0),
    end.shed,
  );
});

test('lane new: an arrival without a free slot is shed, and said', async () => {
  await using server = await serve(() => ({ afterMs: 300 }));
  const { end } = await fire({ url: server.url, connections: 4, maxDurationMs: 500 }).finish();
  assert.is(end.scheduled, 50);
  assert.ok(end.attempts >= 4 && end.attempts <= 12, `${end.attempts} attempts`);
  assert.is(end.shed, 50 - end.attempts);
});

test('closed loop: scheduled = attempts, nothing shed', async () => {
  await using server = await serve(() => ({}));
  for (const lane of ['new', 'kept', 'long'] as const) {
    const { end } = await fire({
      url: server.url,
      lane,
      connections: 3,
      rate: { shape: 'constant', ratePerSecond: 0 },
    }).finish();
    assert.is(end.scheduled, end.attempts);
    assert.is(end.shed, 0);
    assert.equal(end.outcomes, { ok: end.attempts });
    assert.ok(end.attempts > 3);
  }
});

test('closed loop against a refused port is no hot loop', async () => {
  const { end } = await fire({
    url: 'http://127.0.0.1:1/',
    connections: 2,
    rate: { shape: 'constant', ratePerSecond: 0 },
  }).finish();
  assert.equal(end.outcomes, { refused: end.attempts });
  assert.ok(end.attempts >= 2 && end.attempts <= 2 * 51, `${end.attempts} attempts in 500 ms`);
});

test('a socket that has ended in order is connected again; what happens on it counts as on a new one', async () => {
  const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
  const ways: Record<string, (socket: Socket) => void> = {
    'ok/whole': (socket) => socket.end(whole),
    'closed/first-byte': (socket) => socket.end(),
    'ok/until the FIN': (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nok'),
    'reset/first-byte': (socket) => socket.resetAndDestroy(),
    'ok/FIN later': (socket) => {
      socket.write(whole);
      setTimeout(() => socket.end(), 30);
    },
    'closed/headers': (socket) => socket.end('HTTP/1.1 200'),
    'ok/RST behind': (socket) => {
      socket.write(whole);
      setTimeout(() => socket.resetAndDestroy(), 30);
    },
    'closed/body': (socket) => socket.end(whole.slice(0, -1)),
    'ok/no FIN': (socket) => void socket.write(whole),
    'protocol/headers': (socket) => socket.end('SSH-2.0-OpenSSH\r\n'),
    'ok/more than the body': (socket) => socket.end(`${whole}more`),
    'timeout/first-byte': () => {},
  };
  const names = Object.keys(ways);
  const seen: string[] = [];
  await using server = await serveTcp((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      // Two whole answers behind each of the others: there are sockets to connect again.
      const name =
        (seen.length % 3 === 0 ? names[(seen.length / 3) % names.length] : undefined) ?? 'ok/whole';
      seen.push(name);
      ways[name]?.(socket);
    });
  });
  const made = new Set<unknown>();
  const count = (told: unknown): void => {
    made.add((told as { socket: unknown }).socket);
  };
  subscribe('net.client.socket', count);
  const { end, told } = await fire({
    url: `http://127.0.0.1:${server.port}/`,
    rate: { shape: 'constant', ratePerSecond: 60 },
    timeoutMs: 5000,
    maxDurationMs: 4000,
  }).finish();
  unsubscribe('net.client.socket', count);
  assert.is(end.attempts, seen.length);
  assert.is(end.connectionsOpened, seen.length);
  const expected = seen.filter((name) => !name.startsWith('ok/')).sort();
  const counted = told.failures.map(({ outcome, phase }) => `${outcome}/${phase}`).sort();
  assert.equal(counted, expected);
  assert.is(end.outcomes.ok, seen.length - expected.length);
  assert.ok(new Set(seen).size === names.length);
  assert.ok(made.size < seen.length * 0.8, `${made.size} sockets for ${seen.length} connections`);
});

test('routes: each connection goes where the route says, no endpoint is refused, the pod is known', async () => {
  await using a = await serve(() => ({ headers: { 'x-rollproof-pod': 'pod-a' } }));
  await using b = await serve(() => ({}));
  let turn = 0;
  const choices = [
    { host: '127.0.0.1', port: a.port, pod: 'pod-a' },
    { host: '127.0.0.1', port: b.port, pod: 'pod-b' },
    { host: '127.0.0.1', port: 1, pod: 'pod-gone' },
    undefined,
  ];
  const { end, told } = await fire(
    { url: 'http://web.ns.svc:80/', maxDurationMs: 400 },
    { route: () => choices[turn++ % 4] },
  ).finish();
  assert.equal(end.outcomes, { ok: 20, refused: 20 });
  assert.equal(end.phases, { 'refused/connect/new': 20 });
  const pods = told.failures.map(({ pod, podKnownBy }) => `${pod} ${podKnownBy}`).sort();
  assert.equal([...new Set(pods)], ['pod-gone route', 'undefined undefined']);
  assert.is(
    told.buckets.reduce((sum, bucket) => sum + (bucket.pods?.['pod-a'] ?? 0), 0),
    10,
  );
});

test('connections come from the ports that they were given; one that is taken is passed over; failures name theirs', async () => {
  const seen: number[] = [];
  await using server = await serve((request) => {
    seen.push(request.socket.remotePort ?? 0);
    return seen.length % 4 === 0 ? { status: 503 } : {};
  });
  // Somebody listens on the second one; others on this machine may hold more of them.
  await using taken = await serve(() => ({}));
  const from = taken.port - 1;
  const sourcePorts = new SourcePorts({ from, to: from + 400 });
  const { end, told } = await fire({ url: server.url, maxDurationMs: 400 }, { sourcePorts }).finish();
  assert.equal(end.outcomes, { ok: 30, http5xx: 10 });
  assert.is(new Set(seen).size, 40, 'none was used twice');
  assert.ok(seen.every((port) => port >= from && port <= from + 400 && port !== taken.port));
  const named = told.failures.map(({ localPort }) => localPort);
  assert.equal(
    named,
    seen.filter((_, index) => index % 4 === 3),
  );
  assert.ok(told.failures.every(({ openedMs, startMs }) => openedMs === startMs));
});

test('the pod of a failure: from its answer, or from the answer before on the same connection', async () => {
  let count = 0;
  await using server = await serve((request) => {
    if (++count === 6) request.socket.destroy();
    return { status: count === 3 ? 503 : 200, headers: { 'x-pod': 'web-7' } };
  });
  const { end, told } = await fire(
    {
      url: server.url,
      lane: 'kept',
      connections: 1,
      maxDurationMs: 1500,
      rate: { shape: 'constant', ratePerSecond: 10 },
    },
    { podHeader: 'X-Pod' },
  ).finish();
  assert.is(end.outcomes.http5xx, 1);
  assert.equal(
    told.failures.map(({ outcome, pod, podKnownBy, nth, connection, reused }) => ({
      outcome,
      pod,
      podKnownBy,
      nth,
      connection,
      reused,
    })),
    [
      { outcome: 'http5xx', pod: 'web-7', podKnownBy: 'answer', nth: 3, connection: 1, reused: true },
      { outcome: 'closed', pod: 'web-7', podKnownBy: 'previous-answer', nth: 6, connection: 1, reused: true },
    ],
  );
});

test('an idle connection that the server has closed is opened anew, without a loss', async () => {
  await using server = await serve(() => ({}));
  const { meter, finish } = fire({
    url: server.url,
    lane: 'kept',
    connections: 1,
    maxDurationMs: 900,
    rate: {
      shape: 'steps',
      steps: [
        { atMs: 0, ratePerSecond: 20 },
        { atMs: 200, ratePerSecond: 0 },
        { atMs: 600, ratePerSecond: 20 },
      ],
    },
  });
  await sleep(400);
  assert.ok(meter.live().attempts >= 1);
  for (const socket of server.sockets) socket.destroy();
  const { end } = await finish();
  allSent(end, 10);
  assert.is(end.connectionsOpened, 2);
});

test('a FIN that crosses a request is lost, and marked as a race', async () => {
  // The server closes after each answer, 5 ms later, without a word; a closed loop has always sent the next request.
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    let answered = false;
    socket.on('error', () => undefined);
    socket.on('data', () => {
      if (answered) {
        socket.end();
        return;
      }
      answered = true;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    socket.on('end', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { end, told } = await fire({
    url: `http://127.0.0.1:${port}/`,
    lane: 'kept',
    connections: 2,
    maxDurationMs: 300,
    rate: { shape: 'constant', ratePerSecond: 0 },
  }).finish();
  server.close();
  assert.ok((end.outcomes.closed ?? 0) > 2);
  assert.is(end.races, end.outcomes.closed);
  assert.is(end.phases['closed/first-byte/reused'], end.outcomes.closed);
  assert.ok(told.failures.every((failure) => failure.race && failure.bytes === 0 && failure.nth === 2));
});

test('stop: no attempt starts any more, those in flight are seen to their end', async () => {
  await using server = await serve(() => ({ afterMs: 1000 }));
  const { meter, finish } = fire({ url: server.url, maxDurationMs: 60_000 });
  while (meter.live().inFlight < 5) await sleep(10);
  meter.stop();
  const atStop = meter.live();
  assert.ok(atStop.inFlight > 0);
  const { end } = await finish();
  assert.is(end.attempts, atStop.attempts);
  assert.equal(end.outcomes, { ok: end.attempts });
});

test('an interrupt: what is in flight is aborted, what waits is shed, and neither is lost', async () => {
  await using server = await serve(() => ({ afterMs: 3000 }));
  for (const lane of ['new', 'kept'] as const) {
    const { meter, finish } = fire({
      url: server.url,
      lane,
      connections: 5,
      timeoutMs: 30_000,
      maxDurationMs: 60_000,
    });
    while (meter.live().inFlight < 5) await sleep(10);
    await sleep(100);
    meter.abort();
    const { end, told } = await finish();
    assert.equal(end.outcomes, { aborted: 5 });
    assert.is(end.shed, end.scheduled - 5);
    assert.equal(told.intervals, []);
  }
});

test('a live rate', async () => {
  await using server = await serve(() => ({}));
  const { meter, finish } = fire({ url: server.url, connections: 1000, maxDurationMs: 2000 });
  await sleep(500);
  meter.setRate(400);
  const { end } = await finish();
  // 100/s until some time after 500 ms, then 400/s; it would be 200 without.
  assert.ok(end.scheduled > 200 && end.scheduled <= 651, `${end.scheduled} scheduled`);
  assert.equal(end.outcomes, { ok: end.scheduled });
});

test('agents split a schedule: together they fire it once', async () => {
  await using server = await serve(() => ({}));
  const runs = [0, 1, 2].map((index) =>
    fire({ url: server.url, split: { index, of: 3 }, maxDurationMs: 500 }),
  );
  const ends = await Promise.all(runs.map((run) => run.finish()));
  assert.equal(
    ends.map(({ end }) => end.scheduled),
    [17, 17, 16],
  );
});

test(
  'IPv6',
  async () => {
    await using server = await serve(() => ({}), '::1');
    const { end } = await fire({ url: server.url, maxDurationMs: 100 }).finish();
    assert.equal(end.outcomes, { ok: 10 });
    const refused = await fire({ url: 'http://[::1]:1/', maxDurationMs: 100 }).finish();
    assert.equal(refused.end.phases, { 'refused/connect/new': 10 });
  },
  {
    skip: Object.values(networkInterfaces())
      .flat()
      .some((one) => one?.address === '::1')
      ? undefined
      : 'no IPv6 loopback address',
  },
);

test('a name: resolved, and an outcome of its own when it cannot be', async () => {
  await using server = await serve(() => ({}));
  const known = await fire({ url: `http://localhost:${server.port}/`, maxDurationMs: 200 }).finish();
  assert.equal(known.end.outcomes, { ok: 20 });
  const unknown = await fire({ url: 'http://no-such-host.invalid/', maxDurationMs: 200 }).finish();
  assert.equal(unknown.end.phases, { 'dns/connect/new': 20 });
});

test('a method that does not exist is told in a sentence', () => {
  assert.throws(
    () => fire({ url: 'http://127.0.0.1:1/', method: 'NONSENSE' }),
    /"NONSENSE" is not an HTTP method/,
  );
});

test.run();
