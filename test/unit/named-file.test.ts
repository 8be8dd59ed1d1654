// A file that a user names is read, or refused with a reason in bounded time and memory: whichever of our ways reads it.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import { readResultsFile } from '../../harness/commands/results-file.ts';
import { loadConfiguration, loadGate } from '../../harness/config/load.ts';
import { definitionsIn } from '../../harness/deploy/entries/gateway-api.ts';
import { readManifestFiles } from '../../harness/deploy/read-manifests.ts';
import { exportedConfig, readKubeconfig } from '../../harness/kube/exported.ts';
import { UsageError } from '../../harness/model/errors.ts';
import { readNamedText, UnreadableError } from '../../harness/model/named-file.ts';
import { readHistory } from '../../harness/run/history.ts';
import { root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('a file that is named', {
  skip: process.platform === 'linux' ? undefined : 'pipes and /dev/zero as Linux has them',
});

const folder = mkdtempSync(join(tmpdir(), 'rollproof-named-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'text');
writeFileSync(file, 'text');

/** The reason; what is read is a reason, too, as "read: …". */
function reason(act: () => unknown): string {
  try {
    return `read: ${String(act())}`;
  } catch (error) {
    return (error as Error).message;
  }
}

test('what it is, and what it is not', () => {
  const large = join(folder, 'large');
  writeFileSync(large, '12345678');
  const rows: [name: string, mostBytes: number | undefined, expected: string][] = [
    [file, undefined, 'read: text'],
    [folder, undefined, 'is a folder, not a file'],
    [join(folder, 'none'), undefined, 'there is no such file'],
    [join(file, 'below'), undefined, 'cannot be read (ENOTDIR)'],
    ['/dev/null', undefined, 'read: '],
    ['/dev/zero', undefined, 'is a device or a socket, not a file'],
    ['/dev/random', undefined, 'is a device or a socket, not a file'],
    [large, 8, 'read: 12345678'],
    [large, 7, 'has 8 bytes, and at most 7 are read'],
  ];
  for (const [name, mostBytes, expected] of rows)
    assert.is(
      reason(() => readNamedText(name, mostBytes)),
      expected,
      name,
    );
});

function pipe(name: string): string {
  const path = join(folder, name);
  assert.is(spawnSync('mkfifo', [path]).status, 0);
  return path;
}

test('a pipe: what is written into it, as slowly as it comes; one into which nobody writes is told', () => {
  const slow = pipe('slow');
  const writer = spawn('sh', ['-c', `(printf one; sleep 0.3; printf two) > ${slow}`], { stdio: 'ignore' });
  assert.is(readNamedText(slow), 'onetwo');
  writer.unref();
  const endless = pipe('endless');
  const zeros = spawn('sh', ['-c', `cat /dev/zero > ${endless}`], { stdio: 'ignore' });
  assert.is(
    reason(() => readNamedText(endless, 1_000_000)),
    'has more than the 1000000 bytes that are read',
  );
  zeros.unref();
  const from = performance.now();
  assert.is(
    reason(() => readNamedText(pipe('nobody'))),
    'nobody wrote into this pipe within 5 s',
  );
  assert.ok(performance.now() - from < 15_000);
});

test('a kubeconfig by a pipe, which can be read once, with a token’s file relative to it', () => {
  const text = JSON.stringify({
    clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:1' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    users: [{ name: 'u', user: { tokenFile: 'token' } }],
    'current-context': 'x',
  });
  writeFileSync(join(folder, 'token'), 'secret');
  writeFileSync(join(folder, 'written'), text);
  const path = pipe('kubeconfig');
  const writer = spawn('sh', ['-c', `cat ${join(folder, 'written')} > ${path}`], { stdio: 'ignore' });
  const config = new KubeConfig();
  const read = readKubeconfig(config, path);
  writer.unref();
  assert.is(config.getCurrentContext(), 'x');
  assert.match(exportedConfig(config, read), join(folder, 'token'));
});

test('KUBECONFIG with a pipe in it, as of <(kind get kubeconfig), beside a file', () => {
  const one = (name: string) =>
    JSON.stringify({
      clusters: [{ name, cluster: { server: `http://127.0.0.1:1/${name}` } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      users: [{ name, user: { tokenFile: 'token' } }],
      'current-context': name,
    });
  writeFileSync(join(folder, 'first'), one('first'));
  writeFileSync(join(folder, 'second'), one('second'));
  const path = pipe('listed');
  const writer = spawn('sh', ['-c', `cat ${join(folder, 'first')} > ${path}`], { stdio: 'ignore' });
  const { KUBECONFIG: before } = process.env;
  process.env.KUBECONFIG = `${join(folder, 'gone')}::${path}:${join(folder, 'second')}`;
  try {
    const config = new KubeConfig();
    const read = readKubeconfig(config, undefined);
    assert.is(config.getCurrentContext(), 'first');
    assert.equal(
      config.getContexts().map(({ name }) => name),
      ['first', 'second'],
    );
    assert.match(exportedConfig(config, read), join(folder, 'token'));
    process.env.KUBECONFIG = '/dev/zero';
    assert.is(
      reason(() => readKubeconfig(new KubeConfig(), undefined)),
      '/dev/zero: is a device or a socket, not a file',
    );
  } finally {
    writer.unref();
    if (before === undefined) delete process.env.KUBECONFIG;
    else process.env.KUBECONFIG = before;
  }
});

test('a device, a folder and a file that is not there, wherever a file may be named', () => {
  const readers: Record<string, (name: string) => unknown> = {
    '--config': (name) => loadConfiguration(name, folder),
    '--gate': (name) => loadGate(name, folder),
    '--history': (name) => readHistory(name),
    '--gateway-api': (name) => definitionsIn(name),
    'target.manifests': (name) => readManifestFiles(name),
    compare: (name) => readResultsFile(name),
    '--kubeconfig': (name) => readKubeconfig(new KubeConfig(), name),
  };
  mkdirSync(join(folder, 'empty'), { recursive: true });
  for (const [what, read] of Object.entries(readers)) {
    for (const name of ['/dev/zero', join(folder, 'empty'), join(folder, 'none')]) {
      if (what === '--history' && name.endsWith('none')) continue;
      let error: unknown;
      try {
        read(name);
      } catch (thrown) {
        error = thrown;
      }
      const sentence = `${what} ${name}: ${String(error)}`;
      assert.ok(error instanceof UsageError || error instanceof UnreadableError, sentence);
      assert.match(sentence, /is a device|is a folder|there is no such file|has no /, sentence);
    }
  }
});

test('what reads the flags, the configuration and the cluster’s files reads by this alone', () => {
  // Files of rollproof's own, and what was looked at before by one of these.
  const own = /^(commands\/check(-files)?\.ts|config\/json-schema\.ts)$/;
  const past = ['commands', 'config', 'kube']
    .flatMap((room) =>
      readdirSync(join(root, 'harness', room), { recursive: true, encoding: 'utf8' }).map((name) =>
        join(room, name),
      ),
    )
    .filter((name) => name.endsWith('.ts') && !own.test(name))
    .filter((name) => /\breadFileSync\(/.test(readFileSync(join(root, 'harness', name), 'utf8')))
    .map((name) => relative('.', name));
  assert.equal(past, [], 'use readNamedFile (harness/model/named-file.ts)');
});

test.run();
