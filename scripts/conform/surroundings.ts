// What an emulation cannot know about the place where a recording was made and has to be told: how fast its machine
// was, what its registry said, which nodes it had, what its images do.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LocalImage, NodePlan } from '../../emulator/index.ts';
import type { PullFailure } from '../../emulator/node/images.ts';
import { LATER_SHARE } from '../../emulator/node/latency.ts';
import { eventSchema, podSchema, type Recording } from './recording.ts';

const images = join(dirname(fileURLToPath(import.meta.url)), 'images');
/** As text: a path below /tmp in a manifest's command would be the container's own. */
export const loadScript = () => readFileSync(join(images, 'load.mjs'), 'utf8');

/** The recordings' cluster: one control plane and three workers. */
export const recordedNodes: readonly NodePlan[] = [
  { name: 'control-plane', role: 'control-plane' },
  { name: 'node1', role: 'worker' },
  { name: 'node2', role: 'worker' },
  { name: 'node3', role: 'worker' },
];

/** `log`: a file to which the target appends what it logs. */
export function localImage(image: string, log: string): LocalImage | undefined {
  const command = (file: string) => [process.execPath, join(images, file)];
  const target = /^exp\/target:(\d+)$/.exec(image);
  if (target)
    return { command: command('target.mjs'), env: { VERSION: target[1] as string, CONFORM_LOG: log } };
  if (/^nginx:1\.22\.\d+$/.test(image)) return { command: command('nginx.mjs'), stopSignal: 'SIGQUIT' };
  return undefined;
}

/** The emulation's own median from PodScheduled to Started at factor 1 for a pod that starts alone, ms. */
const EMULATED_START_MS = 720;
const LEAST_FACTOR = 0.8;
const MOST_FACTOR = 4;
/**
 * The recordings' nodes were containers on one machine with two cores: one pod alone takes 0.7 s, the first of eight that
 * start together 1.1 s, the last 3 s. Fitted to all starts of the recordings (least absolute error).
 */
export const START_CONTENTION = 0.25;

interface Start {
  /** A volume could not be mounted at first: how long that start took says nothing about the machine. */
  readonly heldUp: boolean;
  readonly scheduledMs: number;
  readonly startedMs: number;
}

/**
 * How much slower than the emulation at factor 1 the recording's machine was, beyond the contention of pods that start
 * together: it was not always quiet. Taken from the first step on.
 */
export function machineFactor({ events, header }: Recording): number {
  const scheduled = new Map<string, number>();
  const heldUp = new Set<string>();
  const starts: Start[] = [];
  for (const { t, type, kind, name, object } of events) {
    if (kind === 'Pod' && !scheduled.has(name)) {
      const pod = podSchema.parse(object);
      if (
        pod.conditions.some((condition) => condition.type === 'PodScheduled' && condition.status === 'True')
      ) {
        scheduled.set(name, t);
      }
    }
    if (kind !== 'Event' || type !== 'ADDED') continue;
    const { reason, involvedObject } = eventSchema.parse(object);
    const { name: pod } = involvedObject;
    const scheduledMs = scheduled.get(pod);
    if (reason === 'FailedMount') heldUp.add(pod);
    if (reason === 'Started' && scheduledMs !== undefined) {
      starts.push({ heldUp: heldUp.has(pod), scheduledMs, startedMs: t });
    }
  }
  const factors = starts
    .filter(({ heldUp, scheduledMs }) => !heldUp && (scheduledMs >= 0 || header.createdAtFirstStep))
    .map((start) => {
      const together = starts.filter(
        (other) =>
          other !== start && other.scheduledMs < start.startedMs && other.startedMs > start.scheduledMs,
      );
      const ahead = together.filter(({ startedMs }) => startedMs < start.startedMs).length;
      const crowd = 1 + START_CONTENTION * (ahead + LATER_SHARE * (together.length - ahead));
      return (start.startedMs - start.scheduledMs) / (EMULATED_START_MS * crowd);
    })
    .sort((a, b) => a - b);
  const median = factors[Math.floor((factors.length - 1) / 2)] ?? 1;
  return Math.min(MOST_FACTOR, Math.max(LEAST_FACTOR, median));
}

/** The status was decided with the relist and written this much later, ms. */
const STATUS_WRITE_MS = 30;
const RELIST_MS = 1000;

/**
 * Where the relist of a node lay when a container started there, in the order of starts since the first step: chance, but
 * it adds up where one pod waits for another. Undefined: not to be seen.
 */
export function relistDelays({ events, header }: Recording): (number | undefined)[] {
  const begun: { readonly pod: string; readonly t: number }[] = [];
  const running = new Map<string, number>();
  for (const { t, type, kind, name, object } of events) {
    if (t < 0 && !header.createdAtFirstStep) continue;
    if (kind === 'Pod' && !running.has(name) && podSchema.parse(object).containerStatuses[0]?.state.running) {
      running.set(name, t);
    }
    if (kind !== 'Event' || type !== 'ADDED') continue;
    const { reason, involvedObject } = eventSchema.parse(object);
    if (reason === 'Started') begun.push({ pod: involvedObject.name, t });
  }
  return begun
    .sort((a, b) => a.t - b.t)
    .map(({ pod, t }) => {
      const seenMs = running.get(pod);
      return seenMs === undefined
        ? undefined
        : Math.min(RELIST_MS, Math.max(1, seenMs - t - STATUS_WRITE_MS));
    });
}

const RETRY_MS = 10_000;
const RETRY_STRETCH = 1.55;
/** A failed sync of the replay is taken for the recorded one that is at most this far from it. */
const SAME_RETRY_MS = 3000;

/**
 * How long the kubelet waited here before it tried a failed start again (10 s, stretched by chance): whether the next
 * failure falls into the back-off depends on it. `atMs` since the first step. Undefined: not to be seen.
 */
export function retryDelay({ events }: Recording): (atMs: number) => number | undefined {
  const tried = new Map<string, number[]>();
  for (const { t, kind, type, object } of events) {
    if (kind !== 'Event') continue;
    const { reason, involvedObject } = eventSchema.parse(object);
    if (type === 'DELETED' || !['BackOff', 'Pulled', 'Pulling'].includes(reason)) continue;
    tried.set(involvedObject.name, [...(tried.get(involvedObject.name) ?? []), t]);
  }
  const retries = [...tried.values()].flatMap((times) =>
    times.slice(1).flatMap((toMs, index) => {
      const fromMs = times[index] as number;
      const ms = toMs - fromMs;
      return ms >= RETRY_MS && ms <= RETRY_MS * RETRY_STRETCH ? [{ fromMs, ms }] : [];
    }),
  );
  return (atMs) => {
    const away = (fromMs: number) => Math.abs(fromMs - atMs);
    const [nearest] = retries.toSorted((a, b) => away(a.fromMs) - away(b.fromMs));
    return nearest && away(nearest.fromMs) <= SAME_RETRY_MS ? nearest.ms : undefined;
  };
}

/** What pulling a missing image said there, and how long it took to say it. */
export function pullFailure({ events }: Recording): ((image: string) => PullFailure) | undefined {
  const begun = new Map<string, number>();
  for (const { t, kind, object } of events) {
    if (kind !== 'Event') continue;
    const { reason, message, involvedObject } = eventSchema.parse(object);
    if (reason === 'Pulling' && !begun.has(involvedObject.name)) begun.set(involvedObject.name, t);
    const failed = /^Failed to pull image "[^"]*": (.*)$/s.exec(message);
    const from = begun.get(involvedObject.name);
    if (failed && from !== undefined) return () => ({ message: failed[1] as string, afterMs: t - from });
  }
  return undefined;
}
