// What the text of a container's command and of its hook says: whether a shell keeps signals from the app, whether the hook
// stops the server.
import * as assert from 'uvu/assert';
import { behindShell, perhapsBehindShell } from '../../harness/model/pid-one.ts';
import { readPreStop, stopsServerAtOnce } from '../../harness/model/prestop.ts';
import { suite } from '../suite.ts';

const test = suite('text of shells');

/** The script, what it runs behind the shell under sh and under bash; undefined: nothing, or it cannot be told. */
const scripts: readonly [script: string, sh: string | undefined, bash: string | undefined][] = [
  ['echo hi; node app.js; echo bye', 'node app.js', 'node app.js'],
  // bash puts the last command in its place.
  ['cd /app && node app.js', 'node app.js', undefined],
  ['cd /app && node app.js > /log', 'node app.js > /log', 'node app.js > /log'],
  ['export A=1\nnode app.js', 'node app.js', undefined],
  ['node app.js & wait', 'node app.js', 'node app.js'],
  ['node app.js | tee /log', 'node app.js', 'node app.js'],
  ['java -jar app.jar || exit 1', 'java -jar app.jar', 'java -jar app.jar'],
  ['if [ -f /env ]; then . /env; fi; node app.js', 'node app.js', undefined],
  // What is quoted is no operator, and what only ends something is no app.
  ['nginx -g "daemon off;"', undefined, undefined],
  ["node -e 'a(); b() | c'", undefined, undefined],
  ['if [ -n "$X" ]; then node a.js; else node b.js; fi', undefined, undefined],
  ['migrate; if true; then node app.js; fi; echo done', 'node app.js', 'node app.js'],
  ['exec node app.js', undefined, undefined],
  ['trap "kill $p" TERM; node app.js & p=$!; wait $p', undefined, undefined],
];
for (const [script, sh, bash] of scripts)
  test(`behind a shell: ${script}`, () => {
    assert.equal([behindShell(script, 'sh')?.running, behindShell(script, '/bin/bash')?.running], [sh, bash]);
  });

test('a single command: beside it the shell goes on in dash, and in bash where output is redirected', () => {
  const perhaps = (script: string) => [perhapsBehindShell(script, 'sh'), perhapsBehindShell(script, 'bash')];
  assert.equal(perhaps('node app.js'), ['node app.js', undefined]);
  assert.equal(perhaps('nginx -g "daemon off;"'), ['nginx -g "daemon off;"', undefined]);
  assert.equal(perhaps('node app.js > /log 2>&1'), ['node app.js > /log 2>&1', 'node app.js > /log 2>&1']);
  for (const other of [
    'exec node app.js',
    'tini -- node app.js',
    'sleep 5',
    'a; b',
    'node app.js & wait',
    '(node app.js)',
    '',
  ])
    assert.equal(perhaps(other), [undefined, undefined], other);
});

const stops = [
  'kill 1',
  'kill 1 && sleep 5',
  'kill -TERM 1; sleep 5',
  'kill -HUP 1; kill -TERM 1',
  'kill -WINCH 1',
  'killall5 -15',
  'nginx -s quit; sleep 5',
];
const others = [
  'kill -1 1',
  'kill -HUP 1',
  'kill -s HUP 1',
  'kill -0 1; echo',
  'sleep 5; kill 1',
  'sleep 5 && kill 1',
  'nginx -s reload',
];
for (const script of [...stops, ...others])
  test(`hook: ${script}`, () => {
    const hook = readPreStop({ exec: { command: ['sh', '-c', script] } });
    assert.is(hook && stopsServerAtOnce(hook), stops.includes(script) ? script : undefined);
  });

test.run();
