// A pod's status from what the runtime reports and what the probes found: phase, container states, conditions, in the
// order and with the words of pkg/kubelet/kubelet_pods.go and pkg/kubelet/status/generate.go. Pure.
import type { Pod } from '../api/types.ts';
import { apiTime } from './clock.ts';
import { fullImageName } from './images.ts';
import type { RunSnapshot, RuntimeSnapshot } from './pod-runtime.ts';
import type { Container } from './probe.ts';

export type PodStatus = NonNullable<Pod['status']>;
export type Condition = NonNullable<PodStatus['conditions']>[number];
export type ContainerStatus = NonNullable<PodStatus['containerStatuses']>[number];

/** Why the last attempt to start a container failed (kubelet: reasonCache). */
export interface StartFailure {
  readonly reason: string;
  readonly message: string | undefined;
}

interface StatusInput {
  readonly pod: Pod;
  readonly snapshot: RuntimeSnapshot;
  /** The status that this kubelet decided last, or the API's. */
  readonly old: PodStatus;
  readonly hostIP: string;
  /** The pod's containers will not be started again, whatever its restart policy. */
  readonly podIsTerminal: boolean;
  readonly failureOf: (container: string) => StartFailure | undefined;
  /** Adds `started` and `ready`, from the probes. */
  readonly probed: (statuses: ContainerStatus[]) => void;
  readonly nowMs: number;
  /** The kubelet itself has decided that the pod has failed. */
  readonly failed?: { readonly reason: string; readonly message: string } | undefined;
}

export function podStatus(input: StatusInput): PodStatus {
  const { pod, snapshot, old, nowMs, hostIP } = input;
  const inits = pod.spec?.initContainers ?? [];
  const waiting = inits.length > 0 ? 'PodInitializing' : 'ContainerCreating';
  const initContainerStatuses = statusesOf(input, inits, old.initContainerStatuses, waiting);
  const containerStatuses = statusesOf(input, pod.spec?.containers ?? [], old.containerStatuses, waiting);
  input.probed([...initContainerStatuses, ...containerStatuses]);
  settleInitialized(pod, initContainerStatuses);
  let phase = phaseOf(pod, containerStatuses, initContainerStatuses, input.podIsTerminal);
  if (isTerminalPhase(old.phase)) phase = old.phase as string;
  if (input.failed) phase = 'Failed';
  const podIP = snapshot.podIP ?? old.podIP;
  const generated = conditionsOf(pod, snapshot, [...initContainerStatuses, ...containerStatuses], phase);
  const status: PodStatus = {
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: [
      ...(pod.status?.conditions ?? []).filter((condition) => !ownConditions.has(condition.type)),
      ...generated.map((condition) => withTimes(condition, old, pod, nowMs)),
    ],
    ...(phase === old.phase && old.reason && { reason: old.reason }),
    ...(phase === old.phase && old.message && { message: old.message }),
    ...input.failed,
    hostIP,
    hostIPs: [{ ip: hostIP }],
    ...(podIP && { podIP, podIPs: [{ ip: podIP }] }),
    startTime: old.startTime ?? apiTime(nowMs),
    ...(initContainerStatuses.length > 0 && { initContainerStatuses }),
    containerStatuses,
    ...(pod.status?.qosClass && { qosClass: pod.status.qosClass }),
  };
  return status;
}

export const isTerminalPhase = (phase: string | undefined): boolean =>
  phase === 'Succeeded' || phase === 'Failed';

/** Conditions that the kubelet writes; others are kept as they are, before its own. */
const ownConditions = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
]);

/** Whether a container that is not running is to be started (kuberuntime: ShouldContainerBeRestarted). */
export function isToBeStarted(pod: Pod, latest: RunSnapshot | undefined, container: Container): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  if (!latest) return true;
  if (latest.state !== 'exited') return false;
  if (isSidecar(container)) return true;
  const policy = pod.spec?.restartPolicy ?? 'Always';
  // One that is to succeed before the others is not run again when it has.
  const isInit = pod.spec?.initContainers?.some(({ name }) => name === container.name);
  if (policy === 'Never') return false;
  if (isInit) return latest.exitCode !== 0;
  return policy === 'Always' || latest.exitCode !== 0;
}

