// What `rollproof harden` tells people: the sets that were measured with what they lose and cost, the choice, the change,
// and what the edited files were measured to do. Pure.

import { join } from 'node:path';
import type { HardenPage } from '../../../reports/html/harden-page.ts';
import type { ClusterInfo } from '../../model/journal.ts';
import { duration, lostOf, podSeconds } from '../../words/figures.ts';
import { settingMeans } from '../../words/names.ts';
import type { WritePlan } from '../../write/index.ts';
import { lostInAll, type SetFigures } from './sets.ts';

export interface Hardened {
  /**
   * `safe`: nothing is lost as it is. `found`: the edited files lose nothing. `less`: they lose less, and no set of these
   * settings loses nothing. `nothing-helps`: all settings together lose as much.
   */
  readonly outcome: 'safe' | 'found' | 'less' | 'nothing-helps' | 'inconclusive';
  readonly workload: string;
  readonly scenario: string;
  readonly cluster: Pick<ClusterInfo, 'kind' | 'kubernetesVersion' | 'emulated' | 'proxyMode'>;
  readonly asIs?: SetFigures;
  readonly tried?: readonly SetFigures[];
  readonly chosen?: SetFigures;
  /** Shortest length that lost no new connection; undefined: preStop is not among the settings, or none was found. */
  readonly preStopSeconds?: number;
  readonly plan?: WritePlan;
  readonly diff: string;
  readonly edited?: SetFigures;
  readonly written?: boolean;
  readonly problems: readonly string[];
  /** The file that has this as data. */
  readonly from: string;
}

export function tellHardened(hardened: Hardened): HardenPage {
  const { workload, scenario, cluster, asIs, tried = [], problems } = hardened;
  const where = `${cluster.kind} ${cluster.kubernetesVersion}${cluster.emulated ? ' (emulated)' : ''}, kube-proxy ${cluster.proxyMode}`;
  const rows = [...(asIs ? [asIs] : []), ...tried];
  const at = hardened.chosen ? rows.indexOf(hardened.chosen) : -1;
  const told = conclusion(hardened);
  return {
    ...told,
    subject: `${workload}, scenario ${scenario}, on ${where}`,
    cells: cellsOf(rows),
    chosen: at === -1 ? undefined : at + 1,
    notes: [...told.notes, ...problems.map((sentence) => `Note: ${sentence}`)],
  };
}

export function hardenedText(hardened: Hardened, out: string): string {
  const { subject, cells, chosen, headline, reasons, change, notes } = tellHardened(hardened);
  return `${[
    subject,
    '',
    ...aligned(cells, chosen),
    ...(cells.length > 0 ? [''] : []),
    headline,
    ...reasons,
    ...(change ? ['', change.text, ''] : []),
    ...notes,
    '',
    `Page: ${join(out, 'index.html')}; journals and ${hardened.from}: ${out}`,
  ].join('\n')}\n`;
}

