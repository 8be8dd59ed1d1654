import * as assert from 'uvu/assert';
import type { ReplicaSet } from '../../emulator/api/types.ts';
import {
  conditionIn,
  deploymentCondition,
  pauseCondition,
  setCondition,
} from '../../emulator/controllers/deployment/conditions.ts';
import {
  maxSurge,
  maxUnavailable,
  newReplicaSetSize,
  resolveFenceposts,
} from '../../emulator/controllers/deployment/fenceposts.ts';
import { proportionalSizes } from '../../emulator/controllers/deployment/proportional.ts';
import { oldPodsRemain } from '../../emulator/controllers/deployment/recreate.ts';
import { activeOrLatest } from '../../emulator/controllers/deployment/replica-sets.ts';
import {
  annotateNewReplicaSet,
  appendHistory,
  findNewReplicaSet,
  nextRevision,
  setDeploymentRevision,
  surplusHistory,
} from '../../emulator/controllers/deployment/revision.ts';
import { nextNewSize, nextOldSizes } from '../../emulator/controllers/deployment/rolling.ts';
import {
  hasProgressed,
  hasTimedOut,
  isComplete,
  rolloutStatusOf,
  statusOf,
  stuckCheckAfterMs,
} from '../../emulator/controllers/deployment/status.ts';
import { safeEncode, templateHash } from '../../emulator/controllers/deployment/template-hash.ts';
import { controllerReference } from '../../emulator/controllers/runtime/ownership.ts';
import { after, deployment, pod, replicaSet, t0, t0Ms, template } from '../kube-objects.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: deployment');
const sizes = (resizes: readonly { replicaSet: ReplicaSet; to: number }[]) =>
  resizes.map(({ replicaSet: { metadata }, to }) => `${metadata.name}>${to}`).join(' ');

test('fence posts: surge rounds up, unavailability down, both 0 is 1 unavailable', () => {
  type Value = number | string | undefined;
  const table: [surge: Value, unavailable: Value, desired: number, expected: [number, number]][] = [
    // TestResolveFenceposts
    ['39%', '39%', 10, [4, 3]],
    ['0%', '0%', 0, [0, 1]],
    [undefined, '39%', 10, [0, 3]],
    ['39%', undefined, 10, [4, 0]],
    [undefined, undefined, 10, [0, 1]],
    // Recorded: fencepost-8-25pct, image-change-3, and the sequences in the source's comment
    ['25%', '25%', 8, [2, 2]],
    ['25%', '25%', 3, [1, 0]],
    ['25%', '1%', 2, [1, 0]],
    ['0%', '1%', 2, [0, 1]],
    [1, 0, 3, [1, 0]],
    [0, 1, 3, [0, 1]],
  ];
  for (const [surge, unavailable, desired, expected] of table) {
    const result = resolveFenceposts(surge, unavailable, desired);
    assert.equal([result.surge, result.unavailable], expected, `${surge} ${unavailable} of ${desired}`);
  }
});

test('no surge and no unavailability for Recreate; unavailability is never more than there are replicas', () => {
  const table: [Parameters<typeof deployment>[0], surge: number, unavailable: number][] = [
    [{ replicas: 5, recreate: true }, 0, 0],
    [{ replicas: 0, maxSurge: 1, maxUnavailable: 1 }, 1, 0],
    [{ replicas: 2, maxSurge: 1, maxUnavailable: 5 }, 1, 2],
    [{ replicas: 10, maxSurge: '25%', maxUnavailable: '25%' }, 3, 2],
  ];
  for (const [shape, surge, unavailable] of table) {
    assert.is(maxSurge(deployment(shape)), surge, JSON.stringify(shape));
    assert.is(maxUnavailable(deployment(shape)), unavailable, JSON.stringify(shape));
  }
});

