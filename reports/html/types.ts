// The contract between journals and the page: what the report shows of one experiment, plain JSON and bounded in
// size whatever the journal's length. All times are whole ms since the load's start, as in results.json.
import type { Lane, Outcome } from '../../harness/model/load.ts';

export interface JournalView {
  readonly runId: string;
  readonly startedAt: string;
  /** From `startedAt` to the load's start, ms: where the time line's 0 is on the clock on the wall. */
  readonly loadFromMs: number;
  readonly profile: string;
  readonly seed: number;
  readonly tool: string;
  readonly images: Readonly<Record<string, string>>;
  readonly target: string;
  /** "200/s per lane": what was asked of each stream, by stream id. */
  readonly streams: readonly StreamView[];
  /** Difference of the manifests to `baseline`, a unified diff of YAML. Empty for the baseline itself. */
  readonly settingsDiff: string;
  readonly configuration: string;
  readonly arguments: readonly string[];
  readonly timeline: Timeline;
  /** Lines of the journal that facts cite, as they stand there (clipped), by line number. */
  readonly cited: Readonly<Record<number, string>>;
  readonly records: number;
  readonly truncated: boolean;
  /** Warnings and faults that the harness noted, and gaps in watches and frames. */
  readonly notes: readonly NoteView[];
}

export interface StreamView {
  readonly id: string;
  readonly lane: Lane;
  readonly url: string;
  readonly rate: string;
  readonly connections: number;
  readonly timeoutMs: number;
}

export interface NoteView {
  readonly atMs: number;
  readonly level: 'info' | 'warning' | 'fault';
  readonly text: string;
  readonly line: number;
}

/** What the time line draws. `fromMs` is 0 unless there was no load. */
export interface Timeline {
  readonly fromMs: number;
  readonly toMs: number;
  readonly steps: readonly StepMark[];
  readonly milestones: readonly MilestoneMark[];
  readonly events: readonly EventMark[];
  readonly lanes: readonly LaneSeries[];
  readonly ready: readonly ReadyPoint[];
  /** What the target's queue counted; empty where there is none. */
  readonly queue: readonly QueuePoint[];
  readonly pods: readonly PodLane[];
  /** Nodes that take pods of the target, by name: which versions each carried, and when. */
  readonly nodes: readonly NodeLane[];
  /** What was left out to keep the page small; 0 when nothing was. */
  readonly omitted: { readonly pods: number; readonly events: number; readonly spans: number };
}

export interface StepMark {
  readonly index: number;
  readonly label: string;
  /** Nothing was done to the target in it. */
  readonly aside: boolean;
  readonly fromMs: number;
  /** Undefined: it never ended. */
  readonly toMs?: number;
  readonly failed: boolean;
  readonly line: number;
}
export interface MilestoneMark {
  readonly name: string;
  readonly atMs: number;
  readonly line: number;
}
export interface EventMark {
  readonly atMs: number;
  readonly warning: boolean;
  readonly reason: string;
  readonly message: string;
  readonly object: string;
  readonly count: number;
  readonly line: number;
}

/** Counts of one stream in equal buckets from 0 on, by due time. `bucketMs` is 100 or a multiple of it. */
export interface LaneSeries {
  readonly stream: string;
  readonly lane: Lane;
  /** The control stream goes to a target that no step touches. */
  readonly control: boolean;
  readonly bucketMs: number;
  readonly ok: readonly number[];
  readonly shed: readonly number[];
  /** Slowest answer per bucket, ms. */
  readonly slowestMs: readonly number[];
  /** Lost attempts per outcome: [bucket, count], only where there are any. */
  readonly lost: Readonly<Partial<Record<Outcome, readonly (readonly [number, number])[]>>>;
  readonly totals: { readonly ok: number; readonly lost: number; readonly shed: number };
  /** Lost attempts one by one, in order of due time, at most {@link limits.failures}. */
  readonly failures: readonly FailureRow[];
  readonly failuresOmitted: number;
  /** Lanes whose clients keep their connections, where answers say which pod they are from: whose they were. */
  readonly shares?: PodShares;
  /** Lane stream: how many streams ended, and were opened again. */
  readonly comings?: StreamComings;
}

/** Answers by pod in equal buckets from 0 on, by due time. */
export interface PodShares {
  readonly bucketMs: number;
  /** In order of first answers. */
  readonly pods: readonly { readonly name: string; readonly answers: readonly number[] }[];
}

/** Streams that ended and that were opened again, per second from 0 on. */
export interface StreamComings {
  readonly streams: number;
  readonly ended: readonly number[];
  readonly back: readonly number[];
}

export interface FailureRow {
  readonly dueMs: number;
  readonly endMs: number;
  readonly outcome: Outcome;
  readonly phase: string;
  readonly code: string;
  readonly connection: number;
  readonly nth: number;
  readonly reused: boolean;
  readonly race: boolean;
  readonly pod?: string;
  readonly line: number;
}

export interface ReadyPoint {
  readonly atMs: number;
  readonly ready: number;
  /** Undefined: no watch event has said it yet. */
  readonly wanted?: number;
}

export interface QueuePoint {
  readonly atMs: number;
  /** Items that waited. */
  readonly backlog: number;
  /** Items finished per second, as a mean over the last seconds; undefined until there are as many. */
  readonly perSecond?: number;
}

export const podStates = ['pending', 'starting', 'not-ready', 'ready', 'terminating'] as const;
/** pending: no node yet · starting: containers not running yet · not-ready: running · ready · terminating. */
export type PodState = (typeof podStates)[number];
/** As the Service saw it: ready: gets connections · serving: only as a last resort · terminating: no longer served · not-ready. */
export type EndpointState = 'ready' | 'serving' | 'terminating' | 'not-ready';

export interface Span<S extends string> {
  readonly state: S;
  readonly fromMs: number;
  readonly toMs: number;
  /** Line of the journal where the state began. */
  readonly line: number;
}
export interface PhaseMark {
  readonly phase: 'starting' | 'listening' | 'unready' | 'sigterm' | 'closed' | 'gone';
  readonly atMs: number;
  readonly line: number;
}
export interface PodLane {
  readonly name: string;
  readonly node?: string;
  readonly image?: string;
  readonly templateHash?: string;
  /** Number of the template in order of first appearance: 0 is the oldest. */
  readonly generation: number;
  readonly restarts: number;
  readonly states: readonly Span<PodState>[];
  readonly endpoint: readonly Span<EndpointState>[];
  readonly phases: readonly PhaseMark[];
  /** Times in which the Service sent connections here while the app was not listening: where losses come from. */
  readonly exposed: readonly Span<'exposed'>[];
}

export interface NodeLane {
  readonly name: string;
  readonly counts: readonly NodeCount[];
}
/** Pods on a node from `fromMs` to `toMs`: by version those that are there to stay, and all that terminate. */
export interface NodeCount {
  readonly fromMs: number;
  readonly toMs: number;
  /** By {@link PodLane.generation}; 0 where there is none. */
  readonly staying: readonly number[];
  readonly terminating: number;
}

/** Bounds of a view; chosen so that an hour's journal still makes a page that opens at once. */
export const limits = {
  buckets: 600,
  pods: 60,
  events: 120,
  failures: 400,
  shares: 120,
  sharePods: 24,
  spansPerPod: 60,
  nodes: 12,
  countsPerNode: 200,
  readyPoints: 600,
  queuePoints: 600,
  cited: 150,
  citedChars: 360,
  notes: 60,
  diffChars: 20_000,
} as const;
