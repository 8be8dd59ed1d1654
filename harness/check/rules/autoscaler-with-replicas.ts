// Two owners of one number.
import { has } from '../fields.ts';
import { capacityLost } from '../measured.ts';
import { nameOf, partnerName } from '../objects.ts';
import type { CheckInput, Rule } from '../rule.ts';

export const autoscalerWithReplicas: Rule = {
  id: 'autoscaler-with-replicas',
  severity: 'warning',
  title: 'spec.replicas beside a HorizontalPodAutoscaler',
  why: 'Every apply of the manifest sets the replicas back to what it says, under load from the autoscaler’s number down to this one, and the autoscaler starts again. Leave the field out and let the autoscaler own it. With client-side apply the removal itself sets it to 1 once: remove it from the last-applied annotation first (kubectl apply edit-last-applied).',
  scenario: 'autoscale-reapply',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap(({ autoscaler, spec, specPath, object }) =>
      autoscaler?.kind === 'HorizontalPodAutoscaler' && has(spec.replicas)
        ? [
            {
              object,
              other: autoscaler,
              path: [...specPath, 'replicas'],
              message: `${nameOf(object)} says replicas ${String(spec.replicas)} and ${partnerName(autoscaler, object)} scales it: every apply sets it back.`,
              changes: [{ remove: [...specPath, 'replicas'], comment: 'the autoscaler owns it' }],
              byHand:
                'with client-side apply the next apply leaves one pod for a moment, unless it is taken out of the last-applied annotation first',
            },
          ]
        : [],
    ),
  measured: capacityLost,
};
