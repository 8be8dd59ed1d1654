// What a node's connection tracking is read by on a cluster of somebody's, and what keeps it from being read.
import * as assert from 'uvu/assert';
import { witnessJob } from '../../harness/deploy/witness-pod.ts';
import { ApiError } from '../../harness/kube/api-error.ts';
import type { Kube } from '../../harness/kube/client.ts';
import type { OwnPods } from '../../harness/model/own-pods.ts';
import { witnessByPod } from '../../harness/run/experiment/witness-pod.ts';
import { suite } from '../suite.ts';

const test = suite('witness pod');

const identity = { namespace: 'shop', runId: 'r1', experiment: 'restart.as-is' };
const ownWith = (witness: { image?: string }): OwnPods => ({
  containers: true,
  images: { agent: 'node:20', target: 'node:20' },
  node: 'node',
  guest: { resources: { requests: {}, limits: {} }, mesh: false, witness },
});

interface Cluster {
  /** By the label k8s-app: image of the pod on node n1. */
  readonly proxies?: Readonly<Record<string, string>>;
  readonly forbidden?: boolean;
  readonly refused?: string;
  /** What the pod's log says. */
  readonly log?: readonly string[];
}

/** An API server as far as it is asked. */
function clusterOf({ proxies = {}, forbidden, refused, log = ['reading'] }: Cluster) {
  const created: { spec: { template: { spec: { containers: { image: string }[] } } } }[] = [];
  const deleted: string[] = [];
  const json = async (_: string, path: string, options?: { query?: Record<string, unknown> }) => {
    if (path.endsWith('/clock')) return { wallMs: 1_700_000_000_123 };
    if (path.includes('/kube-system/')) {
      if (forbidden) throw new ApiError(403, 'Forbidden', 'pods is forbidden');
      const image = proxies[String(options?.query?.labelSelector).replace('k8s-app=', '')];
      return { items: image ? [{ spec: { nodeName: 'n1', containers: [{ image }] } }] : [] };
    }
    return {
      items: [
        {
          metadata: { name: 'rollproof-witness-1-x' },
          spec: { nodeName: 'n1' },
          status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
        },
      ],
    };
  };
  const kube = {
    json,
    raw: async (method: string, path: string) => {
      if (method === 'DELETE') deleted.push(path);
      return { status: 200, text: '{}' };
    },
    objects: {
      create: async (object: (typeof created)[number]) => {
        if (refused) throw new ApiError(403, 'Forbidden', refused);
        created.push(object);
        return object;
      },
    },
    lines: (_: string, { signal }: { signal: AbortSignal }, line: (text: string) => void) => {
      for (const one of log) line(one);
      if (!log.includes('reading')) return Promise.resolve();
      return new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => resolve(), { once: true }),
      );
    },
    during: () => kube,
  } as unknown as Kube;
  return { kube, created, deleted };
}

const readBy = (cluster: Cluster, witness: { image?: string } = {}, node = 'n1') => {
  const { kube, ...seen } = clusterOf(cluster);
  const lines: string[] = [];
  const pods = {
    kube,
    identity,
    own: ownWith(witness),
    agents: [{ name: 'agent-0', node: 'n1' }],
    deadlineMs: 60_000,
    signal: new AbortController().signal,
  };
  const request = { addresses: ['10.0.0.7:80'], onLine: (line: string) => void lines.push(line) };
  return { ...seen, lines, running: witnessByPod(pods, node, 0, request) };
};
const sentence = async ({ running }: ReturnType<typeof readBy>): Promise<string> => {
  try {
    await running;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it is read');
};

test('the node’s network, NET_ADMIN and nothing else', () => {
  const job = witnessJob(identity, ownWith({}), {
    image: 'proxy:1',
    node: 'n1',
    events: 'conntrack -E',
    deadlineMs: 90_500,
    index: 0,
  });
  const { template, ...spec } = job.spec as {
    activeDeadlineSeconds: number;
    template: { spec: Record<string, unknown> & { containers: Record<string, unknown>[] } };
  };
  assert.is(spec.activeDeadlineSeconds, 91);
  const { containers, ...pod } = template.spec;
  assert.is(pod.hostNetwork, true);
  assert.is(pod.automountServiceAccountToken, false);
  assert.is(pod.volumes, undefined);
  assert.is(pod.hostPID, undefined);
  assert.equal(pod.nodeSelector, { 'kubernetes.io/hostname': 'n1' });
  assert.equal(containers[0]?.securityContext, {
    runAsUser: 0,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
    seccompProfile: { type: 'RuntimeDefault' },
  });
});

test('read with the image of kube-proxy; the agent tells the time; its Job goes', async () => {
  const read = readBy({ proxies: { 'kube-proxy': 'proxy:1' }, log: ['reading', 'one'] });
  const witness = await read.running;
  assert.is(read.created[0]?.spec.template.spec.containers[0]?.image, 'proxy:1');
  witness.ask('7');
  await new Promise(setImmediate);
  assert.equal(read.lines, ['one', 'clock 7 1700000000.1235']);
  await witness.stop();
  assert.equal(read.deleted, ['/apis/batch/v1/namespaces/shop/jobs/rollproof-witness-1']);
});

test('an image that is named is taken, and kube-system is not asked', async () => {
  const read = readBy({ forbidden: true }, { image: 'mine:1' });
  await (await read.running).stop();
  assert.is(read.created[0]?.spec.template.spec.containers[0]?.image, 'mine:1');
});

test('what keeps it from being read: one sentence, with what to do', async () => {
  const table: [() => ReturnType<typeof readBy>, RegExp][] = [
    [() => readBy({ forbidden: true }), /may not be listed, .*--witness-image/],
    [
      () => readBy({ proxies: { cilium: 'cilium:1' } }),
      /Cilium routes Services there in place of kube-proxy/,
    ],
    [() => readBy({}), /no kube-proxy runs there as a pod/],
    [() => readBy({ proxies: { 'kube-proxy': 'p' } }, {}, 'n2'), /no load agent runs there/],
    [
      () => readBy({ refused: 'violates PodSecurity "baseline"' }, { image: 'i' }),
      /violates PodSecurity "baseline"/,
    ],
    [
      () => readBy({ log: ['the image has no conntrack'] }, { image: 'i' }),
      /its pod ended: the image has no conntrack/,
    ],
  ];
  for (const [read, words] of table) {
    const said = await sentence(read());
    assert.match(said, /^--witness: connection tracking on node n[12] cannot be read: /);
    assert.match(said, words);
    assert.match(said, /Mend that, or leave out --witness/);
    assert.not.match(said, /cannot be read.*cannot be read/);
  }
});

test.run();
