// Our steps and the real kubectl on one API server: the same requests as far as anybody can see afterwards. There are no
// controllers here; `rollOut` does what they would do.
import * as assert from 'uvu/assert';
import { connectKube } from '../../harness/kube/client.ts';
import { kubectlOnce } from '../../harness/kube/kubectl.ts';
import type { DeploymentFacts } from '../../harness/model/facts.ts';
import { type StepInput, stepSchema } from '../../harness/model/scenario.ts';
import { type ApiObject, reduceObject } from '../../harness/record/reduce.ts';
import type { StepContext } from '../../harness/steps/context.ts';
import { runStep } from '../../harness/steps/index.ts';
import { twinName } from '../../harness/steps/parity/twin.ts';
import { type ApiCluster, addNode, findKubectl, rollOut, startApi } from '../api-cluster.ts';
import { suite } from '../suite.ts';

const test = suite('steps and kubectl', { timeoutMs: 90_000 });
const needsKubectl = { skip: findKubectl() ? undefined : 'there is no kubectl on the PATH' };
const twin = twinName('web');

const web = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'app', image: 'web:1' }] },
    },
  },
};

interface Bench extends AsyncDisposable {
  readonly cluster: ApiCluster;
  run(...steps: StepInput[]): Promise<Readonly<Record<string, unknown>>>;
  deployment(name?: string): ApiObject;
}

