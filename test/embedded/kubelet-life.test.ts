// A pod from start to end on the embedded cluster, with real processes: what its status, its events and the kernel say.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Exec, KubeConfig } from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import type { EmbeddedCluster } from '../../emulator/cluster.ts';
import {
  ask,
  createPod,
  eventsOf,
  fastCluster,
  isolated,
  isReady,
  knock,
  needsLinux,
  podOf,
  podProcesses,
  seen,
  stateOf,
  until,
} from '../embedded-pods.ts';
import { suite } from '../suite.ts';

const test = suite('kubelet life', { timeoutMs: 60_000, skip: needsLinux });
const probe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 };

test('up, and nothing left when it is down', async () => {
  const begunMs = performance.now();
  const cluster = await fastCluster();
  const tookMs = performance.now() - begunMs;
  createPod(cluster);
  await until('Running', () => podOf(cluster)?.status?.phase === 'Running');
  assert.is(podProcesses(process.pid).length, 1);
  await cluster.close();
  assert.equal(podProcesses(process.pid), []);
  // How fast it starts is a matter of the machine; that it does not wait for anything is not.
  console.log(`a cluster was up after ${Math.round(tookMs)} ms`);
  assert.ok(tookMs < 20_000, `took ${tookMs} ms`);
});

test('each node has its Lease, as kubectl describe node looks for it', async () => {
  await using cluster = await fastCluster();
  const nodes = cluster.registry.list('nodes');
  const leases = cluster.registry.list('leases', 'kube-node-lease');
  assert.equal(
    leases.map(({ spec, metadata }) => [
      metadata.name,
      spec?.holderIdentity,
      metadata.ownerReferences?.[0]?.uid,
    ]),
    nodes.map(({ metadata: { name, uid } }) => [name, name, uid]),
  );
  assert.match(leases[0]?.spec?.renewTime ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test('closed when a pod is about to be stopped: no hook begins any more, and nothing keeps the process', async () => {
  // Those that keep the process alive; the test's own limit is one of them.
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const cluster = await fastCluster();
  createPod(cluster, {
    container: { lifecycle: { preStop: { sleep: { seconds: 60 } } } },
    spec: { terminationGracePeriodSeconds: 90 },
  });
  await until('Ready', () => isReady(podOf(cluster)));
  const closed = new Promise<void>((resolve, reject) => {
    cluster.registry.subscribe(({ resource, object }) => {
      if (resource !== 'events' || (object as { reason?: string }).reason !== 'Killing') return;
      setImmediate(() => cluster.close().then(resolve, reject));
    });
  });
  cluster.registry.delete('pods', 'default', 'pod');
  await closed;
  assert.ok(timers() <= before, process.getActiveResourcesInfo().join());
});

test('refuses until it listens, answers while it runs, hangs when it is gone', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, { container: { readinessProbe: probe, env: [{ name: 'START_MS', value: '700' }] } });
  const running = await until('Running', () => {
    const pod = podOf(cluster);
    return pod?.status?.phase === 'Running' && pod;
  });
  const address = running.status?.podIP as string;
  assert.match(address, isolated(cluster) ? /^10\./ : /^127\./);
  assert.is(isReady(running), false);
  assert.is(await knock(address, 8080), 'ECONNREFUSED');
  await until('Ready', () => isReady(podOf(cluster)));
  assert.is(await knock(address, 8080), 'connected');
  cluster.registry.delete('pods', 'default', 'pod');
  await until('gone', () => !podOf(cluster));
  assert.is(await knock(address, 8080), 'hangs');
  // Without a network of its own only the ports that it declared hang.
  assert.is(
    await knock(address, 9999),
    isolated(cluster) ? 'hangs' : 'ECONNREFUSED',
    'a port that nobody had',
  );
  const events = eventsOf(cluster);
  for (const wanted of [
    'Pulled: Container image "test/server:1" already present on machine',
    'Created: Created container: app',
    'Started: Started container app',
    `Unhealthy: Readiness probe failed: Get "http://${address}:8080/": dial tcp ${address}:8080: connect: connection refused`,
    'Killing: Stopping container app',
  ]) {
    assert.ok(events.includes(wanted), `${wanted}\n${events.join('\n')}`);
  }
});

test('preStop runs before SIGTERM, inside the grace period', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    container: { lifecycle: { preStop: { sleep: { seconds: 1 } } } },
  });
  await until('Ready', () => isReady(podOf(cluster)));
  const begunMs = performance.now();
  cluster.registry.delete('pods', 'default', 'pod');
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(isReady(podOf(cluster)), 'goes on being Ready while the hook sleeps');
  await until('gone', () => !podOf(cluster));
  assert.ok(performance.now() - begunMs >= 1000);
});

