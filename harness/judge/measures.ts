// The table of measures that claims can name (docs/claims.md): one number or text per name. Names of lane measures
// carry the lane in front ("new.lost"); a claim names the lane apart and the measure without it.

import type { Clocks } from '../journal/clocks.ts';
import type { Journal } from '../journal/journal.ts';
import type { PodLife } from '../journal/pods.ts';
import { type Rollout, within } from '../journal/rollout.ts';
import type { Stream } from '../journal/streams.ts';
import type { Witness } from '../journal/witness.ts';
import { hops } from '../model/entry.ts';
import { type ByLine, type LineId, lineId, linesOf } from '../model/line.ts';
import { BUCKET_MS, certificateCounter, lostOutcomes } from '../model/load.ts';
import { causes, type LaneResult } from '../model/results.ts';
import { hostPortOf } from '../model/url-path.ts';
import type { Scene } from './causes/scene.ts';
import { placementMeasures } from './placement.ts';
import { queueMeasures } from './queue.ts';
import { targetShares } from './target-share.ts';

export type Measure = number | string;
export type Measures = Record<string, Measure>;

interface MeasureContext {
  readonly journal: Journal;
  readonly clocks: Clocks;
  readonly scene: Scene;
  readonly witness: Witness;
  readonly streams: readonly Stream[];
  readonly lanes: ByLine<LaneResult>;
  /** By line: the last attempt that was surely routed to a pod that had stopped, by pod, ms. */
  readonly lastRouted: ReadonlyMap<LineId, ReadonlyMap<string, number>>;
  readonly rollout: Rollout;
}

export function measure(context: MeasureContext): Measures {
  const measures: Measures = {};
  for (const lane of linesOf([context])) {
    const result = context.lanes[lane];
    if (result) put(measures, laneMeasures(result), `${lane}.`);
  }
  put(measures, targetShares({ ...context, pods: new Set(context.scene.pods.keys()) }));
  put(measures, rolloutMeasures(context.rollout));
  put(measures, placementMeasures(context));
  put(measures, endpointMeasures(context));
  put(measures, podMeasures(context));
  put(measures, workloadMeasures(context));
  put(measures, autoscalerMeasures(context));
  put(measures, queueMeasures(context.journal, context.clocks, context.rollout));
  put(measures, eventMeasures(context));
  put(measures, stepMeasures(context));
  return measures;
}

type Found = Readonly<Record<string, Measure | null | undefined>>;

/** What was not measured has no entry, so that a claim on it is undecided instead of 0. */
function put(measures: Measures, found: Found, prefix = ''): void {
  for (const [name, value] of Object.entries(found)) {
    if (value === null || value === undefined) continue;
    measures[prefix + name] = typeof value === 'number' ? round(value) : value;
  }
}

/** To a thousandth: clocks are not better than a µs. */
const round = (value: number) => Math.round(value * 1000) / 1000;

function laneMeasures(result: LaneResult): Found {
  const measured = result.attempts - (result.outcomes.aborted ?? 0) - (result.outcomes.local ?? 0);
  const found: Record<string, Measure | null | undefined> = {
    lost: result.lost,
    attempts: result.attempts,
    races: result.races,
    shed: result.shed,
    windows: result.windows.length,
    longestOutageMs: result.longestOutageMs,
    recoveredMs: result.recoveredMs,
    okShare: measured > 0 ? (result.outcomes.ok ?? 0) / measured : undefined,
    lostShare: measured > 0 ? result.lost / measured : undefined,
    lostWithoutRaces: result.lost - result.races,
    latencyP50Ms: result.latencyMs.p50,
    latencyP99Ms: result.latencyMs.p99,
    latencyMaxMs: result.latencyMs.max,
  };
  for (const outcome of lostOutcomes) found[`lost:${outcome}`] = result.outcomes[outcome] ?? 0;
  for (const cause of causes) found[`cause:${cause}`] = result.causes[cause] ?? 0;
  if (result.hops) for (const hop of hops) found[`hop:${hop}`] = result.hops[hop] ?? 0;
  found.repeated = result.deliveries?.repeated;
  found.hidden = result.deliveries?.hidden;
  found.retriedByLog = result.retriedByLog;
  const { counters = {}, openStreams, tlsReasons } = result;
  if (tlsReasons) found.tlsReasons = Object.keys(tlsReasons).sort().join(', ');
  const certificates = Object.keys(counters).filter((name) => name.startsWith(certificateCounter)).length;
  if (certificates > 0) found.certificates = certificates;
  for (const name in counters)
    if (!name.startsWith(certificateCounter)) found[`counter:${name}`] = counters[name];
  found.newPodsShare = result.podShares?.cameEndShare;
  found.newPodsShareAfterMs = result.podShares?.cameEnoughMs;
  if (openStreams) {
    found.streamsBackP50Ms = openStreams.back?.p50Ms;
    found.streamsBackMaxMs = openStreams.back?.maxMs;
    found.streamsNotBack = openStreams.notBack;
    found.streamsBackPerSecondMax = openStreams.storm?.perSecond;
  }
  return found;
}

