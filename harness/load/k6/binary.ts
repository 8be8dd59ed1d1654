// The k6 of this machine: where its program lies, and which version it is.
import { runSync } from '../../exec/command.ts';
import { programOnPath } from '../../exec/on-path.ts';

const LIMIT_MS = 10_000;

export const noK6 =
  'Cross-check: no "k6" on the PATH, so that nothing is compared. Install it (https://grafana.com/docs/k6/latest/set-up/install-k6).';

/** The program itself; undefined when there is none on the PATH. */
export const k6Binary = (path?: string): string | undefined => programOnPath('k6', path);

/** The version, or undefined when there is no k6 on the PATH or it does not run. */
export function k6Version(): string | undefined {
  try {
    return versionIn(runSync('k6', ['version'], { limitMs: LIMIT_MS }).stdout);
  } catch {
    return undefined;
  }
}

export const versionIn = (text: string): string => /v\d+\.\d+\.\d+/.exec(text)?.[0] ?? text.trim();
