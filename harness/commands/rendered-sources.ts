// The file that a rendered object was made from, as far as it can be known: Helm says it in a comment, and of a
// kustomization it is the file that holds an object of that kind and name.
import { statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import type { SourceOf } from '../check/check.ts';
import { readNamedText } from '../model/named-file.ts';
import { kustomizationFiles } from '../model/rendering.ts';

/** `# Source: web/templates/deployment.yaml`: the chart's name stands in its folder's place. */
export const chartSources =
  (folder: string): SourceOf =>
  ({ text }) => {
    const said = /^# Source: [^/\s]+\/(\S+)$/m.exec(text)?.[1];
    return said === undefined ? undefined : shown(join(folder, said));
  };

/** Objects that are generated, or come from somewhere else, are in no file. */
export function kustomizationSources(folder: string): SourceOf {
  let known: ReadonlyMap<string, readonly Written[]> | undefined;
  return ({ kind, name }) => {
    known ??= byKind(written(folder, new Set()));
    const alike = known.get(kind) ?? [];
    const exact = alike.filter((one) => one.name === name);
    // A prefix or suffix was put around the name.
    const found = exact.length > 0 ? exact : alike.filter((one) => name.includes(one.name));
    const [only] = new Set(found.map(({ file }) => file));
    return new Set(found.map(({ file }) => file)).size === 1 && only !== undefined ? shown(only) : undefined;
  };
}

interface Written {
  readonly kind: string;
  readonly name: string;
  readonly file: string;
}

const byKind = (all: readonly Written[]): ReadonlyMap<string, readonly Written[]> =>
  all.reduce(
    (map, one) => map.set(one.kind, [...(map.get(one.kind) ?? []), one]),
    new Map<string, Written[]>(),
  );

/** What the kustomization and those that it builds upon name as files. */
function written(folder: string, visited: Set<string>): Written[] {
  if (visited.has(folder) || visited.size > 200) return [];
  visited.add(folder);
  const text = kustomizationFiles.map((name) => read(join(folder, name))).find((one) => one !== undefined);
  const { resources, bases, components } = fieldsOf(text);
  return [resources, bases, components].flat().flatMap((entry) => {
    if (typeof entry !== 'string') return [];
    const path = join(folder, entry);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return written(path, visited);
    return objectsIn(path);
  });
}

function fieldsOf(text: string | undefined): Readonly<Record<string, unknown[] | undefined>> {
  try {
    const value = parse(text ?? '') as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown[]>) : {};
  } catch {
    return {};
  }
}

function objectsIn(file: string): Written[] {
  const documents = parseAllDocuments(read(file) ?? '', { uniqueKeys: false });
  return [...documents].flatMap((document) => {
    const kind = document.get('kind');
    const name = document.getIn(['metadata', 'name']);
    return typeof kind === 'string' && typeof name === 'string' ? [{ kind, name, file }] : [];
  });
}

function read(file: string): string | undefined {
  try {
    return readNamedText(file);
  } catch {
    return undefined;
  }
}

const shown = (file: string): string => relative('.', file) || file;
