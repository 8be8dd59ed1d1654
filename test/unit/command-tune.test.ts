import * as assert from 'uvu/assert';
import { candidateSeconds, graceCheck, isCutOff, routingOf } from '../../harness/run/tune-advice.ts';
import { experimentResult } from '../data/experiment-result.ts';
import { suite } from '../suite.ts';

const test = suite('command tune: what it concludes');

test('the shortest whole number of seconds with a margin of 0.25 s', () => {
  const table: [number, number][] = [
    [0, 1],
    [400, 1],
    [750, 1],
    [751, 2],
    [2900, 4],
    [3000, 4],
  ];
  for (const [lagMs, seconds] of table) assert.is(candidateSeconds(lagMs), seconds, `${lagMs} ms`);
});

test('a sleep that ended about when the connections did has hidden the later ones', () => {
  const table: [number, number, boolean][] = [
    [500, 8, false],
    [6900, 8, false],
    [7100, 8, true],
    [8400, 8, true],
  ];
  for (const [lagMs, seconds, cut] of table)
    assert.is(isCutOff({ lagMs, shutdownMs: 0 }, seconds), cut, `${lagMs} ms of ${seconds} s`);
});

test('routing and shutdown from the measures; unknown when no answer named its pod', () => {
  const measured = (measures: Record<string, number | string>) => ({
    ...experimentResult({ variant: 'hardened' }),
    measures,
  });
  const known = measured({ lastNewConnectionAfterDeletionMsMax: 1200, terminationMsMax: 10_500 });
  assert.equal(routingOf(known, 8), { lagMs: 1200, shutdownMs: 2500 });
  assert.is(routingOf(measured({ terminationMsMax: 10_500 }), 8), undefined);
  // The kernel sees connections to a pod that has stopped as well: a short sleep measures the same lag.
  const exact = routingOf({ ...known, routing: [] }, 1);
  assert.equal([exact?.exact, exact && isCutOff(exact, 1)], [true, false]);
});

test('sleep and shutdown must fit into the grace period', () => {
  const table: [string, number, number, number | undefined, boolean, RegExp][] = [
    ['well within the default', 2, 2100, undefined, true, /fits into the grace period of 30 s: preStop 2 s/],
    ['one second left', 5, 4000, 10, true, /^It fits/],
    [
      'as long as the period',
      6,
      4000,
      10,
      false,
      /^Warning: .*take 10 s.*terminationGracePeriodSeconds to 11/,
    ],
    ['the published example', 30, 500, 30, false, /take 31 s.*to 32/],
  ];
  for (const [name, preStop, shutdownMs, grace, fits, text] of table) {
    const check = graceCheck(preStop, shutdownMs, grace);
    assert.is(check.fits, fits, name);
    assert.match(check.text, text, name);
  }
});

test.run();
