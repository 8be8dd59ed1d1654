// The system's programs that make namespaces: by full path, since a container's own PATH may be anything.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const neededPrograms = ['sh', 'env', 'unshare', 'nsenter', 'mount', 'chroot', 'ip', 'nft'] as const;
export type ProgramName = (typeof neededPrograms)[number];
export type Programs = Readonly<Record<ProgramName, string>>;

/** Where root's programs are when PATH lacks them. */
const usualFolders = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** All of them, or the names of those that are missing. */
export function findPrograms(): Programs | { readonly missing: readonly ProgramName[] } {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...usualFolders];
  const found: Partial<Record<ProgramName, string>> = {};
  for (const name of neededPrograms) {
    const folder = folders.find((candidate) => isExecutable(join(candidate, name)));
    if (folder) found[name] = join(folder, name);
  }
  const missing = neededPrograms.filter((name) => found[name] === undefined);
  return missing.length > 0 ? { missing } : (found as Programs);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
