// @kubernetes/client-node on the API server: the same calls that the harness makes on every cluster.
import * as k8s from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import { type ApiCluster, addNode, addPod, startApi, until } from '../api-cluster.ts';
import { suite } from '../suite.ts';

const test = suite('client-node');

function client(cluster: ApiCluster): k8s.KubeConfig {
  const config = new k8s.KubeConfig();
  config.loadFromString(cluster.kubeconfig);
  return config;
}

const body = {
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'app', image: 'web:1' }] },
    },
  },
};

/** The Status of a refused call. */
async function refusal(call: Promise<unknown>): Promise<{ code: number; reason: string; message: string }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof k8s.ApiException) return { ...JSON.parse(error.body as string), code: error.code };
    throw error;
  }
  throw new Error('nothing was refused');
}

test('create, read, list in pages, replace with conflict, delete', async () => {
  await using cluster = await startApi();
  const apps = client(cluster).makeApiClient(k8s.AppsV1Api);
  const created = await apps.createNamespacedDeployment({ namespace: 'default', body });
  assert.ok(created.metadata?.creationTimestamp instanceof Date);
  assert.is(created.spec?.strategy?.rollingUpdate?.maxSurge, '25%');
  await apps.createNamespacedDeployment({
    namespace: 'default',
    body: { ...body, metadata: { name: 'other' } },
  });
  const first = await apps.listNamespacedDeployment({ namespace: 'default', limit: 1 });
  assert.is(first.metadata?.remainingItemCount, 1);
  // The second page is of the same moment, whatever happens in between.
  await apps.deleteNamespacedDeployment({ name: 'web', namespace: 'default' });
  const rest = await apps.listNamespacedDeployment({
    namespace: 'default',
    limit: 1,
    _continue: first.metadata?._continue,
  });
  assert.equal(
    [...first.items, ...rest.items].map(({ metadata }) => metadata?.name),
    ['other', 'web'],
  );
  const { spec, metadata } = await apps.readNamespacedDeployment({ name: 'other', namespace: 'default' });
  const replaced = await apps.replaceNamespacedDeployment({
    name: 'other',
    namespace: 'default',
    body: { metadata, spec: { ...spec!, replicas: 5 } },
  });
  assert.is(replaced.spec?.replicas, 5);
  const old = await refusal(
    apps.replaceNamespacedDeployment({
      name: 'other',
      namespace: 'default',
      body: { metadata, spec: { ...spec!, replicas: 6 } },
    }),
  );
  assert.is(old.code, 409);
  assert.is(old.reason, 'Conflict');
  const missing = await refusal(apps.readNamespacedDeployment({ name: 'web', namespace: 'default' }));
  assert.equal([missing.code, missing.message], [404, 'deployments.apps "web" not found']);
});

test('the patch kinds', async () => {
  await using cluster = await startApi();
  const apps = client(cluster).makeApiClient(k8s.AppsV1Api);
  const place = { name: 'web', namespace: 'default' };
  await apps.createNamespacedDeployment({ namespace: 'default', body });
  const patches: [string, unknown, string][] = [
    [k8s.PatchStrategy.MergePatch, { spec: { replicas: 3 } }, '3 web:1'],
    [k8s.PatchStrategy.JsonPatch, [{ op: 'replace', path: '/spec/replicas', value: 4 }], '4 web:1'],
    [
      k8s.PatchStrategy.StrategicMergePatch,
      { spec: { template: { spec: { containers: [{ name: 'app', image: 'web:2' }] } } } },
      '4 web:2',
    ],
  ];
  for (const [strategy, patch, expected] of patches) {
    const patched = await apps.patchNamespacedDeployment(
      { ...place, body: patch },
      k8s.setHeaderOptions('Content-Type', strategy),
    );
    const [container] = patched.spec!.template.spec!.containers;
    assert.is(`${patched.spec?.replicas} ${container?.image}`, expected, strategy);
  }
  const wrong = await refusal(apps.patchNamespacedDeployment({ ...place, body: { spec: {} } }));
  assert.equal(
    [wrong.code, wrong.message],
    [400, 'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp'],
  );
  const status = await apps.patchNamespacedDeploymentStatus(
    { ...place, body: { status: { replicas: 4 }, spec: { replicas: 99 } } },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
  );
  assert.equal([status.status?.replicas, status.spec?.replicas], [4, 4]);
});

