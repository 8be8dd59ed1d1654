// The Job controller: pods until enough have succeeded. Source: pkg/controller/job/job_controller.go.

import { matchesSelector } from '../../api/label-selector.ts';
import { equalObjects, timestamp } from '../../api/objects.ts';
import { type Job, type Pod, StatusError } from '../../api/types.ts';
import { slowStart } from '../replicaset/slow-start.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { createExpectations } from '../runtime/expectations.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { drawMs } from '../runtime/latencies.ts';
import { adopt, claim, controllerOf, release } from '../runtime/ownership.ts';
import { createPod, deletePod, podDraft } from '../runtime/pod-control.ts';
import { isReady, isTerminating } from '../runtime/pods.ts';
import { assignIndex, formatIndexes, indexOf, isIndexed, missingIndexes } from './indexes.ts';
import { failureCountKey, ignoredCountKey } from './policies.ts';
import {
  conditionOf,
  isFinished,
  type JobCondition,
  type JobStatus,
  jobCondition,
  type Outcome,
  outcomeOf,
  type Tally,
  tallyOf,
  trackingFinalizer,
  wantedActive,
} from './tally.ts';

/** spec.managedBy of a Job that is nobody else's. */
const ownName = 'kubernetes.io/job-controller';
/** Pods created or deleted at most in one sync. */
const burst = 500;
/** Pause before a failed pod is replaced: 10 s × 2ⁿ, up to 10 min, from its end. */
const podBackoffMs = (failures: number) => Math.min(10_000 * 2 ** (failures - 1), 10 * 60_000);

