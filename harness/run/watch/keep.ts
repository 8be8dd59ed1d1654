// What is kept of a watch beside its folder: the gate's decision over all changes, and a line of the history for each of them.

import { runExitCode } from '../../judge/run.ts';
import { summarizeRun } from '../../judge/summarize.ts';
import { judgeWatched } from '../../judge/watched.ts';
import type { Results } from '../../model/results.ts';
import { type Concluded, concludeRun, type Keeping } from '../gate.ts';
import { appendHistory } from '../history.ts';

/** Each change is a run of its own in the history, in the order in which they began. */
export function keepChanges(results: Results, keeping: Keeping, out: string): Concluded {
  const { historyFile, history } = keeping;
  const concluded = concludeRun(results, keeping, out, { keep: false });
  const runs = [...history.runs];
  let page: string | undefined;
  for (const change of changesOf(results)) {
    const summary = summarizeRun(change);
    page = appendHistory(historyFile, runs, summary);
    runs.push(summary);
  }
  const kept = page
    ? `History: ${historyFile}, trend: ${page}`
    : 'History: nothing changed, so nothing was added.';
  return { ...concluded, lines: [...concluded.lines, kept] };
}

function changesOf(results: Results): readonly Results[] {
  const all = results.scenarios.flatMap((scenario) =>
    scenario.experiments.flatMap((experiment) => (experiment.episode ? [{ scenario, experiment }] : [])),
  );
  return all
    .toSorted((a, b) => (a.experiment.episode?.number ?? 0) - (b.experiment.episode?.number ?? 0))
    .map(({ scenario, experiment }) => {
      const alone = { ...scenario, experiments: [experiment], ...judgeWatched([experiment], undefined) };
      return {
        ...results,
        runId: `${results.runId}-${experiment.episode?.number}`,
        startedAt: experiment.episode?.beganAt ?? results.startedAt,
        durationMs: experiment.durationMs,
        scenarios: [alone],
        exitCode: runExitCode([alone], { strict: false, interrupted: false }),
      };
    });
}
