// How an experiment ends, whatever went wrong on the way: always an outcome with a reason, never an error beside it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { FaultError, InterruptedError } from '../../harness/model/errors.ts';
import { Lifetime } from '../../harness/model/lifetime.ts';
import { StorageError } from '../../harness/model/system-error.ts';
import { createJournalWriter, type JournalWriter } from '../../harness/record/journal-writer.ts';
import { finish, limitWhole } from '../../harness/run/experiment/finish.ts';
import { suite } from '../suite.ts';

const test = suite('end of an experiment');
const times = () => ({ totalMs: 5, loadMs: 3 });

function writer(endFails?: Error) {
  const written: unknown[] = [];
  const journal: JournalWriter = {
    nowMs: () => 0,
    truncated: false,
    write: (record) => void written.push(record),
    async end(end) {
      written.push(end);
      if (endFails) throw endFails;
    },
  };
  return { journal, written };
}

const refusedUndo = (life: Lifetime) =>
  life.defer('uncordon node worker-2', () => {
    throw new Error('forbidden');
  });

test('the first error is the reason; what came after it is told, and alone it is a fault', async () => {
  const rows: [what: string, failure: unknown, undoFails: boolean, expected: object][] = [
    ['nothing', undefined, false, { status: 'complete' }],
    [
      'an undo',
      undefined,
      true,
      { status: 'faulted', reason: 'Could not uncordon node worker-2: forbidden' },
    ],
    ['a fault', new FaultError('the agent died'), false, { status: 'faulted', reason: 'the agent died' }],
    ['a fault, then an undo', new FaultError('it died'), true, { status: 'faulted', reason: 'it died' }],
    [
      'Ctrl-C, then an undo',
      new InterruptedError(),
      true,
      { status: 'interrupted', reason: 'interrupted before the end' },
    ],
  ];
  for (const [what, failure, undoFails, expected] of rows) {
    const { journal, written } = writer();
    const life = new Lifetime();
    if (undoFails) refusedUndo(life);
    assert.equal(await finish(life, journal, failure, times), expected, what);
    const notes = written.filter((one) => (one as { type?: string }).type === 'note');
    assert.is(notes.length, undoFails ? 1 : 0, what);
    assert.equal(written.at(-1), { ...expected, harness: times() }, what);
  }
});

test('a life that was ended by something else has that as its reason, not what was thrown because of it', async () => {
  const { journal } = writer();
  const life = new Lifetime();
  life.fail(new FaultError('the disk is full'));
  const outcome = await finish(life, journal, new Error('This operation was aborted'), times);
  assert.equal(outcome, { status: 'faulted', reason: 'the disk is full' });
});

test('a journal whose end cannot be written is an outcome: nothing that is thrown reaches who runs the others', async () => {
  const full = new StorageError('journal j: the disk is full');
  const rows: [failure: unknown, end: Error, expected: object][] = [
    [undefined, full, { status: 'faulted', reason: full.message, unwritable: true }],
    [undefined, new Error('odd'), { status: 'faulted', reason: 'odd', unwritable: false }],
    [new FaultError('it died'), full, { status: 'faulted', reason: 'it died', unwritable: true }],
    [
      new InterruptedError(),
      full,
      { status: 'interrupted', reason: 'interrupted before the end', unwritable: true },
    ],
  ];
  for (const [failure, end, expected] of rows) {
    const undone: string[] = [];
    const life = new Lifetime();
    life.defer('stop the load', () => void undone.push('load'));
    assert.equal(await finish(life, writer(end).journal, failure, times), expected);
    assert.equal(undone, ['load']);
  }
});

test('the same with a real journal in a folder that goes while it is written', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-end-'));
  const journal = createJournalWriter(join(folder, 'j.ndjson'));
  journal.write({ type: 'note', level: 'info', text: 'a' });
  await sleep(50);
  rmSync(folder, { recursive: true });
  const { status, reason, unwritable } = await finish(new Lifetime(), journal, undefined, times);
  assert.is(status, 'faulted');
  assert.match(reason ?? '', /j\.ndjson: it is gone/);
  assert.is(unwritable, true);
});

test('the limit that is named is the one that ends it', async () => {
  const limits: { ms: number; error: Error }[] = [];
  const life = new Lifetime();
  life.limit = (ms, error) => void limits.push({ ms, error });
  limitWhole(life, 300_000, 120_000);
  assert.is(limits[0]?.ms, 420_000);
  assert.is(
    limits[0]?.error.message,
    'The experiment did not end within 420 s: 300 s of its scenario (limitMs) and 120 s to begin and end.',
  );
  await life.end();
});

test.run();
