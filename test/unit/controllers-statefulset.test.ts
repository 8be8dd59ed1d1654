// StatefulSet: what is done next, ordered and parallel, and which claims belong to whom. CronJob: when it is due.
import * as assert from 'uvu/assert';
import type { Pod, StatefulSet } from '../../emulator/api/types.ts';
import { createFieldErrors } from '../../emulator/api/validation/field.ts';
import { validateStatefulSet } from '../../emulator/api/validation/more-workloads.ts';
import { parseSchedule } from '../../emulator/controllers/cronjob/schedule.ts';
import { claimDrafts, ownersOfClaim } from '../../emulator/controllers/statefulset/claims.ts';
import { identify } from '../../emulator/controllers/statefulset/identity.ts';
import { planStep } from '../../emulator/controllers/statefulset/plan.ts';
import type { Revision } from '../../emulator/controllers/statefulset/revisions.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: statefulset, cronjob');

const metadata = (name: string) => ({
  name,
  namespace: 'default',
  uid: name,
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
});

function setOf(spec: Partial<NonNullable<StatefulSet['spec']>> = {}): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: metadata('web'),
    spec: {
      replicas: 3,
      serviceName: 'web',
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a' }] } },
      ...spec,
    },
  };
}

const revisionOf = (name: string): Revision => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: metadata(name),
  revision: 1,
});

type State = 'ready' | 'starting' | 'ending' | 'failed';

