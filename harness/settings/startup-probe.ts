// Setting: a startupProbe, so that a slow start needs no guessed initialDelaySeconds.
import type { Setting } from '../model/setting.ts';
import { everyWorkload, findWorkload, patchWorkload, servingContainer } from './workload.ts';

/** With a period of 1 s: how long the app may take to start, in seconds. */
const STARTUP_LIMIT_SECONDS = 60;

export const startupProbe: Setting = {
  name: 'startupProbe',
  title: 'startupProbe',
  why: 'Holds back liveness and readiness probes until the app has started once, so that a slow start is neither killed nor waited for longer than it takes.',
  changes: 'manifest',
  appliesTo: everyWorkload,
  conflictsWith: [],
  apply: (manifests, context) => {
    if (servingContainer(findWorkload(manifests, context), context).startupProbe)
      return { unchanged: 'it has a startupProbe already' };
    return {
      manifests: patchWorkload(manifests, context, (_, container) => {
        container.startupProbe = {
          httpGet: { path: context.health.path, port: context.health.port },
          periodSeconds: 1,
          failureThreshold: STARTUP_LIMIT_SECONDS,
        };
      }),
    };
  },
};
