// A run that was cut off goes on in its folder, gated, as a user does it.
import { existsSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inTemporaryFolder, readResults, rollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('verify: gate, history, resume', { timeoutMs: 180_000 });

test('what is complete stays, what was cut off is measured again, and the gate names the line that was crossed', () =>
  inTemporaryFolder(async (folder) => {
    const run = join(folder, 'run');
    const history = ['--history', join(folder, 'history.ndjson')];
    const common = ['verify', '--cluster', 'embedded', '--scenario', 'image-change', '--rate', '50'];
    const first = await rollproof([...common, ...history, '--out', run]);
    assert.is(first.code, 0, first.stderr);
    const [baseline, hardened] = ['baseline', 'hardened'].map((name) =>
      join(run, 'journals', `image-change.${name}.ndjson`),
    ) as [string, string];
    const kept = readFileSync(baseline, 'utf8');
    // A run that is killed has written half of a journal and no seal.
    rmSync(join(run, 'seal.json'));
    truncateSync(hardened, Math.floor(statSync(hardened).size / 2));

    const gate = join(import.meta.dirname, '..', 'data', 'gate-baseline.yaml');
    const again = await rollproof([...common, ...history, '--gate', gate, '--resume', run]);
    assert.ok(/1 of 2 experiments are there; .*image-change\.hardened/.test(again.stderr), again.stderr);
    assert.is(readFileSync(baseline, 'utf8'), kept);
    assert.ok(existsSync(`${hardened}.cut-off`));
    assert.is(readResults(run).scenarios[0]?.verdict, 'proven');
    assert.is(again.code, 1, 'baseline crosses the gate, though the verdict is proven');
    assert.match(again.stdout, /✕ maxLost: image-change, baseline: lane new lost \d+ of .*allows 0/);
    assert.is(readFileSync(join(folder, 'history.ndjson'), 'utf8').trim().split('\n').length, 2);
  }));

test.run();
