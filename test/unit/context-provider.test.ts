import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse, stringify } from 'yaml';
import { type ContextOptions, contextProvider } from '../../harness/cluster/context/provider.ts';
import { ApiError, type Kube } from '../../harness/kube/client.ts';
import { FaultError, UsageError } from '../../harness/model/errors.ts';
import { FakeDocker } from '../fake-docker.ts';
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

test('what may not be done is said before anything is created', async () => {
  await using world = makeWorld();
  world.denied.add('create namespaces').add('get pods/proxy');
  const error = await errorOf(world.provider().create(quiet));
  assert.instance(error, FaultError);
  assert.is(
    error.message,
    'context staging: you may not create namespaces; get pods/proxy. Ask for what docs/rbac.yaml lists.',
  );
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

test('the agent node: as asked, else a control plane', async () => {
  await using world = makeWorld();
  const agentNode = async (options: ContextOptions) =>
    (await world.provider(options).create(quiet)).info.agentNode;
  assert.is(await agentNode({}), 'cp');
  assert.is(await agentNode({ agentNode: 'w1' }), 'w1');
  assert.match(
    (await errorOf(agentNode({ agentNode: 'w9' }))).message,
    /there is no node "w9"; there are cp, w1\./,
  );
});

test('our images are pushed to the registry of their name; without one it cannot work', async () => {
  await using world = makeWorld();
  await using cluster = await world.provider().create(quiet);
  const build = { bundle: world.bundle, env: {} };
  await cluster.provideImages(
    [{ name: 'registry.example/rollproof/agent:1', build }, { name: 'nginx' }],
    quiet,
  );
  assert.ok(world.docker.ran.includes('docker push --quiet registry.example/rollproof/agent:1'));
  assert.not.ok(
    world.docker.ran.some((line) => line.includes('nginx')),
    "others are the cluster's business",
  );
  const error = await errorOf(cluster.provideImages([{ name: 'rollproof/agent:1', build }], quiet));
  assert.match(
    error.message,
    /image rollproof\/agent:1 is built here, and the cluster cannot get it from here\./,
  );
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
  const bundle = join(folder, 'bundle.cjs');
  writeFileSync(bundle, 'program');
  const docker = new FakeDocker();
  const denied = new Set<string>();
  const answers: Record<string, () => unknown> = {
    '/version': () => ({ gitVersion: 'v1.33.1' }),
    '/api/v1/nodes': () => ({
      items: [
        { metadata: { name: 'cp', labels: { 'node-role.kubernetes.io/control-plane': '' } } },
        { metadata: { name: 'w1' } },
      ],
    }),
  };
  const kube = {
    async raw(_: string, path: string) {
      const answer = answers[path];
      return answer ? { status: 200, text: JSON.stringify(answer()) } : { status: 404, text: '{}' };
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
    docker,
    bundle,
    denied,
    answers,
    provider: (options: ContextOptions = {}) =>
      contextProvider({ kubeconfigFile, ...options }, { run: docker.run, connect: async () => kube }),
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
