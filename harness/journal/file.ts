// Reads a journal from a file, in chunks: no promise per line, and no limit by the length of a string.
import { createReadStream } from 'node:fs';
import { UsageError } from '../model/errors.ts';
import type { Journal } from './journal.ts';
import { createJournalReader } from './read.ts';

const CHUNK_BYTES = 1024 * 1024;
/** A record is at most a few hundred kB (a frame full of failures); more without a line break is no journal. */
const MAX_LINE_CHARACTERS = 64 * 1024 * 1024;

/** `name` is how messages call the file (default: its path). Throws UsageError. */
export async function readJournalFile(path: string, name = path): Promise<Journal> {
  const reader = createJournalReader(name);
  let rest = '';
  try {
    for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: CHUNK_BYTES })) {
      const text = rest + (chunk as string);
      let from = 0;
      for (let to = text.indexOf('\n'); to >= 0; to = text.indexOf('\n', from)) {
        reader.add(text.slice(from, to));
        from = to + 1;
      }
      rest = text.slice(from);
      if (rest.length > MAX_LINE_CHARACTERS) {
        throw new UsageError(`${name}: a line longer than 64 MiB: this is not a journal of rollproof.`);
      }
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${name}: cannot be read: ${(error as Error).message}.`, { cause: error });
  }
  if (rest !== '') reader.add(rest);
  return reader.finish();
}
