// Writes changes as one piece of YAML, indented as it stands in the file: a patch that a reader can follow line by line.
import { type Document, isMap, isPair, isScalar, isSeq, Document as YamlDocument } from 'yaml';
import { type FieldPath, fieldName } from '../model/yaml-path.ts';
import { type Change, columnOfFields, pathOf } from './edit.ts';
import { fields } from './fields.ts';

/**
 * All changes below the map that holds them all. Items of lists are told by their name (or their first plain field);
 * `null` stands for a field that goes, as in a strategic merge patch.
 */
export function snippetOf(
  source: { readonly document: Document; readonly text: string },
  value: unknown,
  changes: readonly Change[],
): string {
  if (changes.length === 0) return '';
  const appended = changes.filter((change) => 'append' in change);
  if (appended.length > 0) {
    const objects = appended.map(({ append }) =>
      new YamlDocument(append).toString({ lineWidth: 0 }).trimEnd(),
    );
    const own = snippetOf(
      source,
      value,
      changes.filter((change) => !('append' in change)),
    );
    return [...(own ? [own] : []), '# one more object', ...objects].join('\n');
  }
  const root = commonParent(changes.map(pathOf), value);
  const tree = new YamlDocument({});
  for (const change of changes) put(tree, change, root, value);
  const where = fieldName(root) ? `# in ${fieldName(root)}\n` : '';
  const column = columnOfFields(source.document, source.text, root);
  return `${where}${tree.toString({ lineWidth: 0 })}`
    .trimEnd()
    .split('\n')
    .map((line) => (line ? ' '.repeat(column) + line : line))
    .join('\n');
}

/** The deepest map of the document that all paths go through. */
function commonParent(paths: readonly FieldPath[], value: unknown): FieldPath {
  const [first = [], ...others] = paths.map((path) => path.slice(0, -1));
  let length = others.reduce((shared, path) => {
    let same = 0;
    while (same < shared && path[same] === first[same]) same++;
    return same;
  }, first.length);
  while (length > 0 && !isFields(valueAt(value, first.slice(0, length)))) length--;
  return first.slice(0, length);
}

function put(tree: Document, change: Change, root: FieldPath, value: unknown): void {
  const path = pathOf(change).slice(root.length);
  let node: unknown = tree.contents;
  let at: FieldPath = root;
  for (const [index, key] of path.entries()) {
    const last = index === path.length - 1;
    at = [...at, key];
    if (isSeq(node)) node = listItem(tree, node, valueAt(value, at), at.at(-1)!);
    else if (isMap(node)) {
      const name = String(key);
      if (last) setField(tree, node, name, change);
      else if (!node.has(name))
        node.set(tree.createNode(name), tree.createNode(typeof path[index + 1] === 'number' ? [] : {}));
      node = node.get(name, true);
    }
  }
}

/** The item of a list in the tree: the one with the same position, or a new one with what tells it from others. */
function listItem(
  tree: Document,
  list: { items: unknown[] },
  original: unknown,
  position: PropertyKey,
): unknown {
  const known = positions.get(list) ?? new Map<PropertyKey, unknown>();
  positions.set(list, known);
  if (!known.has(position)) {
    const own = fields(original);
    const mark =
      Object.entries(own).find(([key]) => key === 'name') ??
      Object.entries(own).find(([, field]) => typeof field !== 'object' && field !== undefined);
    const item = tree.createNode(mark ? { [mark[0]]: mark[1] } : {});
    list.items.push(item);
    known.set(position, item);
  }
  return known.get(position);
}

const positions = new WeakMap<object, Map<PropertyKey, unknown>>();

function setField(
  tree: Document,
  map: { items: unknown[]; set(key: unknown, value: unknown): void; delete(key: unknown): boolean },
  name: string,
  change: Change,
): void {
  map.delete(name);
  const key = tree.createNode(name);
  const node = tree.createNode('set' in change ? change.value : null);
  map.set(key, node);
  const words =
    'set' in change ? change.comment : ['remove this line', change.comment].filter(Boolean).join(': ');
  const pair = map.items.at(-1);
  if (!words || !isPair(pair)) return;
  if (isScalar(node)) node.comment = ` ${words}`;
  else key.commentBefore = ` ${words}`;
}

function isFields(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueAt(value: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (node, key) =>
      typeof node === 'object' && node !== null ? (node as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}
