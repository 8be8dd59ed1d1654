// The table that sets the emulated cluster beside a real one.
import * as assert from 'uvu/assert';
import type { Cause } from '../../harness/model/results.ts';
import { fidelityOf, fidelityText } from '../../scripts/fidelity-text.ts';
import { type ExperimentSaid, runResults } from '../data/experiment-result.ts';
import { suite } from '../suite.ts';

const test = suite('fidelity');

const real = (said: readonly ExperimentSaid[], scenario = 'image-change') => runResults(said, { scenario });
const emulated = (said: readonly ExperimentSaid[], change: Parameters<typeof runResults>[1] = {}) =>
  runResults(said, {
    ...change,
    cluster: { ...runResults([]).cluster, kind: 'embedded', emulated: true },
  });

const baseline = (lost: number, more: object = {}): ExperimentSaid => ({
  variant: 'baseline',
  lanes: { new: { lost, ...more } },
});

test('runs of one cluster are added up, invalid ones left out', () => {
  const { rows } = fidelityOf(
    [real([baseline(100)]), real([baseline(200), { ...baseline(5000), invalid: 'busy' }])],
    [emulated([baseline(120)])],
  );
  const [row] = rows;
  assert.is(rows.length, 1);
  assert.equal(row?.real, {
    runs: 2,
    attempts: 12_000,
    lost: 300,
    each: [100, 200],
    causes: [{ cause: 'routed-before-listening', lost: 300 }],
  });
  assert.is(row?.emulated.lost, 120);
  assert.is(row?.sameCauses, 'yes');
  assert.ok(row?.sameOrder);
  assert.is(row?.ratio?.toFixed(3), '0.800');
});

test('other causes, another order and another verdict are said', () => {
  const fidelity = fidelityOf(
    [real([baseline(100)])],
    [emulated([baseline(301, { cause: 'routed-after-stop' })], { verdict: 'unneeded' })],
  );
  assert.is(fidelity.rows[0]?.sameCauses, 'no');
  assert.not(fidelity.rows[0]?.sameOrder);
  assert.equal(fidelity.scenarios, [
    { name: 'image-change', real: 'proven, n = 1', emulated: 'unneeded, n = 1', same: false },
  ]);
  const text = fidelityText(fidelity, ['kind: x', 'embedded: y'], 'known');
  assert.match(
    text,
    /Same verdict: 0 of 1 scenarios\. Same causes: 0 of 1 lanes, within chance: 0\. Losses of the same order: 0 of 1 lanes\./,
  );
  assert.match(
    text,
    /\| image-change, baseline, new \| 100 of 6,000 \| 301 of 6,000 \| routed-before-listening 100 \| routed-after-stop 301 \| \*\*no\*\* \| \*\*no\*\* \(× 3\.0\)/,
  );
});

test('causes that so few losses may miss by chance are told from causes that differ', () => {
  const causes = (one: Partial<Record<Cause, number>>, other: Partial<Record<Cause, number>>) => {
    const lost = (counts: object) => Object.values(counts).reduce((sum, count) => sum + count, 0);
    return fidelityOf(
      [real([baseline(lost(one), { causes: one })])],
      [emulated([baseline(lost(other), { causes: other })])],
    ).rows[0]?.sameCauses;
  };
  const [early, late] = ['routed-before-listening', 'routed-after-stop'] as const;
  assert.is(causes({ [late]: 50, [early]: 3 }, { [late]: 50 }), 'within chance');
  assert.is(causes({ [late]: 500, [early]: 30 }, { [late]: 500 }), 'no');
  assert.is(causes({ [late]: 500, [early]: 27 }, { [late]: 500, [early]: 40 }), 'yes');
  assert.is(causes({ [late]: 2 }, {}), 'within chance');
  assert.is(causes({ [late]: 20 }, {}), 'no');
});

test('an inconclusive run does not make verdicts differ, nothing but inconclusive ones does', () => {
  const doubtful = emulated([baseline(1)], { verdict: 'inconclusive' });
  const proven = emulated([baseline(1)]);
  assert.ok(fidelityOf([real([baseline(1)])], [proven, doubtful]).scenarios[0]?.same);
  assert.not(fidelityOf([real([baseline(1)])], [doubtful]).scenarios[0]?.same);
});

test('none lost on one of them alone is not the same order', () => {
  const none = fidelityOf([real([baseline(0)])], [emulated([baseline(0)])]).rows[0];
  const one = fidelityOf([real([baseline(0)])], [emulated([baseline(1)])]).rows[0];
  assert.ok(none?.sameOrder);
  assert.not(one?.sameOrder);
});

test('what ran on one cluster only is left out', () => {
  const fidelity = fidelityOf([real([baseline(1)], 'node-drain')], [emulated([baseline(1)])]);
  assert.equal(fidelity, { scenarios: [], rows: [] });
});

test.run();
