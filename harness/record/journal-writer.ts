// Writes one experiment's journal: a JSON object per line, in order, up to a bound, each sealed as it is written.
import { createWriteStream, statSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { FaultError, messageOf } from '../model/errors.ts';
import type { JournalRecord, RecordOf } from '../model/journal.ts';
import { noSeal, sealed } from '../model/seal.ts';
import { StorageError, systemFault } from '../model/system-error.ts';

type Unstamped<T> = T extends { t: number } ? Omit<T, 't'> & { t?: number } : T;

export interface JournalWriter {
  /** ms since the journal's start, monotonic. */
  nowMs(): number;
  /** Stamps (unless `t` is given) and writes. After the bound only `end` is written. */
  write(record: Unstamped<JournalRecord>): void;
  readonly truncated: boolean;
  /**
   * Writes the `end` record and flushes; rejects with StorageError when not all is on the disk. Safe to call twice: the
   * second call does nothing.
   */
  end(end: Pick<RecordOf<'end'>, 'status' | 'reason' | 'harness'>): Promise<void>;
}

interface JournalWriterOptions {
  /** Bounds the file (default 64 MiB); what comes after is left out and `end` says `truncated`. */
  readonly maxBytes?: number;
  readonly clock?: () => number;
  /** How the file is opened; default: it must be new. */
  readonly flags?: 'wx' | 'w';
  /** Called at once, and once, when the journal cannot be written any more. */
  readonly onFailure?: (error: FaultError) => void;
}

export function createJournalWriter(file: string, options: JournalWriterOptions = {}): JournalWriter {
  const { maxBytes = 64 * 1024 * 1024, clock = () => performance.now(), flags = 'wx' } = options;
  const { onFailure = () => {} } = options;
  const stream = createWriteStream(file, { flags });
  let failure: FaultError | undefined;
  stream.on('error', (error) => {
    if (failure) return;
    failure =
      systemFault(error, 'journal', file) ??
      new FaultError(`journal ${file}: ${messageOf(error)}.`, { cause: error });
    onFailure(failure);
  });
  const startedAt = clock();
  let bytes = 0;
  let records = 0;
  let before = noSeal;
  let truncated = false;
  let ended = false;
  const nowMs = () => Math.round((clock() - startedAt) * 1000) / 1000;

  const put = (record: object) => {
    const { line, seal } = sealed(before, JSON.stringify(record));
    before = seal;
    bytes += Buffer.byteLength(line) + 1;
    records++;
    stream.write(`${line}\n`);
  };

  return {
    nowMs,
    get truncated() {
      return truncated;
    },
    write(record) {
      if (ended || failure) return;
      if (bytes > maxBytes) {
        truncated = true;
        return;
      }
      put(record.type === 'header' ? record : { ...record, t: record.t ?? nowMs() });
    },
    async end(end) {
      if (ended) return;
      ended = true;
      if (!failure) put({ type: 'end', t: nowMs(), ...end, truncated, records: records + 1 });
      stream.end();
      await finished(stream).catch(() => {});
      if (failure) throw failure;
      // What was written to a file that somebody removed is gone without an error.
      const size = statSync(file, { throwIfNoEntry: false })?.size;
      if (size === undefined || size < bytes) {
        throw new StorageError(
          `journal ${file}: ${size === undefined ? 'it is gone' : `it has ${size} of ${bytes} bytes`}: somebody else removed or changed it. Leave the folder in place while a run writes to it.`,
        );
      }
    },
  };
}
