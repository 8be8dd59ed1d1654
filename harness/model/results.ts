// results.json: what the judge says about a run. Later versions add fields; they rename none.
import type { CrossCheckResult } from './cross-check.ts';
import type { Hop, MeasuredEntry } from './entry.ts';
import type { JoinedFinding } from './finding.ts';
import type { ClusterInfo } from './journal.ts';
import type { ByLine, LineId } from './line.ts';
import type { OutcomeCounts, Percentiles, StreamLife } from './load.ts';
import type { Substituted } from './own-target.ts';
import type { MeasuredAgain, VariantNotRun } from './run.ts';
import type { RunStanding } from './standing.ts';

export const resultsSchemaVersion = 1;

/**
 * `safe` and `loses`: of somebody's own workload as it is, where what settings would save is not the answer. `clean`, `lost`
 * and `nothing-changed`: of what somebody else changed while it was watched.
 */
export const verdicts = [
  'proven',
  'unneeded',
  'refuted',
  'inconclusive',
  'faulted',
  'not-run',
  'safe',
  'loses',
  'clean',
  'lost',
  'nothing-changed',
] as const;
export type Verdict = (typeof verdicts)[number];

/** Of what somebody else changed. `nothing-changed`: no pod came or went, so there is no evidence. */
export type WatchVerdict = 'clean' | 'lost' | 'nothing-changed' | 'inconclusive';

/** One change of a Service's pods that was watched. Times in ms since the begin of the load in its journal. */
export interface EpisodeResult {
  readonly service: string;
  /** From 1, over all Services of the watch. */
  readonly number: number;
  /** Its first sign, ISO 8601; the same in ms; and in words. */
  readonly beganAt: string;
  readonly beganMs: number;
  readonly trigger: string;
  /** Who owns the pods, outermost first. */
  readonly owners: readonly string[];
  /** What is another at its end than at its begin: "Deployment web: image a:1 → a:2". */
  readonly changes: readonly string[];
  readonly podsCame: number;
  readonly podsWent: number;
  readonly restarts: number;
  /** From the first sign to the last change; null: it never settled, or nothing followed the first sign. */
  readonly settledMs: number | null;
  /** What kept it from settling. */
  readonly unsettled?: string;
  readonly verdict: WatchVerdict;
  readonly reason: string;
}

export const directVerdicts = ['safe', 'loses', 'inconclusive'] as const;
export type DirectVerdict = (typeof directVerdicts)[number];

export const causes = [
  'routed-before-listening',
  'routed-after-stop',
  'killed-in-flight',
  'kept-connection-cut',
  'no-endpoint',
  'app-error',
  'grace-exceeded',
  'node-event',
  'harness-noise',
  'unknown',
] as const;
export type Cause = (typeof causes)[number];
export type Confidence = 'high' | 'medium' | 'low';

/** A fact that a cause rests on, with its time in ms since the load's start and where to find it in the journal. */
export interface Fact {
  readonly text: string;
  readonly tMs?: number;
  readonly pod?: string;
  /** 1-based line of the journal. */
  readonly line?: number;
}

export interface CauseShare {
  readonly cause: Cause;
  /** Where on the way through an entry; absent: the way has one hop. */
  readonly hop?: Hop;
  readonly lost: number;
  readonly pods: readonly string[];
  readonly facts: readonly Fact[];
  readonly confidence: Confidence;
}

/** What the facts say about how pods are stopped or made ready: a remedy that fits better than a cause's usual one. */
export const remedyIds = [
  'deleted-by-force',
  'ended-undeleted',
  'hook-stops-server',
  'hook-fails',
  'stop-signal',
  'signal-not-received',
  'does-not-end',
  'container-ends-first',
  'not-ready-published',
  'ready-too-early',
  'hook-too-short',
  'refuses-after-sigterm',
] as const;
export type RemedyId = (typeof remedyIds)[number];

export interface Remedy {
  readonly id: RemedyId;
  /** Losses of these causes are what it is about. */
  readonly explains: readonly Cause[];
  /** What was found, as a sentence without its full stop. */
  readonly found: string;
  /** What to do, as sentences. */
  readonly todo: string;
  /** The setting of ours that does it, if one does. */
  readonly setting?: string;
  readonly facts: readonly Fact[];
}

/** A distribution of lags. No finer than connections are apart. */
export interface LagFigures {
  readonly count: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly maxMs: number;
}

