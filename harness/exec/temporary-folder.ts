// Temporary folders that say which process made them, so that what a killed one left can be told from what is in use.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify, isAlive, processIdentitySchema } from './process-identity.ts';

const PREFIX = 'rollproof-';
const OWNER_FILE = '.owner.json';

/** A new empty folder of this process' own; the caller removes it. `purpose` becomes part of its name. */
export function makeTemporaryFolder(purpose: string): string {
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${purpose}-`));
  try {
    writeFileSync(join(folder, OWNER_FILE), JSON.stringify(identify(process.pid)), { mode: 0o600 });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return folder;
}

/** Removes the folders whose process has ended without doing so, and returns their paths. */
export function removeAbandonedFolders(): readonly string[] {
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => join(tmpdir(), name))
    .filter((folder) => isOurs(folder) && isAbandoned(folder))
    .map((folder) => {
      rmSync(folder, { recursive: true, force: true });
      return folder;
    });
}

/** Anybody may put folders into a shared temporary folder: only what this user made counts. */
function isOurs(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.();
}

function isAbandoned(folder: string): boolean {
  try {
    const text = readFileSync(join(folder, OWNER_FILE), 'utf8');
    return !isAlive(processIdentitySchema.parse(JSON.parse(text)));
  } catch {
    // Not made here, or just being made.
    return false;
  }
}
