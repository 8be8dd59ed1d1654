// A rollout that may stop every pod before a new one is ready.

import { scaled } from '../../model/rolling-update.ts';
import type { FieldPath } from '../../model/yaml-path.ts';
import type { Change } from '../edit.ts';
import { fields } from '../fields.ts';
import { noReadyPod } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { type CheckInput, type Draft, type Rule, severityFor } from '../rule.ts';
import { rollingUpdateOf, type Workload } from '../workload.ts';
import { selfAvoiding } from './surge-blocked-by-anti-affinity.ts';
import { hostPortsOf } from './surge-blocked-by-host-port.ts';

export const maxUnavailableAll: Rule = {
  id: 'max-unavailable-all',
  severity: 'error',
  title: 'maxUnavailable covers all replicas',
  why: 'maxUnavailable (percentages round down) says how many pods a rollout may take away before new ones are ready; maxSurge (percentages round up) how many it may add; when both come to 0, one pod may be unavailable. If that is all of them, nobody answers until a new pod has started.',
  scenario: 'fence-posts',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: noReadyPod('surge'),
};

function findIn(workload: Workload): readonly Draft[] {
  if (workload.traffic.kind === 'none' || workload.singleWriter) return [];
  switch (workload.kind) {
    case 'Deployment':
    case 'Rollout':
      return deployment(workload);
    case 'StatefulSet':
      return statefulSet(workload);
    case 'DaemonSet':
      return daemonSet(workload);
    case 'other':
      return [];
    default:
      return workload.kind satisfies never;
  }
}

function deployment(workload: Workload): readonly Draft[] {
  const rolling = rollingUpdateOf(workload);
  const { replicas, object } = workload;
  if (!rolling || !replicas || rolling.unavailable < replicas) return [];
  if (isZero(rolling.surgeWritten) && isZero(rolling.unavailableWritten)) return [];
  const written = (value: unknown) => (value === undefined ? '25% (the default)' : String(value));
  return [
    {
      object,
      path: [...rolling.path, 'maxUnavailable'],
      severity: severityFor(workload, workload.replicasKnown ? 'error' : 'warning'),
      message: `${nameOf(object)}: maxUnavailable ${written(rolling.unavailableWritten)} with maxSurge ${written(rolling.surgeWritten)} of ${replicas} replica${replicas === 1 ? '' : 's'}${workload.replicasKnown ? '' : ' (the default)'} lets a rollout stop ${replicas === 1 ? 'the only pod' : `all ${replicas} pods`} before a new one is ready.`,
      changes: changesFor(workload, rolling.path, replicas),
    },
  ];
}

/** One more pod instead of one fewer; where a surge has no room, two replicas that take turns. */
function changesFor(workload: Workload, path: FieldPath, replicas: number): readonly Change[] {
  const noRoom = hostPortsOf(workload).length > 0 || selfAvoiding(workload) !== undefined;
  if (!noRoom)
    return [
      { set: [...path, 'maxSurge'], value: 1 },
      { set: [...path, 'maxUnavailable'], value: 0 },
    ];
  const turns: readonly Change[] = [
    { set: [...path, 'maxSurge'], value: 0 },
    { set: [...path, 'maxUnavailable'], value: 1 },
  ];
  return replicas > 1 || workload.autoscaler
    ? turns
    : [{ set: [...workload.specPath, 'replicas'], value: 2 }, ...turns];
}

function statefulSet(workload: Workload): readonly Draft[] {
  const { replicas, object, specPath, spec } = workload;
  const written = fields(fields(spec.updateStrategy).rollingUpdate).maxUnavailable;
  const unavailable = replicas === undefined ? undefined : scaled(written, replicas, 'up');
  if (!replicas || replicas < 2 || unavailable === undefined || unavailable < replicas) return [];
  const path = [...specPath, 'updateStrategy', 'rollingUpdate', 'maxUnavailable'];
  return [
    {
      object,
      path,
      severity: severityFor(workload, 'error'),
      message: `${nameOf(object)}: maxUnavailable ${String(written)} of ${replicas} replicas lets an update stop all ${replicas} pods at once.`,
      changes: [{ set: path, value: 1 }],
    },
  ];
}

function daemonSet(workload: Workload): readonly Draft[] {
  const { object, specPath, spec } = workload;
  const written = fields(fields(spec.updateStrategy).rollingUpdate).maxUnavailable;
  if (written !== '100%') return [];
  const path = [...specPath, 'updateStrategy', 'rollingUpdate', 'maxUnavailable'];
  return [
    {
      object,
      path,
      severity: severityFor(workload, 'error'),
      message: `${nameOf(object)}: maxUnavailable 100% lets an update stop the pods of all nodes at once.`,
      changes: [{ set: path, value: 1 }],
    },
  ];
}

export function isZero(value: unknown): boolean {
  return value === 0 || value === '0' || value === '0%';
}
