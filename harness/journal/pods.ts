// The life of each pod on the load's clock: what the watches saw of it and what its process said about itself.
import type { PodFacts } from '../model/facts.ts';
import type { TargetPhase } from '../model/load.ts';
import type { Clocks } from './clocks.ts';
import type { Journal, Lined } from './journal.ts';

/** A moment with the journal's line that says so. */
export interface Moment {
  readonly atMs: number;
  readonly line: number;
}

export interface PodChange extends Moment {
  /** undefined: the object is gone. */
  readonly facts: PodFacts | undefined;
}

export interface ProcessPhase extends Moment {
  readonly phase: TargetPhase['phase'];
  /** It may have begun this much earlier: the word travels, and a busy agent hears it late. Never later. */
  readonly lateMs: number;
}

/** The way of a word from the target to the agent, ms. */
const PHASE_LATENCY_MS = 50;
/** An agent that stood still longer than this makes the experiment invalid by itself. */
const PHASE_LATENCY_LIMIT_MS = 500;

/** Why a process ended that nobody had deleted or that did not end in time. */
export interface Ending extends Moment {
  readonly container: string;
  readonly exitCode: number | undefined;
  readonly reason: string;
  readonly restarts: number;
}

export interface PodLife {
  readonly name: string;
  readonly node: string | undefined;
  readonly templateHash: string | undefined;
  readonly owner: string | undefined;
  readonly changes: readonly PodChange[];
  /** What the process said; empty for a target without the phase link. */
  readonly phases: readonly ProcessPhase[];
  readonly created: Moment | undefined;
  /** The first container's first state `running`. */
  readonly running: Moment | undefined;
  /** Starts of a container's runs (the first one and each restart), as seen; stops between them end a run. */
  readonly runs: readonly { readonly begin: Moment; readonly endMs: number }[];
  readonly ready: Moment | undefined;
  readonly terminating: Moment | undefined;
  /** A container was seen terminated (each restart is one more). */
  readonly endings: readonly Ending[];
  readonly deleted: Moment | undefined;
  /** Grace period of the deletion, ms. */
  readonly graceMs: number | undefined;
  /** Killed by SIGKILL because the grace period ran out. */
  readonly graceExceeded: Ending | undefined;
  /** Kubelet or node took it down or restarted it (liveness, out of memory, eviction by the kubelet), in words. */
  readonly nodeEvents: readonly (Moment & { readonly text: string })[];
  /** The preStop hook failed or was cut. */
  readonly preStopCut: Moment | undefined;
}

/** Pods of the target (not the control target's, not the agents'), in order of creation. */
export function podLives(
  journal: Journal,
  clocks: Clocks,
  of: 'target' | 'entry' = 'target',
): ReadonlyMap<string, PodLife> {
  const changes = new Map<string, PodChange[]>();
  const roles = new Set<string | undefined>();
  for (const watch of journal.watches) if (watch.facts.kind === 'Pod') roles.add(watch.facts.role);
  const isTarget = (facts: PodFacts) =>
    of === 'entry'
      ? facts.role === 'entry'
      : roles.has('target')
        ? facts.role === 'target'
        : facts.role !== 'control' && facts.role !== 'agent' && facts.role !== 'entry';
  for (const watch of journal.watches) {
    if (watch.facts.kind !== 'Pod' || !isTarget(watch.facts)) continue;
    const list = changes.get(watch.name) ?? [];
    changes.set(watch.name, list);
    list.push({
      atMs: clocks.fromHarness(watch.t),
      line: watch.line,
      facts: watch.event === 'DELETED' ? undefined : watch.facts,
    });
  }
  const phases = processPhases(journal, clocks);
  const events = podEvents(journal, clocks);
  const lives = new Map<string, PodLife>();
  for (const [name, list] of changes) {
    lives.set(name, podLife(name, list, phases.get(name) ?? [], events.get(name) ?? []));
  }
  return lives;
}

