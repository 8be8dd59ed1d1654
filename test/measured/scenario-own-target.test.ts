// A scenario that brings its own target, as a user writes it: a manifest that the API server refuses, the same where it
// never gets ready, and the same where it serves; with every change of it in the report, and what a history and a collector
// get of a run.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inTemporaryFolder, readResults, rollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('scenario with its own target', { timeoutMs: 180_000 });

const server = `
const { createServer } = require('node:http');
const server = createServer((request, response) => {
  response.statusCode = request.url === '/' ? 200 : 404;
  response.end('shop');
});
server.listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => process.exit(0));
`;

const published = {
  apiVersion: 'extensions/v1beta1',
  kind: 'Deployment',
  metadata: { name: 'shop' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'shop' } },
    template: {
      metadata: { labels: { app: 'shop' } },
      spec: {
        containers: [
          {
            name: 'shop',
            image: 'shop:1',
            ports: [{ containerPort: 8080 }],
            readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
          },
        ],
      },
    },
  },
};
const service = {
  because: 'It has no Service.',
  add: {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'shop' },
    spec: { selector: { app: 'shop' }, ports: [{ port: 8080 }] },
  },
};
const version = { because: 'Its API version is gone.', kind: 'Deployment', patch: { apiVersion: 'apps/v1' } };
const inContainer = (fields: Record<string, unknown>) => ({
  spec: { template: { spec: { containers: [{ name: 'shop', ...fields }] } } },
});
const path = {
  because: 'It answers 404 there.',
  kind: 'Deployment',
  patch: inContainer({ readinessProbe: { httpGet: { path: '/' } } }),
};
const target = (...substitutions: unknown[]) => ({
  replicas: 1,
  own: {
    manifests: [published],
    substitutions: [service, ...substitutions],
    deployment: 'shop',
    service: 'shop',
    images: { next: 'shop:2' },
  },
});
const quiet = { load: [], until: 'no-terminating' };

const scenario = {
  id: 'shop-published',
  title: 'The shop as published',
  question: 'Does the shop roll out as it was published?',
  group: 'rollout',
  needs: { images: ['shop:1', 'shop:2'] },
  settings: [],
  load: [{ lane: 'new', rate: { shape: 'constant', ratePerSecond: 20 } }],
  variants: ['refused', 'never-ready', 'serves'],
  cases: {
    refused: {
      title: 'As published',
      target: { ...target(), deployed: false },
      steps: [{ step: 'deploy', refusedWith: 'not found' }],
      ...quiet,
    },
    'never-ready': {
      title: 'With a version that is served',
      target: { ...target(version), deployed: false },
      steps: [
        { step: 'deploy' },
        { step: 'read-fields', fields: { policy: 'spec.template.spec.containers.0.imagePullPolicy' } },
        { step: 'wait', for: 'time', ms: 5000 },
      ],
      ...quiet,
    },
    serves: { title: 'With a path that it answers', settings: ['preStop'], target: target(version, path) },
  },
  steps: [
    { step: 'set-image', image: 'next' },
    { step: 'wait', for: 'settled' },
  ],
  claims: [
    {
      id: 'refused',
      text: 'It is refused.',
      source: 'this test',
      appliesTo: { variant: 'refused' },
      that: [
        { measure: 'refusalsAsExpected', equals: 1 },
        { measure: 'step:1.status', equals: 404 },
      ],
    },
    {
      id: 'never-ready',
      text: 'It never gets ready.',
      source: 'this test',
      appliesTo: { variant: 'never-ready' },
      that: [
        { measure: 'neverReady', equals: 1 },
        { measure: 'eventMessage:Unhealthy', contains: 'statuscode: 404' },
        { measure: 'step:2.policy', equals: 'IfNotPresent' },
      ],
    },
    {
      id: 'serves',
      text: 'It serves while its image changes.',
      source: 'this test',
      appliesTo: { variant: 'serves', lane: 'new' },
      that: [{ measure: 'lost', atMost: 0 }],
    },
  ],
};
const command = { command: ['node', 'server.cjs'] };

