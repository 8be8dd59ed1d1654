// Which value of a chart leads to which field, found by rendering: here the rendering is a function.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { parse, stringify } from 'yaml';
import { readText } from '../../harness/deploy/read-manifests.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { findValues } from '../../harness/write/chart-values.ts';
import { suite } from '../suite.ts';

const test = suite('values of a chart');

type Values = Record<string, unknown>;
const workload = { kind: 'Deployment', name: 'web', container: 'web' };
const deployment = (spec: Values, pod: Values, container: Values): Manifest => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    ...spec,
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { ...pod, containers: [{ name: 'web', image: 'web:1', ...container }] },
    },
  },
});
const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } };
const lifecycle = { preStop: { sleep: { seconds: 5 } } };
const after = deployment({ strategy }, { terminationGracePeriodSeconds: 35 }, { lifecycle });

function chart(defaults: Values, template: (values: Values) => Manifest) {
  let renderings = 0;
  const probe = {
    render: async (file: string | undefined) => {
      renderings++;
      const given = file === undefined ? {} : (parse(readFileSync(file, 'utf8')) as Values);
      return readText('chart', stringify(template({ ...defaults, ...given })));
    },
    values: stringify(defaults),
    templates: '',
    workload,
  };
  return { probe, renderings: () => renderings };
}

test('fields without a value do not use up the renderings of those that have one', async () => {
  // So many places to try for the first two fields that all renderings would go into them.
  const places = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`part${index}`, { on: true }]));
  const { probe, renderings } = chart({ hooks: {}, ...places }, (values) =>
    deployment({}, {}, values.hooks ? { lifecycle: (values.hooks as Values).lifecycle } : {}),
  );
  const found = await findValues(probe, after);
  assert.equal(found.values, { hooks: { lifecycle } });
  assert.equal(found.notOffered, ['spec.strategy', 'terminationGracePeriodSeconds']);
  assert.ok(renderings() <= 62, `${renderings()} renderings`);
});

test('a chart that refuses what it does not know: one by one', async () => {
  const { probe } = chart({ updateStrategy: {}, lifecycle: {} }, (values) => {
    if (Object.keys(values).some((key) => !['updateStrategy', 'lifecycle'].includes(key)))
      throw new UsageError('values do not meet the schema');
    return deployment({ strategy: values.updateStrategy }, {}, { lifecycle: values.lifecycle });
  });
  const found = await findValues(probe, after);
  assert.equal(found.values, { updateStrategy: strategy, lifecycle });
  assert.equal(found.notOffered, ['terminationGracePeriodSeconds']);
});

test.run();
