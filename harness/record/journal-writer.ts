// Writes one experiment's journal: a JSON object per line, in order, up to a bound.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { JournalRecord, RecordOf } from '../model/journal.ts';

type Unstamped<T> = T extends { t: number } ? Omit<T, 't'> & { t?: number } : T;

export interface JournalWriter {
  /** ms since the journal's start, monotonic. */
  nowMs(): number;
  /** Stamps (unless `t` is given) and writes. After the bound only `end` is written. */
  write(record: Unstamped<JournalRecord>): void;
  readonly truncated: boolean;
  /** Writes the `end` record and flushes. Safe to call twice: the second call does nothing. */
  end(end: Pick<RecordOf<'end'>, 'status' | 'reason' | 'harness'>): Promise<void>;
}

/** `maxBytes` bounds the file (default 64 MiB); what comes after is left out and `end` says `truncated`. */
export function createJournalWriter(
  file: string,
  options: { maxBytes?: number; clock?: () => number } = {},
): JournalWriter {
  const { maxBytes = 64 * 1024 * 1024, clock = () => performance.now() } = options;
  const stream = createWriteStream(file, { flags: 'wx' });
  let failure: Error | undefined;
  stream.on('error', (error) => {
    failure = error;
  });
  const startedAt = clock();
  let bytes = 0;
  let records = 0;
  let truncated = false;
  let ended = false;
  const nowMs = () => Math.round((clock() - startedAt) * 1000) / 1000;

  const put = (record: object) => {
    const line = `${JSON.stringify(record)}\n`;
    bytes += Buffer.byteLength(line);
    records++;
    stream.write(line);
  };

  return {
    nowMs,
    get truncated() {
      return truncated;
    },
    write(record) {
      if (ended) return;
      if (bytes > maxBytes) {
        truncated = true;
        return;
      }
      put(record.type === 'header' ? record : { ...record, t: record.t ?? nowMs() });
    },
    async end(end) {
      if (ended) return;
      ended = true;
      put({ type: 'end', t: nowMs(), ...end, truncated, records: records + 1 });
      stream.end();
      if (!failure) await Promise.race([once(stream, 'close'), once(stream, 'error')]);
      if (failure) throw new Error(`journal ${file}: ${failure.message}`);
    },
  };
}
