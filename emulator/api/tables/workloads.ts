// Rows of workloads, autoscalers and budgets. Source: kubernetes/pkg/printers/internalversion/printers.go.
import { formatLabelSelector } from '../label-selector.ts';
import type {
  Autoscaler,
  CronJob,
  DaemonSet,
  Deployment,
  DisruptionBudget,
  Job,
  Kinds,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../types.ts';
import { columns, containerCells, formatLabels, noneIfEmpty, type Printer } from './columns.ts';
import { ageSince, humanDuration } from './durations.ts';

export const deploymentPrinter: Printer<Deployment> = {
  columns: columns('Name', 'Ready', 'Up-to-date', 'Available', 'Age', 'Containers+', 'Images+', 'Selector+'),
  row: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    status?.updatedReplicas ?? 0,
    status?.availableReplicas ?? 0,
    ageSince(metadata.creationTimestamp, nowMs),
    ...containerCells(spec?.template),
    formatLabelSelector(spec?.selector),
  ],
};

/** All but the selector, which the two say in their own ways. */
const replicaCells = (
  { metadata, spec, status }: ReplicaSet | ReplicationController,
  nowMs: number,
): ReturnType<Printer<ReplicaSet>['row']> => [
  metadata.name,
  spec?.replicas ?? 0,
  status?.replicas ?? 0,
  status?.readyReplicas ?? 0,
  ageSince(metadata.creationTimestamp, nowMs),
  ...containerCells(spec?.template),
];

export const replicaSetPrinter: Printer<ReplicaSet> = {
  columns: columns(
    'Name',
    'Desired:integer',
    'Current:integer',
    'Ready:integer',
    'Age',
    'Containers+',
    'Images+',
    'Selector+',
  ),
  row: (object, nowMs) => [...replicaCells(object, nowMs), formatLabelSelector(object.spec?.selector)],
};

export const replicationControllerPrinter: Printer<ReplicationController> = {
  columns: replicaSetPrinter.columns,
  row: (object, nowMs) => [...replicaCells(object, nowMs), formatLabels(object.spec?.selector)],
};

export const statefulSetPrinter: Printer<StatefulSet> = {
  columns: columns('Name', 'Ready', 'Age', 'Containers+', 'Images+'),
  row: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    ageSince(metadata.creationTimestamp, nowMs),
    ...containerCells(spec?.template),
  ],
};

export const cronJobPrinter: Printer<CronJob> = {
  columns: columns(
    'Name',
    'Schedule',
    'Timezone',
    'Suspend:boolean',
    'Active:integer',
    'Last Schedule',
    'Age',
    'Containers+',
    'Images+',
    'Selector+',
  ),
  row: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    spec?.schedule ?? '',
    spec?.timeZone ?? '<none>',
    spec?.suspend ? 'True' : 'False',
    status?.active?.length ?? 0,
    status?.lastScheduleTime ? ageSince(status.lastScheduleTime, nowMs) : '<none>',
    ageSince(metadata.creationTimestamp, nowMs),
    ...containerCells(spec?.jobTemplate.spec?.template),
    formatLabelSelector(spec?.jobTemplate.spec?.selector),
  ],
};

export const daemonSetPrinter: Printer<DaemonSet> = {
  columns: columns(
    'Name',
    'Desired:integer',
    'Current:integer',
    'Ready:integer',
    'Up-to-date:integer',
    'Available:integer',
    'Node Selector',
    'Age',
    'Containers+',
    'Images+',
    'Selector+',
  ),
  row: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    status?.desiredNumberScheduled ?? 0,
    status?.currentNumberScheduled ?? 0,
    status?.numberReady ?? 0,
    status?.updatedNumberScheduled ?? 0,
    status?.numberAvailable ?? 0,
    formatLabels(spec?.template.spec?.nodeSelector),
    ageSince(metadata.creationTimestamp, nowMs),
    ...containerCells(spec?.template),
    formatLabelSelector(spec?.selector),
  ],
};

export const controllerRevisionPrinter: Printer<Kinds['controllerrevisions']> = {
  columns: columns('Name', 'Controller', 'Revision', 'Age'),
  row: ({ metadata, revision }, nowMs) => {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller);
    const group = owner?.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
    return [
      metadata.name,
      owner ? `${owner.kind.toLowerCase()}${group}/${owner.name}` : '<none>',
      revision,
      ageSince(metadata.creationTimestamp, nowMs),
    ];
  },
};

