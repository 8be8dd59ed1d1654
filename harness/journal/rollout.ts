// The course of the rollout: pods, readiness and scale steps over time, and what they cost. All from watch events.
import { isWorkloadFacts, type PodFacts, type ReplicaSetFacts, type WorkloadFacts } from '../model/facts.ts';
import { rolloutComplete } from '../model/rollout.ts';
import type { Clocks } from './clocks.ts';
import { lastPart } from './endpoints.ts';
import type { Journal } from './journal.ts';
import type { PodLife } from './pods.ts';

/** Counts of the target's pods from `atMs` until the next entry. */
export interface PodCounts {
  readonly atMs: number;
  readonly line: number;
  /** Ready and not terminating. */
  readonly ready: number;
  readonly notReady: number;
  readonly terminating: number;
  /** What the workload wants at that time. */
  readonly wanted: number;
  readonly perNode: ReadonlyMap<string, number>;
}

export interface ScaleStep {
  readonly atMs: number;
  readonly replicaSet: string;
  readonly from: number;
  readonly to: number;
}

export interface WorkloadState {
  readonly atMs: number;
  readonly line: number;
  readonly facts: WorkloadFacts;
}

export interface Rollout {
  /** Begin of the first step; undefined when there is none. */
  readonly firstStepMs: number | undefined;
  readonly completedMs: number | null;
  readonly settledMs: number | null;
  readonly counts: readonly PodCounts[];
  /** From the first step (or the load's start) to the load's end. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly minReady: number;
  readonly maxPodsNotTerminating: number;
  /** Most pods that the ReplicaSets were asked for together; undefined where the workload has none. */
  readonly maxPodsAsked: number | undefined;
  readonly maxPods: number;
  readonly maxTerminating: number;
  readonly capacityLostPodSeconds: number;
  readonly extraPodSeconds: number;
  readonly workload: readonly WorkloadState[];
  readonly replicaSets: ReadonlyMap<string, { readonly label: string; readonly facts: ReplicaSetFacts }>;
  readonly scaleSteps: readonly ScaleStep[];
  /** Target pods that were still terminating when the load ended. */
  readonly terminatingAtEnd: readonly string[];
}

export function followRollout(
  journal: Journal,
  clocks: Clocks,
  pods: ReadonlyMap<string, PodLife>,
  loadEndMs: number,
): Rollout {
  const firstStep = journal.steps.find((step) => step.event === 'begin');
  // Of what somebody else changes the first sign is what a step is of ours.
  const began = firstStep ?? journal.milestones.find(({ name }) => name === 'change-began');
  const firstStepMs = began && clocks.fromHarness(began.t);
  const fromMs = firstStepMs ?? 0;
  const toMs = Math.max(fromMs, loadEndMs);
  const workload = workloadStates(journal, clocks);
  const counts = podCounts(pods, workload);
  const inRange = within(counts, fromMs, toMs);
  const { replicaSets, scaleSteps, maxPodsAsked } = followReplicaSets(journal, clocks, fromMs);
  const milestone = (name: 'rollout-complete' | 'no-terminating') => {
    const found = journal.milestones.findLast((one) => one.name === name);
    return found === undefined ? null : clocks.fromHarness(found.t) - fromMs;
  };
  const completedMs = completion(workload, fromMs, milestone('rollout-complete'));
  const integral = (height: (count: PodCounts) => number) => integrate(counts, 0, toMs, height) / 1000;
  return {
    firstStepMs,
    completedMs,
    settledMs: settlement(pods, fromMs, completedMs, milestone('no-terminating')),
    counts,
    fromMs,
    toMs,
    minReady: inRange.length > 0 ? Math.min(...inRange.map((count) => count.ready)) : 0,
    maxPodsNotTerminating: Math.max(0, ...inRange.map((count) => count.ready + count.notReady)),
    maxPodsAsked,
    maxPods: Math.max(0, ...inRange.map((count) => count.ready + count.notReady + count.terminating)),
    maxTerminating: Math.max(0, ...inRange.map((count) => count.terminating)),
    capacityLostPodSeconds: integral((count) => Math.max(0, count.wanted - count.ready)),
    extraPodSeconds: integral((count) =>
      Math.max(0, count.ready + count.notReady + count.terminating - count.wanted),
    ),
    workload,
    replicaSets,
    scaleSteps,
    terminatingAtEnd: [...pods.values()].filter((pod) => isTerminatingAt(pod, toMs)).map((pod) => pod.name),
  };
}

/**
 * When the rollout was complete and stayed so, from the workload's own states: as kubectl decides it, and with no more
 * replicas than wanted (kubectl calls a scale-down complete before a pod has gone). The harness's milestone, which comes
 * after all steps, only stands in where the workload never was incomplete.
 */
function completion(
  workload: readonly WorkloadState[],
  fromMs: number,
  milestoneMs: number | null,
): number | null {
  const incomplete = workload.findLastIndex((state) => state.atMs >= fromMs && !isComplete(state));
  if (incomplete < 0) return milestoneMs;
  const complete = workload[incomplete + 1];
  return complete ? complete.atMs - fromMs : null;
}

const isComplete = ({ facts }: WorkloadState): boolean =>
  rolloutComplete(facts) &&
  // A Rollout is promoted while its old pods wait for their scale-down.
  (facts.kind === 'DaemonSet' || facts.kind === 'Rollout' || facts.replicas <= facts.specReplicas);

