import * as assert from 'uvu/assert';
import { factsOf } from '../../harness/journal/facts.ts';
import { uncheckedJournal } from '../../harness/journal/read.ts';
import type { JournalRecord } from '../../harness/model/journal.ts';
import { journalRecordSchema } from '../../harness/model/journal.ts';
import { citedLines, journalView, timeline } from '../../reports/html/timeline.ts';
import { limits } from '../../reports/html/types.ts';
import { JournalBuilder } from '../data/journal-builder.ts';
import { sampleRun } from '../data/sample-run.ts';
import { suite } from '../suite.ts';

const test = suite('report: time line');
const viewOf = (records: readonly LinedRecord[], cited?: ReadonlySet<number>) =>
  journalView(factsOf(uncheckedJournal(records)), cited);
const timelineOf = (records: readonly LinedRecord[]) => timeline(factsOf(uncheckedJournal(records)));
type LinedRecord = JournalRecord & { readonly line?: number };

const sample = sampleRun();
const [baseline, hardened] = [...sample.journals.values()];

test('the sample journals are valid records', () => {
  for (const record of [...baseline!, ...hardened!]) journalRecordSchema.parse(record);
});

test('times are ms since the load began, whatever the harness clock said', () => {
  const view = timelineOf(baseline!);
  assert.is(view.steps[0]?.fromMs, 2000);
  assert.is(view.steps[0]?.label, 'set image to next');
  const step = baseline!.find((record) => record.type === 'step');
  assert.is(step?.type === 'step' && step.t, 3500);
});

test('counts per lane equal the results, whatever the bucket width', () => {
  for (const experiment of sample.results.scenarios[0]!.experiments) {
    const view = timelineOf(sample.journals.get(experiment.journal)!);
    for (const lane of view.lanes) {
      const expected = experiment.lanes[lane.lane]!;
      const lost = Object.values(lane.lost).flatMap((entries) => entries.map(([, n]) => n));
      assert.is(
        lost.reduce((sum, n) => sum + n, 0),
        expected.lost,
        `${experiment.variant} ${lane.lane}`,
      );
      assert.is(lane.totals.lost, expected.lost);
      assert.is(lane.totals.ok, expected.outcomes.ok ?? 0);
      assert.is(
        lane.ok.reduce((sum, n) => sum + n, 0),
        expected.outcomes.ok ?? 0,
      );
      assert.is(lane.failures.length + lane.failuresOmitted, expected.lost);
    }
  }
});

test('a pod goes through its states in order, from one to the next without a gap', () => {
  const pod = timelineOf(hardened!).pods.find((one) => one.generation === 1)!;
  assert.equal(
    pod.states.map((span) => span.state),
    ['pending', 'starting', 'not-ready', 'ready'],
  );
  pod.states.slice(1).forEach((span, i) => {
    assert.is(span.fromMs, pod.states[i]!.toMs);
  });
  const old = timelineOf(hardened!).pods[0]!;
  assert.equal(
    old.states.map((span) => span.state),
    ['ready', 'terminating'],
  );
});

test('a pod that gets connections before it listens is exposed; with a readinessProbe it is not', () => {
  const without = timelineOf(baseline!).pods.filter((pod) => pod.generation === 1);
  for (const pod of without) {
    const listening = pod.phases.find((mark) => mark.phase === 'listening')!.atMs;
    const ready = pod.endpoint.find((span) => span.state === 'ready')!.fromMs;
    assert.equal(
      pod.exposed.map(({ fromMs, toMs }) => [fromMs, toMs]),
      [[ready, listening]],
      pod.name,
    );
  }
  for (const pod of timelineOf(hardened!).pods) assert.equal(pod.exposed, [], pod.name);
});

test('no phases known: nothing is claimed about listening', () => {
  const silent = baseline!.map((record) =>
    record.type === 'frame' ? { ...record, frame: { ...record.frame, phases: [] } } : record,
  );
  for (const pod of timelineOf(silent).pods) assert.equal(pod.exposed, [], pod.name);
});

