// Queue and consumers as real processes: what a consumer does at its start, at SIGTERM and when it is killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { bundle } from '../../harness/load/bundle.ts';
import type { QueueCounters } from '../../target/work-queue.ts';
import { suite } from '../suite.ts';

const test = suite('target queue', { timeoutMs: 30_000 });
const program = await bundle(fileURLToPath(new URL('../../target/server.ts', import.meta.url)));

type Counters = QueueCounters & { readonly atMs: number };

test('a consumer is slow at first, and as fast as its queue when it is warm', async () => {
  await using queue = await startQueue({ ENQUEUE_PER_SECOND: '40' });
  const env = { COLD_PER_SECOND: '4', WARM_PER_SECOND: '80', WARM_UP_MS: '3000' };
  await using consumer = await startConsumer(queue.port, env);
  const first = await queue.counters();
  await delay(600);
  const cold = await queue.counters();
  assert.ok(perSecond(first, cold) < 20, `cold: ${perSecond(first, cold)} per second`);
  assert.ok(cold.backlog > first.backlog, 'the backlog grows');
  await delay(3500);
  const before = await queue.counters();
  await delay(1500);
  const warm = await queue.counters();
  assert.ok(perSecond(before, warm) > 34, `warm: ${perSecond(before, warm)} per second`);
  assert.is(warm.processed + warm.backlog + warm.inHand, warm.enqueued);
  assert.is(consumer.child.exitCode, null);
});

test('SIGTERM: the item in hand is finished, and no other is taken', async () => {
  await using queue = await startQueue({ ENQUEUE_PER_SECOND: '50' });
  await using consumer = await startConsumer(queue.port, {
    COLD_PER_SECOND: '2',
    WARM_PER_SECOND: '2',
    ON_TERM: 'graceful',
    LINGER_MS: '0',
  });
  await until(queue, ({ inHand }) => inHand === 1);
  const { processed } = await queue.counters();
  consumer.child.kill('SIGTERM');
  assert.is(await consumer.exit, 0);
  const after = await queue.counters();
  assert.is(after.processed, processed + 1);
  assert.is(after.inHand, 0);
});

test('a consumer that is killed leaves its item to the next one', async () => {
  await using queue = await startQueue({ ENQUEUE_PER_SECOND: '1', LEASE_MS: '700' });
  {
    await using victim = await startConsumer(queue.port, { COLD_PER_SECOND: '1', WARM_PER_SECOND: '1' });
    await until(queue, ({ inHand }) => inHand === 1);
    victim.child.kill('SIGKILL');
    await victim.exit;
  }
  await using _next = await startConsumer(queue.port, { COLD_PER_SECOND: '50', WARM_PER_SECOND: '50' });
  const end = await until(
    queue,
    ({ returned, processed, inHand }) => returned > 0 && processed >= returned && inHand === 0,
  );
  assert.is(end.returned, 1);
  assert.is(end.processed + end.backlog, end.enqueued);
});

test('consumers outlive a queue that goes away and comes back', async () => {
  const port = await freePort();
  await using consumer = await startConsumer(port, { COLD_PER_SECOND: '50', WARM_PER_SECOND: '50' });
  await delay(500);
  await using queue = await startQueue({ ENQUEUE_PER_SECOND: '20' }, port);
  await until(queue, ({ processed }) => processed >= 5);
  assert.is(consumer.child.exitCode, null);
});

test('what the queue does not know is 404 or 410', async () => {
  await using queue = await startQueue({ ENQUEUE_PER_SECOND: '0' });
  const ask = async (method: string, path: string) =>
    (await fetch(`http://127.0.0.1:${queue.port}${path}`, { method })).status;
  assert.is(await ask('POST', '/take'), 204);
  assert.is(await ask('POST', '/done?item=7'), 410);
  assert.is(await ask('POST', '/done'), 410);
  assert.is(await ask('GET', '/take'), 404);
  assert.is(await ask('GET', '/healthz'), 200);
});

test.run();

interface Running extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly port: number;
  readonly exit: Promise<number | null>;
}
interface Queue extends Running {
  counters(): Promise<Counters>;
}

async function startQueue(env: Record<string, string>, port?: number): Promise<Queue> {
  const running = await start({ MODE: 'queue', ...env }, port);
  return {
    ...running,
    counters: async () =>
      (await fetch(`http://127.0.0.1:${running.port}/counters`)).json() as Promise<Counters>,
  };
}

const startConsumer = (queuePort: number, env: Record<string, string>): Promise<Running> =>
  start({ MODE: 'consumer', QUEUE: `127.0.0.1:${queuePort}`, ...env });

async function start(env: Record<string, string>, wanted?: number): Promise<Running> {
  const port = wanted ?? (await freePort());
  const child = spawn(process.execPath, [program], {
    env: {
      ...process.env,
      ROLLPROOF_BIND_ADDRESS: '127.0.0.1',
      ROLLPROOF_PARENT_PID: String(process.pid),
      PORT: String(port),
      ADMIN_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exit.then((code) => {
      throw new Error(`the target ended with ${code} before it listened`);
    }),
  ]);
  return {
    child,
    port,
    exit,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exit;
    },
  };
}

const perSecond = (from: Counters, to: Counters): number =>
  ((to.processed - from.processed) * 1000) / (to.atMs - from.atMs);

async function until(queue: Queue, met: (counters: Counters) => boolean): Promise<Counters> {
  for (let round = 0; round < 500; round++) {
    const counters = await queue.counters();
    if (met(counters)) return counters;
    await delay(20);
  }
  throw new Error(`waited 10 s; last seen ${JSON.stringify(await queue.counters())}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
