// Connection tracking of a node into the journal: its events, reduced to one entry per connection (whom it was sent to,
// how it was answered) and put on the harness's clock.
import { isMark, markOf } from '../model/conntrack-mark.ts';
import { type KernelAnswer, kernelAnswers, type RecordOf } from '../model/journal.ts';
import { conntrackEvent, REFUSED_WITHIN_MS } from './conntrack-event.ts';
import type { JournalWriter } from './journal-writer.ts';

export interface WitnessReader {
  readonly node: string;
  /** A line of the node. */
  line(text: string): void;
  /** Asks the node's clock now and then; `ask` reaches the node. */
  ask(ask: (question: string) => void): void;
  /** The node's clock is known, without which no event is worth anything. */
  readonly hasClock: boolean;
  /** Until then everything has been read, ms of the journal; undefined: no mark was seen (model/conntrack-mark.ts). */
  readonly readUntilMs: number | undefined;
  /** Nothing more is written. */
  readonly isOver: boolean;
  /** Writes what is known, and until when it was read. */
  flush(): void;
  /** Nothing comes for a while: until it does, nothing is said of that time. */
  paused(): void;
  /** `whole`: all that was due in between came, too. */
  resumed(whole: boolean): void;
  /** What was read of the node cannot be whole any more. */
  broken(why: string): void;
  /** Nothing is read any more. */
  ended(): void;
}

interface Connection {
  readonly port: number;
  readonly from: string;
  readonly to: string;
  readonly pod: string;
  readonly beganT: number;
  answer: number;
  answeredT: number;
  dirty: boolean;
}

const clockLine = /^clock (\S+) (\d+\.\d+)$/;

/** What was never answered is forgotten after that. */
const FORGET_MS = 130_000;
/** Entries whose answer is still to come; beyond it the oldest are given up. */
const MOST_OPEN = 200_000;
/** Events that came before the node's clock was known; beyond it they are not known. */
const MOST_EARLY = 20_000;
const indexOf = (answer: KernelAnswer): number => kernelAnswers.indexOf(answer);
const NONE = indexOf('none');

