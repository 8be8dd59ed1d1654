// What a Job's pods add up to and what follows from it. Source: pkg/controller/job/job_controller.go (syncJob).
import { timestamp } from '../../api/objects.ts';
import type { Job, Pod } from '../../api/types.ts';
import { isActive, isReady, isTerminal, isTerminating } from '../runtime/pods.ts';
import { indexOf, isIndexed, parseIndexes } from './indexes.ts';

export type JobStatus = NonNullable<Job['status']>;
export type JobCondition = NonNullable<JobStatus['conditions']>[number];

/** On pods whose end is not counted yet; they stay until it is. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';

export interface Tally {
  readonly active: readonly Pod[];
  readonly terminating: number;
  readonly ready: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly completedIndexes: ReadonlySet<number>;
  /** Their end is in these numbers: their finalizer can go. */
  readonly counted: readonly Pod[];
}

/**
 * Ends counted so far plus those of pods that still carry the finalizer. A pod that is deleted before it ends counts as
 * failed at once (with podReplacementPolicy Failed only when it has ended). An index counts as completed once, however
 * many pods did it.
 */
export function tallyOf(job: Job, pods: readonly Pod[]): Tally {
  const waitsForEnd = job.spec?.podReplacementPolicy === 'Failed';
  const counted: Pod[] = [];
  const completedIndexes = parseIndexes(job.status?.completedIndexes);
  let succeeded = job.status?.succeeded ?? 0;
  let failed = job.status?.failed ?? 0;
  for (const pod of pods) {
    if (!pod.metadata.finalizers?.includes(trackingFinalizer)) continue;
    if (pod.status?.phase === 'Succeeded') {
      counted.push(pod);
      const index = indexOf(pod, job.spec?.completions ?? 0);
      if (!isIndexed(job)) succeeded++;
      else if (index !== undefined) completedIndexes.add(index);
    } else if (isTerminal(pod) || (isTerminating(pod) && !waitsForEnd)) {
      counted.push(pod);
      failed++;
    }
  }
  const active = pods.filter(isActive);
  return {
    active,
    terminating: pods.filter((pod) => isTerminating(pod) && !isTerminal(pod)).length,
    ready: active.filter(isReady).length,
    succeeded: isIndexed(job) ? completedIndexes.size : succeeded,
    failed,
    completedIndexes,
    counted,
  };
}

export interface Outcome {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

/**
 * Complete: completions succeeded; without completions, one succeeded and none is active.
 * Failed: more failures (with restartPolicy OnFailure: restarts) than backoffLimit, or the deadline is over.
 */
export function outcomeOf(job: Job, tally: Tally, nowMs: number): Outcome | undefined {
  const { spec, status } = job;
  const deadline = spec?.activeDeadlineSeconds;
  const backoffLimit = spec?.backoffLimit ?? 6;
  if (tally.failed > backoffLimit || restartsOf(job, tally) > backoffLimit) {
    const message = 'Job has reached the specified backoff limit';
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message };
  }
  const isLate =
    deadline !== undefined &&
    !spec?.suspend &&
    status?.startTime !== undefined &&
    nowMs >= Date.parse(status.startTime) + deadline * 1000;
  if (isLate) {
    const message = 'Job was active longer than specified deadline';
    return { type: 'Failed', reason: 'DeadlineExceeded', message };
  }
  const isComplete =
    spec?.completions === undefined
      ? tally.succeeded > 0 && tally.active.length === 0
      : tally.succeeded >= spec.completions && tally.active.length === 0;
  if (!isComplete) return undefined;
  const message = 'Reached expected number of succeeded pods';
  return { type: 'Complete', reason: 'CompletionsReached', message };
}

/** Pods that should be active: parallelism, but not more than are still to succeed. */
export function wantedActive(job: Job, tally: Tally): number {
  const { parallelism = 1, completions, suspend } = job.spec ?? {};
  if (suspend) return 0;
  if (completions === undefined) return tally.succeeded > 0 ? tally.active.length : parallelism;
  return Math.max(0, Math.min(parallelism, completions - tally.succeeded));
}

export function conditionOf(job: Job, type: string): JobCondition | undefined {
  return job.status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
}

export function isFinished(job: Job): boolean {
  return conditionOf(job, 'Complete') !== undefined || conditionOf(job, 'Failed') !== undefined;
}

export function jobCondition(
  type: string,
  status: 'True' | 'False',
  reason: string,
  message: string,
  nowMs: number,
): JobCondition {
  const now = timestamp(nowMs);
  return { type, status, lastProbeTime: now, lastTransitionTime: now, reason, message };
}

/** Only with restartPolicy OnFailure, where failures are restarts in place. */
function restartsOf(job: Job, { active }: Tally): number {
  if (job.spec?.template.spec?.restartPolicy !== 'OnFailure') return 0;
  const statuses = active.flatMap(({ status }) => [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
  ]);
  return statuses.reduce((total, { restartCount }) => total + (restartCount ?? 0), 0);
}
