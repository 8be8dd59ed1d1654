// updateStrategy OnDelete: a change replaces no pod until somebody deletes it.
import { fields } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import type { CheckInput, Rule } from '../rule.ts';

export const onDelete: Rule = {
  id: 'update-on-delete',
  severity: 'note',
  title: 'updateStrategy OnDelete',
  why: 'With OnDelete a new image runs only in pods that somebody deletes by hand, one after the other and as fast as they like: no readiness is waited for between them, and kubectl rollout status has nothing to follow.',
  scenario: 'image-change',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap(({ object, kind, spec, specPath }) => {
      if (kind !== 'DaemonSet' && kind !== 'StatefulSet') return [];
      if (fields(spec.updateStrategy).type !== 'OnDelete') return [];
      return [
        {
          object,
          path: [...specPath, 'updateStrategy', 'type'],
          message: `${nameOf(object)}: updateStrategy OnDelete: a changed template replaces no pod until somebody deletes it.`,
          changes: [{ set: [...specPath, 'updateStrategy', 'type'], value: 'RollingUpdate' }],
        },
      ];
    }),
  measured: notMeasurable,
};
