// What keeps a pod from being ready, in words, and whether it passes by itself. Pure.

export interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: {
    readonly exitCode?: number;
    readonly signal?: number;
    readonly reason?: string;
    readonly message?: string;
  };
}

export interface ObservedPod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: {
    readonly nodeName?: string;
    readonly schedulerName?: string;
    readonly readinessGates?: readonly { readonly conditionType: string }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface Trouble {
  /** What stays the same when a pod is replaced by another one with the same trouble. */
  readonly kind: string;
  readonly words: string;
  readonly pod: string;
  /** Whose log may say why. */
  readonly container: string | undefined;
  readonly restarted?: boolean;
}

/** Reasons of a waiting container that do not pass by themselves (pkg/kubelet/images, pkg/kubelet/kuberuntime). */
const stuck =
  /^(ErrImage|ImagePull|InvalidImage|ImageInspectError|CreateContainer.*Error|CreatePodSandboxError|RunContainerError|CrashLoopBackOff)/;

/** undefined: nothing that does not pass by itself. */
export function troubleOf(pod: ObservedPod): Trouble | undefined {
  const { name } = pod.metadata;
  for (const status of containersOf(pod)) {
    const { waiting } = status.state ?? {};
    if (!waiting?.reason || !stuck.test(waiting.reason)) continue;
    const crashed = waiting.reason === 'CrashLoopBackOff' || waiting.reason === 'RunContainerError';
    return {
      // Between its restarts a container runs for a moment: `crashes` below is the same trouble.
      kind: crashed ? `crash ${status.name}` : `image ${status.name}`,
      words: `pod ${name}, container ${status.name}: ${stateInWords(status)}`,
      pod: name,
      container: crashed ? status.name : undefined,
      restarted: true,
    };
  }
  const crashing = containersOf(pod).find(
    ({ ready, restartCount = 0, state, lastState }) =>
      !ready && (state?.terminated || lastState?.terminated) && restartCount > 0,
  );
  if (crashing) {
    return {
      kind: `crash ${crashing.name}`,
      words: `pod ${name}, container ${crashing.name}: ${stateInWords(crashing)}`,
      pod: name,
      container: crashing.name,
      restarted: !crashing.state?.terminated,
    };
  }
  const unscheduled = conditionOf(pod, 'PodScheduled');
  if (unscheduled?.status === 'False') {
    return {
      kind: 'unschedulable',
      words: `pod ${name} cannot be scheduled: ${unscheduled.message ?? unscheduled.reason ?? 'no reason given'}`,
      pod: name,
      container: undefined,
    };
  }
  const scheduler = pod.spec.schedulerName ?? 'default-scheduler';
  if (!unscheduled && !pod.spec.nodeName && scheduler !== 'default-scheduler') {
    return {
      kind: 'unschedulable',
      words: `pod ${name} waits for the scheduler "${scheduler}", which has not looked at it`,
      pod: name,
      container: undefined,
    };
  }
  if (pod.status?.phase === 'Failed') {
    const why = [pod.status.reason, pod.status.message].filter(Boolean).join(': ');
    const ended = containersOf(pod).find(({ state }) => state?.terminated);
    return {
      kind: 'failed',
      words: `pod ${name} failed: ${why || (ended ? `container ${ended.name} ${stateInWords(ended)}` : 'no reason given')}`,
      pod: name,
      container: ended?.name,
    };
  }
  const gate = unsetGate(pod);
  if (gate && conditionOf(pod, 'ContainersReady')?.status === 'True') {
    return {
      kind: `gate ${gate}`,
      words: `pod ${name}: all its containers are ready, but nobody sets the condition of its readiness gate ${gate}`,
      pod: name,
      container: undefined,
    };
  }
  return undefined;
}

/** What is seen of a pod that is not ready, for "Last seen: …". */
export function describePod(pod: ObservedPod): string {
  const trouble = troubleOf(pod);
  if (trouble) return trouble.words.replace(`pod ${pod.metadata.name}`, '').replace(/^[,:]? /, '');
  const containers = containersOf(pod)
    .filter(({ ready }) => !ready)
    .map((status) => `container ${status.name} ${stateInWords(status)}`);
  if (containers.length > 0) return containers.join(', ');
  const condition = pod.status?.conditions?.find(
    ({ type, status }) => type !== 'Ready' && status === 'False',
  );
  if (condition)
    return `condition ${condition.type} is False${condition.message ? `: ${condition.message}` : ''}`;
  return pod.status?.phase ?? 'no node has taken it yet';
}

/** A node has it, and a container of it has not been started for the first time. */
export const isBeingStarted = (pod: ObservedPod): boolean =>
  pod.spec.nodeName !== undefined &&
  containersOf(pod).some(({ state }) => state?.waiting?.reason === 'ContainerCreating');

/** A container of it runs, and its probe does not succeed. */
export const runsUnready = (pod: ObservedPod): boolean =>
  containersOf(pod).some(({ ready, state }) => state?.running !== undefined && ready !== true);

/**
 * Whether a probe fails with what stays so however long a program starts: its command is not in the image, or the port
 * speaks something else. A file that is not there yet, a refused connection or a status may pass.
 */
export const cannotSucceed = (probeMessage: string): boolean =>
  /executable file not found|: command not found|\bsh: (\d+: )?\S+: not found|does not implement the grpc health protocol|without sending trailers|HTTP response to HTTPS client|malformed HTTP /.test(
    probeMessage,
  );

function stateInWords({ state, lastState, restartCount = 0 }: ContainerStatus): string {
  const { waiting, running, terminated } = state ?? {};
  const before = lastState?.terminated;
  const restarts =
    restartCount > 0 ? ` after ${restartCount} ${restartCount === 1 ? 'restart' : 'restarts'}` : '';
  const ended = before ? `; it ended before with ${endOf(before)}` : '';
  if (waiting) {
    const why = waiting.message ? `: ${waiting.message}` : '';
    return `waits (${waiting.reason ?? 'no reason given'}${why})${restarts}${ended}`;
  }
  if (terminated) return `ended with ${endOf(terminated)}${restarts}`;
  if (running) return `runs and is not ready${restarts}${ended}`;
  return 'has not started';
}

function endOf({ exitCode, signal, reason, message }: NonNullable<ContainerState['terminated']>): string {
  const how = signal ? `signal ${signal}` : `exit code ${exitCode ?? 'unknown'}`;
  const why = reason && reason !== 'Error' && reason !== 'Completed' ? ` (${reason})` : '';
  return `${how}${why}${message ? `: ${lastOf(message.trim())}` : ''}`;
}

/** Of a long message the end, which says what it came to, from a whole word on. */
const lastOf = (message: string): string =>
  message.length <= LONGEST ? message : `… ${message.slice(-LONGEST).replace(/^\S*\s+/, '')}`;
const LONGEST = 200;

const containersOf = ({ status }: ObservedPod): readonly ContainerStatus[] => [
  // One that has done its work is not what is waited for.
  ...(status?.initContainerStatuses ?? []).filter(({ state }) => state?.terminated?.exitCode !== 0),
  ...(status?.containerStatuses ?? []),
];

const conditionOf = ({ status }: ObservedPod, type: string) =>
  status?.conditions?.find((condition) => condition.type === type);

/** One that is False has somebody who looks after it, and may take its time. */
const unsetGate = (pod: ObservedPod): string | undefined =>
  pod.spec.readinessGates?.find(({ conditionType }) => !conditionOf(pod, conditionType))?.conditionType;
