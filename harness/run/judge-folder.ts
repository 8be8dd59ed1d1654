// A run's folder: its journals judged, and all reports written, from what is in it alone.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { citedLines, journalView } from '../../reports/html/timeline.ts';
import type { JournalView } from '../../reports/html/types.ts';
import { renderTerminal, wantsColour } from '../../reports/terminal.ts';
import { type ReportFormat, writeReports } from '../../reports/write.ts';
import { checkManifests } from '../check/check.ts';
import { joinFindings } from '../check/join.ts';
import { factsOf } from '../journal/facts.ts';
import { readJournalFile } from '../journal/file.ts';
import { judgeRun, type RunJournal } from '../judge/run.ts';
import { comparableRuns, historyRuns, standingOf } from '../judge/standing.ts';
import { type ExitCode, type FaultError, UsageError } from '../model/errors.ts';
import type { Results } from '../model/results.ts';
import { type RunFacts, runFactsSchema } from '../model/run.ts';
import { type RunSeal, sealFile } from '../model/run-seal.ts';
import { type RunSummary, runSummarySchema } from '../model/run-summary.ts';
import { systemFault } from '../model/system-error.ts';
import { journalFolder } from './experiments.ts';
import { type LiveObjects, liveObjects, withLiveFindings, writeLive } from './live-findings.ts';
import { earlierFile, notAsSealed, readSeal, runFile, sealEvidence, writeSeal } from './seal-run.ts';

export interface Judged {
  readonly results: Results;
  /** What the page shows of each journal, by its name. */
  readonly views: ReadonlyMap<string, JournalView>;
  /** The summary for a terminal. */
  readonly summary: string;
  readonly exitCode: ExitCode;
}

interface JudgeFolderOptions {
  readonly formats?: readonly ReportFormat[];
  readonly strict?: boolean;
  readonly ignoreRouteKnowledge?: boolean;
  /** What the run knows, where its run.json could not be written. */
  readonly facts?: RunFacts;
  /** Called when the reports cannot be written; otherwise that is thrown. */
  readonly onUnwritten?: (fault: FaultError) => void;
}

/**
 * Judges the journals of a folder and writes the reports into it. Broken journals, and journals that are not as they were
 * sealed, are UsageErrors with file and line. A run that has just ended (`facts`) is sealed; a seal that is there stays,
 * and a folder that has none gets none: later nobody knows what it was.
 */
export async function judgeFolder(folder: string, options: JudgeFolderOptions = {}): Promise<Judged> {
  const seal = sealOfFolder(folder, options);
  const { results, views, live } = await judgedFolder(folder, options, seal?.root);
  try {
    const reports = await writeReports(folder, results, views, options.formats);
    const written = [...reports, ...writeLive(folder, live, results.findings ?? [])];
    if (seal) {
      const { evidence, root } = seal;
      const files = written.map((file) => basename(file));
      writeSeal(folder, { runId: results.runId, evidence, root }, files, options.strict);
    }
  } catch (error) {
    const fault = systemFault(error, 'reports', folder);
    if (!fault || !options.onUnwritten) throw fault ?? error;
    options.onUnwritten(fault);
  }
  return {
    results,
    views,
    summary: renderTerminal(results, { colour: wantsColour(process.stdout, process.env) }),
    exitCode: results.exitCode as ExitCode,
  };
}

function sealOfFolder(
  folder: string,
  { facts, onUnwritten }: JudgeFolderOptions,
): Pick<RunSeal, 'evidence' | 'root'> | undefined {
  if (facts) {
    try {
      return sealEvidence(folder);
    } catch (error) {
      const fault = systemFault(error, 'seal', folder);
      if (!fault || !onUnwritten) throw fault ?? error;
      onUnwritten(fault);
      return undefined;
    }
  }
  const seal = readSeal(folder);
  const changed = seal && notAsSealed(folder, seal);
  if (changed) {
    throw new UsageError(
      `${folder}: ${changed}, so nothing is made of it. \`rollproof audit ${folder}\` says what was changed; without ${sealFile} the folder counts as one without a seal.`,
    );
  }
  return seal;
}