test('scale: read, patch, replace', async () => {
  await using cluster = await startApi();
  const apps = client(cluster).makeApiClient(k8s.AppsV1Api);
  const place = { name: 'web', namespace: 'default' };
  await apps.createNamespacedDeployment({ namespace: 'default', body });
  const scale = await apps.readNamespacedDeploymentScale(place);
  assert.equal([scale.spec?.replicas, scale.status?.selector], [2, 'app=web']);
  await apps.patchNamespacedDeploymentScale(
    { ...place, body: { spec: { replicas: 5 } } },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
  );
  const stale = await refusal(
    apps.replaceNamespacedDeploymentScale({ ...place, body: { ...scale, spec: { replicas: 1 } } }),
  );
  assert.is(stale.reason, 'Conflict');
  const current = await apps.readNamespacedDeploymentScale(place);
  const set = await apps.replaceNamespacedDeploymentScale({
    ...place,
    body: { ...current, spec: { replicas: 1 } },
  });
  assert.is(set.spec?.replicas, 1);
});

interface Seen {
  type: string;
  name: string;
  version: number;
}

/** Collects a watch's events until it is ended. */
async function watched(cluster: ApiCluster, path: string, query: Record<string, string | boolean>) {
  const seen: Seen[] = [];
  let ended: unknown = 'running';
  const request = await new k8s.Watch(client(cluster)).watch(
    path,
    query,
    (type, object) => {
      const name = object.metadata?.name ?? object.message ?? '';
      seen.push({ type, name, version: Number(object.metadata?.resourceVersion) });
    },
    (error) => {
      ended = error ?? 'closed';
    },
  );
  return { seen, request, ended: () => ended };
}

test('watch: initial events, selectors that objects enter and leave, deletion', async () => {
  await using cluster = await startApi();
  const { registry } = cluster;
  registry.create('configmaps', { metadata: { name: 'a', labels: { on: 'yes' } } });
  const all = await watched(cluster, '/api/v1/namespaces/default/configmaps', {});
  const some = await watched(cluster, '/api/v1/configmaps', { labelSelector: 'on=yes' });
  const show = ({ seen }: { seen: Seen[] }) => seen.map(({ type, name }) => `${type} ${name}`);
  await until(
    'the present objects',
    () => all.seen.length === 1 && some.seen.length === 1,
    () => show(all),
  );
  registry.create('configmaps', { metadata: { name: 'b' } });
  const label = (name: string, value: string) =>
    registry.mutate('configmaps', 'default', name, (draft) => {
      draft.metadata.labels = { on: value };
    });
  label('b', 'yes');
  label('a', 'no');
  registry.delete('configmaps', 'default', 'b');
  await until(
    'the deletion',
    () => show(all).at(-1) === 'DELETED b' && show(some).at(-1) === 'DELETED b',
    () => show(some),
  );
  assert.equal(show(all), ['ADDED a', 'ADDED b', 'MODIFIED b', 'MODIFIED a', 'DELETED b']);
  assert.equal(show(some), ['ADDED a', 'ADDED b', 'DELETED a', 'DELETED b']);
  const versions = all.seen.map(({ version }) => version);
  assert.equal(
    versions,
    [...versions].sort((a, b) => a - b),
  );
  all.request.abort();
  some.request.abort();
});

test('watch from a version, its time limit, bookmarks, the end of initial events', async () => {
  await using cluster = await startApi();
  const { registry } = cluster;
  registry.create('configmaps', { metadata: { name: 'a' } });
  const version = String(registry.storage.version);
  registry.create('configmaps', { metadata: { name: 'b' } });
  const later = await watched(cluster, '/api/v1/namespaces/default/configmaps', {
    resourceVersion: version,
    timeoutSeconds: '1',
    allowWatchBookmarks: true,
  });
  await until('the end', () => later.ended() === 'closed', later.ended);
  assert.equal(
    later.seen.map(({ type, name }) => `${type} ${name}`),
    ['ADDED b', 'BOOKMARK '],
  );
  const initial = await watched(cluster, '/api/v1/namespaces/default/configmaps', {
    sendInitialEvents: 'true',
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: true,
  });
  await until(
    'the bookmark',
    () => initial.seen.length === 3,
    () => initial.seen.length,
  );
  assert.equal(
    initial.seen.map(({ type }) => type),
    ['ADDED', 'ADDED', 'BOOKMARK'],
  );
  initial.request.abort();
});

test('watch from a version that is forgotten: 410 as an event', async () => {
  await using cluster = await startApi();
  const { registry } = cluster;
  const config = () => ({ metadata: { generateName: 'c-' } });
  for (let count = 0; count < 13_000; count++) {
    const { metadata } = registry.create('configmaps', config());
    registry.delete('configmaps', 'default', metadata.name);
  }
  const old = await watched(cluster, '/api/v1/configmaps', { resourceVersion: '1' });
  await until('the end', () => old.ended() !== 'running', old.ended);
  assert.equal(
    old.seen.map(({ type, name }) => `${type} ${name.replace(/\d+/g, 'N')}`),
    ['ERROR too old resource version: N (N)'],
  );
});

