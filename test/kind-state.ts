// The state folder of a test file that uses a cluster which rollproof makes and keeps: a cluster that the user keeps is neither
// used nor removed. `npm test` lends one to the files that take such a cluster in turn (test/kind-shared.ts).
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Names the variable that lends it. */
export const KEPT_STATE = 'ROLLPROOF_TEST_KEPT_STATE';

/** `lent`: what is in it is somebody else's to remove. Empty where the file's tests are skipped. */
export function keptState(skip: string | undefined): { readonly folder: string; readonly lent: boolean } {
  const lent = process.env[KEPT_STATE];
  if (skip) return { folder: '', lent: false };
  return { folder: lent ?? mkdtempSync(join(tmpdir(), 'rollproof-test-state-')), lent: lent !== undefined };
}
