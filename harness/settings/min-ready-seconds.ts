// Setting: a new pod must stay ready for a while before the rollout goes on.
import type { Setting } from '../model/setting.ts';
import { everyWorkload, findWorkload, patchWorkload } from './workload.ts';

const MIN_READY_SECONDS = 5;
/** Kubernetes' own, and what a deadline is moved to that minReadySeconds would reach. */
const DEADLINE_SECONDS = 600;

export const minReadySeconds: Setting = {
  name: 'minReadySeconds',
  title: 'minReadySeconds',
  why: 'Slows a rollout down to a pace at which a version that becomes ready and then crashes is noticed before it has replaced every pod. It does not hold back traffic: a ready pod is routed to at once.',
  changes: 'manifest',
  appliesTo: everyWorkload,
  conflictsWith: [],
  apply: (manifests, context) => {
    const present = findWorkload(manifests, context).spec.minReadySeconds ?? 0;
    const wanted =
      context.minReadySeconds ??
      (context.foreign ? Math.max(present, MIN_READY_SECONDS) : present || MIN_READY_SECONDS);
    if (present === wanted) return { unchanged: `minReadySeconds is ${present} already` };
    return {
      manifests: patchWorkload(manifests, context, ({ kind, spec }) => {
        spec.minReadySeconds = wanted;
        // The API server refuses a deadline that is not above it.
        const deadline = spec.progressDeadlineSeconds ?? DEADLINE_SECONDS;
        if (kind === 'Deployment' && deadline <= wanted)
          spec.progressDeadlineSeconds = wanted + DEADLINE_SECONDS;
      }),
    };
  },
};
