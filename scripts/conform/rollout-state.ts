// How far a rollout had got at a moment of a recording, for steps that were done in the middle of one.
import { z } from 'zod';
import type { Recording } from './recording.ts';

const replicaSet = z.looseObject({
  specReplicas: z.number().default(0),
  status: z.looseObject({ readyReplicas: z.number().default(0) }).default({ readyReplicas: 0 }),
});
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
  let newest: { name: string; number: number; ready: number } | undefined;
  let complete = true;
  let paused = false;
  let sets = 0;
  for (const { t, kind, type, name, object } of events) {
    if (t >= atMs || type === 'DELETED') continue;
    if (kind === 'ReplicaSet') {
      const { status } = replicaSet.parse(object);
      const number = Number(name.slice(2));
      if (!newest || number > newest.number) sets++;
      if (!newest || number >= newest.number) newest = { name, number, ready: status.readyReplicas };
    } else if (kind === 'Deployment') {
      const { specReplicas, status, paused: isPaused } = deployment.parse(object);
      paused = isPaused;
      complete =
        status.updatedReplicas === specReplicas &&
        status.availableReplicas === specReplicas &&
        status.replicas === specReplicas;
    }
  }
  if (!newest || complete || paused || sets < 2 || newest.ready === 0) return undefined;
  return newest.ready;
}

/** Steps that were done in the middle of a rollout: what was in flight then is chance. */
export const stepsInFlight = (recording: Recording): number =>
  recording.header.steps.filter(
    ({ atMs }, index) => index > 0 && readyInNewest(recording, atMs) !== undefined,
  ).length;