test('an informer lists, follows and starts again after a close', async () => {
  await using cluster = await startApi();
  const { registry } = cluster;
  const config = client(cluster);
  const core = config.makeApiClient(k8s.CoreV1Api);
  const informer = k8s.makeInformer(config, '/api/v1/namespaces/default/configmaps', () =>
    core.listNamespacedConfigMap({ namespace: 'default' }),
  );
  const seen: string[] = [];
  for (const verb of ['add', 'update', 'delete'] as const) {
    informer.on(verb, (object) => seen.push(`${verb} ${object.metadata?.name}`));
  }
  registry.create('configmaps', { metadata: { name: 'a' } });
  await informer.start();
  registry.mutate('configmaps', 'default', 'a', (draft) => {
    draft.data = { x: '1' };
  });
  registry.delete('configmaps', 'default', 'a');
  await until(
    'the deletion',
    () => seen.includes('delete a'),
    () => seen,
  );
  assert.equal(seen, ['add a', 'update a', 'delete a']);
  await informer.stop();
});

test('eviction asks the budget, logs are read and followed, exec runs', async () => {
  await using cluster = await startApi();
  const { registry } = cluster;
  const config = client(cluster);
  const core = config.makeApiClient(k8s.CoreV1Api);
  addNode(registry, 'node1');
  addPod(registry, 'p', 'default', { app: 'web' });
  registry.create('poddisruptionbudgets', {
    metadata: { name: 'b' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
  });
  const eviction = { name: 'p', namespace: 'default', body: { metadata: { name: 'p' } } };
  const early = await refusal(core.createNamespacedPodEviction(eviction));
  assert.is(early.code, 429);
  const allow = (disruptionsAllowed: number, observedGeneration = 1) =>
    registry.mutate(
      'poddisruptionbudgets',
      'default',
      'b',
      (draft) => {
        draft.status = {
          disruptionsAllowed,
          observedGeneration,
          currentHealthy: 1,
          desiredHealthy: 1,
          expectedPods: 1,
        };
      },
      'status',
    );
  allow(0);
  const refused = await refusal(core.createNamespacedPodEviction(eviction));
  assert.is(refused.message, "Cannot evict pod as it would violate the pod's disruption budget.");
  assert.is(
    await core.readNamespacedPodLog({ name: 'p', namespace: 'default', tailLines: 2 }),
    'line 1 of p/app\nline 2 of p/app\n',
  );
  const { PassThrough } = await import('node:stream');
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const following = await new k8s.Log(config).log('default', 'p', 'app', stream, { follow: true });
  await until(
    'followed lines',
    () => text.includes('more 2'),
    () => text,
  );
  following.abort();
  const output = new PassThrough();
  let printed = '';
  output.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  const status = await new Promise<k8s.V1Status>((resolve, reject) => {
    new k8s.Exec(config)
      .exec('default', 'p', 'app', ['false'], output, null, null, false, resolve)
      .catch(reject);
  });
  assert.is(status.reason, 'NonZeroExitCode');
  assert.is(printed, 'app: false\n');
  allow(1);
  await core.createNamespacedPodEviction(eviction);
  assert.is(registry.get('pods', 'default', 'p')?.metadata.deletionGracePeriodSeconds, 30);
  assert.is(registry.get('poddisruptionbudgets', 'default', 'b')?.status?.disruptionsAllowed, 0);
});

test('objects of any kind, metrics, the pod proxy, deletion of collections', async () => {
  await using cluster = await startApi();
  const { registry } = cluster;
  const config = client(cluster);
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  await objects.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'default' },
  });
  const read = await objects.read({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'default' },
  });
  assert.is(read.metadata?.name, 'a');
  addNode(registry, 'node1');
  addPod(registry, 'p');
  const pods = await new k8s.Metrics(config).getPodMetrics('default');
  assert.is(pods.items[0]?.containers[0]?.usage.cpu, '5000000n');
  const core = config.makeApiClient(k8s.CoreV1Api);
  const answer = await fetch(`${cluster.url}/api/v1/namespaces/default/pods/p:8080/proxy/a%2Fb?c=d`, {
    method: 'POST',
    headers: { authorization: cluster.authorization },
    body: 'x',
  });
  assert.equal(await answer.json(), {
    namespace: 'default',
    pod: 'p',
    port: 8080,
    path: '/a%2Fb?c=d',
    method: 'POST',
  });
  await core.deleteCollectionNamespacedConfigMap({ namespace: 'default' });
  assert.is(registry.list('configmaps').length, 0);
});

test('up without waiting for anything, and closes with watches open', async () => {
  const startedMs = performance.now();
  const cluster = await startApi();
  const upMs = performance.now() - startedMs;
  assert.ok(upMs < 20_000, `${upMs} ms`);
  const open = await watched(cluster, '/api/v1/pods', {});
  await cluster[Symbol.asyncDispose]();
  await until('the end of the watch', () => open.ended() !== 'running', open.ended);
});

test.run();
