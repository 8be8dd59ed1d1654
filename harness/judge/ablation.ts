// Which setting does what: the matrix settings × lanes from experiments with none, one, all but one and all of them.
import { type LineId, linesOf } from '../model/line.ts';
import type {
  Ablation,
  AblationCell,
  AblationRow,
  Cause,
  ExperimentResult,
  SettingEffect,
} from '../model/results.ts';
import { count, listed } from '../words/figures.ts';
import { because } from '../words/names.ts';
import { isMoreLost, isSurelyMoreLost } from './statistics.ts';

/** undefined: the experiments hold no single setting, neither alone nor left out. */
export function judgeAblation(experiments: readonly ExperimentResult[]): Ablation | undefined {
  const settings = union(experiments);
  const rows = rowsOf(experiments, settings);
  if (!rows.some((row) => row.kind === 'only' || row.kind === 'without')) return undefined;
  const used = linesOf(rows);
  const effects = used.flatMap((lane) => settings.map((setting) => effectOf(setting, settings, lane, rows)));
  const pairs = used.flatMap((lane) => pairsOf(lane, settings, rows));
  return {
    settings,
    lanes: used,
    rows,
    effects,
    pairs,
    advice: adviceOf(settings, used, rows, effects, pairs),
  };
}

/** In the order of the variant with most settings. */
function union(experiments: readonly ExperimentResult[]): string[] {
  const all = new Set<string>();
  for (const { settings } of [...experiments].sort((a, b) => b.settings.length - a.settings.length)) {
    for (const setting of settings) all.add(setting);
  }
  return [...all];
}

