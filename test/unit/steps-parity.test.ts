// The parts of the comparison with kubectl: the twin, what two Deployments have in common, where values differ; and what
// `kubectl apply` takes away.
import * as assert from 'uvu/assert';
import { label } from '../../harness/model/manifest.ts';
import { compareValues } from '../../harness/steps/parity/differences.ts';
import { normalForm, type OwnedObject } from '../../harness/steps/parity/normal-form.ts';
import { twinName, twinOf, unmarked } from '../../harness/steps/parity/twin.ts';
import { withDeletions } from '../../harness/steps/three-way.ts';
import { suite } from '../suite.ts';

const test = suite('kubectl parity');

const deployment = (name = 'web', app = 'web', role = 'target') => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name,
    namespace: 'ns',
    uid: `uid-of-${name}`,
    resourceVersion: '7',
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: { app, [label.run]: 'r1', [label.role]: role },
    annotations: { 'deployment.kubernetes.io/revision': '1', owner: 'a' },
  },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app } },
    template: {
      metadata: { labels: { app, [label.role]: role } },
      spec: { containers: [{ name: 'app', env: [{ name: 'KEY', value: 'private' }] }] },
    },
  },
  status: { replicas: 2 },
});

test('the twin is the same but for its name and labels, and carries nothing of the cluster’s', () => {
  const twin = twinOf(deployment());
  assert.equal(twin.metadata, {
    name: twinName('web'),
    namespace: 'ns',
    labels: { app: 'web-kubectl-twin', [label.run]: 'r1', [label.role]: 'twin' },
    annotations: { owner: 'a' },
  });
  const spec = twin.spec as ReturnType<typeof deployment>['spec'];
  assert.is(spec.selector.matchLabels.app, 'web-kubectl-twin');
  assert.is(spec.template.metadata.labels.app, 'web-kubectl-twin');
  assert.equal(spec.template.spec, deployment().spec.template.spec);
  assert.is(twin.status, undefined);
  assert.equal(unmarked(spec.selector), deployment().spec.selector);
});

