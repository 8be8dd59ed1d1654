// Image names, variable references, own /tmp, log ring, usage arithmetic, refusals: one table each.
import * as assert from 'uvu/assert';
import type { Node, Pod } from '../../emulator/api/types.ts';
import { notEmulated, refusalOf } from '../../emulator/node/admission.ts';
import { apiTime } from '../../emulator/node/clock.ts';
import { ContainerLog } from '../../emulator/node/container-log.ts';
import { expandReferences, expandToldNames } from '../../emulator/node/environment.ts';
import { fullImageName, Images } from '../../emulator/node/images.ts';
import { latencyModel } from '../../emulator/node/latency.ts';
import { hostsFile } from '../../emulator/node/name-files.ts';
import { reachesPidOne } from '../../emulator/node/pid-one.ts';
import { inOwnTmp } from '../../emulator/node/pod-runtime.ts';
import { freePort } from '../../emulator/node/port-owner.ts';
import { Metrics, parsePsTime, type Usage } from '../../emulator/node/resource-usage.ts';
import { manualClock } from '../manual-clock.ts';
import { suite } from '../suite.ts';

const test = suite('kubelet parts');

const names: readonly [string, string][] = [
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.22.0', 'docker.io/library/nginx:1.22.0'],
  ['exp/target:1', 'docker.io/exp/target:1'],
  ['localhost/x', 'localhost/x:latest'],
  ['registry:5000/a/b', 'registry:5000/a/b:latest'],
  ['quay.io/a/b@sha256:0', 'quay.io/a/b@sha256:0'],
];
for (const [given, expected] of names) {
  test(`image name ${given}`, () => assert.is(fullImageName(given), expected));
}

test('images are found under any spelling of their name', () => {
  const images = new Images([new Map([['docker.io/exp/target:1', { command: ['a'] }]])]);
  assert.equal(images.find('exp/target:1')?.command, ['a']);
  assert.is(images.find('exp/target:2'), undefined);
  images.add('exp/target:2', { command: ['b'] });
  assert.equal(images.find('docker.io/exp/target:2')?.command, ['b']);
});

const references: readonly [string, string][] = [
  ['$(A)-$(B)', 'one-two'],
  ['$(NONE)', '$(NONE)'],
  ['$$(A)', '$(A)'],
  ['$A $', '$A $'],
  ['$(A', '$(A'],
];
for (const [given, expected] of references) {
  test(`reference ${given}`, () => assert.is(expandReferences(given, { A: 'one', B: 'two' }), expected));
}

test("an image's own command knows what an emulated pod is told", () => {
  const told = { POD_IP: '127.16.16.1', PORT: '8080' };
  const address = '$' + '{POD_IP}:$PORT';
  assert.is(expandToldNames(`--listen=${address} $HOME`, told), '--listen=127.16.16.1:8080 $HOME');
});

const paths: readonly [string, string][] = [
  ['/tmp/down', '/own/down'],
  [
    'test ! -f /tmp/slow || sleep 5; test ! -f /tmp/down',
    'test ! -f /own/slow || sleep 5; test ! -f /own/down',
  ],
  ['--file=/tmp/x', '--file=/own/x'],
  ['/tmp', '/own'],
  ['/var/tmp/x', '/var/tmp/x'],
  ['/tmpfs/x', '/tmpfs/x'],
];
for (const [given, expected] of paths) {
  test(`own /tmp: ${given}`, () => assert.is(inOwnTmp(given, '/own'), expected));
}

test('API times are whole seconds, truncated', () => {
  assert.is(apiTime(Date.UTC(2026, 0, 1, 0, 0, 1, 999)), '2026-01-01T00:00:01Z');
});