function rolloutMeasures(rollout: Rollout): Found {
  const seen = rollout.counts.length > 0;
  return {
    rolloutMs: rollout.completedMs,
    settledMs: rollout.settledMs,
    ...(seen && {
      minReady: rollout.minReady,
      maxPodsNotTerminating: rollout.maxPodsNotTerminating,
      maxPods: rollout.maxPods,
      maxTerminating: rollout.maxTerminating,
      capacityLostPodSeconds: rollout.capacityLostPodSeconds,
      extraPodSeconds: rollout.extraPodSeconds,
      readyAtEnd: within(rollout.counts, rollout.toMs, rollout.toMs).at(-1)?.ready,
      podCounts: countsText(rollout),
    }),
    maxPodsAsked: rollout.maxPodsAsked,
    scaleSteps: rollout.scaleSteps
      .map(({ replicaSet, from, to }) => `${replicaSet} ${from}>${to}`)
      .join(', '),
  };
}

/** "3/0/0, 3/1/0 …": ready/not ready/terminating, each time one of them changes. */
function countsText(rollout: Rollout): string {
  const texts = within(rollout.counts, rollout.fromMs, rollout.toMs).map(
    ({ ready, notReady, terminating }) => `${ready}/${notReady}/${terminating}`,
  );
  return texts.filter((text, index) => text !== texts[index - 1]).join(', ');
}

function endpointMeasures({ scene, rollout }: MeasureContext): Found {
  const { states } = scene.routing;
  if (states.length === 0) return {};
  const inRange = within(states, rollout.fromMs, rollout.toMs);
  let emptyMs = 0;
  for (const [index, state] of states.entries()) {
    if (state.routed.size > 0) continue;
    const fromMs = Math.max(rollout.fromMs, state.atMs);
    emptyMs += Math.max(0, Math.min(rollout.toMs, states[index + 1]?.atMs ?? rollout.toMs) - fromMs);
  }
  const lags = [...scene.pods.values()].flatMap((pod) => {
    if (!pod.ready || pod.ready.atMs < rollout.fromMs) return [];
    const { atMs } = pod.ready;
    const routed = states.find((state) => state.routed.has(pod.name));
    return routed ? [routed.atMs - atMs] : [];
  });
  return {
    minEndpointsReady: inRange.length > 0 ? Math.min(...inRange.map((state) => state.ready)) : undefined,
    minEndpointsRouted:
      inRange.length > 0 ? Math.min(...inRange.map((state) => state.routed.size)) : undefined,
    noEndpointMs: emptyMs,
    endpointAfterReadyMsMax: lags.length > 0 ? Math.max(...lags) : undefined,
  };
}

function podMeasures({
  scene,
  rollout,
  streams,
  journal,
  clocks,
  lastRouted,
  witness,
}: MeasureContext): Found {
  const pods = [...scene.pods.values()];
  const later = pods.filter((pod) => (pod.created?.atMs ?? Number.NEGATIVE_INFINITY) >= rollout.fromMs);
  const going = pods.filter((pod) => (pod.terminating?.atMs ?? Number.NEGATIVE_INFINITY) >= rollout.fromMs);
  const found: Record<string, Measure | undefined> = {
    podsCreated: later.length,
    podsDeleted: going.length,
    restarts: Math.max(
      0,
      sumOf(pods, restartsOf) - sumOf(pods, (pod) => restartsBefore(pod, rollout.fromMs)),
    ),
    ...range(
      'readyAfterStartMs',
      differences(
        later,
        (pod) => pod.running,
        (pod) => pod.ready,
      ),
    ),
    ...range(
      'readyAfterCreationMs',
      differences(
        later,
        (pod) => pod.created,
        (pod) => pod.ready,
      ),
    ),
    ...range('listeningAfterStartMs', differences(later, phaseOf('starting'), phaseOf('listening'))),
    ...range(
      'readyAfterListeningMs',
      differences(later, phaseOf('listening'), (pod) => pod.ready),
    ),
    ...range('firstAnswerAfterReadyMs', firstAnswers(later, streams)),
    ...range(
      'sigtermAfterDeletionMs',
      differences(going, (pod) => pod.terminating, phaseOf('sigterm')),
    ),
    ...range(
      'terminationMs',
      differences(
        going,
        (pod) => pod.terminating,
        (pod) => pod.deleted,
      ),
    ),
    ...range('readyAfterDeletionMs', replacementTimes(going, rollout)),
    ...range(
      'lastNewConnectionAfterDeletionMs',
      lastNewConnections(going, streams, lastRouted.get('new') ?? new Map(), witness),
    ),
    ...byEntry(going, { journal, streams, lastRouted, witness }),
    graceExceeded: going.filter((pod) => pod.graceExceeded).length,
    neverReady: later.filter((pod) => !pod.ready && !pod.terminating).length,
  };
  const codes = new Map<number, number>();
  for (const pod of pods) {
    for (const ending of pod.endings) {
      if (ending.exitCode === undefined || ending.atMs < rollout.fromMs) continue;
      codes.set(ending.exitCode, (codes.get(ending.exitCode) ?? 0) + 1);
    }
  }
  for (const code of [0, 1, 137, 143]) found[`exitCode:${code}`] = codes.get(code) ?? 0;
  for (const [code, count] of codes) found[`exitCode:${code}`] = count;
  const cordoned = journal.watches.filter(
    ({ facts, t }) => facts.kind === 'Node' && facts.unschedulable && clocks.fromHarness(t) >= rollout.fromMs,
  );
  found.nodesCordoned = new Set(cordoned.map((watch) => watch.name)).size;
  return found;
}

