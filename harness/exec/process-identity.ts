// Which process is meant, for good: a process id is given out again, its id together with its start time is not.
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { z } from 'zod';
import { runSync } from './command.ts';

const PS_LIMIT_MS = 5000;

export const processIdentitySchema = z.object({
  pid: z.number().int().positive(),
  /** Start time as the system tells it, opaque: only ever compared. */
  startedAt: z.string(),
  /** Linux: the namespace that the id counts in; a process of another one cannot be looked at from here. */
  pidNamespace: z.string(),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** undefined when there is no such process. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = startTime(pid);
  return startedAt === undefined ? undefined : { pid, startedAt, pidNamespace: pidNamespace() };
}

/** True also for what cannot be known from here: what may be alive is left alone. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.pidNamespace !== pidNamespace()) return true;
  return startTime(identity.pid) === identity.startedAt;
}

function startTime(pid: number): string | undefined {
  if (existsSync('/proc/self/stat')) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in parentheses may hold anything; after it, field 22 is the start time in ticks since boot (proc(5)).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const isZombie = fields[0] === 'Z';
      return isZombie ? undefined : `${bootId()}/${fields[19]}`;
    } catch {
      return undefined;
    }
  }
  try {
    const { stdout } = runSync('ps', ['-o', 'lstart=', '-p', String(pid)], { limitMs: PS_LIMIT_MS });
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return 'system';
  }
}
