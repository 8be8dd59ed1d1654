// What an experiment says about a risk: the losses that its causes explain, or what the rollout did.
import type { Cause, ExperimentResult } from '../model/results.ts';
import { duration, podSeconds } from '../words/figures.ts';
import type { Measured } from './rule.ts';

/** Losses to these causes, in an experiment that does not have the setting which removes the risk. */
export function lossesTo(causes: readonly Cause[], setting?: string) {
  return (experiment: ExperimentResult): Measured => {
    if (setting && experiment.settings.includes(setting)) return undefined;
    const perLane = Object.entries(experiment.lanes).map(([lane, result]) => ({
      lane,
      lost: causes.reduce((sum, cause) => sum + (result.causes[cause] ?? 0), 0),
      attempts: result.attempts,
    }));
    if (perLane.length === 0) return undefined;
    const words = perLane.map(({ lane, lost, attempts }) => `${lost} of ${attempts} in lane ${lane}`);
    return {
      confirmed: perLane.some(({ lost }) => lost > 0),
      text: `variant ${experiment.variant} lost ${words.join(', ')} to ${causes.join(' or ')}`,
    };
  };
}

/** A moment without a ready pod. */
export function noReadyPod(setting?: string) {
  return (experiment: ExperimentResult): Measured => {
    if (setting && experiment.settings.includes(setting)) return undefined;
    const { minReady } = experiment.rollout;
    const lost = Object.entries(experiment.lanes).map(([lane, result]) => `${result.lost} in lane ${lane}`);
    return {
      confirmed: minReady === 0,
      text: `variant ${experiment.variant} had at least ${minReady} ready pods; lost ${lost.join(', ') || 'nothing'}`,
    };
  };
}

/** A rollout that did not come to its end. */
export function rolloutStuck(experiment: ExperimentResult): Measured {
  const { completedMs } = experiment.rollout;
  return {
    confirmed: completedMs === null,
    text:
      completedMs === null
        ? `the rollout of variant ${experiment.variant} was not complete after ${duration(experiment.durationMs)}`
        : `the rollout of variant ${experiment.variant} was complete after ${duration(completedMs)}`,
  };
}

/** Ready pods below the wanted number. */
export function capacityLost(experiment: ExperimentResult): Measured {
  const { capacityLostPodSeconds } = experiment.rollout;
  return {
    confirmed: capacityLostPodSeconds > 0,
    text: `variant ${experiment.variant} lacked ${podSeconds(capacityLostPodSeconds)} of ready pods`,
  };
}

/** The API server refused the workload with this status. Experiments in which it took it have removed the risk. */
export function refusedWith(status: number) {
  return ({ variant, measures }: ExperimentResult): Measured => {
    const step = Object.keys(measures).find(
      (name) => /^step:\d+\.status$/.test(name) && measures[name] === status,
    );
    if (!step || measures[step.replace('status', 'refused')] !== 1) return undefined;
    const words = measures[step.replace('status', 'message')];
    return { confirmed: true, text: `the API server refused variant ${variant}: ${status}, “${words}”` };
  };
}

/** An event of this reason said so. Without it an experiment cannot tell: its target may not have the risk any more. */
export function eventSaid(reason: string, words: string) {
  return ({ variant, measures }: ExperimentResult): Measured => {
    const message = String(measures[`eventMessage:${reason}`] ?? '');
    if (!message.includes(words)) return undefined;
    return { confirmed: true, text: `variant ${variant}, event ${reason}: “${message.replace(/\.$/, '')}”` };
  };
}

/** What no experiment can tell: the API server refuses it, or it shows only in time. */
export function notMeasurable(): Measured {
  return undefined;
}
