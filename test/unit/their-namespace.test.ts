// One namespace of somebody's: what is made there is marked and removed, nobody else's traffic is mixed up with it, and the
// rights that are printed are those that are asked for.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { rbacText } from '../../harness/cluster/context/rbac-text.ts';
import { resourceOf, rightsNeeded } from '../../harness/cluster/context/rights.ts';
import { belongingsIn } from '../../harness/deploy/belongings.ts';
import { mixedUp, takenOver } from '../../harness/deploy/neighbours.ts';
import type { Kube } from '../../harness/kube/client.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { suite } from '../suite.ts';

const test = suite('their-namespace');
const identity = { namespace: 'team', runId: 'r1', experiment: 'x.as-is' };

test('what is created there carries the run and belongs to the agents; elsewhere nothing is changed', async () => {
  const world = makeWorld();
  const belongings = belongingsIn(identity);
  const kube = belongings.marking(world.kube);
  const job = await kube.json<Manifest>('POST', '/apis/batch/v1/namespaces/team/jobs', {
    body: { apiVersion: 'v1', ...named('Job', 'a') },
  });
  belongings.belongTo(job);
  await kube.raw('POST', '/api/v1/namespaces/team/services', { body: named('Service', 'b') });
  await kube.objects.create({ apiVersion: 'v1', ...named('ConfigMap', 'c', { namespace: 'team' }) });
  await kube.during(new AbortController().signal).json('POST', '/api/v1/namespaces/team/configmaps', {
    body: named('ConfigMap', 'd'),
  });
  await kube.json('POST', '/api/v1/namespaces/other/configmaps', { body: named('ConfigMap', 'e') });
  await kube.json('POST', '/api/v1/namespaces/team/pods/p/eviction', { body: {} });
  const marks = Object.fromEntries(
    [...world.objects].map(([path, { metadata }]) => [
      path.split('/').at(-1),
      [metadata.labels, metadata.ownerReferences],
    ]),
  );
  const labels = {
    'app.kubernetes.io/managed-by': 'rollproof',
    'rollproof.dev/run': 'r1',
    'rollproof.dev/experiment': 'x.as-is',
  };
  const owner = [{ apiVersion: 'v1', kind: 'Job', name: 'a', uid: 'uid-a' }];
  assert.equal(marks, {
    a: [labels, undefined],
    b: [labels, owner],
    c: [labels, owner],
    d: [labels, owner],
    e: [undefined, undefined],
  });

  await belongings.remove(world.kube, 1000);
  assert.equal([...world.objects.keys()], ['/api/v1/namespaces/other/configmaps/e']);
});

test('only the very object that was created is removed, and what stays is named', async () => {
  const world = makeWorld();
  const belongings = belongingsIn(identity);
  const kube = belongings.marking(world.kube);
  await kube.json('POST', '/api/v1/namespaces/team/configmaps', { body: named('ConfigMap', 'mine') });
  // Somebody has deleted it and made another one of that name.
  world.objects.set('/api/v1/namespaces/team/configmaps/mine', {
    ...named('ConfigMap', 'mine'),
    metadata: { name: 'mine', uid: 'another' },
  } as unknown as Manifest);
  await belongings.remove(world.kube, 1000);
  assert.ok(world.objects.has('/api/v1/namespaces/team/configmaps/mine'));

  await kube.json('POST', '/api/v1/namespaces/team/services', { body: named('Service', 'stuck') });
  world.immortal.add('/api/v1/namespaces/team/services/stuck');
  try {
    await belongings.remove(world.kube, 600);
    assert.unreachable();
  } catch (error) {
    assert.match(
      (error as Error).message,
      /^Namespace team: services stuck could not be removed within 0\.6 s\. Look with: kubectl -n team get all -l rollproof\.dev\/run=r1$/,
    );
  }
});

test('a list that fails is asked for again: what it would have told is never called gone', async () => {
  const world = makeWorld();
  const belongings = belongingsIn(identity);
  // The answer to the create is lost: only its label tells of it.
  const deployments = '/apis/apps/v1/namespaces/team/deployments';
  const kube = belongings.marking({
    ...world.kube,
    raw: async (...request) => ({ ...(await world.kube.raw(...request)), text: '' }),
  });
  await kube.raw('POST', deployments, { body: named('Deployment', 'mine') });
  assert.ok(world.objects.has(`${deployments}/mine`));
  let fails = 2;
  const failing: Kube = {
    ...world.kube,
    raw: (method, path, options) =>
      method === 'GET' && path === deployments && fails-- > 0
        ? Promise.resolve({ status: 500, text: '{"message":"etcdserver: leader changed"}' })
        : world.kube.raw(method, path, options),
  };
  await belongings.remove(failing, 20_000);
  assert.not(world.objects.has(`${deployments}/mine`));
  assert.ok(fails < 0, 'it was asked until it answered');
});

test('traffic of others and our load stay apart', () => {
  const labels = { app: 'shop', tier: 'web' };
  const workload = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop' },
    spec: { template: { metadata: { labels }, spec: { containers: [] } } },
  };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'shop' },
    spec: { selector: { app: 'shop' } },
  };
  const theirs = (name: string, selector: Record<string, string> | undefined) => ({
    metadata: { name },
    ...(selector && { spec: { selector } }),
  });
  const table: [
    services: ReturnType<typeof theirs>[],
    pods: { metadata: { name: string; labels?: Record<string, string> } }[],
    expected: string | undefined,
  ][] = [
    [[], [], undefined],
    [[theirs('other', { app: 'other' }), theirs('external', undefined), theirs('empty', {})], [], undefined],
    [
      [theirs('live', { app: 'shop' })],
      [],
      'Service live would send its traffic to the pods of our Deployment shop.',
    ],
    [[theirs('narrow', { app: 'shop', tier: 'api' })], [], undefined],
    [
      [],
      [{ metadata: { name: 'shop-1', labels: { app: 'shop' } } }],
      'our Service shop would send the load to pod shop-1, which is not ours.',
    ],
    [[], [{ metadata: { name: 'bare' } }], undefined],
  ];
  for (const [services, pods, expected] of table)
    assert.is(mixedUp([workload, service], services, pods), expected);
});

