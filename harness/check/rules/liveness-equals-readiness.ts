// The same question to both probes restarts a pod in the moment in which it should only be left alone.

import { containerName } from '../container.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { asksTheSame, probeOf, secondsToAct } from '../probe.ts';
import { type CheckInput, type Draft, type Rule, severityFor } from '../rule.ts';
import type { Workload } from '../workload.ts';

export const livenessEqualsReadiness: Rule = {
  id: 'liveness-equals-readiness',
  severity: 'warning',
  title: 'livenessProbe asks what the readinessProbe asks, and as soon',
  why: 'A pod that is overloaded or waits for something else fails both probes at once: instead of getting no new connections for a while it is killed with the connections that it has, its load goes to the others, and they follow. A livenessProbe must act later than the readinessProbe, or ask less.',
  scenario: 'liveness-is-not-readiness',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: notMeasurable,
};

function findIn(workload: Workload): readonly Draft[] {
  if (workload.traffic.kind === 'none') return [];
  const { object } = workload;
  return workload.traffic.containers.flatMap((container) => {
    const readiness = probeOf(container, 'readinessProbe');
    const liveness = probeOf(container, 'livenessProbe');
    if (!readiness || !liveness || !asksTheSame(readiness, liveness, container)) return [];
    const after = secondsToAct(liveness);
    const unready = secondsToAct(readiness);
    if (after > unready) return [];
    // A port that refuses connections means a process that does not serve: a restart is what it needs.
    const severity = liveness.handler.tcpSocket ? 'note' : severityFor(workload, 'warning');
    return [
      {
        object,
        path: [...container.path, 'livenessProbe'],
        severity,
        message: `the livenessProbe of ${containerName(container)} of ${nameOf(object)} asks what its readinessProbe asks and kills after ${after} s of failing; the readinessProbe acts after ${unready} s.`,
        changes: [
          {
            set: [...container.path, 'livenessProbe', 'failureThreshold'],
            value: Math.ceil((3 * unready) / liveness.periodSeconds),
            comment: 'three times as patient as the readinessProbe',
          },
        ],
      },
    ];
  });
}
