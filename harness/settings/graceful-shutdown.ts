// Setting: the app itself stops gracefully on SIGTERM, switched on by environment variables.
import type { Setting } from '../model/setting.ts';
import { switchOff, switchOn } from './app-switch.ts';
import { everyWorkload } from './workload.ts';

/** The switch of the default target (target/config.ts). */
export const targetGracefulEnv: Readonly<Record<string, string>> = { ON_TERM: 'graceful' };

export const gracefulShutdown: Setting = {
  name: 'gracefulShutdown',
  title: 'graceful shutdown in the app',
  why: 'Kept-alive connections stay pinned to a pod until its process ends, whatever the routing says. The app has to answer with "Connection: close" until each client has reconnected, then stop.',
  changes: 'app',
  appliesTo: everyWorkload,
  conflictsWith: [],
  apply: (manifests, context) => switchOn(manifests, context, context.gracefulEnv),
  takeAway: (manifests, context) => switchOff(manifests, context, context.gracefulEnv),
};
