// Setting: spread the pods over the nodes, each version by itself.
import type { Setting } from '../model/setting.ts';
import { atLeast } from './kubernetes-version.ts';
import { findWorkload, patchWorkload, sizedWorkloads } from './workload.ts';

const HOSTNAME = 'kubernetes.io/hostname';

export const topologySpread: Setting = {
  name: 'topologySpread',
  title: 'topology spread over nodes',
  why: 'Keeps one node from carrying all pods. With matchLabelKeys each version is spread by itself; without it the old pods count too, and what is left after the rollout is uneven.',
  changes: 'manifest',
  appliesTo: sizedWorkloads,
  conflictsWith: [],
  apply: (manifests, context) => {
    const present = findWorkload(manifests, context).spec.template.spec.topologySpreadConstraints ?? [];
    if (present.some((constraint) => constraint.topologyKey === HOSTNAME))
      return { unchanged: 'it is spread over nodes already' };
    return {
      manifests: patchWorkload(manifests, context, ({ kind, spec }) => {
        // pod-template-hash is a Deployment's label; matchLabelKeys is on from v1.27 (KEP-3243, beta).
        const byVersion = kind === 'Deployment' && atLeast(context.kubernetesVersion, 1, 27);
        spec.template.spec.topologySpreadConstraints = [
          ...present,
          {
            maxSkew: 1,
            topologyKey: HOSTNAME,
            // Spreading is a wish: a full or tainted node must not block a rollout.
            whenUnsatisfiable: 'ScheduleAnyway',
            labelSelector: structuredClone(spec.selector ?? {}),
            ...(byVersion && { matchLabelKeys: ['pod-template-hash'] }),
          },
        ];
      }),
    };
  },
};
