// Cuts what is recorded of a load that goes on into episodes: one journal per change behind one Service, from a few seconds
// before its first sign until all has settled and stayed quiet. Between episodes nothing is kept but the last seconds and the
// present state, so that a watch may last a day. A journal's writer like any other: firing and recording know nothing of it.
import type { Facts, FactsKind } from '../../model/facts.ts';
import type { HeaderRecord, JournalRecord, RecordOf } from '../../model/journal.ts';
import {
  type AgentHealth,
  BUCKET_MS,
  type Failure,
  type Frame,
  type Lane,
  type OutcomeCounts,
  type StreamEnd,
} from '../../model/load.ts';
import { addOutcomes } from '../../model/merge-load.ts';
import type { JournalWriter } from '../../record/journal-writer.ts';
import { isBehind, type Objects, unsettled } from './settled.ts';
import { lagOf, lostOf, StreamWindow } from './stream-window.ts';
import { signOf } from './trigger.ts';
import { AskedBefore, cutWitness, type Older, olderRecords } from './witness-window.ts';

/** A stream of the load, and what it is called in the journals of its Service. */
export interface CutStream {
  readonly id: string;
  readonly as: string;
  readonly lane: Lane;
  /** host:port, as the load asks for it. */
  readonly address: string;
}

export interface CutService {
  readonly name: string;
  readonly streams: readonly CutStream[];
}

export interface EpisodeBegin {
  readonly service: string;
  readonly number: number;
  readonly fromLoadMs: number;
  readonly trigger: string;
  /** Of the journal's begin, ISO 8601. */
  readonly startedAt: string;
}

export interface EndedEpisode extends EpisodeBegin {
  readonly lost: number;
  /** What kept it from settling, when it ended without. Empty: it settled. */
  readonly unsettled: readonly string[];
}

interface EpisodeOptions {
  readonly services: readonly CutService[];
  /** Of the control target: it is in every journal. */
  readonly control: CutStream;
  /** Longest time limit of a request, ms. */
  readonly timeoutMs: number;
  /** How long one may last, ms. */
  readonly limitMs: number;
  /** The present state must stand for so long, and nothing be lost, ms. */
  readonly tailMs: number;
  headerOf(begin: EpisodeBegin): HeaderRecord;
  /** Opens the journal; `clock` is its clock, ms. */
  open(begin: EpisodeBegin, clock: () => number): JournalWriter;
  ended?(episode: EndedEpisode): void;
  /** Monotonic, ms. */
  readonly clock?: () => number;
  /** Of the day, ms since 1970. */
  readonly wallClock?: () => number;
}

/** What came before the first sign belongs to it: an attempt that hangs is known to be lost only at its limit. */
const LEAD_MS = 3000;
/** Both ends of an episode lie on whole seconds of the agents' clock: a whole number of arrivals at any whole rate. */
const GRID_MS = 1000;
/** A journal begins a moment before its load does. */
const PAD_MS = 20;

type Kept = Extract<JournalRecord, { type: 'watch' | 'frame' | 'watch-gap' | 'note' | 'witness' }>;
type Clock = Pick<RecordOf<'clock'>, 'agent' | 'offsetMs' | 'errorMs'>;

export class Episodes implements JournalWriter {
  readonly truncated = false;
  readonly ended: EndedEpisode[] = [];
  /** What the agents say of the whole load, by stream. */
  readonly totals = new Map<string, StreamEnd>();
  readonly #options: EpisodeOptions;
  readonly #clock: () => number;
  readonly #startedAt: number;
  readonly #startedWall: number;
  readonly #keepMs: number;
  /** The present state; and the one when the oldest kept record came. */
  readonly #now = new Map<string, Facts & Meta>();
  readonly #base = new Map<string, Facts & Meta>();
  readonly #kept: Kept[] = [];
  readonly #open = new Map<string, Episode>();
  readonly #endedAtMs = new Map<string, number>();
  readonly #endings: Promise<void>[] = [];
  readonly #counts = new Map<string, OutcomeCounts>();
  #agentClock: Clock | undefined;
  /** Undefined: connection tracking is not read. */
  #asked: AskedBefore | undefined;
  #firing = false;
  #count = 0;

