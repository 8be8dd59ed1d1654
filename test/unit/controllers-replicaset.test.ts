import * as assert from 'uvu/assert';
import type { Pod } from '../../emulator/api/types.ts';
import { podsToDelete } from '../../emulator/controllers/replicaset/deletion-rank.ts';
import { slowStart } from '../../emulator/controllers/replicaset/slow-start.ts';
import { nextAvailabilityMs, replicaSetStatus } from '../../emulator/controllers/replicaset/status.ts';
import { isActive, isAvailable } from '../../emulator/controllers/runtime/pods.ts';
import { type PodShape, pod, replicaSet, t0Ms } from '../kube-objects.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: replicaset');
const nowMs = t0Ms + 1000 * 1000;
const uid = (text: string) => ({ meta: { uid: text } });

test('who goes first, criterion by criterion', () => {
  const ready: PodShape = { node: 'n1', ready: true, readySince: 0 };
  // The first of the two goes.
  const table: [string, first: PodShape, second: PodShape][] = [
    ['1 without a node before one with', { phase: 'Pending' }, { phase: 'Pending', node: 'n1' }],
    ['2 Pending before Unknown', { node: 'n1', phase: 'Pending' }, { node: 'n1', phase: 'Unknown' }],
    ['2 Unknown before Running', { node: 'n1', phase: 'Unknown' }, { node: 'n1' }],
    ['3 not ready before ready', { node: 'n1' }, ready],
    [
      '4 lower deletion cost',
      {
        ...ready,
        readySince: 0,
        meta: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-1' } },
      },
      { ...ready, readySince: 999 },
    ],
    ['6 ready for a much shorter time', { ...ready, readySince: 900 }, { ...ready, readySince: 0 }],
    [
      '6 about as long: lower UID',
      { ...ready, readySince: 0, ...uid('a') },
      { ...ready, readySince: 100, ...uid('b') },
    ],
    ['7 more restarts', { ...ready, restarts: 2 }, { ...ready, restarts: 1, created: 900 }],
    ['8 created much later', { ...ready, created: 900 }, { ...ready, created: 0 }],
    [
      '8 created about then: lower UID',
      { ...ready, created: 0, ...uid('a') },
      { ...ready, created: 100, ...uid('b') },
    ],
    ['8 also for pods that are not ready', { node: 'n1', created: 900 }, { node: 'n1', created: 0 }],
  ];
  for (const [what, first, second] of table) {
    for (const order of [0, 1]) {
      const pods = [pod({ name: 'first', ...first }), pod({ name: 'second', ...second })];
      if (order === 1) pods.reverse();
      const [victim] = podsToDelete(pods, pods, 1, nowMs);
      assert.is(victim?.metadata.name, 'first', `${what}, order ${order}`);
    }
  }
});

test('5: the node with most active pods of the owner’s ReplicaSets; those being deleted do not count', () => {
  const at = (name: string, node: string, more: PodShape = {}) => pod({ name, node, ready: true, ...more });
  const own = [at('a', 'n1'), at('b', 'n2'), at('c', 'n3')];
  // Recorded: the old pod beside the new one goes first, so that one per node is left again.
  const table: [string, Pod[], string][] = [
    ['a new one on n2', [at('new', 'n2', { ready: false })], 'b'],
    [
      'n1 has more, but they terminate',
      [at('x', 'n1', { deleting: true }), at('y', 'n1', { deleting: true }), at('new', 'n3')],
      'c',
    ],
    [
      'n1 has more, but they have ended',
      [at('x', 'n1', { phase: 'Failed' }), at('y', 'n1', { phase: 'Succeeded' }), at('new', 'n3')],
      'c',
    ],
  ];
  for (const [what, others, expected] of table) {
    const [victim] = podsToDelete(own, [...own, ...others], 1, nowMs);
    assert.is(victim?.metadata.name, expected, what);
  }
});

test('readiness decides before the node; deleting all keeps the order', () => {
  const pods = [
    pod({ name: 'ready-crowded', node: 'n1', ready: true }),
    pod({ name: 'ready-crowded-2', node: 'n1', ready: true }),
    pod({ name: 'unready-alone', node: 'n2' }),
  ];
  assert.is(podsToDelete(pods, pods, 1, nowMs)[0]?.metadata.name, 'unready-alone');
  assert.equal(
    podsToDelete(pods, pods, 3, nowMs).map(({ metadata }) => metadata.name),
    ['ready-crowded', 'ready-crowded-2', 'unready-alone'],
  );
});