function write(folder: string, configuration: unknown): string {
  writeFileSync(join(folder, 'server.cjs'), server);
  const file = join(folder, 'rollproof.json');
  writeFileSync(file, JSON.stringify(configuration));
  return file;
}
const verify = (config: string, out: string, ...more: readonly string[]) =>
  rollproof([
    'verify',
    '--cluster',
    'embedded',
    '--config',
    config,
    '--out',
    out,
    '--pre-stop',
    '3',
    ...more,
  ]);

/** An OpenTelemetry collector that notes where something was posted, and how much. */
async function collector() {
  const posted: { readonly path: string; readonly bytes: number }[] = [];
  const server = createServer(async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    posted.push({ path: request.url ?? '', bytes });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posted,
    [Symbol.asyncDispose]: close,
  };
}

test('refused, never ready, serving: the verdict, and each substitution once in the report', () =>
  inTemporaryFolder(async (folder) => {
    const images = { 'shop:1': command, 'shop:2': command };
    const out = join(folder, 'out');
    const history = join(folder, 'history.ndjson');
    await using otlp = await collector();
    const { code, stdout, stderr } = await verify(
      write(folder, { images, scenarios: [scenario] }),
      out,
      ...['--history', history, '--otlp', otlp.url],
    );
    assert.is(code, 0, `${stdout}\n${stderr}`);
    assert.match(`${stdout}${stderr}`, /OTLP: [1-9]\d* figures and [1-9]\d* spans sent to http:/);
    assert.equal(otlp.posted.map(({ path }) => path).sort(), ['/v1/metrics', '/v1/traces']);
    assert.ok(otlp.posted.every(({ bytes }) => bytes > 100));
    const kept = readFileSync(history, 'utf8').trim().split('\n');
    assert.is(kept.length, 1);
    assert.match(kept[0] ?? '', /shop-published/);
    const { scenarios, findings = [] } = readResults(out);
    const [result] = scenarios;
    assert.is(result?.verdict, 'proven', result?.reason);
    const gone = findings.find(({ finding }) => finding.rule === 'removed-api-version');
    assert.is(gone?.evidence, 'not-measured', 'the rule’s scenario is another one');
    assert.equal(
      result?.experiments.map(({ variant, lanes, substitutions }) => [
        variant,
        Object.keys(lanes).join(),
        substitutions?.map(({ because }) => because),
      ]),
      [
        ['refused', '', [service.because]],
        ['never-ready', '', [service.because, version.because]],
        ['serves', 'new', [service.because, version.because, path.because]],
      ],
    );
    const summary = readFileSync(join(out, 'summary.md'), 'utf8');
    assert.is(summary.split('-apiVersion: extensions/v1beta1\n+apiVersion: apps/v1').length, 2);
    assert.match(readFileSync(join(out, 'index.html'), 'utf8'), 'What had to be changed to run it');
  }));

test('an image that cannot be had: not run, with the reason', () =>
  inTemporaryFolder(async (folder) => {
    const out = join(folder, 'out');
    const { code } = await verify(
      write(folder, { images: { 'shop:1': command }, scenarios: [scenario] }),
      out,
    );
    const [result] = readResults(out).scenarios;
    assert.is(result?.verdict, 'not-run');
    assert.match(
      result?.reason ?? '',
      /^It needs the image shop:2\. embedded: image "shop:2" has no local command\./,
    );
    assert.is(code, 2, 'no data is never a pass');
  }));

test('a target that does not fit its manifests is refused before anything starts', () =>
  inTemporaryFolder(async (folder) => {
    const wrong = { ...scenario.cases.serves, target: { own: { ...target(version).own, service: 'other' } } };
    const config = write(folder, {
      scenarios: [{ ...scenario, cases: { ...scenario.cases, serves: wrong } }],
    });
    const { code, stderr } = await verify(config, join(folder, 'out'));
    assert.is(code, 4);
    assert.match(
      stderr,
      /scenario shop-published, variant serves: target\.service: the manifests have no Service "other"/,
    );
  }));

test.run();
