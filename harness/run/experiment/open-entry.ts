import type { MeasuredEntry } from '../../model/entry.ts';

/** Where the agents stand that fire at it. */
export type Standing = 'inside' | 'outside' | 'here';

/** An entry that load can be fired at. */
export interface OpenEntry {
  readonly measured: MeasuredEntry;
  /** Scheme, host and port; of kind `url` with its path. */
  readonly base: string;
  readonly host: string | undefined;
  readonly stands: Standing;
}
