import * as assert from 'uvu/assert';
import { BackOff } from '../../emulator/node/back-off.ts';
import { manualClock } from '../manual-clock.ts';
import { suite } from '../suite.ts';

const test = suite('kubelet back-off');

test('doubles from 10 s to 300 s', async () => {
  const clock = manualClock();
  const backOff = new BackOff(clock);
  const seen: number[] = [];
  for (let i = 0; i < 8; i++) {
    backOff.next('a', clock.now());
    seen.push(backOff.get('a') / 1000);
    await clock.advance(1000);
  }
  assert.equal(seen, [10, 20, 40, 80, 160, 300, 300, 300]);
});

test('counts from when the container ended', async () => {
  const clock = manualClock();
  const backOff = new BackOff(clock);
  assert.is(backOff.isInBackOffSince('a', 0), false, 'no failure yet: the first restart is free');
  backOff.next('a', 0);
  await clock.advance(9_999);
  assert.is(backOff.isInBackOffSince('a', 0), true);
  await clock.advance(1);
  assert.is(backOff.isInBackOffSince('a', 0), false);
  assert.is(backOff.isInBackOffSince('a', clock.now()), true, 'a container that ended just now waits again');
});

test('a run that outlives twice the longest back-off starts anew', async () => {
  const clock = manualClock();
  const backOff = new BackOff(clock);
  backOff.next('a', 0);
  backOff.next('a', 0);
  assert.is(backOff.get('a'), 20_000);
  await clock.advance(600_001);
  assert.is(backOff.isInBackOffSince('a', clock.now()), false);
  backOff.next('a', clock.now());
  assert.is(backOff.get('a'), 10_000);
});

test('a pull waits from its last failure; a pod takes its keys with it', async () => {
  const clock = manualClock();
  const backOff = new BackOff(clock);
  backOff.next('uid/pull/x', clock.now());
  assert.is(backOff.isInBackOffSinceUpdate('uid/pull/x'), true);
  await clock.advance(10_000);
  assert.is(backOff.isInBackOffSinceUpdate('uid/pull/x'), false);
  backOff.forget('uid/');
  assert.is(backOff.get('uid/pull/x'), 0);
});

test.run();
