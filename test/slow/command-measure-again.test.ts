// What is looked at before a run is judged: a journal that cannot be read must not take the others' evidence with it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { ExperimentKey, RunContext } from '../../harness/run/experiment/index.ts';
import type { Ran } from '../../harness/run/experiments.ts';
import { measureAgain } from '../../harness/run/measure-again.ts';
import { JournalBuilder } from '../data/journal-builder.ts';
import { inTemporaryFolder } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('verify: what is measured again');

const ranAs = (name: string, journal: string): Ran => ({
  key: { scenario: { id: 's' }, variant: { name } } as ExperimentKey,
  journal,
  outcome: { status: 'complete' },
});

test('a journal that cannot be read is a failed experiment, the others stay', () =>
  inTemporaryFolder(async (out) => {
    const lines = new JournalBuilder().lane('new').lines();
    writeFileSync(join(out, 'good.ndjson'), `${lines.join('\n')}\n`);
    writeFileSync(join(out, 'cut.ndjson'), `${lines.slice(0, -1).join('\n')}\n{"type":`);
    const first = {
      ran: [ranAs('baseline', 'good.ndjson'), ranAs('hardened', 'cut.ndjson')],
      removed: Promise.resolve(),
      remaining: [],
      loadMs: 1,
    };
    const run = { signal: new AbortController().signal } as RunContext;
    const notes: string[] = [];
    const progress = {
      stage: () => Promise.reject(new Error('nothing to do')),
      note: (text: string) => void notes.push(text),
    };
    const { ran, again } = await measureAgain(run, first, { times: 1, out, progress });
    assert.equal([ran[0]?.journal, ran[0]?.outcome.status], ['good.ndjson', 'complete']);
    assert.equal([ran[1]?.journal, ran[1]?.outcome.status], [undefined, 'faulted']);
    assert.match(ran[1]?.outcome.reason ?? '', /left a journal that cannot be read: .*cut\.ndjson: line \d+/);
    assert.equal([again.length, notes.length], [0, 0]);
  }));

test.run();
