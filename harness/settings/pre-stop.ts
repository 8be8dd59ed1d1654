// Setting: a preStop hook that sleeps, so that the app goes on serving until nothing is routed to it any more.
import { nativeSleepMinor, type PreStopHook, readPreStop } from '../model/prestop.ts';
import type { Setting, SettingContext, SettingOutcome } from '../model/setting.ts';
import { longestSleep, makeRoom } from './grace-period.ts';
import { atLeast } from './kubernetes-version.ts';
import {
  type ContainerDraft,
  everyWorkload,
  findWorkload,
  patchWorkload,
  servingContainer,
} from './workload.ts';

export const preStop: Setting = {
  name: 'preStop',
  title: 'preStop sleep',
  why: 'Deleting a pod and taking it out of the routing happen at the same time: an app that stops at SIGTERM is still routed to for a second or more. Sleeping first closes that gap for new connections.',
  changes: 'manifest',
  appliesTo: everyWorkload,
  conflictsWith: [],
  apply: (manifests, context) => {
    const present = readPreStop(
      servingContainer(findWorkload(manifests, context), context).lifecycle?.preStop,
    );
    if (context.foreign && !context.preStopExact) return atLeastAsLong(manifests, context, present);
    if (present && !present.onlySleeps) return { unchanged: ownWay };
    return {
      manifests: patchWorkload(manifests, context, (_, container) =>
        setSleep(container, context.preStopSeconds, context),
      ),
    };
  },
  takeAway: (manifests, context) =>
    patchWorkload(manifests, context, ({ spec }, serving) => {
      for (const container of spec.template.spec.containers)
        if (container === serving || serves(container)) setSleep(container, 0, context);
    }),
};

/** A hook that does more than sleep is the author's own way of stopping. */
const ownWay = 'its preStop hook does more than sleep, and stays';

/**
 * On somebody's own workload a sleep is only ever made longer, every container that declares a port and has no hook gets
 * one as long (the app behind a waiting proxy must wait, too), and the grace period grows with them.
 */
function atLeastAsLong(
  manifests: SettingInput,
  context: SettingContext,
  present: PreStopHook | undefined,
): SettingOutcome {
  const seconds = Math.max(present?.seconds ?? 0, context.preStopSeconds);
  const before = JSON.stringify(manifests);
  const changed = patchWorkload(manifests, context, ({ spec }, serving) => {
    const pod = spec.template.spec;
    const sleptBefore = longestSleep(pod);
    if ((!present || present.onlySleeps) && (present?.seconds ?? 0) < seconds)
      setSleep(serving, seconds, context);
    // An image may have no `sleep`: only the native action is given to containers that nobody named.
    const native = seconds > 0 && atLeast(context.kubernetesVersion, 1, nativeSleepMinor);
    for (const container of pod.containers)
      if (native && serves(container) && !container.lifecycle?.preStop)
        setSleep(container, Math.ceil(seconds), context);
    makeRoom(pod, sleptBefore);
  });
  if (JSON.stringify(changed) !== before) return { manifests: changed };
  const slept = `its preStop hook sleeps ${present?.seconds ?? 0} s already; ${context.preStopSeconds} s are wanted`;
  return { unchanged: present && !present.onlySleeps ? ownWay : slept };
}

type SettingInput = Parameters<Setting['apply']>[0];

const serves = (container: ContainerDraft): boolean => (container.ports?.length ?? 0) > 0;

/** A sleep of 0 s is no hook: the native form takes 0 only from v1.33 on. */
function setSleep(container: ContainerDraft, seconds: number, { kubernetesVersion }: SettingContext): void {
  const { preStop: _, ...others } = container.lifecycle ?? {};
  const lifecycle = seconds > 0 ? { ...others, preStop: sleepHook(seconds, kubernetesVersion) } : others;
  if (Object.keys(lifecycle).length > 0) container.lifecycle = lifecycle;
  else delete container.lifecycle;
}

/** The native action needs no binary in the image. */
function sleepHook(seconds: number, kubernetesVersion: string) {
  return atLeast(kubernetesVersion, 1, nativeSleepMinor)
    ? { sleep: { seconds } }
    : { exec: { command: ['sleep', String(seconds)] } };
}
