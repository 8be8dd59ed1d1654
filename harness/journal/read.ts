// Reads a journal's lines into typed records with their line numbers. A journal that is broken in any way (empty, cut
// off, of another version, mixed with another one, a garbage line) is refused with a sentence that names the line.
import type { z } from 'zod';
import { UsageError } from '../model/errors.ts';
import {
  type HeaderRecord,
  type JournalRecord,
  journalRecordSchema,
  journalSchemaVersion,
  type RecordOf,
} from '../model/journal.ts';
import { BUCKET_MS, outcomes, phases, streamEnds, timeLimitMs } from '../model/load.ts';
import { noSeal, sealOf, unsealed } from '../model/seal.ts';
import { firstBroken } from './identities/index.ts';
import type { Journal, Lined } from './journal.ts';

/** Parses and checks a whole journal. `file` is only used in messages. Throws UsageError. */
export async function readJournal(
  lines: Iterable<string> | AsyncIterable<string>,
  file = 'journal',
): Promise<Journal> {
  const reader = createJournalReader(file);
  if (Symbol.asyncIterator in lines) for await (const line of lines) reader.add(line);
  else for (const line of lines) reader.add(line);
  return reader.finish();
}

interface JournalReader {
  add(line: string): void;
  /** Throws when the journal is not whole. */
  finish(): Journal;
}

/** For callers that split lines themselves (journal-file.ts): no promise per line. */
export function createJournalReader(file: string): JournalReader {
  const lists = emptyLists();
  const lastSeq = new Map<string, number>();
  let namespace = '';
  let lastT = 0;
  let streamIds: ReadonlySet<string> = new Set();
  let line = 0;
  let blankAt = 0;
  /** A line that is no JSON: cut off when it is the last one, damaged otherwise. Known at the next line. */
  let unparsable: { line: number } | undefined;
  /** Whether the lines carry seals (journals of older versions do not), and the last one. */
  let isSealed = false;
  let seal = noSeal;

  const refuse = (text: string): never => {
    throw new UsageError(`${file}: ${text}`);
  };

  return {
    add(text) {
      line++;
      if (text.trim() === '') {
        blankAt ||= line;
        return;
      }
      if (blankAt > 0)
        refuse(`line ${blankAt} is empty: the journal was edited or damaged. Record it again.`);
      if (unparsable) refuse(`line ${unparsable.line} is not JSON: the journal is damaged. Record it again.`);
      const part = unsealed(text);
      let value: unknown;
      try {
        value = JSON.parse(part?.text ?? text);
      } catch {
        unparsable = { line };
        return;
      }
      if (line === 1) isSealed = part !== undefined;
      if (isSealed !== (part !== undefined)) {
        refuse(
          `line ${line} has ${part ? 'a' : 'no'} seal and the lines before have ${part ? 'none' : 'one'}: the journal was edited, or two were mixed. ` +
            'Record it again.',
        );
      }
      if (part && sealOf(seal, part.text) !== part.seal) {
        refuse(
          `line ${line}, field seal: it does not follow from this line and the one before: a line was changed, removed, ` +
            'moved or added. Record it again; `rollproof audit` on the folder says more.',
        );
      }
      seal = part?.seal ?? noSeal;
      if (lists.end.length > 0) {
        const what = isHeader(value) ? 'another journal follows' : 'there are records after the end';
        refuse(`line ${line}: ${what}: two journals were mixed. Judge each file on its own.`);
      }
      if (line === 1) {
        const header = readHeader(value, file);
        lists.header.push(Object.assign(header, { line }));
        streamIds = new Set(header.plan.streams.map((stream) => stream.id));
        return;
      }
      if (isHeader(value)) {
        refuse(`line ${line} is a second header: two journals were mixed. Judge each file on its own.`);
      }
      const record = readRecord(value, file, line);
      if ('t' in record) {
        if (record.t < lastT) {
          refuse(
            `line ${line}, field t: ${record.t} ms comes after ${lastT} ms: records are out of order. Record it again.`,
          );
        }
        lastT = record.t;
      }
      if (record.type === 'frame') checkFrame(record, file, line, streamIds, lastSeq);
      if (record.type === 'stream-end' && !streamIds.has(record.end.stream)) {
        refuse(unknownStream(line, 'end.stream', record.end.stream));
      }
      if (record.type === 'watch' && record.facts.kind === 'Pod' && record.facts.role !== 'entry') {
        namespace ||= record.namespace;
        if (record.namespace !== namespace) {
          refuse(
            `line ${line}, field namespace: "${record.namespace}", but the journal is of namespace "${namespace}": ` +
              'records of two experiments were mixed. Judge each file on its own.',
          );
        }
      }
      (record as { line?: number }).line = line;
      (lists[record.type] as JournalRecord[]).push(record);
    },
    finish() {
      const header = lists.header[0];
      const end = lists.end[0];
      const used = unparsable?.line ?? lists.end[0]?.line ?? line;
      if (line === 0 || (!header && !unparsable)) {
        refuse('the file is empty: no journal was written. Run the experiment again.');
      }
      if (!header) return refuse('line 1 is not JSON: this is not a journal of rollproof.');
      if (unparsable) {
        refuse(
          `line ${used} ends in the middle of a record: the journal was cut off. Run the experiment again.`,
        );
      }
      if (!end) {
        return refuse(
          `no record of type "end" after line ${line}: the journal was cut off or is still being written. ` +
            'Wait for the experiment to end or run it again.',
        );
      }
      if (end.records !== end.line) {
        refuse(
          `line ${end.line}, field records: the journal was written with ${end.records} records and has ${end.line}: ` +
            'lines were lost or mixed in. Run the experiment again.',
        );
      }
      const journal = journalOf(lists, header as HeaderRecord, end, file);
      const broken = firstBroken(journal);
      if (broken) {
        refuse(
          `line ${broken.line}, ${broken.record}: this does not hold: ${broken.identity}. The journal was edited or ` +
            'damaged. Record it again; if it was never touched, report it with the journal.',
        );
      }
      return journal;
    },
  };
}

