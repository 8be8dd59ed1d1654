// Which rollproof this is: package version and, in a clone, the commit.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSync } from '../exec/command.ts';

const GIT_LIMIT_MS = 10_000;

export const packageRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

/** Name and version alone: no program is started. */
export const packageVersion = (): { name: string; version: string } => {
  const { name, version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  return { name, version };
};

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

function findRoot(from: string): string {
  if (existsSync(join(from, 'package.json')) && existsSync(join(from, 'kind-config.yaml'))) return from;
  return from === dirname(from) ? process.cwd() : findRoot(dirname(from));
}
