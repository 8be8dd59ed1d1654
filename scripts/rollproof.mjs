#!/usr/bin/env node
// The `rollproof` command: the compiled program where there is one (an installed package), the sources in a clone.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Loading the program alone opens some hundred files at once; without them Node ends with a stack. */
const LEAST_OPEN_FILES = 256;
const openFiles = openFilesLimit();
if (openFiles < LEAST_OPEN_FILES) {
  process.stderr.write(
    `rollproof: this shell allows ${openFiles} open files, and rollproof needs at least ${LEAST_OPEN_FILES}. Raise the limit (ulimit -n 4096) and start again.\n`,
  );
  process.exit(3);
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// A check needs neither clusters nor load: it is one file of its own.
const check = process.argv[2] === 'check';
const compiled = join(root, 'dist', ...(check ? ['check.mjs'] : ['harness', 'cli.js']));
if (existsSync(compiled) && !existsSync(join(root, 'tsconfig.json'))) {
  await import(pathToFileURL(compiled).href);
} else {
  const { start } = await import('./start.mjs');
  await start(check ? 'harness/commands/check-entry.ts' : 'harness/cli.ts', process.argv.slice(2));
}

/** Where the system does not say: no limit. */
function openFilesLimit() {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
