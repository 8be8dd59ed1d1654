// What the rows of remedies look at: how pods ended, what was written of it, what was lost.
import type { JournalFacts } from '../../journal/facts.ts';
import type { PodLife } from '../../journal/pods.ts';
import type { PlacedFailure } from '../../journal/streams.ts';
import type { Cause } from '../../model/results.ts';
import type { Written } from './written.ts';

export interface PodEnds {
  readonly facts: JournalFacts;
  readonly written: Written;
  /** Lost attempts at the target, as far as they are listed. */
  readonly failures: readonly PlacedFailure[];
  /** Pods that were deleted while it was watched. */
  readonly going: readonly PodLife[];
  readonly lost: (cause: Cause) => number;
}
