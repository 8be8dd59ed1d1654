// Whether what stands behind a Service has settled, from facts alone: every workload whose pods it selects is rolled out as
// its controller says, all pods are Ready, none is terminating, and the slices say the same. Pure.
import type {
  DeploymentFacts,
  EndpointSliceFacts,
  Facts,
  PodFacts,
  RolloutFacts,
  WorkloadFacts,
} from '../../model/facts.ts';
import { rolloutComplete } from '../../model/rollout.ts';

/** Objects by "Kind/name". */
export type Objects = ReadonlyMap<string, Facts>;

/** What keeps it from being settled, a clause each: "pod web-1 is terminating". Empty: it has settled. */
export function unsettled(objects: Objects, service: string): readonly string[] {
  const of = <K extends Facts['kind']>(kind: K) =>
    [...objects].flatMap(([key, facts]) =>
      facts.kind === kind && isBehind(facts, service)
        ? [{ name: key.slice(key.indexOf('/') + 1), facts: facts as Extract<Facts, { kind: K }> }]
        : [],
    );
  const workloads = [...of('Deployment'), ...of('StatefulSet'), ...of('DaemonSet'), ...of('Rollout')];
  return [
    ...of('Pod').flatMap(({ name, facts }) => ofPod(name, facts)),
    ...workloads.flatMap(({ name, facts }) => (isRolledOut(facts) ? [] : [ofWorkload(name, facts)])),
    ...of('EndpointSlice').flatMap(({ facts }) => ofSlice(facts)),
  ];
}

export function isBehind(facts: Facts, service: string): boolean {
  if (facts.kind === 'EndpointSlice') return facts.service === service;
  return 'services' in facts && (facts.services?.includes(service) ?? false);
}

function ofPod(name: string, pod: PodFacts): string[] {
  if (pod.terminating) return [`pod ${name} is terminating`];
  // What has ended and stays (evicted, a finished Job's) will not change.
  if (pod.ready || pod.phase === 'Succeeded' || pod.phase === 'Failed') return [];
  return [`pod ${name} is not ready (${whyNotReady(pod)})`];
}

/** "app: CrashLoopBackOff", "0/3 nodes are available: ...", "its readinessProbe does not succeed". */
function whyNotReady(pod: PodFacts): string {
  const waiting = pod.containers.find(({ state, reason }) => state !== 'running' && reason !== undefined);
  if (waiting) return `container ${waiting.name}: ${waiting.reason}`;
  const scheduled = pod.conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  if (scheduled) return scheduled.message ?? scheduled.reason ?? 'no node takes it';
  const unready = pod.containers.find(({ state, ready }) => state === 'running' && !ready);
  if (unready) return `container ${unready.name} runs and is not ready`;
  return pod.containers.length === 0 ? 'its containers have not started' : pod.phase;
}

/** With OnDelete nothing replaces pods of the old revision by itself: that they are all Ready is all there is to wait for. */
function isRolledOut(facts: WorkloadFacts): boolean {
  if (facts.kind === 'StatefulSet' && facts.strategy === 'OnDelete')
    return facts.ready >= facts.specReplicas && facts.replicas <= facts.specReplicas;
  if (facts.kind === 'DaemonSet') return rolloutComplete(facts);
  return rolloutComplete(facts) && facts.replicas <= facts.specReplicas;
}

function ofWorkload(name: string, facts: WorkloadFacts): string {
  const { kind, updated, available } = facts;
  const wanted = kind === 'DaemonSet' ? facts.desired : facts.specReplicas;
  const why = kind === 'Deployment' ? pausedOrStuck(facts) : kind === 'Rollout' ? phaseOf(facts) : '';
  return `${kind} ${name} has ${updated} of ${wanted} pods of the newest revision, ${available} available${why}`;
}

function pausedOrStuck({ paused, conditions }: DeploymentFacts): string {
  if (paused) return ', and it is paused';
  const stuck = conditions.some(({ reason }) => reason === 'ProgressDeadlineExceeded');
  return stuck ? ', and its progress deadline is over' : '';
}

/** ", Paused (CanaryPauseStep)". */
function phaseOf({ phase, message }: RolloutFacts): string {
  const why = message ? ` (${message})` : '';
  return phase === undefined ? ', and no controller has written its status' : `, ${phase}${why}`;
}

/** A pod whose end is known keeps its endpoint for a moment. */
function ofSlice({ endpoints }: EndpointSliceFacts): string[] {
  return endpoints
    .filter(({ terminating, ready }) => terminating || !ready)
    .map(
      ({ pod, ip, terminating }) => `endpoint ${pod ?? ip} is ${terminating ? 'terminating' : 'not ready'}`,
    );
}
