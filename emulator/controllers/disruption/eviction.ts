// What the eviction subresource asks: may a pod go, and what does it cost its budget.
// Source: pkg/registry/core/pod/storage/eviction.go.

import { matchesSelector } from '../../api/label-selector.ts';
import { timestamp } from '../../api/objects.ts';
import { type DisruptionBudget, type Pod, StatusError } from '../../api/types.ts';
import { isReady, isTerminal, isTerminating } from '../runtime/pods.ts';
import { type BudgetStatus, withDisruptionAllowed } from './budget.ts';

/** More evicted pods than this, not yet seen as deleted by the controller, and no further one may go. */
const maxDisruptedPods = 2000;

type EvictionDecision =
  /** No budget is concerned. */
  | { readonly allow: true; readonly budget: undefined; readonly budgetStatus: undefined }
  /** The budget pays for it: its status is to be written first. */
  | { readonly allow: true; readonly budget: DisruptionBudget; readonly budgetStatus: BudgetStatus }
  | { readonly allow: false; readonly error: StatusError };

const free: EvictionDecision = { allow: true, budget: undefined, budgetStatus: undefined };

/**
 * - a pod that is Pending, finished or being deleted may go whatever budgets say
 * - more than one budget: refused with 500
 * - a pod that is not ready may go when the budget's policy is AlwaysAllow, or when enough others are healthy
 *   (currentHealthy ≥ desiredHealthy > 0); it costs nothing
 * - else disruptionsAllowed must be above 0 and is lowered by one; otherwise 429
 *
 * @param budgets Those of the pod's namespace.
 */
export function decideEviction(
  pod: Pod,
  budgets: readonly DisruptionBudget[],
  nowMs: number,
): EvictionDecision {
  const isIdle = isTerminal(pod) || pod.status?.phase === 'Pending' || isTerminating(pod);
  if (isIdle) return free;
  const [budget, ...more] = budgets.filter(({ spec }) =>
    matchesSelector(spec?.selector, pod.metadata.labels),
  );
  if (!budget) return free;
  if (more.length > 0) {
    const text =
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    return { allow: false, error: new StatusError(500, '', text) };
  }
  if (!isReady(pod)) {
    const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
    const isFree =
      budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' ||
      (currentHealthy >= desiredHealthy && desiredHealthy > 0);
    if (isFree) return free;
  }
  return payFor(pod, budget, nowMs);
}

function payFor(pod: Pod, budget: DisruptionBudget, nowMs: number): EvictionDecision {
  const { name } = budget.metadata;
  const status = budget.status;
  const observed = status?.observedGeneration ?? 0;
  if (!status || observed < (budget.metadata.generation ?? 0)) {
    const cause = `The disruption budget ${name} is still being processed by the server.`;
    return { allow: false, error: tooManyRequests(cause, 10) };
  }
  if (status.disruptionsAllowed < 0)
    return { allow: false, error: forbidden(name, 'pdb disruptions allowed is negative') };
  if (Object.keys(status.disruptedPods ?? {}).length > maxDisruptedPods) {
    const text = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller';
    return { allow: false, error: forbidden(name, text) };
  }
  if (status.disruptionsAllowed === 0) {
    const condition = status.conditions?.find(({ type }) => type === 'DisruptionAllowed');
    const cause =
      condition?.reason === 'SyncFailed'
        ? `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${condition.message}`
        : `The disruption budget ${name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`;
    return { allow: false, error: tooManyRequests(cause) };
  }
  const disruptionsAllowed = status.disruptionsAllowed - 1;
  return {
    allow: true,
    budget,
    budgetStatus: {
      ...status,
      disruptionsAllowed,
      disruptedPods: { ...status.disruptedPods, [pod.metadata.name]: timestamp(nowMs) },
      ...(disruptionsAllowed === 0
        ? { conditions: withDisruptionAllowed(budget, false, 'InsufficientPods', '', nowMs) }
        : {}),
    },
  };
}

function tooManyRequests(cause: string, retryAfterSeconds?: number): StatusError {
  const text = "Cannot evict pod as it would violate the pod's disruption budget.";
  return new StatusError(429, 'TooManyRequests', text, {
    causes: [{ reason: 'DisruptionBudget', message: cause }],
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

function forbidden(name: string, why: string): StatusError {
  return new StatusError(403, 'Forbidden', `poddisruptionbudget.policy "${name}" is forbidden: ${why}`, {
    name,
    group: 'policy',
    kind: 'poddisruptionbudget',
  });
}
