// An Argo Rollout as target, against objects and answers written by hand after its CRD: what is refused of one, when it is
// over, what each step asks the API server for, and what is said where it cannot run.
import * as assert from 'uvu/assert';
import type { TargetConfiguration } from '../../harness/config/schema.ts';
import { refuseWithoutController, rolloutTakenUp } from '../../harness/deploy/argo-rollouts.ts';
import { asIsTarget } from '../../harness/deploy/foreign.ts';
import { readText } from '../../harness/deploy/read-manifests.ts';
import { readLive } from '../../harness/deploy/sources/live.ts';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import type { Kube } from '../../harness/kube/client.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Facts, RolloutFacts } from '../../harness/model/facts.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { rolloutComplete, rolloutSettled } from '../../harness/model/rollout.ts';
import { type Scenario, type Step, stepSchema } from '../../harness/model/scenario.ts';
import { createLiveState } from '../../harness/record/live.ts';
import { reduceObject } from '../../harness/record/reduce.ts';
import { cannotRun } from '../../harness/run/selection.ts';
import { remedyOf } from '../../harness/run/watch/remedy.ts';
import { unsettled } from '../../harness/run/watch/settled.ts';
import { takeOf } from '../../harness/run/watch/take.ts';
import { applyVariant, hardened } from '../../harness/settings/index.ts';
import type { StepContext } from '../../harness/steps/context.ts';
import { runStep } from '../../harness/steps/index.ts';
import { scenarios } from '../../scenarios/index.ts';
import { JournalBuilder } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('Argo Rollout');

const manifest = (strategy: string, more = '') => `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 3
  strategy: ${strategy}
  selector: {matchLabels: {app: web}}
${more}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: side, image: "side:1"}, {name: web, image: "web:1", ports: [{containerPort: 8080}]}]}
`;
const service = (name = 'web', selector = '{app: web}') => `
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: ${selector}, ports: [{port: 80, targetPort: 8080}]}
`;
const configured = {
  rollout: 'web',
  service: 'web',
  container: 'web',
  path: '/',
  method: 'GET',
  headers: {},
} as TargetConfiguration;
const targetOf = (text: string) =>
  asIsTarget(readText('web.yaml', text), configured, (path) => `rollproof.yaml:1: ${path.join('.')}`);

test('its manifests are read as they are, and another Rollout beside it is left out by name', () => {
  const other = manifest('{canary: {}}').replace('{name: web}', '{name: cart}');
  const target = targetOf(`${manifest('{canary: {maxSurge: 1}}')}${service()}---${other}`);
  assert.equal(target.workload, { kind: 'Rollout', name: 'web', container: 'web' });
  assert.equal(
    target.manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ['Rollout web', 'Service web'],
  );
  assert.match(
    target.asIs?.substitutions[0]?.because ?? '',
    /^Rollout cart is left out: .*the one under test/,
  );
  const context = {
    kubernetesVersion: 'v1.34.0',
    workload: target.workload,
    health: target.health,
    preStopSeconds: 5,
    foreign: true,
    gracefulEnv: undefined,
  };
  const { applied, notApplied } = applyVariant(target.manifests, hardened, context);
  assert.equal(applied, ['readinessProbe', 'preStop']);
  assert.match(notApplied.find(({ setting }) => setting === 'surge')?.reason ?? '', /its canary steps/);
});

const refused: readonly [name: string, text: string, expected: RegExp][] = [
  [
    'a pause that nobody ends',
    manifest('{canary: {steps: [{setWeight: 50}, {pause: {}}]}}') + service(),
    /^web\.yaml:7: Rollout web: waits here until somebody promotes it/,
  ],
  [
    'promotion by hand',
    manifest('{blueGreen: {activeService: web, autoPromotionEnabled: false}}') + service(),
    /^web\.yaml:7: Rollout web: is false: new pods serve only when somebody promotes them/,
  ],
  [
    'a Service that is not there',
    manifest('{blueGreen: {activeService: web, previewService: next}}') + service(),
    /Rollout web: Service "next" is not in the manifests/,
  ],
  [
    'an analysis',
    manifest('{canary: {steps: [{analysis: {templates: []}}]}}') + service(),
    /Rollout web: asks what only its cluster has/,
  ],
  [
    'a mesh',
    manifest('{canary: {trafficRouting: {istio: {}}}}') + service(),
    /Rollout web: requests are shared out by an ingress controller or a mesh/,
  ],
  [
    'pods of another object',
    manifest('{canary: {}}', '  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: old}') + service(),
    /^web\.yaml:9: Rollout web: takes its pods from Deployment old/,
  ],
  ['no strategy', manifest('{}') + service(), /Rollout web: has neither canary nor blueGreen/],
  [
    'a Rollout of somebody else',
    manifest('{canary: {}}').replace('argoproj.io/v1alpha1', 'rollouts.kruise.io/v1beta1') + service(),
    /is of rollouts\.kruise\.io\/v1beta1; a Rollout is known as argoproj\.io\/v1alpha1/,
  ],
  [
    'a wrong type',
    manifest('{canary: {steps: first}}') + service(),
    /^web\.yaml:7: Rollout web: spec\.strategy\.canary\.steps /,
  ],
  ['not there', service().slice(5), /target\.rollout: the manifests have no Rollout "web"/],
];
for (const [name, text, expected] of refused)
  test(`refused by name: ${name}`, () => {
    assert.throws(
      () => targetOf(text),
      (error: Error) => error instanceof UsageError && expected.test(error.message),
      expected.source,
    );
  });

