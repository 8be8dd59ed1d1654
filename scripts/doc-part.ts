// The part of a page of docs that a script writes: between two marks, which stay.
import { readFileSync, writeFileSync } from 'node:fs';
import { FaultError } from '../harness/model/errors.ts';

/** Puts `text` into the part of that name. Throws FaultError where the page has no such part. */
export function writePart(file: string, name: string, text: string): void {
  writeFileSync(file, withPart(file, readFileSync(file, 'utf8'), name, text));
}

/** A name is that of the script, and a word more where it writes several parts. Pure. */
export function withPart(file: string, page: string, name: string, text: string): string {
  const [script = ''] = name.split(' ');
  const [begin, end] = [`<!-- ${name}: written by npm run ${script} -->`, `<!-- ${name}: end -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from)
    throw new FaultError(`npm run ${script}: ${file} has no place for the table ("${begin}" … "${end}").`);
  return `${page.slice(0, from)}${begin}\n${text}\n${page.slice(to)}`;
}