/** From Ready to the pod's first answered new connection (to the end of a 100 ms bucket): when traffic reaches it. */
function firstAnswers(pods: readonly PodLife[], streams: readonly Stream[]): number[] {
  const ofLane = streams.filter((stream) => stream.lane === 'new' && !stream.control);
  return pods.flatMap(({ name, ready }) => {
    const first = ofLane.flatMap((stream) => stream.answers.get(name)?.firstMs ?? []);
    return ready && first.length > 0 ? [Math.min(...first) + BUCKET_MS - ready.atMs] : [];
  });
}

const sumOf = (pods: readonly PodLife[], of: (pod: PodLife) => number) =>
  pods.reduce((sum, pod) => sum + of(pod), 0);
const restartsIn = (pod: PodLife, untilMs: number) => {
  let restarts = 0;
  for (const { facts, atMs } of pod.changes) {
    if (atMs >= untilMs) break;
    for (const container of facts?.containers ?? []) restarts = Math.max(restarts, container.restarts);
  }
  return restarts;
};
const restartsOf = (pod: PodLife) => restartsIn(pod, Number.POSITIVE_INFINITY);
const restartsBefore = (pod: PodLife, atMs: number) => restartsIn(pod, atMs);

type When = (pod: PodLife) => { readonly atMs: number } | undefined;
const phaseOf =
  (phase: string): When =>
  (pod) =>
    pod.phases.find((one) => one.phase === phase);

function differences(pods: readonly PodLife[], from: When, to: When): number[] {
  return pods.flatMap((pod) => {
    const begin = from(pod);
    const end = to(pod);
    return begin && end ? [end.atMs - begin.atMs] : [];
  });
}

function range(name: string, values: readonly number[]): Record<string, number> {
  if (values.length === 0) return {};
  return { [`${name}Min`]: Math.min(...values), [`${name}Max`]: Math.max(...values) };
}

/** From a pod's deletion until as many pods were ready as were wanted. */
function replacementTimes(going: readonly PodLife[], rollout: Rollout): number[] {
  return going.flatMap((pod) => {
    const fromMs = pod.terminating?.atMs ?? 0;
    // Strictly after: the counts of the deletion itself still see the others only.
    const full = rollout.counts.find((count) => count.atMs >= fromMs && count.ready >= count.wanted);
    return full ? [full.atMs - fromMs] : [];
  });
}

/**
 * From a pod's deletion to the last new connection that was routed to it: how long the routing lagged, and so how long a
 * preStop sleep must at least be. By connection tracking exactly; without it as far as answers (to the end of a 100 ms
 * bucket) and what was lost because the pod had stopped tell.
 */
