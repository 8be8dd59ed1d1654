// `verify --dry-run` prints what would be created and creates nothing.
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { configurationSchema } from '../../harness/config/schema.ts';
import { asIsTarget } from '../../harness/deploy/foreign.ts';
import { readText } from '../../harness/deploy/read-manifests.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { chooseCluster } from '../../harness/run/clusters.ts';
import { dryRun } from '../../harness/run/dry-run.ts';
import { select } from '../../harness/run/selection.ts';
import { scenarios } from '../../scenarios/index.ts';
import { rollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('dry-run', { timeoutMs: 120_000 });

const configurationOf = (cluster: Record<string, unknown>) =>
  ({ ...configurationSchema.parse({ cluster }), images: {}, scenarios: undefined }) as never;

test('every object of every experiment, as YAML', async () => {
  const configuration = configurationOf({ kind: 'embedded' });
  const { keys } = select(scenarios, configuration, {
    profile: 'quick',
    scenarios: ['image-change'],
    variants: ['baseline', 'hardened'],
    repeat: 1,
    paths: ['node-port'],
    agents: 1,
    builtIn: true,
  });
  const text = await dryRun({ configuration, foreign: undefined, keys, needs: {} });
  const documents = parseAllDocuments(text);
  assert.equal(
    documents.flatMap(({ errors }) => errors),
    [],
  );
  const objects = documents.map((document) => document.toJS() as Manifest);
  const names = (experiment: string) =>
    objects
      .filter(({ metadata }) => metadata.labels?.['rollproof.dev/experiment'] === experiment)
      .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  for (const variant of ['baseline', 'hardened']) {
    const [namespace, ...rest] = names(`image-change.${variant}.node-port`);
    assert.match(namespace ?? '', /^Namespace rollproof-dry-run-/);
    assert.equal(rest, [
      'Job rollproof-agent',
      'Service rollproof-agent',
      'Service rollproof-control',
      'Deployment rollproof-control',
      'Service target',
      'Deployment target',
      'Service rollproof-node-port',
    ]);
  }
  assert.is(objects.length, 16);
  assert.match(text, 'ROLLPROOF_PHASES');
});

test('what would not be measured is not printed, and said', async () => {
  const configuration = configurationOf({ kind: 'embedded' });
  const manifest = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxUnavailable: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          readinessProbe: {httpGet: {path: /, port: 8080}}
          lifecycle: {preStop: {sleep: {seconds: 5}}}
`;
  const names = { deployment: 'web', path: '/', method: 'GET' as const, headers: {} };
  const foreign = asIsTarget(readText('web.yaml', manifest), names, () => 'test');
  const { keys } = select(scenarios, configuration, {
    profile: 'quick',
    scenarios: ['restart'],
    variants: ['as-is', 'hardened'],
    repeat: 1,
    paths: ['cluster-ip'],
    agents: 1,
    builtIn: false,
  });
  const text = await dryRun({ configuration, foreign, keys, needs: {} });
  assert.match(text, /^# Experiment restart\.as-is$/m);
  assert.not.match(text, /Experiment restart\.hardened/);
  assert.match(text, /^# restart, variant hardened: not measured: its settings change nothing here/m);
});

test('a namespace is for a cluster of somebody’s', async () => {
  for (const kind of ['embedded', 'kind', 'auto']) {
    try {
      await chooseCluster(configurationOf({ kind, namespace: 'team' }), {});
      assert.unreachable(kind);
    } catch (error) {
      assert.instance(error, UsageError);
      assert.match((error as Error).message, `--namespace team: cluster ${kind} is one of its own`);
    }
  }
});

test('rbac prints a Role alone for one namespace, for verify and for watch, a ClusterRole without one', async () => {
  const kindsOf = async (...flags: string[]) => {
    const { code, stdout, stderr } = await rollproof(['rbac', ...flags]);
    assert.is(code, 0, stderr);
    return [...stdout.matchAll(/^kind: (\w+)/gm)].map(([, kind]) => kind);
  };
  const inOne = ['ServiceAccount', 'Role', 'RoleBinding'];
  const [one, watched, all] = await Promise.all([
    kindsOf('--namespace', 'plain'),
    kindsOf('--watch', '--namespace', 'shop'),
    kindsOf(),
  ]);
  assert.equal([one, watched], [inOne, inOne]);
  assert.equal(all, ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding']);
});

test.run();
