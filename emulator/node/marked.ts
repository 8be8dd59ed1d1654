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

/** The same without holding anything up: a container ends while others are measured. */
export async function killMarkedSoon(wanted: ReadonlySet<string>): Promise<void> {
  for (const pid of processes()) {
    const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    killIf(pid, text.split('\0'), wanted);
  }
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