/** `path`: where kubectl is looked for. */
async function bench(path = process.env.PATH): Promise<Bench> {
  const cluster = await startApi();
  const kube = await connectKube(cluster.kubeconfig);
  const undo: (() => Promise<void>)[] = [];
  addNode(cluster.registry, 'node1');
  await kube.objects.create(structuredClone(web));
  rollOut(cluster.registry, 'web');
  const deployment = (name = 'web') =>
    cluster.registry.get('deployments', 'default', name) as unknown as ApiObject;
  const rolled = new Set<string>();
  const state: Pick<StepContext['state'], 'all' | 'until'> = {
    all: (() =>
      new Map(
        cluster.registry
          .list('deployments', 'default')
          .map((one) => [
            one.metadata.name,
            reduceObject('Deployment', one as unknown as ApiObject) as DeploymentFacts,
          ]),
      )) as never,
    async until(what, met) {
      if (!rolled.has(twin)) rollOut(cluster.registry, twin);
      rolled.add(twin);
      assert.ok(met(), what);
    },
  };
  const before = process.env.PATH;
  process.env.PATH = path;
  const context = {
    kube,
    namespace: 'default',
    workload: { kind: 'Deployment', name: 'web', container: 'app' },
    images: { next: 'web:2' },
    state,
    signal: new AbortController().signal,
    kubectl: kubectlOnce(
      () => cluster.kubeconfig,
      'default',
      new AbortController().signal,
      (_, act) => undo.push(act),
    ),
  } as unknown as StepContext;
  return {
    cluster,
    deployment,
    async run(...steps) {
      let detail: Readonly<Record<string, unknown>> = {};
      for (const step of steps) detail = await runStep(stepSchema.parse(step), context);
      return detail;
    },
    async [Symbol.asyncDispose]() {
      process.env.PATH = before;
      for (const act of undo) await act();
      kube.close();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

const compare = { step: 'compare-twin', as: 'it' } as const;
const kubectl = (...args: string[]): StepInput => ({ step: 'kubectl', args });
const apply = (fields: object): StepInput[] => {
  const manifest = { apiVersion: 'apps/v1', kind: 'Deployment', ...fields };
  return [
    { step: 'apply', manifest },
    { step: 'kubectl', args: ['apply', '-f', '-'], manifest },
  ];
};

test(
  'each action leaves target and twin the same',
  async () => {
    await using place = await bench();
    const { cluster, run } = place;
    const same = async (what: string, steps: readonly StepInput[], template = true) => {
      await run(...steps);
      if (template) for (const name of ['web', twin]) rollOut(cluster.registry, name);
      const { differences, compared } = await run(compare);
      assert.equal(differences, [], what);
      assert.ok((compared as number) > 100, `${what}: ${compared} values compared`);
    };
    const version = (await run({ step: 'twin' })).kubectlVersion;
    assert.match(String(version), /^v1\.\d+/);
    await same('create', [], false);
    await same(
      'apply',
      apply({
        metadata: { annotations: { 'kubernetes.io/change-cause': 'one' } },
        spec: { revisionHistoryLimit: 5, template: { metadata: { annotations: { a: '1', b: '1' } } } },
      }),
    );
    await same(
      'apply without fields',
      apply({ spec: { template: { metadata: { annotations: { a: '2' } } } } }),
    );
    assert.equal(place.deployment().spec.template.metadata.annotations, { a: '2' });
    assert.is(place.deployment().spec.revisionHistoryLimit, 10, 'back at the default');
    await same('set image', [
      { step: 'set-image', image: 'next' },
      kubectl('set', 'image', 'deployment/{twin}', '{container}={image:next}'),
    ]);
    await same('pause', [{ step: 'pause' }, kubectl('rollout', 'pause', 'deployment/{twin}')], false);
    await same('resume', [{ step: 'resume' }, kubectl('rollout', 'resume', 'deployment/{twin}')], false);
    await same('restart', [{ step: 'restart' }, kubectl('rollout', 'restart', 'deployment/{twin}')]);
    await same(
      'scale',
      [{ step: 'scale', replicas: 3 }, kubectl('scale', 'deployment/{twin}', '--replicas=3')],
      false,
    );
    await same(
      'undo',
      [
        { step: 'rollback', toRevision: 1 },
        kubectl('rollout', 'undo', 'deployment/{twin}', '--to-revision=1'),
      ],
      false,
    );
  },
  needsKubectl,
);

test(
  'what kubectl did and we did not is found and named',
  async () => {
    await using place = await bench();
    await place.run({ step: 'twin' }, kubectl('annotate', 'deployment/{twin}', 'owner=a'));
    const { differences } = await place.run(compare);
    assert.equal(
      (differences as string[]).filter((one) => !one.includes('managers')),
      [
        `Deployment.metadata.annotations.owner: ours missing, kubectl's "a"`,
        // A Deployment's annotations count as a change.
        `Deployment.metadata.generation: ours 1, kubectl's 2`,
      ],
    );
  },
  needsKubectl,
);

test(
  'a kubectl that fails ends the step with its words',
  async () => {
    await using place = await bench();
    let message = '';
    await place.run(kubectl('rollout', 'pause', 'deployment/none')).catch((error: Error) => {
      message = error.message;
    });
    assert.match(message, /^kubectl rollout pause deployment\/none ended with 1: .*"none" not found/);
  },
  needsKubectl,
);

test('without kubectl nothing is compared, and that is said', async () => {
  await using place = await bench('/nowhere');
  const steps: StepInput[] = [{ step: 'twin' }, kubectl('get', 'pods'), compare];
  for (const step of steps) {
    assert.equal(await place.run(step), { notRun: 'there is no kubectl on the PATH' }, step.step);
  }
  assert.is(place.cluster.registry.get('deployments', 'default', twin), undefined);
});

test('undo brings back the change-cause of its revision, and does nothing where nothing would change', async () => {
  await using place = await bench();
  const cause = (text: string, a: string) => ({
    metadata: { annotations: { 'kubernetes.io/change-cause': text } },
    spec: { template: { metadata: { annotations: { a } } } },
  });
  await place.run({ step: 'apply', manifest: cause('first', '1') });
  rollOut(place.cluster.registry, 'web');
  // Controllers copy a Deployment's annotations to its newest ReplicaSet.
  place.cluster.registry.mutate('replicasets', 'default', 'web-hash2', (draft) => {
    draft.metadata.annotations = { ...draft.metadata.annotations, 'kubernetes.io/change-cause': 'first' };
  });
  await place.run({ step: 'apply', manifest: cause('second', '2') });
  rollOut(place.cluster.registry, 'web');
  assert.equal(await place.run({ step: 'rollback', toRevision: 3 }), {
    fromRevision: 3,
    toRevision: 3,
    skipped: true,
  });
  assert.is(place.deployment().metadata.annotations?.['kubernetes.io/change-cause'], 'second');
  await place.run({ step: 'rollback' });
  assert.is(place.deployment().metadata.annotations?.['kubernetes.io/change-cause'], 'first');
  assert.is(place.deployment().spec.template.metadata.annotations.a, '1');
});

test('apply creates what is not there, and remembers it', async () => {
  await using place = await bench();
  const manifest = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings' },
    data: { a: '1', b: '1' },
  };
  assert.is((await place.run({ step: 'apply', manifest })).created, true);
  assert.is((await place.run({ step: 'apply', manifest: { ...manifest, data: { a: '2' } } })).created, false);
  const found = place.cluster.registry.get('configmaps', 'default', 'settings');
  assert.equal(found?.data, { a: '2' });
});

test.run();
