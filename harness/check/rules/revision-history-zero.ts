// Without old ReplicaSets there is nothing to roll back to.
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Rule } from '../rule.ts';

export const revisionHistoryZero: Rule = {
  id: 'revision-history-zero',
  severity: 'warning',
  title: 'revisionHistoryLimit 0',
  why: 'A rollback (kubectl rollout undo) scales the earlier ReplicaSet up again. With 0 it is deleted as soon as the rollout is complete: a version that turns out bad cannot be taken back.',
  scenario: 'rollback',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap(({ object, spec, specPath }) => {
      if (spec.revisionHistoryLimit !== 0) return [];
      const path = [...specPath, 'revisionHistoryLimit'];
      return [
        {
          object,
          path,
          message: `${nameOf(object)}: revisionHistoryLimit 0 keeps no earlier revision: kubectl rollout undo has nothing to go back to.`,
          changes: [{ set: path, value: 3 }],
        },
      ];
    }),
  measured: notMeasurable,
};
