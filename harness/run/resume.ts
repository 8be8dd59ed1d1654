// Continues a run in its folder: what was measured completely stays, what was cut off is measured anew.
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readJournalFile } from '../journal/file.ts';
import { UsageError } from '../model/errors.ts';
import type { HeaderRecord } from '../model/journal.ts';
import type { RunFacts } from '../model/run.ts';
import { type ExperimentKey, experimentName } from './experiment/index.ts';
import { journalFile, journalFolder } from './experiments.ts';
import { readFacts } from './judge-folder.ts';
import { type Deciding, decidingOf, differenceTo } from './same-measurement.ts';
import { notAsSealed, readSeal, runFile } from './seal-run.ts';
import type { Session } from './session.ts';

export interface Resumed {
  readonly facts: RunFacts | undefined;
  /** Journals that are complete, by file name, with what they were measured of. */
  readonly complete: ReadonlyMap<string, HeaderRecord>;
}

/** Reads a run's folder. Throws UsageError when it is none. */
export async function readResumed(folder: string): Promise<Resumed> {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(
      `--resume ${folder}: there is no such folder. Name the folder of an earlier run (--out).`,
    );
  }
  const inner = join(folder, journalFolder);
  if (!existsSync(inner)) {
    throw new UsageError(`--resume ${folder}: has no ${journalFolder}/, so it is not the folder of a run.`);
  }
  const seal = readSeal(folder);
  const changed = seal && notAsSealed(folder, seal);
  if (changed) {
    throw new UsageError(
      `--resume ${folder}: ${changed}: going on would seal it anew. Start a new folder with --out; \`rollproof audit ${folder}\` says what was changed.`,
    );
  }
  const complete = new Map<string, HeaderRecord>();
  for (const name of readdirSync(inner)
    .filter((one) => one.endsWith('.ndjson'))
    .sort()) {
    const header = await completeHeader(join(inner, name));
    if (header) complete.set(join(journalFolder, name), header);
  }
  return { facts: readFacts(join(folder, runFile)), complete };
}

/** A journal that cannot be read, or whose end does not say "complete", is not one to keep. */
async function completeHeader(file: string): Promise<HeaderRecord | undefined> {
  try {
    const { header, end } = await readJournalFile(file);
    return end.status === 'complete' && !end.truncated ? header : undefined;
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/**
 * The journals that stand for experiments. What was cut off is set aside to be measured anew. A journal that was
 * measured of anything else than would be now is refused with the field that differs: the two could not be judged together.
 */
export function reuseOf(
  resumed: Resumed,
  keys: readonly ExperimentKey[],
  { run, timed }: Pick<Session, 'run' | 'timed'>,
  out: string,
): ReadonlyMap<ExperimentKey, string> {
  const found = keys.flatMap((key) => {
    const name = reusable(resumed, key, decidingOf(run));
    return name === undefined ? [] : [[key, name] as const];
  });
  const reuse = new Map(found);
  const again = setAside(
    out,
    keys.filter((key) => !reuse.has(key)),
  );
  const why = again.length > 0 ? `; cut off, so measured again: ${again.join(', ')}` : '';
  timed.note(`Resuming ${out}: ${reuse.size} of ${keys.length} experiments are there${why}.`);
  return reuse;
}

/** The same, as far as it can be seen before a cluster is brought up. */
export function refuseDifferent(
  resumed: Resumed,
  keys: readonly ExperimentKey[],
  now: Omit<Deciding, 'seed'> & { readonly seed: number | undefined },
): void {
  const deciding = { ...now, seed: now.seed ?? seedOf(resumed) ?? 0 };
  for (const key of keys) reusable(resumed, key, deciding);
}

/** What is measured anew is measured as the rest was. */
export const seedOf = ({ complete }: Resumed): number | undefined => [...complete.values()][0]?.seed;

function reusable(resumed: Resumed, key: ExperimentKey, now: Deciding): string | undefined {
  const name = journalFile(key);
  const header = resumed.complete.get(name);
  if (!header) return undefined;
  const difference = differenceTo(header, key, now);
  if (difference === undefined) return name;
  throw new UsageError(
    `--resume: ${name} is not of what would be measured now. ${difference}. Resume with what it was measured with, or start a new folder with --out.`,
  );
}

/** Journals that will be written anew are kept under another name: they are evidence, but not of a whole experiment. */
function setAside(folder: string, keys: readonly ExperimentKey[]): string[] {
  return keys.flatMap((key) => {
    const file = join(folder, journalFile(key));
    if (!existsSync(file)) return [];
    rmSync(`${file}.cut-off`, { force: true });
    renameSync(file, `${file}.cut-off`);
    return [experimentName(key)];
  });
}

/** What an earlier run in the folder knew, and this one did not ask about, is kept. */
export function joinFacts(resumed: Resumed, now: RunFacts, asked: ReadonlySet<string>): RunFacts {
  const { facts: before, complete } = resumed;
  const others = [...complete.keys()].filter((name) => !now.journals.includes(name));
  // What the earlier run.json names (a failed experiment, too) and what a killed run has left.
  const kept = [
    ...(before?.journals ?? []).filter((name) => !now.journals.includes(name) && complete.has(name)),
    ...others.filter((name) => !before?.journals.includes(name)),
  ];
  const untouched = <T extends { scenario: { id: string } }>(entries: readonly T[] | undefined): T[] =>
    (entries ?? []).filter(({ scenario }) => !asked.has(scenario.id));
  return {
    ...now,
    startedAt: before?.startedAt ?? now.startedAt,
    durationMs: (before?.durationMs ?? 0) + now.durationMs,
    loadMs: (before?.loadMs ?? 0) + now.loadMs,
    stages: [...(before?.stages ?? []), ...now.stages],
    notRun: [...untouched(before?.notRun), ...now.notRun],
    undeployed: [...untouched(before?.undeployed), ...now.undeployed],
    variantsNotRun: [
      ...(before?.variantsNotRun ?? []).filter(({ scenario }) => !asked.has(scenario)),
      ...(now.variantsNotRun ?? []),
    ],
    // What was set aside before stays told for as long as the journal in its place does.
    measuredAgain: [
      ...(before?.measuredAgain ?? []).filter(
        (one) => kept.includes(one.journal) || now.journals.includes(one.journal),
      ),
      ...now.measuredAgain,
    ],
    journals: [...kept, ...now.journals],
  };
}
