// Plain-JavaScript starter: makes sure that node_modules is there and matches package-lock.json, then runs a
// TypeScript entry in this same process, so that signals and exit codes need no forwarding. It starts npm by itself: what
// starts programs elsewhere (harness/exec) needs the packages that are to be installed here.
// Usage: node scripts/start.mjs ENTRY.ts [arguments]
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const WRONG_ENVIRONMENT = 3;
const LOCK_LIMIT_MS = 300_000;

export async function start(entry, args) {
  if (isTooOld(process.versions.node)) {
    fail(`rollproof: Node.js ${process.versions.node} is too old. Install Node.js ${OLDEST} or newer.`);
  }
  if (!installed()) install();
  // What it compiles it keeps in the folder for temporary files, and where that takes nothing it waits for ever.
  if (!hasRoom(tmpdir())) process.env.TSX_DISABLE_CACHE = '1';
  const { register } = await import('tsx/esm/api');
  register();
  const file = resolve(root, entry);
  process.argv = [process.argv[0], file, ...args];
  await import(pathToFileURL(file).href);
}

const CACHE_BYTES = 32 * 1024 * 1024;

/** Whether a folder can be written to, and has room for what is compiled. */
export function hasRoom(folder) {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= CACHE_BYTES;
  } catch {
    return false;
  }
}

/** The oldest that package.json allows. */
const OLDEST = readJson(join(root, 'package.json')).engines.node.replace('>=', '');

export function isTooOld(version) {
  const [major, minor] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

/** True when every package that the lock file names (optional ones apart) is installed in that version. */
function installed() {
  const wanted = readJson(join(root, 'package-lock.json'));
  const present = readJson(join(root, 'node_modules', '.package-lock.json'));
  if (!wanted || !present) return false;
  return Object.entries(wanted.packages).every(
    ([path, entry]) => path === '' || entry.optional || present.packages[path]?.version === entry.version,
  );
}

function install() {
  const lock = join(root, '.rollproof-install');
  waitForLock(lock);
  try {
    if (installed()) return;
    process.stderr.write('rollproof: installing the packages of package-lock.json (npm ci) ...\n');
    const npm = process.env.npm_execpath;
    const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []];
    const done = spawnSync(command, [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
      shell: !npm && process.platform === 'win32',
    });
    if (done.status !== 0) {
      fail(
        `rollproof: "npm ci" ended with ${done.error?.message ?? done.signal ?? done.status}. Its own message stands above.`,
      );
    }
  } finally {
    if (existsSync(lock)) rmdirSync(lock);
  }
}

/** Two commands started at once on a fresh clone must not install into each other: one waits for the other. */
function waitForLock(lock) {
  const deadline = Date.now() + LOCK_LIMIT_MS;
  for (;;) {
    try {
      mkdirSync(lock);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const ageMs = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0);
      if (ageMs > LOCK_LIMIT_MS) utimesSync(lock, new Date(), new Date());
      if (ageMs > LOCK_LIMIT_MS) return;
      if (Date.now() > deadline)
        fail(`rollproof: another install held ${lock} for 300 s. Remove the folder and try again.`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
    }
  }
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(WRONG_ENVIRONMENT);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [entry, ...args] = process.argv.slice(2);
  if (!entry) fail('rollproof: scripts/start.mjs needs the TypeScript file to run.');
  await start(entry, args);
}