type Lists = { [T in JournalRecord['type']]: Lined<T>[] };

const emptyLists = (): Lists => ({
  header: [],
  clock: [],
  load: [],
  step: [],
  watch: [],
  'watch-gap': [],
  frame: [],
  'frame-gap': [],
  'stream-end': [],
  'cross-check': [],
  access: [],
  queue: [],
  milestone: [],
  witness: [],
  note: [],
  end: [],
});

const journalOf = (lists: Lists, header: HeaderRecord, end: Lined<'end'>, file: string): Journal => ({
  file,
  header,
  clocks: lists.clock,
  loads: lists.load,
  steps: lists.step,
  watches: lists.watch,
  watchGaps: lists['watch-gap'],
  frames: lists.frame,
  frameGaps: lists['frame-gap'],
  streamEnds: lists['stream-end'],
  crossChecks: lists['cross-check'],
  access: lists.access,
  queue: lists.queue,
  milestones: lists.milestone,
  witness: lists.witness,
  notes: lists.note,
  end,
});

/**
 * A journal of records that nobody wrote to a file, as they are: the k-th stands on line k unless it says its own.
 * Without an `end` it counts as cut off.
 */
export function uncheckedJournal(
  records: readonly (JournalRecord & { line?: number })[],
  file = 'journal',
): Journal {
  const lists = emptyLists();
  for (const [index, record] of records.entries()) {
    (lists[record.type] as JournalRecord[]).push(
      Object.assign({}, record, { line: record.line ?? index + 1 }),
    );
  }
  const [header] = lists.header;
  if (!header)
    throw new Error('A journal without a header cannot be shown: its first line must be the header.');
  const line = records.length;
  const none = { type: 'end', t: 0, status: 'faulted', truncated: true, records: line, line } as const;
  return journalOf(lists, header, lists.end.at(-1) ?? none, file);
}