test('a hook that outlives the grace period is left behind; 2 s remain', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    container: { lifecycle: { preStop: { exec: { command: ['sleep', '30'] } } } },
    spec: { terminationGracePeriodSeconds: 1 },
  });
  await until('Ready', () => isReady(podOf(cluster)));
  const begunMs = performance.now();
  const hasSucceeded = seen(cluster, ({ status }) => status?.phase === 'Succeeded');
  cluster.registry.delete('pods', 'default', 'pod');
  const ended = await until('Succeeded', hasSucceeded);
  assert.is(stateOf(ended)?.terminated?.exitCode, 0);
  const tookMs = performance.now() - begunMs;
  assert.ok(tookMs >= 1000 && tookMs < 20_000, `${tookMs} ms`);
  assert.ok(eventsOf(cluster).includes('FailedPreStopHook: PreStopHook failed'));
  await until('no process', () => podProcesses(process.pid).length === 0);
});

const stubborn: readonly [string, Record<string, unknown>][] = [
  ['SIGTERM handled and ignored', { image: 'test/server:1', env: [{ name: 'ON_TERM', value: 'ignore' }] }],
  ['SIGTERM without a handler, as PID 1', { image: 'test/deaf:1' }],
  [
    'Node.js without a handler, as PID 1',
    { command: [process.execPath, '-e', 'setInterval(() => {}, 1000)'] },
  ],
];
for (const [name, container] of stubborn) {
  test(`${name}: killed after the grace period, exit code 137`, async () => {
    await using cluster = await fastCluster();
    createPod(cluster, { container, spec: { terminationGracePeriodSeconds: 2 } });
    await until('Ready', () => isReady(podOf(cluster)));
    const begunMs = performance.now();
    const hasFailed = seen(cluster, ({ status }) => status?.phase === 'Failed');
    cluster.registry.delete('pods', 'default', 'pod');
    const failed = await until('Failed', hasFailed);
    assert.is(stateOf(failed)?.terminated?.exitCode, 137);
    assert.is(stateOf(failed)?.terminated?.reason, 'Error');
    assert.ok(performance.now() - begunMs >= 2000);
  });
}

test('a forced deletion ends the process within a second, without an object', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, { container: { lifecycle: { preStop: { sleep: { seconds: 20 } } } } });
  await until('Ready', () => isReady(podOf(cluster)));
  cluster.registry.delete('pods', 'default', 'pod', { gracePeriodSeconds: 0 });
  assert.is(podOf(cluster), undefined);
  assert.is(podProcesses(process.pid).length, 1, 'lives on for a moment');
  await until('its end', () => podProcesses(process.pid).length === 0, 4000);
});

test('a shorter grace period takes effect at once', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, { container: { lifecycle: { preStop: { sleep: { seconds: 25 } } } } });
  await until('Ready', () => isReady(podOf(cluster)));
  cluster.registry.delete('pods', 'default', 'pod');
  await new Promise((resolve) => setTimeout(resolve, 300));
  cluster.registry.delete('pods', 'default', 'pod', { gracePeriodSeconds: 1 });
  await until('gone', () => !podOf(cluster), 6000);
});

test('restarts: the first is free, then back-off; the log of the run before is kept', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, { container: { command: ['sh', '-c', 'echo run; exit 3'] } });
  // The status is one sync late, and the next one comes 10 to 15 s after the crash.
  const waiting = await until(
    'CrashLoopBackOff',
    () => {
      const pod = podOf(cluster);
      return stateOf(pod)?.waiting?.reason === 'CrashLoopBackOff' && pod;
    },
    25_000,
  );
  const status = waiting.status?.containerStatuses?.[0];
  assert.is(status?.restartCount, 1);
  assert.is(status?.lastState?.terminated?.exitCode, 3);
  assert.match(
    status?.state?.waiting?.message ?? '',
    /^back-off 10s restarting failed container=app pod=pod_default\(/,
  );
  assert.is(waiting.status?.phase, 'Running');
  const answer = await ask(cluster, `${cluster.url}/api/v1/namespaces/default/pods/pod/log?previous=true`);
  assert.is(await answer.text(), 'run\n');
});

