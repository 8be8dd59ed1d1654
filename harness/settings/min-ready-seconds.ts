// Setting: a new pod must stay ready for a while before the rollout goes on.
import type { Setting } from '../model/setting.ts';
import { patchWorkload } from './workload.ts';

const MIN_READY_SECONDS = 5;

export const minReadySeconds: Setting = {
  name: 'minReadySeconds',
  title: 'minReadySeconds',
  why: 'Slows a rollout down to a pace at which a version that becomes ready and then crashes is noticed before it has replaced every pod. It does not hold back traffic: a ready pod is routed to at once.',
  changes: 'manifest',
  appliesTo: ['Deployment', 'DaemonSet', 'StatefulSet'],
  conflictsWith: [],
  apply: (manifests, context) =>
    patchWorkload(manifests, context, (workload) => {
      const present = workload.spec.minReadySeconds || MIN_READY_SECONDS;
      workload.spec.minReadySeconds = context.minReadySeconds ?? present;
    }),
};
