// A livenessProbe that gives up before the readinessProbe is asked for the first time: what the manifest itself takes for a
// normal start is a restart loop.
import { type Container, containerName } from '../container.ts';
import { notMeasurable } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { probeOf, secondsToAct } from '../probe.ts';
import type { CheckInput, Rule } from '../rule.ts';

export const livenessBeforeReady: Rule = {
  id: 'liveness-before-ready',
  severity: 'warning',
  title: 'livenessProbe gives up before the readinessProbe begins',
  why: 'The delay of the readinessProbe says how long a start may take. A livenessProbe that has failed often enough by then restarts the container each time before it could get ready, and the rollout never ends. A startupProbe holds both back until the app is up.',
  scenario: 'readiness-arithmetic',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap(({ object, containers }) =>
      containers.flatMap((container) => {
        const givesUp = givesUpBeforeReady(container);
        const readiness = probeOf(container, 'readinessProbe');
        if (givesUp === undefined || !readiness) return [];
        const periodSeconds = 2;
        return [
          {
            object,
            path: [...container.path, 'livenessProbe'],
            message: `the livenessProbe of ${containerName(container)} of ${nameOf(object)} restarts it when nothing answers ${givesUp} s after its start, and the readinessProbe is not asked before ${readiness.initialDelaySeconds} s: a start as slow as that never ends.`,
            changes: [
              {
                set: [...container.path, 'startupProbe'],
                value: {
                  ...readiness.handler,
                  periodSeconds,
                  failureThreshold: Math.ceil((readiness.initialDelaySeconds + 30) / periodSeconds),
                },
              },
            ],
          },
        ];
      }),
    ),
  measured: notMeasurable,
};

/** Seconds after which liveness restarts a container that does not answer; undefined: not before readiness is asked. */
export function givesUpBeforeReady(container: Container): number | undefined {
  const readiness = probeOf(container, 'readinessProbe');
  const liveness = probeOf(container, 'livenessProbe');
  if (!readiness || !liveness || container.value.startupProbe) return undefined;
  // The last of the failures comes one period before the threshold's periods are over.
  const givesUp = liveness.initialDelaySeconds + secondsToAct(liveness) - liveness.periodSeconds;
  return givesUp < readiness.initialDelaySeconds ? givesUp : undefined;
}
