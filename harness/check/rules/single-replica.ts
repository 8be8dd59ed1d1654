// One pod alone cannot be moved without a gap.
import { fields, has } from '../fields.ts';
import { noReadyPod } from '../measured.ts';
import { nameOf } from '../objects.ts';
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
  const { object, specPath, spec, traffic, singleWriter } = workload;
  if (workload.kind !== 'Deployment' || traffic.kind === 'none' || workload.autoscaler || singleWriter)
    return [];
  // Without the field an autoscaler, or a hand, may set it.
  if (!has(spec.replicas) || workload.replicas !== 1 || fields(spec.strategy).type === 'Recreate') return [];
  // That the only pod goes first is the graver finding of another rule.
  if ((rollingUpdateOf(workload)?.unavailable ?? 0) > 0) return [];
  return [
    {
      object,
      path: [...specPath, 'replicas'],
      message: `${nameOf(object)} has one replica: a node drain, an eviction or a crash leaves none.`,
      changes: [{ set: [...specPath, 'replicas'], value: 2 }],
    },
  ];
}
