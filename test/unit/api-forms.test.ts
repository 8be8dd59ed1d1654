// The forms that the API server reads and writes: quantities, selectors, protobuf, fields of kinds, tables.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { parseFieldSelector } from '../../emulator/api/field-selector.ts';
import {
  formatLabelSelector,
  matchesSelector,
  parseLabelSelector,
} from '../../emulator/api/label-selector.ts';
import type { JsonObject, KubeObject } from '../../emulator/api/objects.ts';
import { decodeProtobuf } from '../../emulator/api/protobuf/decode.ts';
import { encodeProtobuf } from '../../emulator/api/protobuf/encode.ts';
import { canonicalQuantity, parseQuantity } from '../../emulator/api/quantity.ts';
import { DecodeError, decodeFields } from '../../emulator/api/schema/decode.ts';
import { generateSchema } from '../../emulator/api/schema/generate.ts';
import { humanDuration } from '../../emulator/api/tables/durations.ts';
import { toTable } from '../../emulator/api/tables/table.ts';
import { StatusError } from '../../emulator/api/types.ts';
import { suite } from '../suite.ts';

const test = suite('api forms');

test('quantities in their canonical form', () => {
  const rows: [string | number, string][] = [
    ['0', '0'],
    ['0.5', '500m'],
    ['1000m', '1'],
    ['1.5', '1500m'],
    ['1000', '1k'],
    ['1024', '1024'],
    ['1024Mi', '1Gi'],
    ['0.5Gi', '512Mi'],
    ['0.5Ki', '512'],
    ['1500Mi', '1500Mi'],
    ['2147483648', '2147483648'],
    ['1e3', '1e3'],
    ['12e6', '12e6'],
    ['100M', '100M'],
    ['-1', '-1'],
    ['.5', '500m'],
    [2, '2'],
    ['0.1n', '1n'],
    ['lots', 'lots'],
  ];
  for (const [written, canonical] of rows) assert.is(canonicalQuantity(written), canonical, String(written));
  assert.is(parseQuantity('250m')?.nano, 250_000_000n);
  for (const wrong of ['', '1 Gi', 'Gi', '1KB', '1..5', '--1', '1e']) {
    assert.is(parseQuantity(wrong), undefined, wrong);
  }
});

test('label selectors as text', () => {
  const object = {
    metadata: { name: 'p', labels: { app: 'web', tier: 'front', n: '5' } },
  } as unknown as KubeObject;
  const rows: [string, boolean][] = [
    ['', true],
    ['app=web', true],
    ['app==web,tier!=back', true],
    ['app=web,tier=back', false],
    ['app in (web, api)', true],
    ['app notin (web)', false],
    ['missing notin (web)', true],
    ['missing!=x', true],
    ['app', true],
    ['!app', false],
    ['!missing', true],
    ['n>4,n<6', true],
    ['n>5', false],
    ['app=', false],
    ['example.com/key', false],
  ];
  for (const [text, expected] of rows) assert.is(parseLabelSelector(text)(object), expected, text);
  const refused: [string, string][] = [
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a===b', "unable to parse requirement: found '=', expected: identifier"],
    ['a in (', "unable to parse requirement: found '', expected: ',', ')' or identifier"],
    ['=b', "found '=', expected: !, identifier, or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a in b', "unable to parse requirement: found 'b', expected: '('"],
  ];
  for (const [text, message] of refused)
    assert.is(
      refusal(() => parseLabelSelector(text)),
      message,
    );
});

test('label selectors as objects', () => {
  const labels = { app: 'web', tier: 'front' };
  const rows: [Parameters<typeof matchesSelector>[0], boolean, string][] = [
    [undefined, false, '<none>'],
    [{}, true, '<none>'],
    [{ matchLabels: { app: 'web' } }, true, 'app=web'],
    [{ matchLabels: { tier: 'back', app: 'web' } }, false, 'app=web,tier=back'],
    [
      { matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'api'] }] },
      true,
      'app in (api,web)',
    ],
    [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, false, 'app notin (web)'],
    [{ matchExpressions: [{ key: 'app', operator: 'Exists' }] }, true, 'app'],
    [{ matchExpressions: [{ key: 'x', operator: 'DoesNotExist' }] }, true, '!x'],
  ];
  for (const [selector, matches, text] of rows) {
    assert.is(matchesSelector(selector, labels), matches, text);
    assert.is(formatLabelSelector(selector), text);
  }
});

