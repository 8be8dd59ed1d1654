// Whether this system lets a container have a file system of its own: found out by making one.
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootScript } from './container-root.ts';
import type { Programs } from './programs.ts';

const LIMIT_MS = 5000;

export async function tryRoot(
  programs: Programs,
  folder: string,
  preload: string,
  points: readonly string[],
): Promise<boolean> {
  const top = join(folder, 'trial');
  mkdirSync(top);
  const plan = { top, shown: [], mounts: [] };
  const script = `{ ${rootScript(plan, programs, preload, points)}; } && exec ${programs.chroot} ${top}/r ${programs.sh} -c true`;
  try {
    await promisify(execFile)(programs.unshare, ['--mount', '--', programs.sh, '-c', script], {
      timeout: LIMIT_MS,
    });
    return true;
  } catch {
    return false;
  }
}
