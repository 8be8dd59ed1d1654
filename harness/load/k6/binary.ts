// The k6 of this machine: where its program lies, and which version it is.
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runSync } from '../../exec/command.ts';

const LIMIT_MS = 10_000;

export const noK6 =
  'Cross-check: no "k6" on the PATH, so that nothing is compared. Install it (https://grafana.com/docs/k6/latest/set-up/install-k6).';

/** The program itself, links followed; undefined when there is none on the PATH. */
export function k6Binary(path = process.env.PATH ?? ''): string | undefined {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    try {
      const file = realpathSync(join(folder, 'k6'));
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** The version, or undefined when there is no k6 on the PATH or it does not run. */
export function k6Version(): string | undefined {
  try {
    return versionIn(runSync('k6', ['version'], { limitMs: LIMIT_MS }).stdout);
  } catch {
    return undefined;
  }
}

export const versionIn = (text: string): string => /v\d+\.\d+\.\d+/.exec(text)?.[0] ?? text.trim();
