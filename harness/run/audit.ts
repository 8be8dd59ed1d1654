// Whether a run's folder is what the run left: every line of its journals, the seal over its files, and whether figures,
// verdicts and page follow from the journals when they are judged again here. Offline; nothing is written.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { renderFormat, reportFiles, reportFormats } from '../../reports/write.ts';
import { chainOf } from '../journal/chain.ts';
import { type ExitCode, exitCode, UsageError } from '../model/errors.ts';
import type { Results } from '../model/results.ts';
import { type RunSeal, type SealedReport, sealFile } from '../model/run-seal.ts';
import { judgedFolder, readFacts } from './judge-folder.ts';
import { evidenceIn, gateFile, readSeal, runFile, sealedFile, toolText } from './seal-run.ts';

const auditFindingKinds = [
  'changed',
  'removed',
  'moved',
  'added',
  'truncated',
  'does-not-follow',
  'unreadable',
  // What follows says that something cannot be told, not that anything is wrong.
  'unsealed',
  'not-checked',
] as const;
type AuditFindingKind = (typeof auditFindingKinds)[number];

export interface AuditFinding {
  readonly kind: AuditFindingKind;
  /** Relative to the folder. */
  readonly file: string;
  readonly line?: number;
  readonly text: string;
}

export interface AuditedJournal {
  readonly file: string;
  readonly lines: number;
  /** Seal of the last line; absent where there is none. */
  readonly seal?: string;
}

/** `unknown`: it could not be checked, and the findings say why. */
export type Follows = 'yes' | 'no' | 'unknown';

export interface Audit {
  readonly folder: string;
  /** Root of seal.json; absent where there is none. */
  readonly seal?: string;
  readonly journals: readonly AuditedJournal[];
  /** Whether they follow from the journals, judged again by this version. */
  readonly figures: Follows;
  readonly verdict: Follows;
  readonly page: Follows;
  readonly findings: readonly AuditFinding[];
  /** 0: all holds · 1: something was changed or does not follow · 2: something could not be told. */
  readonly exitCode: ExitCode;
}

const undecided: readonly AuditFindingKind[] = ['unsealed', 'not-checked'];

/** `expect`: the root that was noted when the run ended. Throws UsageError for a folder that is no run's. */
export async function auditFolder(folder: string, expect?: string): Promise<Audit> {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`${folder}: there is no such folder. Name the folder of a run (its --out).`);
  }
  const files = filesOf(folder);
  const findings: AuditFinding[] = [];
  const seal = sealIn(folder, findings);
  findings.push(...expected(expect, seal));
  const journals = files
    .filter((file) => file.includes('.ndjson'))
    .map((file) => journalOf(folder, file, findings));
  if (seal) findings.push(...evidenceFindings(folder, files, seal));
  const follows = await followsFrom(folder, seal, findings);
  return {
    folder,
    ...(seal && { seal: seal.root }),
    journals,
    ...follows,
    findings,
    exitCode: findings.some(({ kind }) => !undecided.includes(kind))
      ? exitCode.refuted
      : findings.length > 0
        ? exitCode.inconclusive
        : exitCode.ok,
  };
}

/** Evidence that is there, and journals that run.json names elsewhere in the folder. */
function filesOf(folder: string): string[] {
  const files = evidenceIn(folder);
  if (files.length === 0 && !existsSync(join(folder, sealFile))) {
    throw new UsageError(
      `${folder}: has neither ${runFile} nor journals nor ${sealFile}, so it is not the folder of a run.`,
    );
  }
  return files;
}

function sealIn(folder: string, findings: AuditFinding[]): RunSeal | undefined {
  try {
    const seal = readSeal(folder);
    if (!seal) {
      const text =
        'there is none: the run did not come to its end, or a version without seals wrote it. Nothing says whether a whole file was removed or replaced.';
      findings.push({ kind: 'unsealed', file: sealFile, text });
    }
    return seal;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    findings.push({ kind: 'changed', file: sealFile, text: error.message });
    return undefined;
  }
}

