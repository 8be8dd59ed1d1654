import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { configurationSchema } from '../../harness/config/schema.ts';
import { millis, shareOf } from '../../harness/deploy/agent-cpu.ts';
import {
  agentJob,
  controlTarget,
  labelled,
  withPhaseLink,
  withScenario,
} from '../../harness/deploy/assemble.ts';
import { builtInTarget } from '../../harness/deploy/built-in.ts';
import { podTemplateOf } from '../../harness/deploy/definition.ts';
import { asIsTarget, targetOf } from '../../harness/deploy/foreign.ts';
import { k6Containers, k6Manifests } from '../../harness/deploy/k6-pod.ts';
import { agentLabels } from '../../harness/deploy/own-pods.ts';
import { parseManifests, readManifestFiles, readManifests } from '../../harness/deploy/read-manifests.ts';
import { streamPlanSchema } from '../../harness/model/load.ts';
import { label, type Manifest } from '../../harness/model/manifest.ts';
import { mergeManifest } from '../../harness/model/merge-manifest.ts';
import type { OwnPods } from '../../harness/model/own-pods.ts';
import { defineScenario, targetSpecSchema } from '../../harness/model/scenario.ts';
import { redactManifest } from '../../harness/record/redact.ts';
import { loadPlan } from '../../harness/run/experiment/load-plan.ts';
import { scenarios } from '../../scenarios/index.ts';
import { suite } from '../suite.ts';

const test = suite('deploy');
const identity = { namespace: 'ns', runId: 'r1', experiment: 'x.baseline' };
const target = builtInTarget(
  { current: 'rollproof/target:1', next: 'rollproof/target:2' },
  { ON_TERM: 'graceful' },
);

const own: OwnPods = { containers: true, images: { agent: 'agent', target: 'target' }, node: 'node' };

function message(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing thrown';
}

const deploymentOf = (manifests: readonly Manifest[]) =>
  manifests.find((one) => one.kind === 'Deployment') as Manifest;
type Inside = {
  spec: {
    template: {
      metadata: { labels: Record<string, string> };
      spec: { containers: { image: string; env: { name: string; value: string }[]; resources?: unknown }[] };
    };
  };
};
const templateOf = (manifests: readonly Manifest[]) =>
  (deploymentOf(manifests) as unknown as Inside).spec.template;
const containerOf = (manifests: readonly Manifest[]) =>
  templateOf(manifests).spec.containers[0] as Inside['spec']['template']['spec']['containers'][0];

test('the scenario sets replicas, image and the target’s knobs; the files stay as they are', () => {
  const before = JSON.stringify(target.manifests);
  const manifests = withScenario(target, {
    target: targetSpecSchema.parse({ replicas: 4, startMs: 700 }),
    steps: [],
  });
  assert.is((deploymentOf(manifests).spec as { replicas: number }).replicas, 4);
  assert.is(containerOf(manifests).image, 'rollproof/target:1');
  const env = Object.fromEntries(containerOf(manifests).env.map((one) => [one.name, one.value]));
  assert.is(env.START_MS, '700');
  assert.ok('POD_NAME' in env);
  assert.is(JSON.stringify(target.manifests), before);
});