test('size of the new ReplicaSet', () => {
  // TestDeploymentController_reconcileNewReplicaSet, replicas 10, and a rollover at and below the ceiling
  const table: [what: string, surge: number | string, newSize: number, old: number[], expected: number][] = [
    ['room for the surge', 2, 0, [10], 2],
    ['old half gone', 2, 0, [5], 7],
    ['at the ceiling', 2, 2, [10], 2],
    ['too large: down', 2, 11, [2], 10],
    ['complete', 2, 10, [0], 10],
    ['rollover at the ceiling', 2, 0, [5, 7], 0],
    ['rollover with one free', 2, 0, [5, 6], 1],
  ];
  for (const [what, surge, newSize, old, expected] of table) {
    const object = deployment({ replicas: 10, maxSurge: surge });
    const newest = replicaSet({ name: 'new', replicas: newSize });
    const all = [newest, ...old.map((replicas) => replicaSet({ replicas }))];
    assert.is(nextNewSize(object, all, newest), expected, what);
  }
});

test('Recreate sizes the new ReplicaSet at once', () => {
  const newest = replicaSet({ replicas: 0 });
  const old = replicaSet({ replicas: 3 });
  assert.is(newReplicaSetSize(deployment({ replicas: 3, recreate: true }), [newest, old], newest), 3);
});

test('sizes of the old ReplicaSets', () => {
  interface Case {
    readonly maxUnavailable: number;
    readonly maxSurge?: number;
    readonly replicas?: number;
    readonly newest?: [size: number, available: number];
    readonly old: [size: number, available: number][];
    readonly expected: string;
  }
  const table: [string, Case][] = [
    // TestDeploymentController_reconcileOldReplicaSets, replicas 10, surge 0
    [
      '10 ready, 2 may be missing',
      { maxUnavailable: 2, newest: [0, 0], old: [[10, 10]], expected: 'old1>8' },
    ],
    [
      '8 of 10 ready: clean-up only',
      { maxUnavailable: 2, newest: [0, 0], old: [[10, 8]], expected: 'old1>8' },
    ],
    [
      '9 of 10 ready: one unhealthy, one healthy',
      { maxUnavailable: 2, newest: [0, 0], old: [[10, 9]], expected: 'old1>9 old1>8' },
    ],
    ['new pods not ready yet', { maxUnavailable: 2, newest: [2, 0], old: [[8, 8]], expected: '' }],
    ['0 and 0 is 1', { maxUnavailable: 0, newest: [0, 0], old: [[10, 10]], expected: 'old1>9' }],
    // Comment in the source: 10 replicas, surge 3, unavailable 2, the new 5 crash
    [
      'crashing new pods block',
      { maxUnavailable: 2, maxSurge: 3, newest: [5, 0], old: [[8, 8]], expected: '' },
    ],
    [
      'undone: the crashing ones are old now',
      { maxUnavailable: 2, maxSurge: 3, newest: [8, 7], old: [[5, 0]], expected: 'old1>1' },
    ],
    [
      'a third template: 13 - 8 - 0',
      {
        maxUnavailable: 2,
        maxSurge: 3,
        newest: [0, 0],
        old: [
          [8, 8],
          [5, 0],
        ],
        expected: 'old2>0',
      },
    ],
    // Recorded: rollover, rs1 5 and rs2 4 (2 ready) of max 10, rs3 created with 1
    [
      'rollover',
      {
        replicas: 8,
        maxUnavailable: 2,
        maxSurge: 2,
        newest: [1, 0],
        old: [
          [5, 5],
          [4, 3],
        ],
        expected: 'old2>3 old1>3',
      },
    ],
    // Recorded: image-change-3 after the first new pod is ready
    [
      'one for one',
      { replicas: 3, maxUnavailable: 0, maxSurge: 1, newest: [1, 1], old: [[3, 3]], expected: 'old1>2' },
    ],
    [
      'nothing for a pod that is not ready',
      { replicas: 3, maxUnavailable: 0, maxSurge: 1, newest: [1, 0], old: [[3, 3]], expected: '' },
    ],
    [
      'oldest first',
      {
        replicas: 4,
        maxUnavailable: 2,
        newest: [2, 2],
        old: [
          [1, 1],
          [3, 3],
        ],
        expected: 'old1>0 old2>0',
      },
    ],
    // Recorded: scale-down-during-rollout: the new ReplicaSet's status is from before it was scaled from 6 to 3
    [
      'a stale status of the new one frees too much',
      { replicas: 5, maxUnavailable: 1, maxSurge: 2, newest: [3, 5], old: [[4, 4]], expected: 'old1>0' },
    ],
    [
      'a stale status of an old one ends the step',
      { replicas: 5, maxUnavailable: 1, maxSurge: 2, newest: [3, 3], old: [[4, 7]], expected: '' },
    ],
    ['no old pods', { maxUnavailable: 2, newest: [10, 10], old: [[0, 0]], expected: '' }],
  ];
  for (const [
    what,
    { replicas = 10, maxSurge: surge = 0, maxUnavailable: unavailable, newest, old, expected },
  ] of table) {
    const object = deployment({ replicas, maxSurge: surge, maxUnavailable: unavailable });
    const newReplicaSet =
      newest && replicaSet({ name: 'new', replicas: newest[0], available: newest[1], created: 99 });
    const oldReplicaSets = old.map(([size, available], index) =>
      replicaSet({ name: `old${index + 1}`, replicas: size, available, created: index }),
    );
    const all = newReplicaSet ? [...oldReplicaSets, newReplicaSet] : oldReplicaSets;
    assert.is(sizes(nextOldSizes(object, all, newReplicaSet, oldReplicaSets)), expected, what);
  }
});

