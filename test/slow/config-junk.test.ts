// Whatever stands in a configuration or in a manifest: it is read, or refused in sentences with file, line and field.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { stringify } from 'yaml';
import { knownNames } from '../../harness/commands/flags.ts';
import { type Configuration, loadConfiguration } from '../../harness/config/load.ts';
import { labelledTarget, withScenario } from '../../harness/deploy/assemble.ts';
import { targetOf } from '../../harness/deploy/foreign.ts';
import { parseManifests } from '../../harness/deploy/read-manifests.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Scenario } from '../../harness/model/scenario.ts';
import { loadPlan } from '../../harness/run/experiment/load-plan.ts';
import { select } from '../../harness/run/selection.ts';
import { applyVariant, hardened } from '../../harness/settings/index.ts';
import { scenarios } from '../../scenarios/index.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('junk in configuration and manifests', { timeoutMs: 180_000 });

const configuration = {
  target: {
    manifests: ['web.yaml'],
    deployment: 'web',
    service: 'web',
    port: 80,
    path: '/a',
    method: 'GET',
    headers: { accept: 'text/plain' },
    body: 'x',
    expectStatus: [200, 404],
    longPath: '/slow',
    container: 'app',
    podHeader: 'x-pod',
    health: { port: 8080, path: '/ready' },
    gracefulEnv: { LINGER: '4' },
    images: { current: 'web:1', next: 'web:2', previous: 'web:0', missing: 'web:x', broken: 'web:y' },
  },
  load: {
    rate: {
      shape: 'steps',
      steps: [
        { atMs: 0, ratePerSecond: 50 },
        { atMs: 900, ratePerSecond: 60 },
      ],
    },
    lanes: ['new', 'kept'],
    connections: 10,
    timeoutMs: 2000,
    holdMs: 500,
    durationLimits: { warmUpMs: 500, tailMs: 1000, limitMs: 60_000 },
    agents: 2,
    path: ['cluster-ip'],
  },
  images: { 'web:1': { command: ['node', 'server.js'], env: { VERSION: '1' } } },
  variants: { probe: ['readinessProbe'] },
  scenarios: [
    {
      id: 'mine',
      title: 't',
      question: 'q',
      group: 'rollout',
      target: { replicas: 2, startMs: 5, env: { A: 'b' } },
      load: [{ lane: 'new', rate: { shape: 'constant', ratePerSecond: 5 }, timeoutMs: 100 }],
      steps: [
        { step: 'scale', replicas: 3 },
        { step: 'wait', for: 'time', ms: 5, limitMs: 1000 },
        { step: 'load-rate', ratePerSecond: 5, overMs: 3 },
      ],
      claims: [{ id: 'c', text: 't', source: 's', that: [{ measure: 'lost', atMost: 1 }] }],
      warmUpMs: 5,
      limitMs: 60_000,
    },
  ],
  preStopSeconds: 5,
  gate: { maxLost: { new: 0 }, maxOutageMs: 500, noWorseThanLastGreen: true, variants: ['probe'] },
  cluster: { kind: 'embedded', nodeImage: 'n', oneNode: true, keep: false, context: 'c', kubeconfig: 'k' },
  out: 'results',
};

