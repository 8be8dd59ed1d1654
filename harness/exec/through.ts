// A command of the user's own, run as if we were not there: its input and output are ours, untouched, and its end is told.
import { execa } from 'execa';
import { killGroup } from './command.ts';

export interface ThroughEnd {
  /** As a shell tells it: of its own, 128 + the signal's number, 127 where there is none of that name. */
  readonly code: number;
  /** In words: "ended with 1", "was ended by SIGTERM", "was not found on the PATH". */
  readonly how: string;
}

export interface Through {
  /** Never rejects. */
  readonly ended: Promise<ThroughEnd>;
  /** To the command and all that it has started. */
  kill(signal: NodeJS.Signals): void;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** It leads a process group of its own, so that a Ctrl-C on the terminal reaches it once: from us. */
export function startThrough(file: string, args: readonly string[]): Through {
  const child = execa(file, args, { reject: false, detached: true, stdio: 'inherit' });
  return {
    ended: child.then(({ exitCode, signal, code }): ThroughEnd => {
      if (exitCode !== undefined) return { code: exitCode, how: `ended with ${exitCode}` };
      if (signal) return { code: 128 + (signalNumbers[signal] ?? 0), how: `was ended by ${signal}` };
      return code === 'ENOENT'
        ? { code: 127, how: 'was not found on the PATH' }
        : { code: 126, how: `could not be started (${code ?? 'no reason given'})` };
    }),
    kill: (signal) => killGroup(child.pid, signal),
  };
}
