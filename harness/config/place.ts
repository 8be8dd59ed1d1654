// Finds the place of a field in a YAML text, so that a wrong value is reported where it stands.
import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type LineCounter, type Node } from 'yaml';

export type FieldPath = readonly PropertyKey[];
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** 1-based line and column of a field's value; of its key for `key`; of the nearest parent that exists otherwise. */
export function placeOf(
  document: Document.Parsed,
  lines: LineCounter,
  path: FieldPath,
  want: 'value' | 'key' = 'value',
): Place {
  let node: Node | null | undefined = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    const last = index === path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (!pair) break;
      const key = pair.key as Node;
      offset = key.range?.[0] ?? offset;
      node = pair.value as Node | null;
      if (!(last && want === 'key')) offset = node?.range?.[0] ?? offset;
    } else if (isSeq(node)) {
      node = node.items[Number(step)] as Node | undefined;
      if (!node) break;
      offset = node.range?.[0] ?? offset;
    } else break;
  }
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

/** `load.lanes[1]` */
export function fieldName(path: FieldPath): string {
  return path.reduce<string>((name, step) => {
    if (typeof step === 'number') return `${name}[${step}]`;
    const key = String(step);
    const plain = /^[A-Za-z_$][\w$-]*$/.test(key) ? key : `"${key}"`;
    return name ? `${name}.${plain}` : plain;
  }, '');
}
