// A journal's facts, all on the load's clock: what judge and reports both start from. Worked out once per journal, and
// only as far as somebody asks.
import type { Facts } from '../model/facts.ts';
import type { HeaderRecord, RecordOf } from '../model/journal.ts';
import type { StreamDelta, TargetPhase } from '../model/load.ts';
import type { QueueCounters } from '../model/queue.ts';
import type { Step } from '../model/scenario.ts';
import { alignClocks, type Clocks } from './clocks.ts';
import { type Routing, routing } from './endpoints.ts';
import type { Journal, Lined } from './journal.ts';
import { type Moment, type PodLife, podLives } from './pods.ts';
import { type Stream, sumStreams } from './streams.ts';
import { type Witness, witnessOf } from './witness.ts';

export interface JournalFacts {
  /** The records themselves, for who judges the recording and not what it shows. */
  readonly journal: Journal;
  readonly header: HeaderRecord;
  readonly end: Lined<'end'>;
  readonly clocks: Clocks;
  readonly streams: readonly Stream[];
  readonly pods: ReadonlyMap<string, PodLife>;
  readonly routing: Routing;
  readonly witness: Witness;
  /** The entries' own pods, as far as they are known. */
  readonly entryPods: ReadonlyMap<string, PodLife>;
  readonly steps: readonly StepFact[];
  readonly milestones: readonly (Moment & { readonly name: RecordOf<'milestone'>['name'] })[];
  /** What watches saw, in order. */
  readonly changes: readonly ObjectChange[];
  readonly load: readonly LoadPart[];
  /** What processes said of themselves, in order of frames. */
  readonly phases: readonly (Moment & { readonly pod: string; readonly phase: TargetPhase['phase'] })[];
  /** Of the middle between question and answer. */
  readonly queue: readonly { readonly atMs: number; readonly counters: QueueCounters }[];
  /** Warnings and faults, and what is missing in the recording. */
  readonly notes: readonly (Moment & { readonly level: 'warning' | 'fault'; readonly text: string })[];
  /** The last frame's time: until then load ran, or may have. */
  readonly lastFrameMs: number;
  /** The record of a line as it was written. */
  textOf(line: number): string | undefined;
}

export interface StepFact extends Moment {
  readonly index: number;
  readonly step: Step;
  /** Begin and end; undefined: it never ended. */
  readonly endMs: number | undefined;
  readonly failed: boolean;
}

export interface ObjectChange extends Moment {
  readonly event: RecordOf<'watch'>['event'];
  readonly name: string;
  readonly facts: Facts;
}

/** What one frame carries of one stream, in the agent's own times: add `shiftMs`. */
export interface LoadPart {
  readonly line: number;
  readonly stream: string;
  readonly shiftMs: number;
  readonly delta: StreamDelta;
}

const known = new WeakMap<Journal, JournalFacts>();

export function factsOf(journal: Journal): JournalFacts {
  const found = known.get(journal) ?? new FactsOfJournal(journal);
  known.set(journal, found);
  return found;
}

class FactsOfJournal implements JournalFacts {
  readonly journal: Journal;
  readonly clocks: Clocks;
  readonly #once = new Map<string, unknown>();

  constructor(journal: Journal) {
    this.journal = journal;
    this.clocks = alignClocks(journal);
  }