/** How long a node's routing lagged behind the EndpointSlices, by connection tracking. */
export interface RoutingLag {
  readonly node: string;
  /** From the slice without a pod to the last connection that was sent to it; 0: none was. */
  readonly left: LagFigures;
  /** From the slice with a pod to the first connection that was sent to it. */
  readonly joined: LagFigures;
}

/**
 * From when to when a pod accepted connections, by its answers (connection tracking). It began between `notBeforeMs` and
 * `fromMs`, and stopped between `toMs` and `notAfterMs` (not known: nobody was sent to it any more). ± `errorMs`.
 */
export interface ListensResult {
  readonly pod: string;
  readonly notBeforeMs?: number;
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly notAfterMs?: number;
  readonly errorMs: number;
}

/** A cluster of losses in one lane. Times in ms since the load's start. Σ causes.lost = lost. */
export interface LossWindow {
  readonly startMs: number;
  readonly endMs: number;
  readonly lost: number;
  readonly outcomes: OutcomeCounts;
  readonly causes: readonly CauseShare[];
}

/** Which pod answered how much of a line whose clients keep their connections. Shares 0 to 1, of the last 3 s. */
export interface PodSharesResult {
  /** In order of their first answer; `came`: that was after the first step began. */
  readonly pods: readonly {
    readonly pod: string;
    readonly answers: number;
    readonly came: boolean;
    readonly endShare: number;
  }[];
  /** Of all pods that came. */
  readonly cameEndShare: number;
  /** From the first step until they had at least half of an even share of two seconds; null: never, or none came. */
  readonly cameEnoughMs: number | null;
}

/** How open streams ended, after how long each was back, and how fast all of them came back. Times in ms. */
export interface OpenStreamsResult {
  /** That the load kept open. */
  readonly streams: number;
  /** Most frequent first; without those that were open at the end of the load. */
  readonly ends: readonly {
    readonly how: StreamLife['end'];
    readonly code: string;
    readonly count: number;
  }[];
  /** From the end of a stream until it was open again; null: none was. */
  readonly back: { readonly p50Ms: number; readonly p90Ms: number; readonly maxMs: number } | null;
  /** Streams that were not open again before the load ended. */
  readonly notBack: number;
  /** Most streams that were opened again within one second, and when it began; null: none was. */
  readonly storm: { readonly perSecond: number; readonly atMs: number } | null;
  /** By the pod that it was on ("" where that is not known): streams that ended. */
  readonly endedByPod: Readonly<Record<string, number>>;
}

export interface LaneResult {
  readonly scheduled: number;
  readonly attempts: number;
  readonly shed: number;
  /** Arrivals shed while connections hung (inside a loss window): capacity lost, not the harness's fault. */
  readonly shedInWindows: number;
  readonly outcomes: OutcomeCounts;
  readonly lost: number;
  readonly races: number;
  readonly longestOutageMs: number;
  /** From the first lost attempt's due time to the last loss's end; 0 when nothing was lost. */
  readonly recoveredMs: number;
  readonly lossRate: { readonly share: number; readonly low95: number; readonly high95: number };
  readonly latencyMs: Percentiles;
  readonly sendLagMs: Percentiles;
  readonly causes: Partial<Record<Cause, number>>;
  /** Lost by hop, of a line that goes through a proxy. */
  readonly hops?: Partial<Record<Hop, number>>;
  /** What the target received of a line that goes through a proxy; absent: it does not count. */
  readonly deliveries?: {
    readonly received: number;
    /** Requests that reached pods more than once. */
    readonly repeated: number;
    /** Those of them that were answered as expected all the same: losses that the entry's retries hid. */
    readonly hidden: number;
  };
  /** Requests that the entry's access log says were sent again and answered as expected. */
  readonly retriedByLog?: number;
  /** What its protocol counts beside outcomes, by name (docs/protocols.md). */
  readonly counters?: Readonly<Record<string, number>>;
  /** Of handshakes that failed, by reason: "CERT_HAS_EXPIRED" … */
  readonly tlsReasons?: Readonly<Record<string, number>>;
  /** Of lanes kept and stream, where answers say which pod they are from. */
  readonly podShares?: PodSharesResult;
  /** Of a line of open streams: the lives that ended before the load did. */
  readonly openStreams?: OpenStreamsResult;
  readonly windows: readonly LossWindow[];
}

