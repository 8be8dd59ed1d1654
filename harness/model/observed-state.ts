// The present state of an experiment's objects, as the watches tell it: recorded by one room, waited on by others.
import type { Facts, FactsKind, PodFacts } from './facts.ts';
import type { Role } from './manifest.ts';

export interface ObservedState {
  all<K extends FactsKind>(kind: K): ReadonlyMap<string, Extract<Facts, { kind: K }>>;
  /** Pods of a role, by name. */
  pods(role: Role): ReadonlyMap<string, PodFacts>;
  /**
   * Waits until `met` returns true, looking after every event. Throws FaultError after `limitMs` with what was waited
   * for and what was seen last; rejects with the signal's reason when it is aborted.
   */
  until(
    what: string,
    met: () => boolean,
    limitMs: number,
    signal: AbortSignal,
    seen?: () => string,
  ): Promise<void>;
}