function rowsOf(experiments: readonly ExperimentResult[], settings: readonly string[]): AblationRow[] {
  const groups = new Map<string, ExperimentResult[]>();
  for (const experiment of experiments) {
    const key = `${experiment.path}/${settings.filter((one) => experiment.settings.includes(one)).join('+')}`;
    groups.set(key, [...(groups.get(key) ?? []), experiment]);
  }
  const rows = [...groups.values()].map((group) => rowOf(group, settings));
  const order = ['baseline', 'only', 'without', 'all', 'other'];
  return rows.sort(
    (a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || position(a, settings) - position(b, settings),
  );
}

const position = (row: AblationRow, settings: readonly string[]) =>
  settings.findIndex((setting) => row.settings.includes(setting) === (row.kind !== 'without'));

function rowOf(group: readonly ExperimentResult[], settings: readonly string[]): AblationRow {
  const [first] = group as readonly [ExperimentResult, ...ExperimentResult[]];
  const on = settings.filter((setting) => first.settings.includes(setting));
  const off = settings.filter((setting) => !first.settings.includes(setting));
  const valid = group.filter((experiment) => experiment.valid);
  const kind: AblationRow['kind'] =
    on.length === 0
      ? 'baseline'
      : off.length === 0
        ? 'all'
        : on.length === 1
          ? 'only'
          : off.length === 1
            ? 'without'
            : 'other';
  const labels = {
    baseline: 'baseline',
    all: 'all',
    only: `only ${on[0]}`,
    without: `all but ${off[0]}`,
    other: on.join(' + '),
  };
  const cells: Record<LineId, AblationCell> = {};
  for (const lane of linesOf(valid)) {
    const results = valid
      .map((experiment) => experiment.lanes[lane])
      .filter((result) => result !== undefined);
    if (results.length === 0) continue;
    const causes: Partial<Record<Cause, number>> = {};
    for (const result of results) {
      for (const [cause, lost] of Object.entries(result.causes) as [Cause, number][]) {
        causes[cause] = (causes[cause] ?? 0) + lost;
      }
    }
    cells[lane] = {
      attempts: results.reduce((sum, result) => sum + result.attempts, 0),
      lost: results.reduce((sum, result) => sum + result.lost, 0),
      longestOutageMs: Math.max(...results.map((result) => result.longestOutageMs)),
      causes,
    };
  }
  return {
    kind,
    label: labels[kind],
    variant: first.variant,
    settings: on,
    runs: group.length,
    validRuns: valid.length,
    lanes: cells,
  };
}

/** With two settings, one alone is all but the other: both questions are answered by the same row. */
function cell(rows: readonly AblationRow[], lane: LineId, on: readonly string[]): AblationCell | undefined {
  const row = rows.find(
    (one) => one.settings.length === on.length && on.every((setting) => one.settings.includes(setting)),
  );
  return row?.lanes[lane];
}

function effectOf(
  setting: string,
  settings: readonly string[],
  lane: LineId,
  rows: readonly AblationRow[],
): SettingEffect {
  const baseline = cell(rows, lane, []);
  const alone = cell(rows, lane, [setting]);
  const without = cell(
    rows,
    lane,
    settings.filter((one) => one !== setting),
  );
  const all = cell(rows, lane, settings);
  const effect = classify(baseline, alone, without, all);
  return {
    setting,
    lane,
    effect,
    ...(baseline && { baselineLost: baseline.lost }),
    ...(alone && { aloneLost: alone.lost }),
    ...(without && { withoutLost: without.lost }),
    ...(all && { allLost: all.lost }),
    text: effectText(setting, lane, effect, baseline, alone, without, all),
  };
}

type Effect = SettingEffect['effect'];

function classify(
  baseline: AblationCell | undefined,
  alone: AblationCell | undefined,
  without: AblationCell | undefined,
  all: AblationCell | undefined,
): Effect {
  if (without && all && isMoreLost(without, all)) return 'needed';
  if (baseline && baseline.lost > 0 && alone && alone.lost === 0) return 'enough';
  if (baseline && alone && isMoreLost(alone, baseline)) return 'harms';
  if (baseline && alone && isMoreLost(baseline, alone)) return 'helps';
  if (without && all) {
    if (without.lost === 0 && all.lost === 0)
      return baseline && baseline.lost === 0 ? 'no-effect' : 'not-needed';
    return 'no-effect';
  }
  return baseline && alone ? 'no-effect' : 'undecided';
}

const lostText = (one: AblationCell | undefined) =>
  one ? `${count(one.lost)} of ${count(one.attempts)}` : 'not measured';

function effectText(
  setting: string,
  lane: LineId,
  effect: Effect,
  baseline: AblationCell | undefined,
  alone: AblationCell | undefined,
  without: AblationCell | undefined,
  all: AblationCell | undefined,
): string {
  const in_ = `in lane ${lane}`;
  switch (effect) {
    case 'needed':
      return `${setting} is needed ${in_}: without it ${lostText(without)} are lost${mainCause(without)}, with all settings ${lostText(all)}${chance(without, all)}.`;
    case 'enough':
      return `${setting} alone is enough ${in_}: ${lostText(alone)} lost, ${lostText(baseline)} without any setting.`;
    case 'helps':
      return `${setting} helps ${in_}: alone ${lostText(alone)} lost${mainCause(alone)}, ${lostText(baseline)} without any setting.`;
    case 'harms':
      return `${setting} alone makes it worse ${in_}: ${lostText(alone)} lost, ${lostText(baseline)} without any setting.`;
    case 'not-needed':
      return `${setting} is not needed here ${in_}: the other settings lose ${lostText(without)} without it.`;
    case 'no-effect':
      return `${setting} changes nothing that can be told from chance ${in_}: alone ${lostText(alone)} lost, baseline ${lostText(baseline)}; left out ${lostText(without)}, all ${lostText(all)}.`;
    case 'undecided':
      return `${setting} ${in_}: not decided, because the variants that tell were not measured or not valid.`;
  }
}

/** One or two losses may be luck, however clear the sentence sounds. */
function chance(more: AblationCell | undefined, less: AblationCell | undefined): string {
  return more && less && !isSurelyMoreLost(more, less) ? ' (few losses: repeat to be sure)' : '';
}

function mainCause(one: AblationCell | undefined): string {
  const [main] = Object.entries(one?.causes ?? {}).sort(([, a], [, b]) => b - a) as [Cause, number][];
  return main ? ` (mostly because ${because[main[0]]})` : '';
}

/**
 * Two settings need each other in a lane: the baseline loses, each of them alone still loses, all together lose
 * nothing, and without either of them the others lose.
 */
function pairsOf(lane: LineId, settings: readonly string[], rows: readonly AblationRow[]): Ablation['pairs'] {
  const all = cell(rows, lane, settings);
  if (!all || all.lost > 0) return [];
  const loses = (on: readonly string[]) => (cell(rows, lane, on)?.lost ?? 0) > 0;
  const pulling = settings.filter(
    (setting) => loses([setting]) && loses(settings.filter((one) => one !== setting)),
  );
  return pulling.flatMap((first, index) =>
    pulling.slice(index + 1).map((second) => ({
      settings: [first, second] as const,
      lane,
      text:
        `${first} and ${second} need each other in lane ${lane}: alone they lose ${lostText(cell(rows, lane, [first]))} and ` +
        `${lostText(cell(rows, lane, [second]))}, with all settings nothing is lost.`,
    })),
  );
}

function adviceOf(
  settings: readonly string[],
  used: readonly LineId[],
  rows: readonly AblationRow[],
  effects: readonly SettingEffect[],
  pairs: Ablation['pairs'],
): string[] {
  const advice: string[] = [];
  const spared: string[] = [];
  const of = (setting: string) => effects.filter((effect) => effect.setting === setting);
  for (const setting of settings) {
    const own = of(setting);
    const needed = own.filter((effect) => effect.effect === 'needed');
    if (needed.length > 0) {
      advice.push(`Keep ${setting}. ${needed.map((effect) => effect.text).join(' ')}`);
      continue;
    }
    const decided = own.every((effect) => effect.effect !== 'undecided' && effect.withoutLost !== undefined);
    const spare = decided && own.length > 0 && own.every((effect) => effect.withoutLost === 0);
    if (spare) {
      spared.push(setting);
      const lost = used.map(
        (lane) =>
          `${lane} ${lostText(
            cell(
              rows,
              lane,
              settings.filter((one) => one !== setting),
            ),
          )}`,
      );
      advice.push(
        `${setting} was not needed here: without it the other settings lost nothing (${listed(lost)}). ` +
          'That holds for this cluster, load and app; elsewhere routing may lag longer.',
      );
    }
  }
  // Each was left out alone: two settings may stand in for one another (a shutdown that lingers, a preStop sleep).
  const others = settings.filter((one) => !spared.includes(one));
  if (spared.length > 1 && others.length > 1) {
    advice.push(
      `Do not leave out ${listed(spared)} together on this evidence: each was left out with the others in place. ` +
        `To measure it: --variants ${others.join('+')}.`,
    );
  }
  for (const pair of pairs) advice.push(pair.text);
  return advice;
}
