// What a target receives of a load whose requests are numbered, also when somebody between sends them twice: from the
// meter's header over the target's own link into frames.
import { request as ask, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { runAgent } from '../../harness/load/agent.ts';
import { Tally } from '../../harness/load/tally.ts';
import { type Frame, frameSchema } from '../../harness/model/load.ts';
import { readTargetConfig } from '../../target/config.ts';
import { HttpListener } from '../../target/listener.ts';
import { reportPhases } from '../../target/phases.ts';
import { suite } from '../suite.ts';

const test = suite('deliveries', { timeoutMs: 20_000 });

test('each number counts once, and every further time is told', () => {
  const tally = new Tally();
  tally.add('rp-new', [0, 1, 2]);
  tally.add('rp-new', [2, 3]);
  assert.equal(tally.take(), { 'rp-new': { received: 5, again: [2] } });
  assert.is(tally.take(), undefined);
  tally.add('rp-new', [2, 4]);
  tally.add('rp-kept', [2]);
  assert.equal(tally.take(), {
    'rp-new': { received: 2, again: [2] },
    'rp-kept': { received: 1, again: [] },
  });
});

test('a proxy that sends every tenth request twice is found out, request by request', async () => {
  const agent = await runAgent({ port: 0, phasePort: 0, host: '127.0.0.1' });
  const config = readTargetConfig({
    PORT: '0',
    ROLLPROOF_BIND_ADDRESS: '127.0.0.1',
    ROLLPROOF_PHASES: `127.0.0.1:${agent.phasePort}`,
    FAIL_EVERY: '15',
  });
  const phases = reportPhases(config);
  // A port that can be named: the listener is asked for one, so it must be known.
  const free = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => free.once('listening', resolve));
  const port = (free.address() as AddressInfo).port;
  await new Promise((resolve) => free.close(resolve));
  const target = new HttpListener({ ...config, port }, (requestId) => phases.received(requestId));
  await target.listen();
  const twice: number[] = [];
  const proxy = createServer((incoming, outgoing) => {
    const number = Number(String(incoming.headers['x-request-id']).split('.').at(-1));
    const forward = (take: boolean) =>
      ask({ host: '127.0.0.1', port, headers: incoming.headers }, (answer) => {
        if (take) outgoing.writeHead(answer.statusCode ?? 500);
        answer.resume().on('end', () => take && outgoing.end());
      }).end();
    if (number % 10 === 3) {
      twice.push(number);
      forward(false);
    }
    forward(true);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  const call = async (path: string, body?: unknown) => {
    const answer = await fetch(`http://127.0.0.1:${agent.port}${path}`, {
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    });
    return (await answer.json()) as { frames: unknown[]; ends?: { attempts: number }[] };
  };
  try {
    const stream = {
      id: 'ingress/new',
      lane: 'new',
      url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/`,
      rate: { shape: 'constant', ratePerSecond: 100 },
      requestIds: 'rp-ingress/new',
      connections: 50,
      timeoutMs: 20_000,
      maxDurationMs: 60_000,
    };
    await call('/start', { runId: 'r', streams: [stream] });
    await sleep(1000);
    await call('/stop', {});
    const frames: Frame[] = [];
    const told = () => frames.flatMap(({ deliveries }) => deliveries?.['rp-ingress/new'] ?? []);
    const received = () => told().reduce((sum, one) => sum + one.received, 0);
    let ends: { attempts: number }[] | undefined;
    for (let looks = 0; looks < 200 && !ends; looks++) {
      ({ ends } = await call('/end'));
      if (!ends) await sleep(50);
    }
    const expected = (ends?.[0]?.attempts ?? 0) + twice.length;
    // What the target tells comes a moment after the answer; then eight more looks, that nothing else comes.
    for (let looks = 0, after = 0; looks < 200 && after < 8; looks++) {
      const answer = await call(`/frames?after=${frames.at(-1)?.seq ?? 0}`);
      frames.push(...answer.frames.map((frame) => frameSchema.parse(frame)));
      if (received() >= expected) after++;
      await sleep(100);
    }
    const again = told().flatMap((one) => one.again);
    assert.ok(twice.length >= 5, `only ${twice.length} were sent twice`);
    assert.equal(
      again.toSorted((a, b) => a - b),
      twice.toSorted((a, b) => a - b),
    );
    assert.is(received(), expected);
    const failures = frames.flatMap(({ streams }) => streams['ingress/new']?.failures ?? []);
    assert.ok(failures.length > 0, 'some were answered with 502');
    assert.ok(
      failures.every(({ sequence, outcome }) => sequence !== undefined && outcome === 'http5xx'),
      'each failure says its number',
    );
  } finally {
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
    await target.drain();
    await agent.close();
  }
});

test.run();