test('what a scenario puts beside the built-in target runs its program, also by a stock image', () => {
  const stock: OwnPods = {
    ...own,
    images: { agent: 'node:20', target: 'node:20' },
    programs: { agent: new Uint8Array(), target: new Uint8Array() },
  };
  const [images, graceful] = [{ current: 'node:20' }, { ON_TERM: 'graceful' }];
  let named = 0;
  const specs = scenarios.flatMap(({ id, full: { target, cases } }) =>
    [target, ...Object.values(cases).flatMap((one) => one.target ?? [])].map((spec) => ({ id, spec })),
  );
  for (const { id, spec } of specs) {
    const manifests = withScenario(builtInTarget(images, graceful, stock), { target: spec, steps: [] });
    for (const object of spec.extra) {
      const wanted = podTemplateOf(object as Manifest);
      if (!wanted) continue;
      const made = podTemplateOf(
        manifests.find(
          ({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name,
        ) as Manifest,
      );
      for (const [index, { image }] of wanted.spec.containers.entries()) {
        if (image !== 'current') continue;
        named += 1;
        const container = made?.spec.containers[index] as { image: string; command?: string[] };
        assert.is(container.image, 'node:20', id);
        assert.match(container.command?.join(' ') ?? 'none', /target\.cjs/, id);
        const mounts = (container as { volumeMounts?: { name: string }[] }).volumeMounts ?? [];
        const volumes = (made?.spec.volumes as { name: string }[] | undefined) ?? [];
        assert.ok(mounts.length > 0, id);
        for (const { name } of mounts)
          assert.ok(
            volumes.some((volume) => volume.name === name),
            `${id}: ${name}`,
          );
      }
    }
  }
  assert.ok(named > 0, 'some scenario has one');
});

test('what a scenario says of the container under test is said of that of somebody’s workload, and of no other', () => {
  const text = (name: string, container: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: 2
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: proxy, image: proxy:1}, {name: ${container}, image: web:1, ports: [{containerPort: 8080}]}]}
`;
  const service = `---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;
  const given = parseManifests('web.yaml', `${text('web', 'app')}---\n${text('db', 'target')}${service}`);
  const names = { deployment: 'web', container: 'app', method: 'GET', path: '/', headers: {} } as never;
  const theirs = targetOf(given, names, 'rollproof.yaml');
  let patched = 0;
  for (const { quick, full } of scenarios) {
    for (const { target: spec, cases, steps } of [quick, full]) {
      for (const each of [spec, ...Object.values(cases ?? {}).map((one) => one.target ?? spec)]) {
        if (each.own) continue;
        const [web, db] = withScenario(theirs, { target: each, steps }) as unknown as Inside[];
        const containers = (one: Inside | undefined) => one?.spec.template.spec.containers ?? [];
        const found = containers(web).map((one) => (one as { name?: string }).name);
        assert.equal(found, ['proxy', 'app']);
        assert.ok(containers(web).every(({ image }) => image !== undefined));
        assert.equal(db, given[1], 'another workload is not touched');
        if (JSON.stringify(containers(web)[1]) !== JSON.stringify(containers(given[0] as never)[1]))
          patched++;
      }
    }
  }
  assert.ok(patched >= 6, `${patched} scenarios say something of the container`);
});

test('load agents ask for a share of the CPU that nobody asked for', () => {
  assert.equal(['2', '250m', '0', undefined, '1u', 'x'].map(millis), [2000, 250, 0, 0, 0, 0]);
  const spare: [number, number, number | undefined][] = [
    [1150, 1, 500],
    [1150, 3, 191],
    [50, 1, 25],
    [50, 3, undefined],
    [-100, 1, undefined],
  ];
  for (const [of, agents, each] of spare) assert.is(shareOf(of, agents), each, `${of} for ${agents}`);
  const resourcesOf = (cpuMillis?: number) =>
    (agentJob(identity, own, { node: 'node1' }, { count: 1, cpuMillis }) as unknown as Inside).spec.template
      .spec.containers[0]?.resources;
  assert.equal(resourcesOf(191), { requests: { cpu: '191m' } });
  assert.is(resourcesOf(), undefined);
});

test('every object and every pod carries run, role and experiment', () => {
  const manifests = [
    ...labelled(target.manifests, 'target', identity),
    agentJob(identity, own, { node: 'node1' }, { count: 3 }),
    ...controlTarget(identity, own, { node: 'node1' }),
  ];
  for (const manifest of manifests) {
    assert.is(manifest.metadata.namespace, 'ns', manifest.kind);
    assert.is(manifest.metadata.labels?.[label.run], 'r1', manifest.kind);
  }
  const template = templateOf(labelled(target.manifests, 'target', identity));
  assert.is(template.metadata.labels[label.role], 'target');
  assert.is(template.metadata.labels.app, 'target', "the workload's own labels stay");
});