test('field selectors', () => {
  const pod = {
    metadata: { name: 'p', namespace: 'n' },
    spec: { nodeName: 'node1' },
    status: { phase: 'Running' },
  } as unknown as KubeObject;
  const rows: [string, boolean][] = [
    ['metadata.name=p', true],
    ['metadata.name==p,metadata.namespace=n', true],
    ['spec.nodeName=node2', false],
    ['spec.nodeName!=node2,status.phase!=Failed', true],
    ['spec.hostNetwork=false', true],
    ['status.podIP=', true],
  ];
  for (const [text, expected] of rows) assert.is(parseFieldSelector('pods', text)(pod), expected, text);
  assert.is(
    refusal(() => parseFieldSelector('pods', 'spec.foo=x')),
    'field label not supported: spec.foo',
  );
  assert.is(
    refusal(() => parseFieldSelector('deployments', 'spec.foo=x')),
    '"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
  );
});

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof StatusError || error instanceof DecodeError) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** One field: a string or bytes, or a number as varint. */
function field(number: number, value: string | Buffer | number): Buffer {
  if (typeof value === 'number') return Buffer.from([number << 3, value]);
  const data = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, data.length]), data]);
}

test('protobuf bodies', () => {
  const body = (apiVersion: string, kind: string, ...fields: Buffer[]) =>
    Buffer.concat([
      Buffer.from('k8s\0'),
      field(1, Buffer.concat([field(1, apiVersion), field(2, kind)])),
      field(2, Buffer.concat(fields)),
    ]);
  const metadata = (name: string) => field(1, Buffer.concat([field(1, name), field(2, ''), field(3, '')]));
  const rows: [name: string, body: Buffer, expected: JsonObject][] = [
    [
      'namespace',
      body('v1', 'Namespace', metadata('n')),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } },
    ],
    [
      'a pointer to zero is a value, zero is not',
      body('apps/v1', 'Deployment', metadata('d'), field(2, Buffer.concat([field(1, 0), field(5, 0)]))),
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { replicas: 0 } },
    ],
    [
      'maps',
      body(
        'v1',
        'ConfigMap',
        metadata('c'),
        field(2, Buffer.concat([field(1, 'a'), field(2, '1')])),
        field(2, Buffer.concat([field(1, 'b'), field(2, '')])),
      ),
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: '1', b: '' } },
    ],
    [
      'numbers and percentages',
      body(
        'policy/v1',
        'PodDisruptionBudget',
        metadata('b'),
        field(
          2,
          Buffer.concat([
            field(1, Buffer.concat([field(1, 0), field(2, 2), field(3, '')])),
            field(3, Buffer.concat([field(1, 1), field(3, '25%')])),
          ]),
        ),
      ),
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'b' },
        spec: { minAvailable: 2, maxUnavailable: '25%' },
      },
    ],
  ];
  for (const [name, bytes, expected] of rows) assert.equal(decodeProtobuf(bytes), expected, name);
  assert.match(
    refusal(() => decodeProtobuf(body('v1', 'Foo'))),
    'takes no protobuf for Foo',
  );
  assert.equal(
    decodeProtobuf(body('v1', 'Namespace', field(9, 'x'))),
    { apiVersion: 'v1', kind: 'Namespace' },
    'a field that v1.34 does not have is left out',
  );
  assert.match(
    refusal(() => decodeProtobuf(Buffer.from('{}'))),
    'expected prefix',
  );
  assert.match(
    refusal(() => decodeProtobuf(body('v1', 'Namespace').subarray(0, 12))),
    'index out of range',
  );
});

