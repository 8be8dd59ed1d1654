// A lost attempt, the shares of its causes, and what the rows of the decision table pass on to one another.

import type { PodLife } from '../../journal/pods.ts';
import type { PodKnownBy } from '../../journal/streams.ts';
import type { Asked } from '../../journal/witness.ts';
import type { Hop } from '../../model/entry.ts';
import type { Outcome, Phase } from '../../model/load.ts';
import type { Cause, Confidence, Fact } from '../../model/results.ts';
import type { Acceptance, Stop } from './acceptance.ts';
import type { Scene } from './scene.ts';

/** What is known of a lost attempt. Times in ms since the load's start. */
export interface LostAttempt {
  readonly dueMs: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: Outcome;
  readonly phase: Phase;
  readonly reused: boolean;
  readonly race: boolean;
  readonly bytes: number;
  readonly status?: number | undefined;
  readonly pod?: string | undefined;
  readonly podKnownBy?: PodKnownBy | undefined;
  readonly asked?: Asked | undefined;
  readonly code?: string;
  /** Its number in the stream, as its request id says. */
  readonly sequence?: number | undefined;
}

export interface Share {
  readonly cause: Cause;
  /** Where on the way through a proxy; undefined: the way has one hop. */
  readonly hop?: Hop;
  readonly weight: number;
  readonly pods: readonly string[];
  readonly facts: readonly Fact[];
  readonly confidence: Confidence;
}

export interface Candidate {
  readonly pod: PodLife;
  readonly acceptance: Acceptance;
  /** How likely the rules still (or already) pointed to it, 0 to 1. */
  readonly weight: number;
}

export interface Cut {
  readonly pod: PodLife;
  readonly stop: Stop;
}

export const unknown = (text: string, fact: Partial<Fact> = {}): Share => ({
  cause: 'unknown',
  weight: 1,
  pods: [],
  facts: [{ text, ...fact }],
  confidence: 'low',
});

export function knownPod(attempt: LostAttempt, scene: Scene): PodLife | undefined {
  if (attempt.pod === undefined) return undefined;
  const byRoute = attempt.podKnownBy === 'route' || attempt.podKnownBy === 'kernel';
  if (byRoute && scene.ignoreRouteKnowledge) return undefined;
  return scene.pods.get(attempt.pod);
}