function podOf(set: StatefulSet, ordinal: number, revision: string, state: State): Pod {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata(`web-${ordinal}`), labels: { 'controller-revision-hash': revision } },
    spec: { containers: [{ name: 'a' }] },
    status: {
      phase: state === 'failed' ? 'Failed' : 'Running',
      conditions: [
        {
          type: 'Ready',
          status: state === 'ready' ? 'True' : 'False',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
  };
  if (state === 'ending') pod.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  identify(pod, set);
  return pod;
}

test('the next step', () => {
  const rows: [
    what: string,
    spec: Partial<NonNullable<StatefulSet['spec']>>,
    pods: [ordinal: number, revision: string, state: State][],
    expected: string[],
  ][] = [
    ['nothing yet: the first alone', {}, [], ['create 0 update']],
    ['the one below is not ready', {}, [[0, 'new', 'starting']], []],
    ['the one below is ready', {}, [[0, 'new', 'ready']], ['create 1 update']],
    [
      'parallel: all at once',
      { podManagementPolicy: 'Parallel' },
      [[1, 'new', 'starting']],
      ['create 0 update', 'create 2 update'],
    ],
    ['an ended pod makes room', {}, [[0, 'new', 'failed']], ['delete web-0']],
    [
      'scaled down: from above, one by one',
      { replicas: 1 },
      [
        [0, 'new', 'ready'],
        [1, 'new', 'ready'],
        [2, 'new', 'ready'],
      ],
      ['delete web-2'],
    ],
    [
      'scaled down: not while one is ending',
      { replicas: 1 },
      [
        [0, 'new', 'ready'],
        [1, 'new', 'ready'],
        [2, 'new', 'ending'],
      ],
      [],
    ],
    [
      'a new template: from above',
      {},
      [
        [0, 'old', 'ready'],
        [1, 'old', 'ready'],
        [2, 'old', 'ready'],
      ],
      ['delete web-2'],
    ],
    [
      'the next only when the last is healthy',
      { podManagementPolicy: 'Parallel' },
      [
        [0, 'old', 'ready'],
        [1, 'old', 'ready'],
        [2, 'new', 'starting'],
      ],
      [],
    ],
    [
      'not below the partition',
      { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
      [
        [0, 'old', 'ready'],
        [1, 'old', 'ready'],
        [2, 'new', 'ready'],
      ],
      [],
    ],
    [
      'below the partition pods come back as they were',
      { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
      [[0, 'old', 'ready']],
      ['create 1 current'],
    ],
    [
      'OnDelete leaves them',
      { updateStrategy: { type: 'OnDelete' } },
      [
        [0, 'old', 'ready'],
        [1, 'old', 'ready'],
        [2, 'old', 'ready'],
      ],
      [],
    ],
    ['ordinals may start above 0', { ordinals: { start: 5 } }, [[5, 'new', 'ready']], ['create 6 update']],
  ];
  for (const [what, spec, pods, expected] of rows) {
    const set = setOf(spec);
    const steps = planStep({
      set,
      pods: pods.map(([ordinal, revision, state]) => podOf(set, ordinal, revision, state)),
      current: revisionOf('old'),
      update: revisionOf('new'),
      nowMs: Date.parse('2026-01-01T01:00:00Z'),
    });
    const shown = steps.map((step) =>
      step.type === 'create'
        ? `create ${step.ordinal} ${step.revision}`
        : `${step.type} ${step.pod.metadata.name}`,
    );
    assert.equal(shown, expected, what);
  }
});

test('claims carry template, set and ordinal in their names', () => {
  const set = setOf({
    volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
  });
  const [claim] = claimDrafts(set, 2);
  assert.is(claim?.metadata.name, 'data-web-2');
  assert.is(claim?.metadata.ownerReferences, undefined);
});

test('who a claim goes with: the set, a pod that is scaled away, or nobody', () => {
  const own = (kind: string, name: string, uid = name) => ({
    apiVersion: kind === 'StatefulSet' ? 'apps/v1' : 'v1',
    kind,
    name,
    uid,
    controller: kind !== 'ConfigMap',
    ...(kind === 'ConfigMap' ? {} : { blockOwnerDeletion: true }),
  });
  const [ofSet, ofPod, other] = [own('StatefulSet', 'web'), own('Pod', 'web-2'), own('ConfigMap', 'any')];
  type Policy = { whenDeleted?: string; whenScaled?: string };
  const rows: [
    what: string,
    policy: Policy,
    scaledAway: boolean,
    before: object[],
    after: object[] | undefined,
  ][] = [
    ['kept', {}, false, [], undefined],
    ['kept, though scaled away', {}, true, [], undefined],
    ['with the set', { whenDeleted: 'Delete' }, false, [], [ofSet]],
    ['with the set already', { whenDeleted: 'Delete' }, false, [ofSet], undefined],
    ['the policy was taken back', {}, false, [ofSet], []],
    ['with a pod that is scaled away', { whenScaled: 'Delete' }, true, [], [ofPod]],
    ['the pod came back', { whenScaled: 'Delete' }, false, [ofPod], []],
    ['the pod instead of the set', { whenDeleted: 'Delete', whenScaled: 'Delete' }, true, [ofSet], [ofPod]],
    ['beside one that controls nothing', { whenDeleted: 'Delete' }, false, [other], [other, ofSet]],
    [
      'another controller has it',
      { whenDeleted: 'Delete', whenScaled: 'Delete' },
      true,
      [own('Job', 'x')],
      undefined,
    ],
    [
      'an earlier set of this name has it',
      { whenDeleted: 'Delete' },
      false,
      [own('StatefulSet', 'web', 'old')],
      undefined,
    ],
  ];
  for (const [what, persistentVolumeClaimRetentionPolicy, scaledAway, ownerReferences, after] of rows) {
    const set = setOf({ persistentVolumeClaimRetentionPolicy } as never);
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { ...metadata('data-web-2'), ownerReferences },
    };
    assert.equal(ownersOfClaim(set, podOf(set, 2, 'new', 'ready'), claim as never, scaledAway), after, what);
  }
});

test('a container may mount what the set claims for its pods, and nothing that nobody names', () => {
  const mounting = (volume: string) => {
    const set = setOf({
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
    });
    const [container] = set.spec?.template.spec?.containers ?? [];
    if (container) container.volumeMounts = [{ name: volume, mountPath: '/data' }];
    const errors = createFieldErrors();
    validateStatefulSet(errors, set, undefined);
    return errors.causes.filter(({ reason }) => reason === 'FieldValueNotFound').map(({ field }) => field);
  };
  assert.equal(mounting('data'), []);
  assert.equal(mounting('logs'), ['spec.template.spec.containers[0].volumeMounts[0].name']);
});

test('when a CronJob is due next', () => {
  const rows: [schedule: string, after: string, expected: string, timeZone?: string][] = [
    ['*/5 * * * *', '2026-03-01T10:02:30Z', '2026-03-01T10:05:00.000Z'],
    ['0 3 * * *', '2026-03-01T03:00:00Z', '2026-03-02T03:00:00.000Z'],
    ['30 2 1 * *', '2026-12-15T00:00:00Z', '2027-01-01T02:30:00.000Z'],
    ['0 0 29 feb *', '2026-03-01T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['0 12 * * mon-fri', '2026-11-27T13:00:00Z', '2026-11-30T12:00:00.000Z'],
    ['0 0 13 * 5', '2026-03-01T00:00:00Z', '2026-03-06T00:00:00.000Z'],
    ['@hourly', '2026-03-01T10:59:59Z', '2026-03-01T11:00:00.000Z'],
    ['0 8 * * *', '2026-07-01T00:00:00Z', '2026-07-01T06:00:00.000Z', 'Europe/Berlin'],
    ['@every 1h30m', '2026-03-01T10:00:00Z', '2026-03-01T11:30:00.000Z'],
  ];
  for (const [schedule, after, expected, timeZone] of rows) {
    const next = parseSchedule(schedule, timeZone).next(Date.parse(after));
    assert.is(next && new Date(next).toISOString(), expected, schedule);
  }
  for (const wrong of ['* * * *', '61 * * * *', '* * * * foo', '5-1 * * * *', '*/0 * * * *', '@every soon']) {
    assert.throws(() => parseSchedule(wrong), undefined, wrong);
  }
});

test.run();
