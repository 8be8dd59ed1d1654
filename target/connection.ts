// What the target remembers of a connection, and the two questions that a graceful stop asks about it. Pure.

/** Times in ms of one monotonic clock. */
export interface Connection {
  readonly openedAtMs: number;
  /** When its last request came or was answered. */
  lastUsedAtMs: number;
  /** Longest pause between an answer and the next request. */
  longestGapMs: number;
  requests: number;
  inFlight: number;
}

/** A client that has just connected is about to ask; give it this long, ms. */
const FRESH_MS = 1000;

export function isFresh(connection: Connection, nowMs: number): boolean {
  return connection.requests === 0 && nowMs - connection.openedAtMs < FRESH_MS;
}

/**
 * Will this connection carry another request? Busy or fresh: yes. Idle: as long as its pause is not longer than
 * max(lingerMs, 2 × its longest pause so far). Two worked cases with lingerMs 2000: a connection used every 0.1 s is
 * given up after 2 s of silence; one used every 4 s after 8 s.
 */
export function isExpected(connection: Connection, nowMs: number, lingerMs: number): boolean {
  if (connection.inFlight > 0 || isFresh(connection, nowMs)) return true;
  if (connection.requests === 0) return false;
  return nowMs - connection.lastUsedAtMs < Math.max(lingerMs, 2 * connection.longestGapMs);
}
