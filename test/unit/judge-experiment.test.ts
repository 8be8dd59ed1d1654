import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import { JournalBuilder, lossesBetween } from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: one experiment');

/** One new pod that is Ready as soon as it runs and listens 2 s later; one old pod that exits at once on SIGTERM. */
function imageChange() {
  const journal = new JournalBuilder({ variant: 'baseline' });
  for (const name of ['web-a', 'web-b', 'web-c']) journal.oldPod(name);
  journal.endpoints(-500, { 'web-a': 'ready', 'web-b': 'ready', 'web-c': 'ready' }).deployment(-400);
  journal.step(2000, { step: 'set-image', image: 'next' });
  journal.deployment(2010, { generation: 2, observedGeneration: 1 });
  journal
    .pod('web-new', { templateHash: 'bbb' })
    .created(2050)
    .runningReady(3000)
    .phase(3000, 'starting')
    .phase(5000, 'listening');
  journal.endpoints(3020, { 'web-a': 'ready', 'web-b': 'ready', 'web-c': 'ready', 'web-new': 'ready' });
  journal.oldPod('web-a-dummy', { role: 'control' });
  return journal;
}

test('both classic causes, with shares that add up', async () => {
  const journal = imageChange();
  journal
    .pod('web-old')
    .runningReady(-1000)
    .phase(-900, 'listening')
    .terminating(8000)
    .phase(8050, 'sigterm')
    .phase(8051, 'closed')
    .ended(8400, 0)
    .deleted(9000);
  journal.endpoints(7000, { 'web-a': 'ready', 'web-b': 'ready', 'web-old': 'ready', 'web-new': 'ready' });
  journal.endpoints(8060, {
    'web-a': 'ready',
    'web-b': 'ready',
    'web-old': 'terminating',
    'web-new': 'ready',
  });
  journal.endpoints(8420, { 'web-a': 'ready', 'web-b': 'ready', 'web-new': 'ready' });
  journal.deployment(8500, { generation: 2, observedGeneration: 2 });
  journal.lane('new', {
    losses: [
      ...lossesBetween(3200, 4990, {}).filter((_, index) => index % 4 === 0),
      { dueMs: 8045, outcome: 'reset', endMs: 8052 },
      ...lossesBetween(8060, 8400, {}).filter((_, index) => index % 4 === 0),
      ...lossesBetween(8500, 9000, { outcome: 'timeout' }).filter((_, index) => index % 4 === 0),
    ],
  });
  journal.control();
  const result = judgeExperiment(await readJournal(journal.lines()));
  assert.equal(result.invalid, []);
  assert.is(result.valid, true);
  const lane = result.lanes.new;
  assert.is(lane?.windows.length, 2);
  const [first, second] = lane?.windows ?? [];
  assert.equal(
    first?.causes.map((share) => [share.cause, share.lost, share.pods, share.confidence]),
    [['routed-before-listening', 90, ['web-new'], 'high']],
  );
  assert.equal(
    second?.causes.map((share) => [share.cause, share.lost, share.pods, share.confidence]),
    [
      ['routed-after-stop', 42, ['web-old'], 'high'],
      ['killed-in-flight', 1, ['web-old'], 'high'],
    ],
  );
  assert.is(result.rollout.completedMs, 6500);
  assert.is(result.rollout.settledMs, 7000);
});

test.run();
