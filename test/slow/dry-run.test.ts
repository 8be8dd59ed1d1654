// `verify --dry-run` prints what would be created and creates nothing.
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { configurationSchema } from '../../harness/config/schema.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { chooseCluster } from '../../harness/run/clusters.ts';
import { dryRun } from '../../harness/run/dry-run.ts';
import { select } from '../../harness/run/selection.ts';
import { scenarios } from '../../scenarios/index.ts';
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

test.run();