function expected(expect: string | undefined, seal: RunSeal | undefined): AuditFinding[] {
  if (expect === undefined || seal?.root === expect.toLowerCase()) return [];
  const text = seal
    ? `its root is ${seal.root}, and ${expect} was expected: evidence and seal were changed together, or it is another run`
    : `it cannot be compared with ${expect}`;
  return [{ kind: 'changed', file: sealFile, text }];
}

function journalOf(folder: string, file: string, findings: AuditFinding[]): AuditedJournal {
  const chain = chainOf(readFileSync(join(folder, file)));
  if (chain.sealed === 0) {
    const text =
      chain.lines === 0
        ? 'it is empty'
        : 'its lines carry no seals: a version that did not seal wrote it, or they were taken out';
    findings.push({ kind: chain.lines === 0 ? 'truncated' : 'unsealed', file, text });
  }
  // What a killed run left is kept under a name that says so.
  const cutOff = file.endsWith('.cut-off');
  for (const { kind, line, text } of chain.breaks) {
    if (cutOff && kind === 'truncated') continue;
    findings.push({ kind, file, line, text });
  }
  return { file, lines: chain.lines, ...(chain.seal !== undefined && { seal: chain.seal }) };
}

function evidenceFindings(folder: string, files: readonly string[], { evidence }: RunSeal): AuditFinding[] {
  const now = files.map((file) => sealedFile(folder, file));
  const findings: AuditFinding[] = [];
  for (const { file, sha256, bytes } of evidence) {
    const there = now.find((one) => one.file === file);
    if (there?.sha256 === sha256) continue;
    const elsewhere = now.find((one) => one.sha256 === sha256);
    if (elsewhere) findings.push({ kind: 'moved', file, text: `it is ${elsewhere.file} now` });
    else if (!there)
      findings.push({ kind: 'removed', file, text: `it was sealed with ${bytes} bytes and is not there` });
    else
      findings.push({
        kind: 'changed',
        file,
        text: `it is not the file that was sealed (${there.bytes} bytes, ${bytes} then)`,
      });
  }
  for (const { file, sha256 } of now) {
    if (evidence.some((one) => one.file === file || one.sha256 === sha256)) continue;
    findings.push({ kind: 'added', file, text: 'it is not in the seal: it came after the run had ended' });
  }
  return findings;
}

async function followsFrom(
  folder: string,
  seal: RunSeal | undefined,
  findings: AuditFinding[],
): Promise<Pick<Audit, 'figures' | 'verdict' | 'page'>> {
  const unknown = { figures: 'unknown', verdict: 'unknown', page: 'unknown' } as const;
  const written = readResults(folder, findings);
  let judged: Awaited<ReturnType<typeof judgedFolder>>;
  try {
    const strict = seal?.reports.find(({ file }) => file === reportFiles.json)?.strict;
    judged = await judgedFolder(folder, strict === undefined ? {} : { strict }, seal?.root);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    findings.push({ kind: 'unreadable', file: 'journals', text: `they cannot be judged: ${error.message}` });
    return unknown;
  }
  const by = toolText();
  const facts = factsIn(folder);
  const madeBy = (file: string): string =>
    seal?.reports.find((one) => one.file === file)?.by ?? textOf(facts?.tool ?? judged.results.tool);
  const { figures, verdict } = written
    ? compared(written, judged.results, madeBy(reportFiles.json), by, findings)
    : unknown;
  let page: Follows = 'unknown';
  for (const format of reportFormats) {
    const file = reportFiles[format];
    if (format === 'json' || !existsSync(join(folder, file))) continue;
    const follows = rendered(folder, file, renderFormat(format, judged.results, judged.views), {
      madeBy: madeBy(file),
      by,
      sealed: seal?.reports.find((one) => one.file === file),
      findings,
    });
    if (format === 'html') page = follows;
  }
  if (page === 'unknown' && !existsSync(join(folder, reportFiles.html)))
    findings.push({ kind: 'not-checked', file: reportFiles.html, text: 'there is no page to check' });
  for (const report of seal?.reports ?? []) {
    if (!existsSync(join(folder, report.file)))
      findings.push({ kind: 'removed', file: report.file, text: 'it was sealed and is not there' });
    else if (report.file === gateFile && sealedFile(folder, gateFile).sha256 !== report.sha256)
      findings.push({ kind: 'changed', file: gateFile, text: 'it is not the file that was sealed' });
  }
  return { figures, verdict, page };
}