test('k6: paused on the agents’ node, ends by itself, and its plan is in a Secret alone', () => {
  const stream = streamPlanSchema.parse({
    id: 'new',
    lane: 'new',
    url: 'http://10.0.0.1/',
    headers: { authorization: 'planted-secret-4711' },
    rate: { shape: 'constant', ratePerSecond: 1 },
    connections: 1,
    timeoutMs: 1000,
    maxDurationMs: 1000,
  });
  const containers = k6Containers([stream, { ...stream, id: 'kept' }]);
  const [secret, pod] = k6Manifests(identity, 'k6:1', 'node1', containers, 12_345);
  const spec = pod?.spec as {
    nodeSelector: Record<string, string>;
    activeDeadlineSeconds: number;
    containers: { name: string; args: string[] }[];
  };
  assert.is(pod?.metadata.labels?.[label.run], 'r1');
  assert.is(pod?.metadata.labels?.[label.role], 'cross-check');
  assert.equal(spec.nodeSelector, { 'kubernetes.io/hostname': 'node1' });
  assert.is(spec.activeDeadlineSeconds, 13);
  assert.equal(
    spec.containers.map(({ name, args }) => [
      name,
      args.includes('--paused'),
      args[args.indexOf('--address') + 1],
    ]),
    [
      ['k6-new', true, ':6565'],
      ['k6-kept', true, ':6566'],
    ],
  );
  assert.not.match(JSON.stringify(pod), 'planted-secret-4711');
  assert.match(JSON.stringify(secret), 'planted-secret-4711');
  assert.not.match(JSON.stringify(redactManifest(secret as Manifest, true)), 'planted-secret-4711');
});

test('the phase link reaches the built-in target only', () => {
  const linked = withPhaseLink(target.manifests, target, '10.0.0.9:7070');
  assert.match(JSON.stringify(linked), '10.0.0.9:7070');
  assert.is(withPhaseLink(target.manifests, { ...target, builtIn: false }, 'x'), target.manifests);
});

test('merging patches: objects merge, named lists by name, other lists are replaced, null deletes', () => {
  const base = {
    apiVersion: 'v1',
    kind: 'X',
    metadata: { name: 'x' },
    spec: {
      keep: 1,
      drop: 2,
      list: [1, 2],
      containers: [{ name: 'a', image: 'a:1', env: [{ name: 'E', value: '1' }] }, { name: 'b' }],
    },
  };
  const merged = mergeManifest(base, {
    spec: {
      drop: null,
      list: [3],
      containers: [{ name: 'a', env: [{ name: 'F', value: '2' }] }, { name: 'c' }],
    },
  });
  assert.equal(merged.spec, {
    keep: 1,
    list: [3],
    containers: [
      {
        name: 'a',
        image: 'a:1',
        env: [
          { name: 'E', value: '1' },
          { name: 'F', value: '2' },
        ],
      },
      { name: 'b' },
      { name: 'c' },
    ],
  });
});

test('manifests: lists and several documents are read, wrong ones refused with file and line', () => {
  const text =
    'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}\n---\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: b}\n';
  assert.equal(
    parseManifests('f.yaml', text).map((one) => one.metadata.name),
    ['a', 'b'],
  );
  const table: [string, RegExp][] = [
    ['kind: Pod\nmetadata: {name: x}', /^f\.yaml:1: it has no apiVersion/],
    ['apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Pod', /^f\.yaml:1: Pod has no metadata\.name/],
    ['a: [', /^f\.yaml:1: not valid YAML/],
    [
      'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - {name: a, image: {{ .Values.image }}}\n',
      /^f\.yaml:6: is a template that has not been rendered \(\{\{ \.Values\.image \}\}\)/,
    ],
    ['{{- if .Values.on }}\napiVersion: v1\n{{- end }}\n', /^f\.yaml:1: is a template that has not been/],
    ['- 1\n', /^f\.yaml:1: not a Kubernetes object: it is a list/],
    ['just text', /it is a string/],
  ];
  for (const [yaml, expected] of table)
    assert.match(
      message(() => parseManifests('f.yaml', yaml)),
      expected,
    );
  assert.match(
    message(() => readManifests(['/no/such/file'])),
    /there is no such file or folder/,
  );
});

