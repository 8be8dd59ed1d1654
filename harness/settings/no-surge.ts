// Setting: roll by taking a pod away first, where there is no room for one more.
import type { Setting } from '../model/setting.ts';
import { findWorkload, patchWorkload } from './workload.ts';

export const noSurge: Setting = {
  name: 'noSurge',
  title: 'no surge, one pod at a time',
  why: 'A host port, a required anti-affinity on full nodes or a quota leaves no room for a surge pod, and the rollout blocks. Taking one pod away first always moves on, at the price of its capacity.',
  changes: 'manifest',
  appliesTo: ['Deployment', 'DaemonSet'],
  conflictsWith: ['surge'],
  apply: (manifests, context) => {
    if (findWorkload(manifests, context).spec.updateStrategy?.type === 'OnDelete')
      return { cannot: 'updateStrategy OnDelete replaces no pod by itself' };
    return {
      manifests: patchWorkload(manifests, context, (workload) => {
        const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
        if (workload.kind === 'DaemonSet') workload.spec.updateStrategy = strategy;
        else workload.spec.strategy = strategy;
      }),
    };
  },
};
