// A measurement that something else disturbed (a busy machine, a clock, a control target that lost too) is made once
// more. What decides is how well it was measured, never what was measured; what was set aside is kept and told.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { readJournalFile } from '../journal/file.ts';
import { judgeExperiment } from '../judge/experiment.ts';
import { UsageError } from '../model/errors.ts';
import type { ExperimentResult } from '../model/results.ts';
import type { MeasuredAgain } from '../model/run.ts';
import { experimentName, type RunContext } from './experiment/index.ts';
import { type Ran, type RunExperiments, removeAll, runExperiments } from './experiments.ts';
import type { Progress } from './progress.ts';

interface Disturbed {
  readonly one: Ran;
  readonly journal: string;
  readonly reasons: readonly string[];
}

interface SetAside extends Disturbed {
  /** Where the journal of the disturbed measurement is now. */
  readonly file: string;
}

interface MeasuringAgain {
  /** How many times at most. */
  readonly times: number;
  readonly out: string;
  readonly progress: Progress;
}

/**
 * `first` with what was disturbed measured anew, one experiment at a time where several ran side by side. When the new
 * measurement does not come to its end, the old one stands.
 */
export async function measureAgain(
  run: RunContext,
  first: RunExperiments,
  { times, out, progress }: MeasuringAgain,
): Promise<RunExperiments & { readonly again: readonly MeasuredAgain[] }> {
  let result = first;
  const again: MeasuredAgain[] = [];
  const seen: Seen = new Map();
  for (let attempt = 1; ; attempt++) {
    const { ran, disturbed } = await look(result.ran, out, seen);
    result = { ...result, ran };
    if (disturbed.length === 0 || attempt > times || run.signal.aborted) break;
    // Pods that are left from the first time would be load, and in the way of scenarios that need empty nodes.
    await progress.stage('Remove what was deployed', () =>
      removeAll(run, result).catch((error: unknown) => progress.note((error as Error).message)),
    );
    for (const { one, reasons } of disturbed) {
      progress.note(`Measuring ${experimentName(one.key)} again: ${reasons[0] ?? ''}`);
    }
    const aside = disturbed.map((each): SetAside => ({ ...each, file: setAside(out, each.journal) }));
    const anew = await runExperiments(
      run,
      disturbed.map(({ one }) => ({ ...one.key, attempt })),
      out,
      progress,
      { oneByOne: true },
    );
    const replaced = new Map<Ran, Ran>();
    for (const each of aside) {
      const { one, journal, reasons, file } = each;
      const found = anew.ran.find((other) => other.journal === journal);
      if (found?.outcome.status !== 'complete') {
        renameSync(join(out, file), join(out, journal));
        continue;
      }
      replaced.set(one, { ...found, key: one.key });
      again.push({
        scenario: one.key.scenario.id,
        variant: one.key.variant.name,
        setAside: file,
        journal,
        reasons: [...reasons],
      });
    }
    result = {
      ran: result.ran.map((one) => replaced.get(one) ?? one),
      removed: anew.removed,
      remaining: anew.remaining,
      loadMs: result.loadMs + anew.loadMs,
    };
  }
  return { ...result, again };
}

/**
 * What was disturbed, each journal judged once; and `ran`, in which an experiment whose journal cannot be read is a failed one: it must not take
 * the evidence of all others with it.
 */
async function look(
  given: readonly Ran[],
  out: string,
  seen: Seen,
): Promise<{ ran: Ran[]; disturbed: Disturbed[] }> {
  const ran: Ran[] = [];
  const disturbed: Disturbed[] = [];
  for (const one of given) {
    const { journal, outcome } = one;
    const result = journal === undefined ? undefined : (seen.get(one) ?? (await judged(join(out, journal))));
    if (result instanceof UsageError) {
      const reason = `left a journal that cannot be read: ${result.message}`;
      ran.push({ key: one.key, journal: undefined, outcome: { status: 'faulted', reason } });
      continue;
    }
    ran.push(one);
    if (result) seen.set(one, result);
    if (journal !== undefined && result?.disturbed && outcome.status === 'complete') {
      disturbed.push({ one, journal, reasons: result.invalid });
    }
  }
  return { ran, disturbed };
}

type Seen = Map<Ran, Pick<ExperimentResult, 'disturbed' | 'invalid'>>;

const judged = (file: string): Promise<ExperimentResult | UsageError> =>
  readJournalFile(file)
    .then((journal) => judgeExperiment(journal))
    .catch((error: unknown) => {
      if (error instanceof UsageError) return error;
      throw error;
    });

/** The journal's new name: the first that is free. */
function setAside(out: string, journal: string): string {
  for (let n = 1; ; n++) {
    const file = `${journal}.disturbed-${n}`;
    if (existsSync(join(out, file))) continue;
    renameSync(join(out, journal), join(out, file));
    return file;
  }
}
