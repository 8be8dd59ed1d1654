import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import { parse, stringify } from 'yaml';
import { type ContextOptions, contextProvider } from '../../harness/cluster/context/provider.ts';
import { ApiError } from '../../harness/kube/api-error.ts';
import type { Kube } from '../../harness/kube/client.ts';
import { credentialsOf } from '../../harness/kube/credentials.ts';
import { exportedConfig } from '../../harness/kube/exported.ts';
import { FaultError, UsageError } from '../../harness/model/errors.ts';
import { suite } from '../suite.ts';

const test = suite('context-provider');

const quiet = { progress: () => {}, signal: new AbortController().signal };

test('a context by name, or the current one; nothing else of the kubeconfig travels along', async () => {
  const table: [context: string | undefined, expected: string][] = [
    [undefined, 'staging'],
    ['production', 'production'],
  ];
  for (const [context, expected] of table) {
    await using world = makeWorld();
    await using cluster = await world.provider({ context }).create(quiet);
    assert.is(cluster.info.name, expected);
    assert.is(cluster.info.kind, 'context');
    const kubeconfig = parse(cluster.kubeconfig());
    assert.is(kubeconfig['current-context'], expected);
    assert.equal(
      kubeconfig.users.map((user: { name: string }) => user.name),
      [`${expected}-user`],
    );
  }
});

test('a token in a file stays one: it is read again while a run lasts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-token-'));
  writeFileSync(join(folder, 'token'), 'first\n');
  const file = join(folder, 'kubeconfig');
  const cluster = { name: 'c', cluster: { server: 'http://127.0.0.1:1' } };
  const contexts = [{ name: 'x', context: { cluster: 'c', user: 'u' } }];
  const users = [{ name: 'u', user: { tokenFile: 'token' } }];
  writeFileSync(
    file,
    JSON.stringify({
      clusters: [cluster],
      contexts,
      users: [{ name: 'u', user: { tokenFile: join(folder, 'token') } }],
      'current-context': 'x',
    }),
  );
  const config = new KubeConfig();
  config.loadFromFile(file);
  const text = JSON.stringify({ clusters: [cluster], contexts, users, 'current-context': 'x' });
  const written = JSON.parse(exportedConfig(config, [{ file, text }])) as { users: unknown };
  assert.equal(written.users, [{ name: 'u', user: { tokenFile: join(folder, 'token') } }]);
  rmSync(folder, { recursive: true });
});

test('a kubeconfig or context that is not there is a sentence', async () => {
  await using world = makeWorld();
  const table: [options: ContextOptions, message: RegExp][] = [
    [{ context: 'prod' }, /has no context "prod"; it has staging, production\.$/],
    [{ kubeconfigFile: '/no/such/file' }, /^context: \/no\/such\/file cannot be read: /],
  ];
  for (const [options, message] of table) {
    const error = await errorOf(world.provider(options).unavailable());
    assert.instance(error, UsageError);
    assert.match(error.message, message);
  }
});

test('a kubeconfig that is none, a server that is no address, and no kubeconfig at all', async () => {
  await using world = makeWorld();
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-kubeconfig-'));
  const file = join(folder, 'kubeconfig');
  const { KUBECONFIG, HOME } = process.env;
  try {
    for (const [text, message] of [
      ['', /kubeconfig cannot be read: it is empty, or no kubeconfig\.$/],
      [
        'clusters: [{name: a, cluster: {server: nope}}]\ncontexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n',
        /: the server of cluster "a" must be a URL with https:\/\/ or http:\/\/, not "nope"\.$/,
      ],
    ] as const) {
      writeFileSync(file, text);
      const error = await errorOf(world.provider({ kubeconfigFile: file }).unavailable());
      assert.instance(error, UsageError);
      assert.match(error.message, message);
    }
    process.env.HOME = folder;
    delete process.env.KUBECONFIG;
    const error = await errorOf(contextProvider({}).unavailable());
    assert.instance(error, UsageError);
    assert.match(error.message, /^context: there is no kubeconfig /);
  } finally {
    rmSync(folder, { recursive: true });
    if (HOME !== undefined) process.env.HOME = HOME;
    if (KUBECONFIG !== undefined) process.env.KUBECONFIG = KUBECONFIG;
  }
});

test('a server without TLS is asked as it is named: nothing of it can be verified', async () => {
  const { headers } = await credentialsOf(
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:8001' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      users: [{ name: 'u', user: { token: 't' } }],
      'current-context': 'x',
    }),
  ).current();
  assert.equal(headers, { Authorization: 'Bearer t' });
});

test('a cluster that does not answer', async () => {
  await using world = makeWorld();
  world.answers['/version'] = () => {
    throw new FaultError('connect ECONNREFUSED');
  };
  assert.is(
    await world.provider().unavailable(),
    'context staging: the cluster does not answer (connect ECONNREFUSED). Check the kubeconfig and the network.',
  );
});

