// From what a metric asks for to what is done: stabilization windows, rates, limits.
// Source: normalizeDesiredReplicas… and convertDesiredReplicas… in pkg/controller/podautoscaler/horizontal.go.
import type { Autoscaler } from '../../api/types.ts';

type Behavior = NonNullable<NonNullable<Autoscaler['spec']>['behavior']>;
type ScalingRules = NonNullable<Behavior['scaleUp']>;

interface Timed {
  readonly atMs: number;
}
export interface Recommendation extends Timed {
  readonly replicas: number;
}
export interface ScaleEvent extends Timed {
  /** Replicas added or removed, positive. */
  readonly change: number;
}

/** What the controller remembers of one autoscaler. */
export interface History {
  recommendations: Recommendation[];
  scaledUp: ScaleEvent[];
  scaledDown: ScaleEvent[];
}

interface Limits {
  readonly min: number;
  readonly max: number;
}

export interface Normalized {
  readonly replicas: number;
  readonly ableToScale: { readonly reason: string; readonly message: string };
  readonly limited: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string };
}

const withinRange = {
  reason: 'DesiredWithinRange',
  message: 'the desired count is within the acceptable range',
};
const tooMany = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
};
const tooFew = {
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
};
const tooFast = {
  reason: 'ScaleUpLimit',
  message: 'the desired replica count is increasing faster than the maximum scale rate',
};
const tooFastDown = {
  reason: 'ScaleDownLimit',
  message: 'the desired replica count is decreasing faster than the maximum scale rate',
};
const stabilizedDown = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const stabilizedUp = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
};
const readyForNewScale = {
  reason: 'ReadyForNewScale',
  message: 'recommended size matches current size',
};

/** Unset fields of a behavior: up: no window, the more of 4 pods and 100 % per 15 s; down: 100 % per 15 s. */
export function withDefaultRules(behavior: Behavior, downscaleWindowMs: number) {
  const fill = (
    rules: ScalingRules | undefined,
    windowSeconds: number,
    policies: NonNullable<ScalingRules['policies']>,
  ) => ({
    stabilizationWindowSeconds: rules?.stabilizationWindowSeconds ?? windowSeconds,
    selectPolicy: rules?.selectPolicy ?? 'Max',
    policies: rules?.policies?.length ? rules.policies : policies,
  });
  return {
    up: fill(behavior.scaleUp, 0, [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ]),
    down: fill(behavior.scaleDown, downscaleWindowMs / 1000, [
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ]),
  };
}
type FilledRules = ReturnType<typeof withDefaultRules>;

/** Without a behavior: the highest recommendation of the last 5 minutes; up at most to max(2 × current, 4). */
export function normalize(
  current: number,
  wanted: number,
  limits: Limits,
  history: History,
  downscaleWindowMs: number,
  nowMs: number,
): Normalized {
  const cutoffMs = nowMs - downscaleWindowMs;
  history.recommendations = history.recommendations.filter(({ atMs }) => atMs >= cutoffMs);
  const stabilized = Math.max(wanted, ...history.recommendations.map(({ replicas }) => replicas));
  history.recommendations.push({ replicas: wanted, atMs: nowMs });
  const rateLimit = Math.max(2 * current, 4);
  const highest = Math.min(limits.max, rateLimit);
  const ableToScale = stabilized === wanted ? readyForNewScale : stabilizedDown;
  if (stabilized < limits.min) return limited(limits.min, ableToScale, tooFew);
  if (stabilized > highest) {
    return limited(highest, ableToScale, limits.max > rateLimit ? tooFast : tooMany);
  }
  return { replicas: stabilized, ableToScale, limited: { status: 'False', ...withinRange } };
}

/** With a behavior: the window of the direction that is asked for, then its rates. */
export function normalizeWithBehavior(
  current: number,
  wanted: number,
  limits: Limits,
  rules: FilledRules,
  history: History,
  nowMs: number,
): Normalized {
  const stabilized = stabilize(current, wanted, rules, history, nowMs);
  const direction = wanted >= current ? stabilizedUp : stabilizedDown;
  const ableToScale = stabilized === wanted ? readyForNewScale : direction;
  if (stabilized > current) {
    const rateLimit = Math.max(current, scaleUpLimit(current, history, rules.up, nowMs));
    const highest = Math.min(limits.max, rateLimit);
    if (stabilized > highest) {
      return limited(highest, ableToScale, limits.max > rateLimit ? tooFast : tooMany);
    }
  } else if (stabilized < current) {
    const rateLimit = Math.min(current, scaleDownLimit(current, history, rules.down, nowMs));
    const lowest = Math.max(limits.min, rateLimit);
    if (stabilized < lowest) {
      return limited(lowest, ableToScale, limits.min < rateLimit ? tooFastDown : tooFew);
    }
  }
  return { replicas: stabilized, ableToScale, limited: { status: 'False', ...withinRange } };
}

