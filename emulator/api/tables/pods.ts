// The row of a pod: `kubectl get pods`. Source: kubernetes/pkg/printers/internalversion/printers.go printPod.
import type { Pod } from '../types.ts';
import { columns, noneIfEmpty, type Printer } from './columns.ts';
import { ageSince } from './durations.ts';

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];
type Container = NonNullable<Pod['spec']>['containers'][number];

export const podPrinter: Printer<Pod> = {
  columns: columns(
    'Name',
    'Ready',
    'Status',
    'Restarts',
    'Age',
    'IP+',
    'Node+',
    'Nominated Node+',
    'Readiness Gates+',
  ),
  row(pod, nowMs) {
    const { spec, status, metadata } = pod;
    const { ready, reason, restarts, lastRestartMs } = summarize(pod);
    const gates = spec?.readinessGates ?? [];
    const fulfilled = gates.filter(({ conditionType }) =>
      status?.conditions?.some(
        (condition) => condition.type === conditionType && condition.status === 'True',
      ),
    );
    return [
      metadata.name,
      `${ready}/${countedContainers(pod).length}`,
      reason,
      restarts > 0 && lastRestartMs > 0
        ? `${restarts} (${ageSince(new Date(lastRestartMs).toISOString(), nowMs)} ago)`
        : String(restarts),
      ageSince(metadata.creationTimestamp, nowMs),
      noneIfEmpty(status?.podIP),
      noneIfEmpty(spec?.nodeName),
      noneIfEmpty(status?.nominatedNodeName),
      gates.length > 0 ? `${fulfilled.length}/${gates.length}` : '<none>',
    ];
  },
};

const isSidecar = (container: Container | undefined) => container?.restartPolicy === 'Always';

function countedContainers(pod: Pod): Container[] {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? []).filter(isSidecar)];
}

function summarize(pod: Pod) {
  const { spec, status, metadata } = pod;
  let reason = status?.reason || status?.phase || 'Unknown';
  let ready = 0;
  let restarts = 0;
  let lastRestartMs = 0;
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.reason === 'SchedulingGated') reason = 'SchedulingGated';

  const count = ({ restartCount, lastState }: ContainerStatus) => {
    restarts += restartCount ?? 0;
    const finishedAt = lastState?.terminated?.finishedAt;
    if (finishedAt) lastRestartMs = Math.max(lastRestartMs, Date.parse(finishedAt));
  };

  let initializing = false;
  for (const [index, container] of (status?.initContainerStatuses ?? []).entries()) {
    const definition = spec?.initContainers?.find(({ name }) => name === container.name);
    count(container);
    if (container.state?.terminated?.exitCode === 0) continue;
    if (isSidecar(definition) && container.started) {
      if (container.ready) ready++;
      continue;
    }
    const { terminated, waiting } = container.state ?? {};
    if (terminated) reason = `Init:${endReason(terminated)}`;
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') reason = `Init:${waiting.reason}`;
    else reason = `Init:${index}/${spec?.initContainers?.length ?? 0}`;
    initializing = true;
    break;
  }
  if (!initializing) {
    // Once initialized, only the restarts of sidecars still count.
    restarts = 0;
    lastRestartMs = 0;
    for (const container of status?.initContainerStatuses ?? []) {
      if (isSidecar(spec?.initContainers?.find(({ name }) => name === container.name))) count(container);
    }
    let running = false;
    for (const container of [...(status?.containerStatuses ?? [])].reverse()) {
      count(container);
      const { waiting, terminated } = container.state ?? {};
      if (waiting?.reason) reason = waiting.reason;
      else if (terminated) reason = endReason(terminated);
      else if (container.ready && container.state?.running) {
        running = true;
        ready++;
      }
    }
    if (reason === 'Completed' && running) {
      const isReady = status?.conditions?.some(
        ({ type, status: value }) => type === 'Ready' && value === 'True',
      );
      reason = isReady ? 'Running' : 'NotReady';
    }
  }
  if (metadata.deletionTimestamp) {
    if (status?.reason === 'NodeLost') reason = 'Unknown';
    else if (status?.phase !== 'Failed' && status?.phase !== 'Succeeded') reason = 'Terminating';
  }
  return { ready, reason, restarts, lastRestartMs };
}

function endReason({
  reason,
  signal,
  exitCode,
}: {
  reason?: string;
  signal?: number;
  exitCode: number;
}): string {
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
}
