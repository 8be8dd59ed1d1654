// The example that docs/embedded.md shows runs as it stands, through the package's own door.
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import * as assert from 'uvu/assert';
import { needsLinux } from '../embedded-pods.ts';
import { suite } from '../suite.ts';

const test = suite('example operator', { timeoutMs: 90_000, skip: needsLinux });

test('an operator’s test with `import { startCluster } from "rollproof/emulator"`', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const args = ['--conditions=rollproof-source', '--import', 'tsx', 'examples/operator.test.ts'];
  const { exitCode, stdout, stderr } = await execa(process.execPath, args, {
    cwd: root,
    reject: false,
    timeout: 80_000,
  });
  assert.is(exitCode, 0, stderr);
  assert.match(stdout, 'two pods that run');
});

test.run();
