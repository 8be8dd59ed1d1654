import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { StorageError } from '../../harness/model/system-error.ts';
import { createJournalWriter } from '../../harness/record/journal-writer.ts';
import { suite } from '../suite.ts';

const test = suite('journal writer');

async function inFolder(act: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-journal-'));
  try {
    await act(join(folder, 'j.ndjson'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
const read = (file: string) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const lines = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n');
const note = (text: string) => ({ type: 'note', level: 'info', text }) as const;

test('records are stamped in ms since the start and counted by the end', () =>
  inFolder(async (file) => {
    let now = 5000;
    const journal = createJournalWriter(file, { clock: () => now });
    now += 12.5;
    journal.write(note('a'));
    journal.write({ ...note('b'), t: 3 });
    await journal.end({ status: 'complete' });
    const records = read(file);
    assert.equal(
      records.map((record) => record.t),
      [12.5, 3, 12.5],
    );
    assert.equal([records[2].records, records[2].truncated, records[2].status], [3, false, 'complete']);
  }));

test('each line is sealed over the one before: SHA-256 of its seal and the line without its own', () =>
  inFolder(async (file) => {
    const journal = createJournalWriter(file, { clock: () => 0 });
    journal.write(note('a'));
    journal.write(note('ü – 漢'));
    await journal.end({ status: 'complete' });
    let before = '';
    const found = lines(file);
    assert.is(found.length, 3);
    for (const line of found) {
      const { seal, ...record } = JSON.parse(line);
      before = createHash('sha256')
        .update(before + JSON.stringify(record))
        .digest('hex');
      assert.is(seal, before);
      assert.is(Object.keys(JSON.parse(line)).at(-1), 'seal');
    }
  }));

test('after the bound nothing but the end is written, and the end says so', () =>
  inFolder(async (file) => {
    const journal = createJournalWriter(file, { maxBytes: 300 });
    for (let i = 0; i < 50; i++) journal.write(note('x'.repeat(40)));
    assert.is(journal.truncated, true);
    await journal.end({ status: 'complete' });
    const records = read(file);
    assert.ok(records.length < 10);
    assert.is(records.at(-1).truncated, true);
  }));

test('ending twice writes one end; writing after it writes nothing', () =>
  inFolder(async (file) => {
    const journal = createJournalWriter(file);
    await journal.end({ status: 'faulted', reason: 'r' });
    await journal.end({ status: 'complete' });
    journal.write(note('late'));
    assert.is(read(file).length, 1);
  }));

test('an existing journal is never overwritten', () =>
  inFolder(async (file) => {
    await createJournalWriter(file).end({ status: 'complete' });
    const second = createJournalWriter(file);
    let message = '';
    await second.end({ status: 'complete' }).catch((error: Error) => {
      message = error.message;
    });
    assert.match(message, /EEXIST/);
  }));

test('what cannot be written is said at once and at the end, with the path and what is free; it is never thrown beside', async () => {
  const full = existsSync('/dev/full') ? '/dev/full' : undefined;
  const cases: [file: string, expected: RegExp][] = [
    ...(full
      ? [
          [full, /\/dev\/full: the disk is full \(ENOSPC; .* free at .*\)\. Free some space/] as [
            string,
            RegExp,
          ],
        ]
      : []),
    [join(tmpdir(), 'rollproof-not-there', 'j.ndjson'), /it is not there .*ENOENT; .* free at /],
    [join(import.meta.filename, 'j.ndjson'), /a part of the path is a file \(ENOTDIR/],
  ];
  for (const [file, expected] of cases) {
    const said: string[] = [];
    const journal = createJournalWriter(file, {
      onFailure: (error) => void said.push(error.message),
      flags: 'w',
    });
    journal.write(note('a'));
    await sleep(50);
    journal.write(note('b'));
    const error: unknown = await journal.end({ status: 'complete' }).catch((reason: unknown) => reason);
    assert.instance(error, StorageError, file);
    assert.match((error as Error).message, expected);
    assert.equal(said, [(error as Error).message]);
  }
});

test('a journal that somebody removes while it is written is no journal', () =>
  inFolder(async (file) => {
    const journal = createJournalWriter(file);
    journal.write(note('a'.repeat(200)));
    await sleep(50);
    rmSync(file);
    const error: unknown = await journal.end({ status: 'complete' }).catch((reason: unknown) => reason);
    assert.match(String(error), /it is gone: somebody else removed/);
  }));

test.run();