const shop = `
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: web, port: 80, targetPort: http}, {name: metrics, port: 9090}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: "shop:1", ports: [{name: http, containerPort: 8000}]}]}
`;

test('a foreign target: names are checked against the manifests', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-foreign-'));
  const file = join(folder, 'shop.yaml');
  writeFileSync(file, shop);
  const parse = (fields: Record<string, unknown>) =>
    asIsTarget(
      readManifestFiles(file),
      configurationSchema.parse({
        target: { manifests: [file], service: 'shop', deployment: 'shop', port: 'web', ...fields },
      }).target as never,
      () => 'rollproof.yaml:1:1',
    );
  const found = parse({ images: { next: 'shop:2' } });
  assert.equal(found.workload, { kind: 'Deployment', name: 'shop', container: 'shop' });
  assert.equal(found.service, { name: 'shop', port: 80 });
  assert.equal(found.health, { port: 'http', path: '/' });
  assert.equal(found.images, { current: 'shop:1', next: 'shop:2' });
  const table: [Record<string, unknown>, RegExp][] = [
    [
      { deployment: 'other' },
      /target\.deployment: the manifests have no Deployment "other"; they have shop\./,
    ],
    [{ service: 'other' }, /target\.service: .* no Service "other"/],
    [{ port: undefined }, /target\.port: Service shop has ports web, metrics; say which one\./],
    [{ port: 81 }, /target\.port: Service shop has no port 81/],
    [{ container: 'side' }, /target\.container: Deployment shop has no container "side"; it has shop\./],
  ];
  for (const [fields, expected] of table)
    assert.match(
      message(() => parse(fields)),
      expected,
    );
  rmSync(folder, { recursive: true });
});

test('load plan: slots cover rate × timeout, kept has its connections, the control target gets a trickle', () => {
  const { full } = defineScenario({
    id: 'x',
    title: 't',
    question: 'q',
    group: 'connections',
    load: [
      { lane: 'new' },
      { lane: 'kept', connections: 20 },
      { lane: 'long', holdMs: 1500, rate: { shape: 'constant', ratePerSecond: 10 } },
    ],
    steps: [{ step: 'load-rate', ratePerSecond: 300 }],
    claims: [],
  });
  const plan = loadPlan(full, target, { target: '10.0.0.1:80', control: '10.0.0.2:80' }, 'r1');
  assert.equal(
    plan.streams.map(({ id, url, connections }) => [id, url, connections]),
    [
      ['new', 'http://10.0.0.1:80/', 920],
      ['kept', 'http://10.0.0.1:80/', 20],
      ['long', 'http://10.0.0.1:80/slow?ms=1500', 920],
      ['control', 'http://10.0.0.2:80/', 80],
    ],
  );
  const second = loadPlan(full, target, { target: 'a:1', control: 'b:1' }, 'r1', { index: 1, of: 2 });
  assert.equal(
    second.streams.map(({ id }) => id),
    ['new', 'kept', 'long'],
    'one agent alone asks the control target',
  );
});

test('load agents that are to be spread do not follow one another; all else goes to one of their nodes', () => {
  const own: OwnPods = {
    containers: true,
    images: { agent: 'node:20', target: 'node:20' },
    node: 'node',
    guest: { resources: { requests: {}, limits: {} }, mesh: false, spread: true },
  };
  type Pod = { affinity?: unknown; topologySpreadConstraints?: { labelSelector: unknown }[] };
  const podOf = (manifest: unknown) => (manifest as { spec: { template: { spec: Pod } } }).spec.template.spec;
  const agents = podOf(agentJob(identity, own, 'with-agents', { count: 2 }));
  const [, control] = controlTarget(identity, own, 'with-agents');
  assert.is(agents.affinity, undefined);
  assert.equal(agents.topologySpreadConstraints?.[0]?.labelSelector, { matchLabels: agentLabels(identity) });
  assert.match(JSON.stringify(podOf(control).affinity), /podAffinity/);
  assert.is(podOf(control).topologySpreadConstraints, undefined);
});

test.run();