test('proportional scaling', () => {
  interface Case {
    readonly from: number;
    readonly to: number;
    readonly surge?: number | string;
    readonly oldSurge?: number | string;
    /** [new, old, older] */
    readonly sizes: number[];
    readonly available?: number[];
    readonly expected: string;
  }
  const table: [string, Case][] = [
    // TestScale
    ['up, two', { from: 5, to: 10, sizes: [2, 3], expected: '[4,6]' }],
    ['down, two', { from: 5, to: 3, sizes: [2, 3], expected: '[1,2]' }],
    ['down, small one to 0', { from: 9, to: 4, sizes: [8, 1], expected: '[4,0]' }],
    ['up, three', { from: 7, to: 10, sizes: [2, 3, 2], expected: '[3,4,3]' }],
    ['down, three', { from: 13, to: 8, sizes: [2, 8, 3], expected: '[1,5,2]' }],
    ['up, equal ones: newest first', { from: 3, to: 4, sizes: [1, 1, 1], expected: '[2,1,1]' }],
    ['down, equal ones: oldest first', { from: 3, to: 2, sizes: [1, 1, 1], expected: '[1,1,0]' }],
    ['surge 2', { from: 10, to: 20, surge: 2, oldSurge: 2, sizes: [6, 6], expected: '[11,11]' }],
    ['size and surge', { from: 10, to: 50, surge: 6, oldSurge: 3, sizes: [5, 8], expected: '[22,34]' }],
    ['to zero', { from: 6, to: 0, sizes: [3, 2, 1], expected: '[0,0,0]' }],
    [
      'a broken new one does not touch the old',
      { from: 2, to: 2, surge: 1, oldSurge: 1, sizes: [2, 1], available: [0, 1], expected: '[2,1]' },
    ],
    [
      'a saturated new one ends the old',
      { from: 2, to: 2, sizes: [2, 1], available: [2, 1], expected: '[2,0]' },
    ],
    ['the only one', { from: 5, to: 10, sizes: [5], expected: '[10]' }],
    ['the only one with pods is old', { from: 5, to: 10, sizes: [0, 5], expected: '[0,10]' }],
    // Recorded: scale-during-rollout 6 → 10 (rs1 4, rs2 4, max 8 → 13)
    [
      '6 to 10, 4 and 4',
      { from: 6, to: 10, surge: '25%', oldSurge: '25%', sizes: [4, 4], expected: '[7,6]' },
    ],
    // Recorded: pause-mid-rollout 8 → 12 (max 10 → 15)
    [
      '8 to 12, rs1 4, rs2 6',
      { from: 8, to: 12, surge: '25%', oldSurge: '25%', sizes: [6, 4], expected: '[9,6]' },
    ],
    [
      '8 to 12, rs1 5, rs2 5',
      { from: 8, to: 12, surge: '25%', oldSurge: '25%', sizes: [5, 5], expected: '[8,7]' },
    ],
    // Recorded: scale-down-during-rollout 10 → 5 (max 13 → 7)
    [
      '10 to 5, rs1 7, rs2 6',
      { from: 10, to: 5, surge: '25%', oldSurge: '25%', sizes: [6, 7], expected: '[3,4]' },
    ],
    [
      '10 to 5, rs1 6, rs2 7',
      { from: 10, to: 5, surge: '25%', oldSurge: '25%', sizes: [7, 6], expected: '[4,3]' },
    ],
  ];
  for (const [what, { from, to, surge = 0, oldSurge = 0, sizes: now, available = now, expected }] of table) {
    const before = deployment({ replicas: from, maxSurge: oldSurge });
    const replicaSets = now.map((replicas, index) => {
      const annotations = {
        'deployment.kubernetes.io/desired-replicas': String(from),
        'deployment.kubernetes.io/max-replicas': String(from + maxSurge(before)),
      };
      return replicaSet({
        name: `rs${index}`,
        replicas,
        available: available[index] ?? 0,
        annotations,
        created: 100 - index,
      });
    });
    const [newest, ...old] = replicaSets;
    const result = new Map(replicaSets.map(({ metadata, spec }) => [metadata.name, spec?.replicas ?? 0]));
    for (const { replicaSet: each, to: size } of proportionalSizes(
      deployment({ replicas: to, maxSurge: surge }),
      newest,
      old,
    )) {
      result.set(each.metadata.name, size);
    }
    assert.is(JSON.stringify([...result.values()]), expected, what);
  }
});