test('pauses with a duration, promotion after a time, and Services that are there are taken', () => {
  targetOf(manifest('{canary: {steps: [{setWeight: 50}, {pause: {duration: 5s}}]}}') + service());
  targetOf(
    manifest('{blueGreen: {activeService: web, autoPromotionEnabled: false, autoPromotionSeconds: 5}}') +
      service(),
  );
});

/** As the controller writes it once a change is over. */
const healthy = {
  HPAReplicas: 3,
  observedGeneration: '2',
  phase: 'Healthy',
  replicas: 3,
  updatedReplicas: 3,
  readyReplicas: 3,
  availableReplicas: 3,
  currentPodHash: '6cf78c66c5',
  stableRS: '6cf78c66c5',
  selector: 'app=web',
  conditions: [{ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }],
};
const factsFor = (status: Record<string, unknown>, generation = 2) =>
  reduceObject('Rollout', {
    metadata: { name: 'web', generation, labels: { 'rollproof.dev/role': 'target' } },
    spec: { replicas: 3, template: { spec: { containers: [{ image: 'web:2' }] } } },
    status,
  }) as RolloutFacts;

const states: readonly [name: string, status: Record<string, unknown>, complete: boolean][] = [
  ['healthy', healthy, true],
  ['nobody has looked at it', {}, false],
  ['the new generation is not observed', { ...healthy, observedGeneration: '1' }, false],
  ['a hash in place of a generation, as before 1.0', { ...healthy, observedGeneration: '5b8f9' }, false],
  ['a hash of digits', { ...healthy, observedGeneration: '77812345' }, false],
  ['progressing', { ...healthy, phase: 'Progressing' }, false],
  ['paused at a step', { ...healthy, phase: 'Paused', message: 'CanaryPauseStep' }, false],
  ['aborted', { ...healthy, phase: 'Degraded', abort: true, message: 'RolloutAborted' }, false],
  ['not promoted', { ...healthy, stableRS: '84b6f8dc5' }, false],
  ['promoted, old pods wait for their scale-down', { ...healthy, replicas: 6 }, true],
];
for (const [name, status, complete] of states)
  test(`over: ${name}`, () => assert.is(rolloutComplete(factsFor(status)), complete));

test('it has settled when the old pods are gone, too', () => {
  const pods = (count: number, terminating = false) =>
    Array.from({ length: count }, () => ({ phase: 'Running', terminating }));
  assert.is(rolloutSettled(factsFor(healthy), pods(3)), true);
  assert.is(rolloutSettled(factsFor(healthy), pods(6)), false);
  assert.is(rolloutSettled(factsFor(healthy), [...pods(3), ...pods(1, true)]), false);
});

test('a watch takes it for its Service, and says by its phase what it waits for', () => {
  const take = takeOf([{ name: 'web', selector: { app: 'web' } }], new Map());
  const object = {
    metadata: { name: 'web', generation: 2 },
    spec: { replicas: 3, template: { metadata: { labels: { app: 'web' } } } },
    status: { ...healthy, phase: 'Paused', message: 'CanaryPauseStep', updatedReplicas: 1 },
  };
  const facts = take(object, reduceObject('Rollout', object) as Facts);
  assert.equal(facts && 'services' in facts && facts.services, ['web']);
  assert.equal(unsettled(new Map([['Rollout/web', facts as Facts]]), 'web'), [
    'Rollout web has 1 of 3 pods of the newest revision, 3 available, Paused (CanaryPauseStep)',
  ]);
});

