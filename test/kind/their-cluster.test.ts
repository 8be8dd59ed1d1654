// A cluster of somebody's: three namespaces with rules of their own, and a kubeconfig that may do what `rollproof rbac
// --namespace` printed and nothing else. Nothing is left on it, whatever the way out, also after kill -9.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { kindProvider } from '../../harness/cluster/kind/provider.ts';
import { clusterByHand, lacksKubectl } from '../kind-cluster.ts';
import { inTemporaryFolder, readResults, rollproof, root, startRollproof } from '../rollproof.ts';
import { interruption, suite } from '../suite.ts';

const skip = (await kindProvider().unavailable()) ?? lacksKubectl();
const test = suite("somebody's cluster", { timeoutMs: 300_000, skip });
const stopped = skip ? undefined : interruption();

/** Of the agents' idle limit, the time that an ended Job is kept, and the garbage collector. */
const GONE_LIMIT_MS = 200_000;
const cluster = clusterByHand('theirs', skip);
const { folder, kubeconfig: admin } = cluster;
const image = 'node:20-bookworm-slim';
let before = '';

/** What goes on in one namespace goes on in turn; different ones side by side, because nothing is measured here. */
let isUp: () => void = () => {};
const up = new Promise<void>((resolve) => {
  isUp = resolve;
});
const last = new Map<string, Promise<void>>();
function testIn(namespace: string, title: string, body: () => Promise<void>): void {
  const outcome = (last.get(namespace) ?? up).then(body, body);
  outcome.catch(() => {});
  last.set(namespace, outcome);
  test(title, () => outcome);
}

/** What the owners of the cluster have set. */
const rules = `
apiVersion: v1
kind: Namespace
metadata: {name: restricted, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Namespace
metadata: {name: quota, labels: {istio-injection: enabled, pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: quota}
spec:
  hard: {requests.cpu: "1", requests.memory: 1Gi, limits.cpu: "4", limits.memory: 2Gi, pods: "10", services: "4"}
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: quota}
spec:
  limits:
    - type: Container
      max: {cpu: "1", memory: 512Mi}
      default: {cpu: 300m, memory: 128Mi}
      defaultRequest: {cpu: 10m, memory: 32Mi}
---
apiVersion: v1
kind: Namespace
metadata: {name: plain}
`;

test(
  'a cluster made by hand, and rights as printed',
  async () => {
    await cluster.create({ images: [image] });
    kubectl(['apply', '-f', '-'], rules);
    for (const namespace of ['restricted', 'quota', 'plain']) {
      const { stdout } = await rollproof(['rbac', '--namespace', namespace]);
      assert.not.match(stdout, 'ClusterRole');
      kubectl(['apply', '-f', '-'], stdout);
      writeFileSync(kubeconfigOf(namespace), accountOf(namespace));
    }
    before = everything();
    isUp();
  },
  { timeoutMs: 600_000 },
);

testIn('plain', 'kill -9 under load in a namespace: what was made goes by itself, while others go on', () =>
  inTemporaryFolder(async (out) => {
    const killed = startRollproof(
      verify('plain', out, ['--scenario', 'image-change', '--variants', 'hardened']),
    );
    await killed.shows('under load', 150_000);
    killed.child.kill('SIGKILL');
    await killed.ended;
    assert.match(everything(), /ConfigMap +plain +rollproof-programs/, 'something was left');
  }),
);

testIn('restricted', 'the built-in target under Pod Security restricted, with a Role alone', () =>
  inTemporaryFolder(async (out) => {
    const { code, stderr, stdout } = await rollproof(
      verify('restricted', out, ['--scenario', 'image-change', '--variants', 'hardened']),
    );
    const [experiment] = readResults(out).scenarios[0]?.experiments ?? [];
    assert.ok(code !== null && code < 3, `${stderr}\n${stdout}`);
    assert.ok((experiment?.lanes.new?.attempts ?? 0) > 100, stdout);
  }),
);

testIn('quota', "somebody's workload as it is, under a quota and a limit range, beside a mesh's label", () =>
  inTemporaryFolder(async (out) => {
    const config = join(root, 'test', 'data', 'their-cluster', 'rollproof.yaml');
    const { code, stderr, stdout } = await rollproof(
      verify('quota', out, ['--scenario', 'image-change', '--variants', 'as-is', '--config', config]),
    );
    const [experiment] = readResults(out).scenarios[0]?.experiments ?? [];
    assert.ok(code !== null && code < 3, `${stderr}\n${stdout}`);
    assert.is(experiment?.variant, 'as-is');
    assert.ok((experiment?.lanes.new?.attempts ?? 0) > 100, stdout);
  }),
);

testIn('restricted', 'Ctrl-C while it is deployed: nothing is left', () =>
  inTemporaryFolder(async (out) => {
    const args = verify('restricted', out, ['--scenario', 'image-change', '--variants', 'hardened']);
    const interrupted = startRollproof(args);
    await interrupted.shows('Deploy', 60_000);
    await sleep(2000);
    interrupted.child.kill('SIGINT');
    const { code, stderr } = await interrupted.ended;
    assert.is(code, 130, stderr);
    await untilAsBefore(60_000, 'restricted');
  }),
);

