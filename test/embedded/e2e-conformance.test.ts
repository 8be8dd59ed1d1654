// A fast part of Kubernetes' own conformance tests, where the program for them is there (npm run e2e runs them all).
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { fastGroup } from '../../scripts/e2e/groups.ts';
import { findProgram, runGroup } from '../../scripts/e2e/program.ts';
import { needsLinux } from '../embedded-pods.ts';
import { suite } from '../suite.ts';

const shared = new URL('../../../shared/e2e/', import.meta.url);
const isThere = ['e2e.test', 'e2e.tar.zst'].some((name) => existsSync(new URL(name, shared)));
const skip = needsLinux ?? (isThere ? undefined : 'no ../shared/e2e with Kubernetes’ test program');
const test = suite('e2e conformance', { timeoutMs: 300_000, skip });

test('the fast group passes with protobuf, the default of Kubernetes’ clients', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'rollproof-e2e-test-'));
  try {
    const program = await findProgram(scratch);
    assert.ok(program);
    const cases = await runGroup(program, fastGroup, { contentType: 'protobuf' });
    const failed = cases.filter(({ outcome }) => outcome === 'failed');
    assert.equal(
      failed.map(({ name, message }) => `${name}: ${message}`),
      [],
    );
    assert.ok(cases.length >= 10, `only ${cases.length} ran`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

test.run();
