#!/usr/bin/env node
// The `rollproof` command: the compiled program where there is one (an installed package), the sources in a clone.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiled = join(root, 'dist', 'harness', 'cli.js');
if (existsSync(compiled) && !existsSync(join(root, 'tsconfig.json'))) {
  await import(pathToFileURL(compiled).href);
} else {
  const { start } = await import('./start.mjs');
  await start('harness/cli.ts', process.argv.slice(2));
}
