// Makes changes to fields of a YAML document in its text: the lines around a change stay byte for byte as they were.
import { isDeepStrictEqual } from 'node:util';
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  parseDocument,
  stringify,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { type FieldPath, followPath } from '../model/yaml-path.ts';

export type Change =
  | { readonly set: FieldPath; readonly value: unknown; readonly comment?: string }
  | { readonly remove: FieldPath; readonly comment?: string }
  /** One more object behind this one. */
  | { readonly append: unknown; readonly comment?: string };

/** In an object that is there. */
export type FieldChange = Exclude<Change, { readonly append: unknown }>;

interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A document's text with all changes made, one after the other. */
export function withChanges(text: string, changes: readonly Change[]): string {
  return changes.reduce((current, change) => {
    if ('append' in change) return withObject(current, change.append);
    const edit = editFor(current, change);
    return edit ? current.slice(0, edit.start) + edit.text + current.slice(edit.end) : current;
  }, text);
}

export function pathOf(change: Change): FieldPath {
  if ('append' in change) return [];
  return 'set' in change ? change.set : change.remove;
}

/** JSON stands alone in its text, a document of YAML ends with its line. */
function withObject(text: string, object: unknown): string {
  const newline = newlineOf(text);
  if (/^\s*\{/.test(text)) return `${text.trimEnd()}${newline}${JSON.stringify(object, null, 2)}${newline}`;
  const lines = stringify(object, { lineWidth: 0 }).trimEnd().split('\n');
  // An end marker belongs to the document before it.
  return `${text.trimEnd()}${newline}---${newline}${lines.join(newline)}${newline}`;
}

/**
 * The changed text, read back: undefined when it does not say exactly what the changes ask for, and so must not be
 * written.
 */
export function checkedChanges(text: string, changes: readonly Change[]): string | undefined {
  const changed = withChanges(text, changes);
  const appended = changes.filter((change) => 'append' in change);
  const wanted = plain(text, changes);
  const [own, ...more] = documentsOf(changed);
  if (!own || own.errors.length > 0 || wanted === undefined) return undefined;
  const rest = more.filter((document) => document.contents !== null);
  const objects = rest.map((document) => document.toJS() as unknown);
  return isDeepStrictEqual(JSON.parse(JSON.stringify(own.toJS())), wanted) &&
    isDeepStrictEqual(
      objects,
      appended.map(({ append }) => append),
    ) &&
    rest.every((document) => document.errors.length === 0)
    ? changed
    : undefined;
}

function documentsOf(text: string): readonly Document[] {
  const found = parseAllDocuments(text, parseOptions);
  return Array.isArray(found) ? found : [];
}

/** What the text says with the changes made in plain objects. */
function plain(text: string, changes: readonly Change[]): unknown {
  const document = parseDocument(text, parseOptions);
  if (document.errors.length > 0) return undefined;
  // Through JSON, so that what an anchor shares is changed in one place only.
  const data = JSON.parse(JSON.stringify(document.toJS())) as Record<PropertyKey, unknown>;
  for (const change of changes) if (!('append' in change)) applyTo(data, pathOf(change), change);
  return data;
}

const parseOptions = { prettyErrors: false, merge: true, uniqueKeys: false } as const;

/** Column (from 0) at which the fields of a map stand; of one that is not there yet, where they would. */
export function columnOfFields(document: Document, text: string, path: FieldPath): number {
  const steps = followPath(document, path);
  const node = steps.length === 0 ? document.contents : resolved(document, steps.at(-1)!.value);
  const missing = 2 * (path.length - steps.length);
  const flow = steps.find((step) => isFlow(step.holder));
  if (flow) return indentOf(text, flow.holder.range![0]);
  if (isMap(node) && isFlow(node)) return indentOf(text, node.range![0]) + 2;
  const first = isMap(node) ? (node.items[0]?.key as Node | undefined) : undefined;
  if (first?.range) return columnOf(text, first.range[0]) + missing;
  const key = steps.at(-1)?.pair?.key;
  return (key?.range ? columnOf(text, key.range[0]) : 0) + 2 + missing;
}

function editFor(text: string, change: FieldChange): TextEdit | undefined {
  const document = parseDocument(text, parseOptions);
  const path = pathOf(change);
  const steps = followPath(document, path);
  // What is used by an alias is written out there: its source may serve other fields.
  const alias = steps.findIndex((step, index) => index < path.length - 1 && isAlias(step.pair?.value));
  if (alias !== -1) {
    const { pair, value } = steps[alias]!;
    const written = (value as Alias).toJS(document) as Record<PropertyKey, unknown>;
    applyTo(written, path.slice(alias + 1), change);
    return replacement(text, pair!, written);
  }
  const flow = steps.findIndex((step) => isFlow(step.holder));
  if (flow !== -1) return inFlow(text, steps[flow]!.holder, path.slice(flow), change);
  const last = steps.at(-1);
  const complete = steps.length === path.length;
  if ('remove' in change)
    return complete && last?.pair && isMap(last.holder) ? removal(text, last.holder, last.pair) : undefined;
  // A merged field is overridden where it is used: its source may serve other objects.
  if (complete && last?.pair && !last.merged) return replacement(text, last.pair, change.value);
  if (complete && last && isSeq(last.holder)) return undefined;
  const depth = complete ? path.length - 1 : steps.length;
  const rest = path.slice(depth);
  const parent = depth === 0 ? document.contents : resolved(document, steps[depth - 1]!.value);
  if (parent && isFlow(parent)) return inFlow(text, parent, rest, change);
  const nested = rest.slice(1).reduceRight<unknown>((value, key) => ({ [key]: value }), change.value);
  if (isMap(parent)) return insertion(text, parent, String(rest[0]), nested);
  if (isSeq(parent)) return rest[0] === parent.items.length ? addition(text, parent, nested) : undefined;
  const holder = steps[depth - 1]?.pair;
  return holder && replacement(text, holder, { [rest[0]!]: nested });
}

/** A new field behind the last one of a block map. */
function insertion(text: string, map: YAMLMap, key: string, value: unknown): TextEdit {
  const last = map.items.at(-1) as KeyValue;
  const column = columnOf(text, (map.items[0]!.key as Node).range![0]);
  return behind(text, endOf(text, last), asLines(text, { [key]: value }, column));
}

/** A new item behind the last one of a block list. */
function addition(text: string, list: YAMLSeq, value: unknown): TextEdit {
  const column = columnOf(text, list.range![0]);
  return behind(text, endOfNode(text, list), asLines(text, [value], column));
}

function behind(text: string, end: number, lines: string): TextEdit {
  if (text[end - 1] === '\n') return { start: end, end, text: lines };
  const lineEnd = text.indexOf('\n', end);
  if (lineEnd === -1) return { start: text.length, end: text.length, text: newlineOf(text) + lines };
  return { start: lineEnd + 1, end: lineEnd + 1, text: lines };
}

function replacement(text: string, pair: KeyValue, value: unknown): TextEdit {
  const scalar = ofScalar(text, pair, value);
  if (scalar) return scalar;
  const start = pair.key.range![0];
  const column = columnOf(text, start);
  const key = isScalar(pair.key) ? String(pair.key.value) : '';
  const lines = asLines(text, { [key]: value }, column).slice(column);
  const end = endOf(text, pair);
  return { start, end, text: text[end - 1] === '\n' ? lines : lines.trimEnd() };
}

/** One plain value for another: the key stays as it is written, and a text that was quoted stays quoted. */
function ofScalar(text: string, { value: old }: KeyValue, value: unknown): TextEdit | undefined {
  if (!isScalar(old) || !old.range || isFields(value)) return undefined;
  const [start, end] = old.range;
  const written = text.slice(start, end);
  if (written === '' || old.anchor || old.tag || /[\n]|^[|>]/.test(written)) return undefined;
  const quote = /^["']/.exec(written)?.[0];
  const own = typeof value === 'string' && quote === "'" && !/['\n\r\t]/.test(value);
  const line = own
    ? `'${value}'`
    : typeof value === 'string' && quote
      ? JSON.stringify(value)
      : inline(value);
  return line.includes('\n') ? undefined : { start, end, text: line };
}

const inline = (value: unknown): string => stringify(value, { lineWidth: 0 }).trimEnd();

const isFields = (value: unknown): boolean => typeof value === 'object' && value !== null;

function removal(text: string, map: YAMLMap, pair: KeyValue): TextEdit {
  const start = pair.key.range![0];
  const end = endOf(text, pair);
  const index = map.items.findIndex((item) => item.key === pair.key);
  if (map.items.length === 1)
    return { start, end, text: text[end - 1] === '\n' ? `{}${newlineOf(text)}` : '{}' };
  const next = map.items[index + 1]?.key as Node | undefined;
  const lineEnd = text[end - 1] === '\n' ? end : text.indexOf('\n', end) + 1 || text.length;
  // The first field of a list item stands behind its dash: the next one, or what is said about it, takes its place.
  if (index === 0 && next && text.slice(lineStart(text, start), start).trim() !== '') {
    const between = text.slice(lineEnd, next.range![0]).trimStart();
    return { start, end: next.range![0], text: between };
  }
  return { start: lineStart(text, start), end: lineEnd, text: '' };
}

/** A flow collection (JSON, too) is written anew, in the way it was: on one line, or indented. */
function inFlow(text: string, holder: Node, path: FieldPath, change: FieldChange): TextEdit {
  const [start, end] = holder.range!;
  const own = text.slice(start, end);
  const written = parseDocument(own, parseOptions).toJS() as Record<PropertyKey, unknown>;
  applyTo(written, path, change);
  if (!own.includes('\n')) {
    const json = /^[{[]\s*"/.test(own);
    const line = json
      ? JSON.stringify(written)
      : stringify(written, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
    return { start, end, text: line };
  }
  const step = /\n([ \t]+)\S/.exec(own)?.[1]?.length ?? 2;
  const base = indentOf(text, start);
  const lines = JSON.stringify(written, null, Math.max(1, step - base));
  return { start, end, text: lines.replaceAll('\n', `${newlineOf(text)}${' '.repeat(base)}`) };
}

function applyTo(data: Record<PropertyKey, unknown>, path: FieldPath, change: FieldChange): void {
  const parent = path.slice(0, -1).reduce((node, key) => {
    if (typeof node[key] !== 'object' || node[key] === null) node[key] = {};
    return node[key] as Record<PropertyKey, unknown>;
  }, data);
  const key = path.at(-1)!;
  if ('set' in change) parent[key] = change.value;
  else delete parent[key];
}

type KeyValue = Pair<Node, Node | null>;

function asLines(text: string, value: unknown, column: number): string {
  const lines = stringify(value, { lineWidth: 0, ...styleOf(text) })
    .replace(/\n$/, '')
    .split('\n');
  const newline = newlineOf(text);
  return lines.map((line) => (line ? `${' '.repeat(column)}${line}${newline}` : newline)).join('');
}

/** How the text indents lists below their field, as far as its first one tells; Kubernetes' own way is not to. */
function styleOf(text: string): { readonly indentSeq: boolean } {
  const first = /^( *)(?:- )*[\w"'./-]+:[ \t]*(?:#.*)?\r?\n( *)- /m.exec(text);
  if (!first) return { indentSeq: true };
  const dashes = /^ *((?:- )*)/.exec(first[0])![1]!.length;
  return { indentSeq: first[2]!.length > first[1]!.length + dashes };
}

/** End of a field's own text: without the comments and blank lines behind it. */
function endOf(text: string, pair: KeyValue): number {
  const colon = text.indexOf(':', pair.key.range![1]) + 1;
  return Math.max(colon, pair.value ? endOfNode(text, pair.value) : 0);
}

function endOfNode(text: string, node: Node): number {
  if ((isMap(node) || isSeq(node)) && !isFlow(node) && node.items.length > 0) {
    const last = node.items.at(-1) as KeyValue | Node;
    return isPair(last) ? endOf(text, last as KeyValue) : endOfNode(text, last);
  }
  return node.range?.[1] ?? 0;
}

function isFlow(node: Node): boolean {
  return (isMap(node) || isSeq(node)) && node.flow === true;
}

function resolved(document: Document, node: Node | null): Node | null {
  return isAlias(node) ? ((node.resolve(document) ?? null) as Node | null) : node;
}

function newlineOf(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

function indentOf(text: string, offset: number): number {
  return /^[ ]*/.exec(text.slice(lineStart(text, offset)))![0].length;
}

function columnOf(text: string, offset: number): number {
  return offset - lineStart(text, offset);
}
