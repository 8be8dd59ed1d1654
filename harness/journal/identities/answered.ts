// Which attempts got an answer, as far as their outcome tells.
import type { Outcome, StreamEnd } from '../../model/load.ts';

/** Outcomes of attempts that got a whole answer. */
export const answeredOutcomes = ['ok', 'http3xx', 'http4xx', 'http5xx', 'message-late'] as const;
/** Some of these were answered, some were not. */
export const maybeAnsweredOutcomes = ['other', 'grpc-status', 'missing-trailers', 'stream-ended'] as const;

/** Attempts that got a whole answer. `other` is a status beyond 5xx or an error that nothing else names. */
export function answeredAtLeast(end: StreamEnd): { least: number; most: number } {
  const sum = (of: readonly Outcome[]) => of.reduce((all, outcome) => all + (end.outcomes[outcome] ?? 0), 0);
  const least = sum(answeredOutcomes);
  return { least, most: least + sum(maybeAnsweredOutcomes) };
}
