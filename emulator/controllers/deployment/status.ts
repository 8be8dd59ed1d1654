// A Deployment's status: sums over its ReplicaSets' statuses, whether it is complete, moves on or has timed out.
// Source: calculateStatus in pkg/controller/deployment/sync.go, progress.go, util/deployment_util.go.
import type { Deployment, ReplicaSet } from '../../api/types.ts';
import {
  conditionIn,
  type DeploymentCondition,
  type DeploymentStatus,
  deploymentCondition,
  hasProgressDeadline,
  progressMessage,
  removeCondition,
  setCondition,
} from './conditions.ts';
import { maxUnavailable } from './fenceposts.ts';
import { desiredOf, present, totalDesired, totalOf } from './replica-sets.ts';

/**
 * Counters are sums of what ReplicaSets report (so `replicas` can be above the ceiling for a moment), unavailable is
 * Σ desired - Σ available. Counters of 0 are absent.
 */
export function statusOf(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newReplicaSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const availableReplicas = totalOf(all, 'availableReplicas');
  const counters = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: totalOf(all, 'replicas'),
    updatedReplicas: totalOf(present([newReplicaSet]), 'replicas'),
    readyReplicas: totalOf(all, 'readyReplicas'),
    availableReplicas,
    unavailableReplicas: Math.max(0, totalDesired(all) - availableReplicas),
  };
  const status: DeploymentStatus = Object.fromEntries(
    Object.entries(counters).filter(([, count]) => count !== 0),
  );
  const collisionCount = deployment.status?.collisionCount;
  if (collisionCount !== undefined) status.collisionCount = collisionCount;
  if (deployment.status?.conditions) status.conditions = [...deployment.status.conditions];
  const isAvailable = availableReplicas >= desiredOf(deployment) - maxUnavailable(deployment);
  setCondition(
    status,
    isAvailable
      ? deploymentCondition(
          'Available',
          'True',
          'MinimumReplicasAvailable',
          'Deployment has minimum availability.',
          nowMs,
        )
      : deploymentCondition(
          'Available',
          'False',
          'MinimumReplicasUnavailable',
          'Deployment does not have minimum availability.',
          nowMs,
        ),
  );
  return status;
}

/** The status of a rollout under way: as statusOf, with Progressing and ReplicaFailure judged. */
export function rolloutStatusOf(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newReplicaSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const status = statusOf(deployment, all, newReplicaSet, nowMs);
  if (!hasProgressDeadline(deployment)) removeCondition(status, 'Progressing');
  const current = conditionIn(deployment.status, 'Progressing');
  const finishedBefore =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === 'NewReplicaSetAvailable';
  if (hasProgressDeadline(deployment) && !finishedBefore) {
    judgeProgress(deployment, status, newReplicaSet, current, nowMs);
  }
  const failure = replicaFailure(all, newReplicaSet);
  if (failure) setCondition(status, failure);
  else removeCondition(status, 'ReplicaFailure');
  return status;
}

function judgeProgress(
  deployment: Deployment,
  status: DeploymentStatus,
  newReplicaSet: ReplicaSet | undefined,
  current: DeploymentCondition | undefined,
  nowMs: number,
): void {
  if (isComplete(deployment, status)) {
    const message = progressMessage(deployment, newReplicaSet, 'has successfully progressed');
    setCondition(
      status,
      deploymentCondition('Progressing', 'True', 'NewReplicaSetAvailable', message, nowMs),
    );
  } else if (hasProgressed(deployment.status, status)) {
    const message = progressMessage(deployment, newReplicaSet, 'is progressing');
    const condition = deploymentCondition('Progressing', 'True', 'ReplicaSetUpdated', message, nowMs);
    // Taken out first: progress moves lastUpdateTime although status and reason are the same.
    if (current?.status === 'True') condition.lastTransitionTime = current.lastTransitionTime;
    removeCondition(status, 'Progressing');
    setCondition(status, condition);
  } else if (hasTimedOut(deployment, status, nowMs)) {
    const message = progressMessage(deployment, newReplicaSet, 'has timed out progressing');
    setCondition(
      status,
      deploymentCondition('Progressing', 'False', 'ProgressDeadlineExceeded', message, nowMs),
    );
  }
}

/** All pods are new, available, and none is left over; terminating pods do not count. */
export function isComplete(deployment: Deployment, status: DeploymentStatus | undefined): boolean {
  const replicas = desiredOf(deployment);
  return (
    (status?.updatedReplicas ?? 0) === replicas &&
    (status?.replicas ?? 0) === replicas &&
    (status?.availableReplicas ?? 0) === replicas &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** More updated, ready or available pods, or fewer old ones. */
export function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const count = (
    status: DeploymentStatus | undefined,
    counter: 'replicas' | 'updatedReplicas' | 'readyReplicas' | 'availableReplicas',
  ) => status?.[counter] ?? 0;
  const old = (status: DeploymentStatus | undefined) =>
    count(status, 'replicas') - count(status, 'updatedReplicas');
  return (
    count(after, 'updatedReplicas') > count(before, 'updatedReplicas') ||
    old(after) < old(before) ||
    count(after, 'readyReplicas') > count(before, 'readyReplicas') ||
    count(after, 'availableReplicas') > count(before, 'availableReplicas')
  );
}

/** lastUpdateTime + deadline is past. Never for a rollout that is complete; still, once it has happened. */
export function hasTimedOut(deployment: Deployment, status: DeploymentStatus, nowMs: number): boolean {
  if (!hasProgressDeadline(deployment)) return false;
  const condition = conditionIn(status, 'Progressing');
  if (!condition || condition.reason === 'NewReplicaSetAvailable') return false;
  if (condition.reason === 'ProgressDeadlineExceeded') return true;
  return deadlineMs(deployment, condition) < nowMs;
}

/**
 * In how many ms to look again whether the rollout has timed out; undefined: not at all. One second is added against
 * times that are cut to whole seconds; with less than a second left it is looked at again at once.
 */
export function stuckCheckAfterMs(
  deployment: Deployment,
  status: DeploymentStatus,
  nowMs: number,
): number | undefined {
  const current = conditionIn(deployment.status, 'Progressing');
  if (!hasProgressDeadline(deployment) || !current) return undefined;
  if (isComplete(deployment, status) || current.reason === 'ProgressDeadlineExceeded') return undefined;
  const leftMs = deadlineMs(deployment, current) - nowMs;
  return leftMs < 1000 ? 0 : leftMs + 1000;
}

function deadlineMs(deployment: Deployment, condition: DeploymentCondition): number {
  return Date.parse(condition.lastUpdateTime ?? '') + (deployment.spec?.progressDeadlineSeconds ?? 0) * 1000;
}

/** The new ReplicaSet's failure, else the first one's that has one. */
function replicaFailure(
  all: readonly ReplicaSet[],
  newReplicaSet: ReplicaSet | undefined,
): DeploymentCondition | undefined {
  for (const replicaSet of present([newReplicaSet, ...all])) {
    const failure = replicaSet.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
    if (failure) {
      return { ...failure, lastUpdateTime: failure.lastTransitionTime };
    }
  }
  return undefined;
}
