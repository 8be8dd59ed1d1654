// A live workload as a target, and `rollproof init`, as a user does it: the cluster that is read is an embedded one.
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import * as assert from 'uvu/assert';
import type { EmbeddedCluster } from '../../emulator/cluster.ts';
import { fastCluster, needsLinux, until } from '../embedded-pods.ts';
import { inTemporaryFolder, readResults, rollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('a live workload', { timeoutMs: 180_000, skip: needsLinux });

const secret = 'horse-battery-staple';
/** Answers 200 only where ConfigMap and Secret have come along. */
const app = `
const { createServer } = require('node:http');
const good = process.env.GREETING === 'hello' && process.env.DOOR === '${secret}';
createServer((_, response) => response.writeHead(good ? 200 : 500).end()).listen(Number(process.env.PORT ?? 8080), process.env.HOST);
process.on('SIGTERM', () => process.exit(0));
`;

function create(cluster: EmbeddedCluster): void {
  const { registry } = cluster;
  const metadata = { name: 'web', namespace: 'shop' };
  const from = (name: string, of: string) => ({ name, valueFrom: { [of]: { name: 'web', key: 'value' } } });
  registry.create('namespaces', { metadata: { name: 'shop' } } as never);
  registry.create('configmaps', { metadata, data: { value: 'hello' } } as never);
  registry.create('secrets', { metadata, stringData: { value: secret } } as never);
  registry.create('services', {
    metadata,
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  } as never);
  registry.create('deployments', {
    metadata,
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          containers: [
            {
              name: 'web',
              image: 'shop/web:1',
              ports: [{ containerPort: 8080 }],
              env: [from('GREETING', 'configMapKeyRef'), from('DOOR', 'secretKeyRef')],
              readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 1 },
              lifecycle: { preStop: { sleep: { seconds: 2 } } },
            },
          ],
        },
      },
    },
  } as never);
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

test('it is copied with what it needs, loaded, and no file tells its Secret', () =>
  inTemporaryFolder(async (folder) => {
    await using live = await fastCluster({
      images: [new Map([['shop/web:1', { command: [process.execPath, '-e', app] }]])],
    });
    create(live);
    await until(
      'ready',
      () => live.registry.get('deployments', 'shop', 'web')?.status?.readyReplicas === 2,
      20_000,
    );
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(kubeconfig, live.kubeconfig());
    writeFileSync(join(folder, 'app.cjs'), app);
    const written = join(folder, 'rollproof.yaml');
    const begun = await rollproof(
      ['init', '--from-cluster', '--namespace', 'shop', '--kubeconfig', kubeconfig, '--out', written],
      { KUBECONFIG: '' },
    );
    assert.is(begun.code, 0, begun.stderr);
    const text = readFileSync(written, 'utf8');
    for (const part of [
      /from: cluster\n {2}namespace: shop\n {2}deployment: web\n {2}service: web\n/,
      /path: \/ready /,
    ])
      assert.match(text, part);
    writeFileSync(written, `${text}\nimages:\n  shop/web:1: {command: [${process.execPath}, app.cjs]}\n`);
    const run = (more: readonly string[], out: string) =>
      rollproof([
        ...['verify', '--cluster', 'embedded', '--config', written, '--kubeconfig', kubeconfig],
        ...['--variants', 'as-is', '--out', join(folder, out), ...more],
      ]);
    const refused = await run([], 'none');
    assert.is(refused.code, 4);
    assert.match(
      refused.stderr,
      /rollproof\.yaml:\d+:\d+: target\.deployment: Deployment web needs Secret "web" of namespace shop\. Allow its copy .*--copy-secrets/,
    );
    const rights = await rollproof(['rbac', '--config', written], { KUBECONFIG: kubeconfig });
    assert.is(rights.code, 0, rights.stderr);
    assert.match(rights.stdout, /# The target's manifests have a Secret\.\n.*\n {4}resources: \[secrets\]/);
    const copied = await run(['--copy-secrets'], 'out');
    const [scenario] = readResults(join(folder, 'out')).scenarios;
    const [experiment] = scenario?.experiments ?? [];
    assert.is(experiment?.valid, true, copied.stderr);
    const { attempts = 0, outcomes } = experiment?.lanes.new ?? {};
    assert.ok(attempts > 50 && (outcomes?.ok ?? 0) > attempts / 2, JSON.stringify(outcomes));
    const encoded = Buffer.from(secret).toString('base64');
    const files = filesIn(join(folder, 'out'));
    assert.ok(files.length > 4, files.join(' '));
    for (const file of files) {
      const content = readFileSync(file, 'utf8');
      assert.not.ok(content.includes(secret) || content.includes(encoded), `${file} tells it`);
    }
    assert.not.ok(copied.stdout.includes(secret) || copied.stderr.includes(secret));
    assert.is(
      live.registry.list('namespaces').filter(({ metadata }) => /rollproof/.test(metadata.name)).length,
      0,
    );
  }));

test('init finds a Rollout, and says where it can be tested', () =>
  inTemporaryFolder(async (folder) => {
    const file = join(folder, 'web.yaml');
    writeFileSync(
      file,
      'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, image: w}]}}}\n',
    );
    const written = join(folder, 'rollproof.yaml');
    const { code, stdout, stderr } = await rollproof(['init', folder, '--out', written]);
    assert.is(code, 0, stderr);
    assert.match(stdout, /Rollout web, .*\n.*needs the CRD and the controller of Argo Rollouts/);
    assert.match(readFileSync(written, 'utf8'), /\n {2}rollout: web\n[\s\S]*\ncluster: \{kind: context\}\n/);
  }));

test('init of a chart takes what helm prints, and writes paths that are there', () =>
  inTemporaryFolder(async (folder) => {
    mkdirSync(join(folder, 'charts', 'web'), { recursive: true });
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'charts', 'web', 'Chart.yaml'), 'name: web\nversion: 1.0.0\n');
    writeFileSync(join(folder, 'values.yaml'), 'replicas: 3\n');
    const claim =
      'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce]}';
    const printed = [
      'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}',
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: web, image: "web:1"}]\n      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]',
      claim,
    ].join('\n---\n');
    const helm = join(folder, 'bin', 'helm');
    writeFileSync(
      helm,
      `#!/bin/sh\n[ "$1" = template ] && [ -d "$3" ] || exit 3\ncat <<'END'\n${printed}\nEND\n`,
    );
    chmodSync(helm, 0o755);
    const env = { PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}` };
    const written = join(folder, 'rollproof.yaml');
    const begun = await rollproof(
      ['init', join(folder, 'charts', 'web'), '--values', join(folder, 'values.yaml'), '--out', written],
      env,
    );
    assert.is(begun.code, 0, begun.stderr);
    assert.match(
      readFileSync(written, 'utf8'),
      /target:\n {2}helm:\n {4}chart: charts\/web\n {4}values:\n {6}- values\.yaml\n {2}deployment: web\n {2}service: web\n/,
    );
    const dry = await rollproof(['verify', '--dry-run', '--cluster', 'kind', '--config', written], env);
    assert.is(dry.code, 0, dry.stderr);
    // What may stand still for ever is known before anything runs.
    assert.match(
      dry.stdout,
      /^# Warning: Deployment web mounts PersistentVolumeClaim data, which is ReadWriteOnce/m,
    );
    assert.match(dry.stdout, /^kind: PersistentVolumeClaim$/m);
  }));

test.run();
