import * as assert from 'uvu/assert';
import { matchesSelector } from '../../emulator/api/label-selector.ts';
import { createRegistry } from '../../emulator/api/registry.ts';
import { taintsOf, toleratedForMs } from '../../emulator/controllers/node-lifecycle.ts';
import { createClient } from '../../emulator/controllers/runtime/client.ts';
import { stoppable } from '../../emulator/controllers/runtime/clock.ts';
import { createExpectations } from '../../emulator/controllers/runtime/expectations.ts';
import { createInformers, keyOf, splitKey } from '../../emulator/controllers/runtime/informers.ts';
import { scaledValue } from '../../emulator/controllers/runtime/int-or-string.ts';
import { drawMs, measuredLatencies, scaleLatencies } from '../../emulator/controllers/runtime/latencies.ts';
import { adopt, claim, controllerReference, release } from '../../emulator/controllers/runtime/ownership.ts';
import { createWorkQueue, defaultRetryDelayMs } from '../../emulator/controllers/runtime/work-queue.ts';
import { seeded, turnedClock } from '../control-plane.ts';
import { after, node, pod, replicaSet, t0 } from '../kube-objects.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: runtime');
const noDelay = scaleLatencies(measuredLatencies, 0);

test('numbers and percentages', () => {
  const table: [number | string | undefined, number, 'up' | 'down', number][] = [
    [3, 10, 'up', 3],
    ['25%', 10, 'up', 3],
    ['25%', 10, 'down', 2],
    ['100%', 7, 'down', 7],
    [undefined, 7, 'up', 0],
    ['5', 10, 'up', 5],
  ];
  for (const [value, total, round, expected] of table)
    assert.is(scaledValue(value, total, round), expected, `${value}`);
});

test('label selectors', () => {
  const expression = (key: string, operator: string, ...values: string[]) => ({
    matchExpressions: [{ key, operator, values }],
  });
  const table: [string, Parameters<typeof matchesSelector>[0], boolean][] = [
    ['absent: nothing', undefined, false],
    ['empty: everything', {}, true],
    ['labels', { matchLabels: { a: '1', b: '2' } }, true],
    ['one label differs', { matchLabels: { a: '1', b: '3' } }, false],
    ['In', expression('a', 'In', '0', '1'), true],
    ['NotIn', expression('a', 'NotIn', '1'), false],
    ['NotIn, absent', expression('z', 'NotIn', '1'), true],
    ['Exists', expression('a', 'Exists'), true],
    ['DoesNotExist', expression('z', 'DoesNotExist'), true],
    ['Gt', expression('b', 'Gt', '1'), true],
    ['Lt', expression('b', 'Lt', '2'), false],
    ['unknown operator', expression('a', 'Like', '1'), false],
  ];
  for (const [what, selector, expected] of table)
    assert.is(matchesSelector(selector, { a: '1', b: '2' }), expected, what);
});

test('claims: own, adopt, release, leave alone', () => {
  const owner = replicaSet({ name: 'rs', replicas: 1 });
  const other = replicaSet({ name: 'other', replicas: 1 });
  const owned = (labels: object) => ({
    labels: labels as Record<string, string>,
    meta: { ownerReferences: [controllerReference(owner)] },
  });
  const pods = [
    pod({ name: 'own', ...owned({ app: 'app' }) }),
    pod({ name: 'orphan' }),
    pod({ name: 'stranger', ...owned({ app: 'x' }) }),
    pod({ name: 'others', meta: { ownerReferences: [controllerReference(other)] } }),
    pod({ name: 'dying orphan', deleting: true }),
    pod({ name: 'unrelated', labels: { app: 'x' } }),
  ];
  const names = (list: readonly { metadata: { name: string } }[]) =>
    list.map(({ metadata }) => metadata.name);
  const claims = claim(owner, owner.spec?.selector, pods);
  assert.equal(
    [names(claims.owned), names(claims.orphans), names(claims.strangers)],
    [['own'], ['orphan'], ['stranger']],
  );
  const orphan = structuredClone(pods[1]) as ReturnType<typeof pod>;
  adopt(orphan, owner);
  assert.equal(orphan.metadata.ownerReferences, [controllerReference(owner)]);
  release(orphan, owner);
  assert.is(orphan.metadata.ownerReferences, undefined);
});

