// A surge pod needs a node where the port is free, and terminating pods still hold theirs.

import { scaled } from '../../model/rolling-update.ts';
import type { FieldPath } from '../../model/yaml-path.ts';
import type { Container } from '../container.ts';
import type { Change } from '../edit.ts';
import { fields, has, integer, list } from '../fields.ts';
import { eventSaid } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import { rollingUpdateOf, type Workload } from '../workload.ts';

export const surgeBlockedByHostPort: Rule = {
  id: 'surge-blocked-by-host-port',
  severity: 'warning',
  title: 'surge blocked by a hostPort',
  why: 'Two pods with the same hostPort cannot run on one node, and a terminating pod holds its port until it is gone. With maxUnavailable 0 the rollout must start a new pod first: without a node to spare it stays Pending until the progress deadline, and the rollout never ends.',
  scenario: 'nginx-published',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: eventSaid('FailedScheduling', "didn't have free ports"),
};

interface HostPort {
  readonly container: Container;
  readonly port: number;
  readonly path: FieldPath;
}

/** Host ports of the pod; with hostNetwork every declared port is one. */
export function hostPortsOf(workload: Workload): readonly HostPort[] {
  const network = workload.pod.hostNetwork === true;
  return workload.containers.flatMap((container) =>
    list(container.value.ports).flatMap((entry, index) => {
      const declared = fields(entry);
      const port = integer(declared.hostPort) ?? (network ? integer(declared.containerPort) : undefined);
      const path = [...container.path, 'ports', index, ...(has(declared.hostPort) ? ['hostPort'] : [])];
      return port ? [{ container, port, path }] : [];
    }),
  );
}

function findIn(workload: Workload): readonly Draft[] {
  const ports = hostPortsOf(workload);
  const [first] = ports;
  if (!first) return [];
  if (workload.kind === 'DaemonSet') return daemonSet(workload, first);
  const rolling = rollingUpdateOf(workload);
  const { replicas, object } = workload;
  if (!rolling || !replicas || rolling.unavailable > 0) return [];
  const node = pinnedTo(workload);
  const cost = node
    ? `the new pod must run on ${node} too, where the old one holds the port`
    : `the rollout needs ${replicas + 1} nodes or it stays Pending`;
  return [
    {
      object,
      path: first.path,
      severity: node ? 'error' : 'warning',
      message: `${nameOf(object)}: hostPort ${first.port} with maxUnavailable 0 and maxSurge ${rolling.surge} (of ${replicas} replica${replicas === 1 ? '' : 's'}): ${cost}.`,
      changes: changesFor(workload, ports, replicas, node !== undefined),
    },
  ];
}

function changesFor(
  workload: Workload,
  ports: readonly HostPort[],
  replicas: number,
  pinned: boolean,
): readonly Change[] {
  const turns: Change = {
    set: [...workload.specPath, 'strategy', 'rollingUpdate'],
    value: { maxSurge: 0, maxUnavailable: 1 },
  };
  if (replicas > 1) return [turns];
  const own = ports.filter((port) => port.path.at(-1) === 'hostPort');
  if (own.length === ports.length)
    return own.map((port) => ({ remove: port.path, comment: 'a Service reaches the pod without it' }));
  return pinned ? [turns] : [{ set: [...workload.specPath, 'replicas'], value: 2 }, turns];
}

function daemonSet(workload: Workload, port: HostPort): readonly Draft[] {
  const written = fields(fields(workload.spec.updateStrategy).rollingUpdate).maxSurge;
  // The number of nodes is not in the manifest; what counts is whether it is more than none.
  const surge = scaled(written, 100, 'up');
  if (!surge) return [];
  const path = [...workload.specPath, 'updateStrategy', 'rollingUpdate'];
  return [
    {
      object: workload.object,
      path: [...path, 'maxSurge'],
      severity: 'error',
      message: `${nameOf(workload.object)}: maxSurge ${String(written)} with hostPort ${port.port}: the new pod of a node cannot start before the old one there has gone.`,
      changes: [{ set: path, value: { maxSurge: 0, maxUnavailable: 1 } }],
    },
  ];
}

/** The one node that the pods must run on, as far as the manifest says. */
export function pinnedTo(workload: Workload): string | undefined {
  if (typeof workload.pod.nodeName === 'string') return `node ${workload.pod.nodeName}`;
  const hostname = fields(workload.pod.nodeSelector)['kubernetes.io/hostname'];
  return typeof hostname === 'string' ? `node ${hostname}` : undefined;
}
