// Reads manifests from YAML files: several documents per file, folders, List kinds. Wrong input is a UsageError with
// file and line.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseAllDocuments } from 'yaml';
import { UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';

/** Every object of the files and folders, in order. */
export function readManifests(paths: readonly string[]): Manifest[] {
  return paths.flatMap(filesOf).flatMap((file) => parseManifests(file, read(file)));
}

export function parseManifests(file: string, text: string): Manifest[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true });
  return (Array.isArray(documents) ? documents : []).flatMap((document) => {
    const at = lines.linePos(document.range?.[0] ?? 0).line;
    const [error] = document.errors;
    if (error) {
      throw new UsageError(`${file}:${lines.linePos(error.pos[0]).line}: not valid YAML: ${error.message}`);
    }
    const value = document.toJS() as unknown;
    if (value === null || value === undefined) return [];
    return objectsOf(value, `${file}:${at}`);
  });
}

function objectsOf(value: unknown, where: string): Manifest[] {
  const object = value as Partial<Manifest> & { items?: unknown[] };
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new UsageError(
      `${where}: not a Kubernetes object: it is a ${Array.isArray(value) ? 'list' : typeof value}.`,
    );
  }
  if (!object.apiVersion || !object.kind)
    throw new UsageError(`${where}: it has no ${object.apiVersion ? 'kind' : 'apiVersion'}.`);
  if (object.kind === 'List') return (object.items ?? []).flatMap((item) => objectsOf(item, where));
  if (!object.metadata?.name) throw new UsageError(`${where}: ${object.kind} has no metadata.name.`);
  return [object as Manifest];
}

function filesOf(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new UsageError(`${path}: there is no such file or folder.`);
  if (!found.isDirectory()) return [path];
  const files = readdirSync(path)
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .sort()
    .map((name) => join(path, name));
  if (files.length === 0) throw new UsageError(`${path}: has no .yaml, .yml or .json file.`);
  return files;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file}: cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}
