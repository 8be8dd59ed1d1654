// Runs the `rollproof` command as a user does, in a process of its own, and reads what it leaves.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Results } from '../harness/model/results.ts';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Resolves with everything that the command printed. */
  readonly ended: Promise<Ended>;
  /** The same; rejects with what it printed when it has not ended after this long. */
  within(limitMs: number): Promise<Ended>;
  /** Resolves when stderr shows the text; rejects when the command ends first or the limit is over. */
  shows(text: string, limitMs: number): Promise<void>;
}

export function startRollproof(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [join(root, 'scripts', 'rollproof.mjs'), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const looking = new Set<() => void>();
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    for (const look of looking) look();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    child,
    ended,
    within: (limitMs) => {
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<never>((_, reject) => {
        const say = () =>
          reject(
            new Error(`rollproof ${args[0]} has not ended after ${limitMs / 1000} s:\n${stderr}${stdout}`),
          );
        timer = setTimeout(say, limitMs);
      });
      return Promise.race([ended, limit]).finally(() => clearTimeout(timer));
    },
    shows: (text, limitMs) =>
      new Promise((resolve, reject) => {
        const finish = (act: () => void) => {
          clearTimeout(timer);
          looking.delete(look);
          act();
        };
        const look = () => {
          if (stderr.includes(text)) finish(resolve);
        };
        const fail = (why: string) =>
          finish(() => reject(new Error(`${why} without showing "${text}":\n${stderr}`)));
        const timer = setTimeout(() => fail(`rollproof ran ${limitMs} ms`), limitMs);
        looking.add(look);
        void ended.then(({ code }) => fail(`rollproof ended with ${code}`));
        look();
      }),
  };
}

export const rollproof = (args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended> =>
  startRollproof(args, env).ended;

export const readResults = (folder: string): Results =>
  JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Results;

/** A folder that is gone afterwards, whatever happens. */
export async function inTemporaryFolder<T>(act: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-out-'));
  try {
    return await act(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