test('slow start: batches of 1, 2, 4 …; the batch in which one fails is the last', async () => {
  const table: [count: number, failAt: number | undefined, begun: number, succeeded: number][] = [
    [0, undefined, 0, 0],
    [1, undefined, 1, 1],
    [10, undefined, 10, 10],
    [10, 0, 1, 0],
    [10, 2, 3, 2],
    [10, 3, 7, 6],
  ];
  for (const [count, failAt, begun, succeeded] of table) {
    const called: number[] = [];
    const result = await slowStart(count, async (index) => {
      called.push(index);
      if (index === failAt) throw new Error(`no ${index}`);
    });
    assert.is(called.length, begun, `${count} fail ${failAt}`);
    assert.is(result.succeeded, succeeded, `${count} fail ${failAt}`);
    assert.is(
      (result.error as Error | undefined)?.message,
      failAt === undefined ? undefined : `no ${failAt}`,
    );
  }
});

test('slow start: the next batch begins when the one before is done', async () => {
  let open = 0;
  let most = 0;
  await slowStart(7, async (index) => {
    open++;
    most = Math.max(most, open);
    assert.ok(open <= 4, `${open} at once at ${index}`);
    await new Promise((resolve) => setImmediate(resolve));
    open--;
  });
  assert.is(most, 4);
});

test('available: ready for minReadySeconds, counted from the whole second of Ready', () => {
  const table: [string, PodShape, minReady: number, nowSeconds: number, boolean][] = [
    ['not ready', {}, 0, 100, false],
    ['ready, 0 s', { ready: true, readySince: 100 }, 0, 100, true],
    // Recorded: ready at 12.9 s is stored as 12 s; with minReadySeconds 6 available at 18.0 s
    ['5.9 s after the second', { ready: true, readySince: 12 }, 6, 17.9, false],
    ['6 s after the second', { ready: true, readySince: 12 }, 6, 18, true],
  ];
  for (const [what, shape, minReady, nowSeconds, expected] of table) {
    assert.is(isAvailable(pod(shape), minReady, t0Ms + nowSeconds * 1000), expected, what);
  }
});

test('active: neither ended nor being deleted', () => {
  const table: [PodShape, boolean][] = [
    [{}, true],
    [{ phase: 'Pending' }, true],
    [{ deleting: true }, false],
    [{ phase: 'Succeeded' }, false],
    [{ phase: 'Failed' }, false],
  ];
  for (const [shape, expected] of table) assert.is(isActive(pod(shape)), expected, JSON.stringify(shape));
});

test('status counts; zero counters are absent, replicas never', () => {
  const object = replicaSet({ replicas: 3, spec: { minReadySeconds: 6 } });
  assert.equal(replicaSetStatus(object, [], undefined, t0Ms), { replicas: 0, observedGeneration: 1 });
  const pods = [
    pod({ ready: true, readySince: 0 }),
    pod({ ready: true, readySince: 9 }),
    pod({ labels: { other: 'label' } }),
  ];
  assert.equal(replicaSetStatus(object, pods, undefined, t0Ms + 10_000), {
    replicas: 3,
    fullyLabeledReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 1,
    observedGeneration: 1,
  });
  assert.is(nextAvailabilityMs(object, pods, t0Ms + 10_000), 5000);
  assert.is(nextAvailabilityMs(object, pods, t0Ms + 15_000), undefined);
});

test('ReplicaFailure comes with the first error, stays, and goes with success', () => {
  const object = replicaSet({ replicas: 3 });
  const failed = replicaSetStatus(object, [pod()], new Error('exceeded quota'), t0Ms);
  assert.equal(failed.conditions, [
    {
      type: 'ReplicaFailure',
      status: 'True',
      lastTransitionTime: '2026-01-01T00:00:00Z',
      reason: 'FailedCreate',
      message: 'exceeded quota',
    },
  ]);
  const again = { ...object, status: failed };
  assert.is(
    replicaSetStatus(again, [pod()], new Error('other'), t0Ms).conditions?.[0]?.message,
    'exceeded quota',
  );
  assert.is(replicaSetStatus(again, [pod()], undefined, t0Ms).conditions, undefined);
  const tooMany = replicaSetStatus(replicaSet({ replicas: 0 }), [pod()], new Error('x'), t0Ms);
  assert.is(tooMany.conditions?.[0]?.reason, 'FailedDelete');
});

test.run();