test('change of size and template: the old ones share, the new one waits', () => {
  const annotations = {
    'deployment.kubernetes.io/desired-replicas': '10',
    'deployment.kubernetes.io/max-replicas': '10',
  };
  const old = [
    replicaSet({ name: 'a', replicas: 7, available: 7, annotations, created: 2 }),
    replicaSet({ name: 'b', replicas: 3, available: 3, annotations, created: 1 }),
  ];
  assert.is(sizes(proportionalSizes(deployment({ replicas: 14 }), undefined, old)), 'a>10 b>4');
});

test('the active ReplicaSet, or the latest', () => {
  const [a, b, c] = [
    replicaSet({ name: 'a', replicas: 0, created: 1 }),
    replicaSet({ name: 'b', replicas: 3, created: 2 }),
    replicaSet({ name: 'c', replicas: 0, created: 3 }),
  ];
  const table: [string, ReplicaSet | undefined, ReplicaSet[], string | undefined][] = [
    ['one active', c, [a, b], 'b'],
    ['none active, new one there', c, [a], 'c'],
    ['none active, no new one', undefined, [a, c], 'c'],
    ['two active', replicaSet({ replicas: 1 }), [b], undefined],
    ['none at all', undefined, [], undefined],
  ];
  for (const [what, newest, old, expected] of table) {
    assert.is(activeOrLatest(newest, old)?.metadata.name, expected, what);
  }
});

test('Recreate waits for every old pod that has not ended', () => {
  const old = replicaSet({ name: 'old', replicas: 0, actual: 0 });
  const newest = replicaSet({ name: 'new', replicas: 0, actual: 0 });
  const of = (owner: ReplicaSet) => ({ meta: { ownerReferences: [controllerReference(owner)] } });
  const table: [string, ReplicaSet[], Parameters<typeof pod>[0][], boolean][] = [
    ['nothing left', [old], [], false],
    ['the status still counts one', [replicaSet({ replicas: 0, actual: 1 })], [], true],
    ['one terminates', [old], [{ ...of(old), deleting: true }], true],
    [
      'one has succeeded, its object is there',
      [old],
      [{ ...of(old), phase: 'Succeeded', deleting: true }],
      false,
    ],
    ['one has failed', [old], [{ ...of(old), phase: 'Failed' }], false],
    ['a pod of the new one', [old], [of(newest)], false],
  ];
  for (const [what, olds, pods, expected] of table) {
    assert.is(oldPodsRemain(newest, olds, pods.map(pod)), expected, what);
  }
});

