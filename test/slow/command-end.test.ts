// The end of the process: nobody waits for what a command forgot to close, and it is told.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { runToExit } from '../../harness/exec/command.ts';
import { root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('end of a command');

const commandThat = (body: string) => `
import { Command } from 'commander';
const { runProgram } = await import('${pathToFileURL(join(root, 'harness', 'commands', 'program.ts'))}');
await runProgram(new Command('rollproof'), (program) => {
  program.command('go').action(() => { console.log('the answer'); ${body} });
});
`;

const run = (body: string) =>
  runToExit(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', commandThat(body), '--', 'x', 'go'],
    { limitMs: 15_000, cwd: root },
  );

test('what was left open is closed and told; the exit code stays', async () => {
  const left = await run('setInterval(() => {}, 1000); setInterval(() => {}, 1000); process.exitCode = 2;');
  assert.equal([left.code, left.stdout], [2, 'the answer\n'], left.stderr);
  assert.match(left.stderr, /^rollproof: something was still open 2 s after the end \([^)]*2 Timeout[^)]*\)/);
  const closed = await run('');
  assert.equal(closed, { code: 0, stdout: 'the answer\n', stderr: '' });
});

test.run();