  constructor(options: EpisodeOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#startedAt = this.#clock();
    this.#startedWall = (options.wallClock ?? Date.now)();
    this.#keepMs = options.timeoutMs + LEAD_MS + 2 * GRID_MS;
  }

  nowMs(): number {
    return Math.round((this.#clock() - this.#startedAt) * 1000) / 1000;
  }

  /** Services in which something is changing, with what has not settled. */
  get going(): ReadonlyMap<string, readonly string[]> {
    return new Map([...this.#open.keys()].map((service) => [service, unsettled(this.#now, service)]));
  }

  /** Of the Services' objects, as last seen. */
  get objects(): Objects {
    return this.#now;
  }

  /** Of all lanes of a Service so far, by outcome. */
  countsOf(service: string): OutcomeCounts {
    return this.#counts.get(service) ?? {};
  }

  /** What the agent says of the whole load, by lane; what frames told, where it could not say it. */
  totalsOf(service: string): Record<string, { attempts: number; lost: number }> {
    const streams = this.#options.services.find(({ name }) => name === service)?.streams ?? [];
    return Object.fromEntries(
      streams.flatMap(({ id, as }) => {
        const end = this.totals.get(id);
        return end ? [[as, { attempts: end.attempts, lost: lostOf(end.outcomes) }]] : [];
      }),
    );
  }

  write(given: Parameters<JournalWriter['write']>[0]): void {
    if (given.type === 'header') return;
    const record = { ...given, t: given.t ?? this.nowMs() } as Exclude<JournalRecord, HeaderRecord>;
    switch (record.type) {
      case 'clock':
        this.#agentClock = record;
        for (const episode of this.#open.values()) episode.clock(record, record.t);
        break;
      case 'watch':
        this.#watched(record);
        break;
      case 'frame':
        this.#fired(record);
        break;
      case 'stream-end':
        this.totals.set(record.end.stream, record.end);
        break;
      case 'witness':
        this.#asked ??= new AskedBefore();
        this.#asked.take(record);
        this.#record(record);
        break;
      case 'note':
      case 'watch-gap':
        this.#record(record);
        break;
      default:
        break;
    }
  }

  #record(record: Exclude<Kept, { type: 'watch' | 'frame' }>): void {
    this.#keep(record);
    for (const episode of this.#open.values()) episode.record(record);
  }

  /** What has not settled ends as it is. */
  async end(end: Parameters<JournalWriter['end']>[0]): Promise<void> {
    for (const episode of [...this.#open.values()]) this.#finish(episode, end);
    await Promise.all(this.#endings);
  }

  #watched(record: RecordOf<'watch'>): void {
    const key = `${record.facts.kind}/${record.name}`;
    const before = this.#now.get(key);
    apply(this.#now, record);
    this.#keep(record);
    for (const { name } of this.#options.services) {
      const sign = signOf(record, before, name);
      const episode = this.#open.get(name);
      if (episode) {
        if (concerns(record, name, this.#now)) episode.record(record);
        if (sign !== undefined && !episode.touch(record.t)) episode.next ??= sign;
      } else if (sign !== undefined && this.#firing) this.#begin(name, sign, record.t);
    }
  }

  #fired(record: RecordOf<'frame'>): void {
    this.#keep(record);
    const first = !this.#firing;
    this.#firing = true;
    for (const { name, streams } of this.#options.services) {
      for (const { id } of streams)
        for (const { outcomes } of record.frame.streams[id]?.buckets ?? [])
          this.#counts.set(name, addOutcomes(this.#counts.get(name) ?? {}, outcomes));
      const episode = this.#open.get(name);
      const lost = lastLoss(record.frame, streams);
      if (episode) {
        if (lost !== undefined && !episode.lostAt(record.t, lost)) episode.next ??= aLoss;
        episode.frame(record, this.#asked);
        this.#look(episode, record);
      } else if (lost !== undefined) this.#begin(name, aLoss, record.t);
      else if (first) {
        const [reason] = unsettled(this.#now, name);
        if (reason) this.#begin(name, `a change was under way when the watch began: ${reason}`, record.t);
      }
    }
  }

  /** Has it settled, and stayed so? */
  #look(episode: Episode, { t, frame }: RecordOf<'frame'>): void {
    const { tailMs, limitMs, timeoutMs } = this.#options;
    if (episode.closesAtMs !== undefined) {
      const over = frame.atMs >= episode.closesAtMs;
      if (over && (episode.inFlight === 0 || frame.atMs >= episode.closesAtMs + timeoutMs + 2 * GRID_MS))
        this.#finish(episode, { status: 'complete' });
      return;
    }
    const reasons = unsettled(this.#now, episode.service);
    const settled = episode.settles(reasons.length === 0, t, tailMs);
    if (!settled && t - episode.openedT < limitMs) return;
    if (!settled && reasons.length > 0) episode.overdue = reasons;
    episode.close(Math.ceil(frame.atMs / GRID_MS) * GRID_MS);
  }

  #begin(service: string, trigger: string, t: number): void {
    const clock = this.#agentClock;
    if (!clock) return;
    const since = t - clock.offsetMs - this.#options.timeoutMs - LEAD_MS;
    const fromLoadMs = Math.max(this.#endedAtMs.get(service) ?? 0, 0, Math.floor(since / GRID_MS) * GRID_MS);
    const fromT = Math.max(0, fromLoadMs + clock.offsetMs - PAD_MS);
    const begin: EpisodeBegin = {
      service,
      number: ++this.#count,
      fromLoadMs,
      trigger,
      startedAt: new Date(this.#startedWall + fromT).toISOString(),
    };
    const streams = this.#options.services.find(({ name }) => name === service)?.streams ?? [];
    const episode = new Episode(begin, fromT, t, [...streams, this.#options.control], this.#options);
    this.#open.set(service, episode);
    this.#replay(episode, clock, trigger, t);
  }

  /** The state when it began, then what has come since. */
  #replay(episode: Episode, clock: Clock, trigger: string, t: number): void {
    const state = new Map(this.#base);
    const since = this.#kept.filter((record) => record.t >= episode.fromT);
    for (const record of this.#kept)
      if (record.t < episode.fromT && record.type === 'watch') apply(state, record);
    for (const [key, facts] of state) episode.existing(key, facts, this.#now);
    episode.clock(clock, episode.fromT + PAD_MS);
    for (const record of since) {
      if (record.t >= t) episode.mark('change-began', t);
      if (record.type === 'frame') {
        episode.frame(record, this.#asked);
        const lost = lastLoss(record.frame, episode.streams.slice(0, -1));
        if (lost !== undefined && lost >= episode.begin.fromLoadMs) episode.lostAt(record.t, lost);
      } else if (record.type !== 'watch' || concerns(record, episode.service, this.#now))
        episode.record(record);
    }
    episode.mark('change-began', t);
    if (trigger !== aLoss) episode.touch(t);
  }

  #finish(episode: Episode, end: Parameters<JournalWriter['end']>[0]): void {
    const { service, next } = episode;
    if (episode.closesAtMs !== undefined && episode.overdue === undefined) episode.settled();
    this.#open.delete(service);
    this.#endedAtMs.set(service, episode.closesAtMs ?? Number.MAX_SAFE_INTEGER);
    const left = episode.closesAtMs === undefined ? unsettled(this.#now, service) : (episode.overdue ?? []);
    this.#endings.push(episode.finish(end, left));
    const ended = { ...episode.begin, lost: episode.lost, unsettled: left };
    this.ended.push(ended);
    this.#options.ended?.(ended);
    if (next !== undefined) this.#begin(service, next, this.#kept.at(-1)?.t ?? this.nowMs());
  }

  /** Bounded in time: what leaves is part of the state that an episode begins with. */
  #keep(record: Kept): void {
    this.#kept.push(record);
    const before = record.t - this.#keepMs;
    let gone = 0;
    for (const old of this.#kept) {
      if (old.t >= before) break;
      if (old.type === 'watch') apply(this.#base, old);
      gone++;
    }
    if (gone > 0) this.#kept.splice(0, gone);
  }
}

/** What of an object is not in its facts. */
interface Meta {
  readonly meta?: Pick<RecordOf<'watch'>, 'namespace' | 'uid' | 'resourceVersion'>;
}

/** Events are moments and no state. */
function apply(objects: Map<string, Facts & Meta>, record: RecordOf<'watch'>): void {
  const { facts, name, event, namespace, uid, resourceVersion } = record;
  if (facts.kind === 'Event') return;
  const key = `${facts.kind}/${name}`;
  if (event === 'DELETED') objects.delete(key);
  else
    objects.set(key, {
      ...facts,
      meta: { namespace, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) },
    });
}

/** Kinds that stand beside every Service of a namespace. */
const shared: ReadonlySet<FactsKind> = new Set(['Node', 'HorizontalPodAutoscaler', 'PodDisruptionBudget']);

function concerns({ facts }: RecordOf<'watch'>, service: string, objects: Objects): boolean {
  if (facts.kind !== 'Event') return shared.has(facts.kind) || isBehind(facts, service);
  const { involvedKind, involvedName } = facts;
  if (involvedKind === 'Node') return true;
  const own = objects.get(`${involvedKind}/${involvedName}`);
  if (own) return isBehind(own, service);
  // Of a pod that is gone already: what made it still tells.
  return [...objects].some(
    ([key, one]) => isBehind(one, service) && involvedName.startsWith(`${key.slice(key.indexOf('/') + 1)}-`),
  );
}

const aLoss = 'a request was lost';

/** When the last attempt was due that a frame says is lost, to its 100 ms; undefined: none is. */
function lastLoss({ streams }: Frame, of: readonly CutStream[]): number | undefined {
  const lost = of
    .flatMap(({ id }) => streams[id]?.buckets ?? [])
    .filter(({ outcomes }) => lostOf(outcomes) > 0);
  return lost.length > 0 ? Math.max(...lost.map(({ i }) => i * BUCKET_MS)) : undefined;
}

/** One change of one Service while it goes on: its journal on a clock of its own. */
class Episode {
  readonly begin: EpisodeBegin;
  readonly fromT: number;
  readonly openedT: number;
  readonly streams: readonly CutStream[];
  /** Another change began while this one was being closed. */
  next: string | undefined;
  overdue: readonly string[] | undefined;
  closesAtMs: number | undefined;
  readonly #journal: JournalWriter;
  readonly #windows: ReadonlyMap<string, StreamWindow>;
  readonly #addresses: ReadonlySet<string>;
  /** Connections that failed and are older than it, by address and port. */
  readonly #older = new Map<string, Older>();
  readonly #marked = new Set<string>();
  readonly #present = new Set<string>();
  readonly #lag: Pick<AgentHealth, 'sendLagP99Ms' | 'sendLagMaxMs'>[] = [];
  #lastT = 0;
  #clock: Clock | undefined;
  #seq = 0;
  #frame: Frame | undefined;
  /** Of the last frame, on the clock of the whole load. */
  #atMs = 0;
  #settledT: number | undefined;
  #changedT: number;
  #lostT = Number.NEGATIVE_INFINITY;

  constructor(
    begin: EpisodeBegin,
    fromT: number,
    openedT: number,
    streams: readonly CutStream[],
    options: EpisodeOptions,
  ) {
    this.begin = begin;
    this.fromT = fromT;
    this.openedT = openedT;
    this.#changedT = openedT;
    this.streams = streams;
    this.#windows = new Map(
      streams.map(({ id, as, lane }) => [id, new StreamWindow({ id: as, lane }, begin.fromLoadMs)]),
    );
    this.#addresses = new Set(streams.map(({ address }) => address));
    this.#journal = options.open(begin, () => this.#lastT);
    this.#journal.write(options.headerOf(begin));
  }

  get service(): string {
    return this.begin.service;
  }
  get inFlight(): number {
    return [...this.#windows.values()].reduce((sum, window) => sum + window.inFlight, 0);
  }
  /** Of the Service: not of the control target, which comes last. */
  get lost(): number {
    return [...this.#windows.values()].slice(0, -1).reduce((sum, window) => sum + window.lost, 0);
  }

  /** A change of it at `t`. False: it is being closed, and this is another one. */
  touch(t: number): boolean {
    if (!this.#stillOpen()) return false;
    this.#changedT = Math.max(this.#changedT, t);
    return true;
  }
  /** Something was lost that was due up to `dueMs` of the agent's clock. False: after the end of this one. */
  lostAt(t: number, dueMs: number): boolean {
    if (this.closesAtMs !== undefined && dueMs >= this.closesAtMs) return false;
    if (this.#stillOpen()) this.#lostT = t;
    return true;
  }

  /** One that is about to end goes on when more comes before the end. */
  #stillOpen(): boolean {
    if (this.closesAtMs === undefined) return true;
    if (this.#atMs >= this.closesAtMs) return false;
    this.closesAtMs = undefined;
    for (const window of this.#windows.values()) window.closeAt(Number.POSITIVE_INFINITY);
    return true;
  }

  settles(settled: boolean, t: number, forMs: number): boolean {
    if (!settled) {
      this.#settledT = undefined;
      return false;
    }
    this.#settledT ??= t;
    return t - Math.max(this.#settledT, this.#changedT, this.#lostT) >= forMs;
  }

  close(atMs: number): void {
    this.closesAtMs = atMs;
    for (const window of this.#windows.values()) window.closeAt(atMs);
  }

  existing(key: string, { meta, ...facts }: Facts & Meta, objects: Objects): void {
    const name = key.slice(key.indexOf('/') + 1);
    const record: RecordOf<'watch'> = {
      type: 'watch',
      t: 0,
      event: 'EXISTING',
      namespace: meta?.namespace ?? '',
      name,
      ...(meta?.uid && { uid: meta.uid }),
      ...(meta?.resourceVersion && { resourceVersion: meta.resourceVersion }),
      facts: asTarget(facts as Facts),
    };
    if (!concerns(record, this.service, objects)) return;
    this.#present.add(key);
    this.#put(record, this.fromT);
  }

  record(record: Exclude<Kept, { type: 'frame' }>): void {
    switch (record.type) {
      case 'watch':
        this.#watch(record);
        break;
      case 'witness':
        this.#put(cutWitness(record, this.fromT, this.#addresses), record.t);
        break;
      case 'watch-gap':
        this.#put({ ...record, fromT: Math.max(0, record.fromT - this.fromT) }, record.t);
        break;
      default:
        this.#put(record, record.t);
    }
  }

  /** An object that came to be behind the Service only now is one that is added. */
  #watch(record: RecordOf<'watch'>): void {
    const key = `${record.facts.kind}/${record.name}`;
    const known = this.#present.has(key);
    if (record.event === 'DELETED' && !known) return;
    const event = record.event === 'DELETED' ? 'DELETED' : known ? 'MODIFIED' : 'ADDED';
    if (event === 'DELETED') this.#present.delete(key);
    else this.#present.add(key);
    this.#put({ ...record, event, facts: asTarget(record.facts) }, record.t);
  }

  clock({ agent, offsetMs, errorMs }: Clock, t: number): void {
    const offset = Math.max(0, offsetMs + this.begin.fromLoadMs - this.fromT);
    if (!this.#clock) this.#put({ type: 'load', t: 0, agent, event: 'started' }, t);
    this.#clock = { agent, offsetMs, errorMs };
    this.#put({ type: 'clock', t: 0, agent, offsetMs: offset, errorMs }, t);
  }

  settled(): void {
    this.mark('no-terminating', this.fromT + this.#lastT);
    this.mark('quiet', this.fromT + this.#lastT);
  }

  mark(name: RecordOf<'milestone'>['name'], t: number): void {
    if (this.#marked.has(name)) return;
    this.#marked.add(name);
    this.#put({ type: 'milestone', t: 0, name }, t);
  }

  frame({ t, agent, frame }: RecordOf<'frame'>, asked: AskedBefore | undefined): void {
    const { fromLoadMs } = this.begin;
    this.#atMs = frame.atMs;
    if (frame.atMs <= fromLoadMs) return;
    const cut: Frame = {
      seq: ++this.#seq,
      atMs: rounded(frame.atMs - fromLoadMs),
      streams: {},
      phases: frame.phases.map((phase) => ({ ...phase, tMs: rounded(phase.tMs - fromLoadMs) })),
      ...(frame.health && { health: frame.health }),
    };
    for (const { id, as, address } of this.streams) {
      const delta = frame.streams[id];
      const window = this.#windows.get(id);
      if (!delta || !window) continue;
      cut.streams[as] = window.take(delta);
      for (const failure of asked ? delta.failures : []) this.#remember(failure, address, asked, t);
    }
    if (frame.health) this.#lag.push(frame.health);
    this.#frame = cut;
    this.#put({ type: 'frame', t: 0, agent, frame: cut }, t);
  }

  #remember(failure: Failure, address: string, asked: AskedBefore | undefined, nowT: number): void {
    const { offsetMs = 0 } = this.#clock ?? {};
    const older = asked?.older(failure, address, { fromT: this.fromT, nowT, offsetMs });
    if (older) this.#older.set(`${address} ${older.port}`, older);
  }

  async finish(end: Parameters<JournalWriter['end']>[0], left: readonly string[]): Promise<void> {
    const t = this.fromT + this.#lastT;
    const { agent = '' } = this.#clock ?? {};
    if (left.length > 0) {
      const text = `The change had not settled when it was last looked at: ${left.slice(0, 5).join('; ')}.`;
      this.#put({ type: 'note', t: 0, level: 'warning', text }, t);
    }
    const last = this.#frame;
    const open: Frame['streams'] = {};
    for (const { id, as } of this.streams) {
      const interval = this.#windows.get(id)?.openInterval();
      if (interval) open[as] = { buckets: [], failures: [], intervals: [interval] };
    }
    if (last && Object.keys(open).length > 0) {
      const frame: Frame = {
        seq: ++this.#seq,
        atMs: last.atMs,
        streams: open,
        phases: [],
        ...(last.health && { health: last.health }),
      };
      this.#put({ type: 'frame', t: 0, agent, frame }, t);
    }
    for (const record of olderRecords([...this.#older.values()], t)) this.#put(record, t);
    this.#put({ type: 'load', t: 0, agent, event: 'stopping' }, t);
    const lag = lagOf(this.#lag);
    for (const { id } of this.streams) {
      const window = this.#windows.get(id);
      if (window && last) this.#put({ type: 'stream-end', t: 0, agent, end: window.end(last.atMs, lag) }, t);
    }
    this.#put({ type: 'load', t: 0, agent, event: 'ended' }, t);
    await this.#journal.end({ status: end.status, ...(end.reason !== undefined && { reason: end.reason }) });
  }

  #put(record: Exclude<JournalRecord, HeaderRecord>, t: number): void {
    this.#lastT = Math.max(this.#lastT, rounded(t - this.fromT));
    this.#journal.write({ ...record, t: this.#lastT });
  }
}

/** In the journals of its Service every pod behind it is the target's. */
function asTarget<T extends Facts>(facts: T): T {
  return 'services' in facts && facts.services ? { ...facts, role: 'target' } : facts;
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