test('the new ReplicaSet is the oldest with the same template, whatever its hash label', () => {
  const same = (name: string, created: number) => {
    const object = replicaSet({ name, replicas: 1, created, image: 'app:2' });
    const labels = object.spec?.template?.metadata?.labels;
    if (labels) labels['pod-template-hash'] = name;
    return object;
  };
  const all = [replicaSet({ name: 'other', replicas: 1, created: 0 }), same('younger', 3), same('older', 2)];
  assert.is(findNewReplicaSet(deployment({ replicas: 1, image: 'app:2' }), all)?.metadata.name, 'older');
  assert.is(findNewReplicaSet(deployment({ replicas: 1, image: 'app:3' }), all), undefined);
});

test('revisions only rise, and a ReplicaSet that is used again keeps its former numbers as history', () => {
  const revision = 'deployment.kubernetes.io/revision';
  const history = 'deployment.kubernetes.io/revision-history';
  // Recorded: rollback-to-revision: 1,2,3 → set :2 → 1,3,4 → undo to 1 → 3,4,5
  const table: [
    what: string,
    before: Record<string, string>,
    next: bigint,
    changed: boolean,
    after: Record<string, string>,
  ][] = [
    ['first', {}, 1n, true, { [revision]: '1' }],
    ['used again', { [revision]: '2' }, 4n, true, { [revision]: '4', [history]: '2' }],
    [
      'used again and again',
      { [revision]: '4', [history]: '2' },
      6n,
      true,
      { [revision]: '6', [history]: '2,4' },
    ],
    ['is the highest', { [revision]: '5' }, 5n, false, { [revision]: '5' }],
    [
      'beyond 2^53',
      { [revision]: '3546343826724305832' },
      3546343826724305833n,
      true,
      { [revision]: '3546343826724305833', [history]: '3546343826724305832' },
    ],
    ['old ones were deleted', { [revision]: '5' }, 3n, false, { [revision]: '5' }],
  ];
  for (const [what, before, next, changed, expected] of table) {
    const object = { metadata: { annotations: { ...before } } };
    assert.is(annotateNewReplicaSet(deployment({ replicas: 1 }), object, next, true), changed, what);
    assert.equal(object.metadata.annotations, expected, what);
  }
  assert.is(nextRevision([]), 1n);
  assert.is(nextRevision([replicaSet({ replicas: 0, annotations: { [revision]: '7' } })]), 8n);
  const beyondDoubles = replicaSet({ replicas: 0, annotations: { [revision]: '3546343826724305832' } });
  assert.is(nextRevision([beyondDoubles]), 3546343826724305833n, 'int64, not a double');
});

test('a new ReplicaSet gets the Deployment’s annotations except those that are kubectl’s or the controller’s own', () => {
  const annotations = {
    'kubernetes.io/change-cause': 'why',
    'kubectl.kubernetes.io/last-applied-configuration': '{}',
    'deployment.kubernetes.io/revision': '9',
    'deprecated.deployment.rollback.to': '1',
  };
  const object: { metadata: { annotations?: Record<string, string> } } = { metadata: {} };
  annotateNewReplicaSet(
    deployment({ replicas: 3, maxSurge: '25%', maxUnavailable: '25%', meta: { annotations } }),
    object,
    2n,
    false,
  );
  assert.equal(object.metadata.annotations, {
    'kubernetes.io/change-cause': 'why',
    'deployment.kubernetes.io/revision': '2',
    'deployment.kubernetes.io/desired-replicas': '3',
    'deployment.kubernetes.io/max-replicas': '4',
  });
});

test('the history of revisions stays below 2000 characters by dropping the oldest', () => {
  assert.is(appendHistory('', '1'), '1');
  assert.is(appendHistory('1,2', '3'), '1,2,3');
  const long = Array.from({ length: 500 }, (_, index) => 1000 + index).join(',');
  const result = appendHistory(long, '1500');
  assert.ok(result.length <= 2000, String(result.length));
  assert.ok(result.endsWith(',1499,1500') && !result.startsWith('1000,'));
});

test('the Deployment’s revision is written only when it changes', () => {
  const object = deployment({ replicas: 1 });
  assert.is(setDeploymentRevision(object, 2n), true);
  assert.is(setDeploymentRevision(object, 2n), false);
  assert.is(object.metadata.annotations?.['deployment.kubernetes.io/revision'], '2');
});

