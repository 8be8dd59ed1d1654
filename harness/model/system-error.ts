// What a failed system call means, as a sentence: the path, what is free there, and what to do. Disks fill, folders
// vanish, limits are reached: none of that is a fault of rollproof, and none of it deserves a stack.
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { FaultError } from './errors.ts';

/** Something that was to be written is not: nothing that is measured from now on would be kept. */
export class StorageError extends FaultError {}

const meanings: Readonly<Record<string, { readonly why: string; readonly todo: string }>> = {
  ENOSPC: { why: 'the disk is full', todo: 'Free some space, or name another folder' },
  EDQUOT: { why: 'the disk quota is used up', todo: 'Free some space, or name another folder' },
  EROFS: { why: 'the file system is read-only', todo: 'Name a folder that can be written to' },
  EACCES: { why: 'permission is denied', todo: 'Name a folder that you may write to' },
  EPERM: { why: 'the operation is not permitted', todo: 'Name a folder that you may write to' },
  ENOENT: { why: 'it is not there (any more)', todo: 'Leave the folder in place while a run writes to it' },
  ENOTDIR: { why: 'a part of the path is a file', todo: 'Name a folder' },
  EISDIR: { why: 'it is a folder', todo: 'Name a file' },
  EIO: { why: 'the disk fails', todo: 'Name a folder on another disk' },
  ENAMETOOLONG: { why: 'the name is too long', todo: 'Name a folder with a shorter path' },
};

const limits: Readonly<Record<string, string>> = {
  EMFILE: 'this process may open no more files. Raise the limit: ulimit -n 4096',
  ENFILE: 'this machine has no more open files to give. Stop something, or raise fs.file-max',
  ENOMEM: 'this machine has no memory left. Stop something, or use a lower --rate',
  EAGAIN: 'this machine gives no more processes. Stop something, or raise the limit: ulimit -u',
};

/**
 * The sentence for an error of the operating system; undefined for any other error. `path`: where it does not say one.
 * `temporary`: where that is full, it is what a write without a path has filled.
 */
export function systemFault(
  error: unknown,
  what = '',
  path?: string,
  temporary = tmpdir(),
): FaultError | undefined {
  const { code, path: said, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (!(error instanceof Error) || code === undefined || syscall === undefined) return undefined;
  const limit = limits[code];
  if (limit) return new FaultError(`${start(what, said ?? path)}${limit} (${code}).`, { cause: error });
  const meaning = meanings[code];
  const where = said ?? path ?? (code === 'ENOSPC' && isFull(temporary) ? temporary : undefined);
  // Connections fail with codes of their own, and whoever made them says more than this could.
  if (!meaning || (where === undefined && code !== 'ENOSPC')) return undefined;
  const free = where === undefined ? '' : freeAt(where);
  return new StorageError(
    `${start(what, where)}${meaning.why} (${code}${free}). ${meaning.todo} (--out for results, TMPDIR for temporary files).`,
    { cause: error },
  );
}

const start = (what: string, path: string | undefined): string =>
  [what, path].filter(Boolean).join(' ') + (what || path ? ': ' : '');

const FULL_BYTES = 64 * 1024;

function isFull(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < FULL_BYTES;
  } catch {
    return false;
  }
}

/** "; 12 MB of 30 GB free at /": of the nearest folder that exists. */
function freeAt(path: string): string {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { bavail, blocks, bsize } = statfsSync(folder);
      return `; ${size(bavail * bsize)} of ${size(blocks * bsize)} free at ${folder}`;
    } catch {
      if (dirname(folder) === folder) return '';
    }
  }
}

export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const step = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}
