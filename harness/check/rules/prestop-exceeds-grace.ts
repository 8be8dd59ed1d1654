// The hook runs inside the grace period: what it uses up is missing for the app's shutdown.

import { containerName } from '../container.ts';
import { lossesTo } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { preStopOf } from '../prestop.ts';
import type { CheckInput, Draft, Rule } from '../rule.ts';
import type { Workload } from '../workload.ts';

export const preStopExceedsGrace: Rule = {
  id: 'prestop-exceeds-grace',
  severity: 'error',
  title: 'preStop hook as long as the grace period',
  why: 'The hook runs inside terminationGracePeriodSeconds. A hook that lasts as long is cut off at its end, the app gets SIGTERM with 2 s left, and whatever it does not finish then is killed.',
  scenario: 'prestop-too-long',
  find: ({ workloads }: CheckInput) => workloads.flatMap(findIn),
  measured: lossesTo(['grace-exceeded', 'killed-in-flight']),
};

function findIn(workload: Workload): readonly Draft[] {
  const { object, graceSeconds, podPath } = workload;
  return workload.containers.flatMap((container) => {
    const preStop = preStopOf(container);
    if (preStop?.seconds === undefined || preStop.seconds < graceSeconds) return [];
    const refused = preStop.hook.sleep !== undefined && preStop.seconds > graceSeconds;
    const written = workload.pod.terminationGracePeriodSeconds === undefined ? ' (the default)' : '';
    return [
      {
        object,
        path: [...container.path, 'lifecycle', 'preStop'],
        message: `the preStop hook of ${containerName(container)} of ${nameOf(object)} takes ${preStop.seconds} s and the grace period is ${graceSeconds} s${written}: ${
          refused ? 'the API server refuses a sleep that long' : 'the app gets SIGTERM with 2 s left'
        }.`,
        changes: [
          {
            set: [...podPath, 'terminationGracePeriodSeconds'],
            value: Math.ceil(preStop.seconds) + (graceSeconds || 30),
            comment: 'preStop, and as long for the app as before',
          },
        ],
      },
    ];
  });
}
