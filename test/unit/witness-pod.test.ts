// What a node's connection tracking is read by on a cluster of somebody's, and what keeps it from being read.
import * as assert from 'uvu/assert';
import { belongingsIn } from '../../harness/deploy/belongings.ts';
import { witnessJob } from '../../harness/deploy/witness-pod.ts';
import { ApiError } from '../../harness/kube/api-error.ts';
import type { Kube } from '../../harness/kube/client.ts';
import type { OwnPods } from '../../harness/model/own-pods.ts';
import { follow } from '../../harness/run/experiment/followed-log.ts';
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
  const asked: string[] = [];
  const created: { spec: { template: { spec: { containers: { image: string }[] } } } }[] = [];
  const deleted: string[] = [];
  const json = async (_: string, path: string, options?: { query?: Record<string, unknown> }) => {
    if (path.endsWith('/clock')) return { wallMs: 1_700_000_000_123 };
    if (path.includes('/kube-system/')) {
      if (forbidden) throw new ApiError(403, 'Forbidden', 'pods is forbidden');
      const image = proxies[String(options?.query?.labelSelector).replace('k8s-app=', '')];
      return { items: image ? [{ spec: { nodeName: 'n1', containers: [{ image }] } }] : [] };
    }
    asked.push(String(options?.query?.labelSelector));
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
  return { kube, created, deleted, asked };
}

const readBy = (
  cluster: Cluster,
  witness: { image?: string } = {},
  node = 'n1',
  through?: Kube,
  index = 0,
) => {
  const { kube: own, ...seen } = clusterOf(cluster);
  const kube = through ?? own;
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
  return { ...seen, lines, running: witnessByPod(pods, node, index, request) };
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

test('each node has a reader of its own, and waits for no other one', async () => {
  const read = readBy({ proxies: { 'kube-proxy': 'proxy:1' } }, {}, 'n1', undefined, 1);
  await (await read.running).stop();
  assert.is(read.asked.length, 1);
  assert.match(read.asked[0] ?? '', /job-name=rollproof-witness-2$/);
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

const event = (seconds: number, id: number) => `[${seconds}.250000]\t    [NEW] tcp      6 120 id=${id}`;

/** A log that breaks off after each of these; the API server fails so many questions in between. */
function brokenLog(
  parts: readonly (readonly string[])[],
  { fails = 0, ends = false, breakLimitMs = 60_000 } = {},
) {
  const queries: Record<string, unknown>[] = [];
  const seen: string[] = [];
  let left = fails;
  const kube = {
    lines: (
      _: string,
      { query, signal }: { query: Record<string, unknown>; signal: AbortSignal },
      line: (text: string) => void,
    ) => {
      queries.push(query);
      const part = parts[queries.length - 1];
      for (const one of part ?? []) line(one);
      if (part && queries.length < parts.length + (ends ? 1 : 0))
        return Promise.reject(new Error('the connection broke'));
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    },
    raw: async () => {
      if (left-- > 0) throw new Error('connect ECONNREFUSED');
      return { status: 200, text: JSON.stringify({ status: { phase: ends ? 'Failed' : 'Running' } }) };
    },
  } as unknown as Kube;
  const followed = follow({
    kube,
    namespace: 'shop',
    pod: 'w',
    from: 'reading',
    breakLimitMs,
    request: {
      onLine: (line) => void seen.push(line),
      onBreak: () => void seen.push('broke off'),
      onResumed: (whole) => void seen.push(whole ? 'whole' : 'cut'),
    },
  });
  return { queries, seen, followed };
}

test('a log that breaks off is followed again: every line once, and what is missing is known', async () => {
  const [a, b, c, d, e] = [event(100, 1), event(100, 2), event(101, 3), event(102, 4), event(103, 5)];
  const { queries, seen, followed } = brokenLog([
    ['starting', 'reading', a, b],
    // From a moment before; it breaks off again before the last one comes.
    [a],
    [a, b, c, 'WARNING: buffer', d],
    // The kubelet has cut it: the last one that was read is gone.
    ['half a line', event(101, 3.5), e, event(104, 6)],
  ]);
  const log = await followed;
  for (let i = 0; i < 1500 && queries.length < 4; i++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(seen, [
    ...[a, b, 'broke off', 'whole', c, 'WARNING: buffer', d],
    ...['broke off', 'cut', e, event(104, 6)],
  ]);
  assert.equal(
    queries.map(({ sinceTime }) => sinceTime),
    [undefined, '1970-01-01T00:01:38Z', '1970-01-01T00:01:38Z', '1970-01-01T00:01:40Z'],
  );
  log.stop();
  await log.ended;
});

test('a log that broke off: the end of its pod, and a limit', async () => {
  const over = brokenLog([['reading', event(100, 1)]], { ends: true });
  assert.is(await (await over.followed).ended, 'its pod ended');
  const away = brokenLog([['reading', event(100, 1)], []], { fails: 1000, breakLimitMs: 100 });
  assert.match(await (await away.followed).ended, /Waited 0\.\d+ s for the API server .*ECONNREFUSED/);
  assert.equal(
    [over, away].map(({ seen }) => seen.at(-1)),
    ['broke off', 'broke off'],
  );
});

test('the Job belongs to the load agents’ Job: it goes when that does, whoever is left', async () => {
  const created: { kind: string; metadata: { ownerReferences?: { name: string; uid: string }[] } }[] = [];
  const base = {
    json: async (method: string, path: string, options?: { body?: (typeof created)[number] }) => {
      if (method === 'POST' && options?.body) created.push(options.body);
      if (method === 'POST') return options?.body;
      const resources = [{ name: 'jobs', kind: 'Job', namespaced: true }];
      return { ...(await clusterOf({}).kube.json<object>('GET', path)), resources };
    },
    lines: clusterOf({}).kube.lines,
    during: () => base,
  } as unknown as Kube;
  const belongings = belongingsIn(identity);
  belongings.belongTo({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'rollproof-agent', uid: 'u7' },
  });
  const { running } = readBy({}, { image: 'mine:1' }, 'n1', belongings.marking(base));
  await running;
  assert.equal(
    created.map(({ kind, metadata }) => [
      kind,
      metadata.ownerReferences?.map(({ name, uid }) => [name, uid]),
    ]),
    [['Job', [['rollproof-agent', 'u7']]]],
  );
});

test.run();
