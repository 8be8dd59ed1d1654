// The table of docs/embedded.md: the same scenarios on a real cluster and on the emulated one. Pure.

import { isSurelyMoreLost } from '../harness/judge/statistics.ts';
import type { Lane } from '../harness/model/load.ts';
import type { Cause, ExperimentResult, Results, ScenarioResult } from '../harness/model/results.ts';

/** A cause counts as one of a lane's when it stands for at least this share of what was lost. */
const CAUSE_SHARE = 0.05;
/** Losses are of the same order when neither share is more than this many times the other. */
const SAME_ORDER = 3;

/** All valid runs of one scenario × variant × path × lane on one cluster, added up. */
export interface LaneSum {
  readonly runs: number;
  readonly attempts: number;
  readonly lost: number;
  /** Losses of the single runs, ascending. */
  readonly each: readonly number[];
  /** All of them, most losses first. */
  readonly causes: readonly { readonly cause: Cause; readonly lost: number }[];
}

/**
 * Of the causes that count as a lane's (CAUSE_SHARE): the same on both; or others, and either no share of one differs by
 * more than chance would make it (their 95 % intervals overlap; losses come in clusters, so chance makes more), or it does.
 */
type SameCauses = 'yes' | 'within chance' | 'no';

export interface FidelityRow {
  readonly scenario: string;
  readonly variant: string;
  readonly lane: Lane;
  readonly real: LaneSum;
  readonly emulated: LaneSum;
  readonly sameCauses: SameCauses;
  /** Emulated share of losses over the real one; undefined when one of them is 0. */
  readonly ratio: number | undefined;
  readonly sameOrder: boolean;
}

export interface FidelityScenario {
  readonly name: string;
  /** Every verdict that came out, with how often. */
  readonly real: string;
  readonly emulated: string;
  readonly same: boolean;
}

export interface Fidelity {
  readonly scenarios: readonly FidelityScenario[];
  readonly rows: readonly FidelityRow[];
}

/** Scenarios that ran on one of the clusters only are left out. */
export function fidelityOf(real: readonly Results[], emulated: readonly Results[]): Fidelity {
  const ran = (runs: readonly Results[], name: string) =>
    runs.flatMap(({ scenarios }) =>
      scenarios.filter((one) => one.name === name && one.verdict !== 'not-run'),
    );
  const names = [...new Set(real.flatMap(({ scenarios }) => scenarios.map(({ name }) => name)))].filter(
    (name) => ran(real, name).length > 0 && ran(emulated, name).length > 0,
  );
  const scenarios: FidelityScenario[] = [];
  const rows: FidelityRow[] = [];
  for (const name of names) {
    const [onReal, onEmulated] = [ran(real, name), ran(emulated, name)];
    const verdicts = [verdictsOf(onReal), verdictsOf(onEmulated)] as const;
    scenarios.push({
      name,
      real: verdictText(verdicts[0]),
      emulated: verdictText(verdicts[1]),
      same: sameVerdict(verdicts),
    });
    const sums = [laneSums(onReal), laneSums(onEmulated)] as const;
    for (const [key, realSum] of sums[0]) {
      const emulatedSum = sums[1].get(key);
      if (!emulatedSum) continue;
      const [variant = '', lane] = key.split('\n');
      rows.push({
        scenario: name,
        variant,
        lane: lane as Lane,
        real: realSum,
        emulated: emulatedSum,
        ...comparison(realSum, emulatedSum),
      });
    }
  }
  return { scenarios, rows };
}

function comparison(real: LaneSum, emulated: LaneSum) {
  const ratio =
    real.lost > 0 && emulated.lost > 0
      ? emulated.lost / emulated.attempts / (real.lost / real.attempts)
      : undefined;
  const sameOrder =
    ratio === undefined ? real.lost === emulated.lost : ratio <= SAME_ORDER && ratio >= 1 / SAME_ORDER;
  return { ratio, sameOrder, sameCauses: sameCausesIn(real, emulated) };
}

function sameCausesIn(real: LaneSum, emulated: LaneSum): SameCauses {
  // Where one of them lost none, there are no shares of it: then of what was tried.
  const ofTries = real.lost === 0 || emulated.lost === 0;
  const share = ({ causes, lost, attempts }: LaneSum, cause: Cause) => ({
    lost: causes.find((one) => one.cause === cause)?.lost ?? 0,
    attempts: ofTries ? attempts : lost,
  });
  const [ours, theirs] = [mainCauses(real), mainCauses(emulated)].map((causes) =>
    causes.map(({ cause }) => cause),
  ) as [Cause[], Cause[]];
  const others = [
    ...ours.filter((cause) => !theirs.includes(cause)),
    ...theirs.filter((cause) => !ours.includes(cause)),
  ];
  if (others.length === 0) return 'yes';
  const beyondChance = others.some((cause) => {
    const [one, other] = [share(real, cause), share(emulated, cause)];
    return isSurelyMoreLost(one, other) || isSurelyMoreLost(other, one);
  });
  return beyondChance ? 'no' : 'within chance';
}

/** Those that count as the lane's. */
const mainCauses = ({ causes, lost }: LaneSum) =>
  causes.filter((one) => one.lost > 0 && one.lost >= lost * CAUSE_SHARE);

