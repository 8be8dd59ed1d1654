// Service routing on the embedded cluster: front addresses, the stream that load agents read, delays.

import { get } from 'node:http';
import { createInterface } from 'node:readline';
import * as assert from 'uvu/assert';
import type { EmbeddedCluster } from '../../emulator/cluster.ts';
import {
  createPod,
  fastCluster,
  isolated,
  isReady,
  knock,
  needsLinux,
  podOf,
  until,
} from '../embedded-pods.ts';
import { suite } from '../suite.ts';

const test = suite('service routing', { timeoutMs: 60_000, skip: needsLinux });
const container = { readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 } };

function createService(cluster: EmbeddedCluster, spec: Record<string, unknown> = {}) {
  return cluster.registry.create('services', {
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { role: 'web' }, ports: [{ port: 8000, targetPort: 8080 }], ...spec },
  } as Parameters<typeof cluster.registry.create<'services'>>[1]);
}

async function webPods(cluster: EmbeddedCluster, names: readonly string[]) {
  for (const name of names) {
    createPod(cluster, { name, container });
    cluster.registry.mutate('pods', 'default', name, (pod) => {
      pod.metadata.labels = { ...pod.metadata.labels, role: 'web' };
    });
  }
  await until('Ready', () => names.every((name) => isReady(podOf(cluster, name))));
}

interface Table {
  readonly services: Record<string, { ip: string; port: number; pod: string }[]>;
}

/** The stream as an agent on `node` sees it: every table with its time. */
function follow(cluster: EmbeddedCluster, node: string) {
  const url = cluster.routesUrl(node);
  const tables: { atMs: number; table: Table }[] = [];
  const request = get(url, (response) => {
    const lines = createInterface({ input: response });
    lines.on('line', (line) => tables.push({ atMs: performance.now(), table: JSON.parse(line) as Table }));
    lines.on('error', () => {});
  });
  request.on('error', () => {});
  return { tables, close: () => request.destroy() };
}

const pods = (table: Table | undefined, key: string) =>
  (table?.services[key] ?? [])
    .map(({ pod }) => pod)
    .sort()
    .join(',');

test('a front address answers from every endpoint, and refuses when there is none', async () => {
  await using cluster = await fastCluster();
  const { spec } = createService(cluster);
  const address = spec?.clusterIP as string;
  assert.match(address, isolated(cluster) ? /^10\./ : /^127\./);
  await until('rules that refuse', async () => (await knock(address, 8000)) === 'ECONNREFUSED');
  await webPods(cluster, ['a', 'b']);
  await until('the front', async () => (await knock(address, 8000)) === 'connected');
  // The second pod's rules may come a second after the first one's.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const answers = new Set<string>();
  for (let i = 0; i < 60; i++) answers.add(await ask(`http://${address}:8000/`));
  assert.equal([...answers].sort(), ['a', 'b']);
  for (const name of ['a', 'b']) cluster.registry.delete('pods', 'default', name);
  await until('gone', () => !podOf(cluster, 'a') && !podOf(cluster, 'b'));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.is(await knock(address, 8000), 'ECONNREFUSED');
});

/** A connection of its own. */
function ask(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
  });
}

test('an established connection stays with its pod whatever the rules say', async () => {
  await using cluster = await fastCluster();
  const address = createService(cluster).spec?.clusterIP as string;
  await webPods(cluster, ['a']);
  await until('up', async () => (await knock(address, 8000)) === 'connected');
  const { Agent } = await import('node:http');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const askKept = () =>
    new Promise<string>((resolve, reject) => {
      get(`http://${address}:8000/`, { agent }, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk));
        response.on('end', () => resolve(text));
      }).on('error', reject);
    });
  assert.is(await askKept(), 'a');
  await webPods(cluster, ['b']);
  cluster.registry.mutate('pods', 'default', 'a', (pod) => {
    pod.metadata.labels = {};
  });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  assert.is(await ask(`http://${address}:8000/`), 'b');
  assert.is(await askKept(), 'a');
  agent.destroy();
});

