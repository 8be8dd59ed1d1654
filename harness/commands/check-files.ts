// Reads what `rollproof check` is asked to look at: files, folders, standard input, and what charts and kustomizations
// render to. What cannot be read is a problem of its own and ends nothing.
import {
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ManifestText } from '../check/check.ts';
import { InterruptedError, UsageError } from '../model/errors.ts';
import { nobodyWrites, pipeLimitMs, reasonOf, writerStays } from '../model/named-file.ts';
import { assumedMinor, kustomizationFiles, releaseOf, renderedFor } from '../model/rendering.ts';
import { chartSources, kustomizationSources } from './rendered-sources.ts';

const manifestFile = /\.(ya?ml|json)$/i;
const FOLDER_DEPTH_LIMIT = 20;
const FILE_LIMIT = 10_000;
const PIPE_LOOK_MS = 20;

export interface Found {
  readonly texts: ManifestText[];
  /** Sentences about what could not be read. */
  readonly problems: string[];
}

/** Runs a program of the user's and returns what it prints; undefined: it is not on the PATH. Throws when it fails. */
export type Render = (program: string, args: readonly string[]) => Promise<string | undefined>;

/**
 * Throws UsageError for a file that is named and not there. `render` undefined: charts are read as files. `minor`: of the
 * Kubernetes 1.x that charts are rendered for.
 */
export async function readFiles(
  names: readonly string[],
  stdin: Buffer | undefined,
  render?: Render,
  minor: number = assumedMinor,
): Promise<Found> {
  const found: Found = { texts: [], problems: [] };
  const seen = new Set<string>();
  for (const name of names) {
    if (name === '-') {
      found.texts.push({ file: 'stdin', text: decode(stdin ?? Buffer.alloc(0)) });
      continue;
    }
    const kind = look(name, () => statSync(name));
    if (!kind.isDirectory()) {
      if (isNew(seen, name)) found.texts.push({ file: name, text: decode(await readNamed(name, kind)) });
      continue;
    }
    const before = found.texts.length + found.problems.length;
    await inFolder(name, 0, { found, seen, render, minor, folders: new Set() });
    if (found.texts.length + found.problems.length === before)
      throw new UsageError(`${name}: the folder has no .yaml, .yml or .json file.`);
    if (found.texts.length > FILE_LIMIT)
      throw new UsageError(
        `${name}: the folder has ${found.texts.length} manifests; at most ${FILE_LIMIT} are read.`,
      );
  }
  return found;
}

async function readNamed(name: string, kind: Stats): Promise<Buffer> {
  if (kind.isFile()) return look(name, () => readFileSync(name));
  if (kind.isFIFO()) return readPipe(name);
  throw new UsageError(`${name}: is a device or a socket, not a file.`);
}

/** `<(kustomize build .)` of a shell is one. Not as a file is read: that would wait for a writer for ever. */
async function readPipe(name: string): Promise<Buffer> {
  await using pipe = await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
  const chunks: Buffer[] = [];
  const startedAt = performance.now();
  let hasWriter = false;
  for (;;) {
    const chunk = Buffer.alloc(64 * 1024);
    const length = await pipe.read(chunk).then(
      ({ bytesRead }) => bytesRead,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EAGAIN') throw new UsageError(`${name}: ${reasonOf(error)}.`, { cause: error });
        return undefined;
      },
    );
    if (length === 0 && hasWriter) return Buffer.concat(chunks);
    hasWriter ||= length !== 0;
    if (length) {
      chunks.push(chunk.subarray(0, length));
      continue;
    }
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > (hasWriter ? pipeLimitMs.whole : pipeLimitMs.writer))
      throw new UsageError(`${name}: ${hasWriter ? writerStays() : nobodyWrites()}.`);
    await sleep(PIPE_LOOK_MS);
  }
}

interface Walk {
  readonly found: Found;
  readonly seen: Set<string>;
  /** Real paths of the folders that were entered: links may form a circle. */
  readonly folders: Set<string>;
  readonly render: Render | undefined;
  readonly minor: number;
}