test('a log keeps its newest lines, whole, and ends its readers', async () => {
  const log = new ContainerLog();
  const never = new AbortController().signal;
  log.write('stdout', 'one\ntw', 0);
  log.write('stderr', 'other\n', 0);
  log.write('stdout', 'o\nthree', 0);
  const followed: string[] = [];
  const following = (async () => {
    for await (const { text } of log.read(1, true, never)) followed.push(text);
  })();
  await new Promise((resolve) => setTimeout(resolve, 5));
  log.end(0);
  await following;
  assert.equal(followed, ['other', 'two', 'three']);
  assert.is(log.count, 4);
  const big = new ContainerLog();
  for (let i = 0; i < 3000; i++) big.write('stdout', `${i} ${'x'.repeat(1000)}\n`, 0);
  assert.is(big.count, 3000);
  assert.ok(big.all().length < 1100, 'bounded');
  assert.match(big.all().at(-1)?.text ?? '', /^2999 /);
  const tail: string[] = [];
  for await (const { text } of big.read(big.count - 2, false, never)) tail.push(text.slice(0, 4));
  assert.equal(tail, ['2998', '2999']);
});

test('a first process gets the signals that it handles, and those that it takes itself, as tini does', () => {
  const status = (blocked: string, caught: string) =>
    `SigPnd:\t0000000000000000\nSigBlk:\t${blocked}\nSigIgn:\t0000000000300006\nSigCgt:\t${caught}\n`;
  const none = '0'.repeat(16);
  assert.is(reachesPidOne(status(none, none), 'SIGTERM'), false);
  assert.is(reachesPidOne(status(none, '0000000000004000'), 'SIGTERM'), true);
  assert.is(reachesPidOne(status('fffffffe3fcbfa07', none), 'SIGTERM'), true);
  assert.is(reachesPidOne('State:\tR (running)\n', 'SIGTERM'), undefined);
});

test('a follower that is not interested any more is let go', async () => {
  const log = new ContainerLog();
  const stop = new AbortController();
  const reading = (async () => {
    for await (const _ of log.read(0, true, stop.signal));
  })();
  stop.abort();
  await reading;
});

test('latencies scale and stay within a fifth of their median', () => {
  const low = latencyModel(1, () => 0);
  const high = latencyModel(1, () => 0.999999);
  assert.ok(Math.abs(high.of('sandbox') / low.of('sandbox') - 1.5) < 0.001);
  assert.is(latencyModel(0, Math.random).of('sandbox'), 0);
  assert.is(low.relistMs, 1000);
  assert.is(latencyModel(3, Math.random).relistMs, 1000, 'a slower node does not look less often');
});

test('usage is a rate between two samples, seen when they are scraped', async () => {
  const clock = manualClock();
  let cpuMs = 0;
  const container = {
    namespace: 'n',
    pod: 'p',
    node: 'one',
    container: 'app',
    runId: 'r1',
    startedAtMs: clock.wall() - 60_000,
    group: 7,
  };
  const metrics = new Metrics({
    clock,
    resolutionMs: 15_000,
    nodes: ['one', 'two'],
    containers: () => [container],
    measure: () => new Map<number, Usage>([[7, { cpuMs, memoryBytes: 1000 }]]),
  });
  await clock.advance(31_000);
  assert.equal(metrics.read().pods, [], 'one sample makes no rate');
  cpuMs += 3000;
  await clock.advance(10_900);
  assert.equal(metrics.read().pods, [], 'sampled at 31.5 s, scraped at 42 s');
  await clock.advance(200);
  const { pods, nodes } = metrics.read();
  assert.equal(pods[0]?.containers, [{ name: 'app', cpuNanocores: 200_000_000, memoryBytes: 1000 }]);
  assert.is(pods[0]?.windowSeconds, 15);
  assert.equal(
    nodes.map(({ name, cpuNanocores }) => [name, cpuNanocores]),
    [
      ['one', 200_000_000],
      ['two', 0],
    ],
  );
  metrics.close();
});