test('a watch proposes settings of it as operations, which its kind takes', () => {
  const [rollout] = readText('web.yaml', manifest('{canary: {}}'));
  const watched = {
    objects: [rollout?.manifest],
    path: '/',
    serving: { container: 'web', port: 8080 },
  } as unknown as Parameters<typeof remedyOf>[0];
  const remedy = remedyOf(watched, 'shop', 'v1.34.0');
  assert.equal(remedy?.settings, ['readinessProbe', 'preStop']);
  assert.is(remedy?.command, 'kubectl patch rollout web --namespace shop --type json --patch-file FILE');
  assert.match(
    remedy?.patch ?? '',
    /^- op: add\n {2}path: \/spec\/template\/spec\/containers\/1\/readinessProbe\n/,
  );
  const referring = { ...rollout?.manifest, spec: { workloadRef: { kind: 'Deployment', name: 'old' } } };
  assert.is(remedyOf({ ...watched, objects: [referring as Manifest] }, 'shop', 'v1.34.0'), undefined);
});

test('ReplicaSets and pods are told apart by the hash and the revision that its controller writes', () => {
  const metadata = {
    name: 'web-6cf78c66c5',
    labels: { 'rollouts-pod-template-hash': '6cf78c66c5' },
    annotations: { 'rollout.argoproj.io/revision': '4' },
  };
  const set = reduceObject('ReplicaSet', { metadata, spec: { replicas: 3 } });
  assert.equal(set?.kind === 'ReplicaSet' && [set.templateHash, set.revision], ['6cf78c66c5', '4']);
  const pod = reduceObject('Pod', { metadata });
  assert.is(pod?.kind === 'Pod' && pod.templateHash, '6cf78c66c5');
});

test('a journal knows by it when the change was complete', async () => {
  const journal = new JournalBuilder();
  journal.step(2000, { step: 'set-image', image: 'next' }, 2050);
  journal.watch(2100, 'MODIFIED', 'web', factsFor({ ...healthy, phase: 'Progressing' }));
  journal.watch(7000, 'MODIFIED', 'web', factsFor({ ...healthy, replicas: 6 }));
  journal.lane('new');
  journal.control();
  assert.is(judgeExperiment(await readJournal(journal.lines())).rollout.completedMs, 5000);
});

const template = {
  metadata: { labels: { app: 'web' } },
  spec: {
    containers: [
      { name: 'side', image: 'side:1' },
      {
        name: 'web',
        image: 'web:2',
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      },
    ],
  },
};
/** As the API server keeps it: with its defaults. */
const setOf = (revision: number, image: string, owner = 'uid-web') => ({
  metadata: {
    name: `web-${revision}`,
    ownerReferences: [{ uid: owner, controller: true }],
    annotations: { 'rollout.argoproj.io/revision': String(revision) },
  },
  spec: {
    template: {
      metadata: { labels: { app: 'web', 'rollouts-pod-template-hash': `h${revision}` } },
      spec: {
        containers: [
          { name: 'side', image: 'side:1', imagePullPolicy: 'IfNotPresent' },
          { ...template.spec.containers[1], image, imagePullPolicy: 'IfNotPresent' },
        ],
        restartPolicy: 'Always',
      },
    },
  },
});
const rolloutPath = '/apis/argoproj.io/v1alpha1/namespaces/ns/rollouts/web';

async function asked(step: Record<string, unknown>, sets: readonly unknown[] = []) {
  const patches: unknown[] = [];
  const json = async (
    method: string,
    path: string,
    options: { body?: unknown; contentType?: string } = {},
  ) => {
    if (method !== 'GET') patches.push([method, path, options.contentType?.split('/')[1], options.body]);
    if (path.endsWith('/replicasets')) return { items: sets };
    return { metadata: { name: 'web', uid: 'uid-web' }, spec: { template } };
  };
  const context = {
    kube: { json } as unknown as Kube,
    namespace: 'ns',
    workload: { kind: 'Rollout', name: 'web', container: 'web' },
    images: { next: 'web:3' },
    state: createLiveState(),
    signal: new AbortController().signal,
  } as unknown as StepContext;
  const detail = await runStep(stepSchema.parse(step) as Step, context);
  return { patches, detail };
}

test('set-image and set-env change one container by its place, which the patch tests', async () => {
  const at = '/spec/template/spec/containers/1';
  const named = { op: 'test', path: `${at}/name`, value: 'web' };
  const image = await asked({ step: 'set-image', image: 'next' });
  assert.equal(image.patches, [
    ['PATCH', rolloutPath, 'json-patch+json', [named, { op: 'add', path: `${at}/image`, value: 'web:3' }]],
  ]);
  const env = await asked({ step: 'set-env', env: { A: null, B: '3', C: '4' } });
  const variables = [
    { name: 'B', value: '3' },
    { name: 'C', value: '4' },
  ];
  assert.equal(env.patches, [
    ['PATCH', rolloutPath, 'json-patch+json', [named, { op: 'add', path: `${at}/env`, value: variables }]],
  ]);
});

