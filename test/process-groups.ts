// Process groups that a runner of tests has started: asked to end, waited for, and killed when they do not.
import { setTimeout as sleep } from 'node:timers/promises';
import { killGroup } from '../harness/exec/command.ts';

/** How long what runs may take to remove what it started (a cluster) after an interrupt. */
export const REMOVAL_LIMIT_MS = 90_000;

/** Resolves with those that had to be killed. */
export async function endGroups(
  pids: readonly number[],
  signal: NodeJS.Signals,
  limitMs = REMOVAL_LIMIT_MS,
): Promise<readonly number[]> {
  for (const pid of pids) killGroup(pid, signal);
  const deadline = performance.now() + limitMs;
  while (pids.some(isGroupAlive) && performance.now() < deadline) await sleep(100);
  const left = pids.filter(isGroupAlive);
  for (const pid of left) killGroup(pid, 'SIGKILL');
  return left;
}

function isGroupAlive(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}
