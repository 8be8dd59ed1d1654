// What a Job's pods add up to and what follows from it. Source: pkg/controller/job/job_controller.go (syncJob).
import { timestamp } from '../../api/objects.ts';
import type { Job, Pod } from '../../api/types.ts';
import { isActive, isReady, isTerminal, isTerminating } from '../runtime/pods.ts';
import { indexOf, isIndexed, parseIndexes } from './indexes.ts';
import { failureCountOf, successRule, verdictOf } from './policies.ts';

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
  /** With backoffLimitPerIndex: given up. */
  readonly failedIndexes: ReadonlySet<number>;
  /** Failures that a rule of podFailurePolicy turns into the Job's own. */
  readonly failJob: string | undefined;
  /** Newly failed pods, with what the policy says of them. */
  readonly failures: readonly { readonly pod: Pod; readonly ignored: boolean }[];
  /** Their end is in these numbers: their finalizer can go. */
  readonly counted: readonly Pod[];
}

/**
 * Ends counted so far plus those of pods that still carry the finalizer. A pod that is deleted before it ends counts as
 * failed at once (with podReplacementPolicy Failed only when it has ended). An index counts as completed once, however
 * many pods did it.
 */
export function tallyOf(
  job: Job,
  pods: readonly Pod[],
  /** Counted already, though the cache still shows their finalizer. */
  known: ReadonlySet<string> = new Set(),
): Tally {
  const waitsForEnd = job.spec?.podReplacementPolicy === 'Failed';
  const counted: Pod[] = [];
  const completedIndexes = parseIndexes(job.status?.completedIndexes);
  let succeeded = job.status?.succeeded ?? 0;
  let failed = job.status?.failed ?? 0;
  let failJob: string | undefined;
  const failures: { pod: Pod; ignored: boolean }[] = [];
  const failedIndexes = parseIndexes(job.status?.failedIndexes);
  for (const pod of pods) {
    if (!pod.metadata.finalizers?.includes(trackingFinalizer)) continue;
    if (known.has(pod.metadata.uid)) continue;
    if (pod.status?.phase === 'Succeeded') {
      counted.push(pod);
      const index = indexOf(pod, job.spec?.completions ?? 0);
      if (!isIndexed(job)) succeeded++;
      else if (index !== undefined) completedIndexes.add(index);
    } else if (isTerminal(pod) || (isTerminating(pod) && !waitsForEnd)) {
      counted.push(pod);
      const verdict = isTerminal(pod) ? verdictOf(job, pod) : undefined;
      const ignored = verdict?.action === 'Ignore';
      if (!ignored) failed++;
      failures.push({ pod, ignored });
      if (verdict?.action === 'FailJob') failJob ??= verdict.message;
      const index = indexOf(pod, job.spec?.completions ?? 0);
      const limit = job.spec?.backoffLimitPerIndex;
      if (index === undefined || limit === undefined) continue;
      if (verdict?.action === 'FailIndex' || (!ignored && failureCountOf(pod) >= limit))
        failedIndexes.add(index);
    }
  }
  for (const index of completedIndexes) failedIndexes.delete(index);
  const active = pods.filter(isActive);
  return {
    active,
    terminating: pods.filter((pod) => isTerminating(pod) && !isTerminal(pod)).length,
    ready: active.filter(isReady).length,
    succeeded: isIndexed(job) ? completedIndexes.size : succeeded,
    failed,
    completedIndexes,
    failedIndexes,
    failJob,
    failures,
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
  const decided = decidedOutcome(job);
  if (decided) return decided;
  if (tally.failJob !== undefined) {
    return { type: 'Failed', reason: 'PodFailurePolicy', message: tally.failJob };
  }
  const rule = successRule(job, tally.completedIndexes);
  if (rule !== undefined) {
    return { type: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
  }
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
  if (spec?.maxFailedIndexes !== undefined && tally.failedIndexes.size > spec.maxFailedIndexes) {
    const message = 'Job has exceeded the specified maximal number of failed indexes';
    return { type: 'Failed', reason: 'MaxFailedIndexesExceeded', message };
  }
  const allDone =
    tally.succeeded + tally.failedIndexes.size >= (spec?.completions ?? Number.POSITIVE_INFINITY);
  if (tally.failedIndexes.size > 0 && allDone && tally.active.length === 0) {
    return { type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' };
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
  return Math.max(0, Math.min(parallelism, completions - tally.succeeded - tally.failedIndexes.size));
}

/** What was decided before stays so while the last pods end. */
function decidedOutcome(job: Job): Outcome | undefined {
  const success = conditionOf(job, 'SuccessCriteriaMet');
  const failure = conditionOf(job, 'FailureTarget');
  const { reason = '', message = '' } = success ?? failure ?? {};
  if (success) return { type: 'Complete', reason, message };
  return failure && { type: 'Failed', reason, message };
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