test('a container that is not there is said', async () => {
  let said = '';
  await asked({ step: 'set-image', image: 'next', container: 'gone' }).catch((error: Error) => {
    said = error.message;
  });
  assert.is(said, 'unable to find container named "gone" of Rollout web');
});

test('scale, pause and resume are merge patches; restart says a time to the controller', async () => {
  assert.equal((await asked({ step: 'scale', replicas: 5 })).patches, [
    ['PATCH', `${rolloutPath}/scale`, 'merge-patch+json', { spec: { replicas: 5 } }],
  ]);
  assert.equal((await asked({ step: 'pause' })).patches, [
    ['PATCH', rolloutPath, 'merge-patch+json', { spec: { paused: true } }],
  ]);
  assert.equal((await asked({ step: 'resume' })).patches, [
    ['PATCH', rolloutPath, 'merge-patch+json', { spec: { paused: null } }],
  ]);
  const { patches, detail } = await asked({ step: 'restart' });
  assert.match(String(detail.restartedAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(patches, [
    ['PATCH', rolloutPath, 'merge-patch+json', { spec: { restartAt: detail.restartedAt } }],
  ]);
});

test('rollback puts the template of the revision before back, as the plugin’s undo does', async () => {
  const sets = [setOf(1, 'web:1'), setOf(2, 'web:2'), setOf(9, 'other:1', 'uid-other')];
  const { patches, detail } = await asked({ step: 'rollback' }, sets);
  const value = structuredClone(setOf(1, 'web:1').spec.template);
  assert.equal(patches, [
    [
      'PATCH',
      rolloutPath,
      'json-patch+json',
      [
        {
          op: 'replace',
          path: '/spec/template',
          value: { ...value, metadata: { labels: { app: 'web' } } },
        },
      ],
    ],
  ]);
  assert.equal(detail, { fromRevision: 2, toRevision: 1 });
  // The present template, with the API server's defaults in it.
  const same = await asked({ step: 'rollback', toRevision: 2 }, sets);
  assert.equal([same.patches, same.detail.skipped], [[], true]);
  assert.equal((await asked({ step: 'history', as: 'x' }, sets)).detail.revisions, [1, 2]);
});

test('scenarios that change the workload in the form of a Deployment are not run on it', () => {
  const target = targetOf(manifest('{canary: {}}') + service());
  const cluster = { info: { kind: 'context', nodes: [], notes: [] } } as unknown as Parameters<
    typeof cannotRun
  >[1];
  const said = (step: Record<string, unknown>) => {
    const scenario = scenarios.find(({ id }) => id === 'restart')?.quick as Scenario;
    const changed = { ...scenario, steps: [stepSchema.parse(step) as Step] };
    return cannotRun(changed, cluster, { ...target, images: { next: 'web:2' } }, new Map());
  };
  for (const step of [
    { step: 'patch', patch: { spec: { replicas: 3 } } },
    { step: 'apply', manifest: {} },
    { step: 'twin' },
  ])
    assert.is(
      said(step),
      `Its step ${step.step} changes the workload in the form of a Deployment, and the target is a Rollout.`,
    );
  for (const step of [
    { step: 'patch', kind: 'Service', name: 'web', patch: {} },
    { step: 'restart' },
    { step: 'set-image', image: 'next' },
    { step: 'scale', replicas: 2 },
    { step: 'rollback' },
  ])
    assert.is(said(step), undefined, step.step);
});

type Answers = Readonly<Record<string, readonly [status: number, body: unknown]>>;
const apiOf = (answers: Answers): Kube => {
  const raw = async (_method: string, path: string) => {
    const [status, body] = answers[path] ?? [404, '404 page not found'];
    return { status, text: typeof body === 'string' ? body : JSON.stringify(body), headers: {} };
  };
  const json = async (method: string, path: string) => JSON.parse((await raw(method, path)).text);
  return { raw, json, close: () => {} } as unknown as Kube;
};
const known: Answers = { '/apis/argoproj.io/v1alpha1': [200, { resources: [{ name: 'rollouts' }] }] };
const deployments = (...items: unknown[]): Answers => ({ '/apis/apps/v1/deployments': [200, { items }] });
const controller = (readyReplicas: number, image = 'quay.io/argoproj/argo-rollouts:v1.8.3') => ({
  metadata: { name: 'argo', namespace: 'argo' },
  spec: { template: { spec: { containers: [{ image }] } } },
  status: { readyReplicas },
});
const clusters: readonly [name: string, answers: Answers, expected: RegExp | undefined][] = [
  ['no CRD', {}, /^Rollout web: the cluster does not know the kind Rollout: the CRD rollouts\.argoproj\.io/],
  [
    'the group without Rollouts',
    { '/apis/argoproj.io/v1alpha1': [200, { resources: [{ name: 'applications' }] }] },
    /does not know the kind Rollout/,
  ],
  ['a CRD alone', { ...known, ...deployments() }, /no controller of Argo Rollouts runs on the cluster/],
  [
    'another program of the project',
    { ...known, ...deployments(controller(1, 'quay.io/argoproj/argocd:v3')) },
    /no controller of Argo Rollouts runs/,
  ],
  [
    'a controller that is not ready',
    { ...known, ...deployments(controller(0)) },
    /no pod of its controller is ready \(Deployment argo of namespace argo\)/,
  ],
  ['a controller', { ...known, ...deployments(controller(1)) }, undefined],
  ['nobody may look', { ...known, '/apis/apps/v1/deployments': [403, {}] }, undefined],
];
for (const [name, answers, expected] of clusters)
  test(`a cluster with ${name}`, async () => {
    const target = targetOf(manifest('{canary: {}}') + service());
    let said: unknown;
    await refuseWithoutController(apiOf(answers), target).catch((error: unknown) => {
      said = error;
    });
    if (!expected) assert.is(said, undefined);
    else {
      assert.instance(said, UsageError);
      assert.match((said as Error).message, expected);
    }
  });

test('a controller of other namespaces is found out by what it does not do', async () => {
  const { signal } = new AbortController();
  const answer = (status: unknown) => apiOf({ [rolloutPath]: [200, { status }] });
  await rolloutTakenUp(answer({ observedGeneration: '1' }), 'ns', 'web', signal, 1000);
  let said = '';
  await rolloutTakenUp(answer(undefined), 'ns', 'web', signal, 20).catch((error: Error) => {
    said = error.message;
  });
  assert.match(said, /a controller of Argo Rollouts to take up Rollout web in ns/);
  assert.match(said, /nobody has written its status/);
});

test('a live one is read with the Services as somebody wrote them: the hash of its controller is taken out', async () => {
  const answers: Answers = {
    '/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web': [
      200,
      {
        metadata: {
          name: 'web',
          uid: 'u',
          labels: { 'argo-rollouts.argoproj.io/controller-instance-id': 'east' },
          annotations: { 'rollout.argoproj.io/revision': '4', owner: 'shop' },
        },
        spec: { replicas: 3, strategy: { blueGreen: { activeService: 'web' } }, template },
        status: healthy,
      },
    ],
    '/api/v1/namespaces/shop/services': [
      200,
      {
        items: [
          {
            metadata: {
              name: 'web',
              annotations: { 'argo-rollouts.argoproj.io/managed-by-rollouts': 'web' },
            },
            spec: { selector: { app: 'web', 'rollouts-pod-template-hash': 'h4' }, ports: [{ port: 80 }] },
          },
          { metadata: { name: 'other' }, spec: { selector: { app: 'other' } } },
        ],
      },
    ],
  };
  const context = {
    at: () => 'rollproof.yaml:1',
    live: { connect: async () => apiOf({ ...known, ...answers }), copySecrets: false },
  };
  const target = { ...configured, from: 'cluster', namespace: 'shop' } as TargetConfiguration;
  const read = await readLive(target, context);
  assert.equal(
    read.map(({ manifest: { kind, metadata, status } }) => [kind, metadata, status]),
    [
      [
        'Rollout',
        {
          name: 'web',
          labels: { 'argo-rollouts.argoproj.io/controller-instance-id': 'east' },
          annotations: { owner: 'shop' },
        },
        undefined,
      ],
      ['Service', { name: 'web' }, undefined],
    ],
  );
  assert.equal((read[1]?.manifest.spec as { selector?: unknown } | undefined)?.selector, { app: 'web' });
  let said = '';
  const without = { ...context, live: { ...context.live, connect: async () => apiOf({}) } };
  await readLive(target, without).catch((error: Error) => {
    said = error.message;
  });
  assert.match(said, /target\.rollout: the cluster does not know the kind Rollout/);
});

test.run();