test("a fresh container's first rate counts from its start", async () => {
  const clock = manualClock();
  const metrics = new Metrics({
    clock,
    resolutionMs: 15_000,
    nodes: ['one'],
    containers: () => [
      {
        namespace: 'n',
        pod: 'p',
        node: 'one',
        container: 'app',
        runId: 'r1',
        startedAtMs: Date.UTC(2026, 0, 1) + 4500,
        group: 7,
      },
    ],
    measure: () => new Map<number, Usage>([[7, { cpuMs: 1200, memoryBytes: 1 }]]),
  });
  await clock.advance(28_000);
  const [pod] = metrics.read().pods;
  assert.is(pod?.windowSeconds, 12);
  assert.is(pod?.containers[0]?.cpuNanocores, 100_000_000);
  metrics.close();
});

const psTimes: readonly [string, number][] = [
  ['0:01.50', 1500],
  ['01:02:03', 3_723_000],
  ['1-00:00:01', 86_401_000],
];
for (const [given, expected] of psTimes) {
  test(`ps time ${given}`, () => assert.is(parsePsTime(given), expected));
}

const pod = (spec: Record<string, unknown>, container: Record<string, unknown> = {}): Pod =>
  ({
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'app', ...container }], ...spec },
  }) as unknown as Pod;
const lacking: readonly [string, Pod, string][] = [
  ['plain', pod({}), ''],
  [
    'a volume that is mounted',
    pod({ volumes: [{ name: 'v' }] }, { volumeMounts: [{ name: 'v' }] }),
    'volume mounts (spec.volumes[0], "v")',
  ],
  [
    'the folder of tokens',
    pod(
      { volumes: [{ name: 'v' }] },
      { volumeMounts: [{ name: 'v', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }] },
    ),
    '',
  ],
  ['a volume that is not', pod({ volumes: [{ name: 'v' }] }), ''],
];
for (const [name, given, expected] of lacking) {
  test(`not emulated: ${name}`, () => assert.is(notEmulated(given).join(', '), expected));
}

test('a free port is looked for once: where there is none, that is told', async () => {
  assert.ok((await freePort('127.0.0.1')) > 0);
  // TEST-NET-3 (RFC 5737): no machine has it.
  const error = await freePort('203.0.113.1').catch((reason: unknown) => reason);
  assert.match(String(error), /EADDRNOTAVAIL/);
});

test('host ports: taken by another pod of the node', () => {
  const wants = pod({}, { ports: [{ containerPort: 80, hostPort: 8080 }] });
  assert.is(refusalOf(wants, [], undefined), undefined);
  assert.equal(refusalOf(wants, [wants], undefined), {
    reason: 'NodePorts',
    message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  });
});

test('a pod that nobody scheduled is refused when the node has not enough for it', () => {
  const wants = pod({}, { resources: { requests: { cpu: '700m', memory: '1Gi' } } });
  const node = { status: { allocatable: { cpu: '1', memory: '8Gi', pods: '110' } } } as unknown as Node;
  assert.is(refusalOf(wants, [], node), undefined);
  assert.equal(refusalOf(wants, [wants], node), {
    reason: 'OutOfcpu',
    message: "Node didn't have enough resource: cpu, requested: 700, used: 700, capacity: 1000",
  });
});

test('a pod for another operating system is refused', () => {
  assert.is(refusalOf(pod({ os: { name: 'linux' } }), [], undefined), undefined);
  assert.is(refusalOf(pod({ os: { name: 'windows' } }), [], undefined)?.reason, 'PodOSNotSupported');
});

test('/etc/hosts: of the pod, or the node’s with what the manifest adds', () => {
  const hostAliases = [{ ip: '1.2.3.4', hostnames: ['one', 'two'] }];
  assert.match(hostsFile(pod({ hostAliases }), '10.0.0.1', '9.9.9.9 node'), /^10\.0\.0\.1\t/m);
  const shared = hostsFile(pod({ hostAliases, hostNetwork: true }), '10.0.0.1', '9.9.9.9 node\n');
  assert.is(
    shared,
    '# Kubernetes-managed hosts file (host network).\n9.9.9.9 node\n\n# Entries added by HostAliases.\n1.2.3.4\tone\ttwo\n',
  );
});

test.run();
