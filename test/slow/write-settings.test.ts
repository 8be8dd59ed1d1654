// Settings written where people keep their workload: in place, as a patch beside a kustomization, as values of a chart.
// What is written says exactly the base and the settings, and no byte that says something else has moved.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse, parseAllDocuments } from 'yaml';
import { checkedChanges } from '../../harness/check/edit.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { mergeManifest } from '../../harness/model/merge-manifest.ts';
import { applyVariant } from '../../harness/settings/index.ts';
import { changesBetween, sameMeaning, strategicPatch } from '../../harness/write/difference.ts';
import { uncleanReason } from '../../harness/write/git-clean.ts';
import { editInPlace } from '../../harness/write/in-place.ts';
import { planDiff, type WritePlan, writePlan } from '../../harness/write/index.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('settings written', { timeoutMs: 60_000 });

const workload = { kind: 'Deployment', name: 'web', container: 'app' };
const settingsOf =
  (settings: readonly string[], preStopSeconds = 5, of = workload) =>
  (manifests: readonly Manifest[]): readonly Manifest[] =>
    applyVariant(
      manifests,
      { name: 'x', version: 1, settings },
      {
        kubernetesVersion: 'v1.34.0',
        workload: of,
        health: { port: 8080, path: '/' },
        preStopSeconds,
        foreign: true,
        gracefulEnv: { GRACEFUL: '1' },
      },
    ).manifests;
const hardened = ['readinessProbe', 'preStop', 'gracefulShutdown', 'surge'];

const base = `# Team shop
---
kind: Service   # the one that clients use
apiVersion: v1
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: 'web'
spec:
  replicas: 5
  # as agreed
  strategy:
    type: "Recreate"  # for now
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      terminationGracePeriodSeconds: 3 # short
      containers:
      - name: app
        image: "shop/web:1"   # by CI
        env:
        - name: A
          value: '1'
        - {name: GRACEFUL, value: "0"}
        # the port
        ports: [{containerPort: 8080}]
`;

test('in place: only the lines that must change', () => {
  const { files, manifests } = editInPlace(
    [{ file: 'web.yaml', text: base }],
    settingsOf([...hardened, 'podDisruptionBudget']),
    workload,
  );
  assert.is(files.length, 1);
  const diff = planDiff(files)
    .split('\n')
    .filter((line) => /^[-+](?!(--|\+\+) )/.test(line));
  assert.equal(diff, [
    '-    type: "Recreate"  # for now',
    '+    type: "RollingUpdate"  # for now',
    '+    rollingUpdate:',
    '+      maxSurge: 25%',
    '+      maxUnavailable: 0',
    '-      terminationGracePeriodSeconds: 3 # short',
    '+      terminationGracePeriodSeconds: 8 # short',
    '-        - {name: GRACEFUL, value: "0"}',
    '+        - { name: GRACEFUL, value: "1" }',
    '+        readinessProbe:',
    '+          httpGet:',
    '+            path: /',
    '+            port: 8080',
    '+          periodSeconds: 1',
    '+          failureThreshold: 3',
    '+        lifecycle:',
    '+          preStop:',
    '+            sleep:',
    '+              seconds: 5',
    '+---',
    '+apiVersion: policy/v1',
    '+kind: PodDisruptionBudget',
    '+metadata:',
    '+  name: web',
    '+spec:',
    '+  maxUnavailable: 1',
    '+  selector:',
    '+    matchLabels:',
    '+      app: web',
  ]);
  const wanted = settingsOf([...hardened, 'podDisruptionBudget'])(documents(base));
  assert.equal(
    manifests.map(({ manifest }) => manifest),
    wanted,
  );
});

test('in place: a List, JSON, CRLF, anchors, no last newline', () => {
  const json = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: documents(base) }, null, 2);
  const anchors = base
    .replace('selector:\n    matchLabels: {app: web}', 'selector:\n    matchLabels: &l {app: web}')
    .replace('labels: {app: web}\n    spec', 'labels: *l\n    spec');
  const table: [string, string][] = [
    ['a List in JSON', json],
    ['CRLF', base.replaceAll('\n', '\r\n')],
    ['no last newline', base.trimEnd()],
    ['anchors', anchors],
  ];
  for (const [name, text] of table) {
    const { files, manifests } = editInPlace([{ file: 'f', text }], settingsOf(hardened), workload);
    const wanted = settingsOf(hardened)(documents(base));
    assert.ok(
      sameMeaning(
        manifests.map(({ manifest }) => manifest),
        wanted,
      ),
      name,
    );
    if (name === 'CRLF') assert.not.match(files[0]!.after, /[^\r]\n/, 'line ends of two kinds');
  }
});

test('settings that are there already change nothing', () => {
  const once = editInPlace([{ file: 'f', text: base }], settingsOf(hardened), workload);
  const twice = editInPlace([{ file: 'f', text: once.files[0]!.after }], settingsOf(hardened), workload);
  assert.equal(twice.files, []);
});

