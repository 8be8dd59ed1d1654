// `npm run build`: compiles the sources into dist/ and copies what they read at run time beside them, so that an
// installed package runs on Node alone.
import { chmodSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { build } from 'esbuild';
import { runToExit } from '../harness/exec/command.ts';
import { parseCommandLine } from './command-line.ts';

parseCommandLine(
  new Command('build').description(
    'compile the sources into dist/, with the files that they read beside them',
  ),
);

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'dist');
const COMPILE_LIMIT_MS = 300_000;
const rooms = ['emulator', 'harness', 'scenarios', 'reports', 'target'];

rmSync(out, { recursive: true, force: true });
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const compiled = await runToExit(
  process.execPath,
  [compiler, '--project', join(root, 'tsconfig.build.json')],
  { limitMs: COMPILE_LIMIT_MS },
);
process.stdout.write(compiled.stdout + compiled.stderr);
if (compiled.code !== 0) {
  console.error('npm run build: the sources do not compile; the compiler says above where.');
  process.exit(1);
}
let assets = 0;
for (const room of rooms) {
  for (const entry of readdirSync(join(root, room), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || entry.name.endsWith('.ts')) continue;
    const file = join(entry.parentPath, entry.name);
    const copy = join(out, file.slice(root.length));
    // The compiler itself copies the JSON that sources import.
    if (existsSync(copy) && entry.name.endsWith('.json')) continue;
    if (existsSync(copy)) {
      console.error(`npm run build: ${file} would overwrite a compiled source of that name; rename it.`);
      process.exit(1);
    }
    cpSync(file, copy);
    assets++;
  }
}
// `check` as one file: parsing hundreds of modules takes longer than most checks.
await build({
  entryPoints: [join(root, 'harness', 'commands', 'check-entry.ts')],
  outdir: out,
  entryNames: 'check',
  chunkNames: 'check-[name]-[hash]',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  minify: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Packages in CommonJS look for it.
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  logLevel: 'error',
});
chmodSync(join(root, 'scripts', 'rollproof.mjs'), 0o755);
console.log(`dist/ is built: the sources compiled, ${assets} other files beside them.`);