/** When the last pod that had to go was gone. */
function settlement(
  pods: ReadonlyMap<string, PodLife>,
  fromMs: number,
  completedMs: number | null,
  milestoneMs: number | null,
): number | null {
  const going = [...pods.values()].filter((pod) => pod.terminating && pod.terminating.atMs >= fromMs);
  if (going.some((pod) => !pod.deleted)) return null;
  if (going.length === 0) return completedMs ?? milestoneMs;
  return Math.max(completedMs ?? 0, ...going.map((pod) => (pod.deleted?.atMs ?? 0) - fromMs));
}

/** The entries in force at some time in [fromMs, toMs]. */
export function within<T extends { readonly atMs: number }>(
  list: readonly T[],
  fromMs: number,
  toMs: number,
): T[] {
  return list.filter((entry, index) => {
    const next = list[index + 1];
    return entry.atMs <= toMs && (next === undefined || next.atMs > fromMs);
  });
}

function integrate(
  counts: readonly PodCounts[],
  fromMs: number,
  toMs: number,
  height: (count: PodCounts) => number,
): number {
  let sum = 0;
  for (const [index, count] of counts.entries()) {
    const begin = Math.max(fromMs, count.atMs);
    const end = Math.min(toMs, counts[index + 1]?.atMs ?? toMs);
    if (end > begin) sum += (end - begin) * height(count);
  }
  return sum;
}

function isTerminatingAt(pod: PodLife, atMs: number): boolean {
  return (
    pod.terminating !== undefined &&
    pod.terminating.atMs <= atMs &&
    (pod.deleted === undefined || pod.deleted.atMs > atMs)
  );
}

function workloadStates(journal: Journal, clocks: Clocks): WorkloadState[] {
  const name = lastPart(journal.header.target.workload);
  const states: WorkloadState[] = [];
  for (const { facts, event, name: object, t, line } of journal.watches) {
    if (!isWorkloadFacts(facts)) continue;
    if (object !== name || event === 'DELETED') continue;
    states.push({ atMs: clocks.fromHarness(t), line, facts });
  }
  return states;
}

const wantedBy = (facts: WorkloadFacts): number =>
  facts.kind === 'DaemonSet' ? facts.desired : facts.specReplicas;

/** One entry per change; changes at the same time are folded into one. */
function podCounts(pods: ReadonlyMap<string, PodLife>, workload: readonly WorkloadState[]): PodCounts[] {
  const changes = [
    ...[...pods.values()].flatMap((pod) =>
      pod.changes.map(({ atMs, line, facts }) => ({ atMs, line, pod: pod.name, facts, wanted: undefined })),
    ),
    ...workload.map(({ atMs, line, facts }) => ({
      atMs,
      line,
      pod: undefined,
      facts: undefined,
      wanted: wantedBy(facts),
    })),
  ].sort((a, b) => a.line - b.line);
  const present = new Map<string, PodFacts>();
  const counts: PodCounts[] = [];
  let wanted = 0;
  for (const { atMs, line, pod, facts, wanted: newWanted } of changes) {
    if (newWanted !== undefined) wanted = newWanted;
    if (pod !== undefined) {
      if (facts) present.set(pod, facts);
      else present.delete(pod);
    }
    const count = { atMs, line, wanted, ...tally(present) };
    if (counts.at(-1)?.atMs === atMs) counts[counts.length - 1] = count;
    else counts.push(count);
  }
  return counts;
}

function tally(present: ReadonlyMap<string, PodFacts>) {
  const perNode = new Map<string, number>();
  let ready = 0;
  let notReady = 0;
  let terminating = 0;
  for (const pod of present.values()) {
    if (pod.terminating) terminating++;
    // An ended pod whose object stays (evicted, refused by the kubelet) is no pod that runs or will run.
    else if (pod.phase === 'Succeeded' || pod.phase === 'Failed') continue;
    else {
      if (pod.ready) ready++;
      else notReady++;
      if (pod.node) perNode.set(pod.node, (perNode.get(pod.node) ?? 0) + 1);
    }
  }
  return { ready, notReady, terminating, perNode };
}

/** ReplicaSets are called rs1, rs2 … in order of their appearance. */
function followReplicaSets(journal: Journal, clocks: Clocks, fromMs: number) {
  const workload = lastPart(journal.header.target.workload);
  const replicaSets = new Map<string, { label: string; facts: ReplicaSetFacts }>();
  const scaleSteps: ScaleStep[] = [];
  const asked = new Map<string, number>();
  let maxPodsAsked: number | undefined;
  for (const { facts, event, name, t } of journal.watches) {
    if (facts.kind !== 'ReplicaSet' || facts.owner !== workload) continue;
    asked.set(name, event === 'DELETED' ? 0 : facts.specReplicas);
    if (clocks.fromHarness(t) >= fromMs)
      maxPodsAsked = Math.max(
        maxPodsAsked ?? 0,
        [...asked.values()].reduce((sum, one) => sum + one, 0),
      );
    if (event === 'DELETED') continue;
    const known = replicaSets.get(name);
    const label = known?.label ?? `rs${replicaSets.size + 1}`;
    const from = known?.facts.specReplicas ?? (event === 'EXISTING' ? facts.specReplicas : 0);
    const atMs = clocks.fromHarness(t);
    if (from !== facts.specReplicas && atMs >= fromMs) {
      scaleSteps.push({ atMs, replicaSet: label, from, to: facts.specReplicas });
    }
    replicaSets.set(name, { label, facts });
  }
  return { replicaSets, scaleSteps, maxPodsAsked };
}
