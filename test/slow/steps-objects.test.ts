// Steps that create, read and wait for objects, against an API server that answers from a table.
import * as assert from 'uvu/assert';
import { ApiError } from '../../harness/kube/api-error.ts';
import type { Kube } from '../../harness/kube/client.ts';
import { FaultError } from '../../harness/model/errors.ts';
import type { PodFacts } from '../../harness/model/facts.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { type Step, stepSchema } from '../../harness/model/scenario.ts';
import { createLiveState } from '../../harness/record/live.ts';
import type { StepContext } from '../../harness/steps/context.ts';
import { runStep } from '../../harness/steps/index.ts';
import { suite } from '../suite.ts';

const test = suite('steps: objects');

const manifest: Manifest = {
  apiVersion: 'extensions/v1beta1',
  kind: 'Deployment',
  metadata: { name: 'shop' },
  spec: { replicas: 1 },
};

function contextWith(
  answer: (method: string, path: string) => unknown,
  undeployed: Manifest | undefined = manifest,
): { context: StepContext; asked: string[]; live: ReturnType<typeof createLiveState> } {
  const asked: string[] = [];
  const live = createLiveState();
  const json = async (method: string, path: string) => {
    asked.push(`${method} ${path}`);
    return answer(method, path);
  };
  const context = {
    kube: { json } as unknown as Kube,
    namespace: 'ns',
    workload: { kind: 'Deployment', name: 'shop', container: 'shop' },
    undeployed,
    state: live,
    signal: new AbortController().signal,
  } as unknown as StepContext;
  return { context, asked, live };
}
const run = (step: Record<string, unknown>, context: StepContext) =>
  runStep(stepSchema.parse(step) as Step, context);
const refuse = (status: number, message: string) => () => {
  throw new ApiError(status, '', message);
};
async function thrown(act: Promise<unknown>): Promise<unknown> {
  try {
    await act;
  } catch (error) {
    return error;
  }
  return undefined;
}

test('deploy creates the workload where its own API version says', async () => {
  const { context, asked } = contextWith(() => ({}));
  const detail = await run({ step: 'deploy' }, context);
  assert.equal(asked, ['POST /apis/extensions/v1beta1/namespaces/ns/deployments']);
  assert.is(detail.created, true);
});

test('a refusal that is expected is recorded with the server’s words; other words are told apart', async () => {
  const { context } = contextWith(refuse(404, '404 page not found'));
  const path = '/apis/extensions/v1beta1/namespaces/ns/deployments';
  const refused = { path, refused: true, status: 404, message: '404 page not found' };
  assert.equal(await run({ step: 'deploy', refusedWith: 'page not' }, context), {
    ...refused,
    asExpected: true,
  });
  assert.equal(await run({ step: 'deploy', refusedWith: 'selector' }, context), {
    ...refused,
    asExpected: false,
  });
});

const faults: readonly [string, Record<string, unknown>, () => unknown, Manifest | undefined, RegExp][] = [
  [
    'a refusal that nobody expects',
    { step: 'deploy' },
    refuse(422, 'Required value'),
    manifest,
    /Required value/,
  ],
  [
    'an acceptance where a refusal is due',
    { step: 'deploy', refusedWith: 'no' },
    () => ({}),
    manifest,
    /Step deploy: the API server took what it should refuse with "no"/,
  ],
  [
    'a workload that is there already',
    { step: 'deploy' },
    () => ({}),
    undefined,
    /needs target\.deployed: false/,
  ],
  [
    'a change that is taken although it should not',
    { step: 'expect-refusal', patch: {}, message: 'may not' },
    () => ({}),
    manifest,
    /Step expect-refusal: the API server took what it should refuse with "may not"/,
  ],
];
for (const [name, step, answer, undeployed, expected] of faults) {
  test(`a fault: ${name}`, async () => {
    const { context } = contextWith(answer);
    const error = await thrown(run(step, { ...context, undeployed }));
    assert.instance(error, Error);
    assert.match((error as Error).message, expected);
    if (!(error instanceof ApiError)) assert.instance(error, FaultError);
  });
}

test('fields are read as text, and what is not there is said', async () => {
  const object = { spec: { containers: [{ policy: 'Always', ports: [80] }], replicas: 0 } };
  const { context, asked } = contextWith(() => object);
  const fields = {
    policy: 'spec.containers.0.policy',
    ports: 'spec.containers.0.ports',
    replicas: 'spec.replicas',
    missing: 'spec.containers.1.policy',
  };
  assert.equal(await run({ step: 'read-fields', fields }, context), {
    policy: 'Always',
    ports: '[80]',
    replicas: '0',
    missing: '(none)',
  });
  await run({ step: 'read-fields', kind: 'Service', name: 'web', fields: {} }, context);
  assert.equal(asked, [
    'GET /apis/apps/v1/namespaces/ns/deployments/shop',
    'GET /api/v1/namespaces/ns/services/web',
  ]);
});

const podOf = (role: string, fields: Partial<PodFacts>): PodFacts => ({
  kind: 'Pod',
  role,
  phase: 'Running',
  ready: true,
  terminating: false,
  containers: [],
  conditions: [],
  ...fields,
});
test('waits count the target’s pods, or those beside it', async () => {
  const { context, live } = contextWith(() => ({}));
  live.update('ADDED', 'web', podOf('target', { ready: false }));
  live.update('ADDED', 'cache', podOf('beside', {}));
  live.update('ADDED', 'old', podOf('beside', { terminating: true }));
  const waits = { step: 'wait', limitMs: 50 };
  const table: readonly [Record<string, unknown>, boolean][] = [
    [{ for: 'ready', atLeast: 1 }, false],
    [{ for: 'ready', of: 'beside', atLeast: 1, atMost: 1 }, true],
    [{ for: 'replicas', of: 'beside', atMost: 1 }, true],
    [{ for: 'no-terminating' }, true],
    [{ for: 'no-terminating', of: 'beside' }, false],
  ];
  for (const [step, ends] of table) {
    const error = await thrown(run({ ...waits, ...step }, context));
    assert.is(error === undefined, ends, JSON.stringify(step));
    if (!ends && step.of) assert.match((error as Error).message, /beside the target/);
  }
});

test.run();