test('protobuf there and back: every form that a field can have', () => {
  const objects: JsonObject[] = [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'p',
        labels: { a: 'b' },
        generation: 2 ** 53 - 1,
        creationTimestamp: '2026-01-01T00:00:00Z',
        managedFields: [
          { manager: 'm', operation: 'Apply', time: '2026-01-01T00:00:00Z', fieldsV1: { 'f:spec': {} } },
        ],
      },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'i',
            env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: false } } }],
            resources: { limits: { cpu: '500m' } },
            livenessProbe: { httpGet: { path: '/', port: 'web' }, periodSeconds: 3 },
          },
        ],
        volumes: [
          { name: 'v', emptyDir: {} },
          { name: 'w', configMap: { name: 'c', items: [{ key: 'k', path: 'p', mode: 256 }] } },
        ],
        securityContext: { supplementalGroups: [1, 2], runAsUser: 0 },
        terminationGracePeriodSeconds: 0,
      },
      status: {
        phase: 'Running',
        containerStatuses: [
          {
            name: 'c',
            ready: false,
            restartCount: 0,
            image: 'i',
            imageID: '',
            state: { waiting: { reason: 'R' } },
            lastState: {},
          },
        ],
      },
    },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: 'aGk=' }, type: 'Opaque' },
    {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: { name: 'r' },
      data: { spec: { template: { x: [1, 'a', null] } } },
      revision: 0,
    },
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'l' },
      spec: { renewTime: '2026-01-01T00:00:00.000123Z', leaseDurationSeconds: 0 },
    },
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: {},
      spec: { token: 't' },
      status: { user: { username: 'u', extra: { 'a/b': ['1', '2'], none: [] } } },
    },
  ];
  for (const object of objects) {
    assert.equal(decodeProtobuf(encodeProtobuf(object)!), object, String(object.kind));
  }
  assert.is(encodeProtobuf({ apiVersion: 'meta.k8s.io/v1', kind: 'Table' }), undefined);
});

