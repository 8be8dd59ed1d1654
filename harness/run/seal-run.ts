// Writes and reads seal.json (harness/model/run-seal.ts): what a run left, as it was when it ended.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../model/errors.ts';
import {
  type RunSeal,
  rootOf,
  runSealSchema,
  type SealedFile,
  type SealedReport,
  sealFile,
} from '../model/run-seal.ts';
import { journalFolder } from './experiments.ts';
import { toolVersion } from './tool-version.ts';

export const runFile = 'run.json';
/** The earlier runs that this one is compared with, as they were when it ended. */
export const earlierFile = 'earlier.json';
export const gateFile = 'gate.json';

/** Everything that a folder has of what a run records, in the order in which it is sealed. Set-aside journals too. */
export function evidenceIn(folder: string): string[] {
  const inner = join(folder, journalFolder);
  const journals = existsSync(inner)
    ? readdirSync(inner, { withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.includes('.ndjson'))
        .map(({ name }) => `${journalFolder}/${name}`)
        .sort()
    : [];
  return [runFile, earlierFile, ...journals].filter((file) => existsSync(join(folder, file)));
}

export const sealEvidence = (folder: string): Pick<RunSeal, 'evidence' | 'root'> => {
  const evidence = evidenceIn(folder).map((file) => sealedFile(folder, file));
  return { evidence, root: rootOf(evidence) };
};

/**
 * Writes the seal; of the reports `written` are as they are now, the others as they were sealed before.
 */
export function writeSeal(
  folder: string,
  seal: Pick<RunSeal, 'evidence' | 'root' | 'runId'>,
  written: readonly string[],
  strict?: boolean,
): void {
  const by = toolText();
  const before = existsSync(join(folder, sealFile)) ? readSeal(folder)?.reports : undefined;
  const reports: SealedReport[] = [
    ...(before ?? []).filter(({ file }) => !written.includes(file) && existsSync(join(folder, file))),
    ...written.map((file) => ({
      ...sealedFile(folder, file),
      by,
      ...(strict !== undefined && { strict }),
    })),
  ];
  const text: RunSeal = { schemaVersion: 1, algorithm: 'sha256', ...seal, reports };
  const file = join(folder, sealFile);
  writeFileSync(`${file}.part`, `${JSON.stringify(text, null, 2)}\n`);
  renameSync(`${file}.part`, file);
}

/** A report that was written after the others. Nothing where the folder has no seal. */
export function sealReport(folder: string, file: string): void {
  const seal = readSeal(folder);
  if (seal) writeSeal(folder, { runId: seal.runId, evidence: seal.evidence, root: seal.root }, [file]);
}

/** This rollproof, as a seal names it. */
export function toolText(): string {
  const { version, commit } = toolVersion();
  return commit ? `${version} ${commit}` : version;
}

/** The first file of the evidence that is not as it was sealed, as a sentence; undefined: all are. */
export function notAsSealed(folder: string, seal: RunSeal): string | undefined {
  for (const { file, sha256 } of seal.evidence) {
    if (!statSync(join(folder, file), { throwIfNoEntry: false })?.isFile())
      return `${file} is sealed and is not there any more`;
    if (sealedFile(folder, file).sha256 !== sha256) return `${file} is not as it was sealed`;
  }
  return undefined;
}

/** Undefined: the folder has none. Throws UsageError for one that cannot be read. */
export function readSeal(folder: string): RunSeal | undefined {
  const file = join(folder, sealFile);
  if (!existsSync(file)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file}: cannot be read: ${(error as Error).message}.`, { cause: error });
  }
  const parsed = runSealSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UsageError(`${file}: field ${issue?.path.join('.') || '(all)'}: ${issue?.message}.`);
  }
  if (rootOf(parsed.data.evidence) !== parsed.data.root) {
    throw new UsageError(`${file}: field root: it does not follow from the files that it lists.`);
  }
  return parsed.data;
}

export function sealedFile(folder: string, file: string): SealedFile {
  const bytes = readFileSync(join(folder, file));
  return { file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
