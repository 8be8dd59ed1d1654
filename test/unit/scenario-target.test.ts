// Targets that a scenario brings along, and the run's target in another form; which experiments a scenario's cases make.
import * as assert from 'uvu/assert';
import { configurationSchema } from '../../harness/config/schema.ts';
import { labelledTarget, onOneNode, podsBeside, withScenario } from '../../harness/deploy/assemble.ts';
import { builtInTarget } from '../../harness/deploy/built-in.ts';
import { ownTarget, scenarioTarget } from '../../harness/deploy/scenario-target.ts';
import { substitutionsOf } from '../../harness/deploy/substitutions.ts';
import { UsageError } from '../../harness/model/errors.ts';
import { label, type Manifest } from '../../harness/model/manifest.ts';
import { ownTargetSchema } from '../../harness/model/own-target.ts';
import { defineScenario, type ScenarioInput, targetSpecSchema } from '../../harness/model/scenario.ts';
import { redactManifest } from '../../harness/record/redact.ts';
import { cannotRun, literalImages, select } from '../../harness/run/selection.ts';
import { parseShard, shardOf } from '../../harness/run/shard.ts';
import { suite } from '../suite.ts';

const test = suite('scenario target');
const builtIn = builtInTarget({ current: 'rollproof/target:1', next: 'rollproof/target:2' }, {});

const published = {
  apiVersion: 'extensions/v1beta1',
  kind: 'Deployment',
  metadata: { name: 'shop' },
  spec: {
    replicas: 1,
    template: {
      metadata: { labels: { app: 'shop' } },
      spec: {
        containers: [
          {
            name: 'shop',
            image: 'shop',
            readinessProbe: {
              httpGet: { path: '/', port: 80, httpHeaders: [{ name: 'X-Header', value: 'seen' }] },
            },
          },
        ],
      },
    },
  },
};
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'shop' },
  spec: { selector: { app: 'shop' }, ports: [{ port: 80 }] },
};
const own = {
  manifests: [published],
  substitutions: [
    { because: 'It has no Service.', add: service },
    { because: 'The version is gone.', kind: 'Deployment', patch: { apiVersion: 'apps/v1' } },
  ],
  deployment: 'shop',
  service: 'shop',
  images: { next: 'shop:2' },
};

test('an own target: published manifests, each substitution before and after, images by name', () => {
  const target = ownTarget(ownTargetSchema.parse(own), 'scenario x');
  assert.equal(target.workload, { kind: 'Deployment', name: 'shop', container: 'shop' });
  assert.equal(target.images, { current: 'shop', next: 'shop:2' });
  assert.is(target.builtIn, false);
  assert.equal(
    target.manifests.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
    ['apps/v1 Deployment', 'v1 Service'],
  );
  assert.equal(
    target.published?.substitutions.map(({ before, after }) => [before.length, after.length]),
    [
      [1, 2],
      [2, 2],
    ],
  );
  assert.is(published.apiVersion, 'extensions/v1beta1', 'what was published stays as it is');
});

const plain = { id: 'x', steps: [], target: targetSpecSchema.parse({}) };

test('every change between what was published and what runs is shown with its reason, also the scenario’s own', () => {
  const target = ownTarget(ownTargetSchema.parse(own), 'scenario x');
  const base = withScenario(target, { target: targetSpecSchema.parse({ replicas: 2 }), steps: [] });
  const placed = onOneNode(base, target, 'node1');
  const shown = substitutionsOf(target, plain, base, placed, (manifests) => manifests);
  assert.equal(
    shown.map(({ because }) => because),
    [
      'It has no Service.',
      'The version is gone.',
      'The scenario sets it.',
      'All pods on one node: a nodeSelector makes it one on a cluster that has more.',
    ],
  );
  const lines = (at: number) => shown[at]?.diff.split('\n').filter((line) => /^[+-][^+-]/.test(line));
  assert.equal(lines(1), ['-apiVersion: extensions/v1beta1', '+apiVersion: apps/v1']);
  assert.equal(lines(2), ['-  replicas: 1', '+  replicas: 2']);
  assert.equal(lines(3), ['+      nodeSelector:', '+        kubernetes.io/hostname: node1']);
});

test('nothing is said where nothing was changed', () => {
  const base = withScenario(builtIn, { target: targetSpecSchema.parse({}), steps: [] });
  assert.equal(
    substitutionsOf(builtIn, plain, base, base, (manifests) => manifests),
    [],
  );
});

