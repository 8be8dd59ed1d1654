// What `npm run truth` prints, and puts into docs/causes.md. Pure.
import type { Compared } from './compare.ts';

export interface TruthRow {
  readonly scenario: string;
  readonly compared: readonly Compared[];
}

interface Counts {
  readonly lost: number;
  readonly right: number;
  readonly unknown: number;
  readonly wrong: number;
  readonly wrongAndSure: number;
  readonly podUnseen: number;
}

export function countsOf(compared: readonly Compared[]): Counts {
  const count = (holds: (one: Compared) => boolean) => compared.filter(holds).length;
  const unknown = (one: Compared) => one.judged.cause === 'unknown';
  return {
    lost: compared.length,
    right: count(({ right }) => right),
    unknown: count(unknown),
    wrong: count((one) => !one.right && !unknown(one)),
    wrongAndSure: count(({ right, judged }) => !right && judged.confidence === 'high'),
    podUnseen: count(({ podUnseen }) => podUnseen),
  };
}

/** At least 99 % right, none wrong with confidence high. */
export function agrees(rows: readonly TruthRow[]): boolean {
  const { lost, right, wrongAndSure } = countsOf(rows.flatMap(({ compared }) => compared));
  return lost > 0 && right >= 0.99 * lost && wrongAndSure === 0;
}

export function truthTable(rows: readonly TruthRow[]): string {
  const line = (name: string, compared: readonly Compared[]) => {
    const { lost, right, unknown, wrong, wrongAndSure, podUnseen } = countsOf(compared);
    const share = lost > 0 ? `${right} (${((right / lost) * 100).toFixed(1)} %)` : '0';
    return `| ${name} | ${lost} | ${share} | ${unknown} | ${wrong} | ${wrongAndSure} | ${podUnseen} | ${causesIn(compared)} |`;
  };
  return [
    '| scenario | lost | right in cause and pod | unknown | wrong | of these with confidence high | arrived nowhere | truly |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(({ scenario, compared }) => line(scenario, compared)),
    line(
      '**all**',
      rows.flatMap(({ compared }) => compared),
    ),
  ].join('\n');
}

function causesIn(compared: readonly Compared[]): string {
  const counts = new Map<string, number>();
  for (const { truth } of compared) counts.set(truth.cause, (counts.get(truth.cause) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([cause, n]) => `${cause} ${n}`)
    .join(', ');
}

/** Each kind of difference once, most frequent first, with where the first one is. */
export function differences(rows: readonly TruthRow[]): string[] {
  const kinds = new Map<string, { count: number; readonly firstMs: number }>();
  for (const { scenario, compared } of rows) {
    for (const { right, judged, truth, outcome, lane, dueMs } of compared) {
      if (right) continue;
      const samePod = judged.pods.length <= 1 && judged.pods[0] === truth.pod;
      const [said, truly] = samePod
        ? ['', '']
        : [` of ${judged.pods.join(', ') || 'no pod'}`, ` of ${truth.pod ?? 'no pod'}`];
      const text = `${scenario}, ${lane}, ${outcome}: ${judged.cause}${said} (${judged.confidence}), truly ${truth.cause}${truly}: ${truth.why}`;
      const kind = kinds.get(text) ?? { count: 0, firstMs: dueMs };
      kinds.set(text, kind);
      kind.count++;
    }
  }
  return [...kinds]
    .sort(([, a], [, b]) => b.count - a.count)
    .map(([text, { count, firstMs }]) => `${count} × ${text} (first at ${Math.round(firstMs)} ms)`);
}