/** An init container that goes on running beside the others. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

export const sidecarsOf = (pod: Pod): Container[] => (pod.spec?.initContainers ?? []).filter(isSidecar);

/** Every init container has succeeded, every sidecar has started: the others may run. */
export function isInitialized(
  pod: Pod,
  runs: readonly RunSnapshot[],
  started: (sidecar: string) => boolean,
): boolean {
  // Once the others have been started it does not count any more what became of these.
  const names = new Set((pod.spec?.containers ?? []).map(({ name }) => name));
  if (runs.some((run) => names.has(run.container))) return true;
  return (pod.spec?.initContainers ?? []).every((container) => {
    const latest = runs.find((run) => run.container === container.name);
    if (isSidecar(container)) return latest?.state === 'running' && started(container.name);
    return latest?.state === 'exited' && latest.exitCode === 0;
  });
}

/** An init container is ready when it has succeeded; nobody probes it. */
function settleInitialized(pod: Pod, statuses: ContainerStatus[]): void {
  for (const container of pod.spec?.initContainers ?? []) {
    const status = statuses.find(({ name }) => name === container.name);
    if (!status || isSidecar(container)) continue;
    status.ready = status.state?.terminated?.exitCode === 0;
    status.started = false;
  }
}

function statusesOf(
  { pod, snapshot, failureOf }: StatusInput,
  containers: readonly Container[],
  olds: readonly ContainerStatus[] | undefined,
  waitingReason: string,
): ContainerStatus[] {
  return containers.map((container) => {
    const before = olds?.find((status) => status.name === container.name);
    const [latest, previous] = snapshot.runs.filter((run) => run.container === container.name);
    let status: ContainerStatus = {
      name: container.name,
      image: container.image ?? '',
      imageID: '',
      ready: false,
      started: false,
      restartCount: before?.restartCount ?? 0,
      state: { waiting: { reason: waitingReason } },
      lastState: before?.lastState ?? {},
    };
    if (before?.state?.terminated) status = { ...before, ready: false, started: false };
    if (latest) {
      status = {
        name: container.name,
        image: container.image ?? '',
        imageID: `${fullImageName(latest.image).replace(/:[^/]*$/, '')}@sha256:${latest.id}`,
        containerID: `containerd://${latest.id}`,
        ready: false,
        started: false,
        restartCount: latest.attempt,
        state: stateOf(latest),
        lastState: previous ? stateOf(previous) : {},
      };
    }
    const failure = failureOf(container.name);
    if (failure && isToBeStarted(pod, latest, container)) {
      if (status.state?.terminated) status.lastState = status.state;
      status.state = {
        waiting: { reason: failure.reason, ...(failure.message && { message: failure.message }) },
      };
    }
    return status;
  });
}

function stateOf(run: RunSnapshot): NonNullable<ContainerStatus['state']> {
  switch (run.state) {
    case 'created':
      return { waiting: { reason: 'ContainerCreating' } };
    case 'running':
      return { running: { startedAt: apiTime(run.startedAtMs) } };
    case 'exited':
      return {
        terminated: {
          exitCode: run.exitCode,
          reason: run.reason,
          ...(run.message && { message: run.message }),
          ...(run.startedAtMs > 0 && { startedAt: apiTime(run.startedAtMs) }),
          finishedAt: apiTime(run.finishedAtMs),
          containerID: `containerd://${run.id}`,
        },
      };
  }
}