test('an app that says nothing listens from its first to its last answer that the kernel saw', () => {
  const journal = new JournalBuilder();
  journal.pod('a', { ip: '10.0.0.1' }).created(500).runningReady(1000).terminating(6000).deleted(9000);
  journal.endpoints(1020, { a: 'ready' }).lane('new', { durationMs: 10_000 });
  const heard = (atMs: number, answer: 'accepted' | 'refused') => ({
    port: 2000 + atMs,
    pod: '10.0.0.1:8080',
    atMs,
    answer,
  });
  journal.witness(9500, [
    heard(1200, 'refused'),
    heard(2500, 'accepted'),
    heard(6100, 'accepted'),
    heard(6400, 'refused'),
  ]);
  const [pod] = timelineOf(journal.build()).pods;
  assert.equal(
    pod?.phases.map(({ phase, atMs }) => [phase, atMs]),
    [
      ['starting', 1200],
      ['listening', 2500],
      ['closed', 6100],
    ],
  );
  assert.ok(pod && pod.exposed.length > 0, 'routed to while it refused');
});

test('a lost attempt stands at the pod that the kernel sent it to', () => {
  const journal = new JournalBuilder();
  journal.pod('a', { ip: '10.0.0.1' }).runningReady(-1000);
  journal.endpoints(-500, { a: 'ready' });
  journal.lane('new', { durationMs: 5000, losses: [{ dueMs: 2000, localPort: 4711 }] });
  journal.witness(4500, [{ port: 4711, pod: '10.0.0.1:8080', atMs: 2000.5, to: '10.96.0.1:80' }]);
  assert.equal(
    timelineOf(journal.build()).lanes.flatMap(({ failures }) => failures.map(({ pod }) => pod)),
    ['a'],
  );
});

test('an endpoint slice that is seen before its pod counts', () => {
  const slice = baseline!.findIndex(
    (record) => record.type === 'watch' && record.facts.kind === 'EndpointSlice',
  );
  const moved = [baseline![0]!, baseline![slice]!, ...baseline!.filter((_, i) => i !== 0 && i !== slice)];
  const old = timelineOf(moved).pods[0]!;
  assert.is(old.endpoint[0]?.state, 'ready');
});

test('ready pods against wanted', () => {
  const { ready } = timelineOf(hardened!);
  assert.is(ready[0]?.atMs, 0);
  assert.is(Math.min(...ready.map((point) => point.ready)), 3);
  assert.equal([...new Set(ready.map((point) => point.wanted))], [3]);
});

test('pods of agent and control target are no lanes', () => {
  const records = baseline!.map((record): JournalRecord => {
    if (record.type !== 'watch' || record.facts.kind !== 'Pod') return record;
    return record.name.endsWith('x7k2p')
      ? { ...record, facts: { ...record.facts, role: 'control' } }
      : record;
  });
  assert.is(timelineOf(records).pods.length, timelineOf(baseline!).pods.length - 1);
});

test('several agents on clocks of their own add up on one axis', () => {
  const builder = new JournalBuilder({ agents: 2, offsetsMs: [1500, 2500] });
  builder.lane('new', { durationMs: 10_000, losses: [{ dueMs: 5000 }] });
  const view = timelineOf(builder.build());
  const [lane] = view.lanes;
  assert.is(lane?.totals.lost, lane?.failures.length);
  assert.ok(lane!.failures.every((failure) => failure.dueMs >= 4900 && failure.dueMs <= 6100));
});

test('a journal without load still has a time line', () => {
  const records = baseline!.filter(
    (record) => !['frame', 'clock', 'load', 'stream-end'].includes(record.type),
  );
  const view = timelineOf(records);
  assert.is(view.lanes.length, 0);
  assert.ok(view.toMs >= 1000);
  assert.ok(view.pods.length > 0);
});

test('a journal of an hour stays small and loses no loss', () => {
  const records = hourOfRecords();
  const started = performance.now();
  const view = viewOf(records);
  const tookMs = performance.now() - started;
  assert.ok(tookMs < 10_000, `took ${Math.round(tookMs)} ms`);
  const [lane] = view.timeline.lanes;
  assert.ok(lane!.ok.length <= limits.buckets, `${lane!.ok.length} buckets`);
  assert.is(lane!.totals.lost, 3600);
  assert.is(
    lane!.lost.refused!.reduce((sum, [, n]) => sum + n, 0),
    3600,
  );
  assert.is(lane!.failures.length, limits.failures);
  assert.is(lane!.failuresOmitted, 3600 - limits.failures);
  assert.ok(view.timeline.pods.length <= limits.pods);
  assert.ok(view.timeline.events.length <= limits.events);
  assert.ok(view.timeline.ready.length <= limits.readyPoints + 1);
  assert.ok(JSON.stringify(view).length < 600_000, `${JSON.stringify(view).length} bytes`);
});

test('warnings survive when there are too many events', () => {
  const { events, omitted } = timelineOf(hourOfRecords());
  assert.is(events.length, limits.events);
  assert.ok(omitted.events > 0);
  assert.ok(events.some((event) => event.warning));
});

