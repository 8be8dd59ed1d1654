// The shell code that makes a container's file system.
import * as assert from 'uvu/assert';
import { rootScript } from '../../emulator/node/isolation/container-root.ts';
import type { Programs } from '../../emulator/node/isolation/programs.ts';
import { suite } from '../suite.ts';

const test = suite('container root');
const programs = { mount: 'mount', chroot: 'chroot', sh: 'sh' } as unknown as Programs;
const points = ['/', '/proc', '/dev', '/dev/pts', '/run', '/run/docker/netns/abc', '/home'];
const script = (target: string) =>
  rootScript(
    {
      top: '/t',
      shown: [],
      mounts: [{ source: '/v', target, readOnly: true, file: false }],
    },
    programs,
    '/pid-one.cjs',
    points,
    (path) => path.replace(/^\/var\/run/, '/run'),
  );

test("nothing is made in the machine's own file systems: what gets a volume has a layer of its own", () => {
  const text = script('/var/run/cache');
  assert.match(text, "lowerdir=/run,upperdir=/t/u1,workdir=/t/w1' rollproof '/t/r/run'");
  assert.match(text, "mount --bind '/v' '/t/r/run/cache'");
  assert.match(text, "mount -o remount,bind,ro '/t/r/run/cache'");
  assert.match(script('/data'), "mount --rbind '/run' '/t/r/run'");
});

test('a mount of the machine that has gone since keeps no container from starting', () => {
  const binds = script('/var/run/cache')
    .split(' && ')
    .filter((line) => line.includes('--rbind'));
  assert.ok(binds.length >= 4);
  for (const line of binds) assert.match(line, / 2>\/dev\/null \|\| :; \}$/);
});

test.run();
