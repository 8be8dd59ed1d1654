// The line and column of a field in a YAML text, so that a wrong value is reported where it stands.
import type { Document, LineCounter } from 'yaml';
import { type FieldPath, followPath } from '../model/yaml-path.ts';

interface Place {
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
  const steps = followPath(document, path);
  const last = steps.at(-1);
  const node = want === 'key' && steps.length === path.length && last?.pair ? last.pair.key : last?.value;
  const offset = (node ?? last?.pair?.key ?? document.contents)?.range?.[0] ?? 0;
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}