test('agents are told endpoints under every name, by node; a delay holds news back on one node', async () => {
  await using cluster = await fastCluster();
  const service = createService(cluster, { type: 'NodePort' });
  const nodePort = service.spec?.ports?.[0]?.nodePort as number;
  const near = follow(cluster, 'embedded-control-plane');
  const far = follow(cluster, 'embedded-worker');
  await webPods(cluster, ['a']);
  const key = 'web.default.svc.cluster.local:8000';
  await until('told', () => pods(near.tables.at(-1)?.table, key) === 'a');
  const { table } = near.tables.at(-1) as { table: Table };
  const address = service.spec?.clusterIP;
  for (const name of [
    'web.default.svc:8000',
    'web.default:8000',
    `${address}:8000`,
    `127.0.0.1:${nodePort}`,
  ]) {
    assert.is(pods(table, name), 'a', name);
  }
  assert.is(table.services[key]?.[0]?.port, 8080);
  assert.is(await ask(`http://127.0.0.1:${nodePort}/`), 'a');
  cluster.delayProxy('embedded-control-plane', 2000);
  cluster.registry.delete('pods', 'default', 'a');
  await until('out there', () => pods(far.tables.at(-1)?.table, key) === '', 5000);
  assert.is(pods(near.tables.at(-1)?.table, key), 'a', 'held back here');
  const outMs = far.tables.at(-1)?.atMs as number;
  await until('out here', () => pods(near.tables.at(-1)?.table, key) === '', 5000);
  const lateMs = (near.tables.at(-1)?.atMs as number) - outMs;
  assert.ok(lateMs > 500, `${lateMs} ms`);
  near.close();
  far.close();
});

test('a node port follows the rules of the node that is asked, not of the one that asks', async () => {
  await using cluster = await fastCluster();
  const service = createService(cluster, { type: 'NodePort', externalTrafficPolicy: 'Local' });
  const nodePort = service.spec?.ports?.[0]?.nodePort as number;
  const agent = follow(cluster, 'embedded-control-plane');
  await webPods(cluster, ['a']);
  const { hostIP } = podOf(cluster, 'a')?.status ?? {};
  const others = cluster.registry
    .list('nodes')
    .map(({ status }) => status?.addresses?.find(({ type }) => type === 'InternalIP')?.address)
    .filter((address) => address !== hostIP);
  const table = () => agent.tables.at(-1)?.table;
  await until('told', () => pods(table(), `${hostIP}:${nodePort}`) === 'a');
  assert.ok(others.length > 0);
  for (const address of others)
    assert.is(pods(table(), `${address}:${nodePort}`), '', `${address} has no pod of it`);
  agent.close();
});

test('rules change at most once a second', async () => {
  await using cluster = await fastCluster();
  createService(cluster);
  const seen = follow(cluster, 'embedded-worker');
  await webPods(cluster, ['a', 'b', 'c', 'd']);
  for (const name of ['a', 'b', 'c', 'd']) {
    cluster.registry.delete('pods', 'default', name);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await until(
    'empty',
    () => seen.tables.length > 2 && pods(seen.tables.at(-1)?.table, 'web.default:8000') === '',
    8000,
  );
  const gaps = seen.tables.slice(1).map(({ atMs }, index) => atMs - (seen.tables[index]?.atMs ?? 0));
  // The first line of a stream is the table as it is, whenever that was made.
  assert.ok(
    gaps.slice(1).every((gap) => gap > 950),
    gaps.join(),
  );
  seen.close();
});

test('session affinity: one client, one endpoint', async () => {
  await using cluster = await fastCluster();
  const address = createService(cluster, { sessionAffinity: 'ClientIP' }).spec?.clusterIP as string;
  const seen = follow(cluster, 'embedded-worker');
  await webPods(cluster, ['a', 'b', 'c']);
  await until('told', () => pods(seen.tables.at(-1)?.table, 'web.default:8000').length === 1);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const answers = new Set<string>();
  for (let i = 0; i < 20; i++) answers.add(await ask(`http://${address}:8000/`));
  assert.is(answers.size, 1);
  seen.close();
});

test.run();
