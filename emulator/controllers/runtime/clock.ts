// Time as the controllers see it: handed in, so that tests can turn it by hand, and stopped as one.

export interface Clock {
  /** Unix time in ms, of a clock that does not jump. */
  nowMs(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

export interface StoppableClock extends Clock {
  /** Resolves after the delay; never when the clock is stopped before. */
  sleep(delayMs: number): Promise<void>;
  readonly stopped: boolean;
  /** Clears every timer; from then on none is set. */
  stop(): void;
}

// Node fires at once, with a warning, what is set further ahead than this.
const longestTimeoutMs = 2 ** 31 - 1;

export function stoppable(clock: Clock): StoppableClock {
  const timers = new Set<unknown>();
  let stopped = false;
  const setTimer = (callback: () => void, delayMs: number): unknown => {
    if (stopped) return undefined;
    const handle = clock.setTimeout(
      () => {
        timers.delete(handle);
        callback();
      },
      Math.min(Math.max(0, delayMs), longestTimeoutMs),
    );
    timers.add(handle);
    return handle;
  };
  return {
    nowMs: () => clock.nowMs(),
    setTimeout: setTimer,
    clearTimeout(handle) {
      if (timers.delete(handle)) clock.clearTimeout(handle);
    },
    sleep: (delayMs) => new Promise((resolve) => setTimer(resolve, delayMs)),
    get stopped() {
      return stopped;
    },
    stop() {
      stopped = true;
      for (const handle of timers) clock.clearTimeout(handle);
      timers.clear();
    },
  };
}