test('expectations: outstanding, observed, timed out', () => {
  let nowMs = 0;
  const expectations = createExpectations(() => nowMs);
  assert.is(expectations.satisfied('a'), true, 'none');
  expectations.expectCreations('a', 2);
  expectations.creationObserved('a');
  assert.is(expectations.satisfied('a'), false, 'one of two');
  expectations.creationObserved('a');
  assert.is(expectations.satisfied('a'), true);
  expectations.expectDeletions('a', ['x']);
  expectations.deletionObserved('a', 'y');
  assert.is(expectations.satisfied('a'), false, 'another pod');
  nowMs = 300_001;
  assert.is(expectations.satisfied('a'), true, 'after 5 minutes');
});

test('the work queue: no key twice, none at the same time, failures back off, workers are limited', async () => {
  const clock = turnedClock(0);
  const log: string[] = [];
  let failures = 2;
  const errors: string[] = [];
  const queue = createWorkQueue({
    clock: stoppable(clock),
    workers: 2,
    retryDelayMs: defaultRetryDelayMs,
    async sync(key) {
      log.push(`${clock.nowMs()} ${key}`);
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
      if (key === 'fails' && failures-- > 0) throw new Error('again');
    },
    onError: (key, error) => errors.push(`${key} ${(error as Error).message}`),
  });
  for (const key of ['a', 'a', 'b', 'c', 'b']) queue.add(key);
  await clock.advance(5);
  queue.add('a');
  await clock.advance(95);
  assert.equal(log.splice(0), ['0 a', '0 b', '10 c', '10 a', '20 b']);
  queue.add('fails');
  await clock.advance(900);
  assert.equal(log.splice(0), ['100 fails', '115 fails', '135 fails']);
  assert.equal(errors, ['fails again', 'fails again']);
  queue.addAfter('later', 500);
  queue.addAfter('later', 100);
  queue.addAfter('later', 300);
  await clock.advance(1000);
  assert.equal(log.splice(0), ['1100 later']);
});

test('back-off of 5 ms, doubled, up to 1000 s', () => {
  assert.equal([0, 1, 2, 10, 40].map(defaultRetryDelayMs), [5, 10, 20, 5120, 1_000_000]);
});

test('informers lag, keep the order, and tell of what was there before', async () => {
  const clock = turnedClock(0);
  const registry = createRegistry({ now: () => clock.nowMs(), random: seeded(1) });
  registry.create('configmaps', { metadata: { name: 'before' } });
  const latencies = { ...noDelay, watch: { minMs: 5, medianMs: 50, p90Ms: 500 } };
  const stoppableClock = stoppable(clock);
  const informers = createInformers(registry, ['configmaps'], stoppableClock, seeded(2), latencies);
  const told: string[] = [];
  informers.on('configmaps', ({ type, object, previous }) =>
    told.push(`${type} ${object.metadata.name} ${previous?.data?.n ?? '-'} ${object.data?.n ?? '-'}`),
  );
  informers.start();
  assert.equal(told.splice(0), ['ADDED before - -']);
  registry.create('configmaps', { metadata: { name: 'x' }, data: { n: '0' } });
  for (let n = 1; n <= 20; n++)
    registry.mutate('configmaps', 'default', 'x', (draft) => {
      draft.data = { n: String(n) };
    });
  await clock.advance(4);
  assert.is(informers.get('configmaps', 'default', 'x'), undefined, 'not yet');
  await clock.advance(2000);
  assert.equal(told.splice(0), [
    'ADDED x - 0',
    ...Array.from({ length: 20 }, (_, n) => `MODIFIED x ${n} ${n + 1}`),
  ]);
  assert.is(informers.get('configmaps', 'default', 'x')?.data?.n, '20');
  registry.delete('configmaps', 'default', 'x');
  stoppableClock.stop();
  informers.stop();
  await clock.advance(2000);
  assert.equal([told, clock.pendingTimers], [[], 0], 'stopped');
});

test('a client writes no faster than its limit, a burst first', async () => {
  const clock = turnedClock(0);
  const registry = createRegistry({ now: () => clock.nowMs(), random: seeded(1) });
  const client = createClient({
    registry,
    clock: stoppable(clock),
    random: seeded(1),
    latencies: noDelay,
    component: 'c',
    qps: 20,
    burst: 5,
  });
  const doneMs: number[] = [];
  for (let index = 0; index < 9; index++) {
    void client
      .create('configmaps', { metadata: { name: `c${index}` } })
      .then(() => doneMs.push(clock.nowMs()));
  }
  await clock.advance(1000);
  assert.equal(doneMs, [0, 0, 0, 0, 0, 50, 100, 150, 200]);
});

