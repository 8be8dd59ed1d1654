// What pods are made of beyond their containers: init containers, sidecars, volumes at their paths, names, deadlines.
import * as assert from 'uvu/assert';
import type { Pod } from '../../emulator/api/types.ts';
import type { EmbeddedCluster } from '../../emulator/cluster.ts';
import {
  ask,
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

const test = suite('kubelet pods', { timeoutMs: 60_000, skip: needsLinux });

/** What a container wrote, as the API tells it. */
const logOf = async (cluster: EmbeddedCluster): Promise<string> =>
  (await ask(cluster, `${cluster.url}/api/v1/namespaces/default/pods/pod/log`)).text();

const sh = (script: string) => ['sh', '-c', script];
const idle = 'trap "exit 0" TERM; sleep 3600 & wait';

test('init containers run one after the other, then the others; the status says how far they are', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    image: 'test/idle:1',
    spec: {
      initContainers: [
        { name: 'first', image: 'test/shell:1', command: sh('sleep 1') },
        { name: 'second', image: 'test/shell:1', command: sh('exit 0') },
      ],
    },
  });
  const waiting = await until('initializing', () => {
    const pod = podOf(cluster);
    return pod?.status?.initContainerStatuses?.[0]?.state?.running && pod;
  });
  assert.is(waiting.status?.phase, 'Pending');
  assert.is(waiting.status?.containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing');
  assert.is(waiting.status?.initContainerStatuses?.[1]?.state?.waiting?.reason, 'PodInitializing');
  const condition = waiting.status?.conditions?.find(({ type }) => type === 'Initialized');
  assert.is(condition?.status, 'False');
  assert.is(condition?.message, 'containers with incomplete status: [first second]');
  await until('Ready', () => isReady(podOf(cluster)));
  const [first, second] = podOf(cluster)?.status?.initContainerStatuses ?? [];
  assert.is(first?.state?.terminated?.reason, 'Completed');
  assert.is(first?.ready, true);
  const at = (time: string | undefined) => Date.parse(time ?? '');
  assert.ok(at(first?.state?.terminated?.finishedAt) <= at(second?.state?.terminated?.startedAt));
});

test('an init container that fails ends a pod that never restarts', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    image: 'test/idle:1',
    spec: {
      restartPolicy: 'Never',
      initContainers: [{ name: 'first', image: 'test/shell:1', command: sh('exit 3') }],
    },
  });
  const failed = await until('Failed', () => podOf(cluster)?.status?.phase === 'Failed' && podOf(cluster));
  assert.is(failed.status?.initContainerStatuses?.[0]?.state?.terminated?.exitCode, 3);
  assert.not.ok(eventsOf(cluster).some((event) => event === 'Started: Started container app'));
});

test('a container that an init container keeps from starting still waits when the pod is deleted', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    image: 'test/idle:1',
    spec: {
      terminationGracePeriodSeconds: 1,
      initContainers: [{ name: 'first', image: 'test/shell:1', command: sh('exit 1') }],
    },
  });
  await until('failed once', () => podOf(cluster)?.status?.initContainerStatuses?.[0]?.restartCount);
  const seen: string[] = [];
  cluster.registry.subscribe(({ resource, object }) => {
    if (resource !== 'pods') return;
    const status = (object as Pod).status?.containerStatuses?.find(({ name }) => name === 'app');
    seen.push(status?.state?.waiting?.reason ?? JSON.stringify(status?.state));
  });
  cluster.registry.delete('pods', 'default', 'pod');
  await until('gone', () => !podOf(cluster));
  assert.equal([...new Set(seen)], ['PodInitializing']);
});

test('a sidecar starts before the others and ends after them', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    image: 'test/idle:1',
    container: { command: sh('trap "sleep 1; exit 0" TERM; sleep 3600 & wait') },
    spec: {
      initContainers: [{ name: 'side', image: 'test/idle:1', restartPolicy: 'Always', command: sh(idle) }],
    },
  });
  await until('Ready', () => isReady(podOf(cluster)));
  assert.ok(podOf(cluster)?.status?.initContainerStatuses?.[0]?.started);
  const started = eventsOf(cluster).filter((event) => event.startsWith('Started'));
  assert.equal(started, ['Started: Started container side', 'Started: Started container app']);
  let last = podOf(cluster);
  const stop = cluster.registry.subscribe(({ resource, object }) => {
    if (resource === 'pods') last = object as NonNullable<typeof last>;
  });
  cluster.registry.delete('pods', 'default', 'pod');
  await until('gone', () => !podOf(cluster));
  stop();
  const end = (name: string) =>
    Date.parse(
      [...(last?.status?.initContainerStatuses ?? []), ...(last?.status?.containerStatuses ?? [])].find(
        (status) => status.name === name,
      )?.state?.terminated?.finishedAt ?? '',
    );
  assert.ok(end('side') >= end('app'), JSON.stringify(last?.status));
});