/** A damaged run.json has been told as what it is. */
function factsIn(folder: string): ReturnType<typeof readFacts> {
  try {
    return readFacts(join(folder, runFile));
  } catch {
    return undefined;
  }
}

const textOf = ({ version, commit }: Results['tool']): string => (commit ? `${version} ${commit}` : version);

function readResults(folder: string, findings: AuditFinding[]): unknown {
  const file = reportFiles.json;
  if (!existsSync(join(folder, file))) {
    findings.push({ kind: 'not-checked', file, text: 'there are no figures to check' });
    return undefined;
  }
  try {
    return JSON.parse(readFileSync(join(folder, file), 'utf8'));
  } catch (error) {
    findings.push({ kind: 'unreadable', file, text: `it is not JSON: ${(error as Error).message}` });
    return undefined;
  }
}

/** More would bury the first. */
const MOST_DIFFERENCES = 10;
/** Fields that say how it came out; all others are figures and facts. */
const verdictField = /(^|\.)(verdict|direct|exitCode|result|reason)(\.|$)/;

function compared(
  written: unknown,
  judged: Results,
  madeBy: string,
  by: string,
  findings: AuditFinding[],
): Pick<Audit, 'figures' | 'verdict'> {
  const file = reportFiles.json;
  const differences: Difference[] = [];
  differ(written, JSON.parse(JSON.stringify(judged)), '', differences);
  if (differences.length === 0) return { figures: 'yes', verdict: 'yes' };
  const kind = madeBy === by ? 'does-not-follow' : 'not-checked';
  for (const { field, there, now } of differences.slice(0, MOST_DIFFERENCES)) {
    const other =
      madeBy === by ? '' : ` (written by ${madeBy}, judged by ${by}: the judge itself may differ)`;
    const text = `${field} is ${there}; the journals give ${now}${other}`;
    findings.push({ kind, file, text });
  }
  if (differences.length > MOST_DIFFERENCES) {
    const text = `${differences.length - MOST_DIFFERENCES} more values differ`;
    findings.push({ kind, file, text });
  }
  const says = (yes: boolean): Follows => (yes ? 'yes' : kind === 'does-not-follow' ? 'no' : 'unknown');
  return {
    figures: says(differences.every(({ field }) => verdictField.test(field))),
    verdict: says(differences.every(({ field }) => !verdictField.test(field))),
  };
}

interface Difference {
  readonly field: string;
  readonly there: string;
  readonly now: string;
}

function differ(there: unknown, now: unknown, field: string, into: Difference[]): void {
  if (isObject(there) && isObject(now) && Array.isArray(there) === Array.isArray(now)) {
    for (const name of new Set([...Object.keys(there), ...Object.keys(now)])) {
      differ(there[name], now[name], field ? `${field}.${name}` : name, into);
    }
    return;
  }
  if (!Object.is(there, now)) into.push({ field: field || 'it', there: shown(there), now: shown(now) });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function rendered(
  folder: string,
  file: string,
  now: string,
  known: {
    readonly madeBy: string;
    readonly by: string;
    readonly sealed: SealedReport | undefined;
    readonly findings: AuditFinding[];
  },
): Follows {
  if (readFileSync(join(folder, file), 'utf8') === now) return 'yes';
  const { madeBy, by, sealed, findings } = known;
  if (madeBy === by) {
    const text = 'it is not what the journals give: it was changed, or made of other journals';
    findings.push({ kind: 'does-not-follow', file, text });
    return 'no';
  }
  if (sealed && sealedFile(folder, file).sha256 !== sealed.sha256) {
    findings.push({ kind: 'changed', file, text: 'it is not the file that was sealed' });
    return 'no';
  }
  const same = sealed ? 'It is as it was sealed' : 'Nothing says whether it was changed';
  const text = `${madeBy} wrote it, and ${by} would write another. ${same}; audit it with the version that wrote it.`;
  findings.push({ kind: 'not-checked', file, text });
  return 'unknown';
}