export const jobPrinter: Printer<Job> = {
  columns: columns('Name', 'Status', 'Completions', 'Duration', 'Age', 'Containers+', 'Images+', 'Selector+'),
  row: ({ metadata, spec, status }, nowMs) => {
    const holds = (type: string) =>
      status?.conditions?.some((condition) => condition.type === type && condition.status === 'True');
    const started = status?.startTime ? Date.parse(status.startTime) : undefined;
    const ended = status?.completionTime ? Date.parse(status.completionTime) : nowMs;
    const parallelism = spec?.parallelism ?? 1;
    let state = 'Running';
    if (holds('Complete')) state = 'Complete';
    else if (holds('Failed')) state = 'Failed';
    else if (metadata.deletionTimestamp) state = 'Terminating';
    else if (holds('Suspended')) state = 'Suspended';
    else if (holds('FailureTarget')) state = 'FailureTarget';
    else if (holds('SuccessCriteriaMet')) state = 'SuccessCriteriaMet';
    return [
      metadata.name,
      state,
      spec?.completions === undefined
        ? `${status?.succeeded ?? 0}/1${parallelism > 1 ? ` of ${parallelism}` : ''}`
        : `${status?.succeeded ?? 0}/${spec.completions}`,
      started === undefined ? '' : humanDuration(ended - started),
      ageSince(metadata.creationTimestamp, nowMs),
      ...containerCells(spec?.template),
      formatLabelSelector(spec?.selector),
    ];
  },
};

export const autoscalerPrinter: Printer<Autoscaler> = {
  columns: columns('Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'),
  row: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    `${spec?.scaleTargetRef.kind}/${spec?.scaleTargetRef.name}`,
    targets(spec?.metrics ?? [], status?.currentMetrics ?? []),
    String(spec?.minReplicas ?? '<unset>'),
    spec?.maxReplicas ?? 0,
    status?.currentReplicas ?? 0,
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

export const disruptionBudgetPrinter: Printer<DisruptionBudget> = {
  columns: columns('Name', 'Min Available', 'Max Unavailable', 'Allowed Disruptions:integer', 'Age'),
  row: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    String(spec?.minAvailable ?? 'N/A'),
    String(spec?.maxUnavailable ?? 'N/A'),
    status?.disruptionsAllowed ?? 0,
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

type MetricSpec = NonNullable<NonNullable<Autoscaler['spec']>['metrics']>[number];
type MetricStatus = NonNullable<NonNullable<Autoscaler['status']>['currentMetrics']>[number];

/** formatHPAMetrics: at most two are shown. */
function targets(specs: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (specs.length === 0) return '<none>';
  const texts = specs.map((spec, index) => metricText(spec, statuses[index]));
  const shown = texts.slice(0, 2).join(', ');
  return texts.length > 2 ? `${shown} + ${texts.length - 2} more...` : shown;
}

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  const source = spec.resource ?? spec.containerResource ?? spec.pods ?? spec.object ?? spec.external;
  const found =
    status?.resource ?? status?.containerResource ?? status?.pods ?? status?.object ?? status?.external;
  const { target } = source ?? {};
  const current = found?.current;
  const prefix =
    spec.type === 'Resource' || spec.type === 'ContainerResource'
      ? `${spec.resource?.name ?? spec.containerResource?.name}: `
      : '';
  if (target?.averageUtilization !== undefined) {
    const used = current?.averageUtilization;
    return `${prefix}${used === undefined ? '<unknown>' : `${used}%`}/${target.averageUtilization}%`;
  }
  if (target?.averageValue !== undefined) {
    const average = spec.type === 'Object' || spec.type === 'External' ? ' (avg)' : '';
    return `${prefix}${noneIfUnknown(current?.averageValue)}/${target.averageValue}${average}`;
  }
  return `${prefix}${noneIfUnknown(current?.value)}/${noneIfEmpty(target?.value)}`;
}

const noneIfUnknown = (value: string | undefined) => value ?? '<unknown>';
