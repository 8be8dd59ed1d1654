// Setting: roll by adding pods first, so that the number of ready pods never falls below the wanted one.
import type { Setting } from '../model/setting.ts';
import { patchWorkload } from './workload.ts';

export const surge: Setting = {
  name: 'surge',
  title: 'surge without unavailability',
  why: 'maxUnavailable defaults to 25 %, which from four replicas on takes ready pods away before their replacements can serve, and keeps them away when the new version never gets ready.',
  changes: 'manifest',
  appliesTo: ['Deployment', 'DaemonSet'],
  conflictsWith: ['noSurge'],
  apply: (manifests, context) =>
    patchWorkload(manifests, context, (workload) => {
      if (workload.kind === 'DaemonSet') {
        workload.spec.updateStrategy = {
          type: 'RollingUpdate',
          rollingUpdate: { maxSurge: context.maxSurge ?? 1, maxUnavailable: 0 },
        };
        return;
      }
      const present = workload.spec.strategy?.rollingUpdate?.maxSurge;
      // 25 % is the default and rounds up to at least one pod; no surge at all would block the rollout.
      const none = present === undefined || present === null || isZero(present);
      const maxSurge = context.maxSurge ?? (none ? '25%' : present);
      workload.spec.strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable: 0 } };
    }),
};

const isZero = (value: unknown): boolean => value === 0 || value === '0' || value === '0%';
