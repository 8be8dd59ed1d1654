// What does not hold in a journal: the record, its line, and the identity in words.
export interface Broken {
  readonly line: number;
  readonly record: string;
  readonly identity: string;
}

/** Agents round their times to µs when they write them. */
export const ROUNDING_MS = 0.001;