test('a failed liveness probe restarts the container with its hook and its grace', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    container: {
      livenessProbe: {
        exec: { command: ['test', '-f', '/tmp/alive'] },
        periodSeconds: 1,
        failureThreshold: 1,
      },
      command: ['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait'],
    },
  });
  const restarted = await until('a restart', () => {
    const pod = podOf(cluster);
    return (pod?.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0 && pod;
  });
  assert.is(restarted.status?.containerStatuses?.[0]?.lastState?.terminated?.reason, 'Completed');
  assert.ok(eventsOf(cluster).includes('Killing: Container app failed liveness probe, will be restarted'));
});

test('missing images: pull, back-off, never', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, { name: 'absent', image: 'test/none:1' });
  createPod(cluster, { name: 'never', image: 'test/none:1', container: { imagePullPolicy: 'Never' } });
  createPod(cluster, { name: 'always', container: { imagePullPolicy: 'Always' } });
  await until('ErrImagePull', () => stateOf(podOf(cluster, 'absent'))?.waiting?.reason === 'ErrImagePull');
  await until('never', () => stateOf(podOf(cluster, 'never'))?.waiting?.reason === 'ErrImageNeverPull');
  await until('always', () => isReady(podOf(cluster, 'always')));
  const failed = eventsOf(cluster, 'absent').find((text) => text.startsWith('Failed: Failed to pull'));
  assert.match(failed ?? '', /"docker.io\/test\/none:1": docker.io\/test\/none:1: not found$/);
  cluster.registry.delete('pods', 'default', 'absent');
  await until('gone', () => !podOf(cluster, 'absent'));
});

const jobs: readonly [string, string, string, number][] = [
  ['exit 0', 'Succeeded', 'Completed', 0],
  ['exit 7', 'Failed', 'Error', 7],
];
for (const [command, phase, reason, exitCode] of jobs) {
  test(`restartPolicy Never, ${command}: ${phase}`, async () => {
    await using cluster = await fastCluster();
    createPod(cluster, { container: { command: ['sh', '-c', command] }, spec: { restartPolicy: 'Never' } });
    const ended = await until(phase, () => {
      const pod = podOf(cluster);
      return pod?.status?.phase === phase && pod;
    });
    assert.is(stateOf(ended)?.terminated?.reason, reason);
    assert.is(stateOf(ended)?.terminated?.exitCode, exitCode);
  });
}

test('environment: values, fields, config maps, references; the process sees its own /tmp', async () => {
  await using cluster = await fastCluster();
  cluster.registry.create('configmaps', {
    metadata: { name: 'c', namespace: 'default' },
    data: { key: 'from map' },
  });
  createPod(cluster, {
    container: {
      command: [
        'sh',
        '-c',
        'echo "$A|$NAME|$IP|$KEY|$B|$HOSTNAME|$MISSING"; echo x > /tmp/made; ls /tmp; echo $(POD_IP); sleep 3600',
      ],
      env: [
        { name: 'A', value: 'one' },
        { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'KEY', valueFrom: { configMapKeyRef: { name: 'c', key: 'key' } } },
        { name: 'B', value: '$(A) and $$(A)' },
        { name: 'MISSING', valueFrom: { configMapKeyRef: { name: 'none', key: 'x', optional: true } } },
      ],
    },
  });
  await until('Running', () => podOf(cluster)?.status?.phase === 'Running');
  const ip = podOf(cluster)?.status?.podIP;
  const lines = await until('three lines', async () => {
    const log = await (await ask(cluster, `${cluster.url}/api/v1/namespaces/default/pods/pod/log`)).text();
    const said = log.trim().split('\n');
    return said.length >= 3 && said;
  });
  assert.equal(lines, [`one|pod|${ip}|from map|one and $(A)|pod|`, 'made', ip]);
});