test('a claim that is there already is not taken over by a StatefulSet of the same name', () => {
  const set = {
    ...named('StatefulSet', 'web'),
    apiVersion: 'apps/v1',
    spec: { volumeClaimTemplates: [{ metadata: { name: 'data' } }] },
  } as Manifest;
  assert.match(
    takenOver([set], ['other', 'data-web-1']) ?? '',
    /^PersistentVolumeClaim data-web-1 is there already/,
  );
  assert.is(takenOver([set], ['data-web-blue-0', 'data-web-', 'log-web-0']), undefined);
  assert.is(takenOver([named('Deployment', 'web') as Manifest], ['data-web-0']), undefined);
});

test('docs/rbac.yaml is what `rollproof rbac` prints', () => {
  const text = rbacText({}, { name: 'rollproof', accountNamespace: 'default' });
  assert.is(readFileSync(new URL('../../docs/rbac.yaml', import.meta.url), 'utf8'), text);
});

test('rights as RBAC objects: a Role alone in one namespace, nothing but what is asked for', () => {
  interface Rbac {
    kind: string;
    metadata: { name: string; namespace?: string };
    rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  }
  const read = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as Rbac);
  const names = { name: 'rollproof', accountNamespace: 'ops' };
  const inside = read(rbacText({ namespace: 'team' }, names));
  assert.equal(
    inside.map(({ kind, metadata }) => [kind, metadata.namespace]),
    [
      ['ServiceAccount', 'team'],
      ['Role', 'team'],
      ['RoleBinding', 'team'],
    ],
  );
  const rules = inside[1]?.rules ?? [];
  assert.not.ok(
    rules.some(({ resources }) => resources.some((one) => /^(namespaces|nodes|secrets|roles)/.test(one))),
  );
  assert.not.ok(JSON.stringify(rules).includes('*'));
  assert.equal(
    rules.map(({ apiGroups, resources, verbs }) => [apiGroups[0], resources, verbs]),
    rightsNeeded({ namespace: 'team' }).map(({ group, resources, verbs }) => [group, resources, verbs]),
  );
  const across = read(rbacText({ copiesSecret: true }, names));
  assert.equal(
    across.map(({ kind }) => kind),
    ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding'],
  );
  assert.ok(across[1]?.rules?.some(({ resources }) => resources.includes('secrets')));
});

test('what the manifests bring along needs rights of its own', () => {
  const kinds = [
    { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
    { apiVersion: 'v1', kind: 'Service' },
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    { apiVersion: 'v1', kind: 'ServiceAccount' },
  ];
  const more = rightsNeeded({ namespace: 'team', kinds }).slice(rightsNeeded({ namespace: 'team' }).length);
  assert.equal(
    more.map(({ group, resources }) => [group, ...resources]),
    [
      ['networking.k8s.io', 'ingresses'],
      ['networking.k8s.io', 'networkpolicies'],
      ['', 'serviceaccounts'],
    ],
  );
  for (const [kind, resource] of [
    ['Endpoints', 'endpoints'],
    ['StorageClass', 'storageclasses'],
    ['Gateway', 'gateways'],
    ['Deployment', 'deployments'],
  ] as const)
    assert.is(resourceOf(kind), resource);
});

test.run();

function named(kind: string, name: string, more: Record<string, unknown> = {}) {
  return { kind, metadata: { name, ...more } };
}

/** An API server that keeps what it is given. */
function makeWorld() {
  const objects = new Map<string, Manifest>();
  const immortal = new Set<string>();
  const raw: Kube['raw'] = async (method, path, options = {}) => {
    const answer = (status: number, body: unknown) => ({ status, text: JSON.stringify(body) });
    if (method === 'POST') {
      const body = options.body as Manifest;
      if (!body.metadata?.name) return answer(201, {});
      const object = {
        ...body,
        metadata: { ...body.metadata, uid: `uid-${body.metadata.name}` },
      };
      objects.set(`${path}/${body.metadata.name}`, object);
      return answer(201, object);
    }
    if (path === '/api/v1')
      return answer(200, { resources: [{ name: 'configmaps', kind: 'ConfigMap', namespaced: true }] });
    if (method === 'DELETE') {
      const { preconditions } = (options.body ?? {}) as { preconditions?: { uid: string } };
      const found = objects.get(path);
      if (!found) return answer(404, {});
      if (preconditions && preconditions.uid !== found.metadata.uid) return answer(409, {});
      if (!immortal.has(path)) objects.delete(path);
      return answer(200, {});
    }
    const wanted = String(options.query?.labelSelector ?? '')
      .split(',')
      .map((one) => one.split('=') as [string, string]);
    const items = [...objects]
      .filter(([at]) => at.startsWith(`${path}/`))
      .map(([, object]) => object)
      .filter(({ metadata }) => wanted.every(([key, value]) => metadata.labels?.[key] === value));
    return answer(200, { items });
  };
  const kube = {
    raw,
    json: async (method: string, path: string, options?: Parameters<Kube['json']>[2]) =>
      JSON.parse((await raw(method, path, options)).text),
    during: () => kube,
  } as unknown as Kube;
  return { objects, immortal, kube };
}