test('lines that facts cite are carried as they stand in the journal', () => {
  const cited = citedLines(sample.results);
  const file = sample.results.scenarios[0]!.experiments[0]!.journal;
  const lines = cited.get(file)!;
  assert.ok(lines.size > 0);
  const view = viewOf(baseline!, lines);
  for (const line of lines) {
    assert.ok(
      JSON.stringify(baseline![line - 1]).startsWith(view.cited[line]!.replace(/…$/, '')),
      `line ${line}`,
    );
  }
});

test('records that carry their line keep it', () => {
  const lined = baseline!.map((record, i) => ({ ...record, line: i + 101 }));
  const view = viewOf(lined, new Set([101 + 3]));
  assert.equal(Object.keys(view.cited), ['104']);
  assert.not.match(view.cited[104]!, '"line"');
  assert.ok(view.timeline.steps[0]!.line > 100);
});

test('gaps and notes are told, information is not', () => {
  const more: JournalRecord[] = [
    { type: 'note', t: 2000, level: 'info', text: 'quiet' },
    { type: 'note', t: 2000, level: 'warning', text: 'slow machine' },
    { type: 'watch-gap', t: 4000, kind: 'Pod', fromT: 3000, lost: true, reason: '410 Gone' },
    { type: 'watch-gap', t: 4000, kind: 'Event', fromT: 3000, lost: false, reason: 'closed' },
    { type: 'frame-gap', t: 5000, agent: 'agent-0', fromSeq: 7, toSeq: 8 },
  ];
  const { notes } = viewOf([...baseline!, ...more]);
  assert.equal(
    notes.map((note) => [note.level, note.text]),
    [
      ['warning', 'slow machine'],
      ['warning', 'The watch on Pod lost events for 1000 ms: 410 Gone'],
      ['fault', 'Frames 7 to 8 of agent agent-0 are missing.'],
    ],
  );
});

test('a journal without a header is refused with a sentence', () => {
  assert.throws(() => viewOf(baseline!.slice(1)), /first line must be the header/);
});

/** An hour at 200/s, one refused attempt a second, 200 pods one after the other, an event every two seconds. */
function hourOfRecords(): JournalRecord[] {
  const header = baseline![0]!;
  const records: JournalRecord[] = [
    header,
    { type: 'clock', t: 1000, agent: 'agent-0', offsetMs: 1000, errorMs: 1 },
  ];
  const pod = baseline!.find((record) => record.type === 'watch' && record.facts.kind === 'Pod')!;
  if (pod.type !== 'watch' || pod.facts.kind !== 'Pod') throw new Error('the sample has no pod');
  const frames = 3600;
  for (let second = 0; second < frames; second++) {
    const t = 1000 + (second + 1) * 1000;
    if (second % 18 === 0) {
      const name = `web-1-${second}`;
      const facts = { ...pod.facts, ready: true };
      records.push({ type: 'watch', t, event: 'ADDED', namespace: 'n', name, facts });
      records.push({ type: 'watch', t: t + 900, event: 'DELETED', namespace: 'n', name, facts });
    }
    if (second % 2 === 0) {
      records.push({
        type: 'watch',
        t,
        event: 'ADDED',
        namespace: 'n',
        name: `e${second}`,
        facts: {
          kind: 'Event',
          type: second === 3000 ? 'Warning' : 'Normal',
          reason: 'Pulled',
          message: 'x'.repeat(400),
          count: 1,
          involvedKind: 'Pod',
          involvedName: 'web',
        },
      });
    }
    records.push({
      type: 'frame',
      t,
      agent: 'agent-0',
      frame: {
        seq: second + 1,
        atMs: (second + 1) * 1000,
        phases: [],
        streams: {
          new: {
            intervals: [],
            buckets: Array.from({ length: 10 }, (_, i) => ({
              i: second * 10 + i,
              sent: 20,
              shed: 0,
              outcomes: i === 0 ? { ok: 19, refused: 1 } : { ok: 20 },
              maxMs: 5 + i,
            })),
            failures: [
              {
                dueMs: second * 1000,
                startMs: second * 1000,
                endMs: second * 1000 + 1,
                outcome: 'refused',
                phase: 'connect',
                code: 'ECONNREFUSED',
                reused: false,
                race: false,
                bytes: 0,
                connection: second,
                nth: 1,
              },
            ],
          },
        },
      },
    });
  }
  return records;
}

test.run();
