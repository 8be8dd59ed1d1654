// The quiet tail: load goes on after all has settled until nothing was lost for a while.
import type { JournalWriter } from '../../record/journal-writer.ts';
import type { LiveState } from '../../record/live.ts';
import type { Firing } from './fire.ts';

/** The quiet tail starts anew with every loss, this many times its length at most. */
const TAIL_STRETCH = 4;

export async function quietTail(
  tailMs: number,
  live: LiveState,
  firing: Firing,
  journal: JournalWriter,
  signal: AbortSignal,
): Promise<void> {
  const since = performance.now();
  const longestMs = tailMs * TAIL_STRETCH;
  const quiet = () => performance.now() - Math.max(since, firing.lastLossAt) >= tailMs;
  await live.until(
    'a quiet tail',
    () => quiet() || performance.now() > since + longestMs,
    longestMs + 5000,
    signal,
  );
  if (quiet()) journal.write({ type: 'milestone', name: 'quiet' });
  else {
    journal.write({
      type: 'note',
      level: 'warning',
      text: `Connections were still lost ${longestMs / 1000} s after the last pod had gone.`,
    });
  }
}
