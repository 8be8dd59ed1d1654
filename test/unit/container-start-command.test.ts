// The command that starts a container: what a shell would drop of its environment reaches the program.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import * as assert from 'uvu/assert';
import { type Place, startCommand } from '../../emulator/node/isolation/place.ts';
import { suite } from '../suite.ts';

const test = suite('the command that starts a container');

test('names of variables that are no shell’s, one that looks like an option among them', async () => {
  const env = { PATH: '/usr/bin:/bin', '-x': 'b', 'data-1': 'a', 'spring.profiles.active': "c 'd'" };
  const place = { programs: { sh: '/bin/sh', env: '/usr/bin/env' } } as unknown as Place;
  const [program = '', ...args] = startCommand(place, '/', ['env'], env);
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  const go = child.stdio[3] as NodeJS.WritableStream;
  go.end('go\n');
  const said = (await text(child.stdout!)).split('\n');
  for (const [name, value] of Object.entries(env)) assert.ok(said.includes(`${name}=${value}`), name);
});

test.run();
