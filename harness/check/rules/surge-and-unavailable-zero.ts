// With nothing to add and nothing to take away a rollout cannot move.
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Rule } from '../rule.ts';
import { rollingUpdateOf } from '../workload.ts';
import { isZero } from './max-unavailable-all.ts';

export const surgeAndUnavailableZero: Rule = {
  id: 'surge-and-unavailable-zero',
  severity: 'error',
  title: 'maxSurge and maxUnavailable both 0',
  why: 'The API server refuses it ("may not be 0 when `maxSurge` is 0"): a rollout that may neither add nor remove a pod cannot move.',
  scenario: 'fence-posts',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap((workload) => {
      const rolling = rollingUpdateOf(workload);
      if (!rolling || !isZero(rolling.surgeWritten) || !isZero(rolling.unavailableWritten)) return [];
      const path = [...rolling.path, 'maxSurge'];
      return [
        {
          object: workload.object,
          path,
          message: `${nameOf(workload.object)}: maxSurge ${String(rolling.surgeWritten)} and maxUnavailable ${String(rolling.unavailableWritten)} together are refused by the API server.`,
          changes: [{ set: path, value: 1 }],
        },
      ];
    }),
  measured: notMeasurable,
};
