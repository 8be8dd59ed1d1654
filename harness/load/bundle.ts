// One-file programs from our sources (load agent, target), so that an image or a process needs nothing but Node.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { FaultError } from '../model/errors.ts';

/** Source of the load agent's program, beside this file in sources and compiled. */
export const agentEntry = join(
  dirname(fileURLToPath(import.meta.url)),
  `agent-main${extname(fileURLToPath(import.meta.url))}`,
);

/**
 * Bundles an entry into one CommonJS file and returns its path; equal contents give the same file. `minify`: for one that
 * travels (its stack traces name no lines that anybody knows).
 */
export function bundle(
  entry: string,
  { minify = false }: { readonly minify?: boolean } = {},
): Promise<string> {
  return buildCached(entry, 'cjs', {
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minify,
    plugins: [withoutUnused],
    // import.meta has no meaning in CommonJS.
    define: { 'import.meta.url': '__filename' },
  });
}

/**
 * What the libraries of our programs bring and these never use: zod's messages in other languages, autocannon's forms (with
 * a table of all media types) and its output for a terminal. It would be 40 % of the agent, unpacked in the memory of each.
 */
const withoutUnused: Plugin = {
  name: 'without-unused',
  setup(builds) {
    const leaveOut = (filter: RegExp, contents: string) =>
      builds.onLoad({ filter }, () => ({ contents, loader: 'js' }));
    leaveOut(/[\\/]zod[\\/]v4[\\/]locales[\\/]index\.(?:js|cjs)$/, 'export {};');
    const never = `module.exports = () => { throw new Error('it is not in this bundle'); };`;
    leaveOut(/[\\/]form-data[\\/]lib[\\/]form_data\.js$/, never);
    leaveOut(/[\\/]autocannon[\\/]lib[\\/](?:printResult|progressTracker)\.js$/, never);
  },
};

/** Bundles a k6 script into one ES module; k6 brings its own modules. */
export function bundleForK6(entry: string): Promise<string> {
  return buildCached(entry, 'js', {
    platform: 'neutral',
    target: 'es2020',
    format: 'esm',
    external: ['k6', 'k6/*'],
  });
}

async function buildCached(entry: string, extension: string, options: BuildOptions): Promise<string> {
  const built = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    logLevel: 'silent',
    ...options,
  }).catch((error: unknown) => {
    throw new FaultError(`bundle: esbuild could not build ${entry}: ${(error as Error).message}`, {
      cause: error,
    });
  });
  const contents = built.outputFiles?.[0]?.contents ?? new Uint8Array();
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  const file = join(cacheFolder(), `${basename(entry, extname(entry))}-${hash}.${extension}`);
  if (!existsSync(file)) {
    // Two commands may build at once: each writes its own file, and the rename is atomic.
    const own = `${file}.${process.pid}`;
    writeFileSync(own, contents);
    renameSync(own, file);
  }
  return file;
}

/** node_modules/.cache of the package, or the temporary folder where that cannot be written. */
function cacheFolder(): string {
  for (const folder of [
    join(packageRoot(), 'node_modules', '.cache', 'rollproof'),
    join(tmpdir(), 'rollproof-cache'),
  ]) {
    try {
      mkdirSync(folder, { recursive: true });
      const probe = join(folder, `.probe-${process.pid}`);
      writeFileSync(probe, '');
      renameSync(probe, join(folder, '.probe'));
      return folder;
    } catch {
      // An installation that is read-only.
    }
  }
  throw new FaultError(`bundle: neither node_modules/.cache nor ${tmpdir()} can be written.`);
}

function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json')) || folder === dirname(folder)) return folder;
  }
}
