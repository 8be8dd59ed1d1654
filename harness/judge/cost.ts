// What safety costs: time and pods that the settings add to a rollout.
import type { ExperimentResult, ScenarioResult } from '../model/results.ts';
import { duration, podSeconds } from '../words/figures.ts';

/** undefined: there is no valid experiment without settings, or none with. */
export function costOfSafety(experiments: readonly ExperimentResult[]): ScenarioResult['cost'] {
  const valid = experiments.filter((experiment) => experiment.valid);
  const most = Math.max(0, ...valid.map((experiment) => experiment.settings.length));
  const bare = valid.filter((experiment) => experiment.settings.length === 0);
  const full = valid.filter((experiment) => experiment.settings.length === most);
  const [against] = bare;
  const [of] = full;
  if (most === 0 || !against || !of) return undefined;
  const fullMs = mean(full.map((experiment) => experiment.rollout.completedMs));
  const bareMs = mean(bare.map((experiment) => experiment.rollout.completedMs));
  const extraRolloutMs = fullMs === null || bareMs === null ? null : fullMs - bareMs;
  const podSeconds = (group: readonly ExperimentResult[]) =>
    mean(group.map((experiment) => experiment.rollout.extraPodSeconds)) ?? 0;
  const extraPodSeconds = podSeconds(full) - podSeconds(bare);
  return {
    of: of.variant,
    against: against.variant,
    extraRolloutMs,
    extraPodSeconds,
    text: `${of.variant} ${rolloutText(extraRolloutMs, against.variant)} and ${podText(extraPodSeconds)}.`,
  };
}

/** null when one of them has no value: a rollout that did not complete has no length. */
function mean(values: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return values.length > 0 ? sum / values.length : null;
}

function rolloutText(extraMs: number | null, against: string): string {
  if (extraMs === null)
    return `cannot be compared with ${against} in time, because a rollout did not complete,`;
  const word = extraMs < 0 ? 'shorter' : 'longer';
  return `took ${duration(Math.abs(extraMs))} ${word} to roll out than ${against}`;
}

const podText = (extra: number): string =>
  `used ${podSeconds(Math.abs(extra))} ${extra < 0 ? 'less' : 'more'} (surge, and pods that wait before they end)`;
