import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import * as assert from 'uvu/assert';
import { knownNames } from '../../harness/commands/flags.ts';
import { configurationJsonSchema } from '../../harness/config/json-schema.ts';
import { type KnownNames, loadConfiguration } from '../../harness/config/load.ts';
import { overrideConfiguration } from '../../harness/config/override.ts';
import { withLoad } from '../../harness/config/scenario-load.ts';
import { RollproofError } from '../../harness/model/errors.ts';
import { defineScenario } from '../../harness/model/scenario.ts';
import { suite } from '../suite.ts';

const test = suite('config');

function inFolder<T>(files: Record<string, string>, body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-config-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function refusal(text: string, known: KnownNames = {}, more: Record<string, string> = {}): string {
  return inFolder({ 'rollproof.yaml': text, ...more }, (folder) => {
    try {
      loadConfiguration(undefined, folder, known);
    } catch (error) {
      assert.instance(error, RollproofError);
      assert.is((error as RollproofError).exitCode, 4);
      return (error as Error).message;
    }
    return 'accepted';
  });
}

const target = 'target: {manifests: [web.yaml], deployment: web, service: web}\n';
const full = `# yaml-language-server: $schema=./config.schema.json
target:
  manifests: [k8s/web.yaml, k8s/more]
  deployment: web
  service: web
  port: http
  path: /api
  expectStatus: 204
  container: app
  podHeader: x-pod
  gracefulEnv: {LINGER: "4"}
  health: {port: 8080, path: /ready}
  images: {current: "web:1", next: "web:2"}
load:
  rate: 50
  lanes: [new, kept]
  connections: 10
  timeoutMs: 2000
  durationLimits: {warmUpMs: 500, tailMs: 1000, limitMs: 60000}
  agents: 2
  path: [cluster-ip, node-port]
images:
  web:1: {command: [node, server.js], env: {VERSION: "1"}}
variants:
  probe-only: [readinessProbe]
scenarios:
  - image-change
  - mine/scenario.yaml
  - {id: inline, title: t, question: q, group: rollout, steps: [{step: restart}], claims: [], quick: {warmUpMs: 1}}
preStopSeconds: 5
gate: {maxLost: {new: 0, kept: 5}, maxOutageMs: 500, noWorseThanLastGreen: true}
cluster: {kind: kind, nodeImage: "kindest/node:v1.34.4", oneNode: true, keep: true}
out: results
`;
const scenarioFile =
  'id: mine\ntitle: t\nquestion: q\ngroup: connections\nsteps: [{step: scale, replicas: 2}]\nclaims: []\n';

test('every field is read; files are relative to the configuration', () => {
  inFolder({ 'deploy/rollproof.yaml': full, 'deploy/mine/scenario.yaml': scenarioFile }, (folder) => {
    const { configuration, file } = loadConfiguration('deploy/rollproof.yaml', folder);
    assert.is(file, 'deploy/rollproof.yaml');
    assert.equal(configuration.target?.manifests, ['deploy/k8s/web.yaml', 'deploy/k8s/more']);
    assert.equal(configuration.target?.expectStatus, [204]);
    assert.is(configuration.target?.port, 'http');
    assert.is(configuration.out, 'deploy/results');
    assert.is(configuration.images['web:1']?.folder, 'deploy', 'where its command runs');
    assert.equal(configuration.load.rate, { shape: 'constant', ratePerSecond: 50 });
    assert.equal(configuration.load.path, ['cluster-ip', 'node-port']);
    assert.equal(configuration.gate, {
      maxLost: { new: 0, kept: 5 },
      maxOutageMs: 500,
      noWorseThanLastGreen: true,
    });
    const [first, second, third] = configuration.scenarios ?? [];
    assert.is(first, 'image-change');
    assert.ok(typeof second === 'object' && second.id === 'mine' && second.full.steps[0]?.step === 'scale');
    assert.ok(typeof third === 'object' && third.quick.warmUpMs === 1 && third.full.warmUpMs === 2000);
  });
});

test('no file, an empty file and a JSON file', () => {
  inFolder({}, (folder) => {
    const { configuration, file } = loadConfiguration(undefined, folder);
    assert.is(file, undefined);
    const { agent, ...rest } = configuration;
    assert.equal(rest, { load: {}, images: {}, variants: {}, cluster: {} });
    assert.is(agent.image, 'node:20-bookworm-slim');
  });
  inFolder({ 'rollproof.yaml': '' }, (folder) =>
    assert.is(loadConfiguration(undefined, folder).configuration.target, undefined),
  );
  inFolder({ 'rollproof.json': '{"preStopSeconds": 3}' }, (folder) =>
    assert.is(loadConfiguration(undefined, folder).configuration.preStopSeconds, 3),
  );
});

test('what is wrong is named with line, column, field, what stands there and what may', () => {
  const table: [string, string, string][] = [
    [
      'type',
      'load:\n  rate: fast\n',
      'rollproof.yaml:2:9: load.rate must be a number or an object with fields, not "fast".',
    ],
    [
      'enum in a list',
      'load:\n  lanes: [new, keptt]\n',
      'rollproof.yaml:2:16: load.lanes[1] must be one of new, kept, long or an object with fields, not "keptt".',
    ],
    ['range', 'preStopSeconds: -1\n', 'rollproof.yaml:1:17: preStopSeconds must be at least 0, not -1.'],
    [
      'whole number',
      'preStopSeconds: 1.5\n',
      'rollproof.yaml:1:17: preStopSeconds must be a whole number, not 1.5.',
    ],
    [
      'unknown field',
      'loads: {}\n',
      'rollproof.yaml:1:1: loads is not a field that rollproof knows; remove it or correct its name.',
    ],
    [
      'unknown inner field',
      'load:\n  rat: 5\n',
      'rollproof.yaml:2:3: load.rat is not a field that rollproof knows; remove it or correct its name.',
    ],
    [
      'missing field: its parent',
      'load: {}\ntarget:\n  helm: {version: a}\n  deployment: web\n',
      'rollproof.yaml:3:9: target.helm.chart is missing: it needs a text.',
    ],
    [
      'no workload',
      'target: {manifests: [a], service: web}\n',
      'rollproof.yaml:1:9: target needs "deployment" (or "statefulSet", "daemonSet", "rollout"): the workload under test.',
    ],
    [
      'two workloads',
      'target: {manifests: [a], service: web, deployment: x, daemonSet: y}\n',
      'rollproof.yaml:1:66: target.daemonSet cannot stand beside "deployment": there is one workload under test.',
    ],
    [
      'empty list',
      `target: {manifests: [], deployment: web, service: web}\n`,
      'rollproof.yaml:1:21: target.manifests must be a list of at least 1, not an empty list.',
    ],
    [
      'path',
      `target: {manifests: [a], deployment: web, service: web, path: api}\n`,
      'rollproof.yaml:1:63: target.path must be a path that starts with "/", not "api".',
    ],
    [
      'lane in a record',
      'gate: {maxLost: {slow: 1}}\n',
      "rollproof.yaml:1:18: gate.maxLost.slow is no usable name: it needs to be a lane (new, kept, long) or a line's name, such as grpc-kept or ingress/new.",
    ],
    [
      'built-in variant',
      'variants:\n  hardened: []\n',
      'rollproof.yaml:2:3: variants.hardened is built in; give yours another name.',
    ],
    [
      'setting twice',
      'variants: {a: [preStop, preStop]}\n',
      'rollproof.yaml:1:25: variants.a[1] names "preStop" a second time.',
    ],
    [
      'unknown setting',
      'variants: {a: [prestop]}\n',
      'rollproof.yaml:1:16: variants.a[0] is no setting: "prestop"; there are preStop, surge.',
    ],
    [
      'unknown scenario',
      'scenarios: [nope]\n',
      'rollproof.yaml:1:13: scenarios[0] is no scenario: "nope"; `rollproof list` shows them, and a file ends in .yaml, .yml or .json.',
    ],
    [
      'scenario twice',
      'scenarios: [image-change, image-change]\n',
      'rollproof.yaml:1:27: scenarios[1] names "image-change" a second time.',
    ],
    [
      'scenario file missing',
      'scenarios:\n  - mine.yaml\n',
      'rollproof.yaml:2:5: scenarios[0]: mine.yaml: there is no such file.',
    ],
    [
      'step misspelt in a scenario',
      'scenarios:\n  - {id: x, title: t, question: q, group: rollout, claims: [], steps: [{step: scal}]}\n',
      'rollproof.yaml:2:79: scenarios[0].steps[0] has an unknown "step": "scal".',
    ],
    [
      'field misspelt in a step',
      'scenarios:\n  - {id: x, title: t, question: q, group: rollout, claims: [], steps: [{step: wait, for: ready, limitms: 1}]}\n',
      'rollproof.yaml:2:97: scenarios[0].steps[0].limitms is not a field that rollproof knows; remove it or correct its name.',
    ],
    [
      'quick profile',
      'scenarios:\n  - {id: x, title: t, question: q, group: rollout, claims: [], steps: [], quick: {warmUpMs: soon}}\n',
      'rollproof.yaml:2:93: scenarios[0].quick: warmUpMs must be a number, not "soon".',
    ],
    [
      'not YAML',
      'load: {rate: 5\nout: x\n',
      'rollproof.yaml:2:1: is not valid YAML: Flow map in block collection must be sufficiently indented and end with a }.',
    ],
    ['duplicate key', 'out: a\nout: b\n', 'rollproof.yaml:2:1: is not valid YAML: Map keys must be unique.'],
    [
      'two documents',
      'out: a\n---\nout: b\n',
      'rollproof.yaml:2:1: a configuration is one YAML document, and a second one starts here.',
    ],
    [
      'a list',
      '- a\n',
      'rollproof.yaml:1:1: a rollproof configuration is an object with fields, not a list.',
    ],
    ['binary', 'a\0b', 'rollproof.yaml: is not a text file; a configuration is YAML or JSON.'],
  ];
  const known = { settings: ['preStop', 'surge'], scenarios: ['image-change'] };
  for (const [name, text, expected] of table) assert.is(refusal(text, known), expected, name);
});

test('values that no load, image, variant or gate can have are refused, each in one sentence', () => {
  const rate = (profile: string) => `load: {rate: ${profile}}\n`;
  const step = (fields: string) => rate(`{shape: steps, steps: [{${fields}}]}`);
  const ramp = (...times: number[]) =>
    rate(`{shape: ramp, points: [${times.map((at) => `{atMs: ${at}, ratePerSecond: 5}`).join(', ')}]}`);
  const ofTarget = (field: string) => `target: {manifests: [a], deployment: web, service: web, ${field}}\n`;
  const table: [text: string, sentence: RegExp][] = [
    [rate('0.00001'), /^load\.rate must be at least 0\.1, not 0\.00001\.$/],
    [rate('25000'), /^load\.rate must be at most 20000, not 25000\.$/],
    [rate('-1'), /^load\.rate must be at least 0\.1, not -1\.$/],
    [rate('0'), /^load\.rate must be at least 0\.1, not 0\.$/],
    [rate('{shape: constant, ratePerSecond: 25000}'), /ratePerSecond must be at most 20000, not 25000\.$/],
    [step('atMs: 0, ratePerSecond: 25000'), /steps\[0\]\.ratePerSecond must be at most 20000, not 25000\.$/],
    [step('atMs: 0, ratePerSecond: -5'), /steps\[0\]\.ratePerSecond must be 0 or at least 0\.1, not -5\.$/],
    [step('atMs: 0, ratePerSecond: 0.00001'), /must be 0 or at least 0\.1, not 0\.00001\.$/],
    [step('atMs: 0, ratePerSecond: 5, rise: 1'), /^load\.rate\.steps\[0\]\.rise is not a field/],
    [rate('{shape: constant, ratePerSecond: 5, burst: 1}'), /^load\.rate\.burst is not a field/],
    [step('atMs: 500, ratePerSecond: 5'), /steps\[0\]\.atMs must be 0, not 500: the first step/],
    [ramp(0, 900, 100), /points\[2\]\.atMs must be more than the 900 before it, not 100\.$/],
    [ramp(0, 900, 900), /points\[2\]\.atMs must be more than the 900 before it, not 900\.$/],
    ['load: {lanes: [new, kept, new]}\n', /^load\.lanes\[2\] names "new" a second time\.$/],
    ['load: {lanes: [{lane: new, rate: 0.00001}]}\n', /^load\.lanes\[0\]\.rate must be at least 0\.1/],
    [
      'load: {lanes: [{lane: new, path: "/a\\r\\nX: y"}]}\n',
      /^load\.lanes\[0\]\.path must be a path of visible ASCII .*, not "\/a\\r\\nX: y"\.$/,
    ],
    ['load: {timeoutMs: 0.0001}\n', /^load\.timeoutMs must be at least 10, not 0\.0001\.$/],
    ['load: {durationLimits: {limitMs: 1}}\n', /limitMs must be at least 10000, not 1\.$/],
    ['load: {durationLimits: {limitMs: 1e308}}\n', /limitMs must be at most 86400000, not 1e\+308\.$/],
    ['images: {"web:1": {command: []}}\n', /^images\."web:1"\.command must be a list of at least 1/],
    [
      'images: {"web:1": {command: [""]}}\n',
      /^images\."web:1"\.command\[0\] must be a program, not empty\.$/,
    ],
    ['variants: {__proto__: [preStop]}\n', /^variants\.__proto__ is no usable name/],
    ['variants: {constructor: [preStop]}\n', /^variants\.constructor is no usable name/],
    ['variants: {a/b: [preStop]}\n', /^variants\."a\/b" is no usable name/],
    ['gate: {variants: [hardend]}\n', /^gate\.variants\[0\]: variant "hardend" is not known\./],
    [ofTarget('path: "/a\\r\\nb"'), /^target\.path must be a path of visible ASCII/],
    [ofTarget('longPath: "/a\\nb"'), /^target\.longPath must be a path of visible ASCII/],
    [ofTarget('headers: {a: "b\\r\\nc: d"}'), /^target\.headers\.a must be one line of text/],
    [ofTarget('headers: {"a\\r\\nx": c}'), /^target\.headers\."a\\r\\nx" is no usable name/],
  ];
  const known = knownNames(['image-change']);
  for (const [text, sentence] of table) {
    const [line, ...more] = refusal(text, known).split('\n');
    assert.match(line ?? '', /^rollproof\.yaml:\d+:\d+: /, text);
    assert.match((line ?? '').replace(/^\S+ /, ''), sentence, text);
    assert.equal(more, [], text);
  }
});

test('what the API server would refuse of our own pods is refused before anything is there', () => {
  const table: [agent: string, expected: RegExp][] = [
    [
      'resources: {requests: {cpu: 2}, limits: {cpu: 1}}',
      /agent\.resources\.requests\.cpu is 2, more than its limit of 1/,
    ],
    ['resources: {requests: {memory: 1Gi}}', /requests\.memory is 1Gi, more than its limit of 512Mi/],
    ['resources: {limits: {cpu: 100m}}', /limits\.cpu is 100m, less than the 250m that is asked for/],
    ['resources: {limits: {memory: 1ki}}', /must be a Kubernetes quantity/],
    [
      'tolerations: [{key: a, operator: Exists, value: b}]',
      /tolerations\[0\]\.value cannot stand beside operator Exists/,
    ],
    ['tolerations: [{effect: NoSchedule}]', /tolerations\[0\]\.key is missing/],
    [
      'tolerations: [{key: a, tolerationSeconds: 3}]',
      /tolerations\[0\]\.tolerationSeconds needs effect NoExecute/,
    ],
  ];
  for (const [agent, expected] of table) assert.match(refusal(`agent: {${agent}}\n`), expected);
});

test('several problems come in the order of the file, at most ten of them', () => {
  const text = `${target}load: {rate: fast, agents: 0}\nout: 5\n`;
  assert.equal(
    refusal(text)
      .split('\n')
      .map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['rollproof.yaml:2:14: load.rate', 'rollproof.yaml:2:28: load.agents', 'rollproof.yaml:3:6: out'],
  );
  const many = Array.from({ length: 14 }, (_, index) => `x${index}: 1\n`).join('');
  const lines = refusal(many).split('\n');
  assert.is(lines.length, 11);
  assert.is(lines[10], 'rollproof.yaml: and 4 more.');
});

test('two configurations in one folder, a file that is not there', () => {
  assert.is(
    refusal('out: a\n', {}, { 'rollproof.json': '{}' }),
    'rollproof.yaml and rollproof.json: both are here; keep one, or choose with --config FILE.',
  );
  assert.throws(
    () => loadConfiguration('nope.yaml', '/'),
    /^nope\.yaml: there is no such file\.$|no such file/,
  );
});

test('flags override field by field; what is not given stays', () => {
  inFolder(
    { 'rollproof.yaml': `${target}load: {rate: 50, lanes: [new], agents: 2}\npreStopSeconds: 5\n` },
    (folder) => {
      const { configuration } = loadConfiguration(undefined, folder);
      const merged = overrideConfiguration(configuration, {
        load: { rate: { shape: 'ramp', points: [{ atMs: 0, ratePerSecond: 1 }] }, agents: undefined },
        preStopSeconds: 0,
        cluster: { kind: 'embedded' },
        out: undefined,
      });
      assert.equal(merged.load, {
        rate: { shape: 'ramp', points: [{ atMs: 0, ratePerSecond: 1 }] },
        lanes: ['new'],
        agents: 2,
      });
      assert.is(merged.preStopSeconds, 0);
      assert.is(merged.cluster.kind, 'embedded');
      assert.not.ok('out' in merged);
      assert.is(merged.target?.service, 'web');
      assert.is(configuration.preStopSeconds, 5, 'the input is not changed');
    },
  );
});

test('load on a scenario: only what the configuration says changes', () => {
  const { full: scenario } = defineScenario({
    id: 'x',
    title: 't',
    question: 'q',
    group: 'rollout',
    steps: [],
    claims: [],
  });
  assert.equal(withLoad(scenario, {}), scenario);
  const changed = withLoad(scenario, {
    rate: { shape: 'constant', ratePerSecond: 10 },
    lanes: ['kept', 'long'],
    connections: 3,
    holdMs: 900,
    durationLimits: { tailMs: 1 },
  });
  assert.equal(
    changed.load.map(({ lane, connections, rate, holdMs }) => [lane, connections, rate.shape, holdMs]),
    [
      ['kept', 3, 'constant', undefined],
      ['long', 0, 'constant', 900],
    ],
  );
  assert.is(changed.tailMs, 1);
  assert.is(changed.warmUpMs, scenario.warmUpMs);
});

test('the published JSON Schema is the generated one, and accepts and refuses as the loader does', () => {
  const published = JSON.parse(readFileSync(new URL('../../config.schema.json', import.meta.url), 'utf8'));
  assert.ok(
    JSON.stringify(published) === JSON.stringify(configurationJsonSchema()),
    'config.schema.json is out of date; run: node scripts/start.mjs scripts/config-schema.ts',
  );
  const validate = new Ajv({ strict: false, allErrors: true }).compile(published);
  const table: [string, unknown, boolean][] = [
    ['empty', {}, true],
    ['load', { load: { rate: 5, path: 'outside' } }, true],
    ['unknown field', { loads: {} }, false],
    ['wrong lane', { load: { lanes: ['x'] } }, false],
    [
      'scenario file and inline',
      {
        scenarios: [
          'a.yaml',
          { id: 'a', title: 't', question: 'q', group: 'rollout', steps: [], claims: [] },
        ],
      },
      true,
    ],
  ];
  for (const [name, value, expected] of table) assert.is(validate(value), expected, name);
});

test.run();
