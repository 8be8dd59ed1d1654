// Our own pods and objects on a cluster of somebody's: Pod Security "restricted", quotas, meshes, autoscalers, and the way
// their programs get there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { configurationSchema } from '../../harness/config/schema.ts';
import { builtInTarget } from '../../harness/deploy/built-in.ts';
import { CONFIG_MAP_LIMIT_BYTES, packPrograms, programCommand } from '../../harness/deploy/programs.ts';
import { namesOfImage, parseImageName } from '../../harness/model/image-name.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import type { OwnPods } from '../../harness/model/own-pods.ts';
import { defineScenario } from '../../harness/model/scenario.ts';
import { type ExperimentObjects, experimentObjects } from '../../harness/run/experiment/objects.ts';
import { checkOwnImages, ownImages } from '../../harness/run/images.ts';
import { hardened } from '../../harness/settings/variants.ts';
import { suite } from '../suite.ts';

const test = suite('own-pods', { timeoutMs: 60_000 });

const agent = (fields: Record<string, unknown> = {}) => configurationSchema.parse({ agent: fields }).agent;
const { full: scenario } = defineScenario({
  id: 'queue',
  title: 't',
  question: 'q',
  group: 'connections',
  target: { queue: { enqueuePerSecond: 30, coldPerSecond: 5, warmPerSecond: 10, warmUpMs: 4000 } },
  load: [{ lane: 'new' }],
  steps: [],
  claims: [],
});

interface PodSpec {
  securityContext?: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: { type?: string } };
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  nodeSelector?: Record<string, string>;
  tolerations?: unknown[];
  affinity?: unknown;
  imagePullSecrets?: { name: string }[];
  volumes?: Record<string, unknown>[];
  containers: {
    name: string;
    image: string;
    command?: string[];
    env?: { name: string; value?: string }[];
    ports?: { hostPort?: number }[];
    resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
    securityContext?: {
      allowPrivilegeEscalation?: boolean;
      privileged?: boolean;
      readOnlyRootFilesystem?: boolean;
      capabilities?: { drop?: string[]; add?: string[] };
    };
  }[];
}
interface Template {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
}

/** Templates of every pod of ours, by the object's name. */
async function templates(fields: Record<string, unknown> = {}, namespace: string | undefined = undefined) {
  const { objects, own } = await objectsOn(fields, namespace);
  const all = allOf(objects);
  const found = all.flatMap((manifest): [string, Template][] => {
    const template = (manifest.spec as { template?: Template } | undefined)?.template;
    return template ? [[manifest.metadata.name, template]] : [];
  });
  assert.is(found.length, 4, 'agent, control target, queue and target');
  return { found: new Map(found), all, own };
}

/** Made once each: bundling takes a moment. */
const made = new Map<string, ReturnType<typeof ownImages>>();
function imagesOn(kind: 'context' | 'kind' | 'embedded', fields: Record<string, unknown> = {}) {
  const key = JSON.stringify([kind, fields]);
  const images = made.get(key) ?? ownImages(kind, agent(fields));
  made.set(key, images);
  return images;
}

async function objectsOn(fields: Record<string, unknown>, namespace?: string) {
  const images = await imagesOn('context', fields);
  const objects = experimentObjects(
    {
      runId: 'r1',
      own: images.pods,
      target: builtInTarget(images.target, { ON_TERM: 'graceful' }, images.pods),
      preStopSeconds: 5,
      kubernetesVersion: 'v1.34.0',
      namespace,
    },
    { scenario, variant: hardened, path: 'cluster-ip', agents: 2, repeat: 0 },
    { agents: 'with-agents', wanted: { count: 2, deadlineMs: 600_000 }, worker: undefined },
  );
  return { objects, own: images.pods };
}

const allOf = (objects: ExperimentObjects): readonly Manifest[] => [
  ...(objects.namespace ? [objects.namespace] : []),
  ...objects.agents,
  objects.agentService,
  ...objects.queue,
  ...objects.control,
  ...objects.targetAt({ phases: '10.0.0.1:7070', queue: '10.0.0.2:80' }),
];

