import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readJournalFile } from '../../harness/journal/file.ts';
import { isSoundFrame, readJournal } from '../../harness/journal/read.ts';
import { judgeExperiment } from '../../harness/judge/experiment.ts';
import { UsageError } from '../../harness/model/errors.ts';
import { journalRecordSchema } from '../../harness/model/journal.ts';
import { unsealed } from '../../harness/model/seal.ts';
import { JournalBuilder, lossesBetween } from '../data/journal-builder.ts';
import { asSealed } from '../data/sealed-run.ts';
import { suite } from '../suite.ts';

const test = suite('judge: reading journals');

const whole = (): string[] => {
  const journal = new JournalBuilder();
  journal.oldPod('a');
  journal.endpoints(-500, { a: 'ready' });
  journal
    .lane('new', {
      durationMs: 3000,
      losses: lossesBetween(1000, 1100, { localPort: 40_596 }),
      answeredBy: () => 'a',
    })
    .control({ durationMs: 3000 });
  return journal.lines();
};

const edit = (
  lines: string[],
  index: number,
  change: (record: Record<string, unknown>) => void,
): string[] => {
  const record = JSON.parse(lines.at(index) as string) as Record<string, unknown>;
  change(record);
  return lines.with(index, JSON.stringify(record));
};
const indexOf = (lines: string[], type: string) =>
  lines.findIndex((line) => line.includes(`"type":"${type}"`));

const broken: Readonly<Record<string, { lines: (lines: string[]) => string[]; message: RegExp }>> = {
  empty: { lines: () => [], message: /^j.ndjson: the file is empty/ },
  'blank lines only': { lines: () => ['', ''], message: /the file is empty|line 1 is empty/ },
  'not JSON at all': { lines: () => ['hello'], message: /line 1 is not JSON: this is not a journal/ },
  'another JSON file': {
    lines: () => ['{"schemaVersion":1,"scenarios":[]}'],
    message: /line 1 is not a journal header/,
  },
  'a number': { lines: () => ['42'], message: /line 1 is not a journal header/ },
  'cut off in the middle of a record': {
    lines: (lines) => [...lines.slice(0, 8), (lines[8] as string).slice(0, 20)],
    message: /line 9 ends in the middle of a record: the journal was cut off/,
  },
  'cut off between records': {
    lines: (lines) => lines.slice(0, 8),
    message: /no record of type "end" after line 8/,
  },
  'header only': { lines: (lines) => lines.slice(0, 1), message: /no record of type "end" after line 1/ },
  'of a later version': {
    lines: (lines) => edit(lines, 0, (header) => Object.assign(header, { schemaVersion: 7 })),
    message:
      /line 1, field schemaVersion: 7, but this version reads 1\. Use the rollproof that wrote it \(0\.1\.0\)/,
  },
  'without a version': {
    lines: (lines) => edit(lines, 0, (header) => void delete header.schemaVersion),
    message: /field schemaVersion: missing/,
  },
  'a garbage line': {
    lines: (lines) => lines.with(4, '{"type":"fra'),
    message: /line 5 is not JSON: the journal is damaged/,
  },
  'an empty line': { lines: (lines) => lines.with(4, ''), message: /line 5 is empty/ },
  'an unknown type': {
    lines: (lines) => lines.with(4, '{"type":"frames","t":1}'),
    message: /line 5, field type: /,
  },
  'a wrong field in the header': {
    lines: (lines) => edit(lines, 0, (header) => Object.assign(header, { path: 'sideways' })),
    message: /line 1, field path: /,
  },
  'a wrong field in a watch': {
    lines: (lines) =>
      edit(lines, indexOf(lines, 'watch'), (record) =>
        Object.assign(record.facts as object, { ready: 'yes' }),
      ),
    message: /line \d+, field facts.ready: /,
  },
  'a second header: two journals one after the other': {
    lines: (lines) => [...lines, ...lines],
    message: /another journal follows: two journals were mixed/,
  },
  'a header in the middle': {
    lines: (lines) => lines.toSpliced(5, 0, lines[0] as string),
    message: /line 6 is a second header/,
  },
  'records after the end': {
    lines: (lines) => [...lines, lines[4] as string],
    message: /there are records after the end/,
  },
  'a frame twice': {
    lines: (lines) => lines.toSpliced(indexOf(lines, 'frame'), 0, lines[indexOf(lines, 'frame')] as string),
    message: /frame 1 of agent "agent-0" comes after frame 1: records of two runs were mixed/,
  },
  'a stream that was not planned': {
    lines: (lines) =>
      edit(lines, indexOf(lines, 'frame'), (record) =>
        Object.assign((record.frame as { streams: object }).streams, { long: {} }),
      ),
    message: /field frame.streams: stream "long" is not in the header's plan/,
  },
  'a pod of another namespace': {
    lines: (lines) => {
      const at = lines.findIndex((line) => line.includes('"kind":"Pod"'));
      const other = JSON.stringify({ ...JSON.parse(lines[at] as string), namespace: 'other' });
      return lines.toSpliced(at + 1, 0, other);
    },
    message: /field namespace: "other".*two experiments were mixed/,
  },
  'a tracked connection to a pod that its record does not name': {
    lines: () => {
      const journal = new JournalBuilder();
      journal.oldPod('a');
      journal.endpoints(-500, { a: 'ready' });
      journal.witness(1000, [{ port: 40_596, pod: '10.0.0.1:8080', atMs: 990 }], { pods: [] });
      return journal.lane('new', { durationMs: 3000 }).lines();
    },
    message: /witness: this does not hold: the connection of port 40596 names a source/,
  },
  'a line that was taken out': {
    lines: (lines) => lines.toSpliced(indexOf(lines, 'watch'), 1),
    message: /was written with (\d+) records and has \d+: lines were lost/,
  },
};