export interface ExperimentResult {
  readonly variant: string;
  readonly settings: readonly string[];
  /** The variant is one of the scenario's own: what it is, and whether it is one of the two to compare. */
  readonly case?: { readonly title: string; readonly role?: 'before' | 'after' };
  /** What was changed of published manifests to run them, in order, each with its difference. */
  readonly substitutions?: readonly Substituted[];
  /** What may stand still when somebody's manifests run, known before they do. */
  readonly warnings?: readonly string[];
  /** Settings of the variant that the manifests had already, each with what they say. */
  readonly unchanged?: readonly { readonly setting: string; readonly why: string }[];
  /** It is a change that somebody else made. */
  readonly episode?: EpisodeResult;
  readonly path: string;
  /** Where load came in, side by side; absent: by `path` alone. */
  readonly entries?: readonly MeasuredEntry[];
  readonly agents: number;
  readonly repeat: number;
  /** File name of the journal, relative to the results. */
  readonly journal: string;
  readonly status: 'complete' | 'faulted' | 'interrupted';
  readonly valid: boolean;
  /** Why it is not valid and what to change; empty when valid. */
  readonly invalid: readonly string[];
  /** Not valid, and only by what machine, cluster or clocks did meanwhile: measured again it may be. */
  readonly disturbed?: true;
  readonly rollout: {
    /** From the first step to the rollout's completion, ms; null: it did not complete. */
    readonly completedMs: number | null;
    /** From the first step until no pod was terminating, ms. */
    readonly settledMs: number | null;
    readonly minReady: number;
    readonly maxPodsNotTerminating: number;
    readonly maxPods: number;
    /** ∫ max(0, wanted − ready) dt over the experiment, pod-seconds. */
    readonly capacityLostPodSeconds: number;
    /** ∫ pods above the wanted number (surge and terminating) dt, pod-seconds. */
    readonly extraPodSeconds: number;
  };
  readonly control: { readonly attempts: number; readonly lost: number } | null;
  readonly clock: { readonly errorMs: number };
  readonly durationMs: number;
  readonly loadMs: number;
  readonly lanes: ByLine<LaneResult>;
  /** What to change, where the facts say more than the cause does; the first that explains a cause speaks for it. */
  readonly remedies?: readonly Remedy[];
  /** By connection tracking, where it was read: lag of the routing per node, and when pods accepted connections. */
  readonly routing?: readonly RoutingLag[];
  readonly listens?: readonly ListensResult[];
  /** Every measure that claims can use, by name. */
  readonly measures: Readonly<Record<string, number | string>>;
  /** Measures that could not be taken on this machine, with the reason (a tool that is not there). */
  readonly notRun?: Readonly<Record<string, string>>;
  /** Counts of another tool by stream, when a cross-check ran. */
  readonly crossCheck?: {
    readonly tool: string;
    readonly version: string;
    readonly counts: Readonly<Record<string, CrossCheckResult>>;
    readonly explained: readonly string[];
  };
}

export interface ClaimResult {
  readonly id: string;
  readonly text: string;
  readonly source: string;
  readonly appliesTo: { readonly variant?: string; readonly lane?: LineId };
  /** What was expected of it: "holds", or "fails" for a published claim that today's Kubernetes does not keep. */
  readonly expected: 'holds' | 'fails';
  readonly because?: string;
  /** The bound, in words: "lost = 0". */
  readonly expect: string;
  /** The figure, in words: "lost 0 of 6,000". */
  readonly measured: string;
  /** `not-run`: this machine lacks what it needs; `measured` has the reason, and the verdict does not count it. */
  readonly result: 'holds' | 'fails' | 'undecided' | 'not-run';
  readonly facts: readonly Fact[];
  /** In how many experiments it was looked at, and in how many it held (repeats, paths, numbers of agents). */
  readonly runs?: { readonly of: number; readonly holds: number; readonly undecided: number };
}

/** Somebody's own workload, unchanged: is it safe? */
export interface DirectResult {
  readonly variant: string;
  readonly verdict: DirectVerdict;
  readonly reason: string;
  /** Only valid runs are in the figures. */
  readonly runs: { readonly of: number; readonly valid: number };
  readonly lanes: ByLine<{
    readonly attempts: number;
    readonly lost: number;
    readonly longestOutageMs: number;
  }>;
}

