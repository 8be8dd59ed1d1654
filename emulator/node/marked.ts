// Processes of a container that left its group (an init gives its child one of its own, setsid a session): found by a mark in
// their environment, where the system shows it (/proc).
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export const MARK = 'ROLLPROOF_CONTAINER';

let marks = 0;
export const newMark = (): string => `${process.pid}.${++marks}`;

/** At once. */
export function killMarked(wanted: ReadonlySet<string>): void {
  if (wanted.size === 0) return;
  for (const pid of processes()) killIf(pid, environmentOf(pid), wanted);
}

const TOGETHER_MS = 200;
let next: { readonly wanted: Set<string>; readonly done: Promise<void> } | undefined;

/** The same without holding anything up, for all containers that end at about the same time: others are measured meanwhile. */
export function killMarkedSoon(mark: string): Promise<void> {
  if (!next) {
    const wanted = new Set<string>();
    const done = new Promise<void>((resolve) => setTimeout(resolve, TOGETHER_MS).unref()).then(async () => {
      next = undefined;
      for (const pid of processes()) {
        const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
        killIf(pid, text.split('\0'), wanted);
      }
    });
    next = { wanted, done };
  }
  next.wanted.add(mark);
  return next.done;
}

function killIf(pid: string, environment: readonly string[], wanted: ReadonlySet<string>): void {
  const mark = environment.find((one) => one.startsWith(`${MARK}=`))?.slice(MARK.length + 1);
  if (mark === undefined || !wanted.has(mark)) return;
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // It ended just now.
  }
}

export function processes(): string[] {
  try {
    return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  } catch {
    return [];
  }
}

export function environmentOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
