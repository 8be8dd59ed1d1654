// StatefulSet, ReplicationController, CronJob, PersistentVolumeClaim.
// Source: pkg/apis/{apps,core,batch}/validation/validation.go.
import { parseSchedule } from '../../controllers/cronjob/schedule.ts';
import { equalObjects } from '../objects.ts';
import type { CronJob, Kinds, ReplicationController, StatefulSet } from '../types.ts';
import type { FieldErrors } from './field.ts';
import { nonNegative } from './numbers.ts';
import { mismatch, validateReplicatedTemplate, validateSelector } from './workloads.ts';

/** What may change of a StatefulSet that exists. */
const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export function validateStatefulSet(
  errors: FieldErrors,
  { spec }: StatefulSet,
  current: StatefulSet | undefined,
): void {
  if (spec?.podManagementPolicy !== 'OrderedReady' && spec?.podManagementPolicy !== 'Parallel') {
    errors.invalid(
      'spec.podManagementPolicy',
      spec?.podManagementPolicy,
      "must be 'OrderedReady' or 'Parallel'",
    );
  }
  const type = spec?.updateStrategy?.type;
  if (type !== 'RollingUpdate' && type !== 'OnDelete') {
    errors.invalid('spec.updateStrategy', spec?.updateStrategy, "must be 'RollingUpdate' or 'OnDelete'");
  }
  nonNegative(
    errors,
    'spec.updateStrategy.rollingUpdate.partition',
    spec?.updateStrategy?.rollingUpdate?.partition,
  );
  nonNegative(errors, 'spec.replicas', spec?.replicas);
  nonNegative(errors, 'spec.minReadySeconds', spec?.minReadySeconds);
  nonNegative(errors, 'spec.ordinals.start', spec?.ordinals?.start);
  const usable = validateSelector(errors, spec?.selector, 'empty selector is invalid for statefulset');
  validateReplicatedTemplate(errors, withClaims(spec), spec?.selector, usable);
  if (current && !equalObjects(fixedPart(spec), fixedPart(current.spec))) {
    const names = changeable.map((name) => `'${name}'`);
    errors.forbidden(
      'spec',
      `updates to statefulset spec for fields other than ${names.slice(0, -1).join(', ')} and ${names.at(-1)} are forbidden`,
    );
  }
}

/** What is mounted may be a claim of its own, which its controller makes a volume of each pod. */
function withClaims(spec: StatefulSet['spec']): NonNullable<StatefulSet['spec']>['template'] | undefined {
  const { template, volumeClaimTemplates = [] } = spec ?? {};
  const there = new Set((template?.spec?.volumes ?? []).map(({ name }) => name));
  const claims = volumeClaimTemplates.flatMap(({ metadata: { name } = {} }) =>
    name === undefined || there.has(name) ? [] : [{ name, persistentVolumeClaim: { claimName: name } }],
  );
  if (!template?.spec || claims.length === 0) return template;
  return {
    ...template,
    spec: { ...template.spec, volumes: [...(template.spec.volumes ?? []), ...claims] },
  };
}

function fixedPart(spec: StatefulSet['spec']): object {
  return Object.fromEntries(
    Object.entries(spec ?? {}).filter(([name]) => !changeable.some((each) => each === name)),
  );
}

export function validateReplicationController(errors: FieldErrors, { spec }: ReplicationController): void {
  nonNegative(errors, 'spec.replicas', spec?.replicas);
  nonNegative(errors, 'spec.minReadySeconds', spec?.minReadySeconds);
  const selector = spec?.selector ?? {};
  if (Object.keys(selector).length === 0) errors.required('spec.selector');
  if (!spec?.template) {
    errors.required('spec.template');
    return;
  }
  const labels = spec.template.metadata?.labels ?? {};
  if (Object.entries(selector).some(([key, value]) => labels[key] !== value)) mismatch(errors, labels);
  // Its selector has been looked at: an absent one matches all.
  validateReplicatedTemplate(errors, spec.template, { matchLabels: labels }, true);
}

export function validateCronJob(errors: FieldErrors, { metadata, spec }: CronJob): void {
  if (metadata.name.length > 52) {
    errors.invalid('metadata.name', metadata.name, 'must be no more than 52 characters');
  }
  if (!spec?.schedule) errors.required('spec.schedule');
  else if (/TZ=/.test(spec.schedule)) {
    const text = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
    errors.invalid('spec.schedule', spec.schedule, text);
  } else {
    try {
      parseSchedule(spec.schedule, spec.timeZone);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof RangeError)
        errors.invalid('spec.timeZone', spec.timeZone, `unknown time zone ${spec.timeZone}`);
      else errors.invalid('spec.schedule', spec.schedule, why);
    }
  }
  nonNegative(errors, 'spec.startingDeadlineSeconds', spec?.startingDeadlineSeconds);
  nonNegative(errors, 'spec.successfulJobsHistoryLimit', spec?.successfulJobsHistoryLimit);
  nonNegative(errors, 'spec.failedJobsHistoryLimit', spec?.failedJobsHistoryLimit);
  const policies = ['Allow', 'Forbid', 'Replace'];
  if (!policies.includes(spec?.concurrencyPolicy ?? '')) {
    errors.notSupported('spec.concurrencyPolicy', spec?.concurrencyPolicy, policies);
  }
  const restartPolicy = spec?.jobTemplate?.spec?.template?.spec?.restartPolicy;
  if (restartPolicy !== 'OnFailure' && restartPolicy !== 'Never') {
    errors.required(
      'spec.jobTemplate.spec.template.spec.restartPolicy',
      'valid values: "OnFailure", "Never"',
    );
  }
}

export function validateClaim(errors: FieldErrors, { spec }: Kinds['persistentvolumeclaims']): void {
  if (!spec?.accessModes?.length) errors.required('spec.accessModes', 'at least 1 access mode is required');
  if (!spec?.resources?.requests?.storage) errors.required('spec.resources[storage]');
}
