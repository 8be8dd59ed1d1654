// How far a rollout had got at a moment of a recording, for steps that were done in the middle of one.
import { z } from 'zod';
import { podSchema, type Recording } from './recording.ts';

const deployment = z.looseObject({
  specReplicas: z.number().default(0),
  paused: z.boolean().default(false),
  status: z
    .looseObject({
      updatedReplicas: z.number().default(0),
      availableReplicas: z.number().default(0),
      replicas: z.number().default(0),
    })
    .default({ updatedReplicas: 0, availableReplicas: 0, replicas: 0 }),
});

/**
 * Ready pods of the newest ReplicaSet while its rollout is on its way; undefined when no rollout is, or none of its
 * pods was Ready (it was stuck, or had just begun: then the time says when).
 */
export function readyInNewest({ events }: Recording, atMs: number): number | undefined {
  const sets = new Set<string>();
  const ready = new Map<string, string>();
  let complete = true;
  let paused = false;
  for (const { t, kind, type, name, object } of events) {
    if (t >= atMs) continue;
    if (kind === 'ReplicaSet') sets.add(name);
    else if (kind === 'Pod') {
      const { owner = '', conditions, deletionTimestamp } = podSchema.parse(object);
      const isReady = conditions.some(
        (condition) => condition.type === 'Ready' && condition.status === 'True',
      );
      if (isReady && !deletionTimestamp && type !== 'DELETED') ready.set(name, owner);
      else ready.delete(name);
    } else if (kind === 'Deployment' && type !== 'DELETED') {
      const { specReplicas, status, paused: isPaused } = deployment.parse(object);
      paused = isPaused;
      complete =
        status.updatedReplicas === specReplicas &&
        status.availableReplicas === specReplicas &&
        status.replicas === specReplicas;
    }
  }
  const newest = [...sets].sort((a, b) => Number(a.slice(2)) - Number(b.slice(2))).at(-1);
  const count = [...ready.values()].filter((owner) => owner === newest).length;
  return complete || paused || sets.size < 2 || count === 0 ? undefined : count;
}

/** Steps that were done in the middle of a rollout: what was in flight then is chance. */
export const stepsInFlight = (recording: Recording): number =>
  recording.header.steps.filter(
    ({ atMs }, index) => index > 0 && readyInNewest(recording, atMs) !== undefined,
  ).length;