/** `agents`: where the agents' connections come from; those of others are left out. Undefined: it is not known. */
export function witnessReader(
  node: string,
  journal: JournalWriter,
  agents?: ReadonlySet<string>,
): WitnessReader {
  const open = new Map<string, Connection>();
  let dirty: Connection[] = [];
  let lost = false;
  /** Since when events have been lost, which lasts until a later mark is read: the kernel says only that it has begun. */
  let losingSinceT: number | undefined;
  const said = new Set<string>();
  let gone = false;
  let pausedAtT: number | undefined;
  let questions = 0;
  const asked = new Map<string, number>();
  /** How far the node's clock was set since the last record, ms. */
  let stepErrorMs = 0;
  /** Node time − harness time, ms; the best that is not old. */
  let clock: { readonly offsetMs: number; readonly errorMs: number; readonly atT: number } | undefined;

  /** The first of each kind. */
  const note = (kind: 'pause' | 'rest' | 'clock', text: string) => {
    if (!said.has(kind)) journal.write({ type: 'note', level: 'warning', text });
    said.add(kind);
  };
  const mark = (connection: Connection) => {
    if (!connection.dirty) dirty.push(connection);
    connection.dirty = true;
  };
  const answered = (id: string, answer: number, t: number) => {
    const connection = open.get(id);
    if (!connection) return;
    open.delete(id);
    connection.answer = answer;
    connection.answeredT = t;
    mark(connection);
  };

  const early: string[] = [];
  /** Marks that were made, and whose connection is still to come: when, in journal time, by their address. */
  const marks = new Map<string, number>();
  let readUntilMs: number | undefined;
  const families = new Set([...(agents ?? [])].map(familyOf));
  const isOthers = (from: string) =>
    agents !== undefined && families.has(familyOf(from)) && !agents.has(from);
  const markRead = (madeT: number) => {
    readUntilMs = Math.max(readUntilMs ?? 0, madeT);
    if (losingSinceT !== undefined && madeT >= losingSinceT) losingSinceT = undefined;
  };

  return {
    node,
    get readUntilMs() {
      return readUntilMs;
    },
    get isOver() {
      return gone;
    },
    get hasClock() {
      return clock !== undefined;
    },
    line(text) {
      const told = clockLine.exec(text);
      if (told) {
        const sentT = asked.get(told[1] ?? '');
        asked.delete(told[1] ?? '');
        if (sentT === undefined) return;
        const now = journal.nowMs();
        const errorMs = (now - sentT) / 2;
        // An old answer may have drifted: 50 ppm are 3 ms in a minute.
        const aged = clock ? clock.errorMs + (now - clock.atT) * 5e-5 : Number.POSITIVE_INFINITY;
        const offsetMs = Number(told[2]) * 1000 - (sentT + now) / 2;
        const stepMs = clock ? Math.abs(offsetMs - clock.offsetMs) - errorMs - aged : 0;
        if (stepMs > 0) {
          // Times since the last answer are wrong by as much.
          stepErrorMs = Math.max(stepErrorMs, stepMs);
          note(
            'clock',
            `The clock of node ${node} was set by ${Math.round(stepMs)} ms or more: times of its connection tracking are known no better since then.`,
          );
        }
        if (errorMs <= aged || stepMs > 0) clock = { offsetMs, errorMs, atT: now };
        for (const one of early.splice(0)) this.line(one);
        return;
      }
      const event = conntrackEvent(text);
      const made = markOf(text);
      if (!event && !made) {
        if (/WARNING|conntrack v|^conntrack/.test(text)) {
          lost = true;
          losingSinceT = journal.nowMs();
          note(
            'rest',
            `Connection tracking on node ${node}: ${text.trim().slice(0, 200)}: some connections are not known.`,
          );
        }
        return;
      }
      if (!clock) {
        if (early.length < MOST_EARLY) early.push(text);
        else lost = true;
        return;
      }
      if (made) marks.set(made.address, made.atMs - clock.offsetMs);
      if (!event) return;
      const { id, kind, from, to, pod } = event;
      const madeT = marks.get(to);
      if (madeT !== undefined) {
        marks.delete(to);
        markRead(madeT);
      }
      if (isMark(to) || isOthers(from)) return;
      const t = Math.min(journal.nowMs(), event.atMs - clock.offsetMs);
      if (kind === 'new') {
        const connection: Connection = {
          port: event.port,
          from,
          to,
          pod,
          beganT: Math.max(0, t),
          answer: NONE,
          answeredT: 0,
          dirty: false,
        };
        open.set(id, connection);
        mark(connection);
        if (open.size > MOST_OPEN) open.delete(open.keys().next().value as string);
      } else if (kind === 'accepted') answered(id, indexOf('accepted'), t);
      else {
        const connection = open.get(id);
        if (connection && t - connection.beganT < REFUSED_WITHIN_MS) answered(id, indexOf('refused'), t);
        else open.delete(id);
      }
    },
    ask(ask) {
      const question = String(++questions);
      asked.set(question, journal.nowMs());
      ask(question);
    },
    flush() {
      // A record would say that it was read until then.
      if (!clock || gone || pausedAtT !== undefined) return;
      const now = journal.nowMs();
      for (const [id, { beganT }] of open) {
        if (now - beganT < FORGET_MS) break;
        open.delete(id);
      }
      journal.write(recordOf(node, dirty, clock.errorMs + stepErrorMs, now, lost, readUntilMs));
      for (const connection of dirty) connection.dirty = false;
      dirty = [];
      stepErrorMs = 0;
      // Without marks nothing tells when it is over.
      lost = losingSinceT !== undefined && readUntilMs !== undefined;
    },
    paused() {
      pausedAtT ??= journal.nowMs();
    },
    resumed(whole) {
      if (!whole && pausedAtT !== undefined) {
        lost = true;
        const span = `${(pausedAtT / 1000).toFixed(1)} to ${(journal.nowMs() / 1000).toFixed(1)} s`;
        note(
          'pause',
          `Connection tracking on node ${node} was not read from ${span}: of that time it is not known which pods were asked.`,
        );
      }
      pausedAtT = undefined;
    },
    ended() {
      if (pausedAtT === undefined) this.flush();
      else this.broken('could not be read to the end');
    },
    broken(why) {
      lost = true;
      pausedAtT = undefined;
      this.flush();
      gone = true;
      note(
        'rest',
        `Connection tracking on node ${node} ${why}: from then on it is not known which pods were asked.`,
      );
    },
  };
}

const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);

const tenths = (ms: number): number => Math.round(ms * 10) / 10;

function recordOf(
  node: string,
  connections: readonly Connection[],
  errorMs: number,
  now: number,
  lost: boolean,
  readUntilMs: number | undefined,
): Omit<RecordOf<'witness'>, 't'> & { t: number } {
  const sinceT = Math.max(0, Math.min(now, ...connections.map(({ beganT }) => beganT)));
  const names = () => {
    const known = new Map<string, number>();
    return {
      known,
      of: (name: string) => {
        const index = known.get(name) ?? known.size;
        known.set(name, index);
        return index;
      },
    };
  };
  const [from, to, pods] = [names(), names(), names()];
  return {
    type: 'witness',
    t: now,
    node,
    by: 'events',
    lost,
    errorMs: tenths(errorMs + 0.05),
    ...(readUntilMs !== undefined && {
      untilT: Math.max(0, Math.min(now, Math.floor(readUntilMs * 10) / 10)),
    }),
    sinceT,
    connections: connections.map(({ port, from: source, to: address, pod, beganT, answer, answeredT }) => [
      port,
      from.of(source),
      to.of(address),
      pods.of(pod),
      Math.max(0, Math.floor((beganT - sinceT) * 10) / 10),
      answer,
      answer === NONE ? 0 : Math.max(0, tenths(answeredT - beganT)),
    ]),
    from: [...from.known.keys()],
    to: [...to.known.keys()],
    pods: [...pods.known.keys()],
  };
}
