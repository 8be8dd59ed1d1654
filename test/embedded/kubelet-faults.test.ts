// What goes wrong around a pod never ends the process: the pod says it, the others go on, and it is tried again.
import fs, { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import {
  createPod,
  eventsOf,
  fastCluster,
  isolated,
  isReady,
  needsLinux,
  podOf,
  until,
} from '../embedded-pods.ts';
import { suite } from '../suite.ts';

const test = suite('kubelet faults', { timeoutMs: 40_000, skip: needsLinux });

test('a pod whose folder cannot be made or removed waits and says why; others run; the cluster ends', async () => {
  const before = process.env.TMPDIR;
  const own = mkdtempSync(join(tmpdir(), 'kubelet-faults-'));
  process.env.TMPDIR = own;
  try {
    const defects: string[] = [];
    await using cluster = await fastCluster({ onDefect: (text) => defects.push(text) });
    const folder = readdirSync(own).find((name) => name.startsWith('rollproof-pods-')) as string;
    const broken = createPod(cluster, { name: 'broken' });
    // A file where the pod's folder would be: nothing can be made below it, nothing removed.
    writeFileSync(join(own, folder, broken.metadata.uid), '');
    createPod(cluster, { name: 'well' });
    await until('the other one', () => isReady(podOf(cluster, 'well')));
    // Where pods have files of their own, what they mount is made first and fails first: an event, not a container's state.
    const said = await until('the reason', () =>
      eventsOf(cluster, 'broken').find((event) => /^(Failed|FailedSync): .*(ENOTDIR|EEXIST)/.test(event)),
    );
    const reason = podOf(cluster, 'broken')?.status?.containerStatuses?.[0]?.state?.waiting?.reason;
    assert.ok(
      ['RunContainerError', 'CrashLoopBackOff', 'ContainerCreating'].includes(`${reason}`),
      `${reason}, and ${said}`,
    );
    const refused = await withoutRemoving(broken.metadata.uid, async () => {
      cluster.registry.delete('pods', 'default', 'broken');
      await until('gone', () => !podOf(cluster, 'broken'));
    });
    assert.ok(refused > 0, 'its folder could not be removed');
    assert.ok(isReady(podOf(cluster, 'well')));
    await cluster.close();
    assert.equal(defects, []);
    assert.equal(readdirSync(own), []);
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(own, { recursive: true, force: true });
  }
});

/** What lies in a folder with this name cannot be removed meanwhile: how often that was tried. */
async function withoutRemoving(name: string, act: () => Promise<void>): Promise<number> {
  const { rmSync: original } = fs;
  let tried = 0;
  fs.rmSync = (path, options) => {
    if (!String(path).includes(name)) return original(path, options);
    tried++;
    throw Object.assign(new Error(`EBUSY: resource busy or locked, rm '${path}'`), { code: 'EBUSY' });
  };
  syncBuiltinESMExports();
  try {
    await act();
  } finally {
    fs.rmSync = original;
    syncBuiltinESMExports();
  }
  return tried;
}

test('a program of the user that has a port on all addresses: another port is told, and who has it is said', async () => {
  const taker = createServer();
  await new Promise<void>((resolve) => taker.listen({ host: '0.0.0.0', port: 0 }, resolve));
  const { port } = taker.address() as { port: number };
  try {
    for (const isolation of ['none', 'auto'] as const) {
      await using cluster = await fastCluster({ isolation });
      const ports = [{ containerPort: port }];
      createPod(cluster, {
        name: 'reads-port',
        container: { ports, readinessProbe: { httpGet: { port }, periodSeconds: 1 } },
      });
      await until(`Ready, ${isolation}`, () => isReady(podOf(cluster, 'reads-port')));
      const told = eventsOf(cluster, 'reads-port').some((event) =>
        event.startsWith(`PortTaken: Port ${port} is taken by node (pid ${process.pid})`),
      );
      assert.is(told, !isolated(cluster));
      if (isolated(cluster)) continue;
      const script = `require('net').createServer().listen(${port}, process.env.POD_IP)`;
      createPod(cluster, {
        name: 'knows-better',
        container: { ports, command: [process.execPath, '-e', script] },
      });
      const message = await until('who has it', () => {
        const status = podOf(cluster, 'knows-better')?.status?.containerStatuses?.[0];
        return status?.state?.terminated?.message ?? status?.lastState?.terminated?.message;
      });
      assert.is(message, `port ${port} is taken by node (pid ${process.pid}) on this machine`);
    }
  } finally {
    taker.close();
  }
});

test.run();
