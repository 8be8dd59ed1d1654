// A harness to be killed: a cluster with three pods, one of them busy with an exec; says where on one line.
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPod, fastCluster, podOf, podProcesses, until } from './embedded-pods.ts';

const before = new Set(readdirSync(tmpdir()));
const cluster = await fastCluster();
const names = ['one', 'two', 'three'];
createPod(cluster, { name: 'one' });
createPod(cluster, { name: 'two', image: 'test/deaf:1' });
createPod(cluster, {
  name: 'three',
  container: {
    readinessProbe: { exec: { command: ['sleep', '3600'] }, timeoutSeconds: 3600, periodSeconds: 1 },
  },
});
await until('three running', () => names.every((name) => podOf(cluster, name)?.status?.phase === 'Running'));
await until('three running and an exec', () => podProcesses(process.pid).length === 4, 30_000);
const folder = readdirSync(tmpdir()).find((name) => name.startsWith('rollproof-pods-') && !before.has(name));
process.on('SIGUSR2', () => {
  throw new Error('on purpose');
});
process.stdout.write(
  `${JSON.stringify({
    folder: join(tmpdir(), folder ?? ''),
    address: await until('an address', () => podOf(cluster, names[0])?.status?.podIP),
  })}\n`,
);
