// The CronJob controller: a Job at every due time. Source: pkg/controller/cronjob/cronjob_controllerv2.go.
import { equalObjects, timestamp } from '../../api/objects.ts';
import { type CronJob, type Draft, type Job, StatusError } from '../../api/types.ts';
import { isFinished } from '../job/tally.ts';
import { type ControllerContext, clientFor, queueFor } from '../runtime/controller.ts';
import { keyOf, splitKey } from '../runtime/informers.ts';
import { controllerOf, controllerReference, isControlledBy } from '../runtime/ownership.ts';
import { parseSchedule, type Schedule } from './schedule.ts';

/** More missed times than this are a clock that jumped or a schedule that nobody can keep. */
const missedLimit = 100;
/** So that the due time is past when the timer fires. */
const marginMs = 100;

export function startCronJobController(context: ControllerContext): void {
  const { informers, clock, registry } = context;
  const client = clientFor(context, 'cronjob-controller');
  const queue = queueFor(context, 'cronjob', sync);
  watch();

  async function sync(key: string): Promise<void> {
    const [namespace, name] = splitKey(key);
    // The store itself: a Job that was just made must not be made twice, nor the time that it was made for forgotten.
    const cronJob = registry.get('cronjobs', namespace, name);
    if (!cronJob || cronJob.metadata.deletionTimestamp) return;
    const jobs = registry.list('jobs', namespace).filter((job) => isControlledBy(job, cronJob));
    const status = structuredClone(cronJob.status ?? {});
    noteEnds(cronJob, jobs, status);
    await cleanUp(cronJob, jobs);
    const nextMs = cronJob.spec?.suspend ? undefined : await start(cronJob, jobs, status);
    await writeStatus(cronJob, status);
    if (nextMs !== undefined) queue.addAfter(key, Math.max(0, nextMs - clock.nowMs()) + marginMs);
  }

  /** Active Jobs as they are, and the last that succeeded. */
  function noteEnds(cronJob: CronJob, jobs: readonly Job[], status: NonNullable<CronJob['status']>): void {
    for (const job of jobs) {
      const wasActive = status.active?.some(({ uid }) => uid === job.metadata.uid);
      if (!isFinished(job)) continue;
      if (wasActive) {
        const state = completedAt(job) ? 'Complete' : 'Failed';
        client.event(
          cronJob,
          'Normal',
          'SawCompletedJob',
          `Saw completed job: ${job.metadata.name}, condition: ${state}`,
        );
      }
      const ended = completedAt(job);
      if (ended && (!status.lastSuccessfulTime || status.lastSuccessfulTime < ended)) {
        status.lastSuccessfulTime = ended;
      }
    }
    for (const { uid, name } of status.active ?? []) {
      if (jobs.some(({ metadata }) => metadata.uid === uid)) continue;
      client.event(cronJob, 'Warning', 'MissingJob', `Active job went missing: ${name}`);
    }
    const active = jobs.filter((job) => !isFinished(job)).map(referenceTo);
    if (active.length > 0) status.active = active;
    else delete status.active;
  }

  /** @returns When to look again. */
  async function start(
    cronJob: CronJob,
    jobs: readonly Job[],
    status: NonNullable<CronJob['status']>,
  ): Promise<number | undefined> {
    const schedule = scheduleOf(cronJob);
    if (!schedule) return undefined;
    const nowMs = clock.nowMs();
    const nextMs = schedule.next(nowMs);
    const dueMs = lastDueMs(cronJob, schedule, nowMs);
    if (dueMs === undefined) return nextMs;
    const deadline = cronJob.spec?.startingDeadlineSeconds;
    if (deadline !== undefined && dueMs + deadline * 1000 < nowMs) {
      const text = `Missed scheduled time to start a job: ${timestamp(dueMs)}`;
      client.event(cronJob, 'Warning', 'MissSchedule', text);
      return nextMs;
    }
    const active = jobs.filter((job) => !isFinished(job));
    if (active.length > 0 && cronJob.spec?.concurrencyPolicy === 'Forbid') {
      const text = 'Not starting job because prior execution is running and concurrency policy is Forbid';
      client.event(cronJob, 'Normal', 'JobAlreadyActive', text);
      return nextMs;
    }
    if (cronJob.spec?.concurrencyPolicy === 'Replace') {
      for (const { metadata } of active) {
        await client.delete('jobs', metadata.namespace, metadata.name, {
          uid: metadata.uid,
          propagationPolicy: 'Background',
        });
        client.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${metadata.name}`);
      }
      delete status.active;
    }
    const job = await create(cronJob, dueMs);
    if (!job) return nextMs;
    status.active = [...(status.active ?? []), referenceTo(job)];
    status.lastScheduleTime = timestamp(dueMs);
    return nextMs;
  }

  async function create(cronJob: CronJob, dueMs: number): Promise<Job | undefined> {
    try {
      const job = await client.create('jobs', jobDraft(cronJob, dueMs));
      client.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`);
      return job;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      // Made before, by a sync whose status was not written.
      if (error.code === 409) return undefined;
      client.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${error.message}`);
      throw error;
    }
  }

  async function cleanUp(cronJob: CronJob, jobs: readonly Job[]): Promise<void> {
    const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cronJob.spec ?? {};
    const finished = jobs.filter(isFinished);
    await removeOldest(
      cronJob,
      finished.filter((job) => completedAt(job) !== undefined),
      successfulJobsHistoryLimit,
    );
    await removeOldest(
      cronJob,
      finished.filter((job) => completedAt(job) === undefined),
      failedJobsHistoryLimit,
    );
  }

  async function removeOldest(cronJob: CronJob, jobs: readonly Job[], kept: number): Promise<void> {
    const oldestFirst = [...jobs].sort((left, right) =>
      `${left.status?.startTime ?? ''}${left.metadata.name}` <
      `${right.status?.startTime ?? ''}${right.metadata.name}`
        ? -1
        : 1,
    );
    for (const { metadata } of oldestFirst.slice(0, Math.max(0, jobs.length - kept))) {
      await client.delete('jobs', metadata.namespace, metadata.name, { propagationPolicy: 'Background' });
      client.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${metadata.name}`);
    }
  }

  function scheduleOf(cronJob: CronJob): Schedule | undefined {
    try {
      return parseSchedule(cronJob.spec?.schedule ?? '', cronJob.spec?.timeZone);
    } catch (error) {
      const text = `unparseable schedule: ${cronJob.spec?.schedule}: ${error instanceof Error ? error.message : error}`;
      client.event(cronJob, 'Warning', 'UnparseableSchedule', text);
      return undefined;
    }
  }

  /** The last due time that has had no Job; undefined: none. */
  function lastDueMs(cronJob: CronJob, schedule: Schedule, nowMs: number): number | undefined {
    const created = Date.parse(cronJob.metadata.creationTimestamp);
    const scheduled = cronJob.status?.lastScheduleTime;
    let fromMs = scheduled ? Date.parse(scheduled) : created;
    const deadline = cronJob.spec?.startingDeadlineSeconds;
    if (deadline !== undefined) fromMs = Math.max(fromMs, nowMs - deadline * 1000);
    let last: number | undefined;
    let missed = 0;
    for (
      let dueMs = schedule.next(fromMs);
      dueMs !== undefined && dueMs <= nowMs;
      dueMs = schedule.next(dueMs)
    ) {
      last = dueMs;
      missed++;
    }
    if (missed > missedLimit) {
      const text =
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
      client.event(cronJob, 'Warning', 'TooManyMissedTimes', text);
    }
    return last;
  }

  async function writeStatus(cronJob: CronJob, status: NonNullable<CronJob['status']>): Promise<void> {
    if (equalObjects(cronJob.status ?? {}, status)) return;
    const { namespace, name } = cronJob.metadata;
    await client.mutate(
      'cronjobs',
      namespace,
      name,
      (draft) => {
        draft.status = status;
      },
      'status',
    );
  }

  function watch(): void {
    informers.on('cronjobs', ({ object, previous }) => {
      if (previous && equalObjects(previous.spec, object.spec)) return;
      queue.add(keyOf(object.metadata.namespace, object.metadata.name));
    });
    informers.on('jobs', ({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === 'CronJob') queue.add(keyOf(object.metadata.namespace, owner.name));
    });
  }
}

/** Its name holds the due time in minutes, so that none is made twice. */
function jobDraft(cronJob: CronJob, dueMs: number): Draft<'jobs'> {
  const { name, namespace } = cronJob.metadata;
  const { metadata, spec } = cronJob.spec?.jobTemplate ?? {};
  return {
    metadata: {
      name: `${name}-${Math.floor(dueMs / 60_000)}`,
      namespace,
      ...(metadata?.labels ? { labels: { ...metadata.labels } } : {}),
      annotations: {
        ...metadata?.annotations,
        'batch.kubernetes.io/cronjob-scheduled-timestamp': timestamp(dueMs),
      },
      ownerReferences: [controllerReference(cronJob)],
    },
    spec: structuredClone(spec),
  } as Draft<'jobs'>;
}

function referenceTo({ apiVersion, kind, metadata }: Job) {
  const { name, namespace, uid, resourceVersion } = metadata;
  return { apiVersion, kind, name, namespace, uid, resourceVersion };
}

function completedAt(job: Job): string | undefined {
  const done = job.status?.conditions?.some(({ type, status }) => type === 'Complete' && status === 'True');
  return done ? job.status?.completionTime : undefined;
}
