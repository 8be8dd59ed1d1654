// A journal's chain of seals, line by line: where it does not hold, and what was done there, as far as that can be told
// from the lines that are left. Works on bytes: what a decoder would repair is a change, too.
import { noSeal, sealOf, unsealed } from '../model/seal.ts';

type ChainBreakKind = 'changed' | 'removed' | 'moved' | 'added' | 'truncated';

interface ChainBreak {
  readonly kind: ChainBreakKind;
  /** 1-based. */
  readonly line: number;
  /** What is wrong, without file and line. */
  readonly text: string;
}

interface Chain {
  /** Lines of the file. */
  readonly lines: number;
  /** Lines that carry a seal. 0: written by a version that did not seal, or stripped. */
  readonly sealed: number;
  /** The last line's seal; undefined where that line has none. */
  readonly seal: string | undefined;
  /** In the order of lines, at most {@link MOST_BREAKS}; empty: every line follows from the one before. */
  readonly breaks: readonly ChainBreak[];
}

/** More would not say more, and looking for where a line belongs reads all lines. */
const MOST_BREAKS = 20;

interface SealedLine {
  readonly line: number;
  readonly text: string;
  readonly seal: string;
}

export function chainOf(bytes: Uint8Array): Chain {
  const { lines, breaks: damaged, whole } = linesOf(bytes);
  const parts = lines.map((text, index): SealedLine | undefined => {
    const part = text === undefined ? undefined : unsealed(text);
    return part && { line: index + 1, ...part };
  });
  const carrying = parts.filter((part) => part !== undefined);
  const found: Chain = {
    lines: lines.length,
    sealed: carrying.length,
    seal: parts.at(-1)?.seal,
    breaks: damaged,
  };
  if (carrying.length === 0) return found;
  const breaks = [...damaged, ...follow(parts, carrying, promised(lines.at(-1)))];
  breaks.push(...endOf(lines, whole));
  breaks.sort((a, b) => a.line - b.line);
  return { ...found, breaks: breaks.slice(0, MOST_BREAKS) };
}

/** Undefined: not UTF-8. The last line counts also where its line break is missing. */
function linesOf(bytes: Uint8Array): {
  readonly lines: readonly (string | undefined)[];
  readonly breaks: readonly ChainBreak[];
  readonly whole: boolean;
} {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const lines: (string | undefined)[] = [];
  const breaks: ChainBreak[] = [];
  for (let from = 0; from < bytes.length; ) {
    const found = bytes.indexOf(0x0a, from);
    const to = found < 0 ? bytes.length : found;
    try {
      lines.push(decoder.decode(bytes.subarray(from, to)));
    } catch {
      lines.push(undefined);
      if (breaks.length < MOST_BREAKS)
        breaks.push({ kind: 'changed', line: lines.length, text: 'it is no UTF-8: its bytes were changed' });
    }
    from = to + 1;
  }
  return { lines, breaks, whole: bytes.length === 0 || bytes.at(-1) === 0x0a };
}

/** How many records the `end` says that there are. */
function promised(last: string | undefined): number | undefined {
  const record = recordOf(last);
  return record?.type === 'end' && typeof record.records === 'number' ? record.records : undefined;
}

function recordOf(line: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line ?? '');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function follow(
  parts: readonly (SealedLine | undefined)[],
  carrying: readonly SealedLine[],
  records: number | undefined,
): ChainBreak[] {
  const breaks: ChainBreak[] = [];
  const seen = new Map<string, number>();
  /** Lines since the last one that held, each broken: candidates for having been added. */
  let broken: ChainBreak[] = [];
  let before = noSeal;
  let beforeLine = 0;
  for (const [index, part] of parts.entries()) {
    if (breaks.length >= MOST_BREAKS) break;
    const line = index + 1;
    if (!part) {
      const text = 'it has no seal: it was added, or changed together with its seal';
      broken.push(add(breaks, { kind: 'added', line, text }));
      continue;
    }
    const twin = seen.get(part.seal);
    seen.set(part.seal, line);
    if (sealOf(before, part.text) === part.seal) {
      before = part.seal;
      beforeLine = line;
      broken = [];
      continue;
    }
    // It goes on from a line of the chain, as if those between were not there.
    const held = carrying.find(({ seal }) => sealOf(seal, part.text) === part.seal);
    const first = sealOf(noSeal, part.text) === part.seal;
    if (twin !== undefined) {
      broken.push(add(breaks, { kind: 'added', line, text: `it is line ${twin} once more` }));
      continue;
    }
    const goesOn = held && held.line < line && broken.length > 0 && held.line === line - broken.length - 1;
    if (goesOn) {
      for (const one of broken.filter(({ kind }) => kind !== 'moved'))
        replace(breaks, one, { ...one, kind: 'added', text: 'it was added: the chain goes on around it' });
      before = part.seal;
      beforeLine = line;
      broken = [];
      continue;
    }
    if (held || first) {
      const place = held ? `line ${held.line}` : 'the beginning';
      broken = [add(breaks, { kind: 'moved', line, text: `it was moved: it was written after ${place}` })];
    } else {
      broken.push(add(breaks, changedOrRemoved(line, beforeLine, parts.length, records)));
    }
    before = part.seal;
    beforeLine = line;
  }
  return breaks;
}

function changedOrRemoved(
  line: number,
  beforeLine: number,
  lines: number,
  records: number | undefined,
): ChainBreak {
  const missing = records === undefined ? 0 : records - lines;
  if (missing > 0) {
    const text = `it does not follow from line ${beforeLine}: ${missing} of ${records} lines are missing, here or elsewhere`;
    return { kind: 'removed', line, text };
  }
  return {
    kind: 'changed',
    line,
    text: `its seal does not follow from it and line ${beforeLine}: it was changed, or lines between were removed`,
  };
}

/** A chain holds as far as it goes; only the `end` says that nothing came after it. */
function endOf(lines: readonly (string | undefined)[], whole: boolean): ChainBreak[] {
  const line = lines.length;
  const record = recordOf(lines.at(-1));
  if (record?.type !== 'end') {
    const text = record
      ? 'the journal ends here without a record of type "end": what came after it is missing'
      : 'the journal is cut off in the middle of this line';
    return [{ kind: 'truncated', line, text }];
  }
  return whole ? [] : [{ kind: 'truncated', line, text: 'the line break after the last record is missing' }];
}

function add(breaks: ChainBreak[], one: ChainBreak): ChainBreak {
  breaks.push(one);
  return one;
}

function replace(breaks: ChainBreak[], old: ChainBreak, now: ChainBreak): void {
  breaks.splice(breaks.indexOf(old), 1, now);
}
