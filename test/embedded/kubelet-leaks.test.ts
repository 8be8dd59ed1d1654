// Nothing is left after any way out: a thousand pods, a harness that is killed, many pods at once.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { systemClock } from '../../emulator/node/clock.ts';
import { SilentAddresses } from '../../emulator/node/silent-addresses.ts';
import {
  createPod,
  fastCluster,
  isolated,
  isReady,
  knock,
  needsLinux,
  podOf,
  podProcesses,
  until,
} from '../embedded-pods.ts';
import { suite } from '../suite.ts';

const test = suite('kubelet leaks', { timeoutMs: 300_000, skip: needsLinux });
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

test('1,000 pod starts and stops leave no process, no address, no memory that grows', async () => {
  const cluster = await fastCluster({ latencyFactor: 0.01 });
  const lanes = 16;
  let started = 0;
  let stopped = 0;
  const addresses = new Set<string>();
  const lane = async () => {
    while (started < 1000) {
      const name = `p${++started}`;
      createPod(cluster, { name, image: 'test/idle:1' });
      const pod = await until(`${name} Running`, () => {
        const found = podOf(cluster, name);
        return found?.status?.phase === 'Running' && found;
      });
      addresses.add(pod.status?.podIP as string);
      cluster.registry.delete('pods', 'default', name);
      await until(`${name} gone`, () => !podOf(cluster, name));
      stopped++;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  assert.is(stopped, 1000);
  assert.is(addresses.size, 1000, 'an address comes again only after all others');
  await until('no process', () => podProcesses(process.pid).length === 0, 5000);
  const [last] = [...addresses].slice(-1);
  assert.is(await knock(last as string, 8080), 'hangs');
  const own = isolated(cluster);
  await cluster.close();
  // A network of its own has gone with the cluster: the address is the machine's default route's affair.
  if (!own) assert.is(await knock(last as string, 8080), 'ECONNREFUSED', 'the silent listeners are gone');
  assert.equal(podProcesses(process.pid), []);
  const handles = process.getActiveResourcesInfo().filter((kind) => /TCP|Pipe|Process|Worker/.test(kind));
  assert.ok(handles.length <= 3, handles.join());
});

test('a cluster that ends while its pods are on their way leaves no process and nothing that keeps this one alive', async () => {
  for (const afterMs of [20, 60, 120, 200, 300, 450, 600, 800, 1100, 1500]) {
    const cluster = await fastCluster({ latencyFactor: 0.5, onDefect: () => {} });
    for (let i = 0; i < 12; i++) createPod(cluster, { name: `p${i}`, image: 'test/deaf:1' });
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await cluster.close();
    await until(
      `no process of a cluster that ended after ${afterMs} ms`,
      () =>
        podProcesses(process.pid).length === 0 && !process.getActiveResourcesInfo().includes('ProcessWrap'),
      3000,
    );
  }
});

test('what left its group (an init gives its child one of its own) ends with its container, and with the cluster', async () => {
  const cluster = await fastCluster({ latencyFactor: 0.01 });
  const script = "trap 'exit 0' TERM; setsid sleep 600 & wait";
  for (const name of ['p1', 'p2'])
    createPod(cluster, { name, image: 'test/idle:1', container: { command: ['sh', '-c', script] } });
  await until('all processes', () => podProcesses(process.pid).length === 4, 20_000);
  cluster.registry.delete('pods', 'default', 'p1');
  await until('p1 gone', () => !podOf(cluster, 'p1'), 40_000);
  await until('those of p2', () => podProcesses(process.pid).length === 2, 5000);
  await cluster.close();
  await until('no process', () => podProcesses(process.pid).length === 0, 5000);
});

test('a silent address that is asked for when the cluster has ended is not held', async () => {
  const silent = new SilentAddresses(systemClock);
  await silent.close();
  await silent.hold('127.77.0.9', [8080], 'timeout');
  const handles = process.getActiveResourcesInfo().filter((kind) => /Timeout|Message|Worker/.test(kind));
  // The limit of this test is a timer itself.
  assert.ok(handles.length <= 1, handles.join());
});

const waysOut: readonly [string, (pid: number) => void][] = [
  ['kill -9', (pid) => process.kill(pid, 'SIGKILL')],
  ['an exception that nobody caught', (pid) => process.kill(pid, 'SIGUSR2')],
];
for (const [name, end] of waysOut) {
  test(`${name} of the harness ends its pods and removes their files`, async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'test', 'embedded-harness.ts')], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const pid = child.pid as number;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const line = await new Promise<string>((resolve) =>
      createInterface({ input: child.stdout }).once('line', resolve),
    );
    const { folder, address } = JSON.parse(line) as { folder: string; address: string };
    assert.is(
      podProcesses(pid).length,
      6,
      'four pods, one with an exec on its way, one with a child in a session of its own',
    );
    assert.ok(existsSync(folder));
    end(pid);
    await exited;
    await until('no process', () => podProcesses(pid).length === 0, 5000);
    await until('no folder', () => !existsSync(folder), 5000);
    // A process that ends gives up its environment, by which it is found here, before its sockets.
    if (address.startsWith('127.'))
      await until('a refusal', async () => (await knock(address, 8080)) === 'ECONNREFUSED', 5000);
    else await until('no link', () => !networkInterfaces()[`rollproof${address.split('.')[1]}`], 10_000);
  });
}

test('50 pods at once become Ready, stay Ready, and go', async () => {
  const cluster = await fastCluster({ latencyFactor: 1 });
  const names = Array.from({ length: 50 }, (_, index) => `many${index}`);
  for (const name of names) {
    createPod(cluster, {
      name,
      container: { readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 } },
    });
  }
  await until('50 Ready', () => names.every((name) => isReady(podOf(cluster, name))), 90_000);
  const readyMs = performance.now();
  while (performance.now() - readyMs < 5000) {
    const lost = names.filter((name) => !isReady(podOf(cluster, name)));
    assert.equal(lost, []);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  for (const name of names) cluster.registry.delete('pods', 'default', name);
  await until('all gone', () => names.every((name) => !podOf(cluster, name)), 30_000);
  await cluster.close();
  assert.equal(podProcesses(process.pid), []);
});

test.run();