for (const [name, { lines, message }] of Object.entries(broken)) {
  test(`refused: ${name}`, async () => {
    let error: unknown;
    try {
      await readJournal(lines(whole()), 'j.ndjson');
    } catch (caught) {
      error = caught;
    }
    assert.instance(error, UsageError);
    const text = (error as UsageError).message;
    assert.match(text, message);
    assert.match(text, /^j\.ndjson: /);
    assert.not.match(text, /\n/);
    assert.is((error as UsageError).exitCode, 4);
  });
}

test('a whole journal, from lines that come one by one or all at once', async () => {
  async function* slowly(lines: string[]) {
    for (const line of lines) yield line;
  }
  const lines = whole();
  const journal = await readJournal([...lines, '']);
  assert.is(journal.frames.length, 3);
  assert.is(journal.end.line, lines.length);
  assert.is(journal.frames[0]?.frame.streams.new?.buckets[0]?.sent, 20);
  assert.equal(await readJournal(slowly(lines)), await readJournal(lines));
});

test('the quick check of frames says the same as the schema, whatever is damaged', () => {
  const lines = whole();
  const text = lines.find((line) => line.includes('"failures":[{')) as string;
  const fresh = () => JSON.parse(text) as Record<string, unknown>;
  assert.is(isSoundFrame(fresh()), true);
  const wrong: unknown[] = ['text', -1, 1.5, null, true, [], {}, Number.MAX_SAFE_INTEGER * 2];
  let damaged = 0;
  for (const path of pathsOf(fresh())) {
    for (const value of [...wrong, undefined]) {
      const record = fresh();
      set(record, path, value);
      const bySchema = journalRecordSchema.safeParse(structuredClone(record));
      const quick = isSoundFrame(record);
      // The quick check may send a sound record to the schema, never let a damaged one pass.
      if (path[0] !== 'type')
        assert.is(quick, bySchema.success, `${path.join('.')} = ${JSON.stringify(value)}`);
      if (bySchema.success && quick) assert.equal(strip(record), strip(bySchema.data), path.join('.'));
      damaged++;
    }
  }
  assert.ok(damaged > 300, `${damaged} damages tried`);
});

/** Only what the schema knows: it drops unknown fields, the quick check leaves them. */
const strip = (value: unknown): unknown => JSON.parse(JSON.stringify(journalRecordSchema.parse(value)));

type Path = (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.slice(0, 2).map((item, index) => [index, item])
    : Object.entries(value);
  return [
    ...(path.length > 0 ? [path] : []),
    ...entries.flatMap(([key, item]) => pathsOf(item, [...path, key])),
  ];
}

function set(record: Record<string, unknown>, path: Path, value: unknown): void {
  let at: Record<string | number, unknown> = record;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  at[path.at(-1) as string | number] = value;
}

