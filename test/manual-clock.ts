// A clock that stands still until a test moves it; timers fire in order of their time.
import type { Clock } from '../emulator/node/clock.ts';

interface ManualClock extends Clock {
  /** Moves on by so many ms, lets every timer on the way run and what awaits it go on. */
  advance(byMs: number): Promise<void>;
}

export function manualClock(wallMs = Date.UTC(2026, 0, 1)): ManualClock {
  let nowMs = 0;
  let lastId = 0;
  const timers = new Map<number, { atMs: number; run: () => void }>();
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  return {
    now: () => nowMs,
    wall: () => wallMs + nowMs,
    after(delayMs, run) {
      const id = ++lastId;
      timers.set(id, { atMs: nowMs + Math.max(0, delayMs), run });
      return () => void timers.delete(id);
    },
    async advance(byMs) {
      const endMs = nowMs + byMs;
      await settle();
      for (;;) {
        const [next] = [...timers].sort((a, b) => a[1].atMs - b[1].atMs || a[0] - b[0]);
        if (!next || next[1].atMs > endMs) break;
        timers.delete(next[0]);
        nowMs = next[1].atMs;
        next[1].run();
        await settle();
      }
      nowMs = endMs;
      await settle();
    },
  };
}
