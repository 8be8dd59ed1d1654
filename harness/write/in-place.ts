// Settings into plain YAML (or JSON) where it stands: the lines that say something else now, and no other byte. Pure.

import { readDocuments, type SourceDocument } from '../check/documents.ts';
import { checkedChanges } from '../check/edit.ts';
import { objectsOf, type SourceObject } from '../check/objects.ts';
import { readText } from '../deploy/read-manifests.ts';
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { changesBetween } from './difference.ts';
import { type Apply, type FileChange, objectName, type WritePlan } from './plan.ts';

interface ManifestFile {
  readonly file: string;
  readonly text: string;
}

/**
 * `workload`: behind its document new objects are put. Throws UsageError where a text cannot be edited so that it says
 * exactly what it said before and the settings.
 */
export function editInPlace(
  files: readonly ManifestFile[],
  apply: Apply,
  workload: { readonly kind: string; readonly name: string },
): WritePlan {
  const objects = files.flatMap(({ file, text }) => objectsOf(readDocuments(file, text).documents));
  const before = objects.map(({ value }) => value as Manifest);
  const after = apply(before);
  const home = objects.find(({ kind, name }) => kind === workload.kind && name === workload.name);
  if (!home) throw new UsageError(`${workload.kind} ${workload.name}: is in none of the files to edit.`);
  const added = after.slice(before.length);
  const edits = new Map<SourceDocument, string>();
  for (const source of new Set(objects.map((object) => object.source))) {
    const own = objects.flatMap((object, index) =>
      object.source === source ? changesBetween(before[index], after[index], object.base) : [],
    );
    const changes = source === home.source ? [...own, ...added.map((append) => ({ append }))] : own;
    if (changes.length === 0) continue;
    const changed = source.relaxed ? undefined : checkedChanges(source.text, changes);
    if (changed === undefined) throw notEditable(source, objects);
    edits.set(source, changed);
  }
  const changed = files.flatMap((one): FileChange[] => {
    const text = withDocuments(
      one.text,
      [...edits].filter(([source]) => source.file === one.file),
    );
    return text === one.text ? [] : [{ file: one.file, before: one.text, after: text }];
  });
  const textOf = (one: ManifestFile) => changed.find(({ file }) => file === one.file)?.after ?? one.text;
  return {
    files: changed,
    notes: added.map((object) => `${objectName(object)} is added to ${home.source.file}.`),
    manifests: files.flatMap((one) => readText(one.file, textOf(one))),
  };
}

function notEditable(source: SourceDocument, objects: readonly SourceObject[]): UsageError {
  const names = objects
    .filter((object) => object.source === source)
    .map(({ kind, name }) => `${kind} ${name}`);
  return new UsageError(
    `${source.file}:${source.firstLine + 1}: ${names.join(', ')} is written in a way that cannot be edited line by line (an unusual use of anchors, tags or flow style). Apply the settings by hand: rollproof check shows each as YAML.`,
  );
}

/** From the end, so that offsets stay true. */
function withDocuments(text: string, edits: readonly (readonly [SourceDocument, string])[]): string {
  return edits
    .toSorted(([a], [b]) => b.offset - a.offset)
    .reduce((current, [source, changed]) => {
      const rest = current.slice(source.offset + source.text.length);
      const glued = rest !== '' && source.text.endsWith('\n') && !changed.endsWith('\n');
      return current.slice(0, source.offset) + changed + (glued ? '\n' : '') + rest;
    }, text);
}
