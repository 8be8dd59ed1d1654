// The control plane's controllers and the scheduler on one registry: started and stopped together.
import type { Registry, Resource } from '../api/types.ts';
import { startCronJobController } from './cronjob/controller.ts';
import { startDaemonSetController } from './daemonset/controller.ts';
import { startDeploymentController } from './deployment/controller.ts';
import { startDisruptionController } from './disruption/controller.ts';
import { startEndpointsController } from './endpoints/controller.ts';
import { startEndpointSliceController } from './endpointslice/controller.ts';
import { startGarbageCollector } from './garbage-collector.ts';
import { type AutoscalerOptions, defaultAutoscalerOptions, startAutoscaler } from './hpa/controller.ts';
import { startJobController } from './job/controller.ts';
import { startNodeLifecycle } from './node-lifecycle.ts';
import { startQuotaController } from './quota/controller.ts';
import { startReplicaSetController, startReplicationController } from './replicaset/controller.ts';
import { type Clock, stoppable, systemClock } from './runtime/clock.ts';
import type { ControllerContext, MetricsSource } from './runtime/controller.ts';
import { createInformers } from './runtime/informers.ts';
import { type Latencies, measuredLatencies, scaleLatencies } from './runtime/latencies.ts';
import { startScheduler } from './scheduler/scheduler.ts';
import { startStatefulSetController } from './statefulset/controller.ts';
import { startVolumeController } from './volume/controller.ts';

export interface ControllersOptions {
  readonly registry: Registry;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** [0, 1); default Math.random. */
  readonly random?: () => number;
  /** Default: as measured on Kubernetes v1.34.4. */
  readonly latencies?: Latencies;
  /** Scales them; 1 by default. */
  readonly latencyFactor?: number;
  /** How often an autoscaler looks; 15 s by default, as in a real cluster. */
  readonly hpaSyncMs?: number;
  /** Usage of running pods; default: none, as in a cluster without metrics-server. */
  readonly metrics?: MetricsSource;
  /** What else of the autoscaler differs from kube-controller-manager's defaults. */
  readonly autoscaler?: Partial<AutoscalerOptions>;
  /** Told of errors that are not the API server's own: defects. Default: a process warning. */
  readonly onDefect?: (controller: string, key: string, error: unknown) => void;
}

const controllerManagerResources: readonly Resource[] = [
  'deployments',
  'replicasets',
  'replicationcontrollers',
  'daemonsets',
  'statefulsets',
  'controllerrevisions',
  'cronjobs',
  'jobs',
  'persistentvolumeclaims',
  'persistentvolumes',
  'storageclasses',
  'resourcequotas',
  'pods',
  'services',
  'endpoints',
  'endpointslices',
  'nodes',
  'horizontalpodautoscalers',
  'poddisruptionbudgets',
];
const schedulerResources: readonly Resource[] = ['pods', 'nodes', 'namespaces', 'services', 'replicasets'];

/** Runs until stopped; nothing is written after that, and no timer is left. */
export function startControllers(options: ControllersOptions): { stop(): void } {
  const { registry, random = Math.random, hpaSyncMs = defaultAutoscalerOptions.syncPeriodMs } = options;
  const latencies = scaleLatencies(options.latencies ?? measuredLatencies, options.latencyFactor ?? 1);
  const clock = stoppable(options.clock ?? systemClock);
  // As in a real cluster: the controllers share one set of caches, the scheduler has its own.
  const informers = createInformers(registry, controllerManagerResources, clock, random, latencies);
  const schedulerInformers = createInformers(registry, schedulerResources, clock, random, latencies);
  const context: ControllerContext = {
    registry,
    informers,
    clock,
    random,
    latencies,
    metrics: options.metrics ?? (() => ({ pods: [] })),
    onDefect: options.onDefect ?? warn,
  };
  startDeploymentController(context);
  startReplicaSetController(context);
  startReplicationController(context);
  startDaemonSetController(context);
  startStatefulSetController(context);
  startCronJobController(context);
  startVolumeController(context);
  startQuotaController(context);
  startJobController(context);
  startEndpointSliceController(context);
  startEndpointsController(context);
  startDisruptionController(context);
  startNodeLifecycle(context);
  startGarbageCollector(context);
  startAutoscaler(context, {
    ...defaultAutoscalerOptions,
    syncPeriodMs: hpaSyncMs,
    ...options.autoscaler,
  });
  startScheduler({ ...context, informers: schedulerInformers });
  informers.start();
  schedulerInformers.start();
  return {
    stop() {
      clock.stop();
      informers.stop();
      schedulerInformers.stop();
    },
  };
}

function warn(controller: string, key: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`embedded ${controller} controller failed on ${key}: ${text}`);
}