const isHeader = (value: unknown): boolean => isObject(value) && value.type === 'header';
const unknownStream = (line: number, field: string, id: string) =>
  `line ${line}, field ${field}: stream "${id}" is not in the header's plan: records of two runs were mixed.`;

function readHeader(value: unknown, file: string): HeaderRecord {
  if (!isObject(value) || value.type !== 'header') {
    throw new UsageError(`${file}: line 1 is not a journal header: this is not a journal of rollproof.`);
  }
  if (value.schemaVersion !== journalSchemaVersion) {
    throw new UsageError(
      `${file}: line 1, field schemaVersion: ${JSON.stringify(value.schemaVersion) ?? 'missing'}, but this version ` +
        `reads ${journalSchemaVersion}. Use the rollproof that wrote it${writtenBy(value)}.`,
    );
  }
  return readRecord(value, file, 1) as HeaderRecord;
}

function writtenBy(header: Record<string, unknown>): string {
  const version = isObject(header.tool) ? header.tool.version : undefined;
  return typeof version === 'string' ? ` (${version})` : '';
}

function readRecord(value: unknown, file: string, line: number): JournalRecord {
  if (isObject(value) && value.type === 'frame' && isSoundFrame(value))
    return value as unknown as JournalRecord;
  const parsed = journalRecordSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0] as z.core.$ZodIssue;
  const field = issue.path.map(String).join('.') || 'type';
  throw new UsageError(
    `${file}: line ${line}, field ${field}: ${lowerFirst(issue.message)}: the journal is damaged. Record it again.`,
  );
}

const lowerFirst = (text: string) => text.slice(0, 1).toLowerCase() + text.slice(1);

function checkFrame(
  record: RecordOf<'frame'>,
  file: string,
  line: number,
  streamIds: ReadonlySet<string>,
  lastSeq: Map<string, number>,
): void {
  for (const id in record.frame.streams) {
    if (!streamIds.has(id)) throw new UsageError(`${file}: ${unknownStream(line, 'frame.streams', id)}`);
  }
  const last = lastSeq.get(record.agent) ?? 0;
  if (record.frame.seq <= last) {
    throw new UsageError(
      `${file}: line ${line}, field frame.seq: frame ${record.frame.seq} of agent "${record.agent}" comes after frame ` +
        `${last}: records of two runs were mixed.`,
    );
  }
  lastSeq.set(record.agent, record.frame.seq);
}

const outcomeNames: ReadonlySet<string> = new Set(outcomes);
const failurePhases: ReadonlySet<string> = new Set(phases);
const targetPhases: ReadonlySet<string> = new Set([
  'starting',
  'listening',
  'unready',
  'sigterm',
  'closed',
  'gone',
]);
const knownBy: ReadonlySet<unknown> = new Set([undefined, 'answer', 'previous-answer', 'route']);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isMs = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= timeLimitMs;
const isPort = (value: unknown): boolean => isCount(value) && value >= 1 && value <= 65_535;
const isText = (value: unknown): value is string => typeof value === 'string';

/**
 * The same check as frameSchema, by hand, because frames are nearly all of a long journal: fills in the defaults and
 * says whether the record is sound. What it refuses goes through the schema, which words the error. Kept equal to the
 * schema by a test that damages every field.
 */
export function isSoundFrame(record: Record<string, unknown>): boolean {
  const { t, agent, frame } = record;
  if (!isMs(t) || !isText(agent) || !isObject(frame)) return false;
  if (!isCount(frame.seq) || frame.seq === 0 || !isMs(frame.atMs) || !isObject(frame.streams)) return false;
  for (const id in frame.streams) if (!isSoundDelta(frame.streams[id])) return false;
  if (frame.phases === undefined) frame.phases = [];
  return isListOf(frame.phases, isSoundPhase) && (frame.health === undefined || isSoundHealth(frame.health));
}

