import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { ApiError, AWAY_AFTER_MS, NoAnswerError } from '../../harness/kube/api-error.ts';
import { HopelessError, type Look, untilDone, type Waiting, waitFor } from '../../harness/kube/wait.ts';
import { FaultError, InterruptedError } from '../../harness/model/errors.ts';
import { suite } from '../suite.ts';

const test = suite('the one wait');

const waiting = (over: Partial<Waiting> = {}): Waiting => ({
  what: 'Deployment web to be there',
  limitMs: 300,
  everyMs: 5,
  signal: untilDone,
  ...over,
});

/** Looks that find one thing after the other, the last one for ever. */
function looks<T>(...found: (Look<T> | Error)[]) {
  let made = 0;
  const look = (): Look<T> => {
    const now = found[Math.min(made++, found.length - 1)];
    if (now instanceof Error) throw now;
    return now as Look<T>;
  };
  return { look, made: () => made };
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

test('a look that fails is not yet', async () => {
  const notYet = [
    new FaultError('API server: GET /x: connect ECONNREFUSED.'),
    new ApiError(404, 'NotFound', 'not found'),
    new ApiError(409, 'Conflict', 'changed meanwhile'),
    new ApiError(429, 'TooManyRequests', 'later'),
    new ApiError(500, 'InternalError', 'etcd'),
    new ApiError(503, 'ServiceUnavailable', 'starting'),
    new TypeError('fetch failed', { cause: new Error('ECONNRESET') }),
    new SyntaxError('Unexpected token < in JSON'),
  ];
  for (const error of notYet) {
    const { look, made } = looks<string>(error, error, { met: 'there' });
    assert.is(await waitFor(waiting(), look), 'there');
    assert.is(made(), 3, error.message);
  }
});

test('an API server that restarts is waited for; one that is away ends the wait', async () => {
  const silent = (ms: number) => new NoAnswerError('GET /x', 'connect ECONNREFUSED', ms);
  assert.is(await waitFor(waiting(), looks<string>(silent(AWAY_AFTER_MS), { met: 'there' }).look), 'there');
  const { look, made } = looks<string>({ seen: 'nothing' }, silent(AWAY_AFTER_MS + 1000), { met: 'there' });
  assert.is(
    (await failure(waitFor(waiting(), look))).message,
    'Waited for Deployment web to be there: the API server has not answered for 21 s (connect ECONNREFUSED).',
  );
  assert.is(made(), 2);
});

test('a failure that stands ends the wait at once', async () => {
  const final = [
    new ApiError(403, 'Forbidden', 'pods is forbidden'),
    new ApiError(401, 'Unauthorized', 'Unauthorized'),
    new ApiError(422, 'Invalid', 'wrong'),
    new TypeError('x is not a function'),
    new InterruptedError(),
  ];
  for (const error of final) {
    const { look, made } = looks<string>(error);
    const thrown = await failure(waitFor(waiting({ limitMs: 60_000 }), look));
    if (error instanceof ApiError) {
      assert.instance(thrown, FaultError);
      assert.is(thrown.cause, error);
    } else assert.is(thrown, error);
    assert.is(made(), 1);
  }
});

test('what is final can be said', async () => {
  const forbidden = new ApiError(403, 'Forbidden', 'the roles are not there yet');
  const { look } = looks<string>(forbidden, { met: 'there' });
  assert.is(await waitFor(waiting({ final: () => false }), look), 'there');
});

test('at the limit: what, how long, what was seen last, what to do', async () => {
  const cases: [(Look<never> | Error)[], string][] = [
    [[{ seen: 'no pod' }, { seen: 'pod web-1 Pending' }], 'Last seen: pod web-1 Pending.'],
    [
      [{ seen: 'pod web-1 Pending' }, new FaultError('API server: GET /pods: socket hang up.')],
      'Last seen: pod web-1 Pending; the last look failed: API server: GET /pods: socket hang up.',
    ],
    [[new FaultError('no route')], 'Last seen: the last look failed: no route.'],
    [[{ seen: '' }], 'Last seen: nothing.'],
  ];
  for (const [found, last] of cases) {
    const { look } = looks(...found);
    const error = await failure(waitFor(waiting({ limitMs: 40, hint: 'Look there.' }), look));
    assert.is(error.message, `Waited 0.04 s for Deployment web to be there. ${last} Look there.`);
    assert.instance(error, FaultError);
  }
});

test('what can never come ends at once, with its name', async () => {
  const { look } = looks<never>({ seen: 'no pod' }, new HopelessError('pod web-1: ImagePullBackOff'));
  const startedAt = performance.now();
  const error = await failure(waitFor(waiting({ limitMs: 60_000 }), look));
  assert.is(error.message, 'Waited for Deployment web to be there: pod web-1: ImagePullBackOff.');
  assert.ok(performance.now() - startedAt < 20_000);
});

test('a look that hangs is cut off, tried again, and told', async () => {
  let made = 0;
  const cut: boolean[] = [];
  const found = await waitFor(waiting({ limitMs: 5000, lookLimitMs: 30 }), (signal) => {
    if (++made === 3) return { met: made };
    return new Promise<never>(() => signal.addEventListener('abort', () => cut.push(true)));
  });
  assert.is(found, 3);
  assert.equal(cut, [true, true]);
  const error = await failure(
    waitFor(waiting({ limitMs: 60, lookLimitMs: 30 }), () => new Promise<never>(() => {})),
  );
  assert.match(
    error.message,
    /^Waited 0.06 s for .* Last seen: the last look failed: no answer within \d+ ms\.$/,
  );
});

test('the signal ends a look and a pause at once, with its reason', async () => {
  for (const look of [() => new Promise<never>(() => {}), () => ({ seen: 'nothing yet' })]) {
    const controller = new AbortController();
    const reason = new InterruptedError();
    setTimeout(() => controller.abort(reason), 20);
    const startedAt = performance.now();
    const pending = waitFor(
      waiting({ limitMs: 60_000, everyMs: 30_000, lookLimitMs: 30_000, signal: controller.signal }),
      look,
    );
    assert.is(await failure(pending), reason);
    assert.ok(performance.now() - startedAt < 20_000);
  }
  const { look, made } = looks({ met: 1 });
  await failure(waitFor(waiting({ signal: AbortSignal.abort() }), look));
  assert.is(made(), 0, 'nothing is looked at after the end');
});

test('no look begins after the limit, and none outlasts it', async () => {
  const first = performance.now();
  await failure(waitFor(waiting({ limitMs: 100, lookLimitMs: 60_000 }), () => new Promise<never>(() => {})));
  assert.ok(performance.now() - first < 20_000, 'nor the first one');
  let made = 0;
  const startedAt = performance.now();
  await failure(
    waitFor(waiting({ limitMs: 1000, everyMs: 5, lookLimitMs: 60_000 }), async () => {
      if (++made > 2) await sleep(60_000, undefined, { ref: false });
      return { seen: 'not yet' };
    }),
  );
  const lastedMs = performance.now() - startedAt;
  assert.is(made, 3);
  assert.ok(lastedMs > 900 && lastedMs < 20_000, `${lastedMs} ms`);
});

test.run();
