// This run among earlier ones of its kind.
import type { LineId } from './line.ts';

/** How a figure of this run stands among the same figure of earlier runs. */
export interface FigureStanding {
  /** "hardened" or, where it needs to be told apart, "hardened, node-port, 3 agents". */
  readonly variant: string;
  readonly line?: LineId;
  readonly figure: 'lost' | 'longestOutageMs' | 'rolloutMs';
  readonly now: number;
  /** Of the earlier runs that have it (nearest rank). */
  readonly p50: number;
  readonly p95: number;
  readonly runs: number;
  /** Larger than in 95 % of at least {@link enoughRuns} earlier runs. */
  readonly above: boolean;
}
/** Fewer runs say nothing about what is unusual. */
export const enoughRuns = 5;

/** `regressed`: it was well when it was last known, and is not now; `fixed`: the other way round. */
export type HistoryChip = 'new' | 'fixed' | 'regressed';
export interface ScenarioStanding {
  readonly name: string;
  readonly chip?: HistoryChip;
  /** The verdict when it was last known. */
  readonly before?: string;
  readonly figures: readonly FigureStanding[];
}
/** This run against the last ones of its kind. */
export interface RunStanding {
  readonly runs: number;
  readonly scenarios: readonly ScenarioStanding[];
}