function processPhases(journal: Journal, clocks: Clocks): Map<string, ProcessPhase[]> {
  const byPod = new Map<string, ProcessPhase[]>();
  let stalledMs = 0;
  for (const { agent, frame, line } of journal.frames) {
    const { sendLagMaxMs = 0, eventLoopP99Ms = 0 } = frame.health ?? {};
    const stallMs = Math.max(sendLagMaxMs, eventLoopP99Ms);
    // A stall in which the word came may have begun in the frame before.
    const lateMs = PHASE_LATENCY_MS + Math.max(stallMs, stalledMs);
    stalledMs = stallMs;
    for (const { pod, phase, tMs } of frame.phases) {
      const list = byPod.get(pod) ?? [];
      byPod.set(pod, list);
      list.push({
        atMs: clocks.fromAgent(agent, tMs),
        line,
        phase,
        lateMs: Math.min(PHASE_LATENCY_LIMIT_MS, lateMs),
      });
    }
  }
  for (const list of byPod.values()) list.sort((a, b) => a.atMs - b.atMs);
  return byPod;
}

interface PodEvent extends Moment {
  readonly reason: string;
  readonly message: string;
}

function podEvents(journal: Journal, clocks: Clocks): Map<string, PodEvent[]> {
  const byPod = new Map<string, PodEvent[]>();
  for (const { facts, event, t, line } of journal.watches) {
    if (facts.kind !== 'Event' || facts.involvedKind !== 'Pod' || event === 'DELETED') continue;
    const list = byPod.get(facts.involvedName) ?? [];
    byPod.set(facts.involvedName, list);
    list.push({ atMs: clocks.fromHarness(t), line, reason: facts.reason, message: facts.message });
  }
  return byPod;
}

/** The kill of a container that ignores SIGTERM comes at the grace period's end; statuses come up to this much later. */
const GRACE_SLACK_MS = 1500;
const SIGKILL_EXIT = 137;

function podLife(
  name: string,
  changes: readonly PodChange[],
  phases: readonly ProcessPhase[],
  events: readonly PodEvent[],
): PodLife {
  const first = (matches: (facts: PodFacts) => boolean): Moment | undefined =>
    changes.find((change) => change.facts && matches(change.facts));
  const facts = changes.map((change) => change.facts).filter((one) => one !== undefined);
  const last = facts.at(-1);
  const terminating = first((pod) => pod.terminating);
  const endings = containerEndings(changes);
  const grace = facts.findLast((pod) => pod.deletionGracePeriodSeconds !== undefined && pod.terminating);
  // The kubelet's last write sets the grace period to 0: the largest one seen is the one that ran.
  const graceSeconds = Math.max(
    -1,
    ...facts.filter((pod) => pod.terminating).map((pod) => pod.deletionGracePeriodSeconds ?? -1),
  );
  const graceMs = grace && graceSeconds >= 0 ? graceSeconds * 1000 : undefined;
  return {
    name,
    node: last?.node,
    templateHash: last?.templateHash,
    owner: last?.owner,
    changes,
    phases,
    created: changes.find((change) => change.facts),
    running: first((pod) => pod.containers.some((container) => container.state === 'running')),
    runs: containerRuns(changes),
    ready: first((pod) => pod.ready),
    terminating,
    endings,
    deleted: changes.find((change) => !change.facts),
    graceMs,
    graceExceeded:
      terminating && graceMs !== undefined && graceMs > 0
        ? endings.find(
            (ending) =>
              ending.exitCode === SIGKILL_EXIT &&
              ending.reason !== 'OOMKilled' &&
              ending.atMs - terminating.atMs >= graceMs - GRACE_SLACK_MS,
          )
        : undefined,
    nodeEvents: [
      ...events
        .filter((event) => isKubeletAct(event))
        .map(({ atMs, line, reason, message }) => ({ atMs, line, text: `${reason}: ${message}` })),
      ...endings
        .filter((ending) => ending.reason === 'OOMKilled')
        .map(({ atMs, line }) => ({ atMs, line, text: 'OOMKilled: the container ran out of memory' })),
    ],
    preStopCut: events.find((event) => event.reason === 'FailedPreStopHook'),
  };
}

