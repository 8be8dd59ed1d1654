// Time as the embedded cluster's parts see it, passed in so that tests decide what it says.

export interface Clock {
  /** Monotonic, ms. */
  now(): number;
  /** Wall clock, ms since the epoch. */
  wall(): number;
  /** Runs `run` once after `delayMs`; returns the cancel function. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when `signal` is aborted: the caller looks at the signal. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal?.addEventListener('abort', end, { once: true });
  });
}

/** A time as the API has it: RFC 3339 in whole seconds, truncated (kubelet: normalizeStatus). */
export const apiTime = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
