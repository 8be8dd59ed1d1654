import * as assert from 'uvu/assert';
import type { EndpointSlice, Node, Pod, Service } from '../../emulator/api/types.ts';
import { endpointOf, isListed, portsOf } from '../../emulator/controllers/endpointslice/endpoints.ts';
import { reconcileSlices } from '../../emulator/controllers/endpointslice/slices.ts';
import { createTriggerTimes } from '../../emulator/controllers/endpointslice/trigger-time.ts';
import { after, meta, node, type PodShape, pod, service } from '../kube-objects.ts';
import { suite } from '../suite.ts';

const test = suite('controllers: endpointslice');
const noNode = () => undefined;

test('ready, serving, terminating; and whether it is listed at all', () => {
  const up = { ip: '10.0.0.1', node: 'n1' };
  const table: [string, PodShape, publish: boolean, expected: string | undefined][] = [
    ['starting', up, false, '---'],
    ['ready', { ...up, ready: true }, false, 'RS-'],
    ['being deleted, still ready', { ...up, ready: true, deleting: true }, false, '-ST'],
    ['being deleted, never ready', { ...up, deleting: true }, false, '--T'],
    ['readiness lost', { ...up, ready: false }, false, '---'],
    ['published though not ready', up, true, 'R--'],
    ['published though being deleted', { ...up, ready: true, deleting: true }, true, 'RST'],
    [
      'succeeded: gone from the list before its object is',
      { ...up, phase: 'Succeeded', deleting: true },
      false,
      undefined,
    ],
    ['failed', { ...up, phase: 'Failed' }, false, undefined],
    ['no address yet', { node: 'n1' }, false, undefined],
  ];
  for (const [what, shape, publishNotReadyAddresses, expected] of table) {
    const object = pod(shape);
    const { conditions } = endpointOf(object, service({ publishNotReadyAddresses }), undefined);
    const flags = `${conditions?.ready ? 'R' : '-'}${conditions?.serving ? 'S' : '-'}${conditions?.terminating ? 'T' : '-'}`;
    assert.is(isListed(object) ? flags : undefined, expected, what);
  }
});

test('an endpoint says whose it is and where', () => {
  const object = pod({ name: 'p', ip: '10.0.0.1', node: 'n1', spec: { hostname: 'h', subdomain: 'app' } });
  const { conditions: _conditions, ...endpoint } = endpointOf(
    object,
    service(),
    node('n1', { labels: { 'topology.kubernetes.io/zone': 'z' } }),
  );
  assert.equal(endpoint, {
    addresses: ['10.0.0.1'],
    hostname: 'h',
    nodeName: 'n1',
    zone: 'z',
    targetRef: { kind: 'Pod', namespace: 'default', name: 'p', uid: object.metadata.uid },
  });
});

