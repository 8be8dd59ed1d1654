// A PodDisruptionBudget's status. Source: pkg/controller/disruption/disruption.go.
import { timestamp } from '../../api/objects.ts';
import type { DisruptionBudget, Pod } from '../../api/types.ts';
import { scaledValue } from '../runtime/int-or-string.ts';
import { isReady, isTerminating } from '../runtime/pods.ts';

export type BudgetStatus = NonNullable<DisruptionBudget['status']>;

/** An evicted pod that is not being deleted after this long is counted as healthy again. */
export const deletionTimeoutMs = 2 * 60_000;

interface BudgetInput {
  readonly budget: DisruptionBudget;
  /** Those that its selector matches, terminating ones included. */
  readonly pods: readonly Pod[];
  /** Σ replicas of the workloads that control the pods; for percentages and maxUnavailable. */
  readonly expectedByScale: number;
}

/**
 *   maxUnavailable:          desired healthy = expected - maxUnavailable (rounded up), expected from the workloads
 *   minAvailable, a number:  desired healthy = it, expected = the pods
 *   minAvailable, a percent: desired healthy = it of expected, rounded up, expected from the workloads
 *   allowed = healthy - desired healthy, at least 0; a pod just evicted or being deleted is not healthy
 *
 *   3 ready pods, minAvailable 2 → 1 allowed;  3 ready of 3, maxUnavailable "30%" → ceil(0.9) = 1 → desired 2 → 1 allowed
 */
export function budgetStatus({ budget, pods, expectedByScale }: BudgetInput, nowMs: number): BudgetStatus {
  const { expected, desired } = healthyGoal(budget, pods.length, expectedByScale);
  const disrupted = disruptedPods(budget, pods, nowMs);
  const healthy = pods.filter(
    (pod) => isReady(pod) && !isTerminating(pod) && disrupted[pod.metadata.name] === undefined,
  ).length;
  const allowed = expected <= 0 ? 0 : Math.max(0, healthy - desired);
  const isAllowed = allowed > 0;
  return {
    currentHealthy: healthy,
    desiredHealthy: desired,
    disruptionsAllowed: allowed,
    expectedPods: expected,
    observedGeneration: budget.metadata.generation ?? 0,
    ...(Object.keys(disrupted).length > 0 ? { disruptedPods: disrupted } : {}),
    conditions: withDisruptionAllowed(
      budget,
      isAllowed,
      isAllowed ? 'SufficientPods' : 'InsufficientPods',
      '',
      nowMs,
    ),
  };
}

/** When the controller cannot count: nothing is allowed, and the condition says why. */
export function failedBudgetStatus(budget: DisruptionBudget, message: string, nowMs: number): BudgetStatus {
  const { currentHealthy = 0, desiredHealthy = 0, expectedPods = 0, ...rest } = budget.status ?? {};
  return {
    ...rest,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    disruptionsAllowed: 0,
    conditions: withDisruptionAllowed(budget, false, 'SyncFailed', message, nowMs),
  };
}

/** Whether the expected number comes from the workloads' scale. */
export function needsScale(budget: DisruptionBudget): boolean {
  return budget.spec?.maxUnavailable !== undefined || typeof budget.spec?.minAvailable === 'string';
}

function healthyGoal(
  { spec }: DisruptionBudget,
  podCount: number,
  expectedByScale: number,
): { expected: number; desired: number } {
  if (spec?.maxUnavailable !== undefined) {
    const unavailable = scaledValue(spec.maxUnavailable, expectedByScale, 'up');
    return { expected: expectedByScale, desired: Math.max(0, expectedByScale - unavailable) };
  }
  if (typeof spec?.minAvailable === 'string') {
    return { expected: expectedByScale, desired: scaledValue(spec.minAvailable, expectedByScale, 'up') };
  }
  return { expected: podCount, desired: spec?.minAvailable ?? 0 };
}

/** Evicted pods whose deletion has not been seen yet, without those that took too long. */
function disruptedPods(
  budget: DisruptionBudget,
  pods: readonly Pod[],
  nowMs: number,
): Record<string, string> {
  const remaining: Record<string, string> = {};
  for (const pod of pods) {
    const { name } = pod.metadata;
    const since = budget.status?.disruptedPods?.[name];
    if (since === undefined || isTerminating(pod)) continue;
    if (Date.parse(since) + deletionTimeoutMs > nowMs) remaining[name] = since;
  }
  return remaining;
}

/** ms until the next evicted pod's time is over; undefined: none. */
export function recheckAfterMs(status: BudgetStatus, nowMs: number): number | undefined {
  const times = Object.values(status.disruptedPods ?? {}).map(
    (since) => Date.parse(since) + deletionTimeoutMs,
  );
  return times.length > 0 ? Math.max(0, Math.min(...times) - nowMs) : undefined;
}

export function withDisruptionAllowed(
  budget: DisruptionBudget,
  isAllowed: boolean,
  reason: 'SufficientPods' | 'InsufficientPods' | 'SyncFailed',
  message: string,
  nowMs: number,
): NonNullable<BudgetStatus['conditions']> {
  const type = 'DisruptionAllowed';
  const status = isAllowed ? 'True' : 'False';
  const conditions = budget.status?.conditions ?? [];
  const current = conditions.find((condition) => condition.type === type);
  const condition = {
    type,
    status,
    reason,
    message,
    lastTransitionTime: current?.status === status ? current.lastTransitionTime : timestamp(nowMs),
    observedGeneration: budget.metadata.generation ?? 0,
  };
  return current
    ? conditions.map((each) => (each === current ? condition : each))
    : [...conditions, condition];
}
