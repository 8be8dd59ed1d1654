// The queue beside a consuming target: one pod that no step touches, and what the target is told about it. Pure.
import type { Manifest } from '../model/manifest.ts';
import type { OwnPods, Placement } from '../model/own-pods.ts';
import type { TargetSpec } from '../model/scenario.ts';
import { type Identity, ownPod, withOwnEnvironment } from './assemble.ts';
import type { TargetDefinition } from './definition.ts';

export const queueName = 'rollproof-queue';
/** The last consumer of a Deployment may come this much later than the first one. */
const LATECOMERS_MS = 2000;

export type QueueSpec = NonNullable<TargetSpec['queue']>;

/** The Service comes first: its address is known before any consumer runs. */
export const queueObjects = (
  identity: Identity,
  own: OwnPods,
  placement: Placement,
  { enqueuePerSecond, warmUpMs }: QueueSpec,
): readonly [service: Manifest, deployment: Manifest] =>
  ownPod(identity, own, placement, {
    name: queueName,
    role: 'queue',
    // Work comes when the first consumers are warm, so that an experiment begins without a backlog.
    env: {
      MODE: 'queue',
      ENQUEUE_PER_SECOND: String(enqueuePerSecond),
      QUIET_MS: String(warmUpMs + LATECOMERS_MS),
    },
  });

/** The built-in target as a consumer of the queue at `address` (host:port). */
export const withConsumers = (
  manifests: readonly Manifest[],
  target: TargetDefinition,
  address: string,
  { coldPerSecond, warmPerSecond, warmUpMs }: QueueSpec,
): readonly Manifest[] =>
  withOwnEnvironment(manifests, target, {
    MODE: 'consumer',
    QUEUE: address,
    COLD_PER_SECOND: coldPerSecond,
    WARM_PER_SECOND: warmPerSecond,
    WARM_UP_MS: warmUpMs,
  });