function lastNewConnections(
  going: readonly PodLife[],
  streams: readonly Stream[],
  lastRouted: ReadonlyMap<string, number>,
  { connections }: Pick<Witness, 'connections'>,
): number[] {
  // The kernel saw every connection: nothing is left to infer.
  if (connections.length > 0) {
    const last = new Map(connections.map(({ pod, atMs }) => [pod, atMs]));
    return going.flatMap(({ name, terminating }) => {
      const atMs = last.get(name);
      return atMs === undefined ? [] : [Math.max(0, atMs - (terminating?.atMs ?? 0))];
    });
  }
  const ofLane = streams.filter((stream) => stream.lane === 'new' && !stream.control);
  return going.flatMap((pod) => {
    const times = [...ofLane.map((stream) => stream.answers.get(pod.name)?.lastMs), lastRouted.get(pod.name)];
    const known = times.filter((atMs) => atMs !== undefined);
    const fromMs = pod.terminating?.atMs ?? 0;
    return known.length > 0 ? [Math.max(0, Math.max(...known) - fromMs)] : [];
  });
}

/** The same for each entry by itself, where several are measured side by side; to a pod behind a proxy as far as answers tell. */
function byEntry(
  going: readonly PodLife[],
  {
    journal,
    streams,
    lastRouted,
    witness,
  }: Pick<MeasureContext, 'journal' | 'streams' | 'lastRouted' | 'witness'>,
): Record<string, number> {
  const { entries = [], plan } = journal.header;
  const found: Record<string, number> = {};
  for (const { name } of entries) {
    const line = lineId({ kind: 'new', entry: name });
    const own = streams.filter(({ id }) => id === line);
    const addresses = plan.streams.filter(({ id }) => id === line).map(({ url }) => hostPortOf(url));
    const names = new Set(going.map((pod) => pod.name));
    const connections = own.some(({ proxied }) => proxied)
      ? []
      : witness.connections.filter(({ to, pod }) => addresses.includes(to) && names.has(pod));
    const times = lastNewConnections(going, own, lastRouted.get(line) ?? new Map(), { connections });
    if (times.length > 0) found[`lastNewConnectionAfterDeletionMsMax:${name}`] = Math.max(...times);
  }
  return found;
}

function workloadMeasures({ rollout }: MeasureContext): Found {
  const { workload, replicaSets, fromMs, toMs } = rollout;
  const last = workload.at(-1)?.facts;
  const inRange = within(workload, fromMs, toMs).map((state) => state.facts);
  if (!last) return {};
  const wanted = inRange.map((facts) => (facts.kind === 'DaemonSet' ? facts.desired : facts.specReplicas));
  const found: Record<string, Measure | undefined> = {
    specReplicasMin: Math.min(...wanted),
    specReplicasMax: Math.max(...wanted),
    specReplicasEnd: wanted.at(-1),
    specReplicas: wanted.filter((value, index) => value !== wanted[index - 1]).join('>'),
    imageAtEnd: last.images[0],
  };
  if (last.kind !== 'Deployment') return found;
  const deployments = inRange.filter((facts) => facts.kind === 'Deployment');
  const conditions = deployments.flatMap((facts) => facts.conditions);
  const revisions = [...replicaSets.values()]
    .map(({ facts }) => Number(facts.revision))
    .filter((revision) => Number.isFinite(revision))
    .sort((a, b) => a - b);
  return {
    ...found,
    revisionAtEnd: last.revision === undefined ? undefined : Number(last.revision),
    revisions: revisions.join(','),
    replicaSets: replicaSets.size,
    maxStatusReplicas: Math.max(...deployments.map((facts) => facts.replicas)),
    minAvailable: Math.min(...deployments.map((facts) => facts.available)),
    progressDeadlineExceeded: conditions.some((one) => one.reason === 'ProgressDeadlineExceeded') ? 1 : 0,
    unavailableSeen: conditions.some((one) => one.type === 'Available' && one.status === 'False') ? 1 : 0,
    pausedSeen: deployments.some((facts) => facts.paused) ? 1 : 0,
    updatedAtEnd: last.updated,
  };
}

function autoscalerMeasures({ journal, clocks, rollout }: MeasureContext): Found {
  const states = journal.watches.flatMap(({ facts, event, t }) =>
    facts.kind === 'HorizontalPodAutoscaler' && event !== 'DELETED'
      ? [{ atMs: clocks.fromHarness(t) - rollout.fromMs, facts }]
      : [],
  );
  const desired = states.map(({ facts }) => facts.desired).filter((value) => value > 0);
  if (desired.length === 0) return {};
  const highest = Math.max(...desired);
  const first = desired[0] ?? 0;
  const at = (matches: (value: number) => boolean) =>
    states.find(({ facts }) => matches(facts.desired))?.atMs;
  const peakMs = at((value) => value === highest);
  return {
    desiredMax: highest,
    desiredMin: Math.min(...desired),
    desiredEnd: desired.at(-1),
    desired: desired.filter((value, index) => value !== desired[index - 1]).join('>'),
    scaledUpMs: highest > first ? at((value) => value > first) : undefined,
    peakMs,
    scaledDownMs: states.find(
      ({ atMs, facts }) =>
        peakMs !== undefined && atMs > peakMs && facts.desired > 0 && facts.desired < highest,
    )?.atMs,
    utilizationMax: Math.max(0, ...states.map(({ facts }) => facts.currentUtilization ?? 0)),
  };
}

