// True journals that were changed afterwards: whatever has a second witness in the journal is noticed when it is read.
// The table has changes that somebody could make on purpose, in all places that they would think of; the property tries
// single fields.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { JournalRecord, RecordOf } from '../../harness/model/journal.ts';
import { isLost } from '../../harness/model/load.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('judge: changed journals');

const golden = (name: string): string[] =>
  readFileSync(new URL(`../data/golden/journal-v1-${name}.ndjson`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
const journals = { kind: golden('kind-baseline'), embedded: golden('embedded-baseline') };

type Frame = RecordOf<'frame'>;
type StreamEnd = RecordOf<'stream-end'>;

/** A journal's records, to be changed in place. */
class Changed {
  readonly records: JournalRecord[];
  constructor(lines: readonly string[]) {
    this.records = lines.map((line) => JSON.parse(line) as JournalRecord);
  }
  all<T extends JournalRecord['type']>(type: T): RecordOf<T>[] {
    return this.records.filter((record): record is RecordOf<T> => record.type === type);
  }
  header() {
    return this.all('header')[0] as RecordOf<'header'>;
  }
  end(stream: string) {
    return (this.all('stream-end').find(({ end }) => end.stream === stream) as StreamEnd).end;
  }
  deltas(stream: string) {
    return this.all('frame').flatMap(({ frame }) => frame.streams[stream] ?? []);
  }
  failures(stream: string) {
    return this.deltas(stream).flatMap((delta) => delta.failures);
  }
  intervals(stream: string) {
    return this.deltas(stream).flatMap((delta) => delta.intervals);
  }
  remove(pick: (record: JournalRecord) => boolean): void {
    const kept = this.records.filter((record) => !pick(record));
    this.records.splice(0, this.records.length, ...kept);
    const end = this.records.at(-1) as RecordOf<'end'>;
    end.records = this.records.length;
  }
  lines(): string[] {
    return this.records.map((record) => JSON.stringify(record));
  }
}

const shuffleWatches = (journal: Changed) => {
  const watches = journal.all('watch');
  const contents = watches.map(({ t: _, ...rest }) => rest).reverse();
  for (const [index, watch] of watches.entries()) Object.assign(watch, contents[index]);
};

/** One loss that was never listed, counted or in an interval. */
const hideLoss = (journal: Changed, alsoPhases: boolean) => {
  for (const delta of journal.deltas('new')) {
    const failure = delta.failures.find(({ outcome }) => outcome === 'refused');
    if (!failure) continue;
    delta.failures.splice(delta.failures.indexOf(failure), 1);
    const i = Math.floor(failure.dueMs / 100);
    const bucket = journal
      .deltas('new')
      .flatMap(({ buckets }) => buckets)
      .find((one) => one.i === i && one.outcomes.refused);
    const interval = journal
      .intervals('new')
      .find(({ startMs, endMs }) => startMs <= failure.dueMs && (endMs ?? Infinity) > failure.dueMs);
    const end = journal.end('new');
    assert.ok(bucket && interval);
    bucket.outcomes.refused = (bucket.outcomes.refused ?? 0) - 1;
    bucket.outcomes.ok = (bucket.outcomes.ok ?? 0) + 1;
    interval.lost--;
    end.outcomes.refused = (end.outcomes.refused ?? 0) - 1;
    end.outcomes.ok = (end.outcomes.ok ?? 0) + 1;
    end.failuresListed--;
    if (alsoPhases) end.phases['refused/connect/new'] = (end.phases['refused/connect/new'] ?? 0) - 1;
    return;
  }
};

const moreAttempts = (journal: Changed, more: number) => {
  const bucket = journal.deltas('new')[8]?.buckets[0];
  const end = journal.end('new');
  assert.ok(bucket);
  bucket.sent += more;
  bucket.outcomes.ok = (bucket.outcomes.ok ?? 0) + more;
  for (const field of ['scheduled', 'attempts', 'connectionsOpened'] as const) end[field] += more;
  end.outcomes.ok = (end.outcomes.ok ?? 0) + more;
};

/** Refused attempts as time-outs: outcome, phase and code, in frames and totals. */
const timeOut = (journal: Changed, stream: string) => {
  const move = (outcomes: Partial<Record<string, number>>) => {
    outcomes.timeout = (outcomes.timeout ?? 0) + (outcomes.refused ?? 0);
    delete outcomes.refused;
  };
  for (const { buckets, failures } of journal.deltas(stream)) {
    for (const { outcomes } of buckets) if (outcomes.refused) move(outcomes);
    for (const failure of failures)
      if (failure.outcome === 'refused')
        Object.assign(failure, { outcome: 'timeout', code: 'CONNECT_TIMEOUT' });
  }
  const end = journal.end(stream);
  move(end.outcomes);
  for (const [key, count] of Object.entries(end.phases)) {
    if (!key.startsWith('refused/')) continue;
    const other = key.replace('refused', 'timeout');
    end.phases[other] = (end.phases[other] ?? 0) + count;
    delete end.phases[key];
  }
};

/** As somebody would who has changed times: header first, end last. */
const inOrder = (journal: Changed) => {
  const [header, ...rest] = journal.records as [JournalRecord, ...JournalRecord[]];
  const end = rest.pop() as JournalRecord;
  const sorted = rest.toSorted((a, b) => ('t' in a ? a.t : 0) - ('t' in b ? b.t : 0));
  journal.records.splice(0, journal.records.length, header, ...sorted, end);
};

const everyOther = <T>(list: T[]): T[] => list.filter((_, index) => index % 2 === 0);

const table: Readonly<Record<string, readonly [change: (journal: Changed) => void, message: RegExp]>> = {
  'watch records shuffled': [shuffleWatches, /watch of .*(comes? again|before it changes|resource versions)/],
  'two watch records swapped': [
    (journal) => {
      const [a, b] = journal
        .all('watch')
        .filter(({ event, facts }) => event === 'MODIFIED' && facts.kind === 'Pod');
      assert.ok(a && b);
      const [first, second] = [
        { ...a, t: b.t },
        { ...b, t: a.t },
      ];
      Object.assign(a, second);
      Object.assign(b, first);
    },
    /resource versions of one watch do not go back|before it changes/,
  ],
  'times out of order': [
    (journal) => {
      const [, second] = journal.all('frame').slice(4) as [Frame, Frame];
      second.t -= 300;
    },
    /field t: .* records are out of order/,
  ],
  'one loss made ok in bucket, end, failure and interval': [
    (journal) => hideLoss(journal, false),
    /phases of refused = refused/,
  ],
  'the same, and in the phases': [
    (journal) => hideLoss(journal, true),
    /histograms\.latency has \d+ values, \d+ were measured/,
  ],
  '100 attempts more in the end': [
    (journal) => {
      for (const field of ['scheduled', 'attempts', 'connectionsOpened'] as const)
        journal.end('new')[field] += 100;
    },
    /outcomes \+ in flight = attempts/,
  ],
  '100 attempts more in bucket and end': [
    (journal) => moreAttempts(journal, 100),
    /has \d+ values|arrivals, not/,
  ],
  '10 attempts fewer in bucket and end': [
    (journal) => moreAttempts(journal, -10),
    /has \d+ values|arrivals, not|answers, 10 came|buckets.0.sent/,
  ],
  'listed failures removed': [
    (journal) => {
      for (const delta of journal.deltas('new')) delta.failures = [];
    },
    /failures in frames = failures listed: 0 is not/,
  ],
  'listed failures halved, also in the end': [
    (journal) => {
      for (const delta of journal.deltas('new')) delta.failures = everyOther(delta.failures);
      journal.end('new').failuresListed = journal.failures('new').length;
    },
    /listed \+ dropped failures = outcomes but ok/,
  ],
  'listed failures given to a pod that was never seen': [
    (journal) => {
      for (const failure of journal.failures('new'))
        Object.assign(failure, { pod: 'target-other', podKnownBy: 'route' });
    },
    /pod target-other was never seen/,
  ],
  'listed failures given to a pod that had not answered yet': [
    (journal) => {
      const pods = journal
        .deltas('kept')
        .flatMap(({ buckets }) => buckets.flatMap((one) => Object.keys(one.pods ?? {})));
      const newest = [...new Set(pods)].at(-1);
      for (const failure of journal.failures('kept'))
        if (failure.podKnownBy === 'previous-answer') Object.assign(failure, { pod: newest });
    },
    /failure due at .*: pod .* had answered before/,
  ],
  'intervals shortened': [
    (journal) => {
      for (const interval of journal.intervals('new')) if (interval.endMs !== null) interval.endMs -= 1;
    },
    /interval from .*(begins and ends when an attempt is due|due before its end)/,
  ],
  'one interval shortened by an arrival': [
    (journal) => {
      const interval = journal.intervals('new').find(({ lost }) => lost > 5);
      assert.ok(interval?.endMs);
      interval.endMs -= 5;
    },
    /interval from /,
  ],
  'one interval lengthened by an arrival': [
    (journal) => {
      const interval = journal.intervals('new').find(({ lost }) => lost > 5);
      assert.ok(interval?.endMs);
      interval.endMs += 5;
    },
    /interval from /,
  ],
  'intervals shifted': [
    (journal) => {
      for (const interval of journal.intervals('new')) {
        interval.startMs += 1000;
        if (interval.endMs !== null) interval.endMs += 1000;
      }
    },
    /interval from /,
  ],
  'an interval that ends before it begins': [
    (journal) => {
      const [interval] = journal.intervals('new');
      assert.ok(interval);
      interval.endMs = interval.startMs - 10;
    },
    /it begins before it ends/,
  ],
  'send lag of 0': [
    (journal) => {
      journal.end('new').sendLagMs = { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
    },
    /sendLagMs\.max \(0 ms\) is that of its histogram/,
  ],
  'send lag below 0': [
    (journal) => {
      journal.end('new').sendLagMs.p50 = -1;
    },
    /field end\.sendLagMs\.p50/,
  ],
  'a histogram without its last values, and percentiles to match': [
    (journal) => {
      const end = journal.end('new');
      end.sendLagMs = { ...journal.end('control').sendLagMs };
      if (end.histograms) end.histograms.sendLag = journal.end('control').histograms?.sendLag ?? '';
    },
    /histograms\.sendLag has \d+ values/,
  ],
  'latency halved': [
    (journal) => {
      const { latencyMs } = journal.end('new');
      for (const name of ['p50', 'p90', 'p99', 'p999', 'max'] as const) latencyMs[name] /= 2;
    },
    /latencyMs\./,
  ],
  'one percentile': [
    (journal) => {
      journal.end('new').latencyMs.p99 *= 0.9;
    },
    /latencyMs\.p99 .* is that of its histogram/,
  ],
  'races changed in the end': [
    (journal) => {
      journal.end('kept').races = 0;
    },
    /races in frames/,
  ],
  'races changed in failures and end': [
    (journal) => {
      for (const failure of journal.failures('kept')) failure.race = false;
      journal.end('kept').races = 0;
    },
    /a race is a reused connection/,
  ],
  'all steps removed': [
    (journal) => journal.remove(({ type }) => type === 'step'),
    /has done all 2 steps of its scenario, not 0/,
  ],
  'the last step never ended': [
    (journal) =>
      journal.remove((record) => record.type === 'step' && record.index === 1 && record.event === 'end'),
    /has done all 2 steps/,
  ],
  'a step that is not the scenario’s': [
    (journal) => {
      for (const record of journal.all('step'))
        if (record.step.step === 'set-image') record.step.image = 'current';
    },
    /step 0 is the scenario’s/,
  ],
  'a negative time': [
    (journal) => {
      const [failure] = journal.failures('new');
      assert.ok(failure);
      failure.dueMs = -5;
    },
    /field frame\.streams\.new\.failures\.0\.dueMs/,
  ],
  'a bucket number of 9e15': [
    (journal) => {
      const bucket = journal.deltas('new')[3]?.buckets[0];
      assert.ok(bucket);
      bucket.i = 9e15;
    },
    /field frame\.streams\.new\.buckets\.0\.i/,
  ],
  'a duration of 1e300': [
    (journal) => {
      journal.end('new').durationMs = 1e300;
    },
    /field end\.durationMs/,
  ],
  'an end of load a second earlier': [
    (journal) => {
      journal.end('new').durationMs -= 1000;
    },
    /durationMs \(.*\) is between the last frames/,
  ],
  'a frame twice under another number': [
    (journal) => {
      const frames = journal.all('frame');
      const [, , third] = frames as [Frame, Frame, Frame];
      third.frame.streams = structuredClone((frames[1] as Frame).frame.streams);
    },
    /stream-end of |frame 3 of /,
  ],
  'a clock moved ahead by a second': [
    (journal) => {
      for (const clock of journal.all('clock')) clock.offsetMs += 1000;
    },
    /clock|frame of .* by the agent’s clock|load of/,
  ],
  'two agents instead of one in a plan of another rate': [
    (journal) => {
      const { plan } = journal.header();
      Object.assign(plan.streams[0] as object, { rate: { shape: 'constant', ratePerSecond: 100 } });
    },
    /stream new has the scenario’s rate/,
  ],
  'the rate of plan and scenario': [
    (journal) => {
      const { plan, scenario } = journal.header();
      const rate = { shape: 'constant', ratePerSecond: 100 } as const;
      Object.assign(plan.streams[0] as object, { rate });
      Object.assign(scenario.load[0] as object, { rate });
    },
    /the plan has .* arrivals, not/,
  ],
  'an interrupted experiment made complete': [
    (journal) => journal.remove((record) => record.type === 'milestone' && record.name === 'no-terminating'),
    /has passed milestone no-terminating/,
  ],
  'more pods ready than there are': [
    (journal) => {
      for (const { facts } of journal.all('watch')) if (facts.kind === 'Deployment') facts.ready = 9;
    },
    /ready is at most replicas/,
  ],
  'refused made a time-out, everywhere': [
    (journal) => timeOut(journal, 'new'),
    /a time-out takes the stream’s timeoutMs/,
  ],
  'what was refused is said to have been refused later, everywhere': [
    (journal) => {
      for (const failure of journal.failures('new'))
        if (failure.outcome === 'refused') failure.phase = 'first-byte';
      const { phases } = journal.end('new');
      phases['refused/first-byte/new'] = phases['refused/connect/new'] ?? 0;
      delete phases['refused/connect/new'];
    },
    /a connection is refused before it is one/,
  ],
  'time-outs of another phase, everywhere': [
    (journal) => {
      for (const failure of journal.failures('new'))
        if (failure.outcome === 'timeout') failure.phase = 'body';
      const { phases } = journal.end('new');
      const all = Object.keys(phases).filter((key) => key.startsWith('timeout/'));
      phases['timeout/body/new'] = all.reduce((sum, key) => sum + (phases[key] ?? 0), 0);
      for (const key of all) delete phases[key];
    },
    /a time-out in phase body is BODY_TIMEOUT/,
  ],
  'everything that was watched is 400 ms later': [
    (journal) => {
      for (const record of journal.all('watch')) if (record.event !== 'EXISTING') record.t += 400;
      inOrder(journal);
    },
    /(rollout-complete|no-terminating) comes when/,
  ],
  'the rollout was complete a second earlier': [
    (journal) => {
      for (const record of journal.all('milestone')) if (record.name === 'rollout-complete') record.t -= 1000;
      inOrder(journal);
    },
    /rollout-complete comes when|milestones come in the order/,
  ],
  'the last pod was gone a second earlier': [
    (journal) => {
      for (const record of journal.all('milestone')) if (record.name === 'no-terminating') record.t -= 700;
      inOrder(journal);
    },
    /no-terminating comes when no pod too many|milestones come in the order/,
  ],
  'the workload has a pod more': [
    (journal) => {
      for (const { facts } of journal.all('watch')) if (facts.kind === 'Deployment') facts.replicas++;
    },
    /rollout-complete comes when Deployment\/target was seen to be complete/,
  ],
  'no EndpointSlice was seen': [
    (journal) => journal.remove((record) => record.type === 'watch' && record.facts.kind === 'EndpointSlice'),
    /a complete experiment has seen EndpointSlice objects/,
  ],
  'the control target left out': [
    (journal) => {
      const { plan } = journal.header();
      Object.assign(plan, { streams: plan.streams.filter(({ id }) => id !== 'control') });
      for (const { frame } of journal.all('frame')) delete frame.streams.control;
      journal.remove((record) => record.type === 'stream-end' && record.end.stream === 'control');
    },
    /the plan has the trickle at the control target/,
  ],
  'the clock at the end, which tells its drift': [
    (journal) => {
      const last = journal.all('clock').at(-1);
      journal.remove((record) => record === last);
    },
    /the clock of .* was asked at the begin and at the end/,
  ],
  'settings that a variant without any has in effect': [
    (journal) => {
      journal.header().settingsDiff = '+ readinessProbe';
    },
    /a variant without a setting changes nothing/,
  ],
  'answers given to a pod': [
    (journal) => {
      const bucket = journal.deltas('new')[5]?.buckets[0];
      assert.ok(bucket);
      bucket.pods = { 'target-other': 1000 };
    },
    /pods gave \d+ answers, \d+ came/,
  ],
};

for (const [name, [change, message]] of Object.entries(table)) {
  test(`noticed: ${name}`, async () => {
    for (const [which, lines] of Object.entries(journals)) {
      const journal = new Changed(lines);
      change(journal);
      const text = await refusal(journal.lines());
      assert.match(text, message, `${which}: ${text}`);
      assert.match(text, /^j\.ndjson: line \d+, /);
    }
  });
}

async function refusal(lines: readonly string[]): Promise<string> {
  try {
    await readJournal(lines, 'j.ndjson');
  } catch (error) {
    assert.instance(error, UsageError);
    assert.is((error as UsageError).exitCode, 4);
    return (error as UsageError).message;
  }
  return '(not refused)';
}

/** Numbers of frames and totals, by where they stand. Health of the agent is no figure of a result. */
type Path = (string | number)[];

function numbersOf(value: unknown, path: Path = []): Path[] {
  if (typeof value === 'number') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => numbersOf(item, [...path, key]));
}

const loseSomething = ({ type, ...rest }: JournalRecord): boolean => {
  if (type === 'stream-end') return true;
  if (type !== 'frame') return false;
  const { frame } = rest as Frame;
  return Object.values(frame.streams).some(
    ({ failures, intervals, buckets }) =>
      failures.length > 0 ||
      intervals.length > 0 ||
      buckets.some(({ outcomes }) => Object.keys(outcomes).some((outcome) => isLost(outcome as never))),
  );
};

/** What moves within the rounding of a histogram or the time between two frames has no second witness. */
const loosely =
  /^frame\.phases\.|^end\.(durationMs|connectionsOpened)$|\.(connection|nth|bytes|maxMs|startMs|endMs|status)$|\.pods\./;

test('a single figure of frames or totals is noticed, or nothing follows from it', async () => {
  const lines = journals.kind;
  const records = lines.map((line) => JSON.parse(line) as JournalRecord);
  const results = JSON.stringify(judgeExperiment(await readJournal(lines, 'j')));
  const places = records.flatMap((record, line) =>
    loseSomething(record)
      ? numbersOf(record)
          .filter((path) => path[0] !== 't' && !path.includes('health'))
          .map((path) => ({ line, path }))
      : [],
  );
  const changes = fc.constantFrom<[string, (value: number) => number]>(
    ['+ 1', (value) => value + 1],
    ['− 1', (value) => value - 1],
    ['× 2', (value) => value * 2],
    ['= 0', () => 0],
    ['negated', (value) => -value],
    ['+ 1e9', (value) => value + 1e9],
    ['+ 60 s', (value) => value + 60_000],
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places), changes, async ({ line, path }, [what, change]) => {
      if (loosely.test(path.join('.'))) return;
      const record = structuredClone(records[line]) as unknown as Record<string, unknown>;
      let at = record;
      for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
      const key = path.at(-1) as string;
      const before = at[key] as number;
      at[key] = change(before);
      if (Object.is(at[key], before) || at[key] === before) return;
      const changed = lines.with(line, JSON.stringify(record));
      const text = await refusal(changed);
      if (text !== '(not refused)') return;
      const now = JSON.stringify(judgeExperiment(await readJournal(changed, 'j')));
      assert.is(
        now,
        results,
        `line ${line + 1}, ${path.join('.')} ${what}: ${before} → ${at[key]} was not noticed`,
      );
    }),
    { numRuns: Number(process.env.RUNS ?? 150) },
  );
});

test.run();
