// Follows a field's path through a parsed YAML document, aliases and merge keys included, as deep as it exists.
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml';

export type FieldPath = readonly PropertyKey[];

/** One step of a path: what holds it, its pair (in a map) and its value. */
interface PathStep {
  readonly holder: Node;
  readonly pair?: Pair<Node, Node | null>;
  readonly value: Node | null;
  /** Came in through a merge key (`<<`): it stands in another map. */
  readonly merged: boolean;
}

/** The steps that exist; as many as the path has when all of it exists. */
export function followPath(document: Document, path: FieldPath): readonly PathStep[] {
  const steps: PathStep[] = [];
  let node = resolved(document, document.contents);
  for (const name of path) {
    const step = isMap(node) ? inMap(document, node, name) : isSeq(node) ? inList(node, name) : undefined;
    if (!step) break;
    steps.push(step);
    node = resolved(document, step.value);
  }
  return steps;
}

/** `load.lanes[1]` */
export function fieldName(path: FieldPath): string {
  return path.reduce<string>((name, step) => {
    if (typeof step === 'number') return `${name}[${step}]`;
    const key = String(step);
    const plain = /^[A-Za-z_$][\w$-]*$/.test(key) ? key : JSON.stringify(key);
    return name ? `${name}.${plain}` : plain;
  }, '');
}

function resolved(document: Document, node: unknown): Node | null {
  return (isAlias(node) ? (node.resolve(document) ?? null) : node) as Node | null;
}

function inList(list: Node, name: PropertyKey): PathStep | undefined {
  if (!isSeq(list)) return undefined;
  const value = list.items[Number(name)] as Node | undefined;
  return value === undefined ? undefined : { holder: list, value, merged: false };
}

/** YAML's merge key: a map's own fields win, then its sources in their order. */
function inMap(document: Document, map: YAMLMap, name: PropertyKey, depth = 0): PathStep | undefined {
  const named = (key: PropertyKey) =>
    map.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key)) as
      | Pair<Node, Node | null>
      | undefined;
  const own = named(name);
  if (own) return { holder: map, pair: own, value: own.value, merged: depth > 0 };
  const merge = named('<<');
  if (!merge || depth > 10) return undefined;
  const source = resolved(document, merge.value);
  const sources = isSeq(source) ? source.items.map((item) => resolved(document, item)) : [source];
  for (const from of sources) {
    const found = isMap(from) ? inMap(document, from, name, depth + 1) : undefined;
    if (found) return found;
  }
  return undefined;
}