test('history clean-up: the lowest revisions beyond the limit, only settled and empty ones', () => {
  const at = (revision: number, more: object = {}) =>
    replicaSet({
      name: `r${revision}`,
      replicas: 0,
      actual: 0,
      annotations: { 'deployment.kubernetes.io/revision': String(revision) },
      ...more,
    });
  const table: [string, limit: number | undefined, ReplicaSet[], string][] = [
    ['below the limit', 3, [at(1), at(2)], ''],
    ['two too many', 1, [at(3), at(1), at(2)], 'r1 r2'],
    ['limit 0', 0, [at(2), at(1)], 'r1 r2'],
    ['one has pods: it stays and no other goes instead', 1, [at(1, { actual: 1 }), at(2), at(3)], 'r2'],
    ['one wants pods', 0, [at(1, { replicas: 1 })], ''],
    ['status is older than spec', 0, [at(1, { observed: 0 })], ''],
    [
      'one is being deleted already',
      1,
      [at(1, { meta: { deletionTimestamp: t0, annotations: {} } }), at(2)],
      '',
    ],
    ['no limit', 2 ** 31 - 1, [at(1)], ''],
  ];
  for (const [what, limit, old, expected] of table) {
    const names = surplusHistory(deployment({ replicas: 1, spec: { revisionHistoryLimit: limit } }), old);
    assert.is(names.map(({ metadata }) => metadata.name).join(' '), expected, what);
  }
});

test('a condition that changes goes to the end; one that does not keeps its place, message and times', () => {
  const status = { conditions: [] as NonNullable<ReturnType<typeof conditionIn>>[] };
  const at = (seconds: number) => t0Ms + seconds * 1000;
  setCondition(status, deploymentCondition('Available', 'True', 'A', 'a', at(0)));
  setCondition(status, deploymentCondition('Progressing', 'True', 'P', 'p', at(0)));
  setCondition(status, deploymentCondition('Available', 'True', 'A', 'another message', at(1)));
  assert.equal(
    status.conditions.map(({ type, message }) => `${type} ${message}`),
    ['Available a', 'Progressing p'],
  );
  setCondition(status, deploymentCondition('Available', 'True', 'B', 'b', at(2)));
  assert.equal(
    status.conditions.map(({ type }) => type),
    ['Progressing', 'Available'],
  );
  assert.is(conditionIn(status, 'Available')?.lastTransitionTime, t0);
  assert.is(conditionIn(status, 'Available')?.lastUpdateTime, after(2));
  setCondition(status, deploymentCondition('Progressing', 'False', 'P', 'p', at(3)));
  assert.is(conditionIn(status, 'Progressing')?.lastTransitionTime, after(3));
});

test('status: sums of what ReplicaSets report, counters of 0 absent', () => {
  const object = deployment({ replicas: 3, maxSurge: 1 });
  const old = replicaSet({ name: 'old', replicas: 2, actual: 3, ready: 3, available: 3 });
  const newest = replicaSet({ name: 'new', replicas: 2, actual: 1, available: 0 });
  const { conditions, ...counters } = statusOf(object, [old, newest], newest, t0Ms);
  assert.equal(counters, {
    observedGeneration: 1,
    replicas: 4,
    updatedReplicas: 1,
    readyReplicas: 3,
    availableReplicas: 3,
    unavailableReplicas: 1,
  });
  assert.equal(
    conditions?.map(({ type, status, reason, message }) => [type, status, reason, message]),
    [['Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.']],
  );
  const none = statusOf(object, [], undefined, t0Ms);
  assert.equal(Object.keys(none), ['observedGeneration', 'conditions']);
  assert.is(none.conditions?.[0]?.reason, 'MinimumReplicasUnavailable');
  assert.is(none.conditions?.[0]?.message, 'Deployment does not have minimum availability.');
});

