// Defaults of Deployment, ReplicaSet, DaemonSet and Job. Source: kubernetes/pkg/apis/{apps,batch}/v1/defaults.go and
// the create strategies.
import type {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../types.ts';
import { defaultPodSpec } from './pod.ts';

export function defaultDeployment(deployment: Deployment): void {
  const spec = deployment.spec;
  if (!spec) return;
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  defaultTemplate(spec);
}

export function defaultReplicaSet(replicaSet: ReplicaSet): void {
  const spec = replicaSet.spec;
  if (!spec) return;
  spec.replicas ??= 1;
  defaultTemplate(spec);
}

/** pkg/apis/core/v1/defaults.go: labels and selector default to the template's. */
export function defaultReplicationController(controller: ReplicationController): void {
  const { spec, metadata } = controller;
  if (!spec) return;
  spec.replicas ??= 1;
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
  if (labels && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  defaultTemplate(spec);
}

export function defaultStatefulSet(set: StatefulSet): void {
  const spec = set.spec;
  if (!spec) return;
  spec.replicas ??= 1;
  spec.podManagementPolicy ||= 'OrderedReady';
  spec.revisionHistoryLimit ??= 10;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.partition ??= 0;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  for (const template of spec.volumeClaimTemplates ?? []) {
    Object.assign(template, { apiVersion: 'v1', kind: 'PersistentVolumeClaim' });
    if (template.spec) template.spec.volumeMode ??= 'Filesystem';
    template.status ??= { phase: 'Pending' };
  }
  defaultTemplate(spec);
}

export function defaultCronJob(cronJob: CronJob): void {
  const spec = cronJob.spec;
  if (!spec) return;
  spec.concurrencyPolicy ||= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  spec.jobTemplate ??= {};
  spec.jobTemplate.metadata ??= {};
  const job = spec.jobTemplate.spec;
  if (job) defaultTemplate(job);
}

export function defaultDaemonSet(daemonSet: DaemonSet): void {
  const spec = daemonSet.spec;
  if (!spec) return;
  spec.revisionHistoryLimit ??= 10;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  defaultTemplate(spec);
}

/** On creation and whenever the template changes: the deprecated counter that DaemonSets carry as an annotation. */
export function numberTemplate(daemonSet: DaemonSet, templateGeneration: number): void {
  daemonSet.metadata.annotations = {
    ...daemonSet.metadata.annotations,
    'deprecated.daemonset.template.generation': String(templateGeneration),
  };
}

export function defaultJob(job: Job): void {
  const spec = job.spec;
  if (!spec) return;
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2_147_483_647;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  defaultTemplate(spec);
}

/** On creation: the labels and selector that tie a Job to its pods (batch/job/strategy.go generateSelector). */
export function tieJobToPods(job: Job): void {
  const { spec, metadata } = job;
  if (!spec?.template) return;
  if (!spec.manualSelector) {
    spec.template.metadata ??= {};
    spec.template.metadata.labels = {
      ...spec.template.metadata.labels,
      'batch.kubernetes.io/controller-uid': metadata.uid,
      'batch.kubernetes.io/job-name': metadata.name,
      'controller-uid': metadata.uid,
      'job-name': metadata.name,
    };
    spec.selector = {
      ...spec.selector,
      matchLabels: { ...spec.selector?.matchLabels, 'batch.kubernetes.io/controller-uid': metadata.uid },
    };
  }
  // Defaulting runs again when the object is read back, and takes the template's labels for a Job without any.
  if (!metadata.labels && spec.template.metadata?.labels)
    metadata.labels = { ...spec.template.metadata.labels };
}

function defaultTemplate(spec: {
  template?: { metadata?: object; spec?: Parameters<typeof defaultPodSpec>[0] };
}) {
  if (!spec.template) return;
  spec.template.metadata ??= {};
  if (spec.template.spec) defaultPodSpec(spec.template.spec);
}