/** For a pull request and the summary of a job. */
export function hardenedMarkdown(hardened: Hardened): string {
  const { subject, cells, chosen, headline, reasons, change, notes } = tellHardened(hardened);
  const [head = [], ...rows] = cells;
  const line = (row: readonly string[]) =>
    `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[
    `## ${headline}`,
    '',
    subject,
    '',
    ...(rows.length > 0
      ? [
          line(head),
          line(head.map(() => '---')),
          ...rows.map((row, index) => line(index + 1 === chosen ? row.map((cell) => `**${cell}**`) : row)),
          '',
        ]
      : []),
    ...reasons.map((sentence) => `- ${sentence}`),
    ...(change ? ['', `\`\`\`${change.language}`, change.text, '```', ''] : []),
    ...notes.map((sentence) => `- ${sentence}`),
  ].join('\n')}\n`;
}

const nameOf = ({ settings }: SetFigures): string =>
  settings.length === 0 ? 'as it is' : settings.join(' + ');

function cellsOf(rows: readonly SetFigures[]): string[][] {
  const [first] = rows;
  if (!first) return [];
  const lines = Object.keys(first.lines);
  return [
    ['settings', ...lines.map((line) => `lost, ${line}`), 'rollout', 'extra pods'],
    ...rows.map((row) => [
      nameOf(row),
      ...lines.map((line) => (row.lines[line] ? lostOf(row.lines[line]) : '–')),
      row.rolloutMs === null ? 'not complete' : duration(row.rolloutMs),
      podSeconds(row.extraPodSeconds),
    ]),
  ];
}

function aligned(cells: readonly (readonly string[])[], chosen: number | undefined): string[] {
  const marked = cells.map(([name = '', ...rest], index) => [
    index === 0 ? name : `${index === chosen ? '* ' : '  '}${name}`,
    ...rest,
  ]);
  const widths = (marked[0] ?? []).map((_, column) => Math.max(...marked.map((row) => row[column]!.length)));
  return marked.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

function conclusion(
  hardened: Hardened,
): Pick<HardenPage, 'tone' | 'headline' | 'reasons' | 'change' | 'notes'> {
  const { outcome, asIs, chosen, plan, diff, edited, written, tried = [] } = hardened;
  const bare = { reasons: [], change: undefined, notes: [] };
  if (outcome === 'safe')
    return {
      ...bare,
      tone: 'good',
      headline:
        'Nothing was lost as it is: there is nothing to write. That holds for this cluster, load and scenario.',
    };
  if (outcome === 'nothing-helps')
    return {
      ...bare,
      tone: 'bad',
      headline:
        tried.length === 0
          ? 'It has every setting already, and still loses: what is lost is not for the manifests to mend.'
          : 'All settings together lose as much as none: what is lost is not for these settings to mend.',
      reasons: ['rollproof verify names the cause of every loss.'],
    };
  if (!chosen || !plan || !edited)
    return {
      ...bare,
      tone: 'warn',
      headline:
        tried.length > 0
          ? 'No answer: no set of settings was confirmed. Run it again on a quieter machine.'
          : 'No answer: the measurement was not good enough. Run it again on a quieter machine.',
    };
  const left = tried[0]?.settings.filter((setting) => !chosen.settings.includes(setting)) ?? [];
  const seconds = hardened.preStopSeconds;
  return {
    tone: outcome === 'less' ? 'bad' : 'good',
    headline:
      outcome === 'less'
        ? `With ${nameOf(chosen)} fewer are lost: ${lostInAll(edited)}, of ${asIs ? lostInAll(asIs) : 'not measured'} as it is.`
        : `With ${nameOf(chosen)} nothing is lost.`,
    reasons: [
      `Chosen: ${nameOf(chosen)}, the smallest set that is enough${tried.length > 1 ? ', and of that size the cheapest (seconds of rollout and pod-seconds weigh the same)' : ''}.`,
      ...chosen.settings.flatMap((setting) => {
        const means = settingMeans(setting);
        const length =
          setting === 'preStop' && seconds !== undefined
            ? ` (${seconds} s, the shortest that lost no new connection)`
            : '';
        return means ? [`${setting}: ${means}${length}`] : [];
      }),
      ...(left.length > 0
        ? [
            `Left out: ${left.join(', ')}. Without ${left.length > 1 ? 'them' : 'it'} no more was lost here; elsewhere routing may lag longer.`,
          ]
        : []),
    ],
    change: plan.patch
      ? { language: 'yaml', text: plan.patch.text.trimEnd() }
      : diff
        ? { language: 'diff', text: diff.trimEnd() }
        : undefined,
    notes: [
      ...(plan.patch ? [`Apply it: ${plan.patch.command}`] : []),
      ...plan.notes,
      `${plan.patch ? 'The patched workload was measured as it is' : 'The edited files were measured as they are'}, ${edited.runs === 1 ? 'once' : `${edited.runs} times`}: lost ${figures(edited)}; before ${asIs ? figures(asIs) : 'not measured'}.`,
      ...(outcome === 'less'
        ? [
            `${lostInAll(edited)} ${lostInAll(edited) === 1 ? 'is' : 'are'} still lost: no set of these settings keeps them; rollproof verify names the cause.`,
          ]
        : []),
      ...(plan.patch
        ? []
        : [
            written
              ? `Written: ${plan.files.map(({ file }) => file).join(', ')}.`
              : 'Nothing is written. Write it with --write.',
          ]),
    ],
  };
}

const figures = ({ lines }: SetFigures): string =>
  Object.entries(lines)
    .map(([line, one]) => `${lostOf(one)} (${line})`)
    .join(', ');