function replicaSet(owner: string, hash: string, revision: string, app = 'web'): OwnedObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${owner}-${hash}`,
      uid: `uid-of-${owner}-${hash}`,
      labels: { app, 'pod-template-hash': hash },
      annotations: { 'deployment.kubernetes.io/revision': revision },
      ownerReferences: [{ uid: `uid-of-${owner}`, controller: true }],
    },
    spec: { replicas: 2 },
  };
}

test('identities, times and made-up names are the same in the normal form', () => {
  const pair = (name: string, hash: string, at: string, app: string, role: string) => {
    const owner = deployment(name, app, role) as unknown as OwnedObject;
    owner.metadata.annotations = {
      ...owner.metadata.annotations,
      'kubectl.kubernetes.io/last-applied-configuration': `{"metadata":{"name":"${name}"},"spec":{}}\n`,
    };
    owner.metadata.managedFields = [
      { manager: 'kubectl-set', operation: 'Update', fieldsV1: { [`k:{"uid":"uid-of-${name}"}`]: {} } },
    ];
    const conditions = [
      {
        type: 'Progressing',
        lastUpdateTime: at,
        message: `ReplicaSet "${name}-${hash}" has successfully progressed.`,
      },
      { type: 'Available', lastUpdateTime: at },
    ];
    owner.status = { conditions: role === 'twin' ? conditions.toReversed() : conditions };
    return normalForm(
      ...([owner, [replicaSet(name, hash, '2', app), replicaSet('other', 'x', '1')]] as const),
    );
  };
  const ours = pair('web', 'abc', '2026-01-01T00:00:00Z', 'web', 'target');
  const theirs = pair(twinName('web'), 'xyz', '2026-02-02T10:00:00+02:00', 'web-kubectl-twin', 'twin');
  const { compared, differences } = compareValues(ours, unmarked(theirs));
  assert.equal(differences, []);
  assert.ok(compared > 20, String(compared));
  assert.match(JSON.stringify(ours), /ReplicaSet \\"web-\(hash of revision 2\)\\" has successfully/);
  assert.not.match(JSON.stringify(ours), /uid-of|other/);
});

const differing: readonly [what: string, change: (object: OwnedObject) => void, expected: RegExp][] = [
  [
    'a field',
    (o) => Object.assign(o.spec as object, { paused: true }),
    /^Deployment\.spec\.paused: ours true, kubectl's missing$/,
  ],
  [
    'a revision’s number',
    (o) => Object.assign(o.metadata.annotations as object, { 'deployment.kubernetes.io/revision': '3' }),
    /annotations\["deployment\.kubernetes\.io\/revision"\]: ours "3", kubectl's "1"$/,
  ],
  [
    'who wrote a field',
    (o) =>
      Object.assign(o.metadata, { managedFields: [{ manager: 'me', operation: 'Update', fieldsV1: {} }] }),
    /^Deployment\.managers\["me Update"\]: ours \{\}, kubectl's missing$/,
  ],
  [
    'the format of a time',
    (o) => Object.assign(o.metadata.annotations as object, { restartedAt: 'Mon Jan 1' }),
    /restartedAt: ours "Mon Jan 1", kubectl's missing$/,
  ],
];
for (const [what, change, expected] of differing) {
  test(`a difference is found: ${what}`, () => {
    const changed = deployment() as unknown as OwnedObject;
    change(changed);
    const plain = normalForm(deployment() as unknown as OwnedObject, []);
    const { differences } = compareValues(normalForm(changed, []), plain);
    assert.is(differences.length, 1, differences.join('\n'));
    assert.match(differences[0] as string, expected);
  });
}

test('a missing ReplicaSet and a missing list item are differences; values of variables are not shown', () => {
  const one = normalForm(deployment() as unknown as OwnedObject, [replicaSet('web', 'a', '1')]);
  const none = normalForm(deployment() as unknown as OwnedObject, []);
  assert.match(
    compareValues(one, none).differences.join(),
    /ReplicaSets\["revision 1"\]: ours \{.*…, kubectl's missing/,
  );
  const other = deployment();
  (other.spec.template.spec.containers[0] as { env: object[] }).env = [
    { name: 'KEY', value: 'changed' },
    { name: 'MORE', value: 'secret' },
  ];
  const { differences } = compareValues(deployment(), other);
  assert.equal(differences, [
    "spec.template.spec.containers[0].env[0].value: ours (not shown), kubectl's (not shown)",
    "spec.template.spec.containers[0].env[1]: ours missing, kubectl's (not shown)",
  ]);
});

test('apply takes away what only the last applied manifest had', () => {
  const table: [what: string, original: object, modified: object, patch: object][] = [
    ['nothing', { spec: { replicas: 1 } }, { spec: { replicas: 2 } }, { spec: { replicas: 2 } }],
    [
      'a field',
      { spec: { replicas: 1, paused: true } },
      { spec: { paused: false } },
      { spec: { replicas: null, paused: false } },
    ],
    ['an object', { spec: { strategy: { type: 'Recreate' } } }, { spec: {} }, { spec: { strategy: null } }],
    [
      'an item of a list with keys, and a field of one that stays',
      { containers: [{ name: 'a', command: ['x'] }, { name: 'b' }] },
      { containers: [{ name: 'a', image: 'i' }] },
      {
        containers: [
          { name: 'a', image: 'i', command: null },
          { name: 'b', $patch: 'delete' },
        ],
      },
    ],
    [
      'ports by containerPort or port',
      { ports: [{ containerPort: 80 }, { containerPort: 81 }] },
      { ports: [{ containerPort: 81 }] },
      { ports: [{ containerPort: 81 }, { containerPort: 80, $patch: 'delete' }] },
    ],
    [
      'no item of a list without keys: it is replaced',
      { args: ['a', 'b'] },
      { args: ['a'] },
      { args: ['a'] },
    ],
  ];
  for (const [what, original, modified, patch] of table) {
    assert.equal(withDeletions({ ...original }, { ...modified }), patch, what);
  }
});

test.run();
