import http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as assert from 'uvu/assert';
import { preflight } from '../../harness/load/preflight.ts';
import type { StreamPlan } from '../../harness/model/load.ts';
import { suite } from '../suite.ts';

const test = suite('preflight');

test('an answer is one by its head; what does not answer ends with the limit', async () => {
  const cases: [what: string, handle: http.RequestListener, expected: string | undefined | RegExp][] = [
    ['a whole answer', (_request, response) => void response.end('here'), undefined],
    ['an error status', (_request, response) => void response.writeHead(503).end(), undefined],
    [
      'an answer that never ends',
      (_request, response) => {
        const timer = setInterval(() => response.write('more'), 20);
        response.on('close', () => clearInterval(timer));
      },
      undefined,
    ],
    ['a head and then silence', (_request, response) => response.flushHeaders(), undefined],
    ['silence', () => {}, /no answer within/],
    ['a connection that is closed', (request) => void request.socket.destroy(), /socket hang up/],
  ];
  for (const [what, handle, expected] of cases) {
    const server = http.createServer(handle);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const plan = {
      url,
      headers: {},
      timeoutMs: 60_000,
      insecure: false,
      expectStatus: [],
    } as unknown as StreamPlan;
    const startedAt = performance.now();
    // Who answers is waited for on a busy machine, too.
    const limitMs = expected === undefined ? 10_000 : 700;
    const seen = await preflight(plan, { limitMs, route: () => undefined });
    const tookMs = performance.now() - startedAt;
    server.closeAllConnections();
    server.close();
    if (expected instanceof RegExp) assert.match(seen ?? '', expected, what);
    else assert.is(seen, expected, what);
    assert.ok(tookMs < 20_000, `${what}: ${tookMs} ms`);
  }
  const plan = { url: 'http://127.0.0.1:1/', headers: {}, timeoutMs: 100, insecure: false };
  const seen = await preflight(plan as unknown as StreamPlan, { limitMs: 200, route: () => 'none' });
  assert.is(seen, 'its service has no endpoint');
});

test('one question that is not answered takes the time of an attempt, not the whole limit', async () => {
  let asked = 0;
  const server = http.createServer((_request, response) => {
    if (++asked > 1) response.end('here');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const plan = { url, headers: {}, timeoutMs: 200, insecure: false, expectStatus: [] };
  const seen = await preflight(plan as unknown as StreamPlan, { limitMs: 60_000, route: () => undefined });
  server.closeAllConnections();
  server.close();
  assert.is(seen, undefined);
  assert.ok(asked > 1);
});

test.run();