/** kubelet: getPhase. */
function phaseOf(
  pod: Pod,
  statuses: readonly ContainerStatus[],
  initStatuses: readonly ContainerStatus[],
  podIsTerminal: boolean,
): string {
  let initializing = 0;
  for (const container of pod.spec?.initContainers ?? []) {
    const status = initStatuses.find(({ name }) => name === container.name);
    const ended = status?.state?.terminated ?? (status?.state?.waiting && status.lastState?.terminated);
    if (isSidecar(container)) {
      if (!status?.started && !ended) initializing++;
    } else if (!ended) initializing++;
    else if (ended.exitCode !== 0) {
      if (pod.spec?.restartPolicy === 'Never') return 'Failed';
      initializing++;
    }
  }
  let waiting = 0;
  let running = 0;
  let stopped = 0;
  let succeeded = 0;
  for (const { state, lastState } of statuses) {
    if (state?.running) running++;
    else if (state?.terminated) {
      stopped++;
      if (state.terminated.exitCode === 0) succeeded++;
    } else if (lastState?.terminated) stopped++;
    else waiting++;
  }
  // A sidecar that restarts later does not take a pod back to Pending.
  if (initializing > 0 && running === 0 && stopped === 0) return podIsTerminal ? 'Failed' : 'Pending';
  if (waiting > 0) return 'Pending';
  if (running > 0) return 'Running';
  if (stopped === 0) return 'Pending';
  const policy = pod.spec?.restartPolicy ?? 'Always';
  if (podIsTerminal) return stopped === succeeded ? 'Succeeded' : 'Failed';
  if (policy === 'Always') return 'Running';
  if (stopped === succeeded) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

interface Verdict {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

function conditionsOf(
  pod: Pod,
  snapshot: RuntimeSnapshot,
  statuses: readonly ContainerStatus[],
  phase: string,
): Verdict[] {
  return [
    { type: 'PodReadyToStartContainers', status: snapshot.sandboxReady ? 'True' : 'False' },
    initializedCondition(pod, statuses, phase),
    readyCondition(pod, statuses, phase),
    containersReadyCondition(pod, statuses, phase),
    { type: 'PodScheduled', status: 'True' },
  ];
}

function initializedCondition(pod: Pod, statuses: readonly ContainerStatus[], phase: string): Verdict {
  const type = 'Initialized';
  if (phase === 'Succeeded') return { type, status: 'True', reason: 'PodCompleted' };
  const names = new Set((pod.spec?.containers ?? []).map(({ name }) => name));
  const begun = statuses.some(
    ({ name, state, lastState }) =>
      names.has(name) && (state?.running || state?.terminated || lastState?.terminated),
  );
  const incomplete = (pod.spec?.initContainers ?? [])
    .filter((container) => {
      const status = statuses.find(({ name }) => name === container.name);
      return isSidecar(container) ? !status?.started : !status?.ready;
    })
    .map(({ name }) => name);
  if (incomplete.length === 0 || begun) return { type, status: 'True' };
  return {
    type,
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${incomplete.join(' ')}]`,
  };
}

export function containersReadyCondition(
  pod: Pod,
  statuses: readonly ContainerStatus[],
  phase: string,
): Verdict {
  const type = 'ContainersReady';
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' };
  const unknown: string[] = [];
  const unready: string[] = [];
  for (const { name } of [...sidecarsOf(pod), ...(pod.spec?.containers ?? [])]) {
    const status = statuses.find((candidate) => candidate.name === name);
    if (!status) unknown.push(name);
    else if (!status.ready) unready.push(name);
  }
  const messages = [
    ...(unknown.length > 0 ? [`containers with unknown status: [${unknown.join(' ')}]`] : []),
    ...(unready.length > 0 ? [`containers with unready status: [${unready.join(' ')}]`] : []),
  ];
  if (messages.length === 0) return { type, status: 'True' };
  return { type, status: 'False', reason: 'ContainersNotReady', message: messages.join(', ') };
}

export function readyCondition(pod: Pod, statuses: readonly ContainerStatus[], phase: string): Verdict {
  const containers = containersReadyCondition(pod, statuses, phase);
  if (containers.status !== 'True') return { ...containers, type: 'Ready' };
  const messages: string[] = [];
  for (const { conditionType } of pod.spec?.readinessGates ?? []) {
    const gate = pod.status?.conditions?.find((condition) => condition.type === conditionType);
    if (!gate)
      messages.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (gate.status !== 'True') {
      messages.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`);
    }
  }
  if (messages.length === 0) return { type: 'Ready', status: 'True' };
  return { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') };
}

/** A condition's time changes with its status alone. */
export function withTimes(verdict: Verdict, old: PodStatus, pod: Pod, nowMs: number): Condition {
  const before =
    old.conditions?.find((condition) => condition.type === verdict.type) ??
    pod.status?.conditions?.find((condition) => condition.type === verdict.type);
  return {
    type: verdict.type,
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
    status: verdict.status,
    lastTransitionTime:
      before?.status === verdict.status && before.lastTransitionTime
        ? before.lastTransitionTime
        : apiTime(nowMs),
    ...(verdict.reason && { reason: verdict.reason }),
    ...(verdict.message && { message: verdict.message }),
  };
}
