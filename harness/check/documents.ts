// Cuts a text into YAML documents and parses each: what a manifest file, kustomize's output or JSON is made of.
import { type Document, isMap, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { type FieldPath, followPath } from '../model/yaml-path.ts';
import { relax } from './relax.ts';

/** One YAML document with its place in its file. What was parsed is not kept: thousands of them would not fit. */
export interface SourceDocument {
  readonly file: string;
  /** Folder whose objects it belongs to; empty: everything. */
  readonly scope: string;
  /** Offset of the document in the file's text, and its first line (from 0). */
  readonly offset: number;
  readonly firstLine: number;
  readonly text: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  /** Read as kubectl reads it, though YAML 1.2 would not: a fix cannot be made in its text. */
  readonly relaxed: boolean;
}

/** Why a document cannot be read. Line and column count from 1. */
export interface ReadProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly sentence: string;
  /** It is a template that was not rendered: the rest of it says the same again. */
  readonly template?: boolean;
}

/** What kubectl reads and a person should know. */
export interface DuplicateKey {
  readonly source: SourceDocument;
  readonly place: Place;
  readonly key: string;
}

export interface Place {
  readonly line: number;
  readonly column: number;
}

const SIZE_LIMIT_BYTES = 64 * 1024 * 1024;
/** Of one document. etcd takes 1.5 MiB of an object; lists of many are longer. */
const DOCUMENT_LIMIT = 8 * 1024 * 1024;
/** Documents of one file. Each takes some milliseconds. */
const COUNT_LIMIT = 10_000;
/** Nesting that is read; Kubernetes' own objects are a tenth as deep. */
const DEPTH_LIMIT = 200;
/** Bounds the expansion of aliases ("billion laughs"); real manifests use a few. */
const ALIAS_LIMIT = 1000;
/** Documents longer than this are not parsed when their kind can hold no risk that a rule knows. */
const LONG_DOCUMENT = 256 * 1024;
const longKinds = /^kind:\s*["']?(CustomResourceDefinition|ConfigMap|Secret)["']?\s*$/m;
const currentVersions = /^apiVersion:\s*["']?(apiextensions\.k8s\.io\/v1|v1)["']?\s*$/m;

export interface ReadDocument {
  readonly source: SourceDocument;
  /** The document as data; undefined when it is empty or could not be read. */
  readonly value: unknown;
}

/** Every document of a text; one that cannot be read becomes a problem and does not hide the others. */
export function readDocuments(
  file: string,
  input: string,
  scope = '',
): {
  readonly documents: readonly ReadDocument[];
  readonly problems: readonly ReadProblem[];
  readonly duplicates: readonly DuplicateKey[];
  /** Objects that are there and were not parsed: long, and of a kind that can hold no risk. */
  readonly passedOver: number;
} {
  const refused = refusal(input);
  if (refused)
    return {
      documents: [],
      problems: [{ file, line: 1, column: 1, sentence: refused }],
      duplicates: [],
      passedOver: 0,
    };
  const documents: ReadDocument[] = [];
  const problems: ReadProblem[] = [];
  const duplicates: DuplicateKey[] = [];
  let passedOver = 0;
  const all = pieces(input).flatMap(jsonPieces);
  if (all.length > COUNT_LIMIT) {
    const sentence = `has ${all.length} documents; at most ${COUNT_LIMIT} are read. Check its parts one by one.`;
    return { documents: [], problems: [{ file, line: 1, column: 1, sentence }], duplicates: [], passedOver };
  }
  for (const piece of all) {
    if (piece.text.length > LONG_DOCUMENT && longKinds.test(piece.text) && currentVersions.test(piece.text)) {
      passedOver++;
      continue;
    }
    const at = { file, line: piece.firstLine + 1, column: 1 };
    if (piece.text.length > DOCUMENT_LIMIT) {
      problems.push({
        ...at,
        sentence: `this document has ${piece.text.length} characters; at most ${DOCUMENT_LIMIT} are read. Split it.`,
      });
      continue;
    }
    if (tooDeep(piece.text)) {
      problems.push({
        ...at,
        sentence: `is nested more than ${DEPTH_LIMIT} levels deep, which is not read.`,
      });
      continue;
    }
    const strict = parsed(piece.text);
    const relaxedText = strict.document.errors.length > 0 ? relax(piece.text) : piece.text;
    const again = relaxedText === piece.text ? strict : parsed(relaxedText);
    const relaxed = again !== strict && again.document.errors.length === 0;
    const source = sourceOf({ file, scope, ...piece, relaxed }, relaxed ? again : strict);
    const problem = templateProblem(source) ?? syntaxProblem(source);
    if (problem) {
      problems.push(problem);
      if (problem.template) break;
      continue;
    }
    try {
      documents.push({ source, value: source.document.toJS({ maxAliasCount: ALIAS_LIMIT }) });
      duplicates.push(...duplicatesIn(source));
    } catch (error) {
      const reason = (error as Error).message.replace(/\.$/, '');
      problems.push({ ...at, sentence: `cannot be expanded: ${reason}.` });
    }
  }
  return { documents, problems, duplicates, passedOver };
}

interface Parsed {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** As kubectl reads: of two keys of one name the last one counts. */
const parseOptions = { prettyErrors: false, merge: true, uniqueKeys: false } as const;

function parsed(text: string): Parsed {
  const lines = new LineCounter();
  return { document: parseDocument(text, { ...parseOptions, lineCounter: lines }), lines };
}

/** The documents that were looked at last: rules look at one after the other. */
const recent = new Map<string, Parsed>();
const RECENT_LIMIT = 8;

function sourceOf(fields: Omit<SourceDocument, 'document' | 'lines'>, first: Parsed): SourceDocument {
  const text = fields.relaxed ? () => relax(fields.text) : () => fields.text;
  const look = (): Parsed => {
    const written = text();
    const known = recent.get(written);
    if (known) return known;
    return keep(written, parsed(written));
  };
  keep(text(), first);
  return {
    ...fields,
    get document() {
      return look().document;
    },
    get lines() {
      return look().lines;
    },
  };
}

function keep(text: string, entry: Parsed): Parsed {
  recent.delete(text);
  recent.set(text, entry);
  if (recent.size > RECENT_LIMIT) recent.delete(recent.keys().next().value as string);
  return entry;
}

/** Indentation of block collections and open brackets, without parsing. */
function tooDeep(text: string): boolean {
  let open = 0;
  for (const { 0: token } of text.matchAll(/"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[[{}\]]|^(?: *- )+(?=- )/gm)) {
    if (token === '{' || token === '[') open++;
    else if (token === '}' || token === ']') open = Math.max(0, open - 1);
    else if (token.endsWith('- ') && token.trim().split(/\s+/).length > DEPTH_LIMIT) return true;
    if (open > DEPTH_LIMIT) return true;
  }
  const deepest = /^ {1000,}\S/m.test(text);
  return deepest;
}

function duplicatesIn(source: SourceDocument): readonly DuplicateKey[] {
  const found: DuplicateKey[] = [];
  visit(source.document, {
    Map(_, map) {
      const names = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key) || key.value === '<<') continue;
        if (names.has(key.value) && found.length < 20)
          found.push({ source, place: placeAt(source, key.range?.[0] ?? 0), key: String(key.value) });
        names.add(key.value);
      }
    },
  });
  return found;
}

/** Where a field stands; the nearest parent that exists when the field does not. */
export function placeIn(source: SourceDocument, path: FieldPath, want: 'key' | 'value' = 'key'): Place {
  const steps = followPath(source.document, path);
  const last = steps.at(-1);
  const complete = steps.length === path.length;
  const node = complete && want === 'value' ? last?.value : (last?.pair?.key ?? last?.value);
  const offset = (node ?? last?.pair?.key ?? source.document.contents)?.range?.[0] ?? 0;
  return placeAt(source, offset);
}

function placeAt(source: SourceDocument, offset: number): Place {
  const { line, col } = source.lines.linePos(offset);
  return { line: source.firstLine + line, column: col };
}

function refusal(input: string): string | undefined {
  if (input.length > SIZE_LIMIT_BYTES)
    return `has ${input.length} characters; at most ${SIZE_LIMIT_BYTES} are read. Check its parts one by one.`;
  if (input.includes('\0') || input.includes('\uFFFD\uFFFD'))
    return 'is not a text in UTF-8; a manifest is YAML or JSON.';
  return undefined;
}

interface Piece {
  readonly offset: number;
  readonly firstLine: number;
  readonly text: string;
}

/**
 * The text cut before each line that starts with `---`. Content of a document cannot start a line so (YAML 1.2,
 * c-forbidden), and separate pieces keep one broken document from taking the rest with it. Comments and directives
 * before the first `---` stay with it.
 */
function pieces(input: string): readonly Piece[] {
  const found: Piece[] = [];
  const marker = /^---(?=[ \t\r\n]|$)/gm;
  let offset = 0;
  let firstLine = 0;
  const cut = (end: number) => {
    const text = input.slice(offset, end);
    found.push({ offset, firstLine, text });
    firstLine += countLines(text);
    offset = end;
  };
  for (const match of input.matchAll(marker)) {
    if (/^(﻿?[ \t]*(#.*|%.*)?(\r?\n|$))*$/.test(input.slice(offset, match.index))) continue;
    cut(match.index);
  }
  cut(input.length);
  return found;
}

/** Several JSON objects one after the other are several documents to kubectl. */
function jsonPieces(piece: Piece): readonly Piece[] {
  if (!/^\s*\{\s*"/.test(piece.text)) return [piece];
  const found: Piece[] = [];
  let depth = 0;
  let start = 0;
  // Braces outside of strings.
  for (const { 0: token, index } of piece.text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') depth++;
    if (token !== '}' || --depth !== 0) continue;
    const text = piece.text.slice(start, index + 1);
    found.push({
      offset: piece.offset + start,
      firstLine: piece.firstLine + countLines(piece.text.slice(0, start)),
      text,
    });
    start = index + 1;
  }
  const rest = piece.text.slice(start);
  return found.length > 1 && rest.trim() === '' ? found : [piece];
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}

function syntaxProblem(source: SourceDocument): ReadProblem | undefined {
  const error = source.document.errors[0];
  if (!error) return undefined;
  const words = error.message.split('\n')[0]!.replace(/\.$/, '');
  const sentence =
    error.code === 'TAB_AS_INDENT'
      ? 'a tab is used for indentation, which YAML forbids; use spaces.'
      : `is not valid YAML: ${words}.`;
  return { file: source.file, ...placeAt(source, error.pos[0]), sentence };
}

/** What only a chart's template says: other `{{ }}` in a text (alert rules, workflows) is the manifest's own. */
const chartValue = /\{\{-?\s*(\.(Values|Release|Chart)\b|include\s)/;

/**
 * A Helm template that was not rendered. Where the text is broken YAML: an action outside quotes and block texts.
 * Where it happens to parse: `{{ x }}` read as a map that is a key, or a scalar that holds an action of a chart.
 */
function templateProblem(source: SourceDocument): ReadProblem | undefined {
  if (!source.text.includes('{{')) return undefined;
  const offset = source.document.errors.length > 0 ? bareAction(source) : parsedAction(source);
  if (offset === undefined) return undefined;
  const shown = /\{\{[^\n]{0,60}?\}\}|\{\{[^\n]{0,40}/.exec(source.text.slice(offset))?.[0] ?? '{{';
  return {
    file: source.file,
    ...placeAt(source, offset),
    template: true,
    sentence: `is a template that has not been rendered (${shown}). Render it first; for a Helm chart: helm template CHART | rollproof check -`,
  };
}

/** Objects of other tools carry templates of their own (a HelmRelease's values): only Kubernetes' kinds hold none. */
function isKubernetesOwn(source: SourceDocument): boolean {
  const version = /^apiVersion:\s*["']?([\w.-]+\/)?v\w+["']?\s*$/m.exec(source.text);
  const group = version?.[1]?.slice(0, -1);
  return version !== null && (group === undefined || !group.includes('.') || group.endsWith('.k8s.io'));
}

function parsedAction(source: SourceDocument): number | undefined {
  let found: number | undefined;
  const own = isKubernetesOwn(source);
  visit(source.document, {
    Pair(_, pair) {
      if (!isMap(pair.key)) return undefined;
      // The inner brace of the two.
      found = Math.max(0, (pair.key.range?.[0] ?? 0) - 1);
      return visit.BREAK;
    },
    Scalar(_, scalar) {
      if (typeof scalar.value !== 'string' || !scalar.value.includes('{{')) return undefined;
      const inBlock = scalar.type === 'BLOCK_LITERAL' || scalar.type === 'BLOCK_FOLDED';
      if (inBlock || !own || !chartValue.test(scalar.value)) return undefined;
      found = scalar.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

/** In text that is not YAML, line by line: quoted texts, comments and block texts are passed over. */
function bareAction(source: SourceDocument): number | undefined {
  let offset = 0;
  let blockIndent: number | undefined;
  for (const line of source.text.split('\n')) {
    const indent = line.search(/\S/);
    if (blockIndent !== undefined && indent !== -1 && indent <= blockIndent) blockIndent = undefined;
    if (blockIndent === undefined && indent !== -1) {
      const bare = line
        .replace(/"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'/g, (quoted) => ' '.repeat(quoted.length))
        .replace(/(^|\s)#.*$/, '');
      if (bare.includes('{{')) return offset + bare.indexOf('{{');
      if (/[|>][-+\d]*\s*$/.test(bare)) blockIndent = indent;
    }
    offset += line.length + 1;
  }
  const quoted = chartValue.exec(source.text);
  return quoted?.index;
}