test('fields of a kind: unknown ones are named, wrong types refused, times cut to seconds', () => {
  const { object, unknownFields } = decodeFields('V1Deployment', {
    metadata: { name: 'web', creationTimestamp: '2026-01-01T00:00:00.123Z', labels: null, foo: 1 },
    spec: { replica: 1, template: { spec: { containers: [{ name: 'a', imagee: 'x' }] } } },
  });
  assert.equal(unknownFields, [
    'unknown field "metadata.foo"',
    'unknown field "spec.replica"',
    'unknown field "spec.template.spec.containers[0].imagee"',
  ]);
  assert.equal(object, {
    metadata: { name: 'web', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { template: { spec: { containers: [{ name: 'a' }] } } },
  });
  const lease = decodeFields('V1Lease', { spec: { renewTime: '2026-01-01T00:00:00.1Z' } });
  assert.equal(lease.object, { spec: { renewTime: '2026-01-01T00:00:00.100000Z' } });
  const rows: [JsonObject, string][] = [
    [
      { spec: 'x' },
      'json: cannot unmarshal string into Go struct field Deployment.spec of type v1.DeploymentSpec',
    ],
    [
      { spec: { replicas: 1.5 } },
      'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { paused: 'no' } },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool',
    ],
    [
      { metadata: { labels: { a: 1 } } },
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [
      { spec: { template: { spec: { containers: {} } } } },
      'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
  ];
  for (const [value, message] of rows)
    assert.is(
      refusal(() => decodeFields('V1Deployment', value)),
      message,
    );
});

test('the schema is the one that is generated from the installed client-node', () => {
  const file = new URL('../../emulator/api/schema/kubernetes.schema.json', import.meta.url);
  assert.equal(
    JSON.parse(readFileSync(file, 'utf8')),
    JSON.parse(JSON.stringify(generateSchema())),
    'run node --import tsx emulator/api/schema/generate.ts',
  );
});

test('ages', () => {
  const second = 1000;
  const minute = 60 * second;
  const hour = 60 * minute;
  const day = 24 * hour;
  const rows: [number, string][] = [
    [0, '0s'],
    [119 * second, '119s'],
    [120 * second, '2m'],
    [4 * minute + 5 * second, '4m5s'],
    [10 * minute + 5 * second, '10m'],
    [62 * minute, '62m'],
    [3 * hour + 5 * minute, '3h5m'],
    [30 * hour, '30h'],
    [3 * day + 4 * hour, '3d4h'],
    [9 * day + 4 * hour, '9d'],
    [400 * day, '400d'],
    [800 * day, '2y70d'],
    [-5 * second, '<invalid>'],
  ];
  for (const [durationMs, text] of rows) assert.is(humanDuration(durationMs), text, String(durationMs));
});

test('the state of a pod in a table', () => {
  const running = { name: 'app', ready: true, restartCount: 0, state: { running: {} } };
  const base = { spec: { containers: [{ name: 'app' }] } };
  const rows: [name: string, pod: JsonObject, expected: (string | number)[]][] = [
    ['new', { ...base, status: { phase: 'Pending' } }, ['0/1', 'Pending', '0']],
    [
      'running',
      { ...base, status: { phase: 'Running', containerStatuses: [running] } },
      ['1/1', 'Running', '0'],
    ],
    [
      'waiting',
      {
        ...base,
        status: {
          phase: 'Pending',
          containerStatuses: [{ ...running, ready: false, state: { waiting: { reason: 'ErrImagePull' } } }],
        },
      },
      ['0/1', 'ErrImagePull', '0'],
    ],
    [
      'restarted',
      {
        ...base,
        status: {
          phase: 'Running',
          containerStatuses: [
            {
              ...running,
              restartCount: 2,
              lastState: { terminated: { finishedAt: '2026-01-01T00:00:00Z' } },
            },
          ],
        },
      },
      ['1/1', 'Running', '2 (5s ago)'],
    ],
    [
      'ended',
      {
        ...base,
        status: {
          phase: 'Failed',
          containerStatuses: [{ ...running, ready: false, state: { terminated: { exitCode: 3 } } }],
        },
      },
      ['0/1', 'ExitCode:3', '0'],
    ],
    [
      'terminating',
      {
        ...base,
        metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
        status: { phase: 'Running', containerStatuses: [running] },
      },
      ['1/1', 'Terminating', '0'],
    ],
    [
      'initializing',
      {
        spec: { ...base.spec, initContainers: [{ name: 'one' }, { name: 'two' }] },
        status: {
          phase: 'Pending',
          initContainerStatuses: [
            { name: 'one', state: { terminated: { exitCode: 0 } } },
            { name: 'two', state: { running: {} } },
          ],
        },
      },
      ['0/1', 'Init:1/2', '0'],
    ],
    ['evicted', { ...base, status: { phase: 'Failed', reason: 'Evicted' } }, ['0/1', 'Evicted', '0']],
  ];
  const nowMs = Date.parse('2026-01-01T00:00:05Z');
  for (const [name, pod, expected] of rows) {
    const object = {
      ...pod,
      metadata: { name: 'p', creationTimestamp: '2026-01-01T00:00:00Z', ...(pod.metadata as object) },
    };
    const table = toTable(
      'pods',
      [object as unknown as KubeObject],
      {},
      { nowMs, includeObject: 'None', withColumns: true },
    );
    assert.equal(table.rows[0]?.cells.slice(1, 4), expected, name);
    assert.is(table.rows[0]?.cells.length, table.columnDefinitions?.length, name);
  }
});

test('tables have the columns of the real printers for every kind that has them', () => {
  const nowMs = Date.parse('2026-01-01T00:01:00Z');
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'web', image: 'web:1' }] },
  };
  const rows: [resource: string, object: object, header: string, cells: unknown[]][] = [
    [
      'replicationcontrollers',
      {
        spec: { replicas: 2, selector: { app: 'web' }, template },
        status: { replicas: 2, readyReplicas: 1 },
      },
      'Name Desired Current Ready Age Containers Images Selector',
      ['x', 2, 2, 1, '60s', 'web', 'web:1', 'app=web'],
    ],
    [
      'statefulsets',
      { spec: { replicas: 3, template }, status: { readyReplicas: 2 } },
      'Name Ready Age Containers Images',
      ['x', '2/3', '60s', 'web', 'web:1'],
    ],
    [
      'cronjobs',
      { spec: { schedule: '@hourly', suspend: false, jobTemplate: { spec: { template } } }, status: {} },
      'Name Schedule Timezone Suspend Active Last Schedule Age Containers Images Selector',
      ['x', '@hourly', '<none>', 'False', 0, '<none>', '60s', 'web', 'web:1', '<none>'],
    ],
    [
      'endpoints',
      {
        subsets: [
          { addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }], ports: [{ port: 80 }, { port: 443 }] },
        ],
      },
      'Name Endpoints Age',
      ['x', '10.0.0.1:80,10.0.0.2:80,10.0.0.1:443 + 1 more...', '60s'],
    ],
    ['endpoints', {}, 'Name Endpoints Age', ['x', '<none>', '60s']],
    [
      'resourcequotas',
      {
        status: {
          hard: { pods: '5', 'limits.cpu': '2', 'requests.cpu': '1' },
          used: { pods: '1', 'limits.cpu': '0', 'requests.cpu': '100m' },
        },
      },
      'Name Request Limit Age',
      ['x', 'pods: 1/5, requests.cpu: 100m/1', 'limits.cpu: 0/2', '60s'],
    ],
    [
      'persistentvolumes',
      {
        spec: {
          capacity: { storage: '1Gi' },
          accessModes: ['ReadWriteMany', 'ReadWriteOnce'],
          persistentVolumeReclaimPolicy: 'Delete',
          claimRef: { namespace: 'n', name: 'c' },
          storageClassName: 's',
          volumeMode: 'Filesystem',
        },
        status: { phase: 'Bound' },
      },
      'Name Capacity Access Modes Reclaim Policy Status Claim StorageClass VolumeAttributesClass Reason Age VolumeMode',
      ['x', '1Gi', 'RWO,RWX', 'Delete', 'Bound', 'n/c', 's', '<unset>', '', '60s', 'Filesystem'],
    ],
    [
      'persistentvolumeclaims',
      {
        spec: { accessModes: ['ReadWriteOnce'], storageClassName: 's', volumeMode: 'Filesystem' },
        status: { phase: 'Pending' },
      },
      'Name Status Volume Capacity Access Modes StorageClass VolumeAttributesClass Age VolumeMode',
      ['x', 'Pending', '', '', '', 's', '<unset>', '60s', 'Filesystem'],
    ],
    ['podtemplates', { template }, 'Name Containers Images Pod Labels', ['x', 'web', 'web:1', 'app=web']],
    [
      'ingresses',
      {
        spec: { ingressClassName: 'nginx', rules: [{ host: 'a.b' }, {}], tls: [{}] },
        status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
      },
      'Name Class Hosts Address Ports Age',
      ['x', 'nginx', 'a.b', '1.2.3.4', '80, 443', '60s'],
    ],
    ['ingresses', { spec: {} }, 'Name Class Hosts Address Ports Age', ['x', '<none>', '*', '', '80', '60s']],
    [
      'ingressclasses',
      { spec: { controller: 'k8s.io/x', parameters: { apiGroup: 'g', kind: 'P', name: 'n' } } },
      'Name Controller Parameters Age',
      ['x', 'k8s.io/x', 'P.g/n', '60s'],
    ],
    ['networkpolicies', { spec: { podSelector: {} } }, 'Name Pod-Selector Age', ['x', '<none>', '60s']],
    [
      'rolebindings',
      {
        roleRef: { kind: 'Role', name: 'r' },
        subjects: [
          { kind: 'ServiceAccount', namespace: 'n', name: 's' },
          { kind: 'User', name: 'u' },
        ],
      },
      'Name Role Age Users Groups ServiceAccounts',
      ['x', 'Role/r', '60s', 'u', '', 'n/s'],
    ],
    [
      'priorityclasses',
      { value: 10 },
      'Name Value Global-Default Age PreemptionPolicy',
      ['x', 10, false, '60s', 'PreemptLowerPriority'],
    ],
    [
      'storageclasses',
      { provisioner: 'p', volumeBindingMode: 'Immediate' },
      'Name Provisioner ReclaimPolicy VolumeBindingMode AllowVolumeExpansion Age',
      ['x', 'p', 'Delete', 'Immediate', 'false', '60s'],
    ],
    [
      'services',
      { spec: { type: 'ExternalName', externalName: 'a.b' } },
      'Name Type Cluster-IP External-IP Port(s) Age Selector',
      ['x', 'ExternalName', '<none>', 'a.b', '<none>', '60s', '<none>'],
    ],
    [
      'services',
      {
        spec: { type: 'LoadBalancer', clusterIP: '10.0.0.1' },
        status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
      },
      'Name Type Cluster-IP External-IP Port(s) Age Selector',
      ['x', 'LoadBalancer', '10.0.0.1', '1.2.3.4', '<none>', '60s', '<none>'],
    ],
  ];
  for (const [resource, fields, header, cells] of rows) {
    const object = { metadata: { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' }, ...fields };
    const table = toTable(
      resource,
      [object as unknown as KubeObject],
      {},
      { nowMs, includeObject: 'None', withColumns: true },
    );
    assert.is(table.columnDefinitions?.map(({ name }) => name).join(' '), header, resource);
    assert.equal(table.rows[0]?.cells, cells, resource);
  }
});

test.run();