export function startJobController(context: ControllerContext): void {
  const { informers, clock, latencies, random } = context;
  const client = clientFor(context, 'job-controller');
  const expectations = createExpectations(() => clock.nowMs());
  // Failures in a row, until one succeeds.
  const failures = new Map<string, { count: number; lastMs: number }>();
  // Pods whose end is in a status that was written, and the failures of indexes (backoffLimitPerIndex), by Job.
  const counted = new Map<string, Set<string>>();
  const indexFailures = new Map<string, Map<number, { count: number; ignored: number; lastMs: number }>>();
  const seenFailures = new Map<string, Set<string>>();
  const queue = queueFor(context, 'job', sync, { retryDelayMs: (n) => Math.min(1000 * 2 ** n, 360_000) });
  watch();

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    await clock.sleep(drawMs(latencies.replicaSetSync, random));
    const job = informers.get('jobs', namespace, name);
    if (!job) {
      failures.delete(key);
      counted.delete(key);
      indexFailures.delete(key);
      seenFailures.delete(key);
      return expectations.forget(key);
    }
    if (job.spec?.managedBy !== undefined && job.spec.managedBy !== ownName) return;
    const pods = await claimPods(job);
    if (isFinished(job)) return afterFinish(key, job, pods);
    if (job.metadata.deletionTimestamp) return releaseAll(pods);

    const tally = tallyOf(job, pods, counted.get(key));
    rememberFailures(key, job, tally);
    rememberIndexFailures(key, job, tally);
    const outcome = outcomeOf(job, tally, clock.nowMs());
    let active = tally.active.length;
    if (expectations.satisfied(key)) {
      if (outcome) active -= await remove(key, job, tally.active, tally.active.length);
      else active += await manage(key, job, pods, tally);
    }
    const status = statusAfter(job, tally, active, outcome);
    const written = await writeStatus(job, status);
    if (tally.counted.length > 0) {
      const uids = tally.counted.map(({ metadata }) => metadata.uid);
      counted.set(key, new Set([...(counted.get(key) ?? []), ...uids]));
    }
    await releaseAll(tally.counted);
    if (outcome && written && active === 0 && tally.terminating === 0) await finish(written, outcome);
    wakeForDeadline(key, job);
  }

  /** @returns By how many the number of active pods changed. */
  async function manage(key: string, job: Job, pods: readonly Pod[], tally: Tally): Promise<number> {
    const wanted = wantedActive(job, tally);
    const active = tally.active.length;
    if (active > wanted) return -(await remove(key, job, tally.active, active - wanted));
    const terminating = job.spec?.podReplacementPolicy === 'Failed' ? tally.terminating : 0;
    const missing = Math.min(wanted - active - terminating, burst);
    if (missing <= 0) return 0;
    const pauseMs = job.spec?.backoffLimitPerIndex === undefined ? remainingPauseMs(key) : 0;
    if (pauseMs > 0) {
      queue.addAfter(key, pauseMs);
      return 0;
    }
    return create(key, job, pods, tally, missing);
  }

  async function create(
    key: string,
    job: Job,
    pods: readonly Pod[],
    tally: Tally,
    count: number,
  ): Promise<number> {
    const completions = job.spec?.completions ?? 0;
    const taken = new Set(tally.completedIndexes);
    for (const pod of [...tally.active, ...pods.filter(isTerminating)]) {
      const index = indexOf(pod, completions);
      const waits = job.spec?.podReplacementPolicy === 'Failed';
      if (index !== undefined && (waits || tally.active.includes(pod))) taken.add(index);
    }
    for (const index of tally.failedIndexes) taken.add(index);
    for (const index of waitingIndexes(key)) taken.add(index);
    const indexes = isIndexed(job) ? missingIndexes(count, completions, taken) : [];
    const total = isIndexed(job) ? indexes.length : count;
    expectations.expectCreations(key, total);
    const { succeeded, error } = await slowStart(total, async (position) => {
      if (position > 0) await clock.sleep(drawMs(latencies.nextPod, random));
      const draft = podDraft(job, job.spec?.template);
      draft.metadata.finalizers = [...(draft.metadata.finalizers ?? []), trackingFinalizer];
      const index = indexes[position];
      if (index !== undefined) {
        assignIndex(draft, job.metadata.name, index);
        if (job.spec?.backoffLimitPerIndex !== undefined) countFailures(key, draft, index);
      }
      await createPod(client, job, draft);
    });
    for (let skipped = succeeded; skipped < total; skipped++) expectations.creationObserved(key);
    if (error !== undefined && !(error instanceof StatusError)) throw error;
    if (error !== undefined) queue.addRateLimited(key);
    return succeeded;
  }

  /** The ones that are not ready first, then the youngest. */
  async function remove(key: string, job: Job, active: readonly Pod[], count: number): Promise<number> {
    const victims = [...active]
      .sort(
        (left, right) =>
          Number(isReady(left)) - Number(isReady(right)) ||
          (left.metadata.creationTimestamp < right.metadata.creationTimestamp ? 1 : -1),
      )
      .slice(0, Math.min(count, burst));
    if (victims.length === 0) return 0;
    expectations.expectDeletions(
      key,
      victims.map(({ metadata }) => metadata.uid),
    );
    for (const pod of victims) {
      try {
        await deletePod(client, job, pod);
      } catch (error) {
        expectations.deletionObserved(key, pod.metadata.uid);
        if (!(error instanceof StatusError)) throw error;
      }
    }
    return victims.length;
  }

  function statusAfter(job: Job, tally: Tally, active: number, outcome: Outcome | undefined): JobStatus {
    const nowMs = clock.nowMs();
    const { startTime } = job.status ?? {};
    const isSuspended = job.spec?.suspend === true;
    const started = startTime ?? (isSuspended ? undefined : timestamp(nowMs));
    const indexes = formatIndexes(tally.completedIndexes);
    return {
      ...(active > 0 ? { active } : {}),
      ...(tally.succeeded > 0 ? { succeeded: tally.succeeded } : {}),
      ...(tally.failed > 0 ? { failed: tally.failed } : {}),
      ready: outcome ? 0 : tally.ready,
      terminating: tally.terminating,
      ...(isIndexed(job) && indexes ? { completedIndexes: indexes } : {}),
      ...(job.spec?.backoffLimitPerIndex === undefined
        ? {}
        : { failedIndexes: formatIndexes(tally.failedIndexes) }),
      ...(isSuspended || !started ? {} : { startTime: started }),
      uncountedTerminatedPods: {},
      conditions: conditionsAfter(job, outcome, nowMs),
    };
  }

  /** First what the outcome will be; Complete or Failed follow when the last pod has ended. */
  function conditionsAfter(job: Job, outcome: Outcome | undefined, nowMs: number): JobCondition[] {
    const conditions = [...(job.status?.conditions ?? [])];
    const type = outcome?.type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
    if (outcome && !conditionOf(job, type)) {
      conditions.push(jobCondition(type, 'True', outcome.reason, outcome.message, nowMs));
    }
    const position = conditions.findIndex((condition) => condition.type === 'Suspended');
    const suspended = conditions[position];
    if (job.spec?.suspend && suspended?.status !== 'True') {
      const condition = jobCondition('Suspended', 'True', 'JobSuspended', 'Job suspended', nowMs);
      conditions.splice(position < 0 ? conditions.length : position, 1, condition);
      client.event(job, 'Normal', 'Suspended', 'Job suspended');
    } else if (!job.spec?.suspend && suspended?.status === 'True') {
      conditions[position] = jobCondition('Suspended', 'False', 'JobResumed', 'Job resumed', nowMs);
      client.event(job, 'Normal', 'Resumed', 'Job resumed');
    }
    return conditions;
  }

  async function finish(job: Job, { type, reason, message }: Outcome): Promise<void> {
    const nowMs = clock.nowMs();
    const status = structuredClone(job.status ?? {});
    status.conditions = [...(status.conditions ?? []), jobCondition(type, 'True', reason, message, nowMs)];
    if (type === 'Complete') status.completionTime = timestamp(nowMs);
    await writeStatus(job, status);
    if (type === 'Complete') client.event(job, 'Normal', 'Completed', 'Job completed');
    else client.event(job, 'Warning', reason, message);
  }

  async function writeStatus(job: Job, status: JobStatus): Promise<Job | undefined> {
    if (equalObjects(job.status ?? {}, status)) return job;
    return client.update('jobs', { ...structuredClone(job), status }, 'status');
  }

  async function afterFinish(key: string, job: Job, pods: readonly Pod[]): Promise<void> {
    await releaseAll(pods);
    const ttl = job.spec?.ttlSecondsAfterFinished;
    const finished = conditionOf(job, 'Complete') ?? conditionOf(job, 'Failed');
    if (ttl === undefined || !finished?.lastTransitionTime || job.metadata.deletionTimestamp) return;
    const leftMs = Date.parse(finished.lastTransitionTime) + ttl * 1000 - clock.nowMs();
    if (leftMs > 0) return queue.addAfter(key, leftMs);
    const { namespace, name, uid } = job.metadata;
    await client.delete('jobs', namespace, name, { uid, propagationPolicy: 'Foreground' });
  }

  async function releaseAll(pods: readonly Pod[]): Promise<void> {
    for (const { metadata } of pods) {
      if (!metadata.finalizers?.includes(trackingFinalizer)) continue;
      await client.mutate('pods', metadata.namespace, metadata.name, (draft) => {
        draft.metadata.finalizers = draft.metadata.finalizers?.filter((each) => each !== trackingFinalizer);
      });
    }
  }

  async function claimPods(job: Job): Promise<Pod[]> {
    const { namespace } = job.metadata;
    const { owned, orphans, strangers } = claim(job, job.spec?.selector, informers.list('pods', namespace));
    for (const { metadata } of orphans) {
      const adopted = await client.mutate('pods', namespace, metadata.name, (draft) => {
        adopt(draft, job);
        draft.metadata.finalizers = [...new Set([...(draft.metadata.finalizers ?? []), trackingFinalizer])];
      });
      if (adopted) owned.push(adopted);
    }
    for (const { metadata } of strangers) {
      await client.mutate('pods', namespace, metadata.name, (draft) => {
        release(draft, job);
        draft.metadata.finalizers = draft.metadata.finalizers?.filter((each) => each !== trackingFinalizer);
      });
    }
    return owned;
  }

  function rememberIndexFailures(key: string, job: Job, tally: Tally): void {
    if (job.spec?.backoffLimitPerIndex === undefined) return;
    const known = indexFailures.get(key) ?? new Map();
    indexFailures.set(key, known);
    const seen = seenFailures.get(key) ?? new Set();
    seenFailures.set(key, seen);
    for (const { pod, ignored } of tally.failures) {
      // A sync whose status was not written is done again.
      if (seen.has(pod.metadata.uid)) continue;
      seen.add(pod.metadata.uid);
      const index = indexOf(pod, job.spec.completions ?? 0);
      if (index === undefined) continue;
      const before = known.get(index) ?? { count: 0, ignored: 0, lastMs: 0 };
      known.set(index, {
        count: before.count + (ignored ? 0 : 1),
        ignored: before.ignored + (ignored ? 1 : 0),
        lastMs: clock.nowMs(),
      });
    }
  }

  /** Indexes whose next try is not due yet; the earliest wakes the Job. */
  function waitingIndexes(key: string): number[] {
    const waiting: number[] = [];
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const [index, { count, ignored, lastMs }] of indexFailures.get(key) ?? []) {
      const leftMs = lastMs + podBackoffMs(Math.max(1, count + ignored)) - clock.nowMs();
      if (leftMs <= 0) continue;
      waiting.push(index);
      soonestMs = Math.min(soonestMs, leftMs);
    }
    if (waiting.length > 0) queue.addAfter(key, soonestMs + 1);
    return waiting;
  }

  function countFailures(key: string, draft: ReturnType<typeof podDraft>, index: number): void {
    const { count = 0, ignored = 0 } = indexFailures.get(key)?.get(index) ?? {};
    draft.metadata.annotations = {
      ...draft.metadata.annotations,
      [failureCountKey]: String(count),
      ...(ignored > 0 ? { [ignoredCountKey]: String(ignored) } : {}),
    };
  }

  function rememberFailures(key: string, job: Job, tally: Tally): void {
    const newFailures = tally.failed - (job.status?.failed ?? 0);
    const hasSucceeded = tally.succeeded > (job.status?.succeeded ?? 0);
    if (hasSucceeded) failures.delete(key);
    if (newFailures <= 0) return;
    const before = failures.get(key)?.count ?? 0;
    failures.set(key, { count: before + newFailures, lastMs: clock.nowMs() });
  }

  function remainingPauseMs(key: string): number {
    const record = failures.get(key);
    return record ? record.lastMs + podBackoffMs(record.count) - clock.nowMs() : 0;
  }

  function wakeForDeadline(key: string, job: Job): void {
    const deadline = job.spec?.activeDeadlineSeconds;
    if (deadline === undefined || job.spec?.suspend) return;
    const startMs = job.status?.startTime ? Date.parse(job.status.startTime) : clock.nowMs();
    const leftMs = startMs + deadline * 1000 - clock.nowMs();
    if (leftMs > 0) queue.addAfter(key, leftMs);
  }

  function watch(): void {
    informers.on('jobs', ({ object, type }) => {
      const key = keyOf(object.metadata.namespace, object.metadata.name);
      if (type === 'DELETED') expectations.forget(key);
      queue.add(key);
    });
    informers.on('pods', ({ type, object, previous }) => {
      const owner = controllerOf(object) ?? (previous && controllerOf(previous));
      if (!owner) {
        for (const { metadata, spec } of informers.list('jobs', object.metadata.namespace)) {
          if (matchesSelector(spec?.selector, object.metadata.labels)) {
            queue.add(keyOf(metadata.namespace, metadata.name));
          }
        }
      }
      if (owner?.kind !== 'Job') return;
      if (type === 'MODIFIED' && previous?.metadata.resourceVersion === object.metadata.resourceVersion)
        return;
      const key = keyOf(object.metadata.namespace, owner.name);
      const job = informers.get('jobs', object.metadata.namespace, owner.name);
      if (job?.metadata.uid !== owner.uid) {
        // Its Job is gone: nobody will count it, so nothing may hold it.
        if (type !== 'DELETED') releaseOrphan(key, object);
        return;
      }
      if (type === 'ADDED') expectations.creationObserved(key);
      if (type === 'DELETED' || isTerminating(object))
        expectations.deletionObserved(key, object.metadata.uid);
      queue.add(key);
    });
  }

  function releaseOrphan(key: string, pod: Pod): void {
    // A Job that the cache does not have yet is no reason to let its pods go.
    if (context.registry.get('jobs', pod.metadata.namespace, controllerOf(pod)?.name ?? '')) return;
    releaseAll([pod]).catch((error: unknown) => {
      if (!(error instanceof StatusError)) context.onDefect('job', key, error);
    });
  }
}
