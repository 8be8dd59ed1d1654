// Everything that the decision of a cause may look at, and how precise it is.

import type { Clocks } from '../../journal/clocks.ts';
import type { Routing } from '../../journal/endpoints.ts';
import type { JournalFacts } from '../../journal/facts.ts';
import type { Journal } from '../../journal/journal.ts';
import { type Listening, listeningOf } from '../../journal/listening.ts';
import type { PodLife } from '../../journal/pods.ts';
import { type NodeTrouble, nodeTroubles } from '../../journal/pods.ts';
import type { AnswerSpan, PlacedFailure, Stream } from '../../journal/streams.ts';

/** From a change of an object to its watch event, at most, ms (measured: 7 to 116 ms for most). */
const WATCH_LATENCY_MS = 100;
/** A phase cannot be stamped early; this much is rounding. */
export const PHASE_EARLY_MS = 5;

export interface Scene {
  readonly pods: ReadonlyMap<string, PodLife>;
  readonly routing: Routing;
  /** When pods accepted and refused connections, where connection tracking was read. */
  readonly listening: ReadonlyMap<string, Listening>;
  readonly nodeTroubles: readonly NodeTrouble[];
  readonly controlFailures: readonly PlacedFailure[];
  /** Answers per pod over all lanes: a pod that answered was listening. */
  readonly answers: ReadonlyMap<string, AnswerSpan>;
  readonly chaos: readonly Chaos[];
  /** Error of an order between a watch event and an attempt: clocks and watch latency, ms. */
  readonly watchErrorMs: number;
  /** The same for what a pod said, beyond the link's latency: 0 with one agent, which stamps both by one clock. */
  readonly phaseErrorMs: number;
  /**
   * Until when a pod whose app does not speak was not listening, as its losses tell (infer-starts.ts). undefined: not
   * worked out yet, every fresh pod without a readinessProbe may be.
   */
  readonly startingUntil: ReadonlyMap<string, number> | undefined;
  /** Judge as if it were not known which pod a new connection was sent to (only the embedded cluster knows). */
  readonly ignoreRouteKnowledge: boolean;
}

export interface Chaos {
  readonly action: string;
  readonly atMs: number;
  readonly line: number;
  /** Pods it was done to, where the step recorded them. */
  readonly pods: readonly string[];
}

export function buildScene(facts: JournalFacts, ignoreRouteKnowledge: boolean): Scene {
  const { journal, clocks, streams } = facts;
  const clockErrorMs = Number.isFinite(clocks.errorMs) ? clocks.errorMs : 1000;
  return {
    pods: facts.pods,
    routing: facts.routing,
    listening: listeningOf(facts.witness),
    nodeTroubles: nodeTroubles(journal, clocks),
    controlFailures: streams.filter((stream) => stream.control).flatMap((stream) => stream.failures),
    answers: mergeAnswers(streams.filter((stream) => !stream.control)),
    chaos: chaosSteps(journal, clocks),
    watchErrorMs: clockErrorMs + WATCH_LATENCY_MS,
    phaseErrorMs: journal.header.agents > 1 ? 2 * clockErrorMs : 0,
    startingUntil: undefined,
    ignoreRouteKnowledge,
  };
}

function mergeAnswers(streams: readonly Stream[]): Map<string, AnswerSpan> {
  const merged = new Map<string, AnswerSpan>();
  for (const stream of streams) {
    for (const [pod, span] of stream.answers) {
      const sum = merged.get(pod);
      if (!sum) merged.set(pod, { ...span });
      else {
        sum.firstMs = Math.min(sum.firstMs, span.firstMs);
        sum.lastMs = Math.max(sum.lastMs, span.lastMs);
        sum.answers += span.answers;
      }
    }
  }
  return merged;
}

function chaosSteps(journal: Journal, clocks: Clocks): Chaos[] {
  const begun = journal.steps.filter(({ step, event }) => step.step === 'chaos' && event === 'begin');
  return begun.map(({ index, step, t, line }) => {
    const end = journal.steps.find((other) => other.index === index && other.event === 'end');
    const named = end?.detail?.pods ?? end?.detail?.pod;
    const pods = Array.isArray(named) ? named.map(String) : typeof named === 'string' ? [named] : [];
    return {
      action: step.step === 'chaos' ? step.action : '',
      atMs: clocks.fromHarness(t),
      line,
      pods,
    };
  });
}
