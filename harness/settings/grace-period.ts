// Setting: a grace period that preStop and the app's own shutdown fit into.
import type { Setting } from '../model/setting.ts';
import { sleepSeconds } from './pre-stop.ts';
import { patchWorkload } from './workload.ts';

const DEFAULT_SECONDS = 30;
/** What the app may need after SIGTERM: lingering for kept connections, then the requests in flight. */
const SHUTDOWN_SECONDS = 25;

/**
 * max(what is there, preStop + shutdown). Two worked cases: preStop 5 → 30, which is the default; preStop 20 → 45,
 * because with 30 the app would be killed 10 s after SIGTERM.
 */
export const gracePeriod: Setting = {
  name: 'gracePeriod',
  title: 'terminationGracePeriodSeconds that fits',
  why: 'The grace period counts from the deletion, preStop included: what preStop takes is missing for the shutdown, and at its end the process is killed with its requests in flight.',
  changes: 'manifest',
  appliesTo: ['Deployment', 'DaemonSet', 'StatefulSet'],
  conflictsWith: [],
  apply: (manifests, context) =>
    patchWorkload(manifests, context, (workload, container) => {
      const pod = workload.spec.template.spec;
      const hookSeconds =
        sleepSeconds(container) ?? (container.lifecycle?.preStop ? context.preStopSeconds : 0);
      pod.terminationGracePeriodSeconds = Math.max(
        pod.terminationGracePeriodSeconds ?? DEFAULT_SECONDS,
        hookSeconds + SHUTDOWN_SECONDS,
      );
    }),
};