/** https://kubernetes.io/docs/concepts/security/pod-security-standards/, level restricted: what a pod breaks. */
function brokenRules(spec: PodSpec): string[] {
  const pod = spec.securityContext;
  const volumeTypes = [
    'configMap',
    'csi',
    'downwardAPI',
    'emptyDir',
    'ephemeral',
    'persistentVolumeClaim',
    'projected',
    'secret',
  ];
  const rules: [string, boolean][] = [
    ['host namespaces', !spec.hostNetwork && !spec.hostPID && !spec.hostIPC],
    ['runAsNonRoot', pod?.runAsNonRoot === true],
    ['a numeric user that is not root', (pod?.runAsUser ?? 0) > 0],
    ['seccompProfile', ['RuntimeDefault', 'Localhost'].includes(pod?.seccompProfile?.type ?? '')],
    [
      'volume types',
      (spec.volumes ?? []).every((volume) =>
        Object.keys(volume).every((key) => key === 'name' || volumeTypes.includes(key)),
      ),
    ],
    ...spec.containers.flatMap(({ name, ports, securityContext: own }): [string, boolean][] => [
      [`${name}: hostPort`, (ports ?? []).every((port) => !port.hostPort)],
      [`${name}: privileged`, own?.privileged !== true],
      [`${name}: allowPrivilegeEscalation`, own?.allowPrivilegeEscalation === false],
      [`${name}: drop ALL`, own?.capabilities?.drop?.includes('ALL') === true],
      [`${name}: add`, (own?.capabilities?.add ?? []).every((one) => one === 'NET_BIND_SERVICE')],
    ]),
  ];
  return rules.filter(([, kept]) => !kept).map(([rule]) => rule);
}

test('every pod of ours keeps the level restricted, and can write nowhere but in /tmp', async () => {
  for (const [name, { spec }] of (await templates()).found) {
    assert.equal(brokenRules(spec), [], name);
    assert.ok(
      spec.containers.every((one) => one.securityContext?.readOnlyRootFilesystem),
      name,
    );
  }
  assert.ok(
    brokenRules({ containers: [{ name: 'x', image: 'x' }] }).length >= 5,
    'a plain pod would be found',
  );
});

test('every pod of ours has requests and limits of CPU and memory; the agent’s can be set', async () => {
  const { found } = await templates({ resources: { limits: { cpu: 2 } } });
  for (const [name, { spec }] of found) {
    for (const { resources } of spec.containers) {
      for (const part of ['requests', 'limits'] as const)
        for (const unit of ['cpu', 'memory'])
          assert.ok(resources?.[part]?.[unit], `${name}: ${part}.${unit}`);
    }
  }
  assert.equal(found.get('rollproof-agent')?.spec.containers[0]?.resources, {
    requests: { cpu: '250m', memory: '128Mi' },
    limits: { cpu: '2', memory: '512Mi' },
  });
});

test('meshes stay out unless they are let in, autoscalers do not move what measures', async () => {
  const measuring = ['rollproof-agent', 'rollproof-control', 'rollproof-queue'];
  const { found } = await templates();
  for (const name of measuring) {
    const { labels, annotations = {} } = (found.get(name) as Template).metadata;
    assert.is(labels['sidecar.istio.io/inject'], 'false', name);
    assert.is(labels['istio.io/dataplane-mode'], 'none', name);
    assert.is(annotations['linkerd.io/inject'], 'disabled', name);
    assert.is(annotations['cluster-autoscaler.kubernetes.io/safe-to-evict'], 'false', name);
  }
  const inside = (await templates({ mesh: true })).found;
  for (const name of measuring) {
    const text = JSON.stringify((inside.get(name) as Template).metadata);
    assert.not.match(text, /inject|dataplane/, name);
    assert.match(text, 'safe-to-evict', name);
  }
});

