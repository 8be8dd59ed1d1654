// preStop hooks that do not hold the app's end back: one that stops the server itself, one that ends too soon.
import { serviceName } from '../../journal/endpoints.ts';
import { defaultPreStopSeconds } from '../../model/prestop.ts';
import type { Fact, Remedy } from '../../model/results.ts';
import { at, counted, duration } from '../../words/figures.ts';
import type { PodEnds } from './ending.ts';

/** Measured on kind (docs/measured.md): a sleep of 1 s still loses connections. */
const SHORTEST_SECONDS = 2;

export function hookStopsServer({ written, going }: PodEnds): Remedy | undefined {
  const container = written.containers.find(({ stopsServer }) => stopsServer !== undefined);
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

export function hookTooShort({ facts, written, going }: PodEnds): Remedy | undefined {
  const container = written.containers.find(
    ({ preStop, stopsServer }) =>
      preStop && stopsServer === undefined && (preStop.seconds ?? 0) < SHORTEST_SECONDS && isRead(preStop),
  );
  if (!container?.preStop || going.length === 0) return undefined;
  const { name, preStop } = container;
  const hook = preStop.onlySleeps
    ? `sleeps ${preStop.seconds ?? 0} s`
    : `(${preStop.command.join(' ') || preStop.path}) does not wait`;
  const lag = longestRouted(facts.pods.values(), facts);
  return {
    id: 'hook-too-short',
    explains: ['routed-after-stop'],
    found: `the preStop hook of container ${name} ${hook}, which is too short: ${serviceName(facts.header.target.service)} is routed to a pod for a while after its deletion${lag}`,
    todo: `Let it sleep ${defaultPreStopSeconds} s (the command, if it is needed, before that), and the grace period with it.`,
    ...(preStop.onlySleeps && { setting: 'preStop' }),
    facts: [{ text: `preStop of container ${name} ${hook}` }, ...deletions({ going })],
  };
}

/** A loop or a program of the user's may wait as long as it is needed: nothing is said of it. */
const isRead = ({
  onlySleeps,
  seconds,
  command,
}: {
  onlySleeps: boolean;
  seconds: number | undefined;
  command: readonly string[];
}) =>
  onlySleeps ||
  (seconds === undefined &&
    command.length > 1 &&
    !/\b(while|until|for|wait|sleep|drain)\b/.test(command.join(' ')));

function longestRouted(pods: Iterable<PodEnds['going'][number]>, { routing }: PodEnds['facts']): string {
  let longest = 0;
  for (const pod of pods) {
    if (!pod.terminating) continue;
    const from = pod.terminating.atMs;
    const left = routing.states.find((state) => state.atMs >= from && !state.routed.has(pod.name));
    if (left) longest = Math.max(longest, left.atMs - from);
  }
  return longest > 0
    ? ` (its endpoint left ${duration(longest)} after it, and nodes follow up to a second or more later)`
    : '';
}

function deletions({ going }: Pick<PodEnds, 'going'>): Fact[] {
  const [first] = going;
  if (!first?.terminating) return [];
  return [
    {
      text: `${counted(going.length, 'pod')} were deleted, the first (${first.name}) at ${at(first.terminating.atMs)}`,
      tMs: first.terminating.atMs,
      line: first.terminating.line,
      pod: first.name,
    },
  ];
}
