// The queue's books, and how fast a consumer is at which age.
import * as assert from 'uvu/assert';
import { readTargetConfig } from '../../target/config.ts';
import { rateAt } from '../../target/consumer.ts';
import { WorkQueue } from '../../target/work-queue.ts';
import { suite } from '../suite.ts';

const test = suite('target-queue');
const config = { enqueuePerSecond: 10, quietMs: 0, limit: 5, leaseMs: 1000 };

test('items come in at a steady rate, wait in order, and are rejected when it is full; returned ones never', () => {
  const queue = new WorkQueue(config);
  assert.is(queue.take(500), undefined);
  assert.is(queue.take(599), undefined);
  assert.is(queue.take(600), 0);
  assert.is(queue.take(800), 1);
  assert.equal(queue.counters(2000), {
    enqueued: 7,
    processed: 0,
    backlog: 7,
    inHand: 0,
    returned: 2,
    rejected: 8,
  });
});

test('nothing comes in until a consumer has been there for the quiet time', () => {
  const queue = new WorkQueue({ ...config, quietMs: 400 });
  assert.is(queue.counters(9000).enqueued, 0);
  queue.take(10_000);
  queue.take(10_200);
  assert.is(queue.counters(10_400).enqueued, 0);
  assert.is(queue.counters(10_500).enqueued, 1);
});

test('an item counts when it is finished, once', () => {
  const queue = new WorkQueue(config);
  queue.take(0);
  const item = queue.take(100) as number;
  assert.is(queue.finish(99, 100), false, 'never handed out');
  assert.is(queue.finish(item, 200), true);
  assert.is(queue.finish(item, 300), false);
  assert.is(queue.counters(300).processed, 1);
});

test('what a consumer does not finish in time is handed to the next one first', () => {
  const queue = new WorkQueue(config);
  queue.take(0);
  const item = queue.take(100);
  assert.is(queue.take(1099), 1);
  assert.is(queue.take(1100), item);
  assert.is(queue.finish(item as number, 1200), true);
  assert.is(queue.counters(1200).returned, 1);
});

test('nothing gets lost: enqueued = processed + waiting + in hand, at any time', () => {
  const queue = new WorkQueue({ enqueuePerSecond: 40, quietMs: 0, limit: 30, leaseMs: 300 });
  let taken = 0;
  for (let nowMs = 0; nowMs < 20_000; nowMs += 7) {
    // A consumer that is sometimes away, and forgets every tenth item.
    if (nowMs % 3000 < 1800) {
      const item = queue.take(nowMs);
      if (item !== undefined && ++taken % 10 > 0) queue.finish(item, nowMs);
    }
    const { enqueued, processed, backlog, inHand } = queue.counters(nowMs);
    assert.is(processed + backlog + inHand, enqueued, `at ${nowMs} ms`);
  }
  const { processed, returned, rejected, enqueued } = queue.counters(20_000);
  assert.ok(
    processed > 300 && returned > 5 && rejected > 5,
    JSON.stringify({ processed, returned, rejected }),
  );
  assert.is(enqueued + rejected, 800);
});

test('a consumer gets faster in a straight line', () => {
  const pace = { coldPerSecond: 1, warmPerSecond: 10, warmUpMs: 6000 };
  const table: [ageMs: number, rate: number][] = [
    [-5, 1],
    [0, 1],
    [3000, 5.5],
    [6000, 10],
    [60_000, 10],
  ];
  for (const [ageMs, rate] of table) assert.is(rateAt(ageMs, pace), rate, `${ageMs} ms`);
  assert.is(rateAt(0, { ...pace, warmUpMs: 0 }), 10);
});

test('a consumer has to know its queue', () => {
  const read = (env: Record<string, string>) => () => readTargetConfig(env);
  assert.throws(read({ MODE: 'consumer' }), /QUEUE is ""; it must be host:port/);
  assert.throws(read({ MODE: 'consumer', QUEUE: 'queue' }), /QUEUE is "queue"/);
  assert.throws(read({ MODE: 'worker' }), /MODE is "worker"; it must be one of server, consumer, queue/);
  assert.throws(read({ MODE: 'queue', LEASE_MS: '0' }), /LEASE_MS is "0"/);
  assert.is(readTargetConfig({ MODE: 'consumer', QUEUE: '[::1]:80' }).queue, '[::1]:80');
  assert.is(readTargetConfig({}).mode, 'server');
});

test.run();
