// Which sets of settings are enough, and which of those is the smallest and cheapest. Pure, but for the measuring that is
// handed in.
import { isMoreLost, isSurelyMoreLost } from '../../judge/statistics.ts';
import type { LineId } from '../../model/line.ts';
import type { ExperimentResult } from '../../model/results.ts';

/** What was measured with one set of settings, all repeats added up. */
export interface SetFigures {
  readonly settings: readonly string[];
  readonly runs: number;
  readonly lines: Readonly<Record<LineId, { readonly attempts: number; readonly lost: number }>>;
  /** From the first step to the rollout's completion; null: one did not complete. Means over the runs. */
  readonly rolloutMs: number | null;
  /** Pods above the wanted number over time: surge, and pods that wait before they end. */
  readonly extraPodSeconds: number;
}

/** `results`: valid ones, at least one. */
export function figuresOf(settings: readonly string[], results: readonly ExperimentResult[]): SetFigures {
  const lines: Record<LineId, { attempts: number; lost: number }> = {};
  for (const { lanes } of results)
    for (const [line, { attempts, lost }] of Object.entries(lanes)) {
      const sum = lines[line] ?? { attempts: 0, lost: 0 };
      lines[line] = { attempts: sum.attempts + attempts, lost: sum.lost + lost };
    }
  const times = results.map(({ rollout }) => rollout.completedMs);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  return {
    settings,
    runs: results.length,
    lines,
    rolloutMs: times.includes(null) ? null : mean(times as number[]),
    extraPodSeconds: mean(results.map(({ rollout }) => rollout.extraPodSeconds)),
  };
}

export const lostInAll = ({ lines }: SetFigures): number =>
  Object.values(lines).reduce((sum, { lost }) => sum + lost, 0);

/** Nothing is lost; where all settings together lose something, not more than they do. */
export function isEnough(set: SetFigures, all: SetFigures): boolean {
  return Object.entries(set.lines).every(([line, own]) => {
    if (own.lost === 0) return true;
    const most = all.lines[line];
    return most !== undefined && most.lost > 0 && !isSurelyMoreLost(own, most);
  });
}

/** Less is lost somewhere, and more nowhere. */
export function isBetter(set: SetFigures, than: SetFigures): boolean {
  const pairs = Object.entries(set.lines).flatMap(([line, own]) => {
    const other = than.lines[line];
    return other ? [{ own, other }] : [];
  });
  return (
    pairs.some(({ own, other }) => isMoreLost(other, own)) &&
    !pairs.some(({ own, other }) => isSurelyMoreLost(own, other))
  );
}

/** Seconds that a rollout takes, and seconds of pods beside the wanted ones: one weighs as much as the other. */
const costOf = ({ rolloutMs, extraPodSeconds }: SetFigures): number =>
  rolloutMs === null ? Number.POSITIVE_INFINITY : rolloutMs / 1000 + extraPodSeconds;

/** Smallest first; of the same size the cheapest first. */
export const ranked = (sets: readonly SetFigures[]): SetFigures[] =>
  sets.toSorted((a, b) => a.settings.length - b.settings.length || costOf(a) - costOf(b));

interface Explored {
  /** Everything that was measured, in that order. */
  readonly tried: readonly SetFigures[];
  readonly enough: readonly SetFigures[];
}

/**
 * From all settings downwards, one fewer at a time: a set is measured when every set of one more is enough, since what is
 * not enough does not become so by leaving more out. With n settings n to 2^n - 2 sets. `measure` returns undefined when
 * a set could not be measured well enough: then this returns undefined, too.
 */
export async function explore(
  all: SetFigures,
  measure: (sets: readonly (readonly string[])[]) => Promise<readonly SetFigures[] | undefined>,
): Promise<Explored | undefined> {
  const tried: SetFigures[] = [];
  const enough: SetFigures[] = [all];
  for (let level: readonly SetFigures[] = [all]; level.length > 0; ) {
    const size = level[0]!.settings.length - 1;
    const next = size === 0 ? [] : below(level, all.settings);
    const measured = next.length > 0 ? await measure(next) : [];
    if (!measured) return undefined;
    tried.push(...measured);
    level = measured.filter((set) => isEnough(set, all));
    enough.push(...level);
  }
  return { tried, enough };
}

/** Sets of one fewer whose every superset of one more is in the level. */
function below(level: readonly SetFigures[], all: readonly string[]): (readonly string[])[] {
  const known = new Set(level.map(({ settings }) => settings.join('+')));
  const inOrder = (settings: readonly string[]) => all.filter((one) => settings.includes(one));
  const candidates = new Map<string, readonly string[]>();
  for (const { settings } of level)
    for (const left of settings) {
      const fewer = settings.filter((one) => one !== left);
      candidates.set(fewer.join('+'), fewer);
    }
  return [...candidates.values()].filter((fewer) =>
    all.filter((one) => !fewer.includes(one)).every((one) => known.has(inOrder([...fewer, one]).join('+'))),
  );
}
