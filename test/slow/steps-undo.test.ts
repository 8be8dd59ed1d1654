// Steps that change what must be put back: in which order, on which way out, and what of somebody else's stays.
import { readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { ApiError } from '../../harness/kube/api-error.ts';
import type { Kube } from '../../harness/kube/client.ts';
import type { RequestOptions } from '../../harness/kube/request-options.ts';
import { FaultError, InterruptedError } from '../../harness/model/errors.ts';
import type { Facts, PodFacts } from '../../harness/model/facts.ts';
import { type Step, stepSchema } from '../../harness/model/scenario.ts';
import { createLiveState } from '../../harness/record/live.ts';
import type { StepContext } from '../../harness/steps/context.ts';
import { runStep } from '../../harness/steps/index.ts';
import { suite } from '../suite.ts';

const test = suite('steps: undo');

/** A cluster of two nodes, whose state is what the steps change; `fails`: what is answered with an error. */
function world(cordoned: readonly string[] = []) {
  const nodes = new Map(['admin', 'ours'].map((name) => [name, cordoned.includes(name)]));
  const did: string[] = [];
  const evictions: number[] = [];
  let patchFails: Error | undefined;
  const controller = new AbortController();
  const live = createLiveState();
  for (const [name, unschedulable] of nodes) {
    live.update('ADDED', name, { kind: 'Node', ready: true, unschedulable } as unknown as Facts);
  }
  live.update('ADDED', 'web-1', {
    kind: 'Pod',
    role: 'target',
    node: 'ours',
    ready: true,
    terminating: false,
    containers: [],
  } as unknown as PodFacts);
  const kubeNamed = (who: string): Kube =>
    ({
      async json(method: string, path: string, options: RequestOptions = {}) {
        if (who === 'step') controller.signal.throwIfAborted();
        const name = path.split('/').at(-1) ?? '';
        if (method === 'GET') return { spec: { unschedulable: nodes.get(name) } };
        const { spec } = options.body as { spec: { unschedulable: boolean | null } };
        did.push(`${who}: ${spec.unschedulable ? 'cordon' : 'uncordon'} ${name}`);
        // What fails may have been done all the same.
        nodes.set(name, spec.unschedulable === true);
        if (patchFails && who === 'step') throw patchFails;
        return {};
      },
      async raw() {
        if (who === 'step') controller.signal.throwIfAborted();
        return { status: evictions.shift() ?? 201, text: 'the budget' };
      },
    }) as unknown as Kube;
  const undos: { what: string; undo: (kube: Kube) => Promise<void> }[] = [];
  const context = {
    kube: kubeNamed('step'),
    namespace: 'ns',
    workload: { kind: 'Deployment', name: 'shop', container: 'shop' },
    state: live,
    signal: controller.signal,
    defer(what: string, undo: (kube: Kube) => Promise<void>) {
      did.push(`register ${what}`);
      undos.push({ what, undo });
    },
    async delayProxy(ms: number) {
      did.push(`delay ${ms}`);
    },
  } as unknown as StepContext;
  return {
    context,
    did,
    nodes,
    evictions,
    controller,
    failPatches: (error: Error) => {
      patchFails = error;
    },
    run: (step: Record<string, unknown>) => runStep(stepSchema.parse(step) as Step, context),
    /** As an experiment's end does it. */
    async end() {
      controller.abort(new InterruptedError());
      for (const { undo } of undos.toReversed()) await undo(kubeNamed('undo'));
    },
  };
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

test('a drained node is uncordoned at the end, registered before it is cordoned', async () => {
  const { run, did, end } = world();
  await run({ step: 'drain-node' });
  await end();
  assert.equal(did, ['register uncordon node ours', 'step: cordon ours', 'undo: uncordon ours']);
});

test('a cordon whose answer is lost is undone, too', async () => {
  const { run, nodes, end, failPatches } = world();
  failPatches(new FaultError('API server: PATCH: socket hang up.'));
  assert.match((await failure(run({ step: 'drain-node' }))).message, /could not be cordoned/);
  await end();
  assert.is(nodes.get('ours'), false);
});

test('a node that somebody else has cordoned stays so: at the step uncordon and at the end', async () => {
  const { run, nodes, end } = world(['admin']);
  await run({ step: 'drain-node' });
  assert.equal(await run({ step: 'uncordon' }), { nodes: ['ours'] });
  assert.equal(
    [...nodes],
    [
      ['admin', true],
      ['ours', false],
    ],
  );
  await end();
  assert.is(nodes.get('admin'), true);
  const found = world(['admin', 'ours']);
  assert.is((await found.run({ step: 'drain-node' })).cordonedBefore, true);
  assert.equal(await found.run({ step: 'uncordon' }), { nodes: [] });
  await found.end();
  assert.equal([...found.nodes.values()], [true, true]);
  assert.equal(found.did, [], 'nothing was changed');
});

test('uncordoned by a step, a node that somebody cordons afterwards is left as it is', async () => {
  const { run, nodes, end } = world();
  await run({ step: 'drain-node' });
  await run({ step: 'uncordon' });
  nodes.set('ours', true);
  await end();
  assert.is(nodes.get('ours'), true);
});

test('a step that is at work when the experiment ends does nothing more', async () => {
  const { run, evictions, controller, nodes, did, end } = world();
  evictions.push(...Array.from({ length: 100 }, () => 429));
  const draining = run({ step: 'drain-node', timeoutMs: 60_000 });
  setTimeout(() => controller.abort(new InterruptedError()), 50);
  assert.instance(await failure(draining), InterruptedError);
  await end();
  const asked = evictions.length;
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.is(evictions.length, asked);
  assert.is(nodes.get('ours'), false);
  assert.instance(await failure(run({ step: 'drain-node' })), InterruptedError);
  assert.is(did.at(-1), 'undo: uncordon ours', 'and no step begins');
});

test('a budget that lets no pod go is a result; another refusal is a fault at once', async () => {
  const blocked = world();
  blocked.evictions.push(...Array.from({ length: 100 }, () => 429));
  const detail = await blocked.run({ step: 'drain-node', timeoutMs: 100 });
  assert.is(detail.blocked, 'web-1');
  // Asked again until the limit: how often is a matter of time.
  assert.ok(
    Number(detail.refusals) >= 1 && Number(detail.refusals) === 100 - blocked.evictions.length,
    `${detail.refusals}`,
  );
  const forbidden = world();
  forbidden.evictions.push(403);
  const error = await failure(forbidden.run({ step: 'drain-node', timeoutMs: 60_000 }));
  assert.match(error.message, /^Waited for pod web-1 to be evicted: it was answered 403: the budget\.$/);
});

test('routing that lags: registered first, restored by the step or at the end', async () => {
  const { run, did, end } = world();
  await run({ step: 'proxy-delay', delayMs: 500 });
  await run({ step: 'proxy-delay', delayMs: 0 });
  await end();
  assert.equal(did, ['register restore routing updates', 'delay 500', 'delay 0', 'delay 0']);
});

test('once the experiment has ended no change is begun, and no undo of one registered', async () => {
  for (const step of [{ step: 'drain-node' }, { step: 'proxy-delay', delayMs: 500 }]) {
    const { run, did, controller } = world();
    controller.abort(new InterruptedError());
    assert.instance(await failure(run(step)), InterruptedError, step.step);
    assert.equal(did, [], step.step);
  }
});

test('steps register an undo by undoable.ts alone, which does it first', () => {
  const folder = new URL('../../harness/steps/', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  assert.ok(files.length > 10);
  const past = files.filter(
    (name) => name !== 'undoable.ts' && /\.defer\(/.test(readFileSync(new URL(name, folder), 'utf8')),
  );
  assert.equal(past, []);
});

test('what the API server says when it refuses is told', async () => {
  const { run, failPatches } = world();
  failPatches(new ApiError(403, 'Forbidden', 'nodes is forbidden'));
  assert.is(
    (await failure(run({ step: 'drain-node' }))).message,
    'Node ours could not be cordoned: nodes is forbidden.',
  );
});

test.run();