test('no node is named: agents, control target and queue find each other, wherever the configuration lets them go', async () => {
  const tolerations = [{ key: 'pool', operator: 'Equal', value: 'load', effect: 'NoSchedule' }];
  const { found } = await templates({ nodeSelector: { pool: 'load' }, tolerations, pullSecret: 'regcred' });
  for (const name of ['rollproof-agent', 'rollproof-control', 'rollproof-queue']) {
    const { spec, metadata } = found.get(name) as Template;
    assert.equal(spec.nodeSelector, { pool: 'load' }, name);
    assert.equal(spec.tolerations, tolerations, name);
    assert.match(JSON.stringify(spec.affinity), '"rollproof.dev/role":"agent"', name);
    assert.match(JSON.stringify(spec.affinity), '"rollproof.dev/run":"r1"', name);
    assert.is(metadata.labels['rollproof.dev/run'], 'r1');
  }
  for (const [name, { spec }] of found) assert.equal(spec.imagePullSecrets, [{ name: 'regcred' }], name);
  const target = found.get('target')?.spec;
  assert.is(target?.nodeSelector ?? target?.affinity, undefined, 'the target goes where it would');
});

test('an image by digest is what runs, and no pod of ours asks for an architecture', async () => {
  const image = `registry.example:443/team/node@sha256:${'b'.repeat(64)}`;
  const { found } = await templates({ image });
  for (const name of ['rollproof-agent', 'rollproof-control', 'rollproof-queue']) {
    const { spec } = found.get(name) as Template;
    assert.is(spec.containers[0]?.image, image, name);
    assert.is(spec.nodeSelector, undefined, `${name}: nodes of any kind, arm64 too`);
    assert.not.match(JSON.stringify(spec.affinity ?? {}), /kubernetes\.io\/(arch|os)/, name);
  }
});

test('the agents end by themselves, and with them what belongs to their Job', async () => {
  const { all } = await templates();
  const job = all.find(({ kind }) => kind === 'Job')?.spec as Record<string, unknown> & {
    template: Template;
  };
  assert.is(job.activeDeadlineSeconds, 600);
  assert.ok((job.ttlSecondsAfterFinished as number) <= 120);
  const env = job.template.spec.containers[0]?.env ?? [];
  assert.ok(Number(env.find(({ name }) => name === 'ROLLPROOF_IDLE_LIMIT_MS')?.value) > 0);
});

test('in a namespace that exists nothing but namespaced objects is made', async () => {
  const { all } = await templates({}, 'team');
  assert.not.ok(all.some(({ kind }) => kind === 'Namespace'));
  for (const { kind, metadata } of all) assert.is(metadata.namespace, 'team', kind);
});

test('selectors of ours name the run, so that two runs in one namespace do not mix', async () => {
  const { all } = await templates();
  const services = all.filter(
    ({ kind, metadata }) => kind === 'Service' && metadata.name.startsWith('rollproof-'),
  );
  assert.is(services.length, 3);
  for (const { metadata, spec } of services)
    assert.is(
      (spec as { selector: Record<string, string> }).selector['rollproof.dev/run'],
      'r1',
      metadata.name,
    );
});

test('the programs fit into a ConfigMap with room to spare', async () => {
  const { own } = await templates();
  const bytes = Object.values((own as OwnPods).programs ?? {}).reduce((sum, one) => sum + one.length, 0);
  assert.ok(bytes > 50_000 && bytes < CONFIG_MAP_LIMIT_BYTES / 2, `${bytes} bytes`);
  assert.throws(
    () => packPrograms({ agent: randomBytes(CONFIG_MAP_LIMIT_BYTES), target: new Uint8Array(10) }),
    /a ConfigMap takes 1048576/,
  );
});

test('a program runs from its compressed file, without a place to write', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-programs-'));
  try {
    const source = `if (!require('fs') || !__filename.endsWith('target.cjs')) process.exit(7); console.log('runs', typeof module, process.env.X);`;
    writeFileSync(join(folder, 'target.cjs.br'), brotliCompressSync(source));
    const [node = '', ...args] = programCommand(process.execPath, 'target').map((part) =>
      part.replaceAll('/rollproof', folder),
    );
    const { status, stdout, stderr } = spawnSync(node, args, { encoding: 'utf8', env: { X: '1' } });
    assert.is(status, 0, stderr);
    assert.is(stdout, 'runs object 1\n');
    assert.not.ok(existsSync(join(folder, 'target.cjs')));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an image that is too old for the programs says so', () => {
  const [, flag = '', script = ''] = programCommand('node', 'agent');
  const old = `Object.defineProperty(process.versions,'node',{value:'18.19.0'});${script}`;
  const { status, stderr } = spawnSync(process.execPath, [flag, old], { encoding: 'utf8' });
  assert.is(status, 1);
  assert.match(stderr, /^rollproof: this image has Node\.js 18\.19\.0; agent\.image needs 20 or later\.\n$/);
});

