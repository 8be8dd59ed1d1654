// Runs a sync at most once per interval: the first change after a quiet time at once, later ones an interval after the
// run before has finished (kube-proxy: pkg/proxy/runner/bounded_frequency_runner.go, minSyncPeriod 1 s).
import { inBackground, type OnDefect } from '../node/background.ts';
import type { Clock } from '../node/clock.ts';

export class BoundedFrequencyRunner {
  private readonly clock: Clock;
  private readonly intervalMs: number;
  private readonly sync: () => Promise<void>;
  private readonly onDefect: OnDefect;
  private finishedMs = Number.NEGATIVE_INFINITY;
  private running = false;
  private wanted = false;
  private cancel: (() => void) | undefined;
  private closed = false;

  constructor(clock: Clock, intervalMs: number, sync: () => Promise<void>, onDefect: OnDefect) {
    this.onDefect = onDefect;
    this.clock = clock;
    this.intervalMs = intervalMs;
    this.sync = sync;
  }

  /** Something changed. */
  request(): void {
    this.wanted = true;
    this.schedule();
  }

  close(): void {
    this.closed = true;
    this.cancel?.();
  }

  private schedule(): void {
    if (this.closed || this.running || this.cancel) return;
    const waitMs = Math.max(0, this.finishedMs + this.intervalMs - this.clock.now());
    this.cancel = this.clock.after(waitMs, () => {
      this.cancel = undefined;
      inBackground('a sync of the proxy', this.run(), this.onDefect);
    });
  }

  private async run(): Promise<void> {
    this.wanted = false;
    this.running = true;
    try {
      await this.sync();
    } finally {
      this.running = false;
      this.finishedMs = this.clock.now();
    }
    if (this.wanted) this.schedule();
  }
}