test('Progressing: complete, moving on, timed out, and left alone', () => {
  const progressing = (reason: string, status = 'True', since = 0) => ({
    type: 'Progressing',
    status,
    reason,
    message: 'before',
    lastUpdateTime: after(since),
    lastTransitionTime: after(since),
  });
  interface Case {
    readonly before: object;
    readonly newest: [size: number, actual: number, available: number];
    readonly old?: [size: number, actual: number, available: number];
    readonly nowSeconds?: number;
    readonly expected: [status: string, reason: string, message: string] | 'as before';
  }
  const table: [string, Case][] = [
    [
      'all new and available',
      {
        before: {
          replicas: 3,
          updatedReplicas: 3,
          availableReplicas: 2,
          conditions: [progressing('ReplicaSetUpdated')],
        },
        newest: [3, 3, 3],
        old: [0, 0, 0],
        expected: ['True', 'NewReplicaSetAvailable', 'ReplicaSet "new" has successfully progressed.'],
      },
    ],
    [
      'one more updated',
      {
        before: { replicas: 3, conditions: [progressing('NewReplicaSetCreated')] },
        newest: [1, 1, 0],
        old: [3, 3, 3],
        expected: ['True', 'ReplicaSetUpdated', 'ReplicaSet "new" is progressing.'],
      },
    ],
    [
      'nothing moves, in time',
      {
        before: {
          replicas: 4,
          updatedReplicas: 1,
          readyReplicas: 3,
          availableReplicas: 3,
          conditions: [progressing('ReplicaSetUpdated')],
        },
        newest: [1, 1, 0],
        old: [3, 3, 3],
        nowSeconds: 600,
        expected: 'as before',
      },
    ],
    [
      'nothing moves, too late',
      {
        before: {
          replicas: 4,
          updatedReplicas: 1,
          readyReplicas: 3,
          availableReplicas: 3,
          conditions: [progressing('ReplicaSetUpdated')],
        },
        newest: [1, 1, 0],
        old: [3, 3, 3],
        nowSeconds: 600.1,
        expected: ['False', 'ProgressDeadlineExceeded', 'ReplicaSet "new" has timed out progressing.'],
      },
    ],
    [
      'progress after the timeout',
      {
        before: {
          replicas: 4,
          updatedReplicas: 1,
          readyReplicas: 3,
          availableReplicas: 3,
          conditions: [progressing('ProgressDeadlineExceeded', 'False')],
        },
        newest: [1, 1, 1],
        old: [3, 3, 3],
        nowSeconds: 900,
        expected: ['True', 'ReplicaSetUpdated', 'ReplicaSet "new" is progressing.'],
      },
    ],
    [
      'a pod lost after completion',
      {
        before: {
          replicas: 3,
          updatedReplicas: 3,
          readyReplicas: 3,
          availableReplicas: 3,
          conditions: [progressing('NewReplicaSetAvailable')],
        },
        newest: [3, 3, 2],
        old: [0, 0, 0],
        nowSeconds: 9999,
        expected: 'as before',
      },
    ],
  ];
  for (const [what, { before, newest, old = [0, 0, 0], nowSeconds = 10, expected }] of table) {
    const object = deployment({ replicas: 3, maxSurge: 1, status: before });
    const of = (name: string, [replicas, actual, available]: [number, number, number]) =>
      replicaSet({ name, replicas, actual, available });
    const newReplicaSet = of('new', newest);
    const all = [of('old', old as [number, number, number]), newReplicaSet];
    const condition = conditionIn(
      rolloutStatusOf(object, all, newReplicaSet, t0Ms + nowSeconds * 1000),
      'Progressing',
    );
    const found = [condition?.status, condition?.reason, condition?.message];
    const former = conditionIn(object.status, 'Progressing');
    assert.equal(
      found,
      expected === 'as before' ? [former?.status, former?.reason, former?.message] : expected,
      what,
    );
  }
});

test('without a deadline there is no Progressing; a ReplicaSet’s failure is shown', () => {
  const object = deployment({
    replicas: 1,
    maxSurge: 1,
    spec: { progressDeadlineSeconds: 2 ** 31 - 1 },
    status: { conditions: [deploymentCondition('Progressing', 'True', 'x', '', t0Ms)] },
  });
  const failing = replicaSet({ name: 'new', replicas: 1, actual: 0 });
  failing.status = {
    replicas: 0,
    conditions: [
      {
        type: 'ReplicaFailure',
        status: 'True',
        reason: 'FailedCreate',
        message: 'no',
        lastTransitionTime: t0,
      },
    ],
  };
  const status = rolloutStatusOf(object, [failing], failing, t0Ms);
  assert.is(conditionIn(status, 'Progressing'), undefined);
  assert.is(conditionIn(status, 'ReplicaFailure')?.message, 'no');
});

