// What a controller has asked for and not yet seen in its cache; while something is outstanding it does not act again.
// Source: pkg/controller/controller_utils.go (UIDTrackingControllerExpectations).

interface Expectations {
  /** Sets the number of creations awaited for an owner. */
  expectCreations(owner: string, count: number): void;
  expectDeletions(owner: string, podUids: readonly string[]): void;
  /** Adds creations to what is awaited already. */
  expectMoreCreations(owner: string, count: number): void;
  creationObserved(owner: string): void;
  deletionObserved(owner: string, podUid: string): void;
  /** Nothing outstanding, or waited for longer than 5 minutes. */
  satisfied(owner: string): boolean;
  forget(owner: string): void;
}

const timeoutMs = 5 * 60_000;

export function createExpectations(nowMs: () => number): Expectations {
  const owners = new Map<string, { creations: number; deletions: Set<string>; sinceMs: number }>();
  const set = (owner: string, creations: number, deletions: readonly string[]) =>
    owners.set(owner, { creations, deletions: new Set(deletions), sinceMs: nowMs() });
  return {
    expectCreations: (owner, count) => set(owner, count, []),
    expectDeletions: (owner, podUids) => set(owner, 0, podUids),
    expectMoreCreations(owner, count) {
      const expected = owners.get(owner);
      if (expected) expected.creations += count;
      else set(owner, count, []);
    },
    creationObserved(owner) {
      const expected = owners.get(owner);
      if (expected) expected.creations--;
    },
    deletionObserved: (owner, podUid) => owners.get(owner)?.deletions.delete(podUid),
    satisfied(owner) {
      const expected = owners.get(owner);
      if (!expected) return true;
      if (expected.creations <= 0 && expected.deletions.size === 0) return true;
      return nowMs() - expected.sinceMs > timeoutMs;
    },
    forget: (owner) => owners.delete(owner),
  };
}
