// Why k6's counts differ from ours: what its HTTP client hides and what its error codes cannot tell apart. Pure.
import { type CrossCheckCounts, uncodedByK6 } from '../../model/cross-check.ts';
import { isLost, type OutcomeCounts, outcomes, type StreamEnd } from '../../model/load.ts';

/** Starting and stopping at another moment makes a difference of a few arrivals; more than this share is explained. */
const SAME_SCHEDULE_SHARE = 0.01;

/** Sentences for a reader who sees both counts side by side; empty when there is nothing to explain. */
export function explainK6(ours: StreamEnd, k6: CrossCheckCounts): string[] {
  const sentences: string[] = [];
  const uncoded = k6.outcomes.uncoded ?? 0;
  const oursUncoded = uncodedByK6.reduce((sum, outcome) => sum + (ours.outcomes[outcome] ?? 0), 0);
  if (uncoded > 0 || oursUncoded > 0) {
    sentences.push(
      `Failures that k6 gives no code of their own: ${uncoded} of k6's; ours by name: ${listed(ours.outcomes, uncodedByK6)}.`,
    );
  }
  if (ours.lane === 'kept' && ours.races > 0) {
    sentences.push(
      `${ours.races} of our losses crossed a close on an idle kept connection; k6's client sends such a request again on another connection and counts nothing.`,
    );
  }
  if (k6.dropped > 0 || ours.shed > 0) {
    sentences.push(
      `Arrivals that found nothing free: k6 dropped ${k6.dropped}, rollproof did not send ${ours.shed}.`,
    );
  }
  const due = k6.attempts + k6.dropped;
  if (Math.abs(due - ours.scheduled) > SAME_SCHEDULE_SHARE * ours.scheduled) {
    sentences.push(
      `k6 scheduled ${due} requests, rollproof ${ours.scheduled}: they do not begin and end at the same moment, and k6 keeps the plan's rate when a step changes ours.`,
    );
  }
  const oursLost = outcomes.filter(isLost).reduce((sum, outcome) => sum + (ours.outcomes[outcome] ?? 0), 0);
  const k6Lost = k6.attempts - (k6.outcomes.ok ?? 0);
  if (oursLost !== k6Lost) {
    sentences.push(
      `Both fire the same plan, but not the same requests: each loses what it sent into the same gaps (we ${oursLost} of ${ours.attempts}, k6 ${k6Lost} of ${k6.attempts}).`,
    );
  }
  return sentences;
}

function listed(counts: OutcomeCounts, names: readonly (keyof OutcomeCounts)[]): string {
  return names.flatMap((name) => (counts[name] ? [`${name} ${counts[name]}`] : [])).join(', ') || 'none';
}
