// --resume: a journal counts only when everything that decides a figure is the same; else the field is named.
import * as assert from 'uvu/assert';
import type { TargetDefinition } from '../../harness/deploy/definition.ts';
import type { HeaderRecord } from '../../harness/model/journal.ts';
import type { ExperimentKey } from '../../harness/run/experiment/index.ts';
import { type Deciding, differenceTo, targetDigest } from '../../harness/run/same-measurement.ts';
import { imageChange } from '../../scenarios/image-change.ts';
import { suite } from '../suite.ts';

const test = suite('resume: the same measurement');

const scenario = imageChange.quick;
const target = {
  builtIn: false,
  workload: { kind: 'Deployment', name: 'web', container: 'web' },
  service: { name: 'web', port: 80 },
  images: { current: 'web:1', next: 'web:2' },
  manifests: [{ kind: 'Secret', metadata: { name: 's' }, stringData: { password: 'hunter2' } }],
} as unknown as TargetDefinition;
const key: ExperimentKey = {
  scenario,
  variant: { name: 'hardened', version: 1, settings: ['preStop', 'surge'] },
  path: 'cluster-ip',
  agents: 1,
  repeat: 0,
};
const cluster = {
  kind: 'kind',
  name: 'c',
  kubernetesVersion: 'v1.34.4',
  emulated: false,
  proxyMode: 'iptables',
  nodes: [{ name: 'n', role: 'worker' }],
  notes: [],
};
const now = {
  cluster,
  builtIn: false,
  seed: 5,
  tool: { name: 'rollproof', version: '0.1.0', commit: 'abc' },
  profile: 'quick',
  target,
  configuration: { out: 'a', target: { port: 80 }, preStopSeconds: 5 },
  arguments: ['verify', '--resume', 'a'],
} as unknown as Deciding;
const header = {
  tool: now.tool,
  cluster,
  profile: 'quick',
  seed: 5,
  runId: 'r1',
  scenario: JSON.parse(JSON.stringify(scenario)),
  // What does not apply to a target is not in effect: that is no difference.
  variant: { ...key.variant, settings: ['surge'] },
  path: key.path,
  agents: 1,
  repeat: 0,
  target: {
    builtIn: false,
    workload: 'Deployment/web',
    service: 'web:80',
    images: target.images,
    digest: targetDigest(target, 'r1'),
  },
  configuration: { out: 'b', target: { port: 80 }, preStopSeconds: 5 },
  arguments: ['verify', '--out', 'b'],
} as unknown as HeaderRecord;

test('the same is the same, wherever the results go', () => {
  assert.is(differenceTo(header, key, now), undefined);
  const before = { ...now, cluster: { kind: 'kind' as const }, target: undefined };
  assert.is(differenceTo(header, key, before), undefined, 'before the cluster is up');
  const emulated = (...notes: string[]) =>
    ({ ...cluster, emulated: true, notes: ['pods are not isolated (it takes root)', ...notes] }) as never;
  assert.is(
    differenceTo({ ...header, cluster: emulated('ports below 1024 are not for this user: …') }, key, {
      ...now,
      cluster: emulated(),
    }),
    undefined,
    'a note that an experiment of the run before has brought about',
  );
});

