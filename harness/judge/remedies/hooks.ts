// preStop hooks that do not hold the app's end back: one that stops the server itself, one that fails, one that ends too soon.
import { serviceName } from '../../journal/endpoints.ts';
import { defaultPreStopSeconds, endsAtOnce, type PreStopHook } from '../../model/prestop.ts';
import type { Fact, Remedy } from '../../model/results.ts';
import { at, duration } from '../../words/figures.ts';
import { deletions, type PodEnds, serving, stoppedBy } from './ending.ts';

/** Measured on kind (docs/measured.md): a sleep of 1 s still loses connections. */
const SHORTEST_SECONDS = 2;
/** A hook that fails does so at once. */
const FAILS_WITHIN_MS = 2000;

export function hookStopsServer({ written, going }: PodEnds): Remedy | undefined {
  const container = serving(written).find(({ stopsServer }) => stopsServer !== undefined);
  if (!container || going.length === 0) return undefined;
  const { name, stopsServer } = container;
  return {
    id: 'hook-stops-server',
    explains: ['routed-after-stop', 'killed-in-flight', 'kept-connection-cut'],
    found: `the preStop hook of container ${name} stops the server itself (${stopsServer}) while connections are still routed to it`,
    todo: `Put a sleep of ${defaultPreStopSeconds} s in the hook’s place; SIGTERM, or the container’s stop signal, follows it by itself. If that does not stop the app well, keep the command behind the sleep.`,
    facts: [{ text: `preStop of container ${name}: ${stopsServer}` }, ...deletions({ going })],
  };
}

export function hookFails({ written, going }: PodEnds): Remedy | undefined {
  const container = serving(written).find(({ preStop }) => preStop);
  // One that stops the server often ends with it.
  if (!container?.preStop || container.stopsServer !== undefined) return undefined;
  const failed = going.flatMap((pod) => {
    const { terminating, preStopCut } = pod;
    const soon = terminating && preStopCut && preStopCut.atMs - terminating.atMs < FAILS_WITHIN_MS;
    return soon ? [{ pod: pod.name, ...preStopCut }] : [];
  });
  if (failed.length === 0) return undefined;
  const { name, preStop } = container;
  const how =
    preStop.command.length > 0
      ? 'Its command is started in the container’s image, without a shell of its own: see that the program is there and can run. The sleep action needs nothing of the image.'
      : 'See that something answers it with a status below 400, on the port that it names.';
  return {
    id: 'hook-fails',
    explains: ['routed-after-stop'],
    found: `the preStop hook of container ${name} (${textOf(preStop)}) fails, and nothing holds the app’s end back then`,
    todo: `${how} A longer sleep changes nothing.`,
    facts: failed.slice(0, 4).map(({ pod, atMs, line }) => ({
      text: `event FailedPreStopHook of pod ${pod} at ${at(atMs)}`,
      tMs: atMs,
      line,
      pod,
    })),
  };
}