test('a probe’s header is shown of what a scenario has published, and of nothing else', () => {
  const text = (disclosed: boolean) => JSON.stringify(redactManifest(published, disclosed));
  assert.match(text(true), '"value":"seen"');
  assert.not.match(text(false), 'seen');
  const secret = JSON.parse(JSON.stringify(published).replace('X-Header', 'Authorization')) as Manifest;
  assert.not.match(JSON.stringify(redactManifest(secret, true)), 'seen');
});

const wrong: readonly [string, Record<string, unknown>, RegExp][] = [
  [
    'a workload that is not there',
    { deployment: 'other' },
    /scenario x: target\.deployment: .* no Deployment "other"/,
  ],
  ['a service that is not there', { service: 'other' }, /scenario x: target\.service: .* no Service "other"/],
  [
    'a substitution of nothing',
    { substitutions: [{ because: 'b', kind: 'Job', patch: {} }] },
    /scenario x: target\.own\.substitutions\[0\]\.kind: the manifests have no Job\./,
  ],
];
for (const [name, fields, expected] of wrong) {
  test(`an own target with ${name} is refused`, () => {
    assert.throws(
      () => ownTarget(ownTargetSchema.parse({ ...own, ...fields }), 'scenario x'),
      (error: unknown) => error instanceof UsageError && expected.test(error.message),
    );
  });
}

const badShapes: readonly [string, Record<string, unknown>][] = [
  ['no workload', { deployment: undefined }],
  ['two workloads', { daemonSet: 'shop' }],
  ['a substitution without a change', { substitutions: [{ because: 'b' }] }],
  ['a patch of no kind', { substitutions: [{ because: 'b', patch: {} }] }],
  ['a manifest without a name', { manifests: [{ apiVersion: 'v1', kind: 'Pod', metadata: {} }] }],
];
for (const [name, fields] of badShapes) {
  test(`an own target with ${name} fails when it is loaded`, () => {
    assert.is(ownTargetSchema.safeParse({ ...own, ...fields }).success, false);
  });
}

test('the built-in target as a DaemonSet: the same pods, without what only a Deployment has', () => {
  const spec = targetSpecSchema.parse({ workload: 'DaemonSet' });
  const target = scenarioTarget(builtIn, { id: 'x', target: spec });
  assert.equal(target.workload, { kind: 'DaemonSet', name: 'target', container: 'target' });
  const workload = withScenario(target, { target: spec, steps: [] }).find(
    ({ kind }) => kind === 'DaemonSet',
  ) as Manifest;
  assert.equal(Object.keys(workload.spec as object).sort(), ['selector', 'template']);
  const deployment = builtIn.manifests.find(({ kind }) => kind === 'Deployment') as Manifest;
  assert.equal(
    (workload.spec as { selector: unknown }).selector,
    (deployment.spec as { selector: unknown }).selector,
  );
  assert.is(scenarioTarget(builtIn, { id: 'x', target: targetSpecSchema.parse({}) }), builtIn);
});

const beside = (name: string, spec: Record<string, unknown>): Manifest => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: { template: { spec: { containers: [{ name, image: 'current' }] } }, ...spec },
});

test('pods beside the target have a role of their own, are counted, and may have the target’s image', () => {
  const spec = targetSpecSchema.parse({
    extra: [
      beside('cache', { replicas: 2 }),
      beside('queue', {}),
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } },
    ],
  });
  const manifests = withScenario(builtIn, { target: spec, steps: [] });
  assert.is(podsBeside(manifests, builtIn), 3);
  const identity = { namespace: 'ns', runId: 'r', experiment: 'x' };
  const roles = labelledTarget(manifests, builtIn, identity).map(
    ({ metadata, spec: inner }) =>
      `${metadata.name} ${metadata.labels?.[label.role]} ${(inner as { template?: { metadata?: { labels?: Record<string, string> } } } | undefined)?.template?.metadata?.labels?.[label.role] ?? '-'}`,
  );
  assert.equal(roles.sort(), [
    'c target -',
    'cache beside beside',
    'queue beside beside',
    'target target -',
    'target target target',
  ]);
  const images = JSON.stringify(manifests.filter(({ metadata }) => metadata.name === 'cache'));
  assert.match(images, 'rollproof/target:1');
});