const manifests = [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { app: 'web' }, annotations: { a: 'b' } },
    spec: {
      replicas: 2,
      minReadySeconds: 1,
      selector: { matchLabels: { app: 'web' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 30,
          containers: [
            {
              name: 'app',
              image: 'web:1',
              command: ['node'],
              args: ['a.mjs'],
              env: [{ name: 'A', value: 'b' }],
              ports: [{ containerPort: 8080, name: 'http' }],
              readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
              lifecycle: { preStop: { sleep: { seconds: 5 } } },
              resources: { requests: { cpu: '100m' } },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
  },
];

type Path = readonly (string | number)[];

/** Every field, inner ones and entries of lists included. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  const inner =
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, one]) =>
          pathsOf(one, [...path, Array.isArray(value) ? Number(key) : key]),
        )
      : [];
  return path.length > 0 ? [path, ...inner] : inner;
}

function withAt<T>(value: T, path: Path, junk: unknown): T {
  const copy = structuredClone(value);
  const holder = path.slice(0, -1).reduce<unknown>((at, step) => (at as never)[step], copy);
  (holder as Record<string | number, unknown>)[path.at(-1) as string] = junk;
  return copy;
}

const junk = fc.oneof(
  fc.anything({ maxDepth: 2, withNullPrototype: false, withBigInt: false }).filter(writable),
  fc.constantFrom<unknown>(
    null,
    '',
    ' ',
    'a\r\nb',
    '\0',
    -1,
    0,
    0.00001,
    1e-300,
    1e308,
    Number.MAX_SAFE_INTEGER,
    'constructor',
    '__proto__',
    'a/b',
    [],
    {},
    [[1]],
    [null],
    { constructor: 1 },
    'x'.repeat(9000),
  ),
);

function writable(value: unknown): boolean {
  try {
    return typeof stringify(value) === 'string';
  } catch {
    return false;
  }
}

const folder = mkdtempSync(join(tmpdir(), 'rollproof-junk-'));
const known = knownNames(scenarios.map(({ id }) => id));

/** The sentence that refuses it; undefined: it was taken. Anything but a UsageError is thrown on. */
function refused(act: () => void, where: RegExp): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    for (const line of error.message.split('\n')) assert.match(line, where);
    return error.message;
  }
}

function load(value: unknown): string | undefined {
  const file = join(folder, 'rollproof.yaml');
  writeFileSync(file, stringify(value, { aliasDuplicateObjects: false }));
  let loaded: Configuration | undefined;
  const sentence = refused(() => {
    loaded = loadConfiguration('rollproof.yaml', folder, known).configuration;
  }, /^rollproof\.yaml(:\d+:\d+)?: ./);
  if (loaded) refused(() => plan(loaded as Configuration), /./);
  return sentence;
}

/** Everything that is made of it before anything runs. */
function plan(loaded: Configuration): void {
  const { keys } = select(scenarios, loaded, {
    profile: 'quick',
    scenarios: [],
    variants: [],
    repeat: 1,
    paths: ['cluster-ip'],
    agents: 1,
    builtIn: false,
  });
  if (loaded.target)
    for (const { scenario } of keys) through(parseManifests('m', stringify(manifests[0])), loaded, scenario);
}

function through(
  read: ReturnType<typeof parseManifests>,
  loaded: Pick<Configuration, 'target'>,
  scenario: Pick<Scenario, 'target'>,
): void {
  const target = targetOf(read, loaded.target as never, 'rollproof.yaml');
  const base = withScenario(target, { steps: [], ...scenario });
  const variant = applyVariant(base, hardened, {
    kubernetesVersion: 'v1.34.0',
    workload: target.workload,
    health: target.health,
    preStopSeconds: 5,
    gracefulEnv: undefined,
  });
  labelledTarget(variant.manifests, target, { namespace: 'n', runId: 'r', experiment: 'e' });
  loadPlan(scenario as Scenario, target, { target: '127.0.0.1:1', control: undefined }, 'r');
}

const runs = { numRuns: 200 };

test('random junk in any field of a configuration: taken, or sentences with file and line', () => {
  assert.is(load(configuration), undefined, 'without junk it is taken');
  const anywhere = fc.constantFrom(...pathsOf(configuration));
  fc.assert(
    fc.property(anywhere, junk, (path, value) => {
      load(withAt(configuration, path, value));
    }),
    runs,
  );
});

/** Fields that may hold any object, and texts that people read. */
const free = /^(\$schema|target\.body)$|\.(title|question|text|source|env\.\w+|gracefulEnv\.\w+)$/;

test('a value that no field can have is refused wherever it stands, by the name of the field', () => {
  const never = [[[1]], { junk: 1 }, 'a\r\nb\0', -1e300, 1e308];
  for (const path of pathsOf(configuration)) {
    const field = path.join('.');
    for (const value of never) {
      if (typeof value === 'string' && free.test(field)) continue;
      if (field.startsWith('scenarios.0.') && (typeof value === 'string' || /atMost/.test(field))) continue;
      const sentence = load(withAt(configuration, path, value));
      assert.ok(sentence, `${field} = ${JSON.stringify(value)} was taken`);
    }
  }
});

/** Each way to say where the workload is, and each kind of it. */
const otherTargets: readonly unknown[] = [
  { kustomize: 'k', statefulSet: 'web' },
  {
    helm: { chart: 'c', values: ['v.yaml'], set: { a: 'b' }, release: 'r', version: '1.0.0' },
    daemonSet: 'web',
  },
  { from: 'cluster', namespace: 'shop', rollout: 'web' },
];

test('nor in a field of any other way to name a target', () => {
  const never = [[[1]], { junk: [1] }, 'a\r\nb\0', -1e300, true, null];
  for (const target of otherTargets) {
    assert.is(load({ target }), undefined, 'without junk it is taken');
    for (const path of pathsOf(target))
      for (const value of never) {
        const field = path.join('.');
        // Any plain value is one that helm sets.
        if (field === 'helm.set.a' && (typeof value === 'number' || typeof value === 'boolean')) continue;
        const sentence = load({ target: withAt(target, path, value) });
        assert.ok(sentence, `${field} = ${JSON.stringify(value)} was taken`);
        assert.match(sentence, /^rollproof\.yaml:\d+:\d+: target/m, field);
      }
  }
});

test('random junk in any field of a manifest: taken, or sentences with file and line', () => {
  const scenario = { ...(scenarios[0]?.quick as Scenario), id: 'x' };
  const names = { deployment: 'web', service: 'web', method: 'GET', path: '/', headers: {} } as never;
  const pass = (changed: typeof manifests) =>
    refused(
      () =>
        through(
          changed.flatMap((one) =>
            parseManifests('m.yaml', stringify(one, { aliasDuplicateObjects: false })),
          ),
          { target: names },
          scenario,
        ),
      /^(m\.yaml:\d+|m\.yaml|rollproof\.yaml): ./,
    );
  assert.is(pass(manifests), undefined, 'without junk it is taken');
  const anywhere = fc.constantFrom(...pathsOf(manifests));
  fc.assert(
    fc.property(anywhere, junk, (path, value) => {
      pass(withAt(manifests, path, value));
    }),
    runs,
  );
  for (const path of pathsOf(manifests))
    for (const value of [[[1]], 'text of no meaning', -5]) {
      const name = path.join('.');
      const texts =
        /(apiVersion|name|image|path|labels\.app|annotations\.a|matchLabels\.app|selector\.app|env\.0\.value|(command|args)\.0|strategy\.type|cpu|[pP]ort)$/;
      if (typeof value === 'string' && texts.test(name)) continue;
      if (typeof value === 'number' && /cpu$/.test(name)) continue;
      assert.ok(pass(withAt(manifests, path, value)), `${name} = ${JSON.stringify(value)} was taken`);
    }
  // What is not there at all, too.
  for (const path of pathsOf(manifests).filter(({ length }) => length > 1)) {
    const said = pass(withAt(manifests, path, undefined));
    if (/containers(\.\d+\.image)?$/.test(path.join('.')))
      assert.ok(said, `without ${path.join('.')} it was taken`);
  }
});

test('texts that are no YAML a program can read', () => {
  const deep = '['.repeat(20_000);
  const table = [
    deep,
    '- '.repeat(20_000),
    '? '.repeat(20_000),
    `${'{a: '.repeat(20_000)}${'}'.repeat(20_000)}`,
    `${deep}${']'.repeat(20_000)}`,
    'a: &a [*a]\n',
    '&a [*a]',
    'a: !!binary "####"',
    '%YAML 9.9\n---\n<<: 5',
  ];
  for (const text of table) {
    writeFileSync(join(folder, 'rollproof.yaml'), text);
    assert.ok(
      refused(() => loadConfiguration('rollproof.yaml', folder), /^rollproof\.yaml/),
      text.slice(0, 30),
    );
    assert.ok(
      refused(() => parseManifests('m.yaml', text), /^m\.yaml/),
      text.slice(0, 30),
    );
  }
  rmSync(folder, { recursive: true, force: true });
});

test.run();