/**
 * The present size, raised to the lowest recommendation of the up window, then lowered to the highest one of the down
 * window; the new recommendation counts in both.
 */
function stabilize(
  current: number,
  wanted: number,
  { up, down }: FilledRules,
  history: History,
  nowMs: number,
): number {
  const within = (windowSeconds: number) =>
    history.recommendations
      .filter(({ atMs }) => atMs > nowMs - windowSeconds * 1000)
      .map(({ replicas }) => replicas);
  const lowest = Math.min(wanted, ...within(up.stabilizationWindowSeconds));
  const highest = Math.max(wanted, ...within(down.stabilizationWindowSeconds));
  const longestMs = Math.max(up.stabilizationWindowSeconds, down.stabilizationWindowSeconds) * 1000;
  history.recommendations = history.recommendations.filter(({ atMs }) => atMs >= nowMs - longestMs);
  history.recommendations.push({ replicas: wanted, atMs: nowMs });
  return Math.min(Math.max(current, lowest), highest);
}

/**
 * Per policy, from what there was at the start of its period (current - added + removed since): Pods adds its value,
 * Percent rounds up; Max takes the highest, Min the lowest, Disabled the present size.
 *
 *   5 replicas, 3 of them added in the last 15 s: 4 pods → 2 + 4 = 6;  100 % → ceil(2 × 2) = 4;  Max → 6
 */
export function scaleUpLimit(
  current: number,
  history: Pick<History, 'scaledUp' | 'scaledDown'>,
  rules: FilledRules['up'],
  nowMs: number,
): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const proposals = rules.policies.map(({ type, value, periodSeconds }) => {
    const before = atPeriodStart(current, periodSeconds, history, nowMs);
    return type === 'Pods' ? before + value : Math.ceil(before * (1 + value / 100));
  });
  return rules.selectPolicy === 'Min' ? Math.min(...proposals) : Math.max(...proposals);
}

/** Percent cuts: 5 replicas, 10 % → 4. */
export function scaleDownLimit(
  current: number,
  history: Pick<History, 'scaledUp' | 'scaledDown'>,
  rules: FilledRules['down'],
  nowMs: number,
): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const proposals = rules.policies.map(({ type, value, periodSeconds }) => {
    const before = atPeriodStart(current, periodSeconds, history, nowMs);
    return type === 'Pods' ? before - value : Math.trunc(before * (1 - value / 100));
  });
  return rules.selectPolicy === 'Min' ? Math.max(...proposals) : Math.min(...proposals);
}

/** Remembers a rescale for as long as a policy may ask for it. */
export function rememberScale(
  history: History,
  from: number,
  to: number,
  rules: FilledRules,
  nowMs: number,
): void {
  const isUp = to > from;
  const longestMs =
    Math.max(0, ...(isUp ? rules.up : rules.down).policies.map((each) => each.periodSeconds)) * 1000;
  const kept = (isUp ? history.scaledUp : history.scaledDown).filter(({ atMs }) => atMs >= nowMs - longestMs);
  kept.push({ change: Math.abs(to - from), atMs: nowMs });
  if (isUp) history.scaledUp = kept;
  else history.scaledDown = kept;
}

function atPeriodStart(
  current: number,
  periodSeconds: number,
  { scaledUp, scaledDown }: Pick<History, 'scaledUp' | 'scaledDown'>,
  nowMs: number,
): number {
  const changed = (events: readonly ScaleEvent[]) =>
    events
      .filter(({ atMs }) => atMs > nowMs - periodSeconds * 1000)
      .reduce((total, { change }) => total + change, 0);
  return current - changed(scaledUp) + changed(scaledDown);
}

function limited(
  replicas: number,
  ableToScale: Normalized['ableToScale'],
  why: { reason: string; message: string },
): Normalized {
  return { replicas, ableToScale, limited: { status: 'True', ...why } };
}