const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(1, 'x', true, 'two words', '25%', ''),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { minKeys: 1, noNullPrototype: true }),
    fc.array(
      fc.record({ name: fc.constantFrom('p', 'q', 'r'), v: tie('value') }, { noNullPrototype: true }),
      {
        minLength: 1,
        maxLength: 3,
      },
    ),
  ),
})).value;
const map = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), value, { minKeys: 1, noNullPrototype: true });

test('from any object to any other: as changes of its text', () => {
  fc.assert(
    fc.property(map, map, fc.boolean(), (before, after, flow) => {
      const text = flow ? `${JSON.stringify(before)}\n` : yamlOf(before);
      const changed = checkedChanges(text, changesBetween(before, after));
      assert.ok(changed !== undefined, `${text}to ${JSON.stringify(after)}`);
      assert.equal(parse(changed!), after);
    }),
    { numRuns: 150 },
  );
});

test('from any object to any other: as a strategic merge patch', () => {
  const unique = (one: unknown): boolean =>
    Array.isArray(one)
      ? new Set(one.map((item: { name: string }) => item.name)).size === one.length &&
        one.every((item: { v: unknown }) => unique(item.v))
      : typeof one !== 'object' || one === null || Object.values(one).every(unique);
  fc.assert(
    fc.property(map.filter(unique), map.filter(unique), (before, after) => {
      const patch = strategicPatch(before, after) ?? {};
      const merged = mergeManifest(before as unknown as Manifest, patch as Record<string, unknown>);
      // A list that lost an item is given whole, and a merge by names cannot take one away.
      if (JSON.stringify(before).includes('"name"') && !sameMeaning(merged, after)) {
        assert.ok(losesItems(before, after), `${JSON.stringify(before)} to ${JSON.stringify(after)}`);
        return;
      }
      assert.ok(sameMeaning(merged, after));
    }),
    { numRuns: 150 },
  );
});

test('files that git could not bring back are told', async () => {
  const { signal } = new AbortController();
  await inFolder({ 'a.yaml': 'a: 1\n' }, async (folder) => {
    const git = (...args: string[]) =>
      spawnSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@example.test', ...args], { cwd: folder });
    const file = join(folder, 'a.yaml');
    assert.match((await uncleanReason(file, signal))!, /in no git repository/);
    git('init', '-q');
    assert.match((await uncleanReason(file, signal))!, /is not in git/);
    git('add', '.');
    assert.match((await uncleanReason(file, signal))!, /not committed/);
    git('commit', '-qm', 'x');
    assert.is(await uncleanReason(file, signal), undefined);
    writeFileSync(file, 'a: 2\n');
    assert.match((await uncleanReason(file, signal))!, /not committed/);
    assert.is(await uncleanReason(join(folder, 'new.yaml'), signal), undefined);
  });
});

test('a file that changed meanwhile is not overwritten', async () => {
  await inFolder({ 'a.yaml': 'a: 1\n', 'b.yaml': 'b: 1\n' }, async (folder) => {
    const [a, b] = [join(folder, 'a.yaml'), join(folder, 'b.yaml')];
    const plan: WritePlan = {
      files: [
        { file: a, before: 'a: 1\n', after: 'a: 2\n' },
        { file: b, before: 'b: 0\n', after: 'b: 2\n' },
      ],
      notes: [],
      manifests: [],
    };
    assert.throws(() => writePlan(plan), /b.yaml: was changed while rollproof measured; nothing was written/);
    assert.is(readFileSync(a, 'utf8'), 'a: 1\n');
  });
});

test.run();

function documents(text: string): Manifest[] {
  const all = parseAllDocuments(text, { merge: true });
  return (all as { toJS(): unknown }[])
    .map((one) => one.toJS() as Manifest & { items?: Manifest[] })
    .flatMap((one) => (one === null ? [] : (one.items ?? [one])));
}

function yamlOf(object: unknown): string {
  return (createRequire(import.meta.url)('yaml') as { stringify(of: unknown): string }).stringify(object);
}

function losesItems(before: unknown, after: unknown): boolean {
  if (Array.isArray(before) && Array.isArray(after)) {
    return (
      before.some((item) => !after.some((other) => other.name === item.name)) ||
      before.some((item) =>
        losesItems(
          item,
          after.find((other) => other.name === item.name),
        ),
      )
    );
  }
  if (typeof before !== 'object' || before === null || typeof after !== 'object' || after === null)
    return false;
  return Object.entries(before).some(([key, inner]) =>
    losesItems(inner, (after as Record<string, unknown>)[key]),
  );
}

async function inFolder(
  files: Record<string, string>,
  act: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-write-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
      if (text.startsWith('#!')) chmodSync(join(folder, name), 0o755);
    }
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
