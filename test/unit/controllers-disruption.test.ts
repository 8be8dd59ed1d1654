import * as assert from 'uvu/assert';
import {
  budgetStatus,
  failedBudgetStatus,
  needsScale,
  recheckAfterMs,
} from '../../emulator/controllers/disruption/budget.ts';
import { decideEviction } from '../../emulator/controllers/disruption/eviction.ts';
import { after, budget, type PodShape, pod, t0Ms } from '../kube-objects.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: disruption');
const ready: PodShape = { ready: true };
const pods = (...shapes: PodShape[]) => shapes.map((shape, index) => pod({ name: `p${index}`, ...shape }));

test('healthy, desired, allowed', () => {
  interface Case {
    readonly spec: object;
    readonly status?: object;
    readonly pods: PodShape[];
    readonly scale?: number;
    readonly expected: [
      healthy: number,
      desired: number,
      allowed: number,
      expected: number,
      disrupted: string,
    ];
  }
  const table: [string, Case][] = [
    // Recorded: node-drain-packed, minAvailable 2 of 3
    ['no pods yet', { spec: { minAvailable: 2 }, pods: [], expected: [0, 2, 0, 0, ''] }],
    ['one ready', { spec: { minAvailable: 2 }, pods: [ready, {}, {}], expected: [1, 2, 0, 3, ''] }],
    ['all ready', { spec: { minAvailable: 2 }, pods: [ready, ready, ready], expected: [3, 2, 1, 3, ''] }],
    [
      'one just evicted',
      {
        spec: { minAvailable: 2 },
        status: { disruptedPods: { p0: after(0) } },
        pods: [ready, ready, ready],
        expected: [2, 2, 0, 3, 'p0'],
      },
    ],
    [
      'it is being deleted, its replacement starts',
      {
        spec: { minAvailable: 2 },
        status: { disruptedPods: { p0: after(0) } },
        pods: [{ ...ready, deleting: true }, ready, ready, {}],
        expected: [2, 2, 0, 4, ''],
      },
    ],
    [
      'evicted 2 minutes ago and still there',
      {
        spec: { minAvailable: 2 },
        status: { disruptedPods: { p0: after(-120) } },
        pods: [ready, ready, ready],
        expected: [3, 2, 1, 3, ''],
      },
    ],
    [
      'evicted pod is gone',
      {
        spec: { minAvailable: 2 },
        status: { disruptedPods: { gone: after(0) } },
        pods: [ready, ready, ready],
        expected: [3, 2, 1, 3, ''],
      },
    ],
    [
      'percent of the scale, rounded up',
      { spec: { minAvailable: '50%' }, scale: 3, pods: [ready, ready, ready], expected: [3, 2, 1, 3, ''] },
    ],
    [
      'maxUnavailable',
      { spec: { maxUnavailable: 1 }, scale: 3, pods: [ready, ready, ready], expected: [3, 2, 1, 3, ''] },
    ],
    [
      'maxUnavailable, percent up',
      { spec: { maxUnavailable: '30%' }, scale: 3, pods: [ready, ready, ready], expected: [3, 2, 1, 3, ''] },
    ],
    [
      'maxUnavailable above the scale',
      { spec: { maxUnavailable: 5 }, scale: 3, pods: [ready, {}, {}], expected: [1, 0, 1, 3, ''] },
    ],
    ['scaled to 0', { spec: { maxUnavailable: 1 }, scale: 0, pods: [ready], expected: [1, 0, 0, 0, ''] }],
  ];
  for (const [what, each] of table) {
    const status = budgetStatus(
      { budget: budget(each.spec, each.status), pods: pods(...each.pods), expectedByScale: each.scale ?? 0 },
      t0Ms,
    );
    const found = [
      status.currentHealthy,
      status.desiredHealthy,
      status.disruptionsAllowed,
      status.expectedPods,
      Object.keys(status.disruptedPods ?? {}).join(),
    ];
    assert.equal(found, each.expected, what);
    const [condition] = status.conditions ?? [];
    const isAllowed = each.expected[2] > 0;
    assert.equal(
      [condition?.status, condition?.reason, condition?.message],
      isAllowed ? ['True', 'SufficientPods', ''] : ['False', 'InsufficientPods', ''],
      what,
    );
  }
});

test('when the expected number comes from the workloads; when to look again; when counting failed', () => {
  assert.is(needsScale(budget({ minAvailable: 2 })), false);
  assert.is(needsScale(budget({ minAvailable: '50%' })), true);
  assert.is(needsScale(budget({ maxUnavailable: 1 })), true);
  const waiting = budgetStatus(
    {
      budget: budget({ minAvailable: 0 }, { disruptedPods: { p0: after(-20) } }),
      pods: pods(ready),
      expectedByScale: 0,
    },
    t0Ms,
  );
  assert.is(recheckAfterMs(waiting, t0Ms), 100_000);
  const failed = failedBudgetStatus(budget({}, { disruptionsAllowed: 2, currentHealthy: 3 }), 'why', t0Ms);
  assert.equal(
    [
      failed.disruptionsAllowed,
      failed.currentHealthy,
      failed.conditions?.[0]?.reason,
      failed.conditions?.[0]?.message,
    ],
    [0, 3, 'SyncFailed', 'why'],
  );
});

