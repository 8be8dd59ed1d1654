// Experiments of a search (tune, harden): run, measured again where something disturbed them, judged, and removed.
import { join } from 'node:path';
import { readJournalFile } from '../journal/file.ts';
import { judgeExperiment } from '../judge/experiment.ts';
import { FaultError, InterruptedError } from '../model/errors.ts';
import type { ExperimentResult } from '../model/results.ts';
import type { ExperimentKey, RunContext } from './experiment/index.ts';
import { removeAll, runExperiments } from './experiments.ts';
import { measureAgain } from './measure-again.ts';
import type { TimedProgress } from './session.ts';

interface Measured {
  readonly key: ExperimentKey;
  /** Undefined: it was not measured well enough. */
  readonly result: ExperimentResult | undefined;
  /** Relative to the output folder. */
  readonly journal: string;
}

interface Measuring {
  readonly out: string;
  readonly progress: TimedProgress;
  /** Names the command in messages. */
  readonly who: string;
  /** Told why an experiment does not count. */
  readonly onProblem: (sentence: string) => void;
}

/** In the order of `keys`. Throws FaultError when a target cannot be deployed, InterruptedError after an interrupt. */
export async function measure(
  run: RunContext,
  keys: readonly ExperimentKey[],
  { out, progress, who, onProblem }: Measuring,
): Promise<Measured[]> {
  const first = await runExperiments(run, keys, out, progress);
  const all = await measureAgain(run, first, { times: 1, out, progress });
  await progress('Remove what was deployed', () => removeAll(run, all));
  if (run.signal.aborted) throw new InterruptedError();
  const measured: Measured[] = [];
  for (const { key, journal, outcome } of all.ran) {
    if (!journal) throw new FaultError(`${who}: the target ${outcome.reason ?? 'left no journal'}`);
    const result = judgeExperiment(await readJournalFile(join(out, journal)), { journalName: journal });
    if (!result.valid)
      onProblem(`${who}: ${journal} was not measured well enough: ${result.invalid[0] ?? result.status}`);
    measured.push({ key, journal, result: result.valid ? result : undefined });
  }
  return measured;
}
