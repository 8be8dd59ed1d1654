// Setting: the app itself stops gracefully on SIGTERM, switched on by environment variables.
import type { Setting } from '../model/setting.ts';
import { type ContainerDraft, findWorkload, patchWorkload, servingContainer } from './workload.ts';

/** The switch of the default target (target/config.ts). */
export const targetGracefulEnv: Readonly<Record<string, string>> = { ON_TERM: 'graceful' };

export const gracefulShutdown: Setting = {
  name: 'gracefulShutdown',
  title: 'graceful shutdown in the app',
  why: 'Kept-alive connections stay pinned to a pod until its process ends, whatever the routing says. The app has to answer with "Connection: close" until each client has reconnected, then stop.',
  changes: 'app',
  appliesTo: ['Deployment', 'DaemonSet', 'StatefulSet'],
  conflictsWith: [],
  apply: (manifests, context) => {
    const switches = context.gracefulEnv;
    // Nothing that a manifest could turn on.
    if (!switches) return { cannot: 'this app has no switch for it' };
    const patched = patchWorkload(manifests, context, (_, container) => {
      const others = (container.env ?? []).filter((variable) => !(variable.name in switches));
      container.env = [...others, ...Object.entries(switches).map(([name, value]) => ({ name, value }))];
    });
    const on = (container: ContainerDraft) =>
      Object.entries(switches).every(([name, value]) =>
        container.env?.some((variable) => variable.name === name && variable.value === value),
      );
    return on(servingContainer(findWorkload(manifests, context), context))
      ? { unchanged: 'the switch is on already' }
      : { manifests: patched };
  },
  takeAway: (manifests, context) =>
    patchWorkload(manifests, context, (_, container) => {
      const switches = context.gracefulEnv ?? {};
      const kept = container.env?.filter(({ name, value }) => switches[name] !== value);
      if (kept && kept.length < (container.env?.length ?? 0)) container.env = kept;
    }),
};
