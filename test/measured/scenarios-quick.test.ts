// A few short scenarios end to end on the embedded cluster, as a user runs them: their verdicts, and what they rest on.
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { ScenarioResult } from '../../harness/model/results.ts';
import { inTemporaryFolder, readResults, rollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('scenarios on embedded', { timeoutMs: 380_000 });

/** Short ones that need neither a long wait nor the cluster for themselves. */
const ids = ['scale-down', 'pod-delete', 'recreate', 'three-by-one'];

test(`${ids.join(', ')} are proven, side by side`, () =>
  inTemporaryFolder(async (folder) => {
    const verify = (out: string) =>
      rollproof(['verify', '--cluster', 'embedded', '--scenario', ids.join(','), '--out', out]);
    let out = join(folder, 'first');
    let { code, stdout, stderr } = await verify(out);
    if (code === 2) {
      // Inconclusive: this machine was too busy to measure.
      out = join(folder, 'second');
      ({ code, stdout, stderr } = await verify(out));
    }
    const { scenarios } = readResults(out);
    assert.is(code, 0, `${stdout}\n${stderr}`);
    assert.equal(
      scenarios.map(({ name, verdict }) => `${name} ${verdict}`),
      ids.map((id) => `${id} proven`),
    );
    const byName = new Map(scenarios.map((scenario) => [scenario.name, scenario]));
    assert.is(measure(byName.get('three-by-one'), 'readinessProbe+preStop', 'maxPodsNotTerminating'), 4);
    assert.is(measure(byName.get('recreate'), 'baseline', 'minReady'), 0);
    // Two were measured at the same time: each says so by its own pods alone.
    for (const variant of ['baseline', 'hardened'])
      assert.is(measure(byName.get('pod-delete'), variant, 'podsDeleted'), 1);
  }));

function measure(scenario: ScenarioResult | undefined, variant: string, name: string) {
  return scenario?.experiments.find((experiment) => experiment.variant === variant)?.measures[name];
}

test.run();
