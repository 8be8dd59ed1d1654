// The kind provider on a real Docker: up, used again, images, a lagging proxy, and nothing left on every way out.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { KubernetesObject } from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { contextProvider } from '../../harness/cluster/context/provider.ts';
import { Ownership } from '../../harness/cluster/kind/ownership.ts';
import { type KindOptions, kindProvider } from '../../harness/cluster/kind/provider.ts';
import { sweep } from '../../harness/cluster/kind/removal.ts';
import type { RunningCluster } from '../../harness/cluster/provider.ts';
import { runCommand } from '../../harness/exec/command.ts';
import { connectKube, type Kube } from '../../harness/kube/client.ts';
import { FaultError, InterruptedError } from '../../harness/model/errors.ts';
import { interruption, suite } from '../suite.ts';

const NAME = 'rollproof-test';
const skip = await kindProvider().unavailable();
const test = suite('kind-cluster', { timeoutMs: 240_000, skip });

test('up, used again, images, a lagging proxy, down', async () => {
  await using place = makePlace();
  // Disposed of also when a check fails, because a proxy that is held keeps this process alive.
  await using first = await place.create({ keep: true, autoscalerSyncSeconds: 5 });
  assert.is(first.info.kind, 'kind');
  assert.is(first.info.emulated, false);
  assert.match(first.info.kubernetesVersion, /^v1\.\d+\.\d+/);
  assert.equal(first.info.nodes, [{ name: `${NAME}-control-plane`, role: 'control-plane' }]);
  assert.is(first.info.proxyMode, 'iptables');
  assert.match(first.info.notes.join(), /every 5 s/);
  const flags = inNode('cat', '/etc/kubernetes/manifests/kube-controller-manager.yaml');
  assert.match(flags, /--horizontal-pod-autoscaler-sync-period=5s/);
  const kube = await connectKube(first.kubeconfig());
  try {
    const { token } = place.ownership.read(NAME) ?? { token: 'no record' };
    const node = await kube.json<{ metadata: { labels: Record<string, string> } }>(
      'GET',
      `/api/v1/nodes/${NAME}-control-plane`,
    );
    assert.is(node.metadata.labels['rollproof.dev/owner'], token);
    await imagesAreProvided(first, place.folder);
    await proxyLags(first, kube);
    await contextNeedsWhatDocsSay(first, kube, place.folder);
  } finally {
    kube.close();
  }
  await first[Symbol.asyncDispose]();
  assert.is(place.ownership.read(NAME)?.owner, null);

  const startedAt = performance.now();
  const again = await place.create();
  const tookMs = performance.now() - startedAt;
  assert.is(again.info.name, NAME);
  // Measured: about 1 s. Not asserted any tighter, because the machine may be busy.
  assert.ok(tookMs < 30_000, `used again after ${tookMs} ms`);
  await again.destroy();
  place.assertNothingLeft();
});

test('an interrupt in the middle of the creation leaves nothing', async () => {
  await using place = makePlace();
  const controller = new AbortController();
  const progress = (text: string) => {
    if (text.includes('control-plane')) setTimeout(() => controller.abort(), 1000);
  };
  const error = await errorOf(place.provider().create({ progress, signal: controller.signal }));
  assert.instance(error, InterruptedError);
  place.assertNothingLeft();
});

test('after kill -9 in the middle of the creation, the next start leaves nothing of it', async () => {
  await using place = makePlace();
  const script = join(place.folder, 'create.mts');
  const module = fileURLToPath(new URL('../../harness/cluster/kind/provider.ts', import.meta.url));
  writeFileSync(
    script,
    `import { kindProvider } from ${JSON.stringify(module)};
     import { connectKube } from ${JSON.stringify(module.replace('cluster/kind/provider.ts', 'kube/client.ts'))};
     import { runCommand } from ${JSON.stringify(module.replace('cluster/kind/provider.ts', 'exec/command.ts'))};
     await kindProvider(
       { name: ${JSON.stringify(NAME)}, oneNode: true },
       { run: runCommand, connect: connectKube, stateFolder: ${JSON.stringify(place.stateFolder)} },
     ).create({ progress: (text) => console.log(text), signal: new AbortController().signal });`,
  );
  const child = spawn(process.execPath, ['--import', 'tsx', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout }))
    if (line.includes('writing configuration')) break;
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(containers().length > 0, 'there is something to sweep');
  const did = await sweep(runCommand, place.ownership, { kept: false, say: () => {} });
  assert.equal(did, [`removed cluster ${NAME} (1 nodes)`]);
  await delay(1000);
  place.assertNothingLeft();
});