/** Hidden folders and installed packages are passed over. */
async function inFolder(folder: string, depth: number, walk: Walk): Promise<void> {
  const { found, folders, seen } = walk;
  if (depth > FOLDER_DEPTH_LIMIT || found.texts.length > FILE_LIMIT) return;
  const names = attempt(found, folder, () => {
    const real = realpathSync(folder);
    if (folders.has(real)) return [];
    folders.add(real);
    return readdirSync(folder).toSorted((a, b) => a.localeCompare(b));
  });
  if (!names || (await rendered(folder, names, walk))) return;
  for (const name of names) {
    if (name.startsWith('.') || name === 'node_modules') continue;
    const path = join(folder, name);
    const kind = attempt(found, path, () => statSync(path));
    if (kind?.isDirectory()) await inFolder(path, depth + 1, walk);
    else if (kind?.isFile() && manifestFile.test(name) && isNew(seen, path)) {
      const text = attempt(found, path, () => decode(readFileSync(path)));
      if (text !== undefined) found.texts.push({ file: relative('.', path) || path, text, found: true });
    }
  }
}

/** A name of a file that makes its folder a kustomization. */
const isKustomization = (name: string): boolean => kustomizationFiles.some((one) => one === name);

/** True: the folder's files are what a program makes of them, and were read so. */
async function rendered(folder: string, names: readonly string[], walk: Walk): Promise<boolean> {
  if (!walk.render) return false;
  if (names.includes('Chart.yaml') && existsSync(join(folder, 'templates'))) {
    return byProgram(
      folder,
      'helm',
      ['template', releaseOf(realpathSync(folder)), folder, ...renderedFor(walk.minor)],
      walk,
    );
  }
  const kustomizations = names.filter(isKustomization);
  if (kustomizations.length === 0) return false;
  // A component is a part of others, and a base is read by its overlays.
  const text = kustomizations
    .map(
      (name) => attempt(walk.found, join(folder, name), () => readFileSync(join(folder, name), 'utf8')) ?? '',
    )
    .join('\n');
  if (/^kind:\s*Component\b/m.test(text)) return false;
  return byProgram(folder, 'kubectl', ['kustomize', folder], walk);
}

async function byProgram(
  folder: string,
  program: string,
  args: readonly string[],
  { render, found, folders }: Walk,
): Promise<boolean> {
  const shown = relative('.', folder) || folder;
  try {
    const text = await render!(program, args);
    if (text === undefined) return false;
    found.texts.push({
      file: join(shown, 'rendered.yaml'),
      text,
      found: true,
      rendered: `${program} ${args.join(' ')}`,
      sourceOf: program === 'helm' ? chartSources(folder) : kustomizationSources(folder),
    });
    folders.add(realpathSync(folder));
    return true;
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    // Its files are still there to be read one by one.
    found.problems.push(`${shown}: ${program} cannot render it: ${(error as Error).message}`);
    return false;
  }
}

function isNew(seen: Set<string>, file: string): boolean {
  const real = attempt({ texts: [], problems: [] }, file, () => realpathSync(file)) ?? file;
  if (seen.has(real)) return false;
  seen.add(real);
  return true;
}

function attempt<T>(found: Found, path: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    found.problems.push(`${relative('.', path) || path}: ${reasonOf(error)}.`);
    return undefined;
  }
}

function look<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`${file}: ${reasonOf(error)}.`, { cause: error });
  }
}

/** The text in the file's own encoding, with its byte order mark. */
export function encodedLike(before: Buffer, text: string): Buffer {
  if (before[0] === 0xff && before[1] === 0xfe) return Buffer.from(`\uFEFF${text}`, 'utf16le');
  return Buffer.from(before.toString('utf8').startsWith('\uFEFF') ? `\uFEFF${text}` : text);
}

/** A manifest may start with a byte order mark, and PowerShell writes UTF-16. */
function decode(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.subarray(2).toString('utf16le');
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}