export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly question: string;
  readonly verdict: Verdict;
  readonly reason: string;
  /** Of somebody's own workload, when it ran as it is. */
  readonly direct?: DirectResult;
  /** What a reader should do, in plain words; may be empty. */
  readonly advice: readonly string[];
  readonly claims: readonly ClaimResult[];
  readonly experiments: readonly ExperimentResult[];
  /** Variants that were not measured, with the reason; `sameAs`: the one that stands for it. */
  readonly variantsNotRun?: readonly VariantNotRun[];
  /** Measurements that were disturbed and made once more; they count for nothing, and their journals are kept. */
  readonly measuredAgain?: readonly Omit<MeasuredAgain, 'scenario'>[];
  /** Verdicts of the single rounds of `--repeat N`, when there was more than one. */
  readonly rounds?: { readonly of: number; readonly asVerdict: number };
  /** What the settings cost: the variant with most of them against the one with none. Means over valid repeats. */
  readonly cost?: {
    readonly of: string;
    readonly against: string;
    readonly extraRolloutMs: number | null;
    readonly extraPodSeconds: number;
    readonly text: string;
  };
  /** What each setting does, when variants with single settings on or off ran. */
  readonly ablation?: Ablation;
}

/** One combination of settings: all repeats added up, lane by lane. */
export interface AblationRow {
  readonly kind: 'baseline' | 'only' | 'without' | 'all' | 'other';
  /** "baseline", "only preStop", "all but preStop", "all", or the settings. */
  readonly label: string;
  readonly variant: string;
  readonly settings: readonly string[];
  readonly runs: number;
  /** Runs whose measurement was good enough; losses of the others are not added. */
  readonly validRuns: number;
  readonly lanes: ByLine<AblationCell>;
}
export interface AblationCell {
  readonly attempts: number;
  readonly lost: number;
  readonly longestOutageMs: number;
  readonly causes: Partial<Record<Cause, number>>;
}

/**
 * What one setting does in one lane. `needed`: without it the others lose. `enough`: it alone loses nothing. `helps`:
 * it alone loses significantly less than the baseline. `harms`: it alone loses significantly more. `not-needed`: the
 * others lose nothing without it, and it is not enough alone. `undecided`: the rows that tell are missing or invalid.
 */
export interface SettingEffect {
  readonly setting: string;
  readonly lane: LineId;
  readonly effect: 'needed' | 'enough' | 'helps' | 'harms' | 'not-needed' | 'no-effect' | 'undecided';
  readonly baselineLost?: number;
  readonly aloneLost?: number;
  readonly withoutLost?: number;
  readonly allLost?: number;
  readonly text: string;
}
export interface Ablation {
  readonly settings: readonly string[];
  readonly lanes: readonly LineId[];
  readonly rows: readonly AblationRow[];
  readonly effects: readonly SettingEffect[];
  /** Settings that only work together in a lane: each alone loses, and so do the others without one of them. */
  readonly pairs: readonly {
    readonly settings: readonly [string, string];
    readonly lane: LineId;
    readonly text: string;
  }[];
  readonly advice: readonly string[];
}

/** How the built-in target is named where others have kind and name. */
export const builtInName = 'built-in';

export interface Results {
  readonly schemaVersion: number;
  readonly tool: { readonly name: string; readonly version: string; readonly commit?: string };
  readonly cluster: ClusterInfo;
  /** What was tested: `built-in`, `Deployment/web`, or `Namespace/shop` of a watch; absent in older runs. */
  readonly target?: string;
  readonly startedAt: string;
  readonly durationMs: number;
  /** Share of the run's time in which no load ran, 0 to 1. */
  readonly idleShare: number;
  readonly runId: string;
  /** A command line that does it again. */
  readonly reproduce: string;
  readonly scenarios: readonly ScenarioResult[];
  /** What the static check found in the target's manifests, beside what was measured. */
  readonly findings?: readonly JoinedFinding[];
  /** Others made the changes: where, how long it was looked at, and around which command. */
  readonly watch?: {
    readonly namespace: string;
    readonly forMs: number;
    readonly ended: string;
    readonly command?: { readonly line: string; readonly code: number; readonly how: string };
  };
  /** Against the last runs of its kind, where a history is kept. */
  readonly history?: RunStanding;
  /** One SHA-256 that stands for run.json and all journals (docs/journal.md); none where the folder has no seal. */
  readonly seal?: string;
  readonly exitCode: number;
}
