// Setting: the app itself stops gracefully on SIGTERM, switched on by environment variables.
import type { Setting } from '../model/setting.ts';
import { patchWorkload } from './workload.ts';

/** The switch of the default target (target/config.ts). */
export const targetGracefulEnv: Readonly<Record<string, string>> = { ON_TERM: 'graceful' };

export const gracefulShutdown: Setting = {
  name: 'gracefulShutdown',
  title: 'graceful shutdown in the app',
  why: 'Kept-alive connections stay pinned to a pod until its process ends, whatever the routing says. The app has to answer with "Connection: close" for long enough that each of them has come by, and only then stop.',
  changes: 'app',
  appliesTo: ['Deployment', 'DaemonSet', 'StatefulSet'],
  conflictsWith: [],
  apply: (manifests, context) => {
    const switches = context.gracefulEnv;
    // An app of somebody else's without such a switch: nothing that a manifest could turn on.
    if (!switches) return undefined;
    return patchWorkload(manifests, context, (_, container) => {
      const others = (container.env ?? []).filter((variable) => !(variable.name in switches));
      container.env = [...others, ...Object.entries(switches).map(([name, value]) => ({ name, value }))];
    });
  },
};
