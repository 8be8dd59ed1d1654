import * as assert from 'uvu/assert';
import {
  type History,
  normalize,
  normalizeWithBehavior,
  rememberScale,
  scaleDownLimit,
  scaleUpLimit,
  withDefaultRules,
} from '../../emulator/controllers/hpa/behavior.ts';
import { type AutoscalerCondition, setCondition } from '../../emulator/controllers/hpa/conditions.ts';
import { evaluateMetric } from '../../emulator/controllers/hpa/metrics.ts';
import {
  defaultCalculatorOptions,
  groupPods,
  type PodMetric,
  resourceReplicas,
} from '../../emulator/controllers/hpa/replica-calculator.ts';
import { after, type PodShape, pod, t0Ms } from '../kube-objects.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: hpa');
const options = defaultCalculatorOptions;
const nowMs = t0Ms + 3600_000;
const containers = (cpu: string) => [{ name: 'app', image: 'a', resources: { requests: { cpu } } }];
/** Pods p0, p1 … that have been ready for long, with a request of 100m. */
const podsOf = (count: number, more: PodShape = {}) =>
  Array.from({ length: count }, (_, index) =>
    pod({
      name: `p${index}`,
      ready: true,
      readySince: 60,
      startTime: 0,
      spec: { containers: containers('100m') },
      ...more,
    }),
  );
const metricsOf = (...milli: (number | undefined)[]): Map<string, PodMetric> =>
  new Map(
    milli.flatMap((valueMilli, index) =>
      valueMilli === undefined ? [] : [[`p${index}`, { valueMilli, atMs: nowMs, windowMs: 15_000 }] as const],
    ),
  );
const cpu = (utilization: number) => ({ resource: 'cpu', utilization });

test('replicas by utilization, every pod with a metric', () => {
  const table: [what: string, target: number, usage: number[], replicas: number, utilization: number][] = [
    // Recorded: hpa-cycle, request 100m, target 50 %
    ['207 % of one', 50, [207], 5, 207],
    ['2 % of one', 50, [2], 1, 2],
    ['67 % of five', 50, [67, 67, 67, 67, 67], 7, 67],
    ['31 % of five', 50, [31, 31, 31, 31, 31], 4, 31],
    ['2 % of four', 50, [2, 2, 2, 2], 1, 2],
    // Tolerance 0.1
    ['just within, above', 100, [110, 110], 2, 110],
    ['just beyond, above', 100, [111, 111], 3, 111],
    ['just within, below', 100, [90, 90, 90], 3, 90],
    ['just beyond, below', 100, [80, 80, 80, 80, 80], 4, 80],
    // Σ usage × 100 / Σ requests is cut: 1.5 % of three is 1 %
    ['cut to whole percent', 50, [1, 1, 2], 1, 1],
  ];
  for (const [what, target, usage, replicas, utilization] of table) {
    const result = resourceReplicas(
      usage.length,
      cpu(target),
      podsOf(usage.length),
      metricsOf(...usage),
      nowMs,
      options,
    );
    assert.equal([result.replicas, result.utilization], [replicas, utilization], what);
  }
});