function verdictsOf(runs: readonly ScenarioResult[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { verdict, rounds } of runs) counts.set(verdict, (counts.get(verdict) ?? 0) + (rounds?.of ?? 1));
  return counts;
}

/** One verdict on both; runs that were not measured well enough say nothing. */
function sameVerdict(clusters: readonly ReadonlyMap<string, number>[]): boolean {
  const said = clusters.map((counts) => [...counts.keys()].filter((verdict) => verdict !== 'inconclusive'));
  return said.every((verdicts) => verdicts.length === 1 && verdicts[0] === said[0]?.[0]);
}

const verdictText = (counts: ReadonlyMap<string, number>) =>
  [...counts].map(([verdict, n]) => `${verdict}, n = ${n}`).join('; ');

function laneSums(runs: readonly ScenarioResult[]): Map<string, LaneSum> {
  const byKey = new Map<string, ExperimentResult[]>();
  for (const experiment of runs.flatMap(({ experiments }) => experiments)) {
    if (!experiment.valid) continue;
    for (const lane of Object.keys(experiment.lanes)) {
      const path = experiment.path === 'cluster-ip' ? '' : ` by ${experiment.path}`;
      const key = `${experiment.variant}${path}\n${lane}`;
      byKey.set(key, [...(byKey.get(key) ?? []), experiment]);
    }
  }
  return new Map(
    [...byKey].map(([key, experiments]) => {
      const lanes = experiments.flatMap(({ lanes }) => lanes[key.split('\n')[1] as Lane] ?? []);
      const causes = new Map<Cause, number>();
      for (const lane of lanes) {
        for (const [cause, lost] of Object.entries(lane.causes) as [Cause, number][]) {
          causes.set(cause, (causes.get(cause) ?? 0) + lost);
        }
      }
      const lost = lanes.reduce((sum, lane) => sum + lane.lost, 0);
      return [
        key,
        {
          runs: lanes.length,
          attempts: lanes.reduce((sum, lane) => sum + lane.attempts, 0),
          lost,
          each: lanes.map((lane) => lane.lost).sort((a, b) => a - b),
          causes: [...causes].sort(([, a], [, b]) => b - a).map(([cause, count]) => ({ cause, lost: count })),
        },
      ];
    }),
  );
}

export const knowledge = {
  blind: 'judged without the knowledge of which pod was asked',
  known:
    'judged with the knowledge of which pod was asked (by connection tracking on kind, by its own routing on embedded)',
} as const;
export type Knowledge = keyof typeof knowledge;

export function fidelityText(
  { scenarios, rows }: Fidelity,
  clusters: readonly string[],
  known: Knowledge,
): string {
  const count = (what: string, n: number, of: number) => `${what}: ${n} of ${of}`;
  return [
    'From folders of `rollproof verify` on kind and on embedded, the same scenarios,',
    `${knowledge[known]}. Losses are the sum over all runs, in`,
    `brackets those of the single ones; causes with less than ${CAUSE_SHARE * 100} % of a lane's losses are left out; of the same order is a share`,
    `of losses within a factor of ${SAME_ORDER}, or none on both. Inconclusive runs (a machine too busy to measure) say nothing.`,
    '',
    ...clusters.map((text) => `- ${text}`),
    '',
    `A lane with other causes is within chance where the 95 % intervals of their shares of what was lost overlap.`,
    '',
    `${count('Same verdict', scenarios.filter(({ same }) => same).length, scenarios.length)} scenarios. ${count(
      'Same causes',
      rowsWith(rows, 'yes'),
      rows.length,
    )} lanes, within chance: ${rowsWith(rows, 'within chance')}. ${count('Losses of the same order', rows.filter(({ sameOrder }) => sameOrder).length, rows.length)} lanes.`,
    '',
    '| scenario | kind | embedded (emulated) | same |',
    '|---|---|---|---|',
    ...scenarios.map((one) => `| ${one.name} | ${one.real} | ${one.emulated} | ${yes(one.same)} |`),
    '',
    '| scenario, variant, lane | lost on kind | lost on embedded | causes on kind | causes on embedded | same causes | same order |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(
      ({ scenario, variant, lane, real, emulated, sameCauses, sameOrder, ratio }) =>
        `| ${scenario}, ${variant}, ${lane} | ${lostText(real)} | ${lostText(emulated)} | ${causesText(real)} | ${causesText(emulated)} | ${sameCauses === 'no' ? '**no**' : sameCauses} | ${yes(sameOrder)}${ratio === undefined ? '' : ` (× ${ratio.toFixed(1)})`} |`,
    ),
  ].join('\n');
}

export const rowsWith = (rows: readonly FidelityRow[], same: SameCauses): number =>
  rows.filter(({ sameCauses }) => sameCauses === same).length;

const yes = (value: boolean) => (value ? 'yes' : '**no**');

const number = (value: number) => value.toLocaleString('en-US');

function lostText({ lost, attempts, each }: LaneSum): string {
  const single = each.length > 1 ? ` (${[...new Set([each[0], each.at(-1)])].join(' to ')})` : '';
  return `${number(lost)} of ${number(attempts)}${single}`;
}

export const causesText = (sum: LaneSum): string =>
  mainCauses(sum)
    .map(({ cause, lost }) => `${cause} ${number(lost)}`)
    .join(', ') || 'none';
