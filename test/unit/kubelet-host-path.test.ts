import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { isNodesOwn } from '../../emulator/api/host-path.ts';
import { hostPlace, prepareHostPath } from '../../emulator/node/host-path.ts';
import { suite } from '../suite.ts';

const test = suite('kubelet: hostPath');
const missing = '/tmp/rollproof-test-nobody-has-this';

async function withFolder(use: (folder: string) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-host-path-'));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("what is below /tmp is the node's own", () => {
  const table: [path: string, own: boolean][] = [
    ['/tmp/a', true],
    ['/tmp//a/b/', true],
    ['/tmp', false],
    ['/tmp/', false],
    ['/tmp/../etc', false],
    ['/tmpfile', false],
    ['/etc', false],
  ];
  for (const [path, own] of table) assert.is(isNodesOwn(path), own, path);
});

test('by type: made where it may be, and refused in the words of the kubelet', () =>
  withFolder((folder) => {
    const own = hostPlace(folder, missing);
    assert.equal(own, { path: join(folder, missing), own: true });
    const failed = (why: string) => `hostPath type check failed: ${missing} ${why}`;
    assert.is(prepareHostPath(own, missing, 'Directory'), failed('is not a directory'));
    assert.is(prepareHostPath(own, missing, 'File'), failed('is not a file'));
    assert.not(existsSync(own.path));
    assert.is(prepareHostPath(own, missing, 'DirectoryOrCreate'), undefined);
    assert.ok(statSync(own.path).isDirectory());
    assert.not(existsSync(missing), 'nothing of this machine changes');
    for (const type of ['', 'Directory', 'DirectoryOrCreate']) {
      assert.is(prepareHostPath(own, missing, type), undefined, type);
    }
    assert.is(prepareHostPath(own, missing, 'FileOrCreate'), failed('is not a file'));
    const file = hostPlace(folder, `${missing}/file`);
    assert.is(prepareHostPath(file, `${missing}/file`, 'FileOrCreate'), undefined);
    assert.ok(statSync(file.path).isFile());
  }));

test("what this machine has is this machine's", () =>
  withFolder((folder) => {
    const there = join(folder, 'there');
    mkdirSync(there);
    writeFileSync(join(there, 'file'), '');
    assert.equal(hostPlace(join(folder, 'node'), there), { path: there, own: false });
    assert.is(prepareHostPath({ path: there, own: false }, there), undefined);
    assert.is(
      prepareHostPath({ path: '/nobody/has/this', own: false }, '/nobody/has/this'),
      'hostPath type check failed: /nobody/has/this is not there',
    );
  }));

test.run();
