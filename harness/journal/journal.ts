// A journal as it is read: its records by type, each with its line.
import type { HeaderRecord, JournalRecord, RecordOf } from '../model/journal.ts';

/** A record and its 1-based line in the file. */
export type Lined<T extends JournalRecord['type']> = RecordOf<T> & { readonly line: number };

export interface Journal {
  /** File name, for messages. */
  readonly file: string;
  readonly header: HeaderRecord;
  readonly clocks: readonly Lined<'clock'>[];
  readonly loads: readonly Lined<'load'>[];
  readonly steps: readonly Lined<'step'>[];
  readonly watches: readonly Lined<'watch'>[];
  readonly watchGaps: readonly Lined<'watch-gap'>[];
  readonly frames: readonly Lined<'frame'>[];
  readonly frameGaps: readonly Lined<'frame-gap'>[];
  readonly streamEnds: readonly Lined<'stream-end'>[];
  readonly crossChecks: readonly Lined<'cross-check'>[];
  readonly access: readonly Lined<'access'>[];
  readonly queue: readonly Lined<'queue'>[];
  readonly milestones: readonly Lined<'milestone'>[];
  readonly witness: readonly Lined<'witness'>[];
  readonly notes: readonly Lined<'note'>[];
  readonly end: Lined<'end'>;
}