test('environment: names that no shell would hand on reach the program, and what is run beside it', async () => {
  await using cluster = await fastCluster();
  cluster.registry.create('configmaps', {
    metadata: { name: 'c', namespace: 'default' },
    data: { 'data-1': "it's $one" },
  });
  const shown = 'process.env["spring.profiles.active"]+"|"+process.env["data-1"]';
  createPod(cluster, {
    container: {
      command: [process.execPath, '-e', `console.log(${shown});setInterval(()=>{},1000)`],
      env: [{ name: 'spring.profiles.active', value: 'test' }],
      envFrom: [{ configMapRef: { name: 'c' } }],
      readinessProbe: {
        exec: { command: [process.execPath, '-e', `process.exit(${shown}==="test|it's $one"?0:1)`] },
        timeoutSeconds: 10,
      },
    },
  });
  await until('Ready', () => isReady(podOf(cluster)));
  const log = await (await ask(cluster, `${cluster.url}/api/v1/namespaces/default/pods/pod/log`)).text();
  assert.is(log, "test|it's $one\n");
});

test('what an image runs lies where it lies, also below /tmp; what the manifest adds is in the pod', async () => {
  const checkout = mkdtempSync('/tmp/rollproof-checkout-');
  try {
    const script = join(checkout, 'main.sh');
    writeFileSync(
      script,
      'echo "runs $0"; echo "told $1"; echo x > "$1"; ls "$IMAGE_HOME"; exec sleep 3600\n',
    );
    const command = ['sh', script];
    await using cluster = await fastCluster({
      images: [new Map([['test/below-tmp:1', { command, env: { IMAGE_HOME: checkout } }]])],
    });
    createPod(cluster, { image: 'test/below-tmp:1', container: { args: ['/tmp/made'] } });
    await until('Running', () => podOf(cluster)?.status?.phase === 'Running');
    const [runs, told, listed] = await until('three lines', async () => {
      const log = await (await ask(cluster, `${cluster.url}/api/v1/namespaces/default/pods/pod/log`)).text();
      const lines = log.trim().split('\n');
      return lines.length >= 3 && lines;
    });
    assert.is(runs, `runs ${script}`);
    assert.is(listed, 'main.sh', "the image's own environment is not the pod's either");
    assert.match(told as string, /^told \/.+\/made$/);
    assert.is(
      told === 'told /tmp/made',
      isolated(cluster),
      'its own /tmp, by a folder of its own or by name',
    );
  } finally {
    rmSync(checkout, { recursive: true, force: true });
  }
});

test('a variable that refers to nothing keeps the container waiting, and says what', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    container: { env: [{ name: 'KEY', valueFrom: { configMapKeyRef: { name: 'none', key: 'x' } } }] },
  });
  const waiting = await until(
    'waiting',
    () =>
      stateOf(podOf(cluster))?.waiting?.reason === 'CreateContainerConfigError' &&
      stateOf(podOf(cluster))?.waiting,
  );
  assert.is(waiting.message, 'configmap "none" not found');
});

test('its last output stands for a termination message, where that is asked for', async () => {
  for (const isolation of ['auto', 'none'] as const) {
    await using cluster = await fastCluster({ isolation });
    createPod(cluster, {
      container: {
        command: ['/bin/sh', '-c', 'printf "cannot go on"; exit 3'],
        terminationMessagePolicy: 'FallbackToLogsOnError',
      },
      spec: { restartPolicy: 'Never' },
    });
    const ended = await until('ended', () => stateOf(podOf(cluster))?.terminated);
    assert.equal([ended.exitCode, ended.message], [3, 'cannot go on'], isolation);
  }
});

test('without a file system of its own mounted volumes are refused by name; a writable hostPath always', async () => {
  const mount = (volume: object, changes = {}) => ({
    spec: { volumes: [{ name: 'v', ...volume }] },
    container: { volumeMounts: [{ name: 'v', mountPath: '/data', ...changes }] },
  });
  await using plain = await fastCluster({ isolation: 'none' });
  assert.throws(
    () => createPod(plain, mount({ emptyDir: {} })),
    (error: Error) =>
      /volumeMounts\[0\]: Forbidden: Unsupported by the emulated cluster: .* at \/data/.test(error.message),
  );
  await using cluster = await fastCluster();
  if (!isolated(cluster)) return;
  assert.throws(
    () => createPod(cluster, mount({ hostPath: { path: '/etc' } })),
    (error: Error) => /volumeMounts\[0\]: Forbidden: .*readOnly: true/.test(error.message),
  );
  createPod(cluster, { image: 'test/idle:1', ...mount({ hostPath: { path: '/etc' } }, { readOnly: true }) });
  await until('Running', () => podOf(cluster)?.status?.phase === 'Running');
});