/** Whoever has a hook needs no other one: it has to last longer. */
export function hookTooShort(ends: PodEnds): Remedy | undefined {
  const { facts, written, going } = ends;
  const container = serving(written).find(({ preStop }) => preStop);
  if (!container?.preStop || container.stopsServer !== undefined || going.length === 0) return undefined;
  const { name, preStop } = container;
  const service = serviceName(facts.header.target.service);
  const stop = firstStop(ends);
  const known = { id: 'hook-too-short', explains: ['routed-after-stop'] } as const;
  const text = textOf(preStop);
  const own = [{ text: `preStop of container ${name}: ${text}` }];
  if ((preStop.onlySleeps && isShort(preStop)) || endsAtOnce(preStop) !== undefined) {
    const hook = preStop.onlySleeps ? `sleeps ${preStop.seconds ?? 0} s` : `(${text}) does not wait`;
    return {
      ...known,
      found: `the preStop hook of container ${name} ${hook}, which is too short: ${service} is routed to a pod for a while after its deletion${longestRouted(ends)}`,
      todo: `Let it sleep ${defaultPreStopSeconds} s${preStop.onlySleeps ? '' : ' (the command, if it is needed, before that)'}, and the grace period with it.`,
      ...(preStop.onlySleeps && { setting: 'preStop' }),
      facts: [...own, ...deletions(ends)],
    };
  }
  if (preStop.seconds !== undefined && !isShort(preStop)) {
    const sleeps = `the preStop hook of container ${name} sleeps ${preStop.seconds} s`;
    const graceMs = Math.min(...going.flatMap((pod) => pod.graceMs || []));
    if (graceMs < preStop.seconds * 1000)
      return {
        ...known,
        found: `${sleeps}, but the grace period is over after ${duration(graceMs)}, which ends the sleep and then the app`,
        todo: 'Let the grace period be as long as the sleep and what the app needs after it.',
        facts: [...own, ...deletions(ends)],
      };
    if (stop && stop.afterMs < preStop.seconds * 1000 - FAILS_WITHIN_MS / 2)
      return {
        ...known,
        found: `${sleeps}, and yet pods stopped ${duration(stop.afterMs)} after their deletion (${stop.how}): it does not hold the app’s end back`,
        todo: 'See why: it may fail, or something else may stop the app. A longer sleep changes nothing.',
        facts: [...own, stop.fact],
      };
    return {
      ...known,
      found: `${sleeps}, and ${service} was routed to a pod for longer after its deletion${longestRouted(ends)}`,
      todo: 'Let it sleep longer than that, and the grace period with it.',
      facts: [...own, ...(stop ? [stop.fact] : deletions(ends))],
    };
  }
  const seen = stop ? ` (${duration(stop.afterMs)} after a pod’s deletion ${stop.how})` : '';
  return {
    ...known,
    found: `the preStop hook of container ${name} (${text}) ends before the routing has forgotten the pod, or stops the server itself${seen}`,
    todo: `Let it sleep ${defaultPreStopSeconds} s before anything else${preStop.command.length > 0 ? '' : ' (an exec hook can, a request cannot; an app that does nothing else on it needs the sleep alone)'}, and the grace period with it.`,
    facts: [...own, ...(stop ? [stop.fact] : deletions(ends))],
  };
}

const isShort = (hook: PreStopHook): boolean => (hook.seconds ?? 0) < SHORTEST_SECONDS;

function textOf({ command, path, onlySleeps, seconds: slept }: PreStopHook): string {
  if (command.length > 0) return command.join(' ');
  if (path !== undefined) return `GET ${path}`;
  return onlySleeps ? `sleep ${slept ?? 0}` : 'a request';
}

/** Of all pods that were deleted: the one that stopped soonest. */
function firstStop(
  ends: PodEnds,
): { readonly afterMs: number; readonly how: string; readonly fact: Fact } | undefined {
  const stops = ends.going.flatMap((pod) => {
    const stop = stoppedBy(pod, ends);
    if (!stop || !pod.terminating) return [];
    const { atMs, how } = stop;
    const fact: Fact = { text: `pod ${pod.name}: ${how} at ${at(atMs)}`, tMs: atMs, pod: pod.name };
    return [{ afterMs: atMs - pod.terminating.atMs, how, fact }];
  });
  return stops.sort((a, b) => a.afterMs - b.afterMs)[0];
}

function longestRouted({ facts: { pods, routing } }: PodEnds): string {
  let longest = 0;
  for (const pod of pods.values()) {
    if (!pod.terminating) continue;
    const from = pod.terminating.atMs;
    const left = routing.states.find((state) => state.atMs >= from && !state.routed.has(pod.name));
    if (left) longest = Math.max(longest, left.atMs - from);
  }
  return longest > 0
    ? ` (its endpoint left ${duration(longest)} after it, and nodes follow up to a second or more later)`
    : '';
}
