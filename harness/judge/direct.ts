// The direct verdict on somebody's own workload: does it lose anything as it is? From the experiments of variant
// `as-is` alone; what its settings would save is another question.
import { type LineId, linesOf } from '../model/line.ts';
import type { DirectResult, ExperimentResult } from '../model/results.ts';
import { asIsName } from '../model/setting.ts';
import { count, counted, duration, listed, percent } from '../words/figures.ts';

/** undefined: the workload did not run as it is. */
export function judgeDirect(experiments: readonly ExperimentResult[]): DirectResult | undefined {
  const own = experiments.filter((experiment) => experiment.variant === asIsName);
  if (own.length === 0) return undefined;
  const valid = own.filter((experiment) => experiment.valid);
  const figures = linesOf(valid).flatMap((lane) => figuresOf(lane, valid));
  const result = (verdict: DirectResult['verdict'], reason: string): DirectResult => ({
    variant: asIsName,
    verdict,
    reason,
    runs: { of: own.length, valid: valid.length },
    lanes: Object.fromEntries(figures),
  });
  // A loss that was measured well is a loss, whatever came of the other runs.
  const lossy = figures.filter(([, { lost }]) => lost > 0);
  if (lossy.length > 0) {
    return result('loses', `As it is, ${listed(lossy.map(lostText))}.`);
  }
  const bad = own.find((experiment) => !experiment.valid);
  if (bad)
    return result('inconclusive', `As it is: ${bad.invalid[0] ?? 'the measurement was not good enough.'}`);
  const attempts = figures.filter((figure) => figure[1].attempts > 0);
  if (attempts.length === 0) {
    return result('inconclusive', 'As it is: no request was made, so nothing was measured.');
  }
  const clean = attempts.map(
    ([lane, figure]) =>
      `${count(figure.attempts)} in lane ${lane} (at most ${percent(Math.min(1, 3 / figure.attempts))})`,
  );
  const runs = valid.length > 1 ? ` in ${counted(valid.length, 'run')}` : '';
  return result('safe', `As it is, nothing was lost of ${listed(clean)}${runs}.`);
}

type Figures = DirectResult['lanes'][LineId] & object;

function figuresOf(lane: LineId, valid: readonly ExperimentResult[]): [LineId, Figures][] {
  const results = valid.flatMap((experiment) => experiment.lanes[lane] ?? []);
  if (results.length === 0) return [];
  const sum = (pick: (result: (typeof results)[number]) => number) =>
    results.reduce((total, result) => total + pick(result), 0);
  return [
    [
      lane,
      {
        attempts: sum((result) => result.attempts),
        lost: sum((result) => result.lost),
        longestOutageMs: Math.max(...results.map((result) => result.longestOutageMs)),
      },
    ],
  ];
}

const lostText = ([lane, { attempts, lost, longestOutageMs }]: [LineId, Figures]): string =>
  `${count(lost)} of ${count(attempts)} are lost in lane ${lane}` +
  (longestOutageMs > 0 ? ` (longest outage ${duration(longestOutageMs)})` : '');
