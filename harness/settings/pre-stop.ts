// Setting: a preStop hook that sleeps, so that the app goes on serving until nothing is routed to it any more.
import type { Setting } from '../model/setting.ts';
import { atLeast } from './kubernetes-version.ts';
import { type ContainerDraft, patchWorkload } from './workload.ts';

export const preStop: Setting = {
  name: 'preStop',
  title: 'preStop sleep',
  why: 'Deleting a pod and taking it out of the routing happen at the same time: an app that stops at SIGTERM is still routed to for a second or more. Sleeping first closes that gap for new connections.',
  changes: 'manifest',
  appliesTo: ['Deployment', 'DaemonSet', 'StatefulSet'],
  conflictsWith: [],
  apply: (manifests, context) =>
    patchWorkload(manifests, context, (_, container) => {
      const present = container.lifecycle?.preStop;
      // A hook that does more than sleep is the author's own way of stopping.
      if (present && sleepSeconds(container) === undefined) return;
      const { preStop: _sleep, ...others } = container.lifecycle ?? {};
      const seconds = context.preStopSeconds;
      // A sleep of 0 s is no hook: the native form takes 0 only from v1.33 on.
      const lifecycle =
        seconds > 0 ? { ...others, preStop: sleepHook(seconds, context.kubernetesVersion) } : others;
      if (Object.keys(lifecycle).length > 0) container.lifecycle = lifecycle;
      else delete container.lifecycle;
    }),
};

/** The native action is on from v1.30 (KEP-3960, beta) and needs no binary in the image. */
function sleepHook(seconds: number, kubernetesVersion: string) {
  return atLeast(kubernetesVersion, 1, 30)
    ? { sleep: { seconds } }
    : { exec: { command: ['sleep', String(seconds)] } };
}

/** How long the container's preStop sleeps; undefined when it has none or one that does something else. */
export function sleepSeconds(container: ContainerDraft): number | undefined {
  const hook = container.lifecycle?.preStop as
    | { sleep?: { seconds?: unknown }; exec?: { command?: unknown } }
    | null
    | undefined;
  if (hook?.sleep) return Number(hook.sleep.seconds ?? 0);
  const command = hook?.exec?.command;
  if (!Array.isArray(command)) return undefined;
  // ["sleep", "5"], or the same through a shell: ["/bin/sh", "-c", "sleep 5"].
  const match = /^(?:\S*sh -c )?(?:\S*\/)?sleep (\d+)$/.exec(command.join(' '));
  return match ? Number(match[1]) : undefined;
}
