import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { FaultError } from '../../harness/model/errors.ts';
import { Lifetime } from '../../harness/model/lifetime.ts';
import { suite } from '../suite.ts';

const test = suite('lifetime');

test('the end is abort, await, undo in reverse: nothing acts after its undo', async () => {
  const life = new Lifetime();
  const happened: string[] = [];
  life.defer('one', () => void happened.push('undo one'));
  const step = life.run('a step that heeds no signal', async () => {
    life.defer('two', () => void happened.push('undo two'));
    await sleep(60);
    happened.push('acted');
  });
  life.fail(new FaultError('the agent died'));
  const error = await step.catch((reason: unknown) => reason);
  assert.is((error as Error).message, 'the agent died', 'whoever waits for the step is told at once');
  assert.equal(happened, []);
  assert.equal(await life.end(), []);
  assert.equal(happened, ['acted', 'undo two', 'undo one']);
});

test('one undo that fails or hangs does not skip the rest, and is told', async () => {
  const life = new Lifetime({ undoLimitMs: 40 });
  const undone: string[] = [];
  life.defer('first', () => void undone.push('first'));
  life.defer('hang', () => new Promise<void>(() => {}));
  life.defer('throw', () => {
    throw new Error('refused');
  });
  const troubles = await life.end();
  assert.equal(undone, ['first']);
  assert.equal(
    troubles.map(({ what, why }) => `${what}: ${why}`),
    ['throw: refused', 'hang: not done within 0.04 s'],
  );
});

test('what does not end is given up after the limit, named, and may register nothing any more', async () => {
  const life = new Lifetime({ settleLimitMs: 30 });
  let late: unknown;
  const hangs = life.run('drain node', async () => {
    await sleep(80);
    try {
      life.defer('uncordon', () => {});
    } catch (error) {
      late = error;
    }
  });
  hangs.catch(() => {});
  const [trouble] = await life.end();
  assert.is(trouble?.what, 'drain node');
  await sleep(80);
  assert.match(String(late), /after the end/);
  assert.is(await life.run('more', () => 1).catch(() => 'refused'), 'refused');
});

test('the first reason stands: a failure beside, a limit, the parent', async () => {
  const reasons: [string, (life: Lifetime, parent: AbortController) => void, string][] = [
    ['meanwhile', (life) => life.meanwhile('pull', () => Promise.reject(new Error('gap'))), 'gap'],
    ['limit', (life) => life.limit(5, new Error('too long')), 'too long'],
    ['parent', (_, parent) => parent.abort(new Error('Ctrl-C')), 'Ctrl-C'],
  ];
  for (const [name, act, expected] of reasons) {
    const parent = new AbortController();
    const life = new Lifetime({ parent: parent.signal });
    act(life, parent);
    await life.run('wait', (signal) => sleep(1000, undefined, { signal })).catch(() => {});
    life.fail(new Error('a later one'));
    assert.is((life.signal.reason as Error).message, expected, name);
    await life.end();
  }
});

test.run();
