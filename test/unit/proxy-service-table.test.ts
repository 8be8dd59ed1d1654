import * as assert from 'uvu/assert';
import type { EndpointSlice, Service } from '../../emulator/api/types.ts';
import { serviceTable } from '../../emulator/proxy/service-table.ts';
import { suite } from '../suite.ts';

const test = suite('service table');

/** "a:RS-" ready; "b:-ST" terminating but serving; "c:---" not ready; "@worker" puts it on a node. */
function slice(endpoints: readonly string[]): EndpointSlice {
  return {
    metadata: { name: 'web-1', namespace: 'n', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map((text) => {
      const [name = '', flags = '', node] = text.split(/[:@]/);
      return {
        addresses: [`127.16.16.${name.charCodeAt(0)}`],
        nodeName: node ?? 'worker',
        targetRef: { kind: 'Pod', name },
        conditions: { ready: flags[0] === 'R', serving: flags[1] === 'S', terminating: flags[2] === 'T' },
      };
    }),
  } as unknown as EndpointSlice;
}

function service(spec: Record<string, unknown> = {}): Service {
  return {
    metadata: { name: 'web', namespace: 'n' },
    spec: {
      type: 'ClusterIP',
      clusterIP: '127.16.1.1',
      ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
      ...spec,
    },
  } as unknown as Service;
}

const route = (endpoints: readonly string[], spec?: Record<string, unknown>, node = 'worker') =>
  serviceTable([service(spec)], [slice(endpoints)], node)[0];
const pods = (list: readonly { readonly pod?: string }[] | undefined) =>
  (list ?? []).map(({ pod }) => pod).join('');

const cases: readonly [string, readonly string[], string][] = [
  ['ready ones', ['a:RS-', 'b:RS-', 'c:---'], 'ab'],
  ['a terminating one only when none is ready', ['a:RS-', 'b:-ST'], 'a'],
  ['none ready: those that terminate but serve', ['a:---', 'b:-ST', 'c:-ST', 'd:--T'], 'bc'],
  ['none at all', ['a:---', 'd:--T'], ''],
];
for (const [name, endpoints, expected] of cases) {
  test(name, () => assert.is(pods(route(endpoints)?.endpoints), expected));
}

test('ports: the slice says where the pods listen', () => {
  const found = route(['a:RS-']);
  assert.is(found?.port, 80);
  assert.is(found?.endpoints[0]?.port, 8080);
  assert.is(found?.endpoints[0]?.ip, '127.16.16.97');
});

test('internal policy Local: of this node, and dropped when only others have some', () => {
  const spec = { internalTrafficPolicy: 'Local' };
  assert.is(pods(route(['a:RS-@one', 'b:RS-@two'], spec, 'two')?.endpoints), 'b');
  const without = route(['a:RS-@one'], spec, 'two');
  assert.is(pods(without?.endpoints), '');
  assert.is(without?.drops, true);
  assert.is(pods(without?.externalEndpoints), 'a', 'node ports have a policy of their own');
  assert.is(route([], spec, 'two')?.drops, false, 'none anywhere is refused');
});

test('external policy Local concerns node ports alone', () => {
  const found = route(
    ['a:RS-@one', 'b:RS-@two'],
    { type: 'NodePort', externalTrafficPolicy: 'Local' },
    'one',
  );
  assert.is(pods(found?.endpoints), 'ab');
  assert.is(pods(found?.externalEndpoints), 'a');
  const without = route(['b:RS-@two'], { type: 'NodePort', externalTrafficPolicy: 'Local' }, 'one');
  assert.is(pods(without?.externalEndpoints), '');
  assert.is(without?.externalDrops, true, 'kube-proxy drops what comes there');
  assert.is(without?.drops, false);
});

test('headless Services and those of other names are not routed', () => {
  assert.equal(serviceTable([service({ clusterIP: 'None' })], [slice(['a:RS-'])], 'worker'), []);
  assert.equal(serviceTable([service({ type: 'ExternalName' })], [slice(['a:RS-'])], 'worker'), []);
});

test.run();
