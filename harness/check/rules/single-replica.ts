// One pod alone cannot be moved without a gap.
import { isDataStore } from '../data-store.ts';
import { fields, has } from '../fields.ts';
import { noReadyPod } from '../measured.ts';
import { nameOf, partnerName } from '../objects.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import { rollingUpdateOf, type Workload } from '../workload.ts';

export const singleReplica: Rule = {
  id: 'single-replica',
  severity: 'note',
  title: 'one replica behind a Service',
  why: 'A rolling update can replace a single pod without a gap; a drain, an eviction or a crash cannot: the pod goes, and only then is a new one started.',
  scenario: 'node-drain',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: noReadyPod(),
};

function findIn(workload: Workload): readonly Draft[] {
  const { object, specPath, spec, traffic, singleWriter, autoscaler } = workload;
  if (
    (workload.kind !== 'Deployment' && workload.kind !== 'Rollout') ||
    traffic.kind === 'none' ||
    singleWriter
  )
    return [];
  if (workload.replicas !== 1 || fields(spec.strategy).type === 'Recreate') return [];
  // Where no Service is given a hand or an autoscaler elsewhere may set the number.
  if (!has(spec.replicas) && !autoscaler && traffic.kind !== 'service') return [];
  // That the only pod goes first is the graver finding of another rule.
  if ((rollingUpdateOf(workload)?.unavailable ?? 0) > 0) return [];
  if (autoscaler) {
    if (autoscaler.kind !== 'HorizontalPodAutoscaler') return [];
    const path = [...autoscaler.base, 'spec', 'minReplicas'];
    return [
      {
        object: autoscaler,
        other: object,
        path,
        message: `${nameOf(autoscaler)} goes down to one replica of ${partnerName(object, autoscaler)}${has(fields(autoscaler.value.spec).minReplicas) ? '' : ' (minReplicas is not written)'}: a node drain, an eviction or a crash leaves none.`,
        changes: [{ set: path, value: 2 }],
      },
    ];
  }
  const path = [...specPath, 'replicas'];
  const store = isDataStore(workload);
  return [
    {
      object,
      path,
      message: `${nameOf(object)} has one replica${has(spec.replicas) ? '' : ' (replicas is not written)'}: a node drain, an eviction or a crash leaves none.`,
      changes: store ? [] : [{ set: path, value: 2 }],
      ...(store && {
        advice:
          '# no second replica of a store like this: two would each hold a part. Use its own replication (an operator, a\n# StatefulSet with its cluster mode), or plan for the gap',
      }),
    },
  ];
}
