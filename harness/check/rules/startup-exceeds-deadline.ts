// A start that may take longer than the rollout waits for progress.
import { containerName } from '../container.ts';
import { has, integer } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { probeOf, secondsToAct } from '../probe.ts';
import type { CheckInput, Rule } from '../rule.ts';

const DEFAULT_DEADLINE_SECONDS = 600;

export const startupExceedsDeadline: Rule = {
  id: 'startup-exceeds-deadline',
  severity: 'warning',
  title: 'startupProbe that waits as long as progressDeadlineSeconds, or longer',
  why: 'The rollout counts as failed (and tools that wait for it roll back) when no pod gets ready within progressDeadlineSeconds, while the startupProbe would still give the app time to start.',
  scenario: 'slow-rollout',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap(({ object, kind, containers, spec, specPath }) => {
      if (kind !== 'Deployment') return [];
      const deadline = integer(spec.progressDeadlineSeconds) ?? DEFAULT_DEADLINE_SECONDS;
      return containers.flatMap((container) => {
        const probe = probeOf(container, 'startupProbe');
        const most = probe ? probe.initialDelaySeconds + secondsToAct(probe) : 0;
        if (most <= deadline) return [];
        return [
          {
            object,
            path: [...container.path, 'startupProbe'],
            message: `the startupProbe of ${containerName(container)} of ${nameOf(object)} gives it ${most} s to start, progressDeadlineSeconds is ${deadline}${has(spec.progressDeadlineSeconds) ? '' : ' (the default)'}: the rollout fails first.`,
            changes: [
              {
                set: [...specPath, 'progressDeadlineSeconds'],
                value: most + 120,
                comment: 'the longest start, and time to get the image',
              },
            ],
          },
        ];
      });
    }),
  measured: notMeasurable,
};