test('what may not be done is said before anything is created, all at once, with the command that helps', async () => {
  const table: [denied: string[], wanted: ContextOptions['wanted'], message: string | undefined][] = [
    [
      ['create namespaces', 'get pods/proxy', 'watch events'],
      {},
      'context staging: missing permissions: create namespaces; get pods/proxy; watch events. Apply what `rollproof rbac` prints.',
    ],
    [
      ['create jobs'],
      { namespace: 'team' },
      'context staging: missing permissions in namespace team: create jobs. Apply what `rollproof rbac --namespace team` prints.',
    ],
    [['create namespaces', 'patch nodes'], { namespace: 'team' }, undefined],
    [
      ['create jobs', 'watch endpointslices'],
      { namespace: 'team', watch: 'agents', servicesIn: 'team' },
      'context staging: missing permissions in namespace team: create jobs; watch endpointslices. Apply what `rollproof rbac --watch --namespace team` prints.',
    ],
    [
      ['create jobs', 'watch endpointslices'],
      { namespace: 'load', watch: 'agents', servicesIn: 'team' },
      'context staging: missing permissions in namespace load: create jobs, and in namespace team: watch endpointslices. Apply what `rollproof rbac --watch --namespace team --agent-namespace load` prints.',
    ],
    [
      ['create ingresses'],
      { kinds: [{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' }] },
      'context staging: missing permissions: create ingresses. Apply what `rollproof rbac` prints.',
    ],
  ];
  for (const [denied, wanted, message] of table) {
    await using world = makeWorld();
    for (const right of denied) world.denied.add(right);
    const create = world.provider({ ...(wanted && { wanted }) }).create(quiet);
    if (message === undefined) await create;
    else {
      const error = await errorOf(create);
      assert.instance(error, FaultError);
      assert.is(error.message, message);
    }
    assert.equal(world.changed, [], 'nothing was created or deleted');
  }
});

test('what a run can do without is a note', async () => {
  await using world = makeWorld();
  world.denied.add('patch nodes').add('create pods/eviction');
  await using cluster = await world.provider().create(quiet);
  assert.equal(cluster.denied, ['patch nodes', 'create pods/eviction']);
  assert.ok(
    cluster.info.notes.includes('Some rights lack: no node is drained.'),
    cluster.info.notes.join('\n'),
  );
});

test('a namespace that is not there is a sentence; one that another run uses is waited for', async () => {
  await using world = makeWorld();
  const wanted = { namespace: 'team' };
  world.answers['/api/v1/namespaces/team'] = () => undefined;
  const error = await errorOf(world.provider({ wanted }).create(quiet));
  assert.instance(error, UsageError);
  assert.match(error.message, 'there is no namespace team');

  world.answers['/api/v1/namespaces/team'] = () => ({});
  let looked = 0;
  world.answers['/apis/batch/v1/namespaces/team/jobs'] = () => ({
    items:
      looked++ > 0 ? [] : [{ metadata: { name: 'rollproof-agent', labels: { 'rollproof.dev/run': 'r7' } } }],
  });
  const said: string[] = [];
  await world.provider({ wanted }).create({ ...quiet, progress: (text) => said.push(text) });
  assert.ok(said.includes('waiting for run r7 in namespace team to end'), said.join('\n'));
});

test('namespaces of killed runs are removed when they are old and without agents', async () => {
  await using world = makeWorld();
  const old = new Date(Date.now() - 3_600_000).toISOString();
  const young = new Date().toISOString();
  world.answers['/api/v1/namespaces'] = () => ({
    items: [
      ['empty', old],
      ['busy', old],
      ['young', young],
    ].map(([name, creationTimestamp]) => ({ metadata: { name, creationTimestamp } })),
  });
  world.answers['/apis/batch/v1/namespaces/empty/jobs'] = () => ({ items: [] });
  world.answers['/apis/batch/v1/namespaces/busy/jobs'] = () => ({ items: [{ metadata: { name: 'a' } }] });
  await world.provider().create(quiet);
  assert.equal(world.changed, ['DELETE /api/v1/namespaces/empty']);
});

test('nodes that may not be listed are not known, and that is said', async () => {
  await using world = makeWorld();
  world.answers['/api/v1/nodes'] = () => {
    throw new ApiError(403, 'Forbidden', 'no');
  };
  await using cluster = await world.provider().create(quiet);
  assert.equal(cluster.info.nodes, []);
  assert.ok(cluster.info.notes.includes('The nodes may not be listed, so they are not known.'));
});

test.run();

function makeWorld() {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-context-'));
  const kubeconfigFile = join(folder, 'config');
  const names = ['staging', 'production'];
  writeFileSync(
    kubeconfigFile,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'staging',
      clusters: names.map((name) => ({ name, cluster: { server: `https://${name}.example` } })),
      users: names.map((name) => ({ name: `${name}-user`, user: { token: `secret of ${name}` } })),
      contexts: names.map((name) => ({ name, context: { cluster: name, user: `${name}-user` } })),
    }),
  );
  const changed: string[] = [];
  const denied = new Set<string>();
  const answers: Record<string, () => unknown> = {
    '/version': () => ({ gitVersion: 'v1.33.1' }),
    '/api/v1/namespaces': () => ({ items: [] }),
    '/api/v1/namespaces/team': () => ({}),
    '/apis/batch/v1/namespaces/team/jobs': () => ({ items: [] }),
    '/api/v1/nodes': () => ({
      items: [
        { metadata: { name: 'cp', labels: { 'node-role.kubernetes.io/control-plane': '' } } },
        { metadata: { name: 'w1' } },
      ],
    }),
  };
  const kube = {
    async raw(method: string, path: string) {
      if (method !== 'GET') changed.push(`${method} ${path}`);
      const answer = answers[path];
      return answer?.() !== undefined
        ? { status: 200, text: JSON.stringify(answer()) }
        : { status: 404, text: '{}' };
    },
    async json(method: string, path: string, options: { body?: unknown } = {}) {
      if (method !== 'POST') return answers[path]?.();
      const { spec } = options.body as {
        spec: { resourceAttributes: { verb: string; resource: string; subresource?: string } };
      };
      const { verb, resource, subresource } = spec.resourceAttributes;
      return {
        status: { allowed: !denied.has(`${verb} ${[resource, subresource].filter(Boolean).join('/')}`) },
      };
    },
    close: () => {},
  } as unknown as Kube;
  return {
    changed,
    denied,
    answers,
    provider: (options: ContextOptions = {}) =>
      contextProvider({ kubeconfigFile, ...options }, async () => kube),
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function errorOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was expected to fail');
}
