// What k6 says at its end (script.ts, handleSummary), read from its output.
import {
  type CrossCheckCounts,
  type CrossCheckResult,
  crossCheckCountsSchema,
} from '../../model/cross-check.ts';

/** `ended`: how k6 ended, in words, for when it left no summary. `output` may carry its errors, too. */
export function resultIn(output: string, ended: string, errors = output): CrossCheckResult {
  const line = output.split('\n').findLast((one) => one.startsWith('{"attempts"'));
  const counts = crossCheckCountsSchema.safeParse(line && parsed(line));
  if (counts.success) return withUncoded(counts.data);
  const last = errors.trim().split('\n').at(-1);
  return { problem: `k6 ${ended} and left no summary${last ? `: ${last}` : ''}` };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** An iteration in which k6's request threw has counted nothing: one more failure without a code. */
function withUncoded(counts: CrossCheckCounts): CrossCheckCounts {
  const told = Object.values(counts.outcomes).reduce((sum, count) => sum + count, 0);
  if (told >= counts.attempts) return counts;
  const uncoded = (counts.outcomes.uncoded ?? 0) + counts.attempts - told;
  return { ...counts, outcomes: { ...counts.outcomes, uncoded } };
}