const shop = readFileSync(join(root, 'test', 'data', 'their-cluster', 'shop.yaml'), 'utf8');
const cannotStart: [why: string, namespace: string, manifests: string, said: RegExp][] = [
  [
    'their image cannot be had',
    'quota',
    shop.replace(/image: .*/, 'image: 127.0.0.1:9/none:1'),
    /container shop: waits \((ImagePullBackOff|ErrImagePull).*127\.0\.0\.1:9\/none:1/,
  ],
  [
    'the quota is used up',
    'quota',
    shop.replace('replicas: 2', 'replicas: 12'),
    /ReplicaSet shop-\w+ may not create its pods: .*exceeded quota: quota/,
  ],
  [
    'Pod Security forbids them',
    'restricted',
    shop.replace('runAsNonRoot: true', 'runAsNonRoot: false'),
    /may not create its pods: .*violates PodSecurity "restricted:latest".*runAsNonRoot/,
  ],
  [
    'their program ends',
    'quota',
    shop.replace('command: [node', 'command: [sh, -c, "echo no config; exit 3", node'),
    /container shop: .*exit code 3; it said last: no config/,
  ],
];
for (const [why, namespace, manifests, said] of cannotStart)
  testIn(
    namespace,
    `pods that cannot start, because ${why}: named at once, and nothing is left of them`,
    () =>
      inTemporaryFolder(async (out) => {
        const config = join(out, 'rollproof.yaml');
        writeFileSync(join(out, 'shop.yaml'), manifests);
        writeFileSync(config, 'target: {manifests: [shop.yaml], deployment: shop}\n');
        const more = ['--scenario', 'restart', '--variants', 'as-is', '--config', config];
        const { code, stderr, stdout } = await rollproof(verify(namespace, join(out, 'out'), more));
        assert.is(code, 3, stderr);
        assert.match(stdout, said);
        const seconds = Number(/ ([\d.]+) s +Deploy restart\.as-is: done/.exec(stderr)?.[1]);
        // By the word of the pods, not by the limit of a rollout (120 s).
        assert.ok(seconds < 60, `${seconds} s\n${stderr}`);
        await untilAsBefore(60_000, namespace);
      }),
  );

test('rights that lack are named all at once, and nothing is created', async () => {
  const { code, stderr } = await rollproof(verify('plain', 'unused', [], kubeconfigOf('restricted')));
  assert.is(code, 3, stderr);
  assert.match(
    stderr,
    /missing permissions in namespace [\w-]+: create jobs; .*create configmaps; .*watch pods/,
  );
  assert.match(stderr, 'Apply what `rollproof rbac --namespace plain` prints.');
});

test('in the end everything is as it was before, also where the run was killed', async () => {
  await untilAsBefore(GONE_LIMIT_MS);
});

test('the cluster is removed, or what its owners made on it', () =>
  cluster.remove(['namespace/restricted', 'namespace/quota', 'namespace/plain']));

test.run();

function verify(
  namespace: string,
  out: string,
  more: readonly string[],
  kubeconfig = kubeconfigOf(namespace),
): string[] {
  const where = ['--cluster', 'context', '--kubeconfig', kubeconfig, '--namespace', namespace];
  return ['verify', ...where, '--rate', '50', '--measure-again', '0', '--out', out, ...more];
}

const kubeconfigOf = (namespace: string): string => join(folder, namespace);

/** A kubeconfig of the namespace's ServiceAccount: a token for an hour. */
function accountOf(namespace: string): string {
  const token = kubectl(['create', 'token', 'rollproof', '-n', namespace, '--duration', '1h']).trim();
  const config = JSON.parse(kubectl(['config', 'view', '--raw', '-o', 'json'])) as Record<string, unknown>;
  const [entry] = config.clusters as { name: string }[];
  return JSON.stringify({
    ...config,
    users: [{ name: 'account', user: { token } }],
    contexts: [{ name: 'theirs', context: { cluster: entry?.name, user: 'account' } }],
    'current-context': 'theirs',
  });
}

/** As `kubectl get all,cm,secret,sa,role,rolebinding -A` shows it, without what changes by itself. */
function everything(): string {
  return kubectl([
    'get',
    'all,cm,secret,sa,role,rolebinding,namespace',
    '-A',
    '--no-headers',
    '-o',
    'custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name',
  ])
    .split('\n')
    .sort()
    .join('\n');
}

async function untilAsBefore(limitMs: number, namespace = ''): Promise<void> {
  const inside = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.includes(namespace))
      .join('\n');
  const deadline = performance.now() + limitMs;
  while (inside(everything()) !== inside(before) && performance.now() < deadline) {
    stopped?.throwIfAborted();
    await sleep(2000);
  }
  assert.is(inside(everything()), inside(before));
}

function kubectl(args: readonly string[], input?: string): string {
  return execFileSync('kubectl', ['--kubeconfig', admin, ...args], { encoding: 'utf8', input });
}
