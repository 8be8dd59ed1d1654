// Which rollproof this is: package version and, in a clone, the commit.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runSync } from '../exec/command.ts';
import { packageRoot, packageVersion } from './package-version.ts';

const GIT_LIMIT_MS = 10_000;

export function toolVersion(): { name: string; version: string; commit?: string } {
  const { name, version } = packageVersion();
  const commit = commitOf();
  return { name, version, ...(commit && { commit }) };
}

function commitOf(): string | undefined {
  if (!existsSync(join(packageRoot, '.git'))) return undefined;
  try {
    const git = (...args: string[]) =>
      runSync('git', args, { cwd: packageRoot, limitMs: GIT_LIMIT_MS }).stdout.trim();
    const commit = git('rev-parse', '--short=12', 'HEAD');
    return git('status', '--porcelain', '--untracked-files=no') ? `${commit}+changes` : commit;
  } catch {
    return undefined;
  }
}
