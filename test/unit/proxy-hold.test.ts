import * as assert from 'uvu/assert';
import { delayProxyOn } from '../../harness/cluster/kind/proxy-delay.ts';
import type { Program, startProgram } from '../../harness/exec/program.ts';
import type { Kube } from '../../harness/kube/client.ts';
import { FaultError } from '../../harness/model/errors.ts';
import { suite } from '../suite.ts';

const test = suite('the hold of kube-proxy');

/** `docker exec` that says `first` and ends when it is told to, or before. */
function world(first: string | undefined) {
  let end: (how: string) => void = () => {};
  let closed = 0;
  const ended = new Promise<Awaited<Program['ended']>>((resolve) => {
    end = (how) => resolve({ how, stdout: '', stderr: '' });
  });
  const start: typeof startProgram = (_file, _args, { onLine } = {}) => {
    if (first !== undefined) setImmediate(() => onLine?.(first));
    return {
      ended,
      write: () => {},
      kill: () => end('was ended by SIGKILL'),
      stop() {
        end('ended with 0');
        return ended;
      },
    };
  };
  const kube = {
    json: async () => ({ metadata: { resourceVersion: '1' }, items: [] }),
    watch: (_path: string, { signal }: { signal: AbortSignal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    close: () => closed++,
  } as unknown as Kube;
  return { start, kube, end: (how: string) => end(how), closed: () => closed };
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

test('a hold that is ended by us is no fault', async () => {
  const { start, kube, closed } = world('held');
  const delay = await delayProxyOn('node-1', 1000, kube, start);
  await delay.end();
  await delay.end();
  assert.is(closed(), 1);
});

test('a hold that ends by itself is told at the end: what was measured was not delayed', async () => {
  const { start, kube, end, closed } = world('held');
  const delay = await delayProxyOn('node-1', 1000, kube, start);
  end('ended with 137');
  await new Promise((resolve) => setImmediate(resolve));
  const error = await failure(delay.end());
  assert.instance(error, FaultError);
  assert.match(
    error.message,
    /^kube-proxy on node-1 was no longer held back after \d+\.\d s: what holds it ended with 137\. What was measured since then was not delayed/,
  );
  assert.is(closed(), 1);
});

test('a node without kube-proxy, and one whose hold does not begin', async () => {
  const none = world('none');
  assert.match((await failure(delayProxyOn('n', 1, none.kube, none.start))).message, /it does not run there/);
  assert.is(none.closed(), 1);
  const gone = world(undefined);
  gone.end('ended with 126');
  assert.match((await failure(delayProxyOn('n', 1, gone.kube, gone.start))).message, /ended with 126/);
});

test.run();
