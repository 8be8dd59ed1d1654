// What the judge makes of lives of open streams, of answers by pod and of certificates.
import * as assert from 'uvu/assert';
import { createAuthority } from '../../emulator/index.ts';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import { judgeOpenStreams } from '../../harness/judge/open-streams.ts';
import type { StreamLife } from '../../harness/model/load.ts';
import { withCertificates } from '../../harness/run/experiment/certificates.ts';
import { tlsRollout } from '../../scenarios/protocols.ts';
import { JournalBuilder } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: streams');

const life = (endedMs: number, backMs: number | null, more: Partial<StreamLife> = {}): StreamLife => ({
  stream: 0,
  openedMs: 0,
  endedMs,
  end: 'cut',
  code: 'FIN',
  messages: 1,
  backMs,
  ...more,
});

test('how streams ended, after how long they were back, and the storm', () => {
  const result = judgeOpenStreams(60, [
    life(1000, 50, { pod: 'a' }),
    life(1100, 100, { pod: 'a' }),
    life(1900, 400, { pod: 'b', end: 'ended', code: '1001' }),
    life(9000, null),
    life(12_000, null, { end: 'held', code: 'END_OF_LOAD' }),
  ]);
  assert.equal(result.ends, [
    { how: 'cut', code: 'FIN', count: 3 },
    { how: 'ended', code: '1001', count: 1 },
  ]);
  assert.equal(result.back, { p50Ms: 100, p90Ms: 400, maxMs: 400 });
  assert.is(result.notBack, 1);
  // 1,050 and 1,200 are within a second, 2,300 is not.
  assert.equal(result.storm, { perSecond: 2, atMs: 1050 });
  assert.equal(result.endedByPod, { a: 2, b: 1, '': 1 });
  const quiet = judgeOpenStreams(3, [life(5000, null, { end: 'held' })]);
  assert.equal([quiet.ends, quiet.back, quiet.notBack, quiet.storm], [[], null, 0, null]);
});

const pinned = async (answeredBy: (dueMs: number) => string) => {
  const journal = new JournalBuilder({ replicas: 2 });
  journal.lane('kept', { ratePerSecond: 100, durationMs: 20_000, answeredBy });
  journal.step(4000, { step: 'scale', replicas: 4 });
  return judgeExperiment(await readJournal(journal.lines()));
};
const old = (dueMs: number) => (Math.floor(dueMs / 10) % 2 ? 'a' : 'b');

test('pods that come get nothing while clients keep their connections', async () => {
  const { lanes, measures } = await pinned(old);
  assert.equal(
    lanes.kept?.podShares?.pods.map(({ came }) => came),
    [false, false],
  );
  assert.is(measures['kept.newPodsShare'], 0);
  assert.is(measures['kept.newPodsShareAfterMs'], undefined);
});

test('their share at the end, and when they had half of an even one', async () => {
  const { lanes, measures } = await pinned((dueMs) =>
    dueMs < 10_000 ? old(dueMs) : (['a', 'b', 'c', 'd'][Math.floor(dueMs / 10) % 4] ?? ''),
  );
  assert.is(measures['kept.newPodsShare'], 0.5);
  const after = measures['kept.newPodsShareAfterMs'] as number;
  assert.ok(after >= 5000 && after <= 6000, `${after}`);
  assert.equal(
    lanes.kept?.podShares?.pods.map(({ came }) => came),
    [false, false, true, true],
  );
});

test('certificates stand in place of their words, and nowhere else', () => {
  const { full } = tlsRollout;
  const filled = withCertificates(full, createAuthority, Date.parse('2026-06-01T00:00:00Z'));
  const text = JSON.stringify(filled.target.extra);
  assert.is(text.match(/BEGIN CERTIFICATE/g)?.length, 2);
  assert.is(text.match(/PRIVATE KEY-----\\n/g)?.length, 4, 'a begin and an end each');
  assert.not.match(text, /\{(key|certificate):/);
  assert.match(filled.load[0]?.tls?.ca ?? '', /BEGIN CERTIFICATE/);
  assert.is(filled.load[0]?.tls?.serverName, 'target.test');
  // What is recorded keeps the words.
  assert.not.match(JSON.stringify(full), /BEGIN/);
  assert.equal(filled.claims, full.claims);
});

test.run();
