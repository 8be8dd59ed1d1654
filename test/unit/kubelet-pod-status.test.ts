import * as assert from 'uvu/assert';
import type { Pod } from '../../emulator/api/types.ts';
import type { RunSnapshot, RuntimeSnapshot } from '../../emulator/node/pod-runtime.ts';
import {
  isToBeStarted,
  type PodStatus,
  podStatus,
  type StartFailure,
} from '../../emulator/node/pod-status.ts';
import { suite } from '../suite.ts';

const test = suite('kubelet pod status');
const nowMs = Date.UTC(2026, 0, 1, 12);

function podWith(spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', uid: 'u', generation: 1, ...metadata },
    spec: { containers: [{ name: 'app', image: 'x:1' }], restartPolicy: 'Always', ...spec },
  } as unknown as Pod;
}

function run(state: RunSnapshot['state'], over: Partial<RunSnapshot> = {}): RunSnapshot {
  return {
    container: 'app',
    id: 'a1',
    attempt: 0,
    image: 'x:1',
    state,
    startedAtMs: nowMs - 5000,
    finishedAtMs: nowMs - 1000,
    finishedMs: 0,
    exitCode: 0,
    reason: 'Completed',
    message: undefined,
    ...over,
  };
}

interface Case {
  readonly pod?: Pod;
  readonly runs?: readonly RunSnapshot[];
  readonly sandbox?: boolean;
  readonly ready?: boolean;
  readonly terminal?: boolean;
  readonly failure?: StartFailure;
  readonly old?: PodStatus;
}

function decide({
  pod = podWith(),
  runs = [],
  sandbox = true,
  ready = false,
  terminal = false,
  ...rest
}: Case) {
  const snapshot: RuntimeSnapshot = {
    sandboxReady: sandbox,
    podIP: sandbox ? '127.16.16.1' : undefined,
    runs,
  };
  return podStatus({
    pod,
    snapshot,
    old: rest.old ?? {},
    hostIP: '127.16.0.11',
    podIsTerminal: terminal,
    failureOf: () => rest.failure,
    probed: (statuses) => {
      for (const status of statuses) {
        if (!status.state?.running) continue;
        status.started = true;
        status.ready = ready;
      }
    },
    nowMs,
  });
}

const shown = (status: PodStatus): string =>
  [
    status.phase,
    ...(status.conditions ?? []).map(
      ({ type, status: value, reason }) => `${type}=${value}${reason ? `(${reason})` : ''}`,
    ),
    ...(status.containerStatuses ?? []).map(({ state, restartCount }) => {
      const [kind, detail] = Object.entries(state ?? {})[0] ?? ['', {}];
      const { reason, exitCode } = detail as { reason?: string; exitCode?: number };
      return [kind, reason, exitCode, `restarts ${restartCount}`]
        .filter((part) => part !== undefined)
        .join(' ');
    }),
  ].join(' ');

const crashed = { exitCode: 1, reason: 'Error' };
const notReady =
  'Ready=False(ContainersNotReady) ContainersReady=False(ContainersNotReady) PodScheduled=True';