const minimal: ScenarioInput = {
  id: 'shop',
  title: 't',
  question: 'q?',
  group: 'rollout',
  steps: [{ step: 'set-image', image: 'next' }],
  claims: [
    { id: 'c', text: 'T.', source: 's', appliesTo: { lane: 'new' }, that: [{ measure: 'lost', atMost: 0 }] },
  ],
  variants: ['hardened', 'refused'],
  cases: {
    refused: {
      title: 'As published',
      target: { own: { ...own, substitutions: own.substitutions.slice(0, 1) }, deployed: false },
      load: [],
      steps: [{ step: 'deploy', refusedWith: '404' }],
      until: 'no-terminating',
    },
  },
};
const request = {
  profile: 'quick' as const,
  scenarios: ['shop'],
  variants: [],
  repeat: 1,
  paths: ['cluster-ip' as const],
  agents: 2,
  builtIn: true,
};
const choose = (input: ScenarioInput, fields = {}) =>
  select([defineScenario(input)], configurationSchema.parse(fields) as never, request);

test('a case replaces what it has, keeps the claims, and is fired at by one agent when nothing fires', () => {
  const { keys, scenarios } = choose(minimal);
  assert.equal(
    keys.map(({ variant, scenario, agents }) => [
      variant.name,
      variant.settings.length,
      scenario.steps.map(({ step }) => step).join(),
      scenario.load.length,
      scenario.until,
      agents,
    ]),
    [
      ['hardened', 4, 'set-image', 2, 'rollout', 2],
      ['refused', 0, 'deploy', 0, 'no-terminating', 1],
    ],
  );
  for (const { scenario } of keys) assert.equal(scenario.claims, scenarios[0]?.claims);
  const selection = shardOf({ scenarios, keys }, parseShard('1/1'));
  assert.is(selection.keys.length, 2, 'the shard keeps the experiments of cases');
});

test('the configuration’s load reaches cases that fire, and no other', () => {
  const quiet = minimal.cases?.refused;
  const cases = {
    refused: quiet,
    loud: { title: 'Loud', load: [{ lane: 'new' }] },
  } as ScenarioInput['cases'];
  const { keys } = choose({ ...minimal, variants: ['refused', 'loud'], cases }, { load: { rate: 7 } });
  assert.equal(
    keys.map(({ scenario }) =>
      scenario.load.map(({ rate }) => rate.shape === 'constant' && rate.ratePerSecond),
    ),
    [[], [7]],
  );
});

test('a case whose target does not fit is wrong usage, before anything runs', () => {
  const refused = { ...minimal.cases?.refused, title: 't', target: { own: { ...own, service: 'other' } } };
  assert.throws(
    () => choose({ ...minimal, cases: { refused } }),
    (error: unknown) =>
      error instanceof UsageError &&
      /^scenario shop, variant refused: target\.service: the manifests have no Service "other"/.test(
        error.message,
      ),
  );
});

test('a case cannot have the name of a variant that every scenario has', () => {
  assert.throws(() => defineScenario({ ...minimal, cases: { baseline: { title: 't' } } }), /baseline/);
});

const cluster = {
  info: {
    kind: 'kind',
    nodes: [
      { name: 'a', role: 'worker' },
      { name: 'b', role: 'worker' },
    ],
  },
} as unknown as Parameters<typeof cannotRun>[1];
test('a literal image that cannot be had keeps a scenario from running, with the reason; a step’s image may be anybody’s', () => {
  const input = { ...minimal, needs: { images: ['shop:1', 'next'] } };
  const [scenario] = choose(input).scenarios;
  if (!scenario) throw new Error('no scenario');
  assert.equal(literalImages([scenario]), ['shop:1']);
  const workload = { kind: 'Deployment', name: 'web', container: 'app' };
  const having = (images: Record<string, string>) =>
    ({ images, workload, manifests: [] }) as unknown as Parameters<typeof cannotRun>[2];
  const target = having({ current: 'x', next: 'y' });
  assert.is(cannotRun(scenario, cluster, target, new Map()), undefined);
  assert.is(
    cannotRun(scenario, cluster, target, new Map([['shop:1', 'Nobody has it.']])),
    'It needs the image shop:1. Nobody has it.',
  );
  assert.match(
    cannotRun(scenario, cluster, having({ current: 'x' }), new Map()) ?? '',
    /needs the image "next" of the target/,
  );
  // The controller that a scenario brings along asks the API server, with the token in its pod.
  const bare = 'pods are not isolated (no root): they are processes of this machine; volumes are refused.';
  const [ingress] = choose({ ...minimal, entryController: { replicas: 1 } }).scenarios;
  const on = (notes: string[]) => ({ ...cluster, info: { ...cluster.info, notes } });
  assert.is(ingress && cannotRun(ingress, on([]), target, new Map()), undefined);
  assert.match(
    (ingress && cannotRun(ingress, on([bare]), target, new Map())) ?? '',
    /^Its ingress controller has a token of the API server in its pod: pods are not isolated \(no root\)/,
  );
});

test.run();