function isKubeletAct({ reason, message }: PodEvent): boolean {
  if (reason === 'Killing') return /liveness|startup/.test(message);
  return [
    'Evicted',
    'NodeNotReady',
    'TaintManagerEviction',
    'Preempted',
    'ExceededGracePeriod',
    'NodeShutdown',
  ].includes(reason);
}

function containerRuns(changes: readonly PodChange[]): { begin: Moment; endMs: number }[] {
  const runs: { begin: Moment; endMs: number; restarts: number }[] = [];
  let open = false;
  for (const change of changes) {
    const container = change.facts?.containers.find((one) => one.state === 'running');
    const last = runs.at(-1);
    if (open && last && (!container || container.restarts !== last.restarts)) {
      last.endMs = change.atMs;
      open = false;
    }
    if (container && !open) {
      runs.push({ begin: change, endMs: Number.POSITIVE_INFINITY, restarts: container.restarts });
      open = true;
    }
  }
  return runs;
}

function containerEndings(changes: readonly PodChange[]): Ending[] {
  const endings: Ending[] = [];
  const seen = new Set<string>();
  for (const { atMs, line, facts } of changes) {
    for (const container of facts?.containers ?? []) {
      const terminated = container.state === 'terminated';
      // A quick restart may never show `terminated`: the count rises and `last` tells how the one before ended.
      const restarted = !terminated && container.restarts > 0 && container.last !== undefined;
      if (!terminated && !restarted) continue;
      const restarts = terminated ? container.restarts : container.restarts - 1;
      const key = `${container.name}/${restarts}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const how = terminated ? container : container.last;
      endings.push({
        atMs,
        line,
        container: container.name,
        exitCode: how?.exitCode,
        reason: how?.reason ?? '',
        restarts,
      });
    }
  }
  return endings;
}

/** Node objects that were not ready, by node. */
export function nodeTroubles(journal: Journal, clocks: Clocks): readonly NodeTrouble[] {
  const troubles: NodeTrouble[] = [];
  const open = new Map<string, { atMs: number; line: number }>();
  for (const watch of journal.watches) {
    const { facts, name } = watch;
    const atMs = clocks.fromHarness(watch.t);
    if (facts.kind === 'Node') noteReadiness(watch, facts.ready, atMs);
    else if (facts.kind === 'Event' && facts.involvedKind === 'Node' && nodeReasons.has(facts.reason)) {
      const text = `node ${facts.involvedName}: ${facts.reason}`;
      troubles.push({
        node: facts.involvedName,
        fromMs: atMs,
        toMs: atMs + NODE_EVENT_MS,
        line: watch.line,
        text,
      });
    }
    function noteReadiness({ line }: Lined<'watch'>, ready: boolean, at: number) {
      const since = open.get(name);
      if (!ready && !since) open.set(name, { atMs: at, line });
      if (ready && since) {
        open.delete(name);
        troubles.push(notReady(name, since, at));
      }
    }
  }
  for (const [name, since] of open) troubles.push(notReady(name, since, Number.POSITIVE_INFINITY));
  return troubles;
}

export interface NodeTrouble {
  readonly node: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly line: number;
  readonly text: string;
}

/** A node is called not ready 40 s after its kubelet's last word (node-monitor-grace-period). */
const NODE_MONITOR_GRACE_MS = 40_000;
/** How long an event of a node is taken to explain losses on it. */
const NODE_EVENT_MS = 10_000;
const nodeReasons = new Set([
  'NodeNotReady',
  'Rebooted',
  'SystemOOM',
  'KernelDeadlock',
  'NodeShutdown',
  'FreeDiskSpaceFailed',
]);

const notReady = (node: string, since: { atMs: number; line: number }, toMs: number): NodeTrouble => ({
  node,
  fromMs: since.atMs - NODE_MONITOR_GRACE_MS,
  toMs,
  line: since.line,
  text: `node ${node} was not ready`,
});
