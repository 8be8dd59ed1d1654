// What the machine refuses (files, output, folders) is a sentence with the path and what to do, never a stack.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inTemporaryFolder, root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('faults of the machine', { timeoutMs: 180_000 });
const onLinux = existsSync('/proc/self/limits') ? undefined : 'needs /proc';

/** A line for sh, with $R as the command. */
function shell(line: string) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, R: `${process.execPath} ${join(root, 'scripts', 'rollproof.mjs')}` },
  });
  return { status, stdout, stderr };
}

const verify = '$R verify --cluster embedded --scenario image-change';

test(
  'each is one sentence, exit code 3, before anything is started',
  () =>
    inTemporaryFolder(async (folder) => {
      const rows: [name: string, line: string, sentence: RegExp][] = [
        [
          'too few open files to load the program',
          `ulimit -n 64; ${verify} --out ${folder}/a`,
          /allows 64 open files, and rollproof needs at least 256/,
        ],
        [
          'too few open files for the load',
          `ulimit -n 600; ${verify} --rate 2000 --out ${folder}/a`,
          /allows 600 open files, and the run needs \d{4,}\. Raise the limit/,
        ],
        ['output full', '$R list > /dev/full', /standard output cannot be written to: ENOSPC/],
        [
          'a file where a folder should be',
          `${verify} --out /dev/null/x`,
          /^rollproof: \/dev\/null\/x: a part of the path is a file/m,
        ],
        [
          'no room for results',
          `${verify} --out /proc/x`,
          /proc\/x: 0 bytes are free there, and results need at least/,
        ],
      ];
      for (const [name, line, sentence] of rows) {
        const { status, stderr } = shell(line);
        assert.is(status, 3, `${name}: ${stderr}`);
        assert.match(stderr, sentence, name);
        assert.not.match(stderr, /fault of rollproof|\n {4}at /, name);
        assert.not(existsSync(join(folder, 'a')), name);
      }
    }),
  { skip: onLinux },
);

test('a reader that goes early is no fault', () => {
  const { status, stderr } = shell('set -o pipefail; $R list | head -1 > /dev/null');
  assert.is(status, 0, stderr);
});

test.run();
