// The registry: names, versions, generations, graceful deletion, garbage collection, events.
import * as assert from 'uvu/assert';
import { createRegistry } from '../../emulator/api/registry.ts';
import { type Change, StatusError } from '../../emulator/api/types.ts';
import { suite } from '../suite.ts';

const test = suite('registry');
const startMs = Date.parse('2026-01-02T03:04:05.678Z');

function cluster(historyLimit?: number) {
  const clock = { nowMs: startMs };
  let seed = 1;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const registry = createRegistry({ now: () => clock.nowMs, random, historyLimit });
  const seen: string[] = [];
  registry.subscribe((change: Change) => {
    seen.push(`${change.type} ${change.resource}/${change.object.metadata.name}`);
  });
  return { registry, clock, seen };
}

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'app', image: 'web:1' }] },
};
const selector = { matchLabels: { app: 'web' } };
const web = { metadata: { name: 'web' }, spec: { replicas: 2, selector, template } };
const pod = { metadata: { name: 'p' }, spec: template.spec };

function refusal(act: () => unknown): StatusError {
  try {
    act();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('create fills in metadata and defaults, and freezes', () => {
  const { registry } = cluster();
  const stored = registry.create('deployments', web);
  assert.is(stored.apiVersion, 'apps/v1');
  assert.is(stored.metadata.namespace, 'default');
  assert.is(stored.metadata.generation, 1);
  assert.is(stored.metadata.creationTimestamp, '2026-01-02T03:04:05Z');
  assert.match(stored.metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(stored.spec?.strategy, {
    type: 'RollingUpdate',
    rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' },
  });
  assert.is(stored.spec?.template.spec?.containers[0]?.imagePullPolicy, 'IfNotPresent');
  assert.throws(() => {
    stored.spec!.replicas = 5;
  }, /read only/);
});

test('refusals carry the words of Kubernetes', () => {
  const { registry } = cluster();
  const first = registry.create('deployments', web);
  registry.mutate('deployments', 'default', 'web', (draft) => {
    draft.spec!.replicas = 3;
  });
  const cases: [string, () => unknown, number, string][] = [
    ['same name', () => registry.create('deployments', web), 409, 'deployments.apps "web" already exists'],
    [
      'old version',
      () => registry.update('deployments', first),
      409,
      'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again',
    ],
    [
      'no namespace',
      () => registry.create('pods', { ...pod, metadata: { name: 'p', namespace: 'nope' } }),
      404,
      'namespaces "nope" not found',
    ],
    [
      'no name',
      () => registry.create('pods', { ...pod, metadata: {} }),
      422,
      'Pod "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      'uid of another',
      () => registry.delete('deployments', 'default', 'web', { uid: 'x' }),
      409,
      `Operation cannot be fulfilled on Deployment.apps "web": the UID in the precondition (x) does not match the UID in record (${first.metadata.uid}). The object might have been deleted and then recreated`,
    ],
    [
      'default namespace',
      () => registry.delete('namespaces', undefined, 'default'),
      403,
      'namespaces "default" is forbidden: this namespace may not be deleted',
    ],
  ];
  for (const [name, act, code, message] of cases) {
    const error = refusal(act);
    assert.is(error.code, code, name);
    assert.is(error.message, message, name);
  }
});

test('generation: spec and annotations raise it, status does not; a no-op writes nothing', () => {
  const { registry, seen } = cluster();
  registry.create('deployments', web);
  const generation = () => registry.get('deployments', 'default', 'web')?.metadata.generation;
  registry.mutate('deployments', 'default', 'web', (draft) => {
    draft.spec!.replicas = 3;
  });
  assert.is(generation(), 2);
  registry.mutate(
    'deployments',
    'default',
    'web',
    (draft) => {
      draft.status = { replicas: 3, readyReplicas: 0 };
      draft.metadata.annotations = { 'deployment.kubernetes.io/revision': '1' };
      draft.spec!.replicas = 99;
    },
    'status',
  );
  assert.is(generation(), 2);
  const stored = registry.get('deployments', 'default', 'web')!;
  assert.is(stored.spec?.replicas, 3);
  assert.equal(stored.status, { replicas: 3 });
  assert.is(stored.metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
  const before = seen.length;
  registry.mutate('deployments', 'default', 'web', () => {});
  assert.is(seen.length, before);
});

test('a write from within a listener is told after the present change, to all', () => {
  const { registry } = cluster();
  const order: string[] = [];
  registry.subscribe(({ type, object }) => {
    order.push(`first ${type} ${object.metadata.name}`);
    if (object.metadata.name === 'a') registry.create('configmaps', { metadata: { name: 'b' } });
  });
  registry.subscribe(({ type, object }) => order.push(`second ${type} ${object.metadata.name}`));
  registry.create('configmaps', { metadata: { name: 'a' } });
  assert.equal(order, ['first ADDED a', 'second ADDED a', 'first ADDED b', 'second ADDED b']);
});

test('binding sets PodScheduled and keeps the generation', () => {
  const { registry } = cluster();
  registry.create('pods', pod);
  const bound = registry.mutate('pods', 'default', 'p', (draft) => {
    draft.spec!.nodeName = 'node1';
  });
  assert.is(bound?.metadata.generation, 1);
  assert.equal(
    bound?.status?.conditions?.map(({ type, status }) => `${type}=${status}`),
    ['PodScheduled=True'],
  );
});

test('pod deletion: at once when never scheduled or ended, else graceful, shortened but never prolonged', () => {
  const cases: {
    name: string;
    node?: string;
    phase?: string;
    graces: (number | undefined)[];
    changes: string[];
    left: number | undefined;
  }[] = [
    { name: 'unscheduled', graces: [undefined], changes: ['MODIFIED', 'DELETED'], left: undefined },
    {
      name: 'ended',
      node: 'n',
      phase: 'Failed',
      graces: [undefined],
      changes: ['MODIFIED', 'DELETED'],
      left: undefined,
    },
    { name: 'default grace', node: 'n', graces: [undefined], changes: ['MODIFIED'], left: 30 },
    { name: 'given grace', node: 'n', graces: [5], changes: ['MODIFIED'], left: 5 },
    { name: 'repeated', node: 'n', graces: [5, undefined], changes: ['MODIFIED'], left: 5 },
    { name: 'longer', node: 'n', graces: [5, 60], changes: ['MODIFIED'], left: 5 },
    { name: 'shorter', node: 'n', graces: [30, 3], changes: ['MODIFIED', 'MODIFIED'], left: 3 },
    {
      name: 'kubelet confirms',
      node: 'n',
      graces: [30, 0],
      changes: ['MODIFIED', 'MODIFIED', 'DELETED'],
      left: undefined,
    },
    { name: 'forced', node: 'n', graces: [0], changes: ['MODIFIED', 'DELETED'], left: undefined },
  ];
  for (const { name, node, phase, graces, changes, left } of cases) {
    const { registry } = cluster();
    registry.create('pods', pod);
    if (node) {
      registry.mutate('pods', 'default', 'p', (draft) => {
        draft.spec!.nodeName = node;
      });
    }
    if (phase) {
      registry.mutate(
        'pods',
        'default',
        'p',
        (draft) => {
          draft.status!.phase = phase;
        },
        'status',
      );
    }
    const seen: string[] = [];
    registry.subscribe(({ type }) => seen.push(type));
    for (const gracePeriodSeconds of graces) registry.delete('pods', 'default', 'p', { gracePeriodSeconds });
    assert.equal(seen, changes, name);
    const rest = registry.get('pods', 'default', 'p');
    assert.is(rest?.metadata.deletionGracePeriodSeconds, left, name);
    if (left !== undefined) {
      assert.is(
        Date.parse(rest!.metadata.deletionTimestamp!),
        Math.floor((startMs + left * 1000) / 1000) * 1000,
        name,
      );
      assert.is(rest?.metadata.generation, 2, name);
    }
  }
});

test('a finalizer holds an object until it is taken away', () => {
  const { registry, seen } = cluster();
  registry.create('configmaps', { metadata: { name: 'held', finalizers: ['example.com/hold'] } });
  registry.delete('configmaps', 'default', 'held');
  assert.ok(registry.get('configmaps', 'default', 'held')?.metadata.deletionTimestamp);
  registry.mutate('configmaps', 'default', 'held', (draft) => {
    draft.metadata.finalizers = [];
  });
  assert.equal(seen, ['ADDED configmaps/held', 'MODIFIED configmaps/held', 'DELETED configmaps/held']);
});

function tree() {
  const state = cluster();
  const { registry } = state;
  const deployment = registry.create('deployments', web);
  const owner = (kind: string, { metadata }: { metadata: { name: string; uid: string } }) => ({
    apiVersion: 'apps/v1',
    kind,
    name: metadata.name,
    uid: metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  });
  const replicaSet = registry.create('replicasets', {
    metadata: { name: 'web-1', labels: { app: 'web' }, ownerReferences: [owner('Deployment', deployment)] },
    spec: { replicas: 1, selector, template },
  });
  registry.create('pods', {
    metadata: { name: 'web-1-a', labels: { app: 'web' }, ownerReferences: [owner('ReplicaSet', replicaSet)] },
    spec: { ...template.spec, nodeName: 'node1' },
  });
  state.seen.length = 0;
  return state;
}

test('background deletion: the owner first, then what it owned', () => {
  const { registry, seen } = tree();
  registry.delete('deployments', 'default', 'web', { propagationPolicy: 'Background' });
  assert.equal(seen, ['DELETED deployments/web', 'DELETED replicasets/web-1', 'MODIFIED pods/web-1-a']);
});

test('foreground deletion: what is owned first', () => {
  const { registry, seen } = tree();
  registry.delete('deployments', 'default', 'web', { propagationPolicy: 'Foreground' });
  assert.equal(seen, ['MODIFIED deployments/web', 'MODIFIED replicasets/web-1', 'MODIFIED pods/web-1-a']);
  assert.equal(registry.get('deployments', 'default', 'web')?.metadata.finalizers, ['foregroundDeletion']);
  registry.delete('pods', 'default', 'web-1-a', { gracePeriodSeconds: 0 });
  assert.equal(seen.slice(3), [
    'MODIFIED pods/web-1-a',
    'DELETED pods/web-1-a',
    'DELETED replicasets/web-1',
    'DELETED deployments/web',
  ]);
});

test('orphaning: what is owned stays, without its owner', () => {
  const { registry } = tree();
  registry.delete('deployments', 'default', 'web', { propagationPolicy: 'Orphan' });
  assert.is(registry.get('deployments', 'default', 'web'), undefined);
  assert.is(registry.get('replicasets', 'default', 'web-1')?.metadata.ownerReferences, undefined);
});

test('a namespace goes with its content, and takes none meanwhile', () => {
  const { registry } = cluster();
  registry.create('namespaces', { metadata: { name: 'shop' } });
  registry.create('configmaps', { metadata: { name: 'c', namespace: 'shop' } });
  registry.create('pods', {
    metadata: { name: 'p', namespace: 'shop' },
    spec: { ...template.spec, nodeName: 'node1' },
  });
  registry.delete('namespaces', undefined, 'shop');
  assert.is(registry.get('namespaces', undefined, 'shop')?.status?.phase, 'Terminating');
  assert.is(registry.get('configmaps', 'shop', 'c'), undefined);
  const error = refusal(() => registry.create('configmaps', { metadata: { name: 'd', namespace: 'shop' } }));
  assert.is(
    error.message,
    'configmaps "d" is forbidden: unable to create new content in namespace shop because it is being terminated',
  );
  registry.delete('pods', 'shop', 'p', { gracePeriodSeconds: 0 });
  assert.is(registry.get('namespaces', undefined, 'shop'), undefined);
});

test('events: repeats are counted, the tenth distinct message is combined, a flood ends', () => {
  const { registry, clock } = cluster();
  const involved = { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'p', namespace: 'default', uid: 'u' } };
  const say = (message: string) =>
    registry.event(involved, 'Warning', 'Unhealthy', message, 'kubelet', { host: 'node1' });
  say('same');
  clock.nowMs += 2000;
  say('same');
  const [first] = registry.list('events');
  assert.is(first?.count, 2);
  assert.is(first?.firstTimestamp, '2026-01-02T03:04:05Z');
  assert.is(first?.lastTimestamp, '2026-01-02T03:04:07Z');
  for (let number = 2; number <= 12; number++) say(`message ${number}`);
  const messages = registry.list('events').map(({ message, count }) => `${message} x${count}`);
  assert.is(messages.length, 10);
  assert.ok(messages.includes('(combined from similar events): message 12 x3'), messages.join('\n'));
  for (let number = 0; number < 40; number++) say('flood');
  const written = registry.list('events').reduce((sum, { count }) => sum + (count ?? 0), 0);
  assert.is(written, 25);
});

test('old changes are forgotten, so that a watch can tell', () => {
  const { registry } = cluster(8);
  for (let number = 0; number < 50; number++)
    registry.create('configmaps', { metadata: { generateName: 'c-' } });
  const { storage } = registry;
  assert.ok(storage.oldestVersion > 1);
  assert.equal(
    storage.changesAfter(storage.version - 3).map(({ version }) => version),
    [storage.version - 2, storage.version - 1, storage.version],
  );
  assert.is(storage.changesAfter(storage.version).length, 0);
});

test('node ports: none twice, in one Service either; when all are taken the next one is refused', () => {
  const { registry } = cluster();
  const service = (name: string, ports: number) => ({
    metadata: { name },
    spec: {
      type: 'NodePort',
      selector: { app: 'web' },
      ports: Array.from({ length: ports }, (_, index) => ({ name: `p${index}`, port: index + 1 })),
    },
  });
  const first = registry.create('services', service('many', 1384));
  const second = registry.create('services', service('more', 1384));
  const given = [first, second].flatMap(({ spec }) => (spec?.ports ?? []).map(({ nodePort }) => nodePort));
  assert.is(new Set(given).size, 2768);
  const { code, message } = refusal(() => registry.create('services', service('another', 1)));
  assert.is(code, 500);
  assert.match(message, /failed to allocate a nodePort: range is full$/);
});

test('a Service of another type loses what that has no use for, and gets it again', () => {
  const registry = createRegistry({
    now: () => 0,
    random: () => 0.5,
    capabilities: { volumes: true, names: true },
  });
  const change = (spec: object) =>
    registry.mutate('services', 'default', 'web', (draft) => Object.assign(draft.spec as object, spec))?.spec;
  const first = registry.create('services', {
    metadata: { name: 'web' },
    spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: [{ port: 80 }] },
  }).spec;
  assert.ok(first?.healthCheckNodePort && first.ports?.[0]?.nodePort);
  const plain = change({ type: 'ClusterIP' });
  assert.is(plain?.clusterIP, first.clusterIP);
  assert.equal(plain?.ports, [{ port: 80, protocol: 'TCP', targetPort: 80 }]);
  for (const field of [
    'externalTrafficPolicy',
    'healthCheckNodePort',
    'allocateLoadBalancerNodePorts',
  ] as const) {
    assert.is(plain?.[field], undefined, field);
  }
  const external = change({ type: 'ExternalName', externalName: 'example.com' });
  for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const) {
    assert.is(external?.[field], undefined, field);
  }
  const onNodes = change({ type: 'NodePort', externalName: '' });
  assert.ok(onNodes?.clusterIP && onNodes.ports?.[0]?.nodePort);
  const { message } = refusal(() => change({ type: 'ExternalName', externalName: 'no_name' }));
  assert.match(message, /spec\.externalName: Invalid value: "no_name"/);
});

test('an external name is refused by name where pods have no name server', () => {
  const { registry } = cluster();
  const { message } = refusal(() =>
    registry.create('services', {
      metadata: { name: 'web' },
      spec: { type: 'ExternalName', externalName: 'example.com' },
    }),
  );
  assert.match(message, /spec\.type: Forbidden: Unsupported by the emulated cluster: ExternalName/);
});

test.run();
