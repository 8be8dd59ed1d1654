// Settings as a patch beside a kustomization: the files of the base stay as they are, and the patch is one entry of the
// kustomization's list. Built once in a copy, before anything is written.
import { cpSync, existsSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { type Change, checkedChanges } from '../check/edit.ts';
import type { ReadManifest } from '../deploy/read-manifests.ts';
import { buildKustomization, kustomizationIn } from '../deploy/sources/kustomize.ts';
import { makeTemporaryFolder } from '../exec/temporary-folder.ts';
import { FaultError, UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { mergeManifest } from '../model/merge-manifest.ts';
import { operationsBetween, sameMeaning, strategicPatch } from './difference.ts';
import { type Apply, type FileChange, objectName, type WritePlan } from './plan.ts';

const patchName = 'rollproof-settings.yaml';
const objectsName = 'rollproof-objects.yaml';
const operationsName = 'rollproof-settings-operations.yaml';

interface Kustomization {
  readonly namePrefix?: string;
  readonly nameSuffix?: string;
  readonly patches?: readonly { readonly path?: string }[] | null;
  readonly resources?: readonly string[] | null;
  readonly bases?: readonly string[] | null;
  readonly components?: readonly string[] | null;
}

/** `read`: what the kustomization builds now. Throws UsageError when the edited one does not build what it should. */
export async function patchKustomization(
  folder: string,
  read: readonly ReadManifest[],
  apply: Apply,
  context: { readonly signal: AbortSignal },
): Promise<WritePlan> {
  const before = read.map(({ manifest }) => manifest);
  const after = apply(before);
  const file = kustomizationIn(folder)!;
  const text = readFileSync(file, 'utf8');
  const own = parse(text) as Kustomization;
  const added = after.slice(before.length);
  const changed = before.flatMap((manifest, index) => {
    const fields = strategicPatch(manifest, after[index]);
    return fields === undefined ? [] : [{ ...headOf(manifest, own), ...(fields as object) }];
  });
  const [patch, another] = changed;
  if (another)
    throw new FaultError(`${folder}: settings change ${changed.map(objectName).join(', ')} at once.`);
  const objects = fileOf(
    join(folder, objectsName),
    added.map((object) => ({
      ...object,
      metadata: { ...object.metadata, ...headOf(object, own).metadata },
    })),
  );
  const planned = (name: string, patchFile: readonly FileChange[]): FileChange[] => [
    ...patchFile,
    ...objects,
    ...entriesIn(file, text, own, { name, patch, objects: added.length > 0 }),
  ];
  const index = patch ? after.findIndex((one, at) => one !== before[at] && at < before.length) : -1;
  const ways = [
    () => planned(patchName, fileOf(join(folder, patchName), patch ? [patch] : [])),
    // A merge by keys mixes up lists that have one key twice (port 80 as http and as https): operations do not.
    () => planned(operationsName, operationsFile(join(folder, operationsName), before[index], after[index])),
  ];
  for (const way of ways) {
    const files = way();
    const manifests = await builtWith(folder, file, files, context);
    if (!missingIn(manifests, after))
      return {
        files,
        notes: ['The settings are a patch of their own beside the kustomization; its base stays as it is.'],
        manifests,
      };
  }
  throw new UsageError(
    `${file}: with the patch it does not build ${patch ? objectName(patch) : objectName(added[0]!)} as it should be: something else of it changes the same fields later. Put the settings where those are written.`,
  );
}

const missingIn = (built: readonly ReadManifest[], wanted: readonly Manifest[]): boolean =>
  wanted.some(
    (one) => !built.some(({ manifest }) => sameObject(manifest, one) && sameMeaning(manifest, one)),
  );

/** Operations, behind those that an earlier run wrote. */
function operationsFile(file: string, before: unknown, after: unknown): FileChange[] {
  const operations = operationsBetween(before, after);
  if (operations.length === 0) return [];
  const text = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  const there = text === undefined ? [] : (parse(text) as unknown);
  if (!Array.isArray(there))
    throw new UsageError(`${file}: is there already and is not a list of operations.`);
  return [{ file, before: text, after: stringify([...there, ...operations], { lineWidth: 0 }) }];
}

function headOf({ apiVersion, kind, metadata }: Manifest, own: Kustomization): Manifest {
  return { apiVersion, kind, metadata: { name: withoutAffixes(metadata.name, own) } };
}

const sameObject = (one: Manifest, other: Manifest): boolean =>
  one.kind === other.kind && one.metadata.name === other.metadata.name;

/** Patches are matched by names as they are before this kustomization's own prefix and suffix. */
function withoutAffixes(name: string, { namePrefix = '', nameSuffix = '' }: Kustomization): string {
  const bare = name.startsWith(namePrefix) ? name.slice(namePrefix.length) : name;
  return bare.endsWith(nameSuffix) ? bare.slice(0, bare.length - nameSuffix.length) : bare;
}

/** What an earlier run wrote there stays and is added to. */
function fileOf(file: string, objects: readonly Manifest[]): FileChange[] {
  if (objects.length === 0) return [];
  const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  const there = before === undefined ? [] : objectsIn(file, before);
  const merged = [
    ...there.map((old) => {
      const more = objects.find((one) => sameObject(one, old));
      return more ? mergeManifest(old, more) : old;
    }),
    ...objects.filter((one) => !there.some((old) => sameObject(one, old))),
  ];
  const after = merged.map((one) => stringify(one, { lineWidth: 0 })).join('---\n');
  return [{ file, before, after }];
}

/** A patch is no whole object: it may lack what an object needs. */
function objectsIn(file: string, text: string): Manifest[] {
  const documents = parseAllDocuments(text);
  const objects = Array.isArray(documents) ? documents.map((one) => one.toJS() as Manifest | null) : [];
  if (objects.some((one) => one !== null && typeof one.metadata?.name !== 'string'))
    throw new UsageError(`${file}: is there already and is not a patch that can be added to.`);
  return objects.filter((one) => one !== null);
}

function entriesIn(
  file: string,
  text: string,
  own: Kustomization,
  {
    name,
    patch,
    objects,
  }: { readonly name: string; readonly patch: Manifest | undefined; readonly objects: boolean },
): FileChange[] {
  const changes: Change[] = [];
  const there = own.patches ?? [];
  const known = there.some(({ path }) => path === name);
  // By its target a patch is found whatever namespace the object's own file names.
  const target = patch && { kind: patch.kind, name: patch.metadata.name };
  if (patch && !known) changes.push(added('patches', there.length, { path: name, target }));
  const resources = own.resources ?? [];
  if (objects && !resources.includes(objectsName))
    changes.push(added('resources', resources.length, objectsName));
  if (changes.length === 0) return [];
  const after = checkedChanges(text, changes);
  if (after === undefined)
    throw new UsageError(`${file}: is written in a way that cannot be edited line by line.`);
  return [{ file, before: text, after }];
}

const added = (list: string, length: number, entry: unknown): Change =>
  length > 0 ? { set: [list, length], value: entry } : { set: [list], value: [entry] };

/** Built in a copy of the folder whose references to other folders lead to the originals. */
async function builtWith(
  folder: string,
  kustomization: string,
  files: readonly FileChange[],
  context: { readonly signal: AbortSignal },
): Promise<ReadManifest[]> {
  const copy = realpathSync(makeTemporaryFolder('kustomize'));
  try {
    cpSync(folder, copy, {
      recursive: true,
      filter: (path) => !['.git', 'node_modules'].includes(basename(path)),
    });
    for (const { file, after } of files) writeFileSync(join(copy, relative(folder, file)), after);
    const inCopy = join(copy, basename(kustomization));
    writeFileSync(inCopy, withReferences(readFileSync(inCopy, 'utf8'), realpathSync(folder), copy));
    return await buildKustomization(copy, context);
  } catch (error) {
    if (error instanceof UsageError)
      throw new UsageError(error.message.replaceAll(copy, folder), { cause: error });
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new FaultError(`${folder}: cannot be copied to try the patch: ${(error as Error).message}.`, {
      cause: error,
    });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function withReferences(text: string, folder: string, copy: string): string {
  const own = parse(text) as Record<string, unknown>;
  for (const field of ['resources', 'bases', 'components'] as const) {
    const entries = own[field];
    if (!Array.isArray(entries)) continue;
    own[field] = entries.map((entry: unknown) => {
      if (typeof entry !== 'string') return entry;
      const at = resolve(folder, entry);
      return statSync(at, { throwIfNoEntry: false })?.isDirectory() ? relative(copy, at) : entry;
    });
  }
  return stringify(own);
}
