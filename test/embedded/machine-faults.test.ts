// What the machine refuses (files, output, folders) is a sentence with the path and what to do, never a stack.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inTemporaryFolder, root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('faults of the machine', { timeoutMs: 70_000 });
const onLinux = existsSync('/proc/self/limits') ? undefined : 'needs /proc';

/** A line for sh, with $R as the command. */
function shell(line: string, folder = '') {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    env: {
      ...process.env,
      F: folder,
      A: join(folder, 'a'),
      R: `${process.execPath} ${join(root, 'scripts', 'rollproof.mjs')}`,
    },
  });
  return { status, stdout, stderr };
}

const verify = '$R verify --cluster embedded --scenario image-change';

const readOnly = "mkdir $F/ro && mount -t tmpfs -o ro tmpfs $F/ro || exit 99; trap 'umount -l $F/ro' EXIT";
const onlyRoot = process.geteuid?.() === 0 ? undefined : 'only root may mount';

/** $A: the folder for results, $F: one that is there. */
const rows: readonly [name: string, line: string, sentence: RegExp, skip?: string | undefined][] = [
  [
    'too few open files to load the program',
    `ulimit -n 64; ${verify} --out $A`,
    /allows 64 open files, and rollproof needs at least 256/,
  ],
  [
    'too few open files for the load',
    `ulimit -n 600; ${verify} --rate 2000 --out $A`,
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
  [
    'no room for temporary files',
    `TMPDIR=/proc ${verify} --out $A`,
    /^\/proc: 0 bytes are free there, and temporary files need at least \d+ MB/m,
  ],
  [
    'no folder for temporary files',
    `TMPDIR=$F/none ${verify} --out $A`,
    /none: temporary files go there, and there is no such folder\. Name another/,
  ],
  [
    'a file for temporary files',
    `TMPDIR=/dev/null ${verify} --out $A`,
    /^\/dev\/null: temporary files go there, and it is a file\. Name another/m,
  ],
  [
    'a file system for results that is read-only',
    `${readOnly}; ${verify} --out $F/ro/x`,
    /^results .*\/ro: the file system is read-only \(EROFS; .*\)\. Name a folder that can be written to/m,
    onlyRoot,
  ],
  [
    'a file system for temporary files that is read-only',
    `${readOnly}; TMPDIR=$F/ro ${verify} --out $A`,
    /^temporary files .*\/ro: the file system is read-only \(EROFS; .*\)\. Name a folder that can be written to/m,
    onlyRoot,
  ],
];

for (const [name, line, sentence, skip] of rows) {
  test(
    `${name}: one sentence, exit code 3, and nothing is started`,
    () =>
      inTemporaryFolder(async (folder) => {
        const { status, stderr } = shell(line, folder);
        assert.is(status, 3, stderr);
        assert.match(stderr, sentence);
        assert.not.match(stderr, /fault of rollproof|\n {4}at /);
        assert.not(existsSync(join(folder, 'a')));
      }),
    { skip: onLinux ?? skip },
  );
}

test('a reader that goes early is no fault', () => {
  const { status, stderr } = shell('set -o pipefail; $R list | head -1 > /dev/null');
  assert.is(status, 0, stderr);
});

test.run();
