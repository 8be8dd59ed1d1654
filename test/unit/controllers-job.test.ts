import * as assert from 'uvu/assert';
import {
  assignIndex,
  formatIndexes,
  indexKey,
  missingIndexes,
  parseIndexes,
} from '../../emulator/controllers/job/indexes.ts';
import { outcomeOf, tallyOf, trackingFinalizer, wantedActive } from '../../emulator/controllers/job/tally.ts';
import { after, job, type PodShape, pod, t0Ms } from '../kube-objects.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: job');
const tracked = (shape: PodShape, index?: number) =>
  pod({
    ...shape,
    meta: {
      finalizers: [trackingFinalizer],
      annotations: index === undefined ? undefined : { [indexKey]: String(index) },
    },
  });

test('indexes as text', () => {
  const table: [number[], string][] = [
    [[], ''],
    [[3], '3'],
    [[0, 1], '0,1'],
    [[0, 2, 3, 4, 6, 7], '0,2-4,6,7'],
    [[5, 4, 3], '3-5'],
  ];
  for (const [indexes, text] of table) {
    assert.is(formatIndexes(indexes), text);
    assert.equal(
      [...parseIndexes(text)],
      [...indexes].sort((a, b) => a - b),
      text,
    );
  }
  assert.equal(missingIndexes(2, 5, new Set([0, 2])), [1, 3]);
  assert.equal(missingIndexes(9, 3, new Set([1])), [0, 2]);
});

test('a pod for an index is told which one', () => {
  const draft = {
    metadata: { labels: { a: 'b' } },
    spec: { containers: [{ name: 'c', image: 'i', env: [{ name: 'X', value: '1' }] }] },
  };
  assignIndex(draft, 'load', 3);
  assert.equal(draft.metadata as object, {
    generateName: 'load-3-',
    labels: { a: 'b', [indexKey]: '3' },
    annotations: { [indexKey]: '3' },
  });
  assert.is((draft.spec as { hostname?: string }).hostname, 'load-3');
  assert.equal(draft.spec.containers[0]?.env.at(-1) as object, {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: `metadata.labels['${indexKey}']` } },
  });
});

test('what pods add up to', () => {
  interface Case {
    readonly spec?: object;
    readonly status?: object;
    readonly pods: ReturnType<typeof pod>[];
    readonly expected: [active: number, succeeded: number, failed: number, counted: number];
  }
  const indexed = { completionMode: 'Indexed', completions: 3, parallelism: 3 };
  const table: [string, Case][] = [
    ['running', { pods: [tracked({})], expected: [1, 0, 0, 0] }],
    [
      'ended',
      { pods: [tracked({ phase: 'Succeeded' }), tracked({ phase: 'Failed' })], expected: [0, 1, 1, 2] },
    ],
    [
      'counted before',
      {
        status: { succeeded: 2, failed: 1 },
        pods: [pod({ phase: 'Succeeded' }), tracked({ phase: 'Succeeded' })],
        expected: [0, 3, 1, 1],
      },
    ],
    ['deleted before its end: failed', { pods: [tracked({ deleting: true })], expected: [0, 0, 1, 1] }],
    [
      'deleted, to be replaced only when ended',
      {
        spec: { podReplacementPolicy: 'Failed' },
        pods: [tracked({ deleting: true })],
        expected: [0, 0, 0, 0],
      },
    ],
    [
      'an index counts once',
      {
        spec: indexed,
        status: { completedIndexes: '0' },
        pods: [tracked({ phase: 'Succeeded' }, 0), tracked({ phase: 'Succeeded' }, 2)],
        expected: [0, 2, 0, 2],
      },
    ],
    [
      'an index beyond completions',
      { spec: indexed, pods: [tracked({ phase: 'Succeeded' }, 7)], expected: [0, 0, 0, 1] },
    ],
  ];
  for (const [what, { spec, status, pods, expected }] of table) {
    const tally = tallyOf(job(spec, status), pods);
    assert.equal([tally.active.length, tally.succeeded, tally.failed, tally.counted.length], expected, what);
  }
});

test('how it ends', () => {
  interface Case {
    readonly spec?: object;
    readonly status?: object;
    readonly pods?: ReturnType<typeof pod>[];
    readonly nowSeconds?: number;
    readonly expected: string | undefined;
  }
  const ended = (phase: string, count: number) => Array.from({ length: count }, () => tracked({ phase }));
  const table: [string, Case][] = [
    ['nothing yet', { expected: undefined }],
    [
      'complete',
      {
        pods: ended('Succeeded', 1),
        expected: 'Complete CompletionsReached Reached expected number of succeeded pods',
      },
    ],
    [
      'enough, but one still runs',
      {
        spec: { completions: 1, parallelism: 2 },
        pods: [...ended('Succeeded', 1), tracked({})],
        expected: undefined,
      },
    ],
    [
      'without completions: one succeeded, none runs',
      {
        spec: { completions: undefined, parallelism: 3 },
        pods: ended('Succeeded', 2),
        expected: 'Complete CompletionsReached Reached expected number of succeeded pods',
      },
    ],
    [
      'failures up to the limit',
      { spec: { backoffLimit: 2 }, pods: ended('Failed', 2), expected: undefined },
    ],
    [
      'one more',
      {
        spec: { backoffLimit: 2 },
        pods: ended('Failed', 3),
        expected: 'Failed BackoffLimitExceeded Job has reached the specified backoff limit',
      },
    ],
    [
      'deadline',
      {
        spec: { activeDeadlineSeconds: 10 },
        status: { startTime: after(0) },
        nowSeconds: 10,
        pods: [tracked({})],
        expected: 'Failed DeadlineExceeded Job was active longer than specified deadline',
      },
    ],
    [
      'before the deadline',
      {
        spec: { activeDeadlineSeconds: 10 },
        status: { startTime: after(0) },
        nowSeconds: 9,
        pods: [tracked({})],
        expected: undefined,
      },
    ],
  ];
  for (const [what, { spec, status, pods = [], nowSeconds = 0, expected }] of table) {
    const object = job(spec, status);
    const outcome = outcomeOf(object, tallyOf(object, pods), t0Ms + nowSeconds * 1000);
    assert.is(outcome && `${outcome.type} ${outcome.reason} ${outcome.message}`, expected, what);
  }
});

test('how many should be active', () => {
  const table: [string, object, pods: ReturnType<typeof pod>[], number][] = [
    ['parallelism', { completions: 10, parallelism: 3 }, [], 3],
    ['not more than are left', { completions: 2, parallelism: 3 }, [tracked({ phase: 'Succeeded' })], 1],
    ['suspended', { completions: 10, parallelism: 3, suspend: true }, [tracked({})], 0],
    ['a work queue', { completions: undefined, parallelism: 3 }, [], 3],
    [
      'a work queue winding down',
      { completions: undefined, parallelism: 3 },
      [tracked({ phase: 'Succeeded' }), tracked({})],
      1,
    ],
  ];
  for (const [what, spec, pods, expected] of table) {
    const object = job(spec);
    assert.is(wantedActive(object, tallyOf(object, pods)), expected, what);
  }
});

test.run();