test('an image that is no node image: a sentence with the last lines, and nothing left', async () => {
  await using place = makePlace();
  const image = 'rollproof/no-node:1';
  const context = mkdtempSync(join(place.folder, 'image-'));
  const base = execFileSync('docker', ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', 'node'], {
    encoding: 'utf8',
  });
  writeFileSync(join(context, 'Dockerfile'), `FROM ${base.split('\n')[0]}\nENTRYPOINT ["true"]\n`);
  await runCommand('docker', ['build', '--quiet', '--tag', image, context], { limitMs: 60_000 });
  try {
    const error = await errorOf(place.create({ nodeImage: image }));
    assert.instance(error, FaultError);
    assert.match(
      error.message,
      /^kind: cluster rollproof-test did not come up\.\n"kind create cluster --name rollproof-test /,
    );
    place.assertNothingLeft();
  } finally {
    await runCommand('docker', ['image', 'rm', image], { limitMs: 30_000 });
  }
});

test.run();

async function imagesAreProvided(cluster: RunningCluster, folder: string): Promise<void> {
  const bundle = join(folder, 'bundle.cjs');
  writeFileSync(bundle, 'console.log(process.env.VERSION)');
  const images = ['1', '2'].map((version) => ({
    name: `rollproof/cluster-test:${version}`,
    build: { bundle, env: { VERSION: version } },
  }));
  const said: string[] = [];
  const options = { progress: (text: string) => void said.push(text), signal: new AbortController().signal };
  try {
    await cluster.provideImages(images, options);
    const onNode = inNode('ctr', '--namespace', 'k8s.io', 'images', 'list', '--quiet').split('\n');
    for (const { name } of images) assert.ok(onNode.includes(`docker.io/${name}`), name);
    said.length = 0;
    await cluster.provideImages(images, options);
    assert.equal(said, [], 'nothing to do the second time');
    const error = await errorOf(cluster.provideImages([{ name: 'rollproof/no-such:1' }], options));
    assert.match(error.message, /^Image rollproof\/no-such:1 is not in Docker and cannot be pulled\./);
  } finally {
    for (const { name } of images) await runCommand('docker', ['image', 'rm', name], { limitMs: 30_000 });
  }
}

/** From the change of an EndpointSlice to the first connection through the Service, seen from the node itself. */
async function proxyLags(cluster: RunningCluster, kube: Kube): Promise<void> {
  const { delayProxy } = cluster;
  assert.ok(delayProxy, 'kind can delay');
  const path = '/api/v1/namespaces/default/services';
  const ports = [{ name: 'https', port: 80, targetPort: 6443 }];
  const service = await kube.json<{ spec: { clusterIP: string } }>('POST', path, {
    body: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'lag' }, spec: { ports } },
  });
  const address = inNode('hostname', '-i')
    .trim()
    .split(/\s+/)
    .find((one) => /^\d+\./.test(one));
  const probe = async () => {
    await kube.json('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      body: {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'lag-1', labels: { 'kubernetes.io/service-name': 'lag' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [address], conditions: { ready: true } }],
        ports: [{ name: 'https', port: 6443 }],
      },
    });
    const startedAt = performance.now();
    while (!connects(service.spec.clusterIP)) {
      assert.ok(performance.now() - startedAt < 20_000, 'the Service is routed in the end');
      await delay(50);
    }
    const lagMs = performance.now() - startedAt;
    await kube.json('DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/lag-1');
    // Long enough for the deletion to be routed, too, with and without the delay.
    await delay(7000);
    return lagMs;
  };
  const usual = await probe();
  await delayProxy(4000);
  assert.is(proxyState(), 'T', 'stopped');
  const delayed = await probe();
  await delayProxy(0);
  assert.is(proxyState(), 'S');
  const restored = await probe();
  await kube.json('DELETE', `${path}/lag`);
  assert.ok(delayed > 3500 && delayed < 15_000, `delayed by 4 s: ${delayed} ms`);
  assert.ok(usual < 3500, `before: ${usual} ms`);
  assert.ok(restored < 3500, `after: ${restored} ms`);
}