test('events come later, in order, from the component', async () => {
  const clock = turnedClock(0);
  const registry = createRegistry({ now: () => clock.nowMs(), random: seeded(1) });
  const client = createClient({
    registry,
    clock: stoppable(clock),
    random: seeded(1),
    latencies: measuredLatencies,
    component: 'c',
    qps: 20,
    burst: 30,
  });
  const involved = { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'p', namespace: 'default', uid: 'u' } };
  client.event(involved, 'Normal', 'First', 'one');
  client.event(involved, 'Warning', 'Second', 'two');
  assert.is(registry.list('events').length, 0);
  await clock.advance(1000);
  const events = [...registry.list('events')].sort(
    (a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion),
  );
  assert.equal(
    events.map(({ type, reason, message, source }) => [type, reason, message, source?.component]),
    [
      ['Normal', 'First', 'one', 'c'],
      ['Warning', 'Second', 'two', 'c'],
    ],
  );
});

test('delays: the quantiles that were measured, and a factor for all', () => {
  const quantiles = { minMs: 10, medianMs: 20, p90Ms: 60 };
  const table: [share: number, expected: number][] = [
    [0, 10],
    [0.25, 15],
    [0.5, 20],
    [0.7, 40],
    [0.9, 60],
    [1, 80],
  ];
  for (const [share, expected] of table)
    assert.is(Math.round(drawMs(quantiles, () => share)), expected, `${share}`);
  assert.is(
    drawMs(noDelay.write, () => 0.99),
    0,
  );
  assert.equal(scaleLatencies(measuredLatencies, 2).watch, { minMs: 2, medianMs: 6, p90Ms: 10 });
  assert.is(scaleLatencies(measuredLatencies, 2).clientQps, measuredLatencies.clientQps);
});

test('keys', () => {
  assert.equal([keyOf('ns', 'n'), keyOf(undefined, 'n')], ['ns/n', 'n']);
  assert.equal(
    [splitKey('ns/n'), splitKey('n')],
    [
      ['ns', 'n'],
      [undefined, 'n'],
    ],
  );
});

test('a stopped clock runs nothing and sets nothing', async () => {
  const clock = turnedClock(0);
  const inner = stoppable(clock);
  let ran = 0;
  inner.setTimeout(() => ran++, 10);
  const cancelled = inner.setTimeout(() => ran++, 10);
  inner.clearTimeout(cancelled);
  await clock.advance(20);
  assert.is(ran, 1);
  inner.setTimeout(() => ran++, 10);
  inner.stop();
  inner.setTimeout(() => ran++, 10);
  await clock.advance(100);
  assert.equal([ran, clock.pendingTimers, inner.stopped], [1, 0, true]);
});

test('taints that follow from a node’s state', () => {
  const withReady = (status: string, more: Parameters<typeof node>[1] = {}) => {
    const object = node('n', more);
    object.status = { ...object.status, conditions: [{ type: 'Ready', status }] };
    return object;
  };
  const own = { key: 'mine', effect: 'NoSchedule' };
  const table: [string, ReturnType<typeof node>, string[]][] = [
    ['fine', withReady('True', { taints: [own] }), ['mine:NoSchedule']],
    [
      'cordoned',
      withReady('True', { spec: { unschedulable: true } }),
      ['node.kubernetes.io/unschedulable:NoSchedule'],
    ],
    [
      'uncordoned',
      withReady('True', { taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] }),
      [],
    ],
    [
      'not ready',
      withReady('False'),
      ['node.kubernetes.io/not-ready:NoSchedule', 'node.kubernetes.io/not-ready:NoExecute'],
    ],
    [
      'unreachable',
      withReady('Unknown'),
      ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'],
    ],
  ];
  for (const [what, object, expected] of table) {
    assert.equal(
      taintsOf(object, t0).map(({ key, effect }) => `${key}:${effect}`),
      expected,
      what,
    );
  }
  const since = [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule', timeAdded: after(-5) }];
  assert.is(
    taintsOf(withReady('True', { spec: { unschedulable: true, taints: since } }), t0)[0]?.timeAdded,
    after(-5),
    'kept',
  );
});

test('how long taints are tolerated: the shortest counts', () => {
  const taint = { key: 'k', effect: 'NoExecute' };
  const table: [string, object[], number][] = [
    ['not', [], 0],
    ['for ever', [{ key: 'k', operator: 'Exists' }], Number.POSITIVE_INFINITY],
    ['300 s', [{ key: 'k', operator: 'Exists', tolerationSeconds: 300 }], 300_000],
    [
      'two',
      [
        { operator: 'Exists', tolerationSeconds: 10 },
        { key: 'k', operator: 'Exists', tolerationSeconds: 300 },
      ],
      10_000,
    ],
  ];
  for (const [what, tolerations, expected] of table) {
    assert.is(toleratedForMs(pod({ spec: { tolerations } }), [taint]), expected, what);
  }
});

test.run();