  get header() {
    return this.journal.header;
  }
  get end() {
    return this.journal.end;
  }
  get streams() {
    return this.#keep('streams', () => sumStreams(this.journal, this.clocks, this.witness));
  }
  get pods() {
    return this.#keep('pods', () => podLives(this.journal, this.clocks));
  }
  get routing() {
    return this.#keep('routing', () => routing(this.journal, this.clocks));
  }
  get witness() {
    return this.#keep('witness', () => witnessOf(this.journal, this.clocks));
  }
  get entryPods() {
    return this.#keep('entryPods', () => podLives(this.journal, this.clocks, 'entry'));
  }
  get steps() {
    return this.#keep('steps', () => stepFacts(this.journal, this.clocks));
  }
  get milestones() {
    return this.journal.milestones.map(({ t, line, name }) => ({ ...this.#at(t, line), name }));
  }
  get changes() {
    return this.journal.watches.map(({ t, line, event, name, facts }) => ({
      ...this.#at(t, line),
      event,
      name,
      facts,
    }));
  }
  get load() {
    return this.journal.frames.flatMap(({ agent, frame, line }) => {
      const shiftMs = this.clocks.fromAgent(agent, 0);
      return Object.entries(frame.streams).map(([stream, delta]) => ({ line, stream, shiftMs, delta }));
    });
  }
  get phases() {
    return this.journal.frames.flatMap(({ agent, frame, line }) =>
      frame.phases.map(({ pod, phase, tMs }) => ({
        atMs: this.clocks.fromAgent(agent, tMs),
        line,
        pod,
        phase,
      })),
    );
  }
  get queue() {
    return this.journal.queue.map(({ t, tookMs, counters }) => ({
      atMs: this.clocks.fromHarness(t - tookMs / 2),
      counters,
    }));
  }
  get notes() {
    return this.#keep('notes', () => noteFacts(this.journal, this.clocks));
  }
  get lastFrameMs() {
    return this.journal.frames.reduce(
      (last, { agent, frame }) => Math.max(last, this.clocks.fromAgent(agent, frame.atMs)),
      0,
    );
  }

  textOf(line: number): string | undefined {
    const lines = this.#keep('lines', () => recordsByLine(this.journal));
    const record = lines.get(line);
    if (!record) return undefined;
    const { line: _, ...written } = record;
    return JSON.stringify(written);
  }

  #at(t: number, line: number): Moment {
    return { atMs: this.clocks.fromHarness(t), line };
  }

  #keep<T>(name: string, make: () => T): T {
    if (!this.#once.has(name)) this.#once.set(name, make());
    return this.#once.get(name) as T;
  }
}

function stepFacts({ steps }: Journal, clocks: Clocks): StepFact[] {
  const facts = new Map<number, StepFact>();
  for (const { index, event, step, t, line } of steps) {
    const atMs = clocks.fromHarness(t);
    const failed = event === 'failed';
    const begun = facts.get(index);
    facts.set(
      index,
      begun && event !== 'begin'
        ? { ...begun, endMs: atMs, failed }
        : { index, step, atMs, line, endMs: undefined, failed },
    );
  }
  return [...facts.values()];
}

function noteFacts({ notes, watchGaps, frameGaps }: Journal, clocks: Clocks): JournalFacts['notes'] {
  const all = [
    ...notes.flatMap(({ t, line, level, text }) => (level === 'info' ? [] : [{ t, line, level, text }])),
    ...watchGaps
      .filter((gap) => gap.lost)
      .map(({ t, fromT, line, kind, reason }) => ({
        t,
        line,
        level: 'warning' as const,
        text: `The watch on ${kind} lost events for ${Math.round(t - fromT)} ms: ${reason}`,
      })),
    ...frameGaps.map(({ t, line, agent, fromSeq, toSeq }) => ({
      t,
      line,
      level: 'fault' as const,
      text: `Frames ${fromSeq} to ${toSeq} of agent ${agent} are missing.`,
    })),
  ];
  return all
    .sort((a, b) => a.line - b.line)
    .map(({ t, ...note }) => ({ ...note, atMs: clocks.fromHarness(t) }));
}

function recordsByLine(journal: Journal): ReadonlyMap<number, { readonly line: number }> {
  const { header, end, clocks, loads, steps, watches, watchGaps, frames, frameGaps } = journal;
  const { streamEnds, crossChecks, access, queue, milestones, witness, notes } = journal;
  const lists = [
    clocks,
    loads,
    steps,
    watches,
    watchGaps,
    frames,
    frameGaps,
    streamEnds,
    crossChecks,
    access,
    queue,
    milestones,
    witness,
    notes,
  ];
  const records: readonly { readonly line: number }[] = [{ ...header, line: 1 }, end, ...lists.flat()];
  return new Map(records.map((record) => [record.line, record]));
}
