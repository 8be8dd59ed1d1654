// The seal of a journal's line: a SHA-256 over the seal of the line before and the line itself. It stands in the line as
// its last field, so that whoever reads a journal can tell at which line it does not follow from the lines before.
// A chain without a signature does not show who wrote it (docs/journal.md).
import { createHash } from 'node:crypto';

/** What the first line's seal follows from. */
export const noSeal = '';

const FIELD = ',"seal":"';
/** The field, 64 hexadecimal digits, `"}`. */
const TAIL_CHARACTERS = FIELD.length + 64 + 2;
const tail = /,"seal":"([0-9a-f]{64})"\}$/;

interface Unsealed {
  /** The line without its seal: what the record was before it was sealed. */
  readonly text: string;
  readonly seal: string;
}

/** SHA-256, in hexadecimal, of the seal before (as text) followed by the line without its seal (UTF-8). */
export const sealOf = (before: string, text: string): string =>
  createHash('sha256').update(before).update(text).digest('hex');

/** `text` is one JSON object with at least one field. */
export function sealed(before: string, text: string): { readonly line: string; readonly seal: string } {
  const seal = sealOf(before, text);
  return { line: `${text.slice(0, -1)}${FIELD}${seal}"}`, seal };
}

/** Undefined: the line carries none. */
export function unsealed(line: string): Unsealed | undefined {
  const seal = tail.exec(line.slice(-TAIL_CHARACTERS))?.[1];
  return seal === undefined ? undefined : { text: `${line.slice(0, -TAIL_CHARACTERS)}}`, seal };
}