test('complete, progressed, timed out', () => {
  const object = deployment({ replicas: 3 });
  const full = { observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 3 };
  const table: [string, object, boolean][] = [
    ['all', full, true],
    ['one old left', { ...full, replicas: 4 }, false],
    ['one not updated', { ...full, updatedReplicas: 2 }, false],
    ['one not available', { ...full, availableReplicas: 2 }, false],
    ['of an older spec', { ...full, observedGeneration: 0 }, false],
  ];
  for (const [what, status, expected] of table) assert.is(isComplete(object, status), expected, what);
  assert.is(hasProgressed(full, full), false);
  assert.is(
    hasProgressed({ replicas: 4, updatedReplicas: 1 }, { replicas: 3, updatedReplicas: 1 }),
    true,
    'old ones less',
  );
  assert.is(
    hasProgressed({ replicas: 4, updatedReplicas: 2 }, { replicas: 4, updatedReplicas: 1 }),
    false,
    'backwards',
  );
  const late = {
    conditions: [deploymentCondition('Progressing', 'True', 'NewReplicaSetAvailable', '', t0Ms)],
  };
  assert.is(hasTimedOut(object, late, t0Ms + 1e9), false, 'never after completion');
});

test('a rollout is looked at again one second after its deadline, or at once when that is near', () => {
  const at = (reason: string) =>
    deployment({
      replicas: 3,
      status: { conditions: [deploymentCondition('Progressing', 'True', reason, '', t0Ms)] },
      spec: { progressDeadlineSeconds: 15 },
    });
  const table: [string, string, nowSeconds: number, expected: number | undefined][] = [
    ['in time', 'ReplicaSetUpdated', 5, 11_000],
    ['near', 'ReplicaSetUpdated', 14.5, 0],
    ['timed out already', 'ProgressDeadlineExceeded', 20, undefined],
  ];
  for (const [what, reason, nowSeconds, expected] of table) {
    assert.is(stuckCheckAfterMs(at(reason), {}, t0Ms + nowSeconds * 1000), expected, what);
  }
});

test('pause and resume in Progressing', () => {
  const at = (paused: boolean, reason?: string) =>
    deployment({
      replicas: 1,
      spec: { paused },
      status: reason ? { conditions: [deploymentCondition('Progressing', 'True', reason, '', t0Ms)] } : {},
    });
  const table: [string, ReturnType<typeof at>, string | undefined][] = [
    ['paused', at(true, 'NewReplicaSetAvailable'), 'Unknown DeploymentPaused Deployment is paused'],
    ['still paused', at(true, 'DeploymentPaused'), undefined],
    ['resumed', at(false, 'DeploymentPaused'), 'Unknown DeploymentResumed Deployment is resumed'],
    ['not paused', at(false, 'ReplicaSetUpdated'), undefined],
    ['paused after a timeout', at(true, 'ProgressDeadlineExceeded'), undefined],
  ];
  for (const [what, object, expected] of table) {
    const condition = pauseCondition(object, t0Ms);
    assert.is(condition && `${condition.status} ${condition.reason} ${condition.message}`, expected, what);
  }
});

test('template hashes: equal for equal templates, another for another collision count, in the safe alphabet', () => {
  const hash = templateHash(template('app:1'));
  assert.is(templateHash(JSON.parse(JSON.stringify(template('app:1')))), hash);
  assert.is(
    templateHash({ spec: template('app:1').spec, metadata: template('app:1').metadata }),
    hash,
    'order of fields',
  );
  assert.is.not(templateHash(template('app:2')), hash);
  assert.is.not(templateHash(template('app:1'), 1), hash);
  assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
  // apimachinery: rand.SafeEncodeString("0123456789")
  assert.is(
    safeEncode('0123456789'),
    '456789bcdf'
      .split('')
      .map((_, index) => 'bcdfghjklmnpqrstvwxz2456789'[(48 + index) % 27])
      .join(''),
  );
});

test.run();
