// meta.k8s.io/v1 Table: what kubectl shows without -o.
import type { KubeObject } from '../objects.ts';
import { type Cell, type Column, columns, type Printer } from './columns.ts';
import {
  configMapPrinter,
  endpointSlicePrinter,
  eventPrinter,
  leasePrinter,
  namespacePrinter,
  nodePrinter,
  plainPrinter,
  secretPrinter,
  serviceAccountPrinter,
  servicePrinter,
} from './core.ts';
import { ageSince } from './durations.ts';
import { podPrinter } from './pods.ts';
import {
  claimPrinter,
  endpointsPrinter,
  ingressClassPrinter,
  ingressPrinter,
  networkPolicyPrinter,
  podTemplatePrinter,
  priorityClassPrinter,
  quotaPrinter,
  roleBindingPrinter,
  storageClassPrinter,
  volumePrinter,
} from './stored.ts';
import {
  autoscalerPrinter,
  controllerRevisionPrinter,
  cronJobPrinter,
  daemonSetPrinter,
  deploymentPrinter,
  disruptionBudgetPrinter,
  jobPrinter,
  replicaSetPrinter,
  replicationControllerPrinter,
  statefulSetPrinter,
} from './workloads.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

interface TableOptions {
  nowMs: number;
  includeObject: IncludeObject;
  /** Only the first table of a watch repeats the columns. */
  withColumns: boolean;
}

const printers: Readonly<Record<string, Printer<never>>> = {
  namespaces: namespacePrinter,
  nodes: nodePrinter,
  pods: podPrinter,
  services: servicePrinter,
  endpointslices: endpointSlicePrinter,
  events: eventPrinter,
  configmaps: configMapPrinter,
  secrets: secretPrinter,
  serviceaccounts: serviceAccountPrinter,
  leases: leasePrinter,
  deployments: deploymentPrinter,
  replicasets: replicaSetPrinter,
  daemonsets: daemonSetPrinter,
  controllerrevisions: controllerRevisionPrinter,
  jobs: jobPrinter,
  horizontalpodautoscalers: autoscalerPrinter,
  poddisruptionbudgets: disruptionBudgetPrinter,
  replicationcontrollers: replicationControllerPrinter,
  statefulsets: statefulSetPrinter,
  cronjobs: cronJobPrinter,
  endpoints: endpointsPrinter,
  resourcequotas: quotaPrinter,
  persistentvolumes: volumePrinter,
  persistentvolumeclaims: claimPrinter,
  podtemplates: podTemplatePrinter,
  ingresses: ingressPrinter,
  ingressclasses: ingressClassPrinter,
  networkpolicies: networkPolicyPrinter,
  rolebindings: roleBindingPrinter,
  clusterrolebindings: roleBindingPrinter,
  priorityclasses: priorityClassPrinter,
  storageclasses: storageClassPrinter,
};

const scalePrinter: Printer<KubeObject> = {
  columns: columns('Name', 'Desired:integer', 'Available:integer', 'Age').map((column) => ({
    ...column,
    format: '',
  })),
  row: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    (spec as { replicas?: number }).replicas ?? 0,
    (status as { replicas?: number }).replicas ?? 0,
    ageSince(metadata.creationTimestamp, nowMs),
  ],
};

/** @param resource A stored resource, or `scale`. Objects are in their stored form. */
export function toTable(
  resource: string,
  objects: readonly KubeObject[],
  metadata: object,
  options: TableOptions,
) {
  const printer = (
    resource === 'scale' ? scalePrinter : (printers[resource] ?? plainPrinter)
  ) as Printer<KubeObject>;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: options.withColumns ? (printer.columns as Column[]) : null,
    rows: objects.map((object) => ({
      cells: printer.row(object, options.nowMs) as Cell[],
      ...(options.includeObject === 'None' ? {} : { object: rowObject(object, options.includeObject) }),
    })),
  };
}

export function partialMetadata({ metadata }: KubeObject) {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}

function rowObject(object: KubeObject, include: IncludeObject) {
  return include === 'Object' ? object : partialMetadata(object);
}