/** The results of a folder, and what the page shows of each journal. `seal`: the root of the run's seal. */
export async function judgedFolder(
  folder: string,
  options: Pick<JudgeFolderOptions, 'strict' | 'ignoreRouteKnowledge' | 'facts'>,
  seal?: string,
): Promise<{
  readonly results: Results;
  readonly views: ReadonlyMap<string, JournalView>;
  /** Of a watch. */
  readonly live: readonly LiveObjects[];
}> {
  const { journals, facts } = await readRun(folder, options.facts);
  const judged = judgeRun(journals, facts, {
    ...(options.strict !== undefined && { strict: options.strict }),
    ...(options.ignoreRouteKnowledge !== undefined && { ignoreRouteKnowledge: options.ignoreRouteKnowledge }),
  });
  const earlier = readEarlier(join(folder, earlierFile));
  const results: Results = {
    ...withFindings(judged, journals),
    ...(earlier && { history: standingOf(earlier, judged) }),
    ...(seal !== undefined && { seal }),
  };
  const cited = citedLines(results);
  const views = new Map<string, JournalView>();
  for (const { name, journal } of journals) views.set(name, journalView(factsOf(journal), cited.get(name)));
  return { results, views, live: liveObjects(results, journals) };
}

/** What the static check says of the manifests without settings, beside what was measured of them. */
function withFindings(results: Results, journals: readonly RunJournal[]): Results {
  if (journals.some(({ journal }) => journal.header.episode)) return withLiveFindings(results, journals);
  const bare = journals.filter(({ journal }) => journal.header.variant.settings.length === 0);
  const baseline = bare.find((one) => !hasOwnTarget(one)) ?? bare[0];
  if (!baseline) return results;
  const own = hasOwnTarget(baseline) && baseline.journal.header.scenario.id;
  const others = new Set(
    journals
      .filter((one) => hasOwnTarget(one) && one.journal.header.scenario.id !== own)
      .map(({ journal }) => journal.header.scenario.id),
  );
  // What was measured of another target says nothing about these manifests.
  const scenarios = results.scenarios.map((scenario) =>
    others.has(scenario.name) || (own && scenario.name !== own)
      ? { ...scenario, experiments: [], reason: 'it is about another target.' }
      : scenario,
  );
  const { findings } = checkManifests([
    {
      file: `manifests of ${baseline.journal.header.variant.name}`,
      text: baseline.journal.header.manifests,
    },
  ]);
  return { ...results, findings: joinFindings(findings, { ...results, scenarios }) };
}

const hasOwnTarget = ({ journal }: RunJournal): boolean => journal.header.scenario.target.own !== undefined;

/** The journals that run.json names, or all of a folder that has none. */
export async function readRun(
  folder: string,
  known?: RunFacts,
): Promise<{ journals: RunJournal[]; facts: RunFacts | undefined }> {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`${folder}: there is no such folder. Name the folder of a run (its --out).`);
  }
  const facts = known ?? readFacts(join(folder, runFile));
  const names = facts?.journals ?? journalsIn(folder);
  const journals: RunJournal[] = [];
  for (const name of names) {
    journals.push({ journal: await readJournalFile(join(folder, name), join(folder, name)), name });
  }
  return { journals, facts };
}

/** Writes which earlier runs this one is compared with, so that its reports can be made again when the history has grown. */
export function writeEarlier(
  folder: string,
  history: readonly RunSummary[],
  now: Pick<RunFacts, 'runId' | 'cluster' | 'startedAt' | 'target'>,
): void {
  const runs = comparableRuns(history, now);
  writeFileSync(join(folder, earlierFile), `${JSON.stringify({ schemaVersion: 1, runs })}\n`);
}

const earlierSchema = z.object({
  schemaVersion: z.literal(1),
  runs: z.array(runSummarySchema).max(historyRuns),
});

function readEarlier(file: string): readonly RunSummary[] | undefined {
  if (!existsSync(file)) return undefined;
  return parsedFile(file, earlierSchema).runs;
}

export function readFacts(file: string): RunFacts | undefined {
  return existsSync(file) ? parsedFile(file, runFactsSchema) : undefined;
}

function parsedFile<T>(file: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file}: not JSON: ${(error as Error).message}.`, { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UsageError(`${file}: field ${issue?.path.join('.') || '(all)'}: ${issue?.message}.`);
}

function journalsIn(folder: string): string[] {
  const inner = join(folder, journalFolder);
  const [from, prefix] = existsSync(inner) ? [inner, `${journalFolder}/`] : [folder, ''];
  const names = readdirSync(from).filter((name) => name.endsWith('.ndjson'));
  if (names.length === 0) throw new UsageError(`${folder}: has neither ${runFile} nor a journal (*.ndjson).`);
  return names.sort().map((name) => prefix + name);
}
