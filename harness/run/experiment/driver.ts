// The seam between a measurement and whoever makes the change: everything else of an experiment (deploy, fire, record,
// end, judge) is the same for every driver. scenario-driver.ts is one: it makes the change itself.
import type { Kube } from '../../kube/client.ts';
import type { LineId } from '../../model/line.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import type { LiveState } from '../../record/live.ts';

export interface Driver {
  /** Makes the change, or waits for somebody else's. Resolves when nothing more of it will begin. */
  drive(scene: Scene): Promise<void>;
  /** Resolves when what was changed has settled; the quiet tail comes after that. */
  settled(scene: Scene): Promise<void>;
}

/** What a driver sees of a measurement under load, and may do to it. All of it ends with the experiment. */
export interface Scene {
  /** Every request ends with `signal`. */
  readonly kube: Kube;
  /** The cluster's present state, from the watches that are recorded. */
  readonly live: LiveState;
  readonly journal: Pick<JournalWriter, 'write'>;
  readonly signal: AbortSignal;
  /** What is going on, for people who wait. */
  say(doing: string): void;
  /** Changes the rate of the target's streams (all lanes, or one). */
  setRate(ratePerSecond: number, overMs: number, lane: LineId | undefined): Promise<void>;
  /** Compares the agents' clocks with ours once more, and records it: for measurements that last long. */
  compareClocks(): Promise<void>;
  /** To be called before what it undoes; `undo` gets a client that still works then. */
  defer(what: string, undo: (kube: Kube) => Promise<void>): void;
}
