import * as assert from 'uvu/assert';
import { BoundedFrequencyRunner } from '../../emulator/proxy/bounded-frequency.ts';
import { manualClock } from '../manual-clock.ts';
import { suite } from '../suite.ts';

const test = suite('bounded frequency');
const RUN_MS = 50;
const fail = (text: string) => {
  throw new Error(text);
};

const cases: readonly [string, readonly number[], readonly number[]][] = [
  ['the first change at once', [100], [100]],
  ['later ones a second after the run before has finished', [100, 200, 300], [100, 1150]],
  ['after a quiet second at once again', [100, 2000], [100, 2000]],
  ['a change during a run gets a run of its own', [100, 120], [100, 1150]],
  ['many changes, one run a second', [0, 400, 800, 1200, 1600, 2000], [0, 1050, 2100]],
];
for (const [name, changes, expected] of cases) {
  test(name, async () => {
    const clock = manualClock();
    const runs: number[] = [];
    const runner = new BoundedFrequencyRunner(
      clock,
      1000,
      async () => {
        runs.push(clock.now());
        await new Promise<void>((resolve) => clock.after(RUN_MS, resolve));
      },
      fail,
    );
    for (const at of changes) clock.after(at, () => runner.request());
    await clock.advance(5000);
    runner.close();
    assert.equal(runs, expected);
  });
}

test('closed: no run any more', async () => {
  const clock = manualClock();
  let runs = 0;
  const runner = new BoundedFrequencyRunner(clock, 1000, async () => void runs++, fail);
  runner.request();
  runner.close();
  await clock.advance(3000);
  assert.is(runs, 0);
});

test('a run that fails is told, and the next change gets its run', async () => {
  const clock = manualClock();
  const told: string[] = [];
  let runs = 0;
  const runner = new BoundedFrequencyRunner(
    clock,
    1000,
    async () => {
      if (++runs === 1) throw new Error('no table');
    },
    (text) => told.push(text),
  );
  runner.request();
  await clock.advance(100);
  runner.request();
  await clock.advance(3000);
  runner.close();
  assert.is(runs, 2);
  assert.is(told.length, 1);
  assert.match(told[0] as string, 'no table');
});

test.run();
