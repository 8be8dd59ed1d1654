// Loss windows and outages, from the exact runs of lost attempts. Pure interval arithmetic.
import type { LostRun } from '../journal/streams.ts';

/** Losses with at least this much time between them are of different windows. */
export const WINDOW_GAP_MS = 1000;

export interface Window {
  readonly startMs: number;
  /** Due time of the first success after the last loss. */
  readonly endMs: number;
  /** Due time of the last lost attempt, as far as the runs tell: no later than endMs. */
  readonly lastLostMs: number;
  readonly lost: number;
}

/**
 * Clusters of losses. The gap is from one lost attempt's due time to the next one's; a run's last lost attempt is one
 * spacing before its end, or its start when it is the only one. Two cases with spacing 5 ms: runs [0, 100) and
 * [1094, 1100): the gap is 1094 − 95 = 999 ms, one window; [1095, …): 1000 ms, two.
 */
export function lossWindows(runs: readonly LostRun[], spacingMs: number): Window[] {
  const windows: Window[] = [];
  for (const run of [...runs].sort((a, b) => a.startMs - b.startMs)) {
    const lastLostMs = run.lost === 1 ? run.startMs : Math.max(run.startMs, run.endMs - spacingMs);
    const last = windows.at(-1);
    if (last && run.startMs - last.lastLostMs < WINDOW_GAP_MS) {
      windows[windows.length - 1] = {
        startMs: last.startMs,
        endMs: Math.max(last.endMs, run.endMs),
        lastLostMs: Math.max(last.lastLostMs, lastLostMs),
        lost: last.lost + run.lost,
      };
    } else windows.push({ startMs: run.startMs, endMs: run.endMs, lastLostMs, lost: run.lost });
  }
  return windows;
}

/**
 * The longest time from a lost attempt's due time to the next success, with no success between. One agent: its longest
 * run. Several agents share the schedule, so a success of any of them ends the outage: it is where the runs of all
 * agents overlap (right to within one spacing of an agent); a run during which another agent succeeded is an outage of
 * one mean spacing.
 */
export function longestOutage(runs: readonly LostRun[], agents: number, spacingMs: number): number {
  let longest = 0;
  if (agents <= 1) {
    for (const run of runs) longest = Math.max(longest, run.endMs - run.startMs);
    return longest;
  }
  if (runs.length > 0) longest = spacingMs;
  const edges = runs
    .flatMap((run) => [
      { atMs: run.startMs, change: 1 },
      { atMs: run.endMs, change: -1 },
    ])
    .sort((a, b) => a.atMs - b.atMs || a.change - b.change);
  let open = 0;
  let since = 0;
  for (const { atMs, change } of edges) {
    if (open === agents && change < 0) longest = Math.max(longest, atMs - since);
    open += change;
    if (open === agents && change > 0) since = atMs;
  }
  return longest;
}
