// The scripts behind `npm run`: help is told, and a wrong flag is a sentence with exit code 4, before anything is done.
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Ended, root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('scripts', { timeoutMs: 90_000 });
const names = [
  'bench',
  'build',
  'config-schema',
  'conform',
  'connections',
  'fidelity',
  'nightly',
  'routing-lag',
  'scenarios',
  'test',
  'truth',
];

function script(name: string, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['scripts/start.mjs', `scripts/${name}.ts`, ...args], { cwd: root });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
}

test('--help says what there is', async () => {
  const { code, stdout } = await script('conform', '--help');
  assert.is(code, 0);
  assert.match(stdout, /^Usage: conform .*\n\n/);
});

const nowhere = join(tmpdir(), 'rollproof-no-such-folder');
const wrong: [string, string[], RegExp][] = [
  ...names.map((name): [string, string[], RegExp] => [
    name,
    ['--no-such-flag'],
    /unknown option '--no-such-flag'/,
  ]),
  [
    'bench',
    ['--only', 'kept,odd'],
    /^bench: .* There is no "odd"; there are kept, new, open, http2, grpc, websocket\./,
  ],
  ['conform', ['--jobs', '99', 'x'], /^conform: .* It must be a whole number from 1 to 16\./],
  ['conform', [nowhere], /^conform: there is no file /],
  ['scenarios', [nowhere], /^scenarios: .*results\.json is not there/],
];
// One test each: the limit is that of one start, however many rows the table has.
for (const [name, args, expected] of wrong) {
  const what = `${name} ${args.join(' ')}`;
  test(`${what}: one sentence, not a stack, and exit code 4`, async () => {
    const { code, stderr } = await script(name, ...args);
    assert.is(code, 4, stderr);
    // The nightly run names the command that it starts.
    assert.match(stderr.replace(/^rollproof verify .*\nerror: /, ''), expected);
    assert.not.match(stderr, /^ {4}at /m);
  });
}

test('the nightly run hands on what is not its own', async () => {
  const { code, stderr } = await script(
    'nightly',
    'routing-lag',
    '--repeat',
    '3',
    '--profile',
    'quick',
    '--config',
    'no-such.yaml',
  );
  assert.is(code, 4, stderr);
  assert.match(
    stderr,
    /^rollproof verify --profile quick --cluster kind .* --repeat 3 --config no-such\.yaml\n/,
  );
  assert.match(stderr, /no-such\.yaml/);
});

test.run();