/** Events of the run by reason; those from before the first step are not counted. */
function eventMeasures({ journal, clocks, rollout }: MeasureContext): Found {
  const counts = new Map<string, number>();
  const seen = new Map<string, number>();
  const messages = new Map<string, string>();
  for (const { facts, event, name, t } of journal.watches) {
    if (facts.kind !== 'Event' || event === 'DELETED') continue;
    const same = `${name}/${facts.reason}/${facts.message}`;
    const before = seen.get(same) ?? 0;
    seen.set(same, Math.max(before, facts.count));
    if (event === 'EXISTING' || clocks.fromHarness(t) < rollout.fromMs) continue;
    counts.set(facts.reason, (counts.get(facts.reason) ?? 0) + Math.max(0, facts.count - before));
    messages.set(facts.reason, facts.message);
  }
  const found: Record<string, Measure> = { preStopCut: counts.get('FailedPreStopHook') ?? 0 };
  for (const reason of countedReasons) found[`event:${reason}`] = 0;
  for (const [reason, count] of counts) found[`event:${reason}`] = count;
  for (const [reason, message] of messages) found[`eventMessage:${reason}`] = message;
  return found;
}

/** Reasons that claims ask for even when there is no such event. */
const countedReasons = [
  'FailedScheduling',
  'Unhealthy',
  'BackOff',
  'Failed',
  'FailedPreStopHook',
  'SuccessfulRescale',
  'NodePorts',
];

/** What steps recorded: refusals, histories, and their figures as "step:N.name" (N from 1). */
function stepMeasures({ journal }: MeasureContext): Found {
  const found: Record<string, Measure> = {};
  let refusals = 0;
  let refusalsAsExpected = 0;
  const parity: Parity = { comparisons: 0, fieldsCompared: 0, found: [] };
  for (const { step, event, index, detail = {} } of journal.steps) {
    if (event !== 'end') continue;
    for (const [name, value] of Object.entries(detail)) {
      const text = Array.isArray(value) ? value.join(',') : value;
      if (typeof text === 'number' || typeof text === 'string') found[`step:${index + 1}.${name}`] = text;
      else if (typeof text === 'boolean') found[`step:${index + 1}.${name}`] = text ? 1 : 0;
    }
    if (detail.refused === true) refusals++;
    if (detail.refused === true && detail.asExpected === true) refusalsAsExpected++;
    if (step.step === 'drain-node' && typeof detail.refusals === 'number')
      found.evictionsRefused = detail.refusals;
    if (step.step === 'twin' && typeof detail.kubectlVersion === 'string') {
      found.kubectlVersion = detail.kubectlVersion;
    }
    if (step.step === 'compare-twin' && Array.isArray(detail.differences)) {
      parity.comparisons++;
      parity.fieldsCompared += typeof detail.compared === 'number' ? detail.compared : 0;
      parity.found.push(...detail.differences.map((difference) => `${step.as}: ${difference}`));
    }
    if (step.step === 'history' && Array.isArray(detail.revisions)) {
      found[`history:${step.as}`] = detail.revisions.join(',');
    }
  }
  return { ...found, refusals, refusalsAsExpected, ...parityMeasures(parity) };
}

interface Parity {
  comparisons: number;
  fieldsCompared: number;
  readonly found: string[];
}

/** Where our steps and the real kubectl left two Deployments with the same history; none: kubectl did not take part. */
function parityMeasures({ comparisons, fieldsCompared, found }: Parity): Found {
  if (comparisons === 0) return {};
  return {
    comparisons,
    fieldsCompared,
    differences: found.length,
    differenceList: found.join('; ') || 'none',
  };
}

const parityNames = ['comparisons', 'fieldsCompared', 'differences', 'differenceList', 'kubectlVersion'];

/** Measures that this machine cannot take, each with the reason: what steps say that they could not do. */
export function notRunMeasures({ steps }: Journal): Readonly<Record<string, string>> {
  const reasons = steps.flatMap(({ step, event, detail }) => {
    const reason = detail?.notRun;
    return event === 'end' && step.step === 'compare-twin' && typeof reason === 'string' ? [reason] : [];
  });
  const [reason] = reasons;
  if (reason === undefined) return {};
  return Object.fromEntries(parityNames.map((name) => [name, reason]));
}