const brokenSeals: Readonly<Record<string, readonly [(lines: string[]) => string[], RegExp]>> = {
  'a line changed': [
    (lines) => lines.map((line, at) => (at === 5 ? line.replace('{', '{ ') : line)),
    /line 6, field seal: it does not follow/,
  ],
  'a seal changed': [
    (lines) => lines.map((line, at) => (at === 5 ? line.replace(/[0-9a-f]"\}$/, 'x"}') : line)),
    /line 6 has no seal and the lines before have one/,
  ],
  'the first line unsealed': [
    (lines) => lines.map((line, at) => (at === 0 ? (unsealed(line)?.text ?? '') : line)),
    /line 2 has a seal and the lines before have none/,
  ],
  'two lines swapped': [(lines) => lines.with(4, lines[5]!).with(5, lines[4]!), /line 5, field seal/],
  'a line removed': [(lines) => lines.toSpliced(7, 1), /line 8, field seal/],
  'a line twice': [(lines) => lines.toSpliced(7, 0, lines[6]!), /line 8, field seal/],
};

test('a sealed journal is read as one without seals; a seal that does not follow is refused', async () => {
  const lines = asSealed(whole());
  const read = await readJournal(lines, 'j');
  assert.equal(judgeExperiment(read), judgeExperiment(await readJournal(whole(), 'j')));
  assert.is('seal' in read.header, false);
  for (const [name, [change, message]] of Object.entries(brokenSeals)) {
    const error: unknown = await readJournal(change(lines), 'j').catch((reason: unknown) => reason);
    assert.instance(error, UsageError, name);
    assert.match((error as Error).message, message);
  }
});

test('from a file, with line breaks anywhere between chunks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-journal-'));
  try {
    const file = join(folder, 'j.ndjson');
    const lines = whole();
    writeFileSync(file, `${lines.join('\n')}\n`);
    assert.is((await readJournalFile(file, 'j')).end.line, lines.length);
    writeFileSync(file, lines.join('\n'));
    assert.is((await readJournalFile(file, 'j')).end.line, lines.length);
    await refuses(join(folder, 'missing.ndjson'), /missing: cannot be read: ENOENT/, 'missing');
    await refuses(folder, /folder: cannot be read: EISDIR/, 'folder');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function refuses(path: string, message: RegExp, name: string): Promise<void> {
  let text = '';
  try {
    await readJournalFile(path, name);
  } catch (error) {
    text = (error as Error).message;
  }
  assert.match(text, message);
}

test('an hour of frames is read and judged within a few seconds', async () => {
  const journal = new JournalBuilder();
  for (const name of ['a', 'b', 'c']) journal.oldPod(name);
  journal.endpoints(-500, { a: 'ready', b: 'ready', c: 'ready' });
  const lines = journal.lane('new', { durationMs: 1000 }).lines();
  const frame = JSON.parse(lines.find((line) => line.includes('"type":"frame"')) as string);
  const hour = repeatFrames(lines, frame, 36_000);
  const before = process.cpuUsage();
  const read = await readJournal(hour);
  const result = judgeExperiment(read);
  const { user, system } = process.cpuUsage(before);
  assert.is(result.lanes.new?.attempts, 36_000 * 20);
  assert.equal(result.invalid, []);
  // Measured: under a second. Time of the CPU, which a busy machine does not lengthen much.
  assert.ok(user + system < 10_000_000, `${user + system} µs`);
});

/** The same 100 ms again and again: 20 attempts each, all ok. */
function repeatFrames(
  lines: string[],
  frame: { frame: { streams: Record<string, { buckets: unknown[] }> } },
  times: number,
): string[] {
  const head = lines.slice(
    0,
    lines.findIndex((line) => line.includes('"type":"frame"')),
  );
  const frames = Array.from({ length: times }, (_, index) =>
    JSON.stringify({
      ...frame,
      t: 1600 + index * 100,
      frame: {
        ...frame.frame,
        seq: index + 1,
        atMs: (index + 1) * 100,
        streams: {
          new: {
            buckets: [{ i: index, sent: 20, shed: 0, outcomes: { ok: 20 }, maxMs: 1 }],
            failures: [],
            intervals: [],
          },
        },
      },
    }),
  );
  const tail = lines
    .filter((line) => line.includes('"type":"stream-end"'))
    .map((line) => {
      const record = JSON.parse(line);
      const attempts = times * 20;
      Object.assign(record, { t: 1700 + times * 100 });
      Object.assign(record.end, {
        scheduled: attempts,
        attempts,
        outcomes: { ok: attempts },
        connectionsOpened: attempts,
        durationMs: times * 100,
      });
      return JSON.stringify(record);
    });
  const records = head.length + frames.length + tail.length + 1;
  const end = { type: 'end', t: 2000 + times * 100, status: 'complete', truncated: false, records };
  return [...head, ...frames, ...tail, JSON.stringify(end)];
}

const golden = new URL('../data/golden/', import.meta.url).pathname;
for (const file of readdirSync(golden).filter((name) => /^journal-v\d+.*\.ndjson$/.test(name))) {
  test(`golden journal ${file} stays readable, and is judged as it was`, async () => {
    const result = judgeExperiment(await readJournalFile(join(golden, file), file));
    const expected = JSON.parse(
      readFileSync(join(golden, file.replace(/\.ndjson$/, '.expected.json')), 'utf8'),
    );
    const lanes = Object.fromEntries(
      Object.entries(result.lanes).map(([lane, { attempts, lost, causes }]) => [
        lane,
        { attempts, lost, causes },
      ]),
    );
    assert.equal({ variant: result.variant, valid: result.valid, lanes }, expected);
  });
}

test('without knowing the routes a journal of the embedded cluster is judged alike', async () => {
  const journal = await readJournalFile(join(golden, 'journal-v1-embedded-baseline.ndjson'));
  const knowing = judgeExperiment(journal).lanes.new;
  const blind = judgeExperiment(journal, { ignoreRouteKnowledge: true }).lanes.new;
  const sorted = (causes: object | undefined) => Object.keys(causes ?? {}).sort();
  assert.equal(sorted(blind?.causes), sorted(knowing?.causes));
  for (const [cause, lost] of Object.entries(knowing?.causes ?? {})) {
    const other = blind?.causes[cause as keyof typeof blind.causes] ?? 0;
    // Which pod was asked is worked out from likelihoods then: a tenth of all losses may change sides.
    assert.ok(Math.abs(other - lost) <= (knowing?.lost ?? 0) / 10, `${cause}: ${lost} and ${other}`);
  }
});

test.run();
