// Keeps the status that the kubelet decided for each pod and writes it to the API a moment later, newest state only,
// as pkg/kubelet/status/status_manager.go does; the last write of a deleted pod is its removal.
import type { Pod } from '../api/types.ts';
import { guarded } from './background.ts';
import { apiTime } from './clock.ts';
import type { NodeContext } from './node-context.ts';
import {
  type Condition,
  type ContainerStatus,
  containersReadyCondition,
  isSidecar,
  isTerminalPhase,
  type PodStatus,
  readyCondition,
  withTimes,
} from './pod-status.ts';

interface Entry {
  pod: Pod;
  status: PodStatus;
  version: number;
  writtenVersion: number;
  writing: boolean;
  /** Every container has ended and the clean-up is done: the API object may go. */
  finished: boolean;
}

const MOST_REJECTIONS_AT_ONCE = 3;
/** syncBatch runs at least this often, ms. */
const BATCH_MS = 10_000;

export class StatusWriter {
  private readonly node: NodeContext;
  private readonly entries = new Map<string, Entry>();
  private rejections = 0;
  private readonly cancels = new Set<() => void>();
  private closed = false;

  constructor(node: NodeContext) {
    this.node = node;
  }

  /** The status decided last, or undefined when this kubelet has none yet. */
  get(uid: string): PodStatus | undefined {
    return this.entries.get(uid)?.status;
  }

  set(pod: Pod, status: PodStatus, couldRun: boolean): void {
    const entry = this.entryOf(pod);
    const next = { ...status };
    // The terminal phase is shown only when no container can be running any more.
    if (couldRun && isTerminalPhase(next.phase) && !isTerminalPhase(entry.status.phase)) {
      next.phase = entry.status.phase ?? 'Pending';
      delete next.reason;
      delete next.message;
    }
    this.replace(entry, next);
  }

  setReady(pod: Pod, containerID: string, ready: boolean): void {
    this.change(pod, containerID, (status) => ({ ...status, ready }));
  }

  setStarted(pod: Pod, containerID: string, started: boolean): void {
    this.change(pod, containerID, (status) => ({ ...status, started }));
  }

  /** The kubelet refuses to run the pod. Its status has a phase, a reason and a message and nothing else. */
  reject(pod: Pod, reason: string, message: string): void {
    const entry = this.entryOf(pod);
    entry.status = {
      ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
      phase: 'Failed',
      reason,
      message: `Pod was rejected: ${message}`,
      startTime: apiTime(this.node.clock.wall()),
      ...(pod.status?.qosClass && { qosClass: pod.status.qosClass }),
    };
    entry.version++;
    // Bursts of rejections outrun the writer's channel; what it misses waits for its next round.
    if (++this.rejections % (MOST_REJECTIONS_AT_ONCE + 1) !== 0) this.write(entry);
    else this.later(this.node.random() * BATCH_MS, () => this.write(entry));
  }

  /** The pod's containers and its sandbox are gone (TerminatePod). */
  finish(pod: Pod): void {
    const entry = this.entryOf(pod);
    const status = { ...entry.status };
    const ended = (container: ContainerStatus): ContainerStatus =>
      container.state?.terminated
        ? container
        : {
            ...container,
            state: {
              terminated: {
                exitCode: 137,
                reason: 'ContainerStatusUnknown',
                message: 'The container could not be located when the pod was terminated',
                // As on the wire: a time that is not known is null there, not left out.
                startedAt: null as unknown as string,
                finishedAt: null as unknown as string,
              },
            },
          };
    const { containerStatuses = [], initContainerStatuses = [] } = status;
    // Those that could not begin yet still wait.
    if (wasInitialized(pod, containerStatuses, initContainerStatuses)) {
      status.containerStatuses = containerStatuses.map(ended);
    }
    const begun = initContainerStatuses.findLastIndex(hasBegun);
    if (status.initContainerStatuses) {
      status.initContainerStatuses = initContainerStatuses.map((each, index) =>
        index <= Math.max(0, begun) ? ended(each) : each,
      );
    }
    if (!isTerminalPhase(status.phase)) status.phase = 'Failed';
    entry.finished = true;
    this.replace(entry, status);
    this.write(entry);
  }

  forget(uid: string): void {
    this.entries.delete(uid);
  }

  close(): void {
    this.closed = true;
    for (const cancel of this.cancels) cancel();
  }

