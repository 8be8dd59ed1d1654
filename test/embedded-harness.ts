// A harness to be killed: a cluster with four pods, one busy with an exec, one with a child in a session of its own; says where on one line.
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPod, fastCluster, podOf, podProcesses, until } from './embedded-pods.ts';

const before = new Set(readdirSync(tmpdir()));
const cluster = await fastCluster();
const names = ['one', 'two', 'three', 'four'];
createPod(cluster, { name: 'one' });
createPod(cluster, { name: 'two', image: 'test/deaf:1' });
createPod(cluster, {
  name: 'three',
  container: {
    readinessProbe: { exec: { command: ['sleep', '3600'] }, timeoutSeconds: 3600, periodSeconds: 1 },
  },
});
createPod(cluster, { name: 'four', container: { command: ['sh', '-c', 'setsid sleep 3600 & wait'] } });
await until('four running', () => names.every((name) => podOf(cluster, name)?.status?.phase === 'Running'));
await until('what they started', () => podProcesses(process.pid).length === 6, 30_000);
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
