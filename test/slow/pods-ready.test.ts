import * as assert from 'uvu/assert';
import type { ObservedPod } from '../../harness/deploy/pod-trouble.ts';
import { podsAnswer, podsReady } from '../../harness/deploy/pods-ready.ts';
import { removeNamespaces } from '../../harness/deploy/remove.ts';
import { type Answer, toApiError } from '../../harness/kube/api-error.ts';
import type { Kube } from '../../harness/kube/client.ts';
import type { RequestOptions } from '../../harness/kube/request-options.ts';
import { untilDone } from '../../harness/kube/wait.ts';
import { FaultError, InterruptedError } from '../../harness/model/errors.ts';
import { label } from '../../harness/model/manifest.ts';
import { agentsReady } from '../../harness/run/experiment/agents.ts';
import { suite } from '../suite.ts';

const test = suite('pods ready');

type Handle = (method: string, path: string, options: RequestOptions) => unknown;

/** A client over a function: what it returns is the answer, `[status, object]` another one, what it throws no answer. */
function kubeOf(handle: Handle): Kube {
  const raw = async (method: string, path: string, options: RequestOptions = {}): Promise<Answer> => {
    options.signal?.throwIfAborted();
    const given = handle(method, path, options);
    const [status, object] = Array.isArray(given) ? given : [200, given];
    return { status, text: typeof object === 'string' ? object : JSON.stringify(object ?? {}) };
  };
  return {
    raw,
    async json(method: string, path: string, options?: RequestOptions) {
      const answer = await raw(method, path, options);
      if (answer.status > 299) throw toApiError(answer);
      return JSON.parse(answer.text);
    },
  } as unknown as Kube;
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

const condition = (type: string, status: string, message?: string) => ({
  type,
  status,
  ...(message && { message }),
});
const pod = (status: ObservedPod['status'], spec: ObservedPod['spec'] = {}): ObservedPod => ({
  metadata: { name: 'web-1' },
  spec: { nodeName: 'n1', ...spec },
  ...(status && { status }),
});
const readyPod = pod({ phase: 'Running', podIP: '10.0.0.1', conditions: [condition('Ready', 'True')] });
const waits = (reason: string, message: string) =>
  pod({
    phase: 'Pending',
    containerStatuses: [{ name: 'app', ready: false, state: { waiting: { reason, message } } }],
  });

/** What the wait for one pod says of a pod that stays so. `events`, `log`: of the namespace and the container. */
async function waitedFor(
  found: readonly ObservedPod[],
  { events = [] as unknown[], log = '', limitMs = 60_000, owner = undefined as unknown } = {},
): Promise<string> {
  const kube = kubeOf((_method, path) => {
    if (path.endsWith('/pods')) return { items: found };
    if (path.endsWith('/events')) return { items: events };
    if (path.endsWith('/log')) return [200, log];
    return owner ?? [404, {}];
  });
  const error = await failure(
    podsReady(kube, 'ns', { [label.role]: 'target' }, 1, limitMs, untilDone, { troubleLimitMs: 50 }),
  );
  assert.instance(error, FaultError);
  return error.message;
}

test('what does not pass by itself ends the wait by name, with what was seen of it', async () => {
  const cases: [string, ObservedPod, string, string?][] = [
    [
      'an image that cannot be had',
      waits('ImagePullBackOff', 'Back-off pulling image "no/such:1"'),
      'pod web-1, container app: waits (ImagePullBackOff: Back-off pulling image "no/such:1")',
    ],
    [
      'a wrong image name',
      waits('InvalidImageName', 'x'),
      'pod web-1, container app: waits (InvalidImageName: x)',
    ],
    [
      'a missing Secret',
      waits('CreateContainerConfigError', 'secret "db" not found'),
      'pod web-1, container app: waits (CreateContainerConfigError: secret "db" not found)',
    ],
    [
      'a process that ends again and again',
      pod({
        phase: 'Running',
        containerStatuses: [
          {
            name: 'app',
            ready: false,
            restartCount: 2,
            state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s' } },
            lastState: { terminated: { exitCode: 1, reason: 'Error' } },
          },
        ],
      }),
      'pod web-1, container app: waits (CrashLoopBackOff: back-off 20s) after 2 restarts; it ended before with exit code 1; it said last: no config',
      'starting\nno config\n',
    ],
    [
      'an init container that fails',
      pod({
        phase: 'Pending',
        initContainerStatuses: [
          { name: 'migrate', restartCount: 1, state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
        ],
        containerStatuses: [{ name: 'app', state: { waiting: { reason: 'PodInitializing' } } }],
      }),
      'pod web-1, container migrate: ended with exit code 137 (OOMKilled) after 1 restart',
    ],
    [
      'a pod that fits no node',
      pod({
        phase: 'Pending',
        conditions: [condition('PodScheduled', 'False', '0/4 nodes: insufficient cpu')],
      }),
      'pod web-1 cannot be scheduled: 0/4 nodes: insufficient cpu',
    ],
    [
      'a pod whose scheduler nobody runs',
      pod({ phase: 'Pending' }, { schedulerName: 'volcano', nodeName: '' }),
      'pod web-1 waits for the scheduler "volcano", which has not looked at it',
    ],
    [
      'a pod that the kubelet refused',
      pod({ phase: 'Failed', reason: 'UnexpectedAdmissionError', message: 'no devices' }),
      'pod web-1 failed: UnexpectedAdmissionError: no devices',
    ],
    [
      'a readiness gate that nobody sets',
      pod(
        { phase: 'Running', conditions: [condition('ContainersReady', 'True'), condition('Ready', 'False')] },
        { readinessGates: [{ conditionType: 'example.com/in-rotation' }] },
      ),
      'pod web-1: all its containers are ready, but nobody sets the condition of its readiness gate example.com/in-rotation',
    ],
  ];
  for (const [what, found, words, log] of cases) {
    const startedAt = performance.now();
    const message = await waitedFor([found], log ? { log: log.split('\n').slice(1).join('\n') } : {});
    assert.is(message, `Waited for 1 pod with role target in ns to be Ready: ${words}.`, what);
    assert.ok(performance.now() - startedAt < 30_000, what);
  }
});

test('a probe that cannot succeed ends it in its own words; one that may is waited for and quoted', async () => {
  const running = pod({
    phase: 'Running',
    containerStatuses: [{ name: 'app', ready: false, state: { running: { startedAt: 'x' } } }],
  });
  const said = (message: string, limitMs: number) =>
    waitedFor([running], {
      limitMs,
      events: [
        { reason: 'Unhealthy', involvedObject: { name: 'web-1' }, message: 'Liveness probe failed: no' },
        {
          reason: 'Unhealthy',
          involvedObject: { name: 'web-2' },
          message: 'Readiness probe failed: of another',
        },
        { reason: 'Unhealthy', involvedObject: { name: 'web-1' }, message },
      ],
    });
  const hopeless = [
    'Readiness probe failed: /bin/sh: 1: podcli: not found',
    'Readiness probe failed: sh: line 1: podcli: command not found',
    'Readiness probe errored: exec: "podcli": executable file not found in $PATH',
    'Startup probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): rpc error',
    'Readiness probe failed: error: health rpc failed: rpc error: code = Internal desc = server closed the stream without sending trailers',
    'Readiness probe failed: Get "https://10.0.0.1:80/": http: server gave HTTP response to HTTPS client',
  ];
  for (const message of hopeless)
    assert.is(
      await said(message, 60_000),
      `Waited for 1 pod with role target in ns to be Ready: pod web-1 runs and is not ready: ${message}.`,
    );
  const passing = [
    'Readiness probe failed: HTTP probe failed with statuscode: 404',
    'Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused',
    'Readiness probe failed: cat: /tmp/ready: No such file or directory',
  ];
  for (const message of passing) {
    const words = await said(message, 400);
    assert.match(words, /^Waited 0\.4 s .* Last seen: web-1: container app runs and is not ready; /);
    assert.ok(words.endsWith(`pod web-1 runs and is not ready: ${message}.`), words);
  }
});

test('pods that a controller may not create: its own words', async () => {
  const events = [
    {
      involvedObject: { kind: 'ReplicaSet', name: 'other-1' },
      reason: 'FailedCreate',
      message: 'of another one',
      lastTimestamp: '2026-01-02T00:00:00Z',
    },
    {
      involvedObject: { kind: 'ReplicaSet', name: 'web-1' },
      reason: 'FailedCreate',
      message: 'exceeded quota: pods',
      lastTimestamp: '2026-01-01T00:00:00Z',
    },
  ];
  const template = (role: string) => ({
    spec: { template: { metadata: { labels: { [label.role]: role } } } },
  });
  const kube = kubeOf((_method, path) => {
    if (path.endsWith('/pods')) return { items: [] };
    if (path.endsWith('/events')) return { items: events };
    return template(path.endsWith('/web-1') ? 'target' : 'beside');
  });
  const error = await failure(
    podsReady(kube, 'ns', { [label.role]: 'target' }, 2, 60_000, untilDone, { troubleLimitMs: 50 }),
  );
  assert.is(
    error.message,
    'Waited for 2 pods with role target in ns to be Ready: ReplicaSet web-1 may not create its pods: exceeded quota: pods.',
  );
});

test('what may pass is waited for to the limit, which names what was seen', async () => {
  const cases: [ObservedPod[], string][] = [
    [[], '0 of 1 pods'],
    [[waits('ContainerCreating', '')], 'web-1: container app waits (ContainerCreating)'],
    [
      [
        pod({
          phase: 'Running',
          containerStatuses: [{ name: 'app', ready: false, state: { running: { startedAt: 'x' } } }],
        }),
      ],
      'web-1: container app runs and is not ready',
    ],
    [
      [
        pod(
          {
            phase: 'Running',
            conditions: [condition('ContainersReady', 'True'), condition('lb', 'False', 'not healthy')],
          },
          { readinessGates: [{ conditionType: 'lb' }] },
        ),
      ],
      'web-1: condition lb is False: not healthy',
    ],
  ];
  for (const [found, seen] of cases) {
    assert.is(
      await waitedFor(found, { limitMs: 200 }),
      `Waited 0.2 s for 1 pod with role target in ns to be Ready. Last seen: ${seen}.`,
    );
  }
});

test('a pod that an autoscaler makes a node for is waited for', async () => {
  const found = pod({ phase: 'Pending', conditions: [condition('PodScheduled', 'False', 'no node')] });
  const message = await waitedFor([found], { events: [{ reason: 'TriggeredScaleUp' }], limitMs: 200 });
  assert.match(message, /^Waited 0\.2 s .* cannot be scheduled: no node\.$/);
});

test('a trouble that passes, and answers that do not come, end no wait', async () => {
  let asked = 0;
  const kube = kubeOf(() => {
    asked++;
    if (asked === 1) throw new FaultError('API server: GET: socket hang up.');
    if (asked === 2) return [500, { message: 'etcd' }];
    return { items: [asked < 5 ? waits('ErrImagePull', 'later') : readyPod] };
  });
  assert.equal(await podsReady(kube, 'ns', {}, 1, 60_000, untilDone, { troubleLimitMs: 5000 }), [
    { name: 'web-1', ip: '10.0.0.1', node: 'n1', hostIp: '' },
  ]);
});

test('podsAnswer goes on after a request without an answer, to its limit', async () => {
  const pods = [{ name: 'web-1', ip: '', node: '', hostIp: '' }];
  let asked = 0;
  const later = kubeOf(() => {
    if (++asked < 4) throw new FaultError('API server: GET /proxy: no answer within 5000 ms.');
    return asked < 6 ? [503, '{"kind":"Status","message":"error trying to reach service"}'] : [404, ''];
  });
  await podsAnswer(later, 'ns', pods, 80, '/', 60_000, untilDone);
  assert.is(asked, 6);
  const never = kubeOf(() => {
    throw new FaultError('socket hang up');
  });
  assert.is(
    (await failure(podsAnswer(never, 'ns', pods, 80, '/', 200, untilDone))).message,
    'Waited 0.2 s for web-1 in ns to answer on port 80. Last seen: web-1: socket hang up.',
  );
  const refused = kubeOf(() => [
    503,
    { kind: 'Status', message: 'error trying to reach service: connect ECONNREFUSED 10.0.0.1:80' },
  ]);
  assert.is(
    (await failure(podsAnswer(refused, 'ns', pods, 80, '/', 200, untilDone, 'Name the port.'))).message,
    'Waited 0.2 s for web-1 in ns to answer on port 80. Last seen: web-1: error trying to reach service: connect ECONNREFUSED 10.0.0.1:80. Name the port.',
  );
});

test('removing: what is not known is asked again, what is refused is told, what is not ours stays', async () => {
  const ours = { metadata: { labels: { [label.run]: 'r1' } }, status: { phase: 'Active' } };
  const terminating = {
    ...ours,
    status: {
      phase: 'Terminating',
      conditions: [{ type: 'NamespaceContentRemaining', status: 'True', message: 'pods. has 1 instance' }],
    },
  };
  interface Case {
    what: string;
    gets: unknown[];
    deletes?: unknown[];
    deleted: number;
    fails?: RegExp;
  }
  const cases: Case[] = [
    { what: 'gone already', gets: [[404, {}]], deleted: 0 },
    { what: 'ours', gets: [ours, terminating, [404, {}]], deleted: 1 },
    { what: "somebody else's", gets: [{ metadata: { labels: { [label.run]: 'r2' } } }], deleted: 0 },
    { what: 'an answer that fails at first', gets: [[500, {}], ours, [404, {}]], deleted: 1 },
    { what: 'no answer at first', gets: [new FaultError('hang up'), ours, [404, {}]], deleted: 1 },
    {
      what: 'may not be read',
      gets: [[403, { message: 'forbidden' }]],
      deleted: 0,
      fails: /\(403\): forbidden/,
    },
    {
      what: 'may not be deleted',
      gets: [ours],
      deletes: [[403, { message: 'no' }]],
      deleted: 1,
      fails: /\(403\): no/,
    },
    {
      what: 'is deleted at the second try',
      gets: [ours, ours, [404, {}]],
      deletes: [[500, {}], {}],
      deleted: 2,
    },
    {
      what: 'is never gone',
      gets: [ours, terminating],
      deleted: 1,
      fails:
        /^Waited 0\.6 s for namespace ns to be gone\. Last seen: Terminating; pods\. has 1 instance\. Look with:/,
    },
  ];
  for (const { what, gets, deletes = [{}], deleted, fails } of cases) {
    let got = 0;
    let tried = 0;
    const kube = kubeOf((method, path) => {
      if (path.endsWith('/pods')) return { items: [] };
      const answers = method === 'GET' ? gets : deletes;
      const answer = answers[Math.min(method === 'GET' ? got++ : tried++, answers.length - 1)];
      if (answer instanceof Error) throw answer;
      return answer;
    });
    const removal = removeNamespaces(kube, ['ns'], 'r1', 600);
    if (fails) {
      const error = await failure(removal);
      assert.match(error.message, fails, what);
      assert.instance(error, FaultError);
    } else await removal;
    assert.is(tried, deleted, what);
  }
});

test('an agent that has ended is told at once, with how and what it said last, and nothing is waited for', async () => {
  const container = {
    name: 'agent',
    ready: false,
    state: { terminated: { exitCode: 137, reason: 'Error' } },
  };
  const dead = pod({ phase: 'Failed', containerStatuses: [container] });
  const kube = kubeOf((_method, path) => {
    if (path.endsWith('/pods')) return { items: [dead] };
    return path.endsWith('/log') ? [200, 'one\ntwo\n'] : dead;
  });
  const labels = { [label.role]: 'agent' };
  const error = await failure(agentsReady(kube, 'ns', labels, 1, AbortSignal.timeout(5000)));
  assert.match(
    error.message,
    /^Load agent \S+: the load agent ended \(exit code 137; it said last: one \/ two\)\.$/,
  );
});

test('an agent that could not be started is told with why', async () => {
  const message = 'ENOSPC: no space left on device, write, in /tmp/pods\nmore';
  const terminated = { exitCode: 128, reason: 'StartError', message };
  const dead = pod({
    phase: 'Failed',
    containerStatuses: [{ name: 'agent', ready: false, state: { terminated } }],
  });
  const kube = kubeOf((_method, path) => {
    if (path.endsWith('/pods')) return { items: [dead] };
    return path.endsWith('/log') ? [200, ''] : dead;
  });
  const error = await failure(
    agentsReady(kube, 'ns', { [label.role]: 'agent' }, 1, AbortSignal.timeout(5000)),
  );
  assert.match(
    error.message,
    /: the load agent ended \(exit code 128, StartError: ENOSPC: no space left on device, write, in \/tmp\/pods\)\.$/,
  );
});

test('after Ctrl-C it is enough that every deletion is accepted', async () => {
  let deleted = 0;
  const kube = kubeOf((method, path) => {
    if (path.endsWith('/pods')) return { items: [] };
    if (method === 'DELETE') deleted++;
    return { metadata: { labels: { [label.run]: 'r1' } }, status: { phase: 'Terminating' } };
  });
  await removeNamespaces(kube, ['one', 'two'], 'r1', 2000, undefined, 'accepted');
  assert.is(deleted, 2);
});

test('the removal from a cluster that goes away ends with it, and does not go on asking', async () => {
  const gone = new AbortController();
  let asked = 0;
  const kube = kubeOf((_, path) => {
    if (path.endsWith('/pods')) return { items: [] };
    if (++asked === 3) gone.abort(new InterruptedError());
    return { metadata: { labels: { [label.run]: 'r1' } } };
  });
  const error = await failure(removeNamespaces(kube, ['ns'], 'r1', 60_000, gone.signal));
  assert.instance(error, InterruptedError);
  assert.ok(asked <= 4, `asked ${asked} times`);
});

test('one namespace that cannot be removed keeps no other', async () => {
  const deleted: string[] = [];
  const kube = kubeOf((method, path) => {
    if (path.endsWith('/pods')) return { items: [] };
    if (path.endsWith('/one')) return [403, { message: 'one is forbidden' }];
    if (method === 'DELETE') deleted.push(path);
    else if (deleted.length > 0) return [404, {}];
    return { metadata: { labels: { [label.run]: 'r1' } } };
  });
  const error = await failure(removeNamespaces(kube, ['one', 'two'], 'r1', 2000));
  assert.match(error.message, /one is forbidden/);
  assert.equal(deleted, ['/api/v1/namespaces/two']);
});

test.run();
