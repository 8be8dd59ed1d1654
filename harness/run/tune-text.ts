// What `rollproof tune` prints. Pure.
import { count } from '../words/figures.ts';
import { hopText, hopWords } from '../words/names.ts';
import type { Deciding, Tuned } from './tune.ts';
import { MARGIN_MS } from './tune-advice.ts';

export function tunedText(tuned: Tuned): string {
  const { preStopSeconds, measured, confirmed, marginMs, grace, cluster, scenario } = tuned;
  const where = `${cluster.kind} ${cluster.kubernetesVersion}${cluster.emulated ? ' (emulated)' : ''}, kube-proxy ${cluster.proxyMode}`;
  const lines = [
    ...measured.map(
      (one) =>
        `Measured with a sleep of ${one.preStopSeconds} s: the last new connection came ${seconds(one.lagMs)} after the deletion.`,
    ),
    ...confirmed.map(
      (one) =>
        `Tried ${one.preStopSeconds} s ${one.tries === 1 ? 'once' : `${one.tries} times`}: lost ${count(one.lost)} of ${count(one.attempts)} new connections, the last one came after ${seconds(one.lagMs)}.`,
    ),
    ...entryLines(tuned),
  ];
  if (preStopSeconds !== undefined && grace) {
    const last = confirmed.findLast((one) => one.preStopSeconds === preStopSeconds);
    lines.push(
      '',
      `preStop: sleep ${preStopSeconds} s`,
      `Margin: ${seconds(marginMs)} after the last new connection (at least ${seconds(MARGIN_MS)}); nothing lost in ${last?.tries} of ${last?.tries} tries, an app that stops at SIGTERM.`,
      `It holds for this cluster (${where}) and scenario ${scenario}: another cluster, or a busier one, may route longer.`,
      'Kept connections are not saved by it: the app has to answer them with Connection: close before it ends.',
      grace.text,
    );
  }
  return `${lines.join('\n')}\n`;
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;

/** The shortest length of each entry, side by side, and which of them decides, on which hop. */
function entryLines({ byEntry, measured, confirmed, decidedBy, preStopSeconds }: Tuned): string[] {
  if (!byEntry) return [];
  const rows = Object.entries(byEntry).map(([entry, shortest]) => {
    const lags = [
      ...measured.map((one) => one.byEntry?.[entry]),
      ...confirmed.map((one) => one.byEntry?.[entry]?.lagMs),
    ];
    const known = lags.filter((lag) => lag !== undefined);
    const lost = confirmed.flatMap(({ preStopSeconds: length, byEntry: said }) => {
      const { lost = 0, attempts = 0, hops } = said?.[entry] ?? {};
      const hop = hopText(hops);
      return lost > 0 ? [`${length} s: ${count(lost)} of ${count(attempts)}${hop ? ` (${hop})` : ''}`] : [];
    });
    return [
      entry,
      shortest === null ? 'none found' : `${shortest} s`,
      known.length > 0 ? seconds(Math.max(...known)) : 'not known',
      lost.join('; ') || 'nothing',
    ];
  });
  const table = aligned([
    ['entry', 'shortest preStop', 'last new connection', 'lost with a sleep of'],
    ...rows,
  ]);
  return [
    '',
    ...table,
    decidedBy ? decidingText(decidedBy, byEntry) : sameText(byEntry, preStopSeconds),
  ].filter((line) => line !== undefined);
}

function decidingText({ entry, tooShort, hop }: Deciding, byEntry: NonNullable<Tuned['byEntry']>): string {
  const length = byEntry[entry];
  const asks = length === null ? 'no length that was tried is enough for it' : `it needs ${length} s`;
  if (hop && tooShort)
    return `What decides: entry ${entry} (${asks}), ${hopWords[hop]}: with ${tooShort.preStopSeconds} s it lost ${count(tooShort.lost)}, ${hopText(tooShort.hops)}.`;
  if (tooShort)
    return `What decides: entry ${entry} (${asks}), where kube-proxy routes: with ${tooShort.preStopSeconds} s it lost ${count(tooShort.lost)}.`;
  return `What decides: entry ${entry} (${asks}): its last new connection reached a deleted pod latest; no length that was tried was too short for it.`;
}

const sameText = (byEntry: NonNullable<Tuned['byEntry']>, preStopSeconds: number | undefined) =>
  Object.keys(byEntry).length < 2 || preStopSeconds === undefined
    ? undefined
    : `No entry decides: each of them needs ${preStopSeconds} s.`;

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
