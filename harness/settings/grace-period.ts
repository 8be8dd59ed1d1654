// Setting: a grace period that preStop and the app's own shutdown fit into.
import { defaultGraceSeconds, readPreStop } from '../model/prestop.ts';
import type { Setting } from '../model/setting.ts';
import { everyWorkload, type PodSpecDraft, patchWorkload } from './workload.ts';

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
  appliesTo: everyWorkload,
  conflictsWith: [],
  apply: (manifests, context) => ({
    manifests: patchWorkload(manifests, context, (workload, container) => {
      const pod = workload.spec.template.spec;
      const hook = readPreStop(container.lifecycle?.preStop);
      const hookSeconds = Math.max(hook ? (hook.seconds ?? context.preStopSeconds) : 0, longestSleep(pod));
      pod.terminationGracePeriodSeconds = Math.max(
        pod.terminationGracePeriodSeconds ?? defaultGraceSeconds,
        Math.ceil(hookSeconds) + SHUTDOWN_SECONDS,
      );
    }),
  }),
};

/** Seconds of the longest preStop sleep of a pod; 0 without one. */
export function longestSleep(pod: PodSpecDraft): number {
  return Math.max(
    0,
    ...pod.containers.map((container) => readPreStop(container.lifecycle?.preStop)?.seconds ?? 0),
  );
}

/**
 * Room for a hook that has just become longer: what the app had for its shutdown before, 25 s of it at most, stays to it.
 * Worked: no hook and 3 s, then a sleep of 5 → 8; no hook and 30 s (the default), then 5 → 30; a sleep of 30 in a grace
 * period of 30, which leaves nothing → 55. Never less than before.
 */
export function makeRoom(pod: PodSpecDraft, sleptBefore: number): void {
  const before = pod.terminationGracePeriodSeconds ?? defaultGraceSeconds;
  const share = before - sleptBefore;
  const needed = Math.ceil(
    longestSleep(pod) + (share > 0 ? Math.min(share, SHUTDOWN_SECONDS) : SHUTDOWN_SECONDS),
  );
  if (before < needed) pod.terminationGracePeriodSeconds = needed;
}
