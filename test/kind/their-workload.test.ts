// Somebody's workloads on a cluster of somebody's, across namespaces: a live one with the rights as printed and no others,
// a StatefulSet, a DaemonSet, and an Argo Rollout without its controller.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { kindProvider } from '../../harness/cluster/kind/provider.ts';
import { clusterByHand, lacksKubectl } from '../kind-cluster.ts';
import { type Ended, inTemporaryFolder, readResults, rollproof, root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const skip = (await kindProvider().unavailable()) ?? lacksKubectl();
const test = suite("somebody's workloads", { timeoutMs: 300_000, skip });

const cluster = clusterByHand('workloads', skip);
const { folder, kubeconfig: admin } = cluster;
const image = 'node:20-bookworm-slim';
const account = join(folder, 'account');
const shop = readFileSync(join(root, 'test', 'data', 'their-cluster', 'shop.yaml'), 'utf8');
const secret = 'horse-battery-staple';
const live = `
apiVersion: v1
kind: Secret
metadata: {name: door}
stringData: {key: ${secret}}
---
${shop
  .replace("response.end('ok')", `response.writeHead(process.env.DOOR === '${secret}' ? 200 : 500).end()`)
  .replace(
    'command: [node, /app/server.js]',
    'command: [node, /app/server.js]\n          env: [{name: DOOR, valueFrom: {secretKeyRef: {name: door, key: key}}}]',
  )}`;
const namespaces = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
`;
const rollouts = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
spec:
  group: argoproj.io
  names: {kind: Rollout, plural: rollouts, singular: rollout, listKind: RolloutList}
  scope: Namespaced
  versions:
    - {name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`;

test(
  'a cluster made by hand, and rights as printed for a live workload',
  async () => {
    await cluster.create({ images: [image] });
    kubectl(['apply', '-f', '-'], namespaces);
    kubectl(['apply', '-n', 'shop', '-f', '-'], live);
    writeFileSync(join(folder, 'live.yaml'), 'target: {from: cluster, namespace: shop, deployment: shop}\n');
    const { stdout, stderr } = await rollproof(['rbac', '--config', join(folder, 'live.yaml')], {
      KUBECONFIG: admin,
    });
    assert.match(stdout, /kind: ClusterRole\n/, stderr);
    kubectl(['apply', '-f', '-'], stdout);
    kubectl(['rollout', 'status', '-n', 'shop', 'deployment/shop', '--timeout', '180s']);
    writeFileSync(account, accountOf(kubectl(['create', 'token', 'rollproof', '--duration', '1h']).trim()));
  },
  { timeoutMs: 600_000 },
);

test('a live workload is copied with its ConfigMap and its Secret; nothing of the copy is left', () =>
  inTemporaryFolder(async (out) => {
    const before = everything();
    const more = ['--variants', 'as-is', '--copy-secrets'];
    const ended = await verify(join(folder, 'live.yaml'), out, account, more);
    const [experiment] = readResults(out).scenarios[0]?.experiments ?? [];
    assert.is(experiment?.valid, true, ended.stderr + ended.stdout);
    // It answers 500 without its Secret.
    const { attempts = 0, outcomes } = experiment?.lanes.new ?? {};
    assert.ok(attempts > 100 && (outcomes?.ok ?? 0) > attempts / 2, JSON.stringify(outcomes));
    assert.is(everything(), before);
  }));

test('a StatefulSet as it is: restarted, rolled back and scaled as kubectl would', () =>
  inTemporaryFolder(async (out) => {
    const manifests = shop
      .replace('kind: Deployment', 'kind: StatefulSet')
      .replace('replicas: 2', 'replicas: 3');
    const more = ['--variants', 'as-is', '--scenario', 'restart,rollback,scale-down', '--profile', 'quick'];
    const ended = await verify(target('statefulSet: shop', manifests), out, admin, more);
    assert.equal(
      readResults(out)
        .scenarios.map(({ name, experiments }) => `${name} ${experiments[0]?.valid}`)
        .sort(),
      ['restart true', 'rollback true', 'scale-down true'],
      ended.stderr + ended.stdout,
    );
  }));

test('a DaemonSet as it is, and with what is missing', () =>
  inTemporaryFolder(async (out) => {
    const node = `nodeSelector: {kubernetes.io/hostname: ${cluster.nodes().at(-1)}}`;
    const manifests = shop
      .replace('kind: Deployment', 'kind: DaemonSet')
      .replace('  replicas: 2\n', '')
      .replace('      containers:\n', `      ${node}\n      containers:\n`);
    const ended = await verify(target('daemonSet: shop', manifests), out, admin, []);
    const experiments = readResults(out).scenarios[0]?.experiments ?? [];
    assert.equal(
      experiments.map(({ variant, valid }) => `${variant} ${valid}`),
      ['as-is true', 'hardened true'],
      ended.stderr + ended.stdout,
    );
    // One pod and no surge: there is a moment without any.
    assert.ok((experiments[0]?.lanes.new?.lost ?? 0) > 0, ended.stdout);
  }));

test('an Argo Rollout without its controller is refused at once, by name', async () => {
  kubectl(['apply', '-f', '-'], rollouts);
  kubectl(['wait', '--for', 'condition=established', 'crd/rollouts.argoproj.io', '--timeout', '30s']);
  const manifest = shop
    .replace('apiVersion: apps/v1\nkind: Deployment', 'apiVersion: argoproj.io/v1alpha1\nkind: Rollout')
    .replace('  replicas: 2\n', '  replicas: 2\n  strategy: {canary: {}}\n');
  kubectl(['apply', '-n', 'shop', '-f', '-'], manifest);
  const config = join(folder, 'rollout.yaml');
  writeFileSync(config, 'target: {from: cluster, namespace: shop, rollout: shop}\n');
  const { code, stderr } = await verify(config, join(folder, 'unused'), admin, ['--copy-secrets']);
  assert.is(code, 4, stderr);
  assert.match(
    stderr,
    /^Rollout shop: the CRD rollouts\.argoproj\.io is there, and no controller of Argo Rollouts runs on the cluster/m,
  );
});

test('the cluster is removed, or what its owners made on it', () =>
  cluster.remove([
    'namespace/shop',
    'crd/rollouts.argoproj.io',
    'clusterrole/rollproof',
    'clusterrolebinding/rollproof',
    'serviceaccount/rollproof',
  ]));

test.run();

/** Writes a configuration for manifests of a folder of its own. */
function target(workload: string, manifests: string, name = workload): string {
  const base = join(folder, name.replaceAll(/\W/g, '-'));
  writeFileSync(`${base}-shop.yaml`, manifests);
  writeFileSync(
    `${base}.yaml`,
    `target: {manifests: [${base}-shop.yaml], ${workload}, images: {next: docker.io/library/${image}}}\n`,
  );
  return `${base}.yaml`;
}

const verify = (config: string, out: string, kubeconfig: string, more: readonly string[]): Promise<Ended> =>
  rollproof([
    ...['verify', '--cluster', 'context', '--kubeconfig', kubeconfig, '--config', config, '--out', out],
    ...['--rate', '50', ...(more.includes('--scenario') ? [] : ['--scenario', 'restart'])],
    ...more,
  ]);

/** A kubeconfig of the ServiceAccount that `rollproof rbac` printed. */
function accountOf(token: string): string {
  const config = JSON.parse(kubectl(['config', 'view', '--raw', '-o', 'json'])) as Record<string, unknown>;
  const [entry] = config.clusters as { name: string }[];
  return JSON.stringify({
    ...config,
    users: [{ name: 'account', user: { token } }],
    contexts: [{ name: 'theirs', context: { cluster: entry?.name, user: 'account' } }],
    'current-context': 'theirs',
  });
}

function everything(): string {
  const columns = 'custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name';
  const kinds = 'all,cm,secret,sa,role,rolebinding,namespace';
  return kubectl(['get', kinds, '-A', '--no-headers', '-o', columns]).split('\n').sort().join('\n');
}

function kubectl(args: readonly string[], input?: string): string {
  return execFileSync('kubectl', ['--kubeconfig', admin, ...args], { encoding: 'utf8', input });
}