test('missing metrics and unready pods', () => {
  interface Case {
    readonly pods: PodShape[];
    readonly usage: (number | undefined)[];
    readonly target?: number;
    readonly expected: number;
  }
  const old: PodShape = { ready: true, readySince: 60, startTime: 0 };
  const starting: PodShape = { phase: 'Pending' };
  const neverReady: PodShape = { ready: false, readySince: 3590, startTime: 3580 };
  const table: [string, Case][] = [
    [
      'down: a missing pod counts as its request',
      { pods: [old, old, old], usage: [30, 30, undefined], target: 50, expected: 3 },
    ],
    [
      'down all the same',
      { pods: [old, old, old, old], usage: [10, 10, 10, undefined], target: 50, expected: 3 },
    ],
    ['up: a missing pod counts as 0', { pods: [old, old], usage: [150, undefined], target: 50, expected: 3 }],
    ['up: enough, with it at 0', { pods: [old, old], usage: [105, undefined], target: 50, expected: 2 }],
    [
      'up: pending pods count as 0',
      { pods: [old, starting, starting], usage: [150], target: 50, expected: 3 },
    ],
    ['up: as much as 4 pods need', { pods: [old, starting], usage: [200], target: 50, expected: 4 }],
    [
      'up: unready within 5 min of its start',
      { pods: [old, neverReady], usage: [150, 300], target: 50, expected: 3 },
    ],
    [
      'down: unready ones are left out',
      { pods: [old, old, neverReady], usage: [10, 10, 300], target: 50, expected: 1 },
    ],
    [
      'a target above 100 % counts for missing ones',
      { pods: [old, old], usage: [50, undefined], target: 200, expected: 2 },
    ],
    [
      'deleted and failed ones count nowhere',
      {
        pods: [old, { ...old, deleting: true }, { phase: 'Failed' }],
        usage: [100, 900, undefined],
        target: 50,
        expected: 2,
      },
    ],
  ];
  for (const [what, { pods, usage, target = 50, expected }] of table) {
    const made = pods.map((shape, index) =>
      pod({ name: `p${index}`, spec: { containers: containers('100m') }, ...shape }),
    );
    const result = resourceReplicas(pods.length, cpu(target), made, metricsOf(...usage), nowMs, options);
    assert.is(result.replicas, expected, what);
  }
});

test('which pods count: by phase, metric, start and readiness', () => {
  const seconds = (nowMs - t0Ms) / 1000;
  const table: [
    string,
    PodShape,
    metric: boolean,
    resource: string,
    'ready' | 'unready' | 'missing' | 'nowhere',
  ][] = [
    ['old and ready', { ready: true, readySince: 60, startTime: 0 }, true, 'cpu', 'ready'],
    ['no metric', { ready: true, readySince: 60, startTime: 0 }, false, 'cpu', 'missing'],
    ['pending', { phase: 'Pending' }, true, 'cpu', 'unready'],
    ['being deleted', { ready: true, deleting: true }, true, 'cpu', 'nowhere'],
    ['failed', { phase: 'Failed' }, true, 'cpu', 'nowhere'],
    [
      'young, ready for less than a window',
      { ready: true, readySince: seconds - 10, startTime: seconds - 20 },
      true,
      'cpu',
      'unready',
    ],
    [
      'young, ready for a window',
      { ready: true, readySince: seconds - 15, startTime: seconds - 20 },
      true,
      'cpu',
      'ready',
    ],
    [
      'young and not ready',
      { ready: false, readySince: seconds - 15, startTime: seconds - 20 },
      true,
      'cpu',
      'unready',
    ],
    ['old, lost readiness late', { ready: false, readySince: 60, startTime: 0 }, true, 'cpu', 'ready'],
    ['old, was never ready', { ready: false, readySince: 29, startTime: 0 }, true, 'cpu', 'unready'],
    ['no start time', { ready: true }, true, 'cpu', 'unready'],
    [
      'memory asks for no readiness',
      { ready: false, readySince: seconds, startTime: seconds },
      true,
      'memory',
      'ready',
    ],
  ];
  for (const [what, shape, metric, resource, expected] of table) {
    const groups = groupPods(
      [pod({ name: 'p0', ...shape })],
      metric ? metricsOf(1) : new Map(),
      resource,
      nowMs,
      options,
    );
    const found = groups.readyCount
      ? 'ready'
      : groups.unready.length
        ? 'unready'
        : groups.missing.length
          ? 'missing'
          : 'nowhere';
    assert.is(found, expected, what);
  }
});

