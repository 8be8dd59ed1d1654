// How an experiment came out: the first error is the reason, what came after it are notes.
import { FaultError, InterruptedError, messageOf } from '../../model/errors.ts';
import type { Lifetime, Trouble } from '../../model/lifetime.ts';
import { StorageError } from '../../model/system-error.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import type { ExperimentOutcome } from './context.ts';

/** Ends the life, writes the journal's last record and says how it came out. Never throws. */
export async function finish(
  life: Lifetime,
  journal: JournalWriter,
  failure: unknown,
  times: () => { readonly totalMs: number; readonly loadMs: number },
): Promise<ExperimentOutcome> {
  // What is at work rejects with many words when it is aborted; why it was aborted is the first error.
  const first = life.signal.aborted ? life.signal.reason : failure;
  if (first !== undefined) life.fail(first);
  const troubles = await life.end();
  for (const trouble of troubles) {
    journal.write({ type: 'note', level: 'fault', text: sentenceOf(trouble) });
  }
  const outcome = outcomeOf(first, troubles);
  try {
    await journal.end({ ...outcome, harness: times() });
    return outcome;
  } catch (error) {
    // Without a whole journal nothing was measured, whatever else there is to say.
    const reason = outcome.status === 'complete' ? messageOf(error) : outcome.reason;
    return {
      status: outcome.status === 'interrupted' ? 'interrupted' : 'faulted',
      ...(reason !== undefined && { reason }),
      unwritable: error instanceof StorageError,
    };
  }
}

function outcomeOf(first: unknown, troubles: readonly Trouble[]): ExperimentOutcome {
  if (first instanceof InterruptedError) {
    return { status: 'interrupted', reason: 'interrupted before the end' };
  }
  if (first !== undefined) return { status: 'faulted', reason: messageOf(first) };
  const [trouble] = troubles;
  return trouble ? { status: 'faulted', reason: sentenceOf(trouble) } : { status: 'complete' };
}

const sentenceOf = ({ what, why }: Trouble): string => `Could not ${what}: ${why}`;

/** Of the whole experiment: its scenario's limit, and what getting ready and ending may take. What ends it names that sum. */
export const limitWhole = (life: Lifetime, scenarioMs: number, besideMs: number): void =>
  life.limit(
    scenarioMs + besideMs,
    new FaultError(
      `The experiment did not end within ${(scenarioMs + besideMs) / 1000} s: ${scenarioMs / 1000} s of its scenario (limitMs) and ${besideMs / 1000} s to begin and end.`,
    ),
  );