test('logs: tail, timestamps, follow to the end', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    container: { command: ['sh', '-c', 'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done'] },
    spec: { restartPolicy: 'Never' },
  });
  await until('Running', () => stateOf(podOf(cluster))?.running || stateOf(podOf(cluster))?.terminated);
  const url = `${cluster.url}/api/v1/namespaces/default/pods/pod/log`;
  assert.is(
    await (await ask(cluster, `${url}?follow=true`)).text(),
    'line 1\nline 2\nline 3\nline 4\nline 5\n',
  );
  assert.is(await (await ask(cluster, `${url}?tailLines=2`)).text(), 'line 4\nline 5\n');
  assert.match(
    await (await ask(cluster, `${url}?tailLines=1&timestamps=true`)).text(),
    /^\d{4}-.*Z line 5\n$/,
  );
  assert.is(await (await ask(cluster, `${url}?limitBytes=8`)).text(), 'line 1\nl');
});

test('what a command prints arrives whole, however late it is read', async () => {
  await using cluster = await fastCluster();
  createPod(cluster);
  await until('Running', () => podOf(cluster)?.status?.phase === 'Running');
  const config = new KubeConfig();
  config.loadFromString(cluster.kubeconfig());
  const exec = new Exec(config);
  const run = async (): Promise<string> => {
    const output = new PassThrough();
    let text = '';
    output.on('data', (chunk) => {
      text += chunk;
    });
    const command = ['sh', '-c', 'echo out; echo err >&2'];
    await new Promise<void>((resolve, reject) => {
      exec
        .exec(
          'default',
          'pod',
          podOf(cluster)!.spec!.containers[0]!.name,
          command,
          output,
          output,
          null,
          false,
          () => resolve(),
        )
        .catch(reject);
    });
    return text;
  };
  // The emulation is in this process: it comes to look only now and then, as on a busy machine.
  const busy = setInterval(() => {
    for (const endMs = performance.now() + 80; performance.now() < endMs; );
  }, 1);
  try {
    for (let round = 0; round < 8; round++) {
      for (const text of await Promise.all([run(), run(), run()])) assert.is(text.length, 8, text);
    }
  } finally {
    clearInterval(busy);
  }
});

test('a pod is reached through the API server', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, { container: { readinessProbe: probe } });
  await until('Ready', () => isReady(podOf(cluster)));
  const url = `${cluster.url}/api/v1/namespaces/default/pods`;
  assert.is(await (await ask(cluster, `${url}/pod/proxy/`)).text(), 'pod');
  assert.is(await (await ask(cluster, `${url}/pod:8080/proxy/any?thing=1`)).text(), 'pod');
  assert.is((await ask(cluster, `${url}/pod:9999/proxy/`)).status, 503);
});

test('usage comes from the processes', async () => {
  await using cluster = await fastCluster({ metricsResolutionMs: 300 });
  createPod(cluster, { container: { command: ['sh', '-c', 'while :; do :; done'] } });
  const usage = await until('usage', () => {
    const found = cluster.registry.get('pods', 'default', 'pod');
    return found?.status?.phase === 'Running' && fetchUsage(cluster);
  });
  const { containers } = await until('two scrapes', () => usage, 1000);
  assert.equal(containers, []);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const later = await fetchUsage(cluster);
  assert.is(later.containers.length, 1);
  assert.ok(later.containers[0]?.cpu !== '0', JSON.stringify(later));
});

async function fetchUsage(cluster: EmbeddedCluster) {
  const answer = await ask(cluster, `${cluster.url}/apis/metrics.k8s.io/v1beta1/namespaces/default/pods`);
  const { items } = (await answer.json()) as {
    items: { containers: { name: string; usage: { cpu: string; memory: string } }[] }[];
  };
  return { containers: (items[0]?.containers ?? []).map(({ usage }) => usage) };
}

test.run();
