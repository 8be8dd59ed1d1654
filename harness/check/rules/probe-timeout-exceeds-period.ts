// A probe that may take longer than its period is not repeated every period.

import { containerName } from '../container.ts';
import { fields } from '../fields.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { probeKinds, probeOf } from '../probe.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import type { Workload } from '../workload.ts';

export const probeTimeoutExceedsPeriod: Rule = {
  id: 'probe-timeout-exceeds-period',
  severity: 'warning',
  title: 'probe timeout longer than its period',
  why: 'The kubelet runs one probe at a time per container: while one hangs until its timeout, the next waits. A hanging app is noticed after failureThreshold × timeout, not × period, and gets connections until then.',
  scenario: 'readiness-arithmetic',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: notMeasurable,
};

function findIn(workload: Workload): readonly Draft[] {
  const { object } = workload;
  return workload.containers.flatMap((container) =>
    probeKinds.flatMap((kind) => {
      const probe = probeOf(container, kind);
      if (!probe || probe.timeoutSeconds <= probe.periodSeconds) return [];
      const written = fields(container.value[kind]).periodSeconds === undefined ? ' (the default)' : '';
      const { timeoutSeconds, periodSeconds, failureThreshold } = probe;
      return [
        {
          object,
          path: [...container.path, kind, 'timeoutSeconds'],
          message: `the ${kind} of ${containerName(container)} of ${nameOf(object)} has timeoutSeconds ${timeoutSeconds} and periodSeconds ${periodSeconds}${written}: a hanging app is noticed after ${failureThreshold * timeoutSeconds} s instead of ${failureThreshold * periodSeconds} s.`,
          changes: [{ set: [...container.path, kind, 'timeoutSeconds'], value: periodSeconds }],
        },
      ];
    }),
  );
}