test('ports: numbers, names in the pod, and names that it lacks', () => {
  const containers = [
    {
      name: 'app',
      image: 'a',
      ports: [
        { name: 'web', containerPort: 8080, protocol: 'TCP' },
        { name: 'dns', containerPort: 53, protocol: 'UDP' },
      ],
    },
  ];
  const object = pod({ spec: { containers } });
  const table: [string, object, [string, number, string] | undefined][] = [
    ['number', { port: 80, targetPort: 9000, protocol: 'TCP' }, ['', 9000, 'TCP']],
    ['none given: the port', { port: 80, protocol: 'TCP' }, ['', 80, 'TCP']],
    ['name', { name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' }, ['http', 8080, 'TCP']],
    ['name of another protocol', { port: 53, targetPort: 'dns', protocol: 'TCP' }, undefined],
    ['unknown name', { port: 80, targetPort: 'nope', protocol: 'TCP' }, undefined],
  ];
  for (const [what, port, expected] of table) {
    const [found] = portsOf(service({ ports: [port] }), object);
    assert.equal(found && [found.name, found.port, found.protocol], expected, what);
  }
});

/** Applies the changes as the API server would. */
function apply(
  object: Service,
  pods: Pod[],
  slices: EndpointSlice[],
  nodeOf: (name: string) => Node | undefined = noNode,
) {
  const changes = reconcileSlices(object, pods, slices, nodeOf);
  const updated = new Map(changes.update.map((slice) => [slice.metadata.uid, slice]));
  const removed = new Set(changes.remove.map(({ metadata }) => metadata.uid));
  const created = changes.create.map(
    (draft) =>
      ({
        ...draft,
        kind: 'EndpointSlice',
        apiVersion: 'discovery.k8s.io/v1',
        metadata: { ...meta('slice'), ...draft.metadata },
      }) as EndpointSlice,
  );
  const left = slices
    .filter(({ metadata }) => !removed.has(metadata.uid))
    .map((slice) => updated.get(slice.metadata.uid) ?? slice);
  return {
    slices: [...left, ...created],
    writes: [changes.create.length, changes.update.length, changes.remove.length],
  };
}
const names = (slices: readonly EndpointSlice[]) =>
  slices.map(({ endpoints }) => (endpoints ?? []).map(({ targetRef }) => targetRef?.name).join(' '));
const up = (name: string, more: PodShape = {}) =>
  pod({ name, ip: `10.0.0.${name.length}.${name}`, node: 'n1', ready: true, ...more });

test('from an empty slice over the first pods back to an empty one, always the same slice', () => {
  const object = service();
  let state = apply(object, [], []);
  assert.equal(state.writes, [1, 0, 0], 'placeholder');
  assert.equal([state.slices[0]?.ports, state.slices[0]?.endpoints], [[], []]);
  const name = state.slices[0]?.metadata.uid;
  state = apply(object, [], state.slices);
  assert.equal(state.writes, [0, 0, 0], 'nothing to do');

  const [a, b] = [up('a'), up('b')];
  state = apply(object, [a], state.slices);
  assert.equal(state.writes, [0, 1, 0], 'the placeholder is used');
  assert.equal(state.slices[0]?.ports, [{ name: '', port: 8080, protocol: 'TCP' }]);
  state = apply(object, [b, a], state.slices);
  assert.equal([state.writes, names(state.slices)], [[0, 1, 0], ['a b']], 'places are kept');
  state = apply(object, [a, b], state.slices);
  assert.equal(state.writes, [0, 0, 0], 'no change, no write');

  const dying = { ...a, metadata: { ...a.metadata, deletionTimestamp: after(30) } };
  state = apply(object, [dying, b], state.slices);
  assert.equal(state.slices[0]?.endpoints[0]?.conditions, { ready: false, serving: true, terminating: true });
  state = apply(object, [b], state.slices);
  assert.equal(names(state.slices), ['b']);
  state = apply(object, [], state.slices);
  assert.equal(
    [state.writes, state.slices.length, state.slices[0]?.ports],
    [[0, 1, 0], 1, []],
    'empty again',
  );
  assert.is(state.slices[0]?.metadata.uid, name);
});

test('labels, owner and name', () => {
  const [draft] = reconcileSlices(
    service({ clusterIP: 'None' }, { labels: { team: 'x' } }),
    [],
    [],
    noNode,
  ).create;
  assert.is(draft?.metadata.generateName, 'app-');
  assert.equal(draft?.metadata.labels, {
    team: 'x',
    'service.kubernetes.io/headless': '',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': 'app',
  });
  assert.is(draft?.metadata.ownerReferences?.[0]?.kind, 'Service');
});

test('100 endpoints to a slice', () => {
  const object = service();
  const pods = Array.from({ length: 250 }, (_, index) => up(`p${index}`));
  let state = apply(object, pods, []);
  assert.equal(
    state.slices.map(({ endpoints }) => endpoints.length),
    [100, 100, 50],
  );
  state = apply(object, [...pods, up('more')], state.slices);
  assert.equal(state.writes, [0, 1, 0], 'the slice with room is filled');
  assert.equal(
    state.slices.map(({ endpoints }) => endpoints.length),
    [100, 100, 51],
  );
  state = apply(object, pods.slice(0, 120), state.slices);
  assert.equal(
    state.slices.map(({ endpoints }) => endpoints.length),
    [100, 20],
    'an empty one goes',
  );
});

test('pods with different ports of one name are in slices of their own', () => {
  const object = service({ ports: [{ port: 80, targetPort: 'web', protocol: 'TCP' }] });
  const at = (name: string, containerPort: number) =>
    up(name, {
      spec: {
        containers: [{ name: 'app', image: 'a', ports: [{ name: 'web', containerPort, protocol: 'TCP' }] }],
      },
    });
  const { slices } = apply(object, [at('a', 8080), at('b', 9090), at('c', 8080)], []);
  assert.equal(
    slices.map(({ ports }) => ports?.[0]?.port),
    [8080, 9090],
  );
  assert.equal(names(slices), ['a c', 'b']);
});

test('the trigger time is the oldest change since the last write', () => {
  const times = createTriggerTimes();
  const object = service({}, { creationTimestamp: after(5) });
  const at = (name: string, readySince: number) => pod({ name, readySince });
  assert.is(times.changedAt('k', object, [at('a', 7)]), after(5), 'first: the Service itself');
  assert.is(times.changedAt('k', object, [at('a', 7)]), undefined, 'nothing new');
  assert.is(times.changedAt('k', object, [at('a', 9), at('b', 8)]), after(8), 'the oldest of two');
  assert.is(times.changedAt('k', object, [at('a', 9)]), undefined, 'one less has no time');
  times.forget('k');
  assert.is(times.changedAt('k', object, [at('a', 1)]), after(1), 'a new one of that name');
});

test.run();
