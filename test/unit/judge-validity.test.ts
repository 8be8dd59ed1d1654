import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import type { ExperimentResult } from '../../harness/model/results.ts';
import {
  type BuilderOptions,
  JournalBuilder,
  lossesBetween,
  type StreamOptions,
} from '../data/journal-builder.ts';
import { suite } from '../suite.ts';

const test = suite('judge: is the measurement good enough?');

interface Case {
  readonly options?: BuilderOptions;
  readonly lane?: StreamOptions;
  readonly setup?: (journal: JournalBuilder) => void;
  readonly status?: ExperimentResult['status'];
  /** None: valid. */
  readonly invalid: readonly RegExp[];
  /** It is not valid for a reason that another run would have too. */
  readonly lasting?: true;
}

const table: Readonly<Record<string, Case>> = {
  'a good measurement': { setup: (journal) => journal.control(), invalid: [] },
  'without a control target': { invalid: [] },
  'the experiment failed': {
    setup: (journal) => journal.ends({ status: 'faulted', reason: 'the rollout did not complete' }),
    status: 'faulted',
    invalid: [/^The experiment failed: the rollout did not complete\.$/],
  },
  interrupted: {
    setup: (journal) => journal.ends({ status: 'interrupted', reason: 'Ctrl-C' }),
    status: 'interrupted',
    invalid: [/^Interrupted before its end \(Ctrl-C\); run it again\.$/],
  },
  'a fault that was noted': {
    setup: (journal) =>
      journal.record(3000, { type: 'note', t: 0, level: 'fault', text: 'Could not restore routing' }),
    status: 'faulted',
    invalid: [/^Could not restore routing\.$/],
  },
  'a warning that was noted': {
    setup: (journal) => journal.record(3000, { type: 'note', t: 0, level: 'warning', text: 'slow' }),
    invalid: [],
  },
  'a recorded frame gap': {
    options: { lostFrames: { fromSeq: 4, toSeq: 5 } },
    status: 'faulted',
    invalid: [/Frames 4 to 5 of agent agent-0 are missing.*lower the rate/],
  },
  'the agent found a broken identity': {
    lane: { breakEnd: (end) => ({ ...end, brokenIdentities: ['autocannon counted 3 more'] }) },
    status: 'faulted',
    invalid: [/autocannon counted 3 more/],
  },
  'a path that no request is answered at': {
    lane: { losses: lossesBetween(0, 60_000, { outcome: 'http4xx', status: 401 }) },
    invalid: [
      /^Not one of \d+ requests of stream new was answered as expected, .*\d+ got a status from 300 to 499/,
    ],
    lasting: true,
  },
  'a path that is there again once the change is over': {
    lane: { losses: lossesBetween(0, 9000, { outcome: 'http4xx', status: 404 }) },
    invalid: [],
  },
  'no totals of the only agent': {
    setup: (journal) => journal.without('stream-end'),
    status: 'faulted',
    invalid: [/totals of 0 agents instead of 1/],
  },
  truncated: {
    setup: (journal) => journal.ends({ truncated: true }),
    invalid: [/size bound.*Shorten the experiment/],
    lasting: true,
  },
  'a watch that lost events': {
    setup: (journal) =>
      journal.record(4000, {
        type: 'watch-gap',
        t: 0,
        kind: 'Pod',
        fromT: 4700,
        lost: true,
        reason: '410 Gone',
      }),
    invalid: [/The watch on Pod missed events between 3\.20 s and 4\.00 s \(410 Gone\)/],
  },
  'a watch that went on from where it was': {
    setup: (journal) =>
      journal.record(4000, {
        type: 'watch-gap',
        t: 0,
        kind: 'Pod',
        fromT: 4700,
        lost: false,
        reason: 'closed',
      }),
    invalid: [],
  },
  'no clock': {
    setup: (journal) => journal.without('clock'),
    invalid: [/clock of agent agent-0 was never compared/],
  },
  'clocks that are not known well': {
    options: { clockErrorMs: 180 },
    invalid: [/known to ±180 ms only \(limit 100 ms\)/],
  },
  'a clock that moved': {
    setup: (journal) =>
      journal.record(19_000, { type: 'clock', t: 0, agent: 'agent-0', offsetMs: 1900, errorMs: 2 }),
    invalid: [/clock of agent agent-0 moved by 396 ms more than its error/],
  },
  'no attempt at all': {
    lane: { durationMs: 0 },
    invalid: [/Stream new made no attempt/],
    lasting: true,
  },
  'load that began after the first step': {
    setup: (journal) => journal.step(-300, { step: 'pause' }),
    invalid: [/The first step began 0\.30 s before the load\. Raise warmUpMs/],
    lasting: true,
  },
  'a step that failed': {
    setup: (journal) =>
      journal.step(3000, { step: 'resume' }).failedStep(4000, { step: 'pause' }, 'the Deployment is gone'),
    invalid: [
      /^Step 2 \(pause\) failed at 4\.00 s: the Deployment is gone\. Repair what it names and run it again\.$/,
    ],
    lasting: true,
  },
  'load that ended while a pod was terminating': {
    setup: (journal) => journal.pod('old').runningReady(-1000).terminating(19_500).deleted(20_050),
    invalid: [/ended while 1 pod\(s\) were still terminating \(old\)/],
    lasting: true,
  },
  'sent too late, p99': {
    lane: { sendLagMs: { p99: 290 } },
    invalid: [/Stream new sent its requests late: p99 290 ms \(limit 250 ms\)\. Lower the rate/],
  },
  'sent too late, once': {
    lane: { sendLagMs: { max: 1400 } },
    invalid: [/The agent was stalled for 1\.40 s/],
  },
  'shed outside windows, 0.1 %': { lane: { shed: [1000, 1005, 1010, 1015] }, invalid: [] },
  'shed outside windows, more': {
    lane: { shed: [1000, 1005, 1010, 1015, 1020] },
    invalid: [/Lane new shed 5 of 4000 arrivals outside loss windows \(limit 0\.10 %\).*more connections/],
  },
  'shed inside a window, while attempts hang': {
    lane: {
      losses: lossesBetween(5000, 5500, { outcome: 'timeout' }),
      shed: lossesBetween(6000, 7000).map((loss) => loss.dueMs),
    },
    invalid: [],
  },
  'stopped by this machine’s limits': {
    lane: { losses: lossesBetween(5000, 5050, { outcome: 'local' }) },
    invalid: [/10 of 4000 attempts of stream new failed on this machine's own limits/],
  },
  'aborted although complete': {
    lane: { losses: [{ dueMs: 19_000, outcome: 'aborted' }] },
    invalid: [/1 attempts of stream new were aborted/],
  },
  'control losses below the threshold and outside windows': {
    setup: (journal) =>
      journal.control({
        losses: [
          { dueMs: 15_000, outcome: 'reset' },
          { dueMs: 15_050, outcome: 'reset' },
        ],
      }),
    lane: { losses: [{ dueMs: 5000 }] },
    invalid: [],
  },
  'control losses above the threshold': {
    setup: (journal) => journal.control({ losses: lossesBetween(15_000, 15_150, { outcome: 'reset' }, 20) }),
    invalid: [/The control target, which no step touches, lost 3 of 400 \(limit 0\.50 %\)/],
  },
  'one control loss inside a window': {
    setup: (journal) => journal.control({ losses: [{ dueMs: 5050, outcome: 'reset' }] }),
    lane: { losses: lossesBetween(5000, 5200) },
    invalid: [/lost attempts inside the loss window of lane new at 5\.00 s/],
  },
};

for (const [name, { options, lane, setup, status = 'complete', invalid, lasting }] of Object.entries(table)) {
  test(name, async () => {
    const journal = new JournalBuilder(options);
    journal.oldPod('a').unready(-200);
    journal.endpoints(-500, { a: 'ready' });
    journal.lane('new', lane);
    setup?.(journal);
    const result = judgeExperiment(await readJournal(journal.lines()));
    assert.is(result.status, status, result.invalid.join(' '));
    assert.is(result.invalid.length, invalid.length, result.invalid.join(' '));
    for (const [index, pattern] of invalid.entries()) assert.match(result.invalid[index] as string, pattern);
    assert.is(result.valid, invalid.length === 0);
    const disturbed = status === 'complete' && invalid.length > 0 && !lasting;
    assert.is(result.disturbed, disturbed || undefined);
  });
}

test('a step that failed on a busy machine is not measured again: it would fail again', async () => {
  const journal = new JournalBuilder();
  journal.lane('new', { sendLagMs: { p99: 290 } });
  journal.failedStep(4000, { step: 'pause' }, 'no');
  const result = judgeExperiment(await readJournal(journal.lines()));
  assert.is(result.invalid.length, 2, result.invalid.join(' '));
  assert.is(result.disturbed, undefined);
});

test('a frame that is missing without a record of it', async () => {
  const lines = new JournalBuilder().lane('new').lines();
  const kept = lines.filter((line) => !line.includes('"seq":7,'));
  const end = { ...JSON.parse(kept.at(-1) as string), records: kept.length };
  const result = judgeExperiment(await readJournal([...kept.slice(0, -1), JSON.stringify(end)]));
  assert.is(result.status, 'faulted');
  assert.match(result.invalid.join(' '), /has frame 8 of agent agent-0 after frame 6: frames are missing/);
});

test('several agents add up, and share one control target', async () => {
  const journal = new JournalBuilder({ agents: 3, offsetsMs: [1500, 1530, 1500] });
  journal.lane('new', { losses: lossesBetween(5000, 5300) }).control();
  const result = judgeExperiment(await readJournal(journal.lines()));
  assert.equal(result.invalid, []);
  const lane = result.lanes.new;
  assert.equal([lane?.scheduled, lane?.attempts, lane?.lost, lane?.windows.length], [4000, 4000, 60, 1]);
  assert.equal(result.control, { attempts: 400, lost: 0 });
  // Shares of 15 ms: all three lost together from the last one's first loss to the first one's next success.
  assert.ok(Math.abs((lane?.longestOutageMs ?? 0) - 300) <= 30, String(lane?.longestOutageMs));
});

test.run();