test('a job with a sidecar ends when its own container has', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    image: 'test/shell:1',
    container: { command: sh('exit 0') },
    spec: {
      restartPolicy: 'Never',
      initContainers: [{ name: 'side', image: 'test/idle:1', restartPolicy: 'Always', command: sh(idle) }],
    },
  });
  await until('Succeeded', () => podOf(cluster)?.status?.phase === 'Succeeded');
});

test('activeDeadlineSeconds: Failed with reason DeadlineExceeded', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, { image: 'test/idle:1', spec: { activeDeadlineSeconds: 2 } });
  const failed = await until('Failed', () => podOf(cluster)?.status?.phase === 'Failed' && podOf(cluster));
  assert.is(failed.status?.reason, 'DeadlineExceeded');
});

test('stopSignal of the manifest is what the container gets', async () => {
  await using cluster = await fastCluster();
  createPod(cluster, {
    image: 'test/idle:1',
    container: {
      command: sh('trap "exit 7" QUIT; trap "exit 8" TERM; sleep 3600 & wait; wait'),
      lifecycle: { stopSignal: 'SIGQUIT' },
    },
    spec: { os: { name: 'linux' } },
  });
  await until('Ready', () => isReady(podOf(cluster)));
  let exitCode: number | undefined;
  const stop = cluster.registry.subscribe(({ resource, object }) => {
    if (resource !== 'pods') return;
    const status = (object as NonNullable<ReturnType<typeof podOf>>).status?.containerStatuses?.[0];
    exitCode = status?.state?.terminated?.exitCode ?? exitCode;
  });
  cluster.registry.delete('pods', 'default', 'pod');
  await until('gone', () => !podOf(cluster));
  stop();
  assert.is(exitCode, 7);
});

test('volumes are at their paths, and a ConfigMap that changes comes to the container', async () => {
  await using cluster = await fastCluster();
  if (!isolated(cluster)) return;
  const { registry } = cluster;
  registry.create('configmaps', { metadata: { name: 'c', namespace: 'default' }, data: { key: 'one' } });
  registry.create('secrets', {
    metadata: { name: 's', namespace: 'default' },
    data: { word: Buffer.from('hush').toString('base64') },
  });
  const script =
    'cat /etc/c/key /etc/s/word /etc/d/labels; echo; wc -c < /var/run/secrets/kubernetes.io/serviceaccount/token; cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo; echo shared > /var/run/cache/x; cat /etc/resolv.conf; hostname; touch /etc/c/no 2>/dev/null || echo readonly; while sleep 0.2; do cat /etc/c/key; echo; done';
  createPod(cluster, {
    image: 'test/shell:1',
    container: {
      command: sh(script),
      volumeMounts: [
        { name: 'c', mountPath: '/etc/c' },
        { name: 's', mountPath: '/etc/s', readOnly: true },
        { name: 'd', mountPath: '/etc/d' },
        { name: 'e', mountPath: '/var/run/cache' },
      ],
    },
    spec: {
      volumes: [
        { name: 'c', configMap: { name: 'c' } },
        { name: 's', secret: { secretName: 's' } },
        {
          name: 'd',
          downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
        },
        { name: 'e', emptyDir: {} },
      ],
    },
  });
  await until('Running', () => podOf(cluster)?.status?.phase === 'Running');
  const log = () => logOf(cluster);
  await until('the volumes', async () => /onehushapp="pod"/.test(await log()));
  await until('a token', async () => /^\d{3,}\ndefault$/m.test(await log()));
  await until('read-only', async () => /readonly/.test(await log()));
  assert.match(
    await log(),
    /search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local\nnameserver 10\./,
  );
  registry.mutate('configmaps', 'default', 'c', (map) => {
    map.data = { key: 'two' };
  });
  // The kubelet looks at every sync of the pod; a change of the pod is one.
  registry.mutate('pods', 'default', 'pod', (pod) => {
    pod.metadata.annotations = { touched: 'yes' };
  });
  await until('the change', async () => /^two$/m.test(await log()));
});

test('a volume whose ConfigMap is not there keeps the pod waiting, and says so', async () => {
  await using cluster = await fastCluster();
  if (!isolated(cluster)) return;
  createPod(cluster, {
    image: 'test/idle:1',
    container: { volumeMounts: [{ name: 'c', mountPath: '/etc/c' }] },
    spec: { volumes: [{ name: 'c', configMap: { name: 'none' } }] },
  });
  await until('the event', () => eventsOf(cluster).some((event) => event.startsWith('FailedMount')));
  assert.is(podOf(cluster)?.status?.containerStatuses?.[0]?.state?.waiting?.reason, 'ContainerCreating');
});

test.run();
