// How Kubernetes reads the figures of a rollout: an IntOrString, rounded as the field's owner rounds it.

/**
 * A whole number, or a percentage of `total`; undefined for anything else (docs/kubernetes-semantics.md: Deployment
 * maxSurge up, maxUnavailable down; DaemonSet, StatefulSet and PodDisruptionBudget up).
 */
export function scaled(value: unknown, total: number, round: 'up' | 'down'): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value : undefined;
  const percent = typeof value === 'string' ? /^(\d{1,6})%$/.exec(value)?.[1] : undefined;
  if (percent === undefined) return undefined;
  const exact = (Number(percent) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}

export interface FencePosts {
  /** Pods that a rollout may add, and take away before new ones are ready. */
  readonly surge: number;
  readonly unavailable: number;
}

/**
 * Fence posts of a Deployment that rolls (pkg/controller/deployment/util: ResolveFenceposts): surge rounds up,
 * unavailable rounds down, both zero makes one unavailable. What is not written counts as 25 %. Worked: 25%/25% of 1 →
 * 1/0; surge 0, 25% of 1 → 0/1. Undefined when a value is no figure.
 */
export function fencePosts(
  written: { readonly maxSurge?: unknown; readonly maxUnavailable?: unknown },
  replicas: number,
): FencePosts | undefined {
  const surge = scaled(written.maxSurge ?? '25%', replicas, 'up');
  const unavailable = scaled(written.maxUnavailable ?? '25%', replicas, 'down');
  if (surge === undefined || unavailable === undefined) return undefined;
  return { surge, unavailable: Math.min(surge === 0 && unavailable === 0 ? 1 : unavailable, replicas) };
}