  private entryOf(pod: Pod): Entry {
    const uid = pod.metadata.uid;
    let entry = this.entries.get(uid);
    if (!entry) {
      entry = {
        pod,
        status: pod.status ?? {},
        version: 0,
        writtenVersion: 0,
        writing: false,
        finished: false,
      };
      this.entries.set(uid, entry);
    }
    entry.pod = pod;
    return entry;
  }

  private change(
    pod: Pod,
    containerID: string,
    change: (
      status: NonNullable<PodStatus['containerStatuses']>[number],
    ) => NonNullable<PodStatus['containerStatuses']>[number],
  ): void {
    const entry = this.entries.get(pod.metadata.uid);
    const { containerStatuses: before, initContainerStatuses: initBefore } = entry?.status ?? {};
    const isIt = (status: { containerID?: string }) => status.containerID === containerID;
    if (!entry || ![...(before ?? []), ...(initBefore ?? [])].some(isIt)) return;
    const containerStatuses = (before ?? []).map((status) => (isIt(status) ? change(status) : status));
    const initContainerStatuses = initBefore?.map((status) => (isIt(status) ? change(status) : status));
    const all = [...(initContainerStatuses ?? []), ...containerStatuses];
    const phase = entry.status.phase ?? 'Pending';
    const verdicts = [readyCondition(entry.pod, all, phase), containersReadyCondition(entry.pod, all, phase)];
    const conditions: Condition[] = (entry.status.conditions ?? []).map((condition) => {
      const verdict = verdicts.find((candidate) => candidate.type === condition.type);
      return verdict ? withTimes(verdict, entry.status, entry.pod, this.node.clock.wall()) : condition;
    });
    this.replace(entry, {
      ...entry.status,
      containerStatuses,
      ...(initContainerStatuses && { initContainerStatuses }),
      conditions,
    });
  }

  private replace(entry: Entry, status: PodStatus): void {
    if (JSON.stringify(entry.status) === JSON.stringify(status) && entry.version > 0) return;
    entry.status = status;
    entry.version++;
    this.write(entry);
  }

  /** Takes the state of now and writes it when the API server has answered; then again when it changed meanwhile. */
  private write(entry: Entry): void {
    if (entry.writing || this.closed) return;
    const removable = entry.finished && entry.pod.metadata.deletionTimestamp !== undefined;
    if (entry.version === entry.writtenVersion && !removable) return;
    entry.writing = true;
    const { status, version, pod } = entry;
    this.later(this.node.latencies.of('statusWrite'), () => {
      entry.writing = false;
      const { namespace, name, uid } = pod.metadata;
      const { registry } = this.node;
      const current = registry.get('pods', namespace, name);
      if (current?.metadata.uid !== uid) return;
      if (version !== entry.writtenVersion) {
        entry.writtenVersion = version;
        registry.mutate(
          'pods',
          namespace,
          name,
          (draft) => {
            draft.status = structuredClone(status) as NonNullable<Pod['status']>;
          },
          'status',
        );
      }
      if (entry.finished && version === entry.version && current.metadata.deletionTimestamp !== undefined) {
        this.later(this.node.latencies.of('statusWrite'), () => {
          if (registry.get('pods', namespace, name)?.metadata.uid === uid) {
            registry.delete('pods', namespace, name, { gracePeriodSeconds: 0, uid });
          }
        });
        return;
      }
      this.write(entry);
    });
  }

  private later(delayMs: number, run: () => void): void {
    const cancel = this.node.clock.after(delayMs, () => {
      this.cancels.delete(cancel);
      if (!this.closed) guarded('a status write', run, this.node.onDefect);
    });
    this.cancels.add(cancel);
  }
}

const hasBegun = ({ state, lastState }: ContainerStatus): boolean =>
  !state?.waiting || lastState?.terminated !== undefined;

/** kubelet: hasPodInitialized. */
function wasInitialized(
  pod: Pod,
  statuses: readonly ContainerStatus[],
  inits: readonly ContainerStatus[],
): boolean {
  const last = inits.at(-1);
  if (!last || statuses.some(hasBegun)) return true;
  const container = pod.spec?.initContainers?.find(({ name }) => name === last.name);
  if (container && isSidecar(container)) return Boolean(last.state?.running && last.started);
  return last.state?.terminated?.exitCode === 0 || last.lastState?.terminated?.exitCode === 0;
}
