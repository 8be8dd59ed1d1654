// A scenario's own cases side by side, and what was changed of published manifests to run them. Pure, from results alone.
import type { LineId } from '../harness/model/line.ts';
import type { ClaimResult, ScenarioResult } from '../harness/model/results.ts';
import { duration, lostOf } from '../harness/words/figures.ts';
import { type Column, caseOf, columnsOf, lanesOf, worst } from './comparison.ts';

interface CaseRow {
  readonly name: string;
  readonly title: string;
  /** "3 of 600 (new)"; "nothing fired at it" where no lane did. */
  readonly lost: string;
  /** What is claimed of this case alone: the text, and whether it was so. */
  readonly claims: readonly { readonly text: string; readonly result: ClaimResult['result'] }[];
  readonly complete: string;
  readonly lowestReady: string;
  /** Pods per node at the first step and after each rollout, most first: "1/1/1, 3/0/0". */
  readonly placements: string;
}

/** Empty: the scenario has no cases of its own. */
export function caseRows(scenario: Pick<ScenarioResult, 'experiments' | 'claims'>): readonly CaseRow[] {
  const lanes = lanesOf(scenario);
  return columnsOf(scenario).flatMap((column) => {
    const own = caseOf(column);
    if (!own) return [];
    const claims = scenario.claims.filter(({ appliesTo }) => appliesTo.variant === column.variant);
    return [{ name: column.label, title: own.title, claims, ...figuresOf(column, lanes) }];
  });
}

function figuresOf(column: Column, lanes: readonly LineId[]): Omit<CaseRow, 'name' | 'title' | 'claims'> {
  const { rollout, measures } = column.experiments[0]!;
  const lost = lanes.flatMap((lane) => {
    const found = worst(column, lane);
    return found ? [`${lostOf(found.result)} (${lane})`] : [];
  });
  return {
    lost: lost.join(', ') || 'nothing fired at it',
    complete: rollout.completedMs === null ? 'not reached' : duration(rollout.completedMs),
    lowestReady: String(rollout.minReady),
    placements: String(measures.placements ?? '–'),
  };
}

/** In front of a claim's text: what it says, what it denies, what nobody knows. */
export const claimSays: Readonly<Record<ClaimResult['result'], string>> = {
  holds: '',
  fails: 'Not so: ',
  undecided: 'Undecided: ',
  'not-run': 'Not run: ',
};

export interface SubstitutionShown {
  readonly because: string;
  readonly diff: string;
  /** The variants that were run with it. */
  readonly variants: readonly string[];
}

/** Each change once, in the order in which it was made. */
export function substitutionsShown(
  scenario: Pick<ScenarioResult, 'experiments'>,
): readonly SubstitutionShown[] {
  const shown = new Map<string, { because: string; diff: string; variants: Set<string> }>();
  for (const { variant, substitutions = [] } of scenario.experiments) {
    for (const { because, diff } of substitutions) {
      const key = JSON.stringify([because, diff]);
      const known = shown.get(key) ?? { because, diff, variants: new Set<string>() };
      known.variants.add(variant);
      shown.set(key, known);
    }
  }
  return [...shown.values()].map((one) => ({ ...one, variants: [...one.variants] }));
}
