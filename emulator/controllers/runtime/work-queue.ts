// client-go's work queue with its workers: a key that waits is not queued twice, a key that is being worked on is queued
// again only after that, failures back off. Source: client-go/util/workqueue.
import type { StoppableClock } from './clock.ts';

export interface WorkQueue {
  add(key: string): void;
  addAfter(key: string, delayMs: number): void;
  /** Now, or later the more often the key has failed. */
  addRateLimited(key: string): void;
}

interface WorkQueueOptions {
  readonly clock: StoppableClock;
  /** Syncs at a time, of different keys. */
  readonly workers: number;
  /** Delay of the n-th retry in a row, n from 0. */
  readonly retryDelayMs: (failures: number) => number;
  /** Does the work; a rejection is retried. */
  readonly sync: (key: string) => Promise<void>;
  /** Told of every rejection. */
  readonly onError: (key: string, error: unknown) => void;
}

/** 5 ms × 2ⁿ up to 1000 s: the default of client-go's controllers. */
export const defaultRetryDelayMs = (failures: number) => Math.min(5 * 2 ** failures, 1_000_000);

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { clock } = options;
  const waiting: string[] = [];
  const dirty = new Set<string>();
  const processing = new Set<string>();
  const failures = new Map<string, number>();
  const delayed = new Map<string, { atMs: number; timer: unknown }>();
  let busyWorkers = 0;

  const add = (key: string) => {
    if (clock.stopped || dirty.has(key)) return;
    dirty.add(key);
    if (processing.has(key)) return;
    waiting.push(key);
    work();
  };

  const addAfter = (key: string, delayMs: number) => {
    if (delayMs <= 0) return add(key);
    const atMs = clock.nowMs() + delayMs;
    const before = delayed.get(key);
    if (before && before.atMs <= atMs) return;
    if (before) clock.clearTimeout(before.timer);
    const timer = clock.setTimeout(() => {
      delayed.delete(key);
      add(key);
    }, delayMs);
    delayed.set(key, { atMs, timer });
  };

  const addRateLimited = (key: string) => {
    const count = failures.get(key) ?? 0;
    failures.set(key, count + 1);
    addAfter(key, options.retryDelayMs(count));
  };

  const work = () => {
    while (busyWorkers < options.workers && waiting.length > 0) {
      const key = waiting.shift() as string;
      dirty.delete(key);
      processing.add(key);
      busyWorkers++;
      options
        .sync(key)
        .then(
          () => failures.delete(key),
          (error: unknown) => {
            options.onError(key, error);
            addRateLimited(key);
          },
        )
        .finally(() => {
          busyWorkers--;
          processing.delete(key);
          if (dirty.has(key)) waiting.push(key);
          work();
        });
    }
  };

  return { add, addAfter, addRateLimited };
}
