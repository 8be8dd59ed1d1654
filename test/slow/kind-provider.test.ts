// What the kind provider does with Docker, kind and its own records, on every way in and out.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ownerMount } from '../../harness/cluster/kind/cluster-config.ts';
import { Ownership, type OwnershipRecord, thisProcess } from '../../harness/cluster/kind/ownership.ts';
import { type KindOptions, kindProvider } from '../../harness/cluster/kind/provider.ts';
import { cleanup } from '../../harness/commands/cleanup.ts';
import { toApiError } from '../../harness/kube/api-error.ts';
import type { Kube } from '../../harness/kube/client.ts';
import { FaultError, InterruptedError } from '../../harness/model/errors.ts';
import { FakeDocker, fails, type Trouble } from '../fake-docker.ts';
import { suite } from '../suite.ts';

const test = suite('kind-provider');

const NODE_IMAGE = 'kindest/node:v1.34.4';

test('unavailable: one sentence with what was seen and what to do', async () => {
  const none = 'Load one into Docker, name one that is present with --kind-image, or use --cluster embedded.';
  const table: [
    what: string,
    trouble: [string, Trouble] | undefined,
    options: KindOptions,
    expected: string | undefined,
  ][] = [
    ['all there', undefined, {}, undefined],
    [
      'no docker',
      ['docker version', fails('not-found')],
      {},
      'kind: there is no "docker" on the PATH. Install Docker (https://docs.docker.com/engine/install/) or use --cluster embedded.',
    ],
    [
      'dead docker',
      ['docker version', fails(1, 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n')],
      {},
      'kind: Docker does not answer (Cannot connect to the Docker daemon at unix:///var/run/docker.sock.). Start it, or use --cluster embedded.',
    ],
    [
      'stuck docker',
      ['docker version', fails('timeout')],
      {},
      'kind: Docker did not answer within 15 s. Start it again, or use --cluster embedded.',
    ],
    [
      'no kind',
      ['kind version', fails('not-found')],
      {},
      'kind: there is no "kind" on the PATH. Install it (https://kind.sigs.k8s.io) or use --cluster embedded.',
    ],
    [
      'named image absent, registry out of reach',
      ['docker manifest inspect', fails(1, 'no such host\n')],
      { nodeImage: 'kindest/node:v1.20.0' },
      `kind: node image kindest/node:v1.20.0 is not present and the registry does not give it (no such host). ${none}`,
    ],
  ];
  for (const [what, trouble, options, expected] of table) {
    await using world = makeWorld();
    if (trouble) world.docker.troubles.set(...trouble);
    assert.is(await world.provider(options).unavailable(), expected, what);
  }
  await using world = makeWorld();
  world.docker.images.clear();
  world.docker.troubles.set('docker manifest inspect', fails(1, 'no such host\n'));
  assert.is(
    await world.provider().unavailable(),
    `kind: no image kindest/node is present and the registry does not give it (no such host). ${none}`,
  );
});

test('up and down: owned by file and mount while it is up, nothing left afterwards', async () => {
  await using world = makeWorld();
  const cluster = await world.create();
  const record = world.ownership.read('rollproof') as OwnershipRecord;
  assert.is(record.state, 'up');
  assert.equal(record.owner, thisProcess());
  assert.is(world.docker.nodesOf('rollproof').length, 4);
  for (const container of world.docker.containers.values()) {
    assert.ok(container.mounts.includes(ownerMount(record.token)));
  }
  assert.equal(cluster.info, {
    name: 'rollproof',
    kind: 'kind',
    kubernetesVersion: 'v1.34.4',
    emulated: false,
    nodes: nodeNames('rollproof', 4).map((name, index) => ({
      name,
      role: index === 0 ? 'control-plane' : 'worker',
    })),
    proxyMode: 'iptables',
    agentNode: 'rollproof-control-plane',
    notes: [],
  });
  assert.is(cluster.kubeconfig(), 'kubeconfig of rollproof');
  await cluster[Symbol.asyncDispose]();
  await cluster.destroy();
  world.assertNothingLeft();
});

test('the record is there before kind is asked', async () => {
  await using world = makeWorld();
  let seen: OwnershipRecord | undefined;
  world.docker.troubles.set('kind create', () => {
    seen = world.ownership.read('rollproof');
  });
  await using _ = await world.create();
  assert.is(seen?.state, 'creating');
});

test('a creation that fails is a sentence with the command line, and leaves nothing', async () => {
  const table: [what: string, trouble: [string, Trouble], message: RegExp][] = [
    [
      'kind itself',
      ['kind create', fails(1, 'ERROR: failed to create cluster: no space left on device\n')],
      /^kind: cluster rollproof did not come up\.\n"command create cluster --name rollproof .*" ended with 1\n {2}ERROR: failed to create cluster: no space left/,
    ],
    ['its limit', ['kind create', fails('timeout')], /did not end within 420 s/],
  ];
  for (const [what, trouble, message] of table) {
    await using world = makeWorld();
    // kind has made containers by the time it fails.
    world.docker.troubles.set(trouble[0], async (args, options) => {
      await world.half(args);
      await trouble[1](args, options);
    });
    const error = await errorOf(world.create());
    assert.instance(error, FaultError, what);
    assert.match(error.message, message);
    world.assertNothingLeft();
  }
});

test('a mode in which kube-proxy cannot run is a sentence from its own log while kind is at work', async () => {
  await using world = makeWorld();
  world.docker.proxyLog = '2026-01-02T03:04:05Z stderr F E0102 1 run.go:72] "command failed" err="no nft"\n';
  world.docker.troubles.set('kind create', async (args, { signal }) => {
    await world.half(args);
    await new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
    throw new InterruptedError();
  });
  const error = await errorOf(world.create({ proxyMode: 'nftables' }));
  assert.instance(error, FaultError);
  assert.match(
    error.message,
    /^kind: kube-proxy does not run in mode nftables on this machine: it says "no nft"/,
  );
  world.assertNothingLeft();
});

test('an interrupt in the middle of the creation leaves nothing', async () => {
  await using world = makeWorld();
  const controller = new AbortController();
  world.docker.troubles.set('kind create', async (args) => {
    await world.half(args);
    controller.abort();
    throw new InterruptedError();
  });
  const error = await errorOf(world.provider().create({ progress: () => {}, signal: controller.signal }));
  assert.instance(error, InterruptedError);
  world.assertNothingLeft();
});

test('what cannot be removed is said beside what went wrong', async () => {
  await using world = makeWorld();
  world.docker.troubles.set('kind create', async (args, options) => {
    await world.half(args);
    await fails(1, 'no memory\n')(args, options);
  });
  world.docker.troubles.set('kind delete', fails(1, 'docker is gone\n'));
  const error = await errorOf(world.create());
  assert.match(error.message, /no memory\nRemoving what was made failed, too: .*\n {2}docker is gone/);
  assert.ok(world.ownership.read('rollproof'), 'the record stays, for the next sweep');
});

test('kept: stays up for the next run, which uses it again and leaves it', async () => {
  await using world = makeWorld();
  await (await world.create({ keep: true }))[Symbol.asyncDispose]();
  assert.is(world.docker.nodesOf('rollproof').length, 4);
  assert.is(world.ownership.read('rollproof')?.owner, null);
  const created = () => world.docker.ran.filter((line) => line.startsWith('kind create')).length;
  const again = await world.create();
  assert.is(created(), 1);
  assert.is(again.info.name, 'rollproof');
  await again[Symbol.asyncDispose]();
  assert.is(world.docker.nodesOf('rollproof').length, 4);
  await (await world.create()).destroy();
  world.assertNothingLeft();
});

test('using a kept cluster again removes what a killed run left in it', async () => {
  await using world = makeWorld();
  await (await world.create({ keep: true }))[Symbol.asyncDispose]();
  world.namespaces.add('rollproof-run1-image-change');
  await using _ = await world.create();
  assert.is(world.namespaces.size, 0);
});

test('a kept cluster that is not what was asked for is left alone', async () => {
  const table: [what: string, options: KindOptions][] = [
    ['one node', { oneNode: true }],
    ['another image', { nodeImage: 'kindest/node:v1.30.0' }],
    ['another mode of kube-proxy', { proxyMode: 'iptables' }],
  ];
  for (const [what, options] of table) {
    await using world = makeWorld();
    world.docker.images.set('kindest/node:v1.30.0', { id: 'sha256:30', labels: {} });
    await (await world.create({ keep: true }))[Symbol.asyncDispose]();
    const other = await world.create(options);
    assert.is(other.info.name, 'rollproof-2', what);
    await other[Symbol.asyncDispose]();
    assert.is(world.docker.nodesOf('rollproof').length, 4, what);
    assert.is(world.docker.nodesOf('rollproof-2').length, 0, what);
  }
});

test('a kept cluster gets the autoscaler period that is asked for, and keeps it', async () => {
  await using world = makeWorld();
  await (await world.create({ keep: true }))[Symbol.asyncDispose]();
  const changes = () => world.docker.ran.filter((line) => line.includes('sync-period')).length;
  const table: [seconds: number | null | undefined, note: RegExp, changes: number][] = [
    [undefined, /^$/, 0],
    [5, /every 5 s/, 1],
    [5, /every 5 s/, 1],
    [undefined, /every 5 s/, 1],
    [null, /^$/, 2],
  ];
  for (const [autoscalerSyncSeconds, note, expected] of table) {
    await using cluster = await world.create({ autoscalerSyncSeconds });
    assert.is(cluster.info.name, 'rollproof');
    assert.match(cluster.info.notes.join(), note);
    assert.is(changes(), expected);
  }
});

test('a kept cluster that does not come up again is made anew under its name', async () => {
  const table: [what: string, damage: (world: World) => void][] = [
    [
      'a stopped node',
      ({ docker }) => Object.assign(docker.containers.get('rollproof-worker') ?? {}, { running: false }),
    ],
    ['a missing node', ({ docker }) => void docker.containers.delete('rollproof-worker')],
  ];
  for (const [what, damage] of table) {
    await using world = makeWorld();
    await (await world.create({ keep: true }))[Symbol.asyncDispose]();
    damage(world);
    const cluster = await world.create();
    assert.is(cluster.info.name, 'rollproof', what);
    assert.is(world.docker.nodesOf('rollproof').length, 4, what);
    await cluster[Symbol.asyncDispose]();
    assert.is(world.docker.nodesOf('rollproof').length, 4, `${what}: kept as it was`);
  }
});

test('a kept cluster that cannot be looked at is a sentence, and stays', async () => {
  const table: [what: string, damage: (world: World) => void, said: RegExp][] = [
    [
      'no kubeconfig',
      ({ docker }) => void docker.troubles.set('kind get kubeconfig', fails(1, 'no nodes found\n')),
      /no nodes found/,
    ],
    [
      'Docker does not answer in time',
      ({ docker }) => void docker.troubles.set('docker ps --all', fails('timeout', '')),
      /did not end within/,
    ],
    ['a node that is not ready', ({ unready }) => void unready.add('rollproof-worker'), /rollproof-worker/],
    ['an API server that refuses', ({ refusing }) => void refusing.add('/api/v1/namespaces'), /out of order/],
  ];
  for (const [what, damage, said] of table) {
    await using world = makeWorld();
    await (await world.create({ keep: true }))[Symbol.asyncDispose]();
    damage(world);
    const error = await errorOf(world.create());
    assert.instance(error, FaultError, what);
    assert.match(error.message, said, what);
    assert.match(
      error.message,
      /^kind: cluster rollproof is kept, but cannot be used: [\s\S]*rollproof cleanup --all$/,
    );
    assert.is(world.docker.nodesOf('rollproof').length, 4, what);
    assert.is(world.ownership.read('rollproof')?.owner, null, what);
    assert.is(world.ownership.read('rollproof')?.keep, true, what);
    assert.is(world.docker.ran.filter((line) => line.startsWith('kind delete')).length, 0, what);
  }
});

test('a kept cluster that was deleted by hand frees its name, and its network goes in the end', async () => {
  await using world = makeWorld();
  await (await world.create({ keep: true }))[Symbol.asyncDispose]();
  for (const name of world.docker.nodesOf('rollproof')) world.docker.containers.delete(name);
  const cluster = await world.create();
  assert.is(cluster.info.name, 'rollproof');
  await cluster[Symbol.asyncDispose]();
  world.assertNothingLeft();
});

test('progress says what kind does, without its ornaments', async () => {
  await using world = makeWorld();
  world.docker.troubles.set('kind create', (_, { onLine }) => {
    onLine?.('Creating cluster "rollproof" ...');
    onLine?.(' • Ensuring node image (kindest/node:v1.34.4) 🖼  ...');
    onLine?.(' ✓ Ensuring node image (kindest/node:v1.34.4) 🖼');
    onLine?.(' • Starting control-plane 🕹️  ...');
  });
  const said: string[] = [];
  await using _ = await world
    .provider()
    .create({ progress: (text) => void said.push(text), signal: new AbortController().signal });
  assert.equal(said, [
    'creating cluster rollproof (4 nodes)',
    'rollproof: ensuring node image (kindest/node:v1.34.4)',
    'rollproof: starting control-plane',
    'rollproof: waiting for nodes and CoreDNS',
  ]);
});

test('a state folder that cannot be written is a sentence', async () => {
  await using world = makeWorld();
  const provider = kindProvider(
    {},
    {
      run: world.docker.run,
      connect: async () => fakeKube([], new Set(), new Set(), new Set()),
      stateFolder: '/dev/null/state',
    },
  );
  const error = await errorOf(provider.create({ progress: () => {}, signal: new AbortController().signal }));
  assert.instance(error, FaultError);
  assert.match(error.message, /^kind: \/dev\/null\/state\/clusters cannot be made .* set XDG_STATE_HOME/);
});

test('an interrupt while a kept cluster is looked at leaves it kept', async () => {
  await using world = makeWorld();
  await (await world.create({ keep: true }))[Symbol.asyncDispose]();
  const controller = new AbortController();
  world.docker.troubles.set('kind get kubeconfig', () => {
    controller.abort();
    throw new InterruptedError();
  });
  await errorOf(world.provider().create({ progress: () => {}, signal: controller.signal }));
  assert.is(world.docker.nodesOf('rollproof').length, 4);
  assert.is(world.ownership.read('rollproof')?.owner, null);
});

test('two at once get clusters of their own', async () => {
  await using world = makeWorld();
  const [first, second] = await Promise.all([world.create(), world.create()]);
  assert.equal([first.info.name, second.info.name].sort(), ['rollproof', 'rollproof-2']);
  await Promise.all([first.destroy(), second.destroy()]);
  world.assertNothingLeft();
});

test('a cluster of that name that is not ours is never touched', async () => {
  await using world = makeWorld();
  world.docker.addCluster('rollproof', 1, []);
  const cluster = await world.create();
  assert.is(cluster.info.name, 'rollproof-2');
  await cluster.destroy();
  assert.equal(world.docker.nodesOf('rollproof'), ['rollproof-control-plane']);
  assert.ok(world.docker.network, 'its network stays');
});

test('the next start sweeps what a killed process left', async () => {
  for (const state of ['creating', 'up', 'deleting'] as const) {
    await using world = makeWorld();
    world.abandon('rollproof', { state, keep: state === 'creating' });
    world.abandon('rollproof-2', { state });
    const cluster = await world.create();
    assert.is(cluster.info.name, 'rollproof', state);
    assert.is(world.docker.nodesOf('rollproof-2').length, 0, state);
    await cluster.destroy();
    world.assertNothingLeft();
  }
});

test('a sweep deletes only what file and mount both name', async () => {
  await using world = makeWorld();
  world.abandon('rollproof', { state: 'up' });
  for (const name of world.docker.nodesOf('rollproof')) world.docker.containers.delete(name);
  // Since then somebody else has made a cluster of that name.
  world.docker.addCluster('rollproof', 1, [ownerMount('somebody')]);
  await (await world.create()).destroy();
  assert.equal(world.docker.nodesOf('rollproof'), ['rollproof-control-plane']);
  assert.not.ok(world.docker.ran.includes('kind delete cluster --name rollproof'));
});

test('network: goes with the last cluster of ours when there was none before', async () => {
  await using world = makeWorld();
  const [first, second] = await Promise.all([world.create(), world.create()]);
  await first.destroy();
  assert.ok(world.docker.network, 'the other one still uses it');
  await second.destroy();
  assert.is(world.docker.network, null);

  world.docker.network = 'of the user';
  await (await world.create()).destroy();
  assert.is(world.docker.network, 'of the user');
});

test('a load agent outside that a killed run left goes with its cluster, another one stays', async () => {
  await using world = makeWorld();
  world.abandon('rollproof', { state: 'up' });
  world.docker.companions.set('agent', 'token-rollproof');
  await (await world.create()).destroy();
  world.assertNothingLeft();

  world.abandon('rollproof', { state: 'up' });
  world.docker.companions.set('of somebody', 'another');
  await (await world.create()).destroy();
  assert.equal([...world.docker.companions.keys()], ['of somebody']);
  assert.ok(world.docker.network, 'which uses the network');
});

test('load agents that a killed run left beside a kept cluster go when it is used again, or by cleanup', async () => {
  await using world = makeWorld();
  await (await world.create({ keep: true }))[Symbol.asyncDispose]();
  const { token } = world.ownership.read('rollproof') as OwnershipRecord;
  world.docker.companions.set('agent', token).set('agent-2', token).set('of somebody', 'another');
  assert.equal(await cleanup(world.docker.run, world.ownership, false), [
    'removed 2 load agents beside cluster rollproof',
    'Cluster rollproof is kept (rollproof cleanup --all removes it).',
  ]);
  assert.equal([...world.docker.companions.keys()], ['of somebody']);

  world.docker.companions.set('agent', token);
  const used = await world.create({ keep: true });
  assert.equal([...world.docker.companions.keys()], ['of somebody']);
  world.docker.companions.set('at work', token);
  await cleanup(world.docker.run, world.ownership, false);
  assert.ok(world.docker.companions.has('at work'), 'a cluster in use keeps its agents');
  await used.destroy();
});

test('cleanup: says what it did; kept clusters go with --all only', async () => {
  await using world = makeWorld();
  const clean = (all: boolean) => cleanup(world.docker.run, world.ownership, all);
  assert.equal(await clean(false), ['Nothing was left behind.']);
  world.abandon('rollproof', { state: 'up' });
  assert.equal(await clean(false), ['removed cluster rollproof (4 nodes)']);
  await (await world.create({ keep: true }))[Symbol.asyncDispose]();
  assert.equal(await clean(false), [
    'Nothing was left behind.',
    'Cluster rollproof is kept (rollproof cleanup --all removes it).',
  ]);
  const used = await world.create();
  assert.ok((await clean(true)).includes('Cluster rollproof is in use.'));
  await used[Symbol.asyncDispose]();
  assert.ok((await clean(true)).includes('removed cluster rollproof (4 nodes)'));
  world.assertNothingLeft();
});

test('the wait for nodes says what it saw last', async () => {
  await using world = makeWorld();
  world.unready.add('rollproof-worker');
  const controller = new AbortController();
  const said: string[] = [];
  const creation = world
    .provider()
    .create({ progress: (text) => said.push(text), signal: controller.signal });
  while (!said.some((text) => text.includes('waiting for nodes')))
    await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  assert.instance(await errorOf(creation), InterruptedError);
  world.assertNothingLeft();
});

test.run();

interface World extends AsyncDisposable {
  readonly docker: FakeDocker;
  readonly ownership: Ownership;
  /** Namespaces of ours in the cluster. */
  readonly namespaces: Set<string>;
  /** Nodes that do not get ready. */
  readonly unready: Set<string>;
  /** API paths that are answered with an error. */
  readonly refusing: Set<string>;
  provider(options?: KindOptions): ReturnType<typeof kindProvider>;
  create(options?: KindOptions): ReturnType<ReturnType<typeof kindProvider>['create']>;
  /** What `kind create` has made before it fails. */
  half(args: readonly string[]): Promise<void>;
  /** A cluster whose process is gone. */
  abandon(name: string, fields: Partial<OwnershipRecord>): void;
  assertNothingLeft(): void;
}

function makeWorld(): World {
  const stateFolder = mkdtempSync(join(tmpdir(), 'rollproof-state-'));
  const docker = new FakeDocker();
  docker.images.set(NODE_IMAGE, { id: 'sha256:1', labels: {} });
  const ownership = new Ownership(stateFolder);
  const namespaces = new Set<string>();
  const unready = new Set<string>();
  const refusing = new Set<string>();
  const connect = async (kubeconfig: string) =>
    fakeKube(docker.nodesOf(kubeconfig.replace('kubeconfig of ', '')), namespaces, unready, refusing);
  const provider = (options: KindOptions = {}) =>
    kindProvider(options, { run: docker.run, connect, stateFolder, reuseLimitMs: 300 });
  return {
    docker,
    ownership,
    namespaces,
    unready,
    refusing,
    provider,
    create: (options) =>
      provider(options).create({ progress: () => {}, signal: new AbortController().signal }),
    async half(args) {
      const name = args[args.indexOf('--name') + 1] ?? '';
      docker.addCluster(name, 2, [ownerMount(ownership.read(name)?.token ?? '')]);
    },
    abandon(name, fields) {
      const token = `token-${name}`;
      docker.addCluster(name, 4, [ownerMount(token)]);
      ownership.write({
        schemaVersion: 1,
        name,
        token,
        owner: { ...thisProcess(), startedAt: 'before' },
        creator: null,
        state: 'up',
        keep: false,
        nodes: 4,
        image: null,
        autoscalerSyncSeconds: null,
        networkBefore: null,
        createdAt: '2026-01-01T00:00:00Z',
        ...fields,
      });
    },
    assertNothingLeft() {
      assert.equal([...docker.containers.keys(), ...docker.companions.keys()], []);
      assert.is(docker.network, null);
      const clusters = join(stateFolder, 'clusters');
      assert.equal(existsSync(clusters) ? readdirSync(clusters) : [], []);
      assert.equal(
        readdirSync(stateFolder).filter((name) => name !== 'clusters' && name !== 'turns'),
        [],
      );
    },
    async [Symbol.asyncDispose]() {
      rmSync(stateFolder, { recursive: true, force: true });
    },
  };
}

/** Answers the few paths that the provider reads. */
function fakeKube(
  nodes: readonly string[],
  namespaces: Set<string>,
  unready: ReadonlySet<string>,
  refusing: ReadonlySet<string>,
): Kube {
  let looks = 0;
  const answers: Record<string, () => unknown> = {
    '/version': () => ({ gitVersion: 'v1.34.4' }),
    '/api/v1/nodes': () => ({
      items: nodes.map((name) => ({
        metadata: {
          name,
          labels: name.endsWith('control-plane') ? { 'node-role.kubernetes.io/control-plane': '' } : {},
        },
        status: { conditions: [{ type: 'Ready', status: unready.has(name) ? 'False' : 'True' }] },
      })),
    }),
    '/apis/apps/v1/namespaces/kube-system/deployments/coredns': () => ({
      spec: { replicas: 2 },
      status: { availableReplicas: 2 },
    }),
    '/api/v1/namespaces/kube-system/configmaps/kube-proxy': () => ({ data: { 'config.conf': 'mode: ""\n' } }),
    // Each look finds another holder, as after a restart.
    '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager': () => ({
      spec: { holderIdentity: String(++looks) },
    }),
    '/api/v1/namespaces': () => ({ items: [...namespaces].map((name) => ({ metadata: { name } })) }),
  };
  const raw = async (method: string, path: string) => {
    if (method === 'DELETE') {
      namespaces.delete(path.split('/').at(-1) ?? '');
      return { status: 200, text: '{}' };
    }
    if (refusing.has(path)) return { status: 500, text: '{"message":"out of order"}' };
    const answer = answers[path];
    return answer ? { status: 200, text: JSON.stringify(answer()) } : { status: 404, text: '{}' };
  };
  const kube = {
    raw,
    async json(method: string, path: string) {
      const answer = await raw(method, path);
      if (answer.status > 299) throw toApiError(answer);
      return JSON.parse(answer.text);
    },
    during: () => kube,
    close: () => {},
  } as unknown as Kube;
  return kube;
}

function nodeNames(cluster: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) =>
    index === 0 ? `${cluster}-control-plane` : `${cluster}-worker${index === 1 ? '' : index}`,
  );
}

async function errorOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was expected to fail');
}
