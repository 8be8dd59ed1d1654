import * as assert from 'uvu/assert';
import type { LostRun } from '../../harness/journal/streams.ts';
import { apportion, lossRate } from '../../harness/judge/statistics.ts';
import { longestOutage, lossWindows } from '../../harness/judge/windows.ts';
import { suite } from '../suite.ts';

const test = suite('judge: intervals and statistics');

const run = (startMs: number, endMs: number, lost: number, agent = 'a'): LostRun => ({
  startMs,
  endMs,
  lost,
  agent,
});

test('windows: a gap of at least 1 s between two lost attempts starts another', () => {
  const table: [string, LostRun[], number, [number, number, number][]][] = [
    ['nothing lost', [], 5, []],
    ['one attempt', [run(100, 105, 1)], 5, [[100, 105, 1]]],
    ['one run', [run(100, 200, 20)], 5, [[100, 200, 20]]],
    ['two runs close together', [run(0, 100, 20), run(500, 505, 1)], 5, [[0, 505, 21]]],
    ['gap of 999 ms: 1094 − 95', [run(0, 100, 20), run(1094, 1100, 1)], 5, [[0, 1100, 21]]],
    [
      'gap of exactly 1 s',
      [run(0, 100, 20), run(1095, 1100, 1)],
      5,
      [
        [0, 100, 20],
        [1095, 1100, 1],
      ],
    ],
    [
      'a run of one ends where it starts',
      [run(0, 900, 1), run(1000, 1005, 1)],
      5,
      [
        [0, 900, 1],
        [1000, 1005, 1],
      ],
    ],
    ['runs out of order', [run(500, 505, 1), run(0, 100, 20)], 5, [[0, 505, 21]]],
    ['runs of two agents overlap', [run(0, 300, 30), run(100, 200, 10, 'b')], 5, [[0, 300, 40]]],
    ['rates below one per second: a run is one window however long', [run(0, 9000, 3)], 3000, [[0, 9000, 3]]],
  ];
  for (const [name, runs, spacingMs, expected] of table) {
    const windows = lossWindows(runs, spacingMs);
    assert.equal(
      windows.map((window) => [window.startMs, window.endMs, window.lost]),
      expected,
      name,
    );
  }
});

test('longest outage: from a lost attempt to the next success, of any agent', () => {
  const table: [string, LostRun[], number, number][] = [
    ['nothing lost', [], 1, 0],
    ['one agent: its longest run', [run(0, 100, 20), run(500, 750, 50)], 1, 250],
    ['two agents: where both lost', [run(0, 300, 30), run(100, 200, 10, 'b')], 2, 100],
    ['two agents: only one lost, the other succeeded meanwhile', [run(0, 300, 30)], 2, 5],
    ['two agents: runs that only touch', [run(0, 100, 10), run(100, 200, 10, 'b')], 2, 5],
    ['three agents, one of which succeeded', [run(0, 300, 30), run(0, 300, 30, 'b')], 3, 5],
    ['two agents, two overlaps', [run(0, 300, 3), run(50, 100, 1, 'b'), run(200, 290, 1, 'b')], 2, 90],
  ];
  for (const [name, runs, agents, expected] of table)
    assert.is(longestOutage(runs, agents, 5), expected, name);
});

test('loss rate: Wilson interval, and the rule of three when nothing was lost', () => {
  const table: [number, number, number, number, number][] = [
    [0, 6000, 0, 0, 0.0005],
    [0, 0, 0, 0, 1],
    [0, 2, 0, 0, 1],
    [10, 100, 0.1, 0.0552, 0.1744],
    [1, 6000, 1 / 6000, 0.0000294, 0.000943],
    [5, 5, 1, 0.5655, 1],
  ];
  for (const [lost, attempts, share, low, high] of table) {
    const rate = lossRate(lost, attempts);
    const name = `${lost} of ${attempts}`;
    assert.ok(Math.abs(rate.share - share) < 1e-9, `${name}: share ${rate.share}`);
    assert.ok(Math.abs(rate.low95 - low) < 1e-4, `${name}: low ${rate.low95}`);
    assert.ok(Math.abs(rate.high95 - high) < 1e-4, `${name}: high ${rate.high95}`);
  }
});

test('parts add up exactly, whatever the weights', () => {
  const table: [number, number[], number[]][] = [
    [10, [1, 1, 1], [4, 3, 3]],
    [1, [0.5, 0.5], [1, 0]],
    [7, [2, 5], [2, 5]],
    [0, [1, 2], [0, 0]],
    [5, [0, 0], [0, 0]],
    [100, [0.1 * 3, 0.3], [50, 50]],
    [3, [1 / 3 + 1 / 3 + 1 / 3, 2], [1, 2]],
  ];
  for (const [total, weights, expected] of table)
    assert.equal(apportion(total, weights), expected, `${total} by ${weights}`);
});

test.run();