function isSoundDelta(delta: unknown): boolean {
  if (!isObject(delta)) return false;
  if (delta.buckets === undefined) delta.buckets = [];
  if (delta.failures === undefined) delta.failures = [];
  if (delta.intervals === undefined) delta.intervals = [];
  return (
    isListOf(delta.buckets, isSoundBucket) &&
    isListOf(delta.failures, isSoundFailure) &&
    isListOf(delta.intervals, isSoundInterval) &&
    (delta.lives === undefined || isListOf(delta.lives, isSoundLife))
  );
}

const lifeEnds: ReadonlySet<string> = new Set(streamEnds);

function isSoundLife(life: unknown): boolean {
  return (
    isObject(life) &&
    isCount(life.stream) &&
    isMs(life.openedMs) &&
    isMs(life.endedMs) &&
    lifeEnds.has(life.end as string) &&
    isText(life.code) &&
    (life.pod === undefined || isText(life.pod)) &&
    isCount(life.messages) &&
    (life.backMs === null || isMs(life.backMs))
  );
}

function isListOf(list: unknown, sound: (item: unknown) => boolean): boolean {
  if (!Array.isArray(list)) return false;
  for (const item of list) if (!sound(item)) return false;
  return true;
}

function isSoundBucket(bucket: unknown): boolean {
  if (!isObject(bucket)) return false;
  if (bucket.sent === undefined) bucket.sent = 0;
  if (bucket.shed === undefined) bucket.shed = 0;
  if (bucket.maxMs === undefined) bucket.maxMs = 0;
  if (bucket.outcomes === undefined) bucket.outcomes = {};
  if (!isCount(bucket.i) || bucket.i > timeLimitMs / BUCKET_MS) return false;
  if (!isCount(bucket.sent) || !isCount(bucket.shed) || !isMs(bucket.maxMs)) return false;
  if (!isObject(bucket.outcomes)) return false;
  for (const name in bucket.outcomes) {
    if (!outcomeNames.has(name) || !isCount(bucket.outcomes[name])) return false;
  }
  if (bucket.pods === undefined) return true;
  if (!isObject(bucket.pods)) return false;
  for (const pod in bucket.pods) if (!isCount(bucket.pods[pod])) return false;
  return true;
}

const failureTimes = ['dueMs', 'startMs', 'endMs'] as const;
const failureCounts = ['bytes', 'connection', 'nth'] as const;

function isSoundFailure(failure: unknown): boolean {
  if (!isObject(failure)) return false;
  for (const name of failureTimes) if (!isMs(failure[name])) return false;
  for (const name of failureCounts) if (!isCount(failure[name])) return false;
  return (
    outcomeNames.has(failure.outcome as string) &&
    failurePhases.has(failure.phase as string) &&
    isText(failure.code) &&
    typeof failure.reused === 'boolean' &&
    typeof failure.race === 'boolean' &&
    (failure.status === undefined || isCount(failure.status)) &&
    (failure.localPort === undefined || isPort(failure.localPort)) &&
    (failure.openedMs === undefined || isMs(failure.openedMs)) &&
    (failure.pod === undefined || isText(failure.pod)) &&
    knownBy.has(failure.podKnownBy)
  );
}

function isSoundInterval(interval: unknown): boolean {
  return (
    isObject(interval) &&
    isMs(interval.startMs) &&
    (interval.endMs === null || isMs(interval.endMs)) &&
    isCount(interval.lost) &&
    interval.lost > 0
  );
}

function isSoundPhase(phase: unknown): boolean {
  return (
    isObject(phase) &&
    isNumber(phase.tMs) &&
    Math.abs(phase.tMs) <= timeLimitMs &&
    isText(phase.pod) &&
    targetPhases.has(phase.phase as string) &&
    (phase.version === undefined || isText(phase.version))
  );
}

const healthTimes = ['sendLagP99Ms', 'sendLagMaxMs'] as const;
const healthNumbers = ['eventLoopP99Ms', 'cpuShare', 'rssBytes'] as const;

function isSoundHealth(health: unknown): boolean {
  return (
    isObject(health) &&
    healthTimes.every((name) => isMs(health[name])) &&
    healthNumbers.every((name) => isNumber(health[name]) && (health[name] as number) >= 0)
  );
}
