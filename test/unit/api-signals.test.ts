// Commands that would signal processes of the machine: refused by the emulated cluster, and no others.
import * as assert from 'uvu/assert';
import { signalsOthers } from '../../emulator/api/validation/signals.ts';
import { unsupportedIn } from '../../emulator/index.ts';
import { suite } from '../suite.ts';

const test = suite('signals of others');

const found: readonly [command: readonly string[], expected: string][] = [
  [['kill', '-QUIT', '1'], 'kill -QUIT 1'],
  [['/bin/kill', '1'], 'kill 1'],
  [['/bin/sh', '-c', 'sleep 5; kill -s TERM 1'], 'kill -s TERM 1'],
  [['sh', '-c', "trap 'kill 1' EXIT; node app.js"], 'kill 1'],
  [['sh', '-c', '(kill -TERM -- 1) && sleep 1'], 'kill -TERM -- 1'],
  [['kill', '-9', '-1'], 'kill -9 -1'],
  [['sh', '-c', 'kill -HUP 7 1'], 'kill -HUP 7 1'],
  [['sh', '-c', 'pkill -TERM gunicorn; sleep 3'], 'pkill -TERM gunicorn'],
  [['/usr/bin/killall', 'nginx'], 'killall nginx'],
  [['sh', '-c', 'kill -QUIT $(pidof nginx)'], 'kill with pidof'],
  [['sh', '-c', 'kill `pgrep -f java`'], 'kill with pgrep'],
  [['sh', '-c', 'pidof nginx | xargs kill -QUIT'], 'xargs kill'],
];
for (const [command, expected] of found)
  test(`refused: ${command.join(' ')}`, () => assert.is(signalsOthers(command), expected));

const harmless: readonly (readonly string[])[] = [
  ['sleep', '1'],
  ['sh', '-c', 'sleep 1'],
  ['sh', '-c', 'node app.js & pid=$!; trap "kill -TERM $pid" TERM; wait'],
  ['sh', '-c', 'kill -1 $pid'],
  ['sh', '-c', 'kill -0 1'],
  ['kill', '-l', '1'],
  ['sh', '-c', 'kill $$'],
  ['sh', '-c', 'kill %1'],
  ['sh', '-c', 'kill 12; sleep 1'],
  ['sh', '-c', 'kill -TERM "$(cat /run/app.pid)"'],
  ['pgrep', 'nginx'],
  ['sh', '-c', 'skill=1; echo $skill 1'],
  ['curl', 'http://localhost/kill/1'],
  ['nginx', '-s', 'quit'],
];
for (const command of harmless)
  test(`taken: ${command.join(' ')}`, () => assert.is(signalsOthers(command), undefined));

test('the field is named, wherever the command stands', () => {
  const container = {
    name: 'app',
    image: 'web:1',
    command: ['sh', '-c', 'pkill node'],
    lifecycle: { preStop: { exec: { command: ['kill', '-QUIT', '1'] } } },
    livenessProbe: { exec: { command: ['killall', '-0', 'nginx'] } },
  };
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { template: { spec: { containers: [container] } } },
  };
  const why = (field: string, command: string) =>
    `spec.template.spec.containers[0].${field}: unsupported, pods see the processes of this machine, and "${command}" would reach those of others`;
  assert.equal(unsupportedIn(object as never, { volumes: true, names: true }), [
    why('command', 'pkill node'),
    why('lifecycle.preStop.exec.command', 'kill -QUIT 1'),
    why('livenessProbe.exec.command', 'killall -0 nginx'),
  ]);
});

test.run();
