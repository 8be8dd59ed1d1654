// k6 as a pod, against an API server that answers from a script: what is asked of it, in which order, and that the pod is
// removed on every way out.
import * as assert from 'uvu/assert';
import type { Answer } from '../../harness/kube/api-error.ts';
import type { Kube } from '../../harness/kube/client.ts';
import type { RequestOptions } from '../../harness/kube/request-options.ts';
import { FaultError } from '../../harness/model/errors.ts';
import { streamPlanSchema } from '../../harness/model/load.ts';
import { type K6Request, prepareK6 } from '../../harness/run/experiment/k6-program.ts';
import { suite } from '../suite.ts';

const test = suite('cross-check');
const pods = '/api/v1/namespaces/ns/pods/rollproof-k6';
const api = (port: number) => `/api/v1/namespaces/ns/pods/rollproof-k6:${port}/proxy/v1/status`;
const removed = [`DELETE ${pods}`, 'DELETE /api/v1/namespaces/ns/secrets/rollproof-k6'];

interface State {
  /** k6's execution status: 4 is paused before the run. */
  status: number;
  /** Exit code of the containers; undefined: they run. */
  exitCode?: number;
  log: string;
  stoppable: boolean;
}

function world(changes: Partial<State> = {}) {
  const state: State = { status: 4, log: '', stoppable: true, ...changes };
  const asked: string[] = [];
  const created: string[] = [];
  const answer = (method: string, path: string, body: unknown): Answer => {
    if (path === pods) {
      const terminated = state.exitCode === undefined ? {} : { terminated: { exitCode: state.exitCode } };
      const containerStatuses = ['k6-new', 'k6-kept'].map((name) => ({ name, state: terminated }));
      return { status: 200, text: JSON.stringify({ status: { phase: 'Running', containerStatuses } }) };
    }
    if (path === `${pods}/log`) return { status: 200, text: state.log };
    if (method === 'PATCH' && state.stoppable && JSON.stringify(body).includes('"stopped":true'))
      state.exitCode = 103;
    return { status: 200, text: JSON.stringify({ data: { attributes: { status: state.status } } }) };
  };
  const raw = async (method: string, path: string, { body }: RequestOptions = {}) => {
    if (method !== 'GET')
      asked.push(`${method} ${path}${method === 'PATCH' ? ` ${JSON.stringify(body)}` : ''}`);
    return answer(method, path, body);
  };
  const kube = {
    raw,
    json: async (method: string, path: string) => JSON.parse((await raw(method, path)).text),
    during: (): Kube => kube,
    objects: {
      create: async (object: { kind: string }) => {
        created.push(object.kind);
        return object;
      },
    },
  } as unknown as Kube;
  const plan = { url: 'http://10.0.0.1/', rate: { shape: 'constant', ratePerSecond: 1 } };
  const streams = ['new', 'kept'].map((lane) =>
    streamPlanSchema.parse({ ...plan, id: lane, lane, connections: 1, timeoutMs: 1000, maxDurationMs: 1000 }),
  );
  const request: K6Request = {
    kube,
    identity: { namespace: 'ns', runId: 'r', experiment: 'x' },
    node: 'n',
    streams,
    limitMs: 1000,
    signal: new AbortController().signal,
  };
  const prepare = () => prepareK6({ how: 'pod', image: 'k6:1', version: 'v1.2.3' }, request);
  return { state, asked, created, request, prepare };
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    assert.instance(error, FaultError);
    return (error as Error).message;
  }
  return 'nothing was thrown';
}

const patched = (port: number, attributes: Record<string, boolean>) =>
  `PATCH ${api(port)} ${JSON.stringify({ data: { type: 'status', id: 'default', attributes } })}`;

test('made paused, told to go, stopped, read, removed', async () => {
  const { state, asked, created, prepare } = world();
  const crossCheck = await prepare();
  assert.equal(created, ['Secret', 'Pod']);
  assert.equal(asked, []);
  await crossCheck.begin();
  assert.equal(asked.splice(0), [patched(6565, { paused: false }), patched(6566, { paused: false })]);
  state.log = '\n{"attempts":3,"dropped":0,"outcomes":{"ok":3}}\nlevel=error msg="stopped"\n';
  const counts = await crossCheck.stop();
  assert.equal(asked.splice(0), [patched(6565, { stopped: true }), patched(6566, { stopped: true })]);
  assert.equal(Object.fromEntries(counts), {
    new: { attempts: 3, dropped: 0, outcomes: { ok: 3 } },
    kept: { attempts: 3, dropped: 0, outcomes: { ok: 3 } },
  });
  await crossCheck[Symbol.asyncDispose]();
  assert.equal(asked, removed);
});

test('k6 that ends before the load began is told with its last words, and removed', async () => {
  const { asked, prepare } = world({ status: 0, exitCode: 107, log: 'x\nlevel=error msg="bad script"\n' });
  assert.match(
    await messageOf(prepare()),
    /^Cross-check: Waited for k6 to be ready .*: k6 ended with 107 before the load began: level=error msg="bad script"\. Nothing is compared\.$/,
  );
  assert.equal(asked, removed);
});

test('k6 that has ended by itself is read all the same; without a summary there is a reason', async () => {
  const { state, prepare } = world({ stoppable: false });
  const crossCheck = await prepare();
  state.exitCode = 137;
  assert.equal(Object.fromEntries(await crossCheck.stop()), {
    new: { problem: 'k6 ended with 137 and left no summary' },
    kept: { problem: 'k6 ended with 137 and left no summary' },
  });
});

test('no way to run it is a sentence', async () => {
  const { request } = world();
  assert.is(await messageOf(prepareK6({ how: 'none', why: 'No k6.' }, request)), 'No k6.');
});

test.run();
