// Exponential back-off per key as client-go's flowcontrol.Backoff keeps it: the kubelet's for restarts and for pulls.
import type { Clock } from './clock.ts';

interface Entry {
  backOffMs: number;
  lastUpdateMs: number;
}

export class BackOff {
  private readonly entries = new Map<string, Entry>();
  private readonly clock: Clock;
  private readonly initialMs: number;
  private readonly maxMs: number;

  /** Kubernetes: 10 s, doubled up to 300 s. */
  constructor(clock: Clock, initialMs = 10_000, maxMs = 300_000) {
    this.clock = clock;
    this.initialMs = initialMs;
    this.maxMs = maxMs;
  }

  /** The present back-off of a key, ms; 0 when it has none. */
  get(key: string): number {
    return this.entries.get(key)?.backOffMs ?? 0;
  }

  /** Something failed at `eventMs` (monotonic): doubles the back-off, or starts it anew when it is forgotten. */
  next(key: string, eventMs: number): void {
    const entry = this.entries.get(key);
    const backOffMs =
      !entry || this.forgotten(entry, eventMs) ? this.initialMs : Math.min(entry.backOffMs * 2, this.maxMs);
    this.entries.set(key, { backOffMs, lastUpdateMs: this.clock.now() });
  }

  /** Restarts count from when the container ended. */
  isInBackOffSince(key: string, eventMs: number): boolean {
    const entry = this.entries.get(key);
    if (!entry || this.forgotten(entry, eventMs)) return false;
    return this.clock.now() - eventMs < entry.backOffMs;
  }

  /** Pulls count from the last failure. */
  isInBackOffSinceUpdate(key: string): boolean {
    const entry = this.entries.get(key);
    if (!entry || this.forgotten(entry, this.clock.now())) return false;
    return this.clock.now() - entry.lastUpdateMs < entry.backOffMs;
  }

  /** Drops every key that begins with `prefix`: its pod is gone. */
  forget(prefix: string): void {
    for (const key of this.entries.keys()) if (key.startsWith(prefix)) this.entries.delete(key);
  }

  /** A key that had no failure for twice the longest back-off starts anew. */
  private forgotten(entry: Entry, eventMs: number): boolean {
    return eventMs - entry.lastUpdateMs > this.maxMs * 2;
  }
}
