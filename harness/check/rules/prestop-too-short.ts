// A sleep of 0 or 1 second ends before routing has followed.
import { defaultPreStopSeconds } from '../../model/prestop.ts';
import { containerName } from '../container.ts';
import type { Change } from '../edit.ts';
import { lossesTo } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { preStopOf } from '../prestop.ts';
import { type CheckInput, type Rule, severityFor } from '../rule.ts';
import { roomFor } from './no-prestop.ts';

/** Measured on kind (docs/measured.md): 1 s still loses connections. */
const SHORTEST_SECONDS = 2;

export const preStopTooShort: Rule = {
  id: 'prestop-too-short',
  severity: 'warning',
  title: 'preStop sleep of 0 or 1 second',
  why: 'Every node’s routing follows the deletion of a pod at its own pace, which takes up to seconds. A hook that ends before that is as good as none: new connections go to a process that has stopped.',
  scenario: 'image-change',
  find: ({ workloads, kubernetesMinor }: CheckInput) =>
    workloads.flatMap((workload) =>
      (workload.traffic.kind === 'none' ? [] : workload.traffic.containers).flatMap((container) => {
        const preStop = preStopOf(container);
        if (!preStop?.onlySleeps || preStop.seconds === undefined || preStop.seconds >= SHORTEST_SECONDS)
          return [];
        const path = [...container.path, 'lifecycle', 'preStop'];
        const value =
          preStop.hook.sleep !== undefined || kubernetesMinor >= 30
            ? { sleep: { seconds: defaultPreStopSeconds } }
            : { exec: { command: ['sleep', String(defaultPreStopSeconds)] } };
        const changes: readonly Change[] = [{ set: path, value }, ...roomFor(workload)];
        return [
          {
            object: workload.object,
            path,
            severity: severityFor(workload, 'warning'),
            message: `the preStop hook of ${containerName(container)} of ${nameOf(workload.object)} sleeps ${preStop.seconds} s: routing takes longer to follow.`,
            changes,
          },
        ];
      }),
    ),
  measured: lossesTo(['routed-after-stop', 'killed-in-flight'], 'preStop'),
};
