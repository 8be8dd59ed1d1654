// What ends a cluster or keeps it from starting: every closer runs, limits of the machine are one sentence, work in the
// background never ends the process.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { Lifetime } from '../../emulator/lifetime.ts';
import { tooLittle } from '../../emulator/machine-limits.ts';
import { guarded, inBackground } from '../../emulator/node/background.ts';
import { suite } from '../suite.ts';

const test = suite('emulator lifetime');
const emulator = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'emulator');

test('all closers run in reverse, whichever fails; the first failure is told, to both who close', async () => {
  const lifetime = new Lifetime();
  const closed: string[] = [];
  lifetime.add(() => void closed.push('first'));
  lifetime.add(async () => {
    closed.push('second');
    throw new Error('second failed');
  });
  lifetime.add(() => {
    closed.push('third');
    throw new Error('third failed');
  });
  const ends = await Promise.allSettled([lifetime.close(), lifetime.close()]);
  assert.equal(closed, ['third', 'second', 'first']);
  for (const end of ends) assert.is((end as PromiseRejectedResult).reason.message, 'third failed');
});

test('too few open files or too little memory are said in one sentence each', () => {
  const plenty = { openFiles: 4096, freeMemoryBytes: 8 * 2 ** 30 };
  assert.is(tooLittle(plenty), undefined);
  assert.is(tooLittle({ ...plenty, openFiles: undefined }), undefined);
  assert.match(tooLittle({ ...plenty, openFiles: 64 }) as string, 'ulimit -n');
  assert.match(tooLittle({ ...plenty, freeMemoryBytes: 50 * 2 ** 20 }) as string, '50 MiB of memory');
});

test('work in the background that fails is told', async () => {
  const told: string[] = [];
  inBackground('the sweep', Promise.reject(new Error('no broom')), (text) => told.push(text));
  guarded(
    'the timer',
    () => {
      throw new Error('no bell');
    },
    (text) => told.push(text),
  );
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(told.length, 2);
  assert.match(told[0] as string, 'the timer: Error: no bell');
  assert.match(told[1] as string, 'the sweep: Error: no broom');
});

test('no promise in node/ and proxy/ is left alone by "void"', () => {
  const found: string[] = [];
  for (const room of ['node', 'proxy']) {
    for (const file of readdirSync(join(emulator, room), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      readFileSync(join(emulator, room, file), 'utf8')
        .split('\n')
        .forEach((line, index) => {
          if (/^\s*void\s+\S/.test(line)) found.push(`${room}/${file}:${index + 1}: ${line.trim()}`);
        });
    }
  }
  assert.equal(found, [], 'use inBackground (emulator/node/background.ts)');
});

test.run();