/** A service account of docs/rbac.yaml may do what a run does; one without the binding is told what it lacks. */
async function contextNeedsWhatDocsSay(cluster: RunningCluster, kube: Kube, folder: string): Promise<void> {
  const objects = parseAllDocuments(
    readFileSync(new URL('../../docs/rbac.yaml', import.meta.url), 'utf8'),
  ).map((document) => document.toJS() as KubernetesObject);
  const binding = objects.pop() as KubernetesObject;
  for (const object of objects) await kube.objects.create(object);
  const { status } = await kube.json<{ status: { token: string } }>(
    'POST',
    '/api/v1/namespaces/default/serviceaccounts/rollproof/token',
    { body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} } },
  );
  const kubeconfig = parse(cluster.kubeconfig());
  kubeconfig.users[0].user = { token: status.token };
  const kubeconfigFile = join(folder, 'rollproof.kubeconfig');
  writeFileSync(kubeconfigFile, stringify(kubeconfig));
  const provider = contextProvider({ kubeconfigFile });
  const options = { progress: () => {}, signal: new AbortController().signal };
  assert.match((await errorOf(provider.create(options))).message, /missing permissions: create namespaces; /);
  await kube.objects.create(binding);
  // The API server's authorizer sees the binding a moment later.
  await delay(2000);
  await using asUser = await provider.create(options);
  assert.is(asUser.info.kubernetesVersion, cluster.info.kubernetesVersion);
  assert.equal(asUser.info.nodes, cluster.info.nodes);
}

/** As in proc(5): T is stopped, S sleeping; one that runs at this moment counts as sleeping. */
function proxyState(): string {
  const stat = inNode('bash', '-c', 'cat /proc/$(pidof kube-proxy)/stat');
  return stat.split(' ')[2]?.replace('R', 'S') ?? '';
}

function connects(address: string): boolean {
  try {
    inNode('timeout', '1', 'bash', '-c', `</dev/tcp/${address}/80`);
    return true;
  } catch {
    return false;
  }
}

function inNode(...command: string[]): string {
  return execFileSync('docker', ['exec', `${NAME}-control-plane`, ...command], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

function containers(): string[] {
  const filter = `label=io.x-k8s.kind.cluster=${NAME}`;
  const listed = execFileSync('docker', ['ps', '--all', '--filter', filter, '--format', '{{.Names}}'], {
    encoding: 'utf8',
  });
  return listed.split('\n').filter(Boolean);
}

/** A state folder of its own, so that clusters of the user's are neither used nor swept. */
function makePlace() {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-kind-'));
  const stateFolder = join(folder, 'state');
  const ownership = new Ownership(stateFolder);
  const networkBefore = network();
  const provider = (options: KindOptions = {}) =>
    kindProvider(
      { name: NAME, oneNode: true, ...options },
      { run: runCommand, connect: connectKube, stateFolder },
    );
  return {
    folder,
    stateFolder,
    ownership,
    provider,
    create: (options?: KindOptions) =>
      provider(options).create({ progress: () => {}, signal: interruption() }),
    assertNothingLeft() {
      assert.equal(containers(), []);
      assert.is(network(), networkBefore);
      assert.equal(readdirSync(join(stateFolder, 'clusters')), []);
    },
    async [Symbol.asyncDispose]() {
      for (const record of ownership.list()) ownership.update(record.name, { owner: null, keep: false });
      await sweep(runCommand, ownership, { kept: true, say: () => {} });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function network(): string {
  return execFileSync('docker', ['network', 'ls', '--filter', 'name=^kind$', '--format', '{{.ID}}'], {
    encoding: 'utf8',
  });
}

async function errorOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was expected to fail');
}
