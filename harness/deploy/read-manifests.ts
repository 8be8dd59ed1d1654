// Reads manifests from YAML files: several documents per file, folders, List kinds. Wrong input is a UsageError with
// file, line and field.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { nestedTooDeeply, nestingMessage } from '../config/nesting.ts';
import { placeOf } from '../config/place.ts';
import { problemsOf } from '../config/sentence.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { readNamedText } from '../model/named-file.ts';
import type { FieldPath } from '../model/yaml-path.ts';
import { shapeIssues } from './manifest-shape.ts';

/** An object and where it was written. */
export interface ReadManifest {
  readonly manifest: Manifest;
  /** "file:line" of a field, or of the nearest one above it that is there. */
  at(path?: FieldPath): string;
}

const SIZE_LIMIT_BYTES = 20_000_000;
const PROBLEMS_SHOWN = 10;

/** Every object of the files and folders, in order. */
export const readManifests = (paths: readonly string[]): Manifest[] =>
  paths.flatMap(readManifestFiles).map(({ manifest }) => manifest);

/** The objects of one file, or of the files that lie in a folder. */
export const readManifestFiles = (path: string): ReadManifest[] =>
  filesOf(path).flatMap((file) => readText(file, read(file)));

export const parseManifests = (file: string, text: string): Manifest[] =>
  readText(file, text).map(({ manifest }) => manifest);

/** `file` names the text in messages. */
export function readText(file: string, text: string): ReadManifest[] {
  if (text.includes('\0')) throw new UsageError(`${file}: is not a text file; manifests are YAML or JSON.`);
  if (nestedTooDeeply(text)) throw new UsageError(`${file}: ${nestingMessage}.`);
  const lines = new LineCounter();
  return documentsOf(file, text, lines).flatMap((document) => {
    const at = (path: FieldPath = []) => `${file}:${placeOf(document, lines, path).line}`;
    const [error] = document.errors;
    if (error) {
      const line = lines.linePos(error.pos[0]).line;
      const template = unrendered(text);
      throw new UsageError(
        template ? `${file}:${template}` : `${file}:${line}: not valid YAML: ${firstLine(error.message)}.`,
      );
    }
    const value = expanded(document, at());
    if (value === null || value === undefined) return [];
    try {
      return objectsOf(value, [], at);
    } catch (cause) {
      const template = unrendered(text);
      throw template ? new UsageError(`${file}:${template}`, { cause }) : cause;
    }
  });
}

/** Line and sentence of the first action of a template that stands outside of quotes: what cannot be read has its reason there. */
function unrendered(text: string): string | undefined {
  for (const [index, line] of text.split('\n').entries()) {
    const [action] = /\{\{.*?(\}\}|$)/.exec(line.replace(/"[^"]*"|'[^']*'|(^|\s)#.*$/g, '')) ?? [];
    if (action)
      return `${index + 1}: is a template that has not been rendered (${action}). Render it first; a Helm chart is named as target.helm.`;
  }
  return undefined;
}

function documentsOf(file: string, text: string, lineCounter: LineCounter): readonly Document.Parsed[] {
  try {
    const documents = parseAllDocuments(text, {
      lineCounter,
      prettyErrors: false,
      merge: true,
      logLevel: 'error',
    });
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    throw new UsageError(`${file}: not valid YAML: ${firstLine((error as Error).message)}.`, {
      cause: error,
    });
  }
}

function expanded(document: Document.Parsed, where: string): unknown {
  try {
    const value = document.toJS({ maxAliasCount: 100 }) as unknown;
    // A text that contains itself, or is nested without end, fails here and nowhere later.
    JSON.stringify(value);
    return value;
  } catch (error) {
    throw new UsageError(`${where}: cannot be expanded: ${firstLine((error as Error).message)}.`, {
      cause: error,
    });
  }
}

/** `kubectl create` has the API server make a name of it; here it stands once, so that it can be one itself. */
function named(value: unknown): unknown {
  const { metadata } = (value ?? {}) as { metadata?: { name?: unknown; generateName?: unknown } | null };
  if (metadata?.name !== undefined || typeof metadata?.generateName !== 'string') return value;
  const { generateName, ...rest } = metadata;
  const name = generateName.replace(/[-.]+$/, '');
  return name === '' ? value : { ...(value as object), metadata: { ...rest, name } };
}

function objectsOf(given: unknown, path: FieldPath, at: ReadManifest['at']): ReadManifest[] {
  const value = named(given);
  const object = value as Partial<Manifest> & { items?: unknown };
  const where = at(path);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(
      `${where}: not a Kubernetes object: it is a ${Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value}.`,
    );
  }
  if (!object.apiVersion || !object.kind)
    throw new UsageError(`${where}: it has no ${object.apiVersion ? 'kind' : 'apiVersion'}.`);
  if (object.kind === 'List') {
    const { items = [] } = object;
    if (!Array.isArray(items))
      throw new UsageError(`${at([...path, 'items'])}: List: items must be a list, not ${typeof items}.`);
    return items.flatMap((item, index) => objectsOf(item, [...path, 'items', index], at));
  }
  // Not objects of the cluster: their files say how others are made.
  if (isToolFile(object))
    return [{ manifest: object as Manifest, at: (inner = []) => at([...path, ...inner]) }];
  const name = (object.metadata as { name?: unknown } | null | undefined)?.name;
  const { metadata = null } = object as { metadata?: unknown };
  if (metadata === null || (typeof metadata === 'object' && (name === undefined || name === '')))
    throw new UsageError(`${where}: ${String(object.kind)} has no metadata.name.`);
  const problems = problemsOf(shapeIssues(object), object);
  if (problems.length > 0) {
    const title = [object.kind, name].filter((part) => typeof part === 'string').join(' ');
    const shown = problems
      .slice(0, PROBLEMS_SHOWN)
      .map((problem) => `${at([...path, ...problem.path])}: ${title}: ${problem.sentence}`);
    if (problems.length > PROBLEMS_SHOWN)
      shown.push(`${where}: and ${problems.length - PROBLEMS_SHOWN} more.`);
    throw new UsageError(shown.join('\n'));
  }
  return [{ manifest: object as Manifest, at: (inner = []) => at([...path, ...inner]) }];
}

/** A kustomization is no object of a cluster. */
export const isToolFile = ({ apiVersion }: { apiVersion?: unknown }): boolean =>
  typeof apiVersion === 'string' && apiVersion.startsWith('kustomize.config.k8s.io/');

/** The file itself, or the manifests that lie in a folder. Throws UsageError when there is none. */
function filesOf(path: string): string[] {
  const files = manifestFilesOf(path);
  if (files.length === 0) throw new UsageError(`${path}: has no .yaml, .yml or .json file.`);
  return files;
}

/** A file itself, or what lies in a folder. Throws UsageError when neither is there. */
export function manifestFilesOf(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new UsageError(`${path}: there is no such file or folder.`);
  if (!found.isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

function read(file: string): string {
  try {
    return readNamedText(file, SIZE_LIMIT_BYTES);
  } catch (error) {
    throw new UsageError(`${file}: ${messageOf(error)}.`, { cause: error });
  }
}

const firstLine = (message: string): string => message.split('\n', 1)[0]?.replace(/\.$/, '') ?? '';
