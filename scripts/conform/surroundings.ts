// What an emulation cannot know about the place where a recording was made and has to be told: how fast its machine
// was, what its registry said, which nodes it had, what its images do.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LocalImage, NodePlan } from '../../harness/cluster/embedded/index.ts';
import type { PullFailure } from '../../harness/cluster/embedded/node/images.ts';
import { eventSchema, podSchema, type Recording } from './recording.ts';

const images = join(dirname(fileURLToPath(import.meta.url)), 'images');
export const loadScript = join(images, 'load.mjs');

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

/** The emulation's own median from PodScheduled to Started at factor 1, ms. */
const EMULATED_START_MS = 720;
const LEAST_FACTOR = 0.8;
const MOST_FACTOR = 1.5;

/**
 * How much slower the recording's machine started containers than the emulation does at factor 1: from the first step
 * on, since before it many pods start at once.
 */
export function machineFactor({ events, header }: Recording): number {
  const scheduled = new Map<string, number>();
  const startMs: number[] = [];
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
    const from = scheduled.get(involvedObject.name);
    if (reason !== 'Started' || from === undefined) continue;
    if (from >= 0 || header.createdAtFirstStep) startMs.push(t - from);
  }
  const median = startMs.sort((a, b) => a - b)[Math.floor(startMs.length / 2)];
  if (median === undefined) return 1;
  return Math.min(MOST_FACTOR, Math.max(LEAST_FACTOR, median / EMULATED_START_MS));
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
