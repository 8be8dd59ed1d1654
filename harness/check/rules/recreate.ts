// Strategy Recreate stops every pod before it starts a new one.
import { fields } from '../fields.ts';
import { noReadyPod } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { type CheckInput, type Draft, type Rule, severityFor } from '../rule.ts';
import type { Workload } from '../workload.ts';
import { hostPortsOf } from './surge-blocked-by-host-port.ts';

export const recreate: Rule = {
  id: 'recreate-strategy',
  severity: 'error',
  title: 'strategy Recreate behind a Service',
  why: 'Recreate deletes all pods, waits until the last one is gone, and only then starts new ones: nobody answers for the time of one shutdown and one start-up, at every rollout. It is right for a volume that only one pod may write; this workload claims none.',
  scenario: 'recreate',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: noReadyPod(),
};

function findIn(workload: Workload): readonly Draft[] {
  const { object, specPath, traffic, singleWriter } = workload;
  const recreates = workload.kind === 'Deployment' && fields(workload.spec.strategy).type === 'Recreate';
  // A host port on one node leaves no other way.
  if (!recreates || traffic.kind === 'none' || singleWriter || hostPortsOf(workload).length > 0) return [];
  return [
    {
      object,
      path: [...specPath, 'strategy', 'type'],
      severity: severityFor(workload, workload.replicas === 1 ? 'warning' : 'error'),
      message: `${nameOf(object)}: strategy Recreate stops all pods before the first new one starts.`,
      changes: [
        {
          set: [...specPath, 'strategy'],
          value: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        },
      ],
    },
  ];
}
