import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { writePart } from '../../scripts/doc-part.ts';
import { readJunit } from '../../scripts/e2e/program.ts';
import { merged, readSeen, type Seen, tableOf, writeSeen } from '../../scripts/e2e/results.ts';
import { suite } from '../suite.ts';

const test = suite('scripts: e2e results');

const seen = (name: string, more: Partial<Seen> = {}): Seen => ({
  name,
  outcome: 'passed',
  seconds: 30,
  message: undefined,
  contentType: 'protobuf',
  isolation: 'auto',
  ...more,
});
const job = '[sig-apps] Job should run [Conformance] [sig-apps, Conformance]';
const rollout = '[sig-apps] Deployment should roll [Conformance] [sig-apps, Conformance]';

test('the newest outcome of a test counts, each way of running it for itself', () => {
  const before = [seen(job, { outcome: 'failed', message: 'late' }), seen(rollout, { isolation: 'none' })];
  const now = [seen(job), seen(rollout)];
  assert.equal(
    merged(before, now).map(({ name, outcome, isolation }) => [name, outcome, isolation]),
    [
      [job, 'passed', 'auto'],
      [rollout, 'passed', 'none'],
      [rollout, 'passed', 'auto'],
    ],
  );
});

test('the table: a row for each group and way, and what does not pass', () => {
  const failed = seen(job, { outcome: 'failed', message: 'a | bar', isolation: 'none' });
  assert.equal(tableOf([seen(rollout), seen(job), seen(job, { contentType: 'json' }), failed]).split('\n'), [
    '| group | pods | content type | passed | minutes |',
    '|---|---|---|---|---|',
    '| deployment | isolated | protobuf | 1 of 1 | 0.5 |',
    '| job | isolated | protobuf | 1 of 1 | 0.5 |',
    '| job | isolated | json | 1 of 1 | 0.5 |',
    '| job | processes | protobuf | 0 of 1 | 0.5 |',
    '',
    'Those that do not pass:',
    '',
    '| reason | pods | tests |',
    '|---|---|---|',
    '| not known yet: a \\| bar | processes | 1: [sig-apps] Job should run |',
  ]);
});

test('results and table in files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-e2e-results-'));
  try {
    const file = join(folder, 'results.json');
    assert.equal(readSeen(file), []);
    writeSeen(file, [seen(job)]);
    assert.is(readSeen(file)[0]?.name, job);
    writeFileSync(file, '{}');
    assert.throws(() => readSeen(file), /--results: .* is no file of earlier results/);
    const document = join(folder, 'page.md');
    writeFileSync(document, 'a\n<!-- e2e: written by npm run e2e -->\nold\n<!-- e2e: end -->\nb\n');
    writePart(document, 'e2e', 'new');
    assert.is(
      readFileSync(document, 'utf8'),
      'a\n<!-- e2e: written by npm run e2e -->\nnew\n<!-- e2e: end -->\nb\n',
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('of a report those that ran', () => {
  const xml = `<testsuite>
<testcase name="[It] [sig-apps] a &lt;b&gt; [x]" status="passed" time="1.5"></testcase>
<testcase name="[It] [sig-apps] c" status="failed" time="2"><failure message="&#xA;it broke&#xA;more">x</failure></testcase>
<testcase name="[It] [sig-apps] e" status="failed" time="2"><failure type="failed">[FAILED] it &lt;broke&gt;&#xA;In [It] at: x</failure></testcase>
<testcase name="[It] [sig-apps] d" status="skipped" time="0"><skipped message="no"></skipped></testcase>
<testcase name="[BeforeSuite]" status="passed" time="0"></testcase>
</testsuite>`;
  assert.equal(readJunit(xml), [
    { name: '[sig-apps] a <b> [x]', outcome: 'passed', seconds: 1.5, message: undefined },
    { name: '[sig-apps] c', outcome: 'failed', seconds: 2, message: 'it broke' },
    { name: '[sig-apps] e', outcome: 'failed', seconds: 2, message: 'it <broke>' },
  ]);
});

test.run();