test('names of one image: another text, nothing new to pull', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const table: [name: string, others: string[]][] = [
    [
      'node:20-bookworm-slim',
      [
        'docker.io/library/node:20-bookworm-slim',
        'index.docker.io/library/node:20-bookworm-slim',
        'library/node:20-bookworm-slim',
        'docker.io/node:20-bookworm-slim',
      ],
    ],
    ['team/node:20', ['docker.io/team/node:20', 'index.docker.io/team/node:20']],
    ['registry.example/node:20', []],
    ['localhost:5000/node:20', []],
    [
      `registry.example:443/team/node@${digest}`,
      [':next', ':third', ':previous'].map((tag) => `registry.example:443/team/node${tag}@${digest}`),
    ],
  ];
  for (const [name, others] of table) assert.equal(namesOfImage(name), [name, ...others], name);
  for (const [name] of table) {
    const [one, ...rest] = namesOfImage(name).map((other) => ({
      ...parseImageName(other),
      ...(name.includes('@') && { tag: '' }),
    }));
    for (const other of rest) assert.equal(other, one, 'the same image');
  }
});

test('an image with one name alone cannot be changed: said before anything starts, and only where it matters', async () => {
  const one = agent({ image: 'registry.example/node:20' });
  const images = await ownImages('context', one);
  assert.throws(
    () => checkOwnImages(images, one, new Set(['next'])),
    /^Error: agent\.image: .*registry\.example\/node:20 has one alone\. Name it by digest \(registry\.example\/node@sha256:\.\.\.\), or name another image with Node\.js as agent\.nextImage\.$|has one alone/,
  );
  checkOwnImages(images, one, new Set(['current', 'missing', 'nginx']));
  const two = agent({ image: 'registry.example/node:20', nextImage: 'registry.example/node:22' });
  checkOwnImages(await ownImages('context', two), two, new Set(['next']));
});

test('where images are built, nothing travels beside them, and nothing of the pods of embedded is mounted', async () => {
  const built = await ownImages('kind', agent({ build: true }));
  assert.is(built.pods.programs, undefined);
  assert.ok(built.requests.every(({ build }) => build));
  const stock = await ownImages('kind', agent());
  assert.ok(
    stock.requests.every(({ build }) => !build),
    'by default no image is built',
  );
  assert.is(stock.pods.guest, undefined);
  const emulated = await ownImages('embedded', agent());
  assert.is(emulated.pods.containers, false);
  const manifests = builtInTarget(emulated.target, {}, emulated.pods).manifests;
  assert.not.match(JSON.stringify(manifests), /volume|securityContext/);
});

test('what stands under "agent" and --namespace is checked with its field', () => {
  const table: [Record<string, unknown>, string][] = [
    [{ agent: { image: 'node 20' } }, 'agent.image'],
    [{ agent: { imagee: 'node' } }, 'agent'],
    [{ agent: { pullSecret: 'A_B' } }, 'agent.pullSecret'],
    [{ agent: { resources: { limits: { cpu: 'much' } } } }, 'agent.resources.limits.cpu'],
    [{ agent: { tolerations: [{ effect: 'Never' }] } }, 'agent.tolerations.0.effect'],
    [{ agent: { build: 'yes' } }, 'agent.build'],
    [{ cluster: { namespace: 'Team' } }, 'cluster.namespace'],
  ];
  for (const [input, field] of table) {
    const result = configurationSchema.safeParse(input);
    assert.not.ok(result.success, JSON.stringify(input));
    assert.is(result.error?.issues[0]?.path.join('.'), field);
  }
});

test.run();

/** Bytes that no compression makes smaller. */
function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