test('evictions', () => {
  const healthy = { currentHealthy: 3, desiredHealthy: 2, disruptionsAllowed: 1, expectedPods: 3 };
  const tight = { ...healthy, currentHealthy: 2, disruptionsAllowed: 0 };
  const short = { ...healthy, currentHealthy: 1, disruptionsAllowed: 0 };
  interface Case {
    readonly pod: PodShape;
    readonly budgets: ReturnType<typeof budget>[];
    readonly expected: 'free' | 'paid' | [code: number, cause: string | undefined];
  }
  const table: [string, Case][] = [
    ['no budget', { pod: ready, budgets: [], expected: 'free' }],
    [
      'a budget for others',
      { pod: { ...ready, labels: { app: 'other' } }, budgets: [budget({}, tight)], expected: 'free' },
    ],
    ['allowed', { pod: ready, budgets: [budget({}, healthy)], expected: 'paid' }],
    [
      'not allowed',
      {
        pod: ready,
        budgets: [budget({}, tight)],
        expected: [429, 'The disruption budget app needs 2 healthy pods and has 2 currently'],
      },
    ],
    [
      'two budgets',
      { pod: ready, budgets: [budget({}, healthy), budget({}, healthy)], expected: [500, undefined] },
    ],
    [
      'pending',
      { pod: { phase: 'Pending' }, budgets: [budget({}, tight), budget({}, tight)], expected: 'free' },
    ],
    ['ended', { pod: { phase: 'Succeeded' }, budgets: [budget({}, tight)], expected: 'free' }],
    ['being deleted', { pod: { ...ready, deleting: true }, budgets: [budget({}, tight)], expected: 'free' }],
    ['unready, the others suffice', { pod: {}, budgets: [budget({}, tight)], expected: 'free' }],
    [
      'unready, too few others',
      {
        pod: {},
        budgets: [budget({}, short)],
        expected: [429, 'The disruption budget app needs 2 healthy pods and has 1 currently'],
      },
    ],
    [
      'unready, always allowed',
      { pod: {}, budgets: [budget({ unhealthyPodEvictionPolicy: 'AlwaysAllow' }, short)], expected: 'free' },
    ],
    [
      'unready, IfHealthyBudget',
      {
        pod: {},
        budgets: [budget({ unhealthyPodEvictionPolicy: 'IfHealthyBudget' }, short)],
        expected: [429, 'The disruption budget app needs 2 healthy pods and has 1 currently'],
      },
    ],
    [
      'unready, nothing is wanted: the budget pays',
      { pod: {}, budgets: [budget({}, { ...healthy, desiredHealthy: 0 })], expected: 'paid' },
    ],
    [
      'status is older than spec',
      {
        pod: ready,
        budgets: [budget({}, { ...healthy, observedGeneration: 0 })],
        expected: [429, 'The disruption budget app is still being processed by the server.'],
      },
    ],
  ];
  for (const [what, { pod: shape, budgets, expected }] of table) {
    const decision = decideEviction(pod({ name: 'p0', ...shape }), budgets, t0Ms);
    if (typeof expected === 'string') {
      assert.is(decision.allow && (decision.budgetStatus ? 'paid' : 'free'), expected, what);
      continue;
    }
    assert.not.ok(decision.allow, what);
    if (decision.allow) continue;
    const causes = (decision.error.details?.causes ?? []) as { message: string }[];
    assert.equal([decision.error.code, causes[0]?.message], expected, what);
    if (expected[0] === 429) {
      assert.is(decision.error.message, "Cannot evict pod as it would violate the pod's disruption budget.");
    }
  }
});

test('what an eviction costs', () => {
  const before = budget({}, { currentHealthy: 3, desiredHealthy: 2, disruptionsAllowed: 1, expectedPods: 3 });
  const decision = decideEviction(pod({ name: 'p0', ...ready }), [before], t0Ms);
  assert.ok(decision.allow && decision.budgetStatus);
  if (!decision.allow || !decision.budgetStatus) return;
  const { disruptionsAllowed, disruptedPods, conditions, currentHealthy } = decision.budgetStatus;
  // Recorded: node-drain-packed: currentHealthy stays, the condition turns with the last one allowed
  assert.equal([disruptionsAllowed, currentHealthy, disruptedPods], [0, 3, { p0: after(0) }]);
  assert.equal([conditions?.[0]?.status, conditions?.[0]?.reason], ['False', 'InsufficientPods']);
});

test.run();
