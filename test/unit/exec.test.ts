import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { CommandError, runSync, runToExit } from '../../harness/exec/command.ts';
import { identify } from '../../harness/exec/process-identity.ts';
import { startProgram } from '../../harness/exec/program.ts';
import { openKubectl } from '../../harness/kube/kubectl.ts';
import { InterruptedError } from '../../harness/model/errors.ts';
import { suite } from '../suite.ts';

const test = suite('programs');
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Runs before the packages are installed that harness/exec needs. */
const exempt = join('scripts', 'start.mjs');

test('no file of the harness and no script starts a program but by harness/exec', () => {
  const files = ['harness', 'scripts']
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.[mc]?[jt]s$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  assert.ok(files.length > 100, `only ${files.length} files were looked at`);
  const starts = /['"](node:)?child_process['"]|['"]node:cluster['"]|['"]execa['"]/;
  const past = files
    .filter((file) => starts.test(readFileSync(file, 'utf8')))
    .map((file) => relative(root, file))
    .filter((file) => !file.startsWith('harness/exec/') && file !== exempt);
  assert.equal(past, [], 'start programs by harness/exec/command.ts or harness/exec/program.ts');
});

test('an exit code is an answer where it is asked for; no end of its own is not', async () => {
  const script = (text: string) => ['-c', text];
  const { code, stdout, stderr } = await runToExit('sh', script('echo out; echo err >&2; exit 7'), {
    limitMs: 5000,
  });
  assert.equal([code, stdout, stderr], [7, 'out\n', 'err\n']);
  const ends: [string, string, number, unknown][] = [
    ['sh', 'sleep 60', 200, 'timeout'],
    ['sh', 'kill -9 $$', 5000, 'SIGKILL'],
    ['no-such-program', '', 5000, 'not-found'],
  ];
  for (const [file, text, limitMs, end] of ends) {
    const error = await failure(runToExit(file, script(text), { limitMs }));
    assert.is((error as CommandError).end, end);
  }
});

test('a variable can be taken away from the environment', async () => {
  const { stdout } = await runToExit('sh', ['-c', 'echo "[$HOME] [$ONE]"'], {
    limitMs: 5000,
    env: { HOME: undefined, ONE: '1' },
  });
  assert.is(stdout, '[] [1]\n');
});

test('a program that is waited for without a pause has a limit, too', () => {
  assert.is(runSync('sh', ['-c', 'echo here'], { limitMs: 5000 }).stdout, 'here\n');
  for (const [args, limitMs, end] of [
    [['-c', 'exit 3'], 5000, 3],
    [['-c', 'exec sleep 60'], 200, 'timeout'],
  ] as const) {
    try {
      runSync('sh', args, { limitMs });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, CommandError);
      assert.is((error as CommandError).end, end);
    }
  }
});

test('a program beside us: lines come, input goes in, its end is told', async () => {
  const lines: string[] = [];
  const program = startProgram(
    'sh',
    ['-c', 'while read -r line; do echo "got $line"; done; echo over >&2; exit 4'],
    {
      onLine: (line) => lines.push(line),
    },
  );
  program.write('one');
  program.write('two');
  const { how, stdout, stderr } = await program.stop(undefined, 5000);
  assert.equal(lines, ['got one', 'got two']);
  assert.equal([how, stdout, stderr], ['ended with 4', 'got one\ngot two', 'over']);
  program.write('after its end');
  assert.match((await startProgram('no-such-program', []).ended).how, /^could not be started: .*ENOENT/);
});

test('a program that does not heed is killed after its grace, with all that it has started', async () => {
  let grandchild = 0;
  const program = startProgram('sh', ['-c', 'trap "" TERM; sleep 60 & echo $!; wait; sleep 60'], {
    onLine: (line) => {
      grandchild = Number(line);
    },
  });
  for (let tries = 0; grandchild === 0 && tries < 200; tries++) await sleep(10);
  const { how } = await program.stop('SIGTERM', 100);
  assert.is(how, 'was ended by SIGKILL');
  for (let tries = 0; identify(grandchild) && tries < 100; tries++) await sleep(20);
  assert.is(identify(grandchild), undefined);
});

test("kubectl keeps the user's HOME for login plugins; its cache and the kubeconfig are ours, and go", async () => {
  await withKubectl('echo "$HOME|$KUBECONFIG|$*"', async (folder) => {
    const kubectl = openKubectl('the kubeconfig', 'ns');
    const { out } = await kubectl.run(['get', 'pods']);
    const [home, config = '', args] = out.trim().split('|');
    assert.is(home, process.env.HOME);
    assert.is(readFileSync(config, 'utf8'), 'the kubeconfig');
    assert.is(args, `--cache-dir ${join(dirname(config), 'cache')} --namespace ns get pods`);
    await kubectl[Symbol.asyncDispose]();
    assert.not(existsSync(dirname(config)));
    assert.ok(existsSync(folder));
  });
});

test('kubectl that is stopped is told as that, not as an exit code', async () => {
  await withKubectl('[ "$5" = fail ] && exit 1; exec sleep 60', async () => {
    const controller = new AbortController();
    const kubectl = openKubectl('', 'ns', controller.signal, 300);
    assert.is((await kubectl.run(['fail'])).code, 1);
    assert.match((await failure(kubectl.run(['hang']))).message, /hang" did not end within 0\.3 s/);
    controller.abort();
    assert.instance(await failure(kubectl.run(['hang'])), InterruptedError);
    await kubectl[Symbol.asyncDispose]();
  });
});

test.run();

/** With a kubectl of ours on the PATH. */
async function withKubectl(script: string, act: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-test-kubectl-'));
  const { PATH } = process.env;
  writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env.PATH = `${folder}:${PATH}`;
  try {
    await act(folder);
  } finally {
    process.env.PATH = PATH;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}