test('replicas by value per pod', () => {
  const value = { resource: 'memory', averageMilli: 100_000 };
  const pods = podsOf(3);
  assert.is(
    resourceReplicas(3, value, pods, metricsOf(200_000, 200_000, 200_000), nowMs, options).replicas,
    6,
  );
  assert.is(
    resourceReplicas(3, value, pods, metricsOf(50_000, 50_000, undefined), nowMs, options).replicas,
    2,
    'missing: the target',
  );
  assert.is(
    resourceReplicas(3, value, pods, metricsOf(105_000, 100_000, 100_000), nowMs, options).replicas,
    3,
  );
});

test('what cannot be computed is said in Kubernetes’ words', () => {
  const run = (pods: ReturnType<typeof podsOf>, metrics: Map<string, PodMetric>) => () =>
    resourceReplicas(1, cpu(50), pods, metrics, nowMs, options);
  assert.throws(run([], metricsOf(1)), 'no pods returned by selector while calculating replica count');
  assert.throws(
    run(podsOf(1, { spec: { containers: [{ name: 'app', image: 'a' }] } }), metricsOf(1)),
    'missing request for cpu in container app of Pod p0',
  );
  assert.throws(
    run(podsOf(1, { phase: 'Pending' }), metricsOf(1)),
    'did not receive metrics for any ready pods',
  );
});

test('a metric’s status, name and failure', () => {
  const usage = (cpuNanocores: number) => ({
    namespace: 'default',
    name: 'p0',
    timestamp: after(3590),
    windowSeconds: 15,
    containers: [{ name: 'app', cpuNanocores, memoryBytes: 50 * 2 ** 20 }],
  });
  const input = { current: 1, pods: podsOf(1), nowMs, options };
  const metric = (target: object, name = 'cpu') => ({
    type: 'Resource',
    resource: { name, target: { type: '', ...target } },
  });
  assert.equal(
    evaluateMetric(metric({ averageUtilization: 50 }), { ...input, usage: [usage(206_500_001)] }),
    {
      ok: true,
      replicas: 5,
      name: 'cpu resource utilization (percentage of request)',
      status: {
        type: 'Resource',
        resource: { name: 'cpu', current: { averageValue: '207m', averageUtilization: 207 } },
      },
    },
  );
  const byValue = evaluateMetric(metric({ averageValue: '25Mi' }, 'memory'), { ...input, usage: [usage(0)] });
  assert.equal(byValue.ok && [byValue.replicas, byValue.name, byValue.status.resource?.current], [
    2,
    'memory resource',
    { averageValue: '52428800' },
  ]);
  // Recorded: hpa-cycle, first sync
  const none =
    'failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API';
  assert.equal(evaluateMetric(metric({ averageUtilization: 50 }), { ...input, usage: [] }), {
    ok: false,
    reason: 'FailedGetResourceMetric',
    message: none,
    error: `failed to get cpu resource metric value: ${none}`,
  });
  const container = {
    type: 'ContainerResource',
    containerResource: {
      name: 'cpu',
      container: 'app',
      target: { type: 'Utilization', averageUtilization: 50 },
    },
  };
  const ofContainer = evaluateMetric(container, { ...input, usage: [usage(100e6)] });
  assert.is(ofContainer.ok && ofContainer.name, 'cpu container resource utilization (percentage of request)');
});

const fresh = (): History => ({ recommendations: [], scaledUp: [], scaledDown: [] });