const cases: readonly [string, Case, string][] = [
  [
    'before the sandbox',
    { sandbox: false },
    `Pending PodReadyToStartContainers=False Initialized=True ${notReady} waiting ContainerCreating restarts 0`,
  ],
  [
    'running, not probed yet',
    { runs: [run('running')] },
    `Running PodReadyToStartContainers=True Initialized=True ${notReady} running restarts 0`,
  ],
  [
    'ready',
    { runs: [run('running')], ready: true },
    'Running PodReadyToStartContainers=True Initialized=True Ready=True ContainersReady=True PodScheduled=True running restarts 0',
  ],
  [
    'crashed, to be restarted',
    { runs: [run('exited', crashed)] },
    `Running PodReadyToStartContainers=True Initialized=True ${notReady} terminated Error 1 restarts 0`,
  ],
  [
    'in back-off after the second crash',
    {
      runs: [run('exited', { ...crashed, attempt: 1, id: 'a2' }), run('exited', crashed)],
      failure: { reason: 'CrashLoopBackOff', message: 'back-off 10s' },
    },
    `Running PodReadyToStartContainers=True Initialized=True ${notReady} waiting CrashLoopBackOff restarts 1`,
  ],
  [
    'no image',
    { failure: { reason: 'ErrImagePull', message: 'not found' } },
    `Pending PodReadyToStartContainers=True Initialized=True ${notReady} waiting ErrImagePull restarts 0`,
  ],
  [
    'no image, deleted: the failure is forgotten',
    {
      pod: podWith({}, { deletionTimestamp: '2026-01-01T12:00:30Z' }),
      failure: { reason: 'ErrImagePull', message: 'not found' },
    },
    `Pending PodReadyToStartContainers=True Initialized=True ${notReady} waiting ContainerCreating restarts 0`,
  ],
  [
    'stopped for good, exit 0',
    { runs: [run('exited')], sandbox: false, terminal: true },
    'Succeeded PodReadyToStartContainers=False Initialized=True(PodCompleted) Ready=False(PodCompleted) ContainersReady=False(PodCompleted) PodScheduled=True terminated Completed 0 restarts 0',
  ],
  [
    'stopped for good, killed',
    { runs: [run('exited', { exitCode: 137, reason: 'Error' })], sandbox: false, terminal: true },
    'Failed PodReadyToStartContainers=False Initialized=True Ready=False(PodFailed) ContainersReady=False(PodFailed) PodScheduled=True terminated Error 137 restarts 0',
  ],
  [
    'job, done',
    { pod: podWith({ restartPolicy: 'Never' }), runs: [run('exited')] },
    'Succeeded PodReadyToStartContainers=True Initialized=True(PodCompleted) Ready=False(PodCompleted) ContainersReady=False(PodCompleted) PodScheduled=True terminated Completed 0 restarts 0',
  ],
  [
    'job that restarts on failure, failed',
    { pod: podWith({ restartPolicy: 'OnFailure' }), runs: [run('exited', crashed)] },
    `Running PodReadyToStartContainers=True Initialized=True ${notReady} terminated Error 1 restarts 0`,
  ],
];
for (const [name, given, expected] of cases) {
  test(name, () => assert.is(shown(decide(given)), expected));
}

test('the message names the containers that are not ready', () => {
  const pod = podWith({
    containers: [
      { name: 'app', image: 'x:1' },
      { name: 'side', image: 'y:1' },
    ],
  });
  const status = decide({ pod, runs: [run('running')] });
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  assert.is(ready?.message, 'containers with unready status: [app side]');
});

test('a readiness gate holds Ready back', () => {
  const pod = podWith({ readinessGates: [{ conditionType: 'example.com/ok' }] });
  const status = decide({ pod, runs: [run('running')], ready: true });
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  assert.is(ready?.reason, 'ReadinessGatesNotReady');
  assert.is(ready?.message, 'corresponding condition of pod readiness gate "example.com/ok" does not exist.');
});

test('conditions of others stay, before the own ones; times change with the status alone', () => {
  const pod = podWith();
  const first = decide({ pod, runs: [run('running')], ready: true });
  const evicted = {
    ...pod,
    status: {
      ...first,
      conditions: [
        ...(first.conditions ?? []).map((condition) => ({
          ...condition,
          lastTransitionTime: '2025-01-01T00:00:00Z',
        })),
        { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' },
      ],
    },
  } as Pod;
  const status = decide({
    pod: evicted,
    runs: [run('running')],
    ready: false,
    old: evicted.status as PodStatus,
  });
  assert.equal(
    status.conditions?.map(({ type, lastTransitionTime }) => `${type} ${lastTransitionTime}`),
    [
      'DisruptionTarget undefined',
      'PodReadyToStartContainers 2025-01-01T00:00:00Z',
      'Initialized 2025-01-01T00:00:00Z',
      'Ready 2026-01-01T12:00:00Z',
      'ContainersReady 2026-01-01T12:00:00Z',
      'PodScheduled 2025-01-01T00:00:00Z',
    ],
  );
});

const restarts: readonly [string, string, RunSnapshot | undefined, boolean][] = [
  ['Always', 'never ran', undefined, true],
  ['Always', 'runs', run('running'), false],
  ['Always', 'exit 0', run('exited'), true],
  ['OnFailure', 'exit 0', run('exited'), false],
  ['OnFailure', 'exit 1', run('exited', crashed), true],
  ['Never', 'exit 1', run('exited', crashed), false],
];
for (const [restartPolicy, name, latest, expected] of restarts) {
  test(`restart policy ${restartPolicy}, ${name}: ${expected ? 'start' : 'leave'}`, () => {
    assert.is(isToBeStarted(podWith({ restartPolicy }), latest, { name: 'app' }), expected);
  });
}

test.run();
