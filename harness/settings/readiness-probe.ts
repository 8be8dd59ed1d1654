// Setting: a readinessProbe on the serving container.
import type { Setting } from '../model/setting.ts';
import { everyWorkload, findWorkload, patchWorkload, servingContainer } from './workload.ts';

export const readinessProbe: Setting = {
  name: 'readinessProbe',
  title: 'readinessProbe',
  why: 'Without it a pod counts as ready when its process has started: the Service routes to it before it listens, and connections are refused.',
  changes: 'manifest',
  appliesTo: everyWorkload,
  conflictsWith: ['grpcProbe'],
  apply: (manifests, context) => {
    // A probe of the author's knows the app better than ours does.
    if (servingContainer(findWorkload(manifests, context), context).readinessProbe)
      return { unchanged: 'it has a readinessProbe already' };
    return {
      manifests: patchWorkload(manifests, context, (_, container) => {
        container.readinessProbe = {
          httpGet: { path: context.health.path, port: context.health.port },
          periodSeconds: 1,
          failureThreshold: 3,
        };
      }),
    };
  },
  takeAway: (manifests, context) =>
    patchWorkload(manifests, context, (_, container) => {
      delete container.readinessProbe;
    }),
};