test('without a behavior: limits, doubling, and the highest of 5 minutes', () => {
  const windowMs = 300_000;
  const table: [
    what: string,
    current: number,
    wanted: number,
    max: number,
    replicas: number,
    reason: string,
    limited: string,
  ][] = [
    ['as wanted', 3, 5, 10, 5, 'DesiredWithinRange', 'False'],
    ['doubling at most', 3, 20, 30, 6, 'ScaleUpLimit', 'True'],
    ['4 at least', 1, 20, 30, 4, 'ScaleUpLimit', 'True'],
    ['maximum', 3, 20, 5, 5, 'TooManyReplicas', 'True'],
    ['minimum', 3, 1, 10, 2, 'TooFewReplicas', 'True'],
  ];
  for (const [what, current, wanted, max, replicas, reason, status] of table) {
    const result = normalize(current, wanted, { min: 2, max }, fresh(), windowMs, nowMs);
    assert.equal(
      [result.replicas, result.limited.reason, result.limited.status],
      [replicas, reason, status],
      what,
    );
  }
  const history: History = {
    ...fresh(),
    recommendations: [
      { replicas: 9, atMs: nowMs - 310_000 },
      { replicas: 5, atMs: nowMs - 290_000 },
    ],
  };
  const stabilized = normalize(6, 2, { min: 1, max: 10 }, history, windowMs, nowMs);
  assert.equal([stabilized.replicas, stabilized.ableToScale.reason], [5, 'ScaleDownStabilized']);
  assert.is(normalize(5, 2, { min: 1, max: 10 }, history, windowMs, nowMs + 20_000).replicas, 2, 'later');
});

test('with a behavior: windows, rates and who wins', () => {
  const limits = { min: 1, max: 100 };
  interface Case {
    readonly behavior: object;
    readonly current: number;
    readonly wanted: number;
    readonly recommendations?: [replicas: number, secondsAgo: number][];
    readonly up?: [change: number, secondsAgo: number][];
    readonly down?: [change: number, secondsAgo: number][];
    readonly max?: number;
    readonly expected: [replicas: number, able: string, limit: string];
  }
  const policy = (type: string, value: number, periodSeconds = 60) => ({ type, value, periodSeconds });
  const table: [string, Case][] = [
    // Recorded: hpa-cycle: no window for down, default rates: 1 → 5 is 4 pods in 15 s
    [
      '4 pods at once',
      {
        behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
        current: 1,
        wanted: 5,
        max: 5,
        expected: [5, 'ReadyForNewScale', 'DesiredWithinRange'],
      },
    ],
    [
      'the maximum',
      { behavior: {}, current: 5, wanted: 7, max: 5, expected: [5, 'ReadyForNewScale', 'TooManyReplicas'] },
    ],
    [
      'down at once without a window',
      {
        behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
        current: 5,
        wanted: 4,
        recommendations: [[7, 15]],
        expected: [4, 'ReadyForNewScale', 'DesiredWithinRange'],
      },
    ],
    [
      'down waits for the default window',
      {
        behavior: {},
        current: 5,
        wanted: 2,
        recommendations: [
          [4, 200],
          [9, 301],
        ],
        expected: [4, 'ScaleDownStabilized', 'DesiredWithinRange'],
      },
    ],
    [
      'up waits for its window',
      {
        behavior: { scaleUp: { stabilizationWindowSeconds: 60 } },
        current: 2,
        wanted: 6,
        recommendations: [[3, 30]],
        expected: [3, 'ScaleUpStabilized', 'DesiredWithinRange'],
      },
    ],
    [
      'faster than 4 pods and 100 %',
      { behavior: {}, current: 2, wanted: 50, expected: [6, 'ReadyForNewScale', 'ScaleUpLimit'] },
    ],
    [
      '100 % beats 4 pods',
      { behavior: {}, current: 10, wanted: 50, expected: [20, 'ReadyForNewScale', 'ScaleUpLimit'] },
    ],
    [
      'what was added counts',
      {
        behavior: {},
        current: 6,
        wanted: 50,
        up: [[4, 10]],
        expected: [6, 'ReadyForNewScale', 'ScaleUpLimit'],
      },
    ],
    [
      'Min',
      {
        behavior: { scaleUp: { selectPolicy: 'Min', policies: [policy('Pods', 2), policy('Percent', 100)] } },
        current: 10,
        wanted: 50,
        expected: [12, 'ReadyForNewScale', 'ScaleUpLimit'],
      },
    ],
    [
      'Disabled up',
      {
        behavior: { scaleUp: { selectPolicy: 'Disabled' } },
        current: 3,
        wanted: 9,
        expected: [3, 'ReadyForNewScale', 'ScaleUpLimit'],
      },
    ],
    [
      'Disabled down',
      {
        behavior: { scaleDown: { stabilizationWindowSeconds: 0, selectPolicy: 'Disabled' } },
        current: 3,
        wanted: 1,
        expected: [3, 'ReadyForNewScale', 'ScaleDownLimit'],
      },
    ],
    [
      '10 % down, cut',
      {
        behavior: { scaleDown: { stabilizationWindowSeconds: 0, policies: [policy('Percent', 10)] } },
        current: 5,
        wanted: 1,
        expected: [4, 'ReadyForNewScale', 'ScaleDownLimit'],
      },
    ],
    [
      '2 pods down, one gone already',
      {
        behavior: { scaleDown: { stabilizationWindowSeconds: 0, policies: [policy('Pods', 2)] } },
        current: 9,
        wanted: 1,
        down: [[1, 30]],
        expected: [8, 'ReadyForNewScale', 'ScaleDownLimit'],
      },
    ],
  ];
  for (const [what, each] of table) {
    const ago = (seconds: number) => nowMs - seconds * 1000;
    const history: History = {
      recommendations: (each.recommendations ?? []).map(([replicas, seconds]) => ({
        replicas,
        atMs: ago(seconds),
      })),
      scaledUp: (each.up ?? []).map(([change, seconds]) => ({ change, atMs: ago(seconds) })),
      scaledDown: (each.down ?? []).map(([change, seconds]) => ({ change, atMs: ago(seconds) })),
    };
    const rules = withDefaultRules(each.behavior, 300_000);
    const result = normalizeWithBehavior(
      each.current,
      each.wanted,
      { ...limits, max: each.max ?? limits.max },
      rules,
      history,
      nowMs,
    );
    assert.equal([result.replicas, result.ableToScale.reason, result.limited.reason], each.expected, what);
  }
});

