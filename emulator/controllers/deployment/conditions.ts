// A Deployment's conditions: their reasons, messages, and the order that updates leave them in.
// Source: pkg/controller/deployment/util/deployment_util.go.
import { timestamp } from '../../api/objects.ts';
import type { Deployment, ReplicaSet } from '../../api/types.ts';

export type DeploymentStatus = NonNullable<Deployment['status']>;
export type DeploymentCondition = NonNullable<DeploymentStatus['conditions']>[number];
type ConditionStatus = 'True' | 'False' | 'Unknown';

export function deploymentCondition(
  type: 'Available' | 'Progressing' | 'ReplicaFailure',
  status: ConditionStatus,
  reason: string,
  message: string,
  nowMs: number,
): DeploymentCondition {
  const now = timestamp(nowMs);
  return { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message };
}

export function conditionIn(
  status: DeploymentStatus | undefined,
  type: DeploymentCondition['type'],
): DeploymentCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

/**
 * A condition with the same status and reason stays as it is, even when the message differs; otherwise it is taken out
 * and appended at the end, keeping its transition time when only the reason changed.
 */
export function setCondition(status: DeploymentStatus, condition: DeploymentCondition): void {
  const current = conditionIn(status, condition.type);
  if (current?.status === condition.status && current.reason === condition.reason) return;
  const lastTransitionTime =
    current?.status === condition.status ? current.lastTransitionTime : condition.lastTransitionTime;
  status.conditions = [...without(status, condition.type), { ...condition, lastTransitionTime }];
}

export function removeCondition(status: DeploymentStatus, type: DeploymentCondition['type']): void {
  if (conditionIn(status, type)) status.conditions = without(status, type);
}

function without(status: DeploymentStatus, type: string): DeploymentCondition[] {
  return (status.conditions ?? []).filter((condition) => condition.type !== type);
}

export function hasProgressDeadline(deployment: Deployment): boolean {
  const seconds = deployment.spec?.progressDeadlineSeconds;
  return seconds !== undefined && seconds !== 2 ** 31 - 1;
}

/** `ReplicaSet "web-abc" is progressing.`; without a ReplicaSet the Deployment is named. */
export function progressMessage(
  deployment: Deployment,
  newReplicaSet: ReplicaSet | undefined,
  what: 'has successfully progressed' | 'is progressing' | 'has timed out progressing',
): string {
  return newReplicaSet
    ? `ReplicaSet "${newReplicaSet.metadata.name}" ${what}.`
    : `Deployment "${deployment.metadata.name}" ${what}.`;
}

/** Progressing for a pause that began or ended; undefined: no change. A timed-out rollout stays timed out. */
export function pauseCondition(deployment: Deployment, nowMs: number): DeploymentCondition | undefined {
  if (!hasProgressDeadline(deployment)) return undefined;
  const current = conditionIn(deployment.status, 'Progressing');
  if (current?.reason === 'ProgressDeadlineExceeded') return undefined;
  const saysPaused = current?.reason === 'DeploymentPaused';
  if (deployment.spec?.paused && !saysPaused) {
    return deploymentCondition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused', nowMs);
  }
  if (!deployment.spec?.paused && saysPaused) {
    return deploymentCondition('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed', nowMs);
  }
  return undefined;
}