test('everything that decides a figure is compared, and the field is named with both values', () => {
  const [first] = scenario.load;
  const rows: [string, Partial<HeaderRecord>, Partial<ExperimentKey>, Partial<Deciding>, RegExp][] = [
    [
      'tool',
      { tool: { name: 'rollproof', version: '0.1.0', commit: 'def' } },
      {},
      {},
      /^tool\.commit: "def" there, "abc" now$/,
    ],
    ['profile', { profile: 'full' }, {}, {}, /^profile: "full" there, "quick" now$/],
    [
      'load',
      {},
      {
        scenario: {
          ...scenario,
          load: [{ ...first, rate: { shape: 'constant', ratePerSecond: 7 } }] as never,
        },
      },
      {},
      /^scenario\.load\.0\.rate\.ratePerSecond: \d+ there, 7 now$/,
    ],
    [
      'variant',
      {},
      { variant: { ...key.variant, preStopSeconds: 9 } },
      {},
      /^variant\.preStopSeconds: not set there, 9 now$/,
    ],
    [
      'settings',
      {},
      { variant: { ...key.variant, settings: ['preStop'] } },
      {},
      /^variant\.settings: surge was in effect there/,
    ],
    ['seed', { seed: 6 }, {}, {}, /^seed: 6 there, 5 now$/],
    ['lag of routing', { proxyDelayMs: 500 }, {}, {}, /^proxyDelayMs: 500 there, 0 now$/],
    [
      'before the cluster',
      { cluster: { ...cluster, kind: 'embedded' } as never },
      {},
      { cluster: { kind: 'kind' } },
      /^cluster.kind: "embedded" there, "kind" now$/,
    ],
    [
      'before the target',
      { target: { ...header.target, builtIn: true } },
      {},
      { target: undefined },
      /^target\.builtIn: true there, false now$/,
    ],
    ['path', { path: 'node-port' }, {}, {}, /^path: "node-port" there, "cluster-ip" now$/],
    ['agents', { agents: 2 }, {}, {}, /^agents: 2 there, 1 now$/],
    [
      'cluster',
      { cluster: { ...cluster, kubernetesVersion: 'v1.33.0' } as never },
      {},
      {},
      /^cluster\.kubernetesVersion: /,
    ],
    [
      'built-in',
      { target: { ...header.target, builtIn: true } },
      {},
      {},
      /^target\.builtIn: true there, false now$/,
    ],
    [
      'image',
      { target: { ...header.target, images: { current: 'web:0', next: 'web:2' } } },
      {},
      {},
      /^target\.images\.current: "web:0" there/,
    ],
    [
      'configuration',
      { configuration: { target: { port: 81 }, preStopSeconds: 5 } },
      {},
      {},
      /^configuration\.target\.port: 81 there, 80 now$/,
    ],
    [
      'secret',
      { target: { ...header.target, digest: targetDigest({ ...target, manifests: [] }, 'r1') } },
      {},
      {},
      /^target: its manifests, requests or secrets are others now/,
    ],
    [
      'context',
      { cluster: { ...cluster, kind: 'context', name: 'staging' } as never },
      {},
      { cluster: { ...cluster, kind: 'context', name: 'production' } as never },
      /^cluster\.name: "staging" there, "production" now$/,
    ],
    [
      'isolation of pods',
      { cluster: { ...cluster, emulated: true, notes: ['pods are isolated'] } as never },
      {},
      { cluster: { ...cluster, emulated: true, notes: [] } as never },
      /^cluster\.notes\.0: "pods are isolated" there, not set now$/,
    ],
    [
      'another tool beside it',
      { arguments: ['verify', '--cross-check', 'k6'] },
      {},
      {},
      /^crossCheck: true there, false now$/,
    ],
    [
      'another tool beside it, now',
      {},
      {},
      { arguments: ['verify', '--cross-check=k6'] },
      /^crossCheck: false there, true now$/,
    ],
    ['nodes', { cluster: { ...cluster, nodes: [] } as never }, {}, {}, /^cluster\.nodes: 0 there, 1 now$/],
    ['older journal', { target: { ...header.target, digest: undefined } }, {}, {}, /^target: its manifests/],
  ];
  for (const [name, there, asked, here, expected] of rows) {
    const difference = differenceTo({ ...header, ...there }, { ...key, ...asked }, { ...now, ...here });
    assert.match(difference ?? 'no difference', expected, name);
  }
});

/** What says when, where and for whom, and what follows from fields that are compared. */
const decidesNothing =
  /^(configuration\.out|arguments\.\d+|cluster\.(name|nodes\.\d+\.(name|role))|startedAt|variant\.settings\.\d+)$/;

function leaves(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]];
  return Object.entries(value).flatMap(([key, one]) => leaves(one, [...path, key]));
}

test('every field of a header that is another is a difference, but for what is known to decide nothing', () => {
  const whole = { ...header, startedAt: '2026-01-01T00:00:00Z' };
  const missed = leaves(whole)
    .filter((path) => !decidesNothing.test(path.join('.')))
    .filter((path) => {
      const changed = structuredClone(whole) as unknown as Record<string, unknown>;
      const holder = path.slice(0, -1).reduce((at, key) => at[key] as Record<string, unknown>, changed);
      const last = path.at(-1) as string;
      const before = holder[last];
      holder[last] =
        typeof before === 'number' ? before + 1 : typeof before === 'boolean' ? !before : `${before}x`;
      return differenceTo(changed as unknown as HeaderRecord, key, now) === undefined;
    });
  assert.equal(
    missed.map((path) => path.join('.')),
    [],
  );
  assert.ok(leaves(whole).length > 60);
});

test.run();