test('rates count from the size at the start of their period', () => {
  const rules = withDefaultRules({}, 300_000);
  const history = { scaledUp: [{ change: 3, atMs: nowMs - 10_000 }], scaledDown: [] };
  // 5 now, 2 fifteen seconds ago: 4 pods → 6, 100 % → 4
  assert.is(scaleUpLimit(5, history, rules.up, nowMs), 6);
  assert.is(
    scaleUpLimit(5, { scaledUp: [], scaledDown: [{ change: 3, atMs: nowMs - 1 }] }, rules.up, nowMs),
    16,
    'removed ones count the other way',
  );
  assert.is(scaleDownLimit(5, history, rules.down, nowMs), 0);
});

test('rescales are remembered for the longest period of their direction', () => {
  const history: History = {
    ...fresh(),
    scaledUp: [
      { change: 1, atMs: nowMs - 16_000 },
      { change: 2, atMs: nowMs - 14_000 },
    ],
  };
  rememberScale(history, 3, 7, withDefaultRules({}, 0), nowMs);
  assert.equal(
    history.scaledUp.map(({ change }) => change),
    [2, 4],
  );
  rememberScale(history, 7, 6, withDefaultRules({}, 0), nowMs);
  assert.equal(
    history.scaledDown.map(({ change }) => change),
    [1],
  );
});

test('conditions change in place and keep their transition time while the status is the same', () => {
  const conditions: AutoscalerCondition[] = [];
  setCondition(conditions, 'AbleToScale', 'True', 'A', 'a', t0Ms);
  setCondition(conditions, 'ScalingActive', 'False', 'B', 'b', t0Ms);
  setCondition(conditions, 'AbleToScale', 'True', 'C', 'c', t0Ms + 5000);
  setCondition(conditions, 'ScalingActive', 'True', 'D', 'd', t0Ms + 5000);
  assert.equal(
    conditions.map(({ type, reason, lastTransitionTime }) => [type, reason, lastTransitionTime]),
    [
      ['AbleToScale', 'C', after(0)],
      ['ScalingActive', 'D', after(5)],
    ],
  );
});

test.run();
