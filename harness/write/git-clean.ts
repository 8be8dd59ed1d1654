// Whether a file can be had back: it is in git, and as git has it.
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { CommandError, runToExit } from '../exec/command.ts';

const GIT_LIMIT_MS = 20_000;

/** Why not, as a sentence without its end; undefined: clean, or not there yet. */
export async function uncleanReason(file: string, signal: AbortSignal): Promise<string | undefined> {
  if (!existsSync(file)) return undefined;
  const git = (...args: string[]) =>
    runToExit('git', ['-C', dirname(file), ...args, '--', basename(file)], { limitMs: GIT_LIMIT_MS, signal });
  try {
    // Ignored files have no status, so whether git knows it is asked first.
    const known = await git('ls-files', '--error-unmatch');
    if (known.code > 1) return 'is in no git repository, so nothing would bring it back';
    if (known.code === 1) return 'is not in git, so nothing would bring it back';
    const { stdout } = await git('status', '--porcelain');
    return stdout.trim() === '' ? undefined : 'has changes that are not committed';
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.end === 'not-found') return 'cannot be looked up: there is no "git" on the PATH';
    return `cannot be looked up in git: ${error.lastLine}`;
  }
}
