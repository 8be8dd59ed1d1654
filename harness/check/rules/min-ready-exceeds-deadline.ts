// A pod must be ready for minReadySeconds before the deadline for progress is over.
import { has, integer } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import type { Workload } from '../workload.ts';

const DEFAULT_DEADLINE_SECONDS = 600;

export const minReadyExceedsDeadline: Rule = {
  id: 'min-ready-exceeds-deadline',
  severity: 'error',
  title: 'minReadySeconds not below progressDeadlineSeconds',
  why: 'The API server refuses it ("must be greater than minReadySeconds"): no pod could become available before the rollout counts as failed.',
  scenario: 'slow-rollout',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: notMeasurable,
};

function findIn({ kind, object, spec, specPath }: Workload): readonly Draft[] {
  const minReady = integer(spec.minReadySeconds) ?? 0;
  const deadline = integer(spec.progressDeadlineSeconds) ?? DEFAULT_DEADLINE_SECONDS;
  if (kind !== 'Deployment' || minReady === 0 || minReady < deadline) return [];
  return [
    {
      object,
      path: [...specPath, 'minReadySeconds'],
      message: `${nameOf(object)}: minReadySeconds ${minReady} is not below progressDeadlineSeconds ${deadline}${has(spec.progressDeadlineSeconds) ? '' : ' (the default)'}: the API server refuses it.`,
      changes: [
        {
          set: [...specPath, 'progressDeadlineSeconds'],
          value: minReady + DEFAULT_DEADLINE_SECONDS,
          comment: 'minReadySeconds, and the usual time to get ready',
        },
      ],
    },
  ];
}
