// How long the control plane takes, as measured on Kubernetes v1.34.4 (kind, 2 cores; 104 created and 54 deleted pods
// in recordings under low load; an upper bound for a bigger machine). Ends of a chain are measured, its links are chosen
// so that their medians add up to it.

/** A distribution by three of its quantiles, in ms. */
export interface Quantiles {
  readonly minMs: number;
  readonly medianMs: number;
  readonly p90Ms: number;
}

export interface Latencies {
  /** A write in the API server → a controller's informer has it and its handlers have run. */
  readonly watch: Quantiles;
  /** A request sent → the write has happened. */
  readonly write: Quantiles;
  /** The same for a new pod, with all its admission. */
  readonly createPod: Quantiles;
  /** The write has happened → the caller knows. */
  readonly answer: Quantiles;
  /** An event recorded → sent; recorders send one after another. */
  readonly event: Quantiles;
  /** Deployment taken from the queue → first write. */
  readonly deploymentSync: Quantiles;
  /** ReplicaSet, DaemonSet or Job taken from the queue → first write. */
  readonly replicaSetSync: Quantiles;
  /** Before the first of several pods that are missing. */
  readonly firstPod: Quantiles;
  /** One pod after another within a batch. */
  readonly nextPod: Quantiles;
  /** Pod taken from the scheduling queue → node chosen. */
  readonly schedule: Quantiles;
  /** Service taken from the queue → first write. */
  readonly endpointSliceSync: Quantiles;
  /** The same when a pod was deleted: the deletion keeps the API server busy. */
  readonly endpointSliceSyncAfterDelete: Quantiles;
  /** PodDisruptionBudget or HorizontalPodAutoscaler taken from the queue → first write. */
  readonly budgetSync: Quantiles;
  /** A client's writes and events per second, and how many may come at once (kube-controller-manager: 20, 30). */
  readonly clientQps: number;
  readonly clientBurst: number;
  /** The scheduler's client (KubeSchedulerConfiguration clientConnection: 50, 100). */
  readonly schedulerQps: number;
  readonly schedulerBurst: number;
}

/**
 * measured (min / median / p90)                        modelled as
 * PATCH deployment → new ReplicaSet     14 / 24 / 51   watch + deploymentSync + write
 * ReplicaSet spec up → first pod         1 / 32 / 60   watch + replicaSetSync + firstPod + createPod; nextPod 5-40 each
 * pod created → PodScheduled             0 / 35 / 72   watch + schedule + write
 * Running or Ready → in slice            0 / 21 / 46   watch + endpointSliceSync + write
 * deletionTimestamp → slice -ST          7 / 55 / 116  watch + endpointSliceSyncAfterDelete + write
 * Ready → readyReplicas → next step     10-20 + 10-30  watch + replicaSetSync + write, then the Deployment's
 *
 * The links spread less than what was measured: a machine that stalls delays all of them together and keeps their order,
 * independent draws would not.
 */
export const measuredLatencies: Latencies = {
  watch: { minMs: 1, medianMs: 3, p90Ms: 5 },
  write: { minMs: 6, medianMs: 14, p90Ms: 20 },
  createPod: { minMs: 8, medianMs: 17, p90Ms: 26 },
  answer: { minMs: 1, medianMs: 2, p90Ms: 4 },
  event: { minMs: 2, medianMs: 8, p90Ms: 25 },
  deploymentSync: { minMs: 1, medianMs: 5, p90Ms: 9 },
  replicaSetSync: { minMs: 4, medianMs: 9, p90Ms: 15 },
  firstPod: { minMs: 0, medianMs: 4, p90Ms: 8 },
  nextPod: { minMs: 4, medianMs: 12, p90Ms: 28 },
  schedule: { minMs: 2, medianMs: 18, p90Ms: 36 },
  endpointSliceSync: { minMs: 1, medianMs: 5, p90Ms: 12 },
  endpointSliceSyncAfterDelete: { minMs: 4, medianMs: 36, p90Ms: 70 },
  budgetSync: { minMs: 1, medianMs: 5, p90Ms: 12 },
  clientQps: 20,
  clientBurst: 30,
  schedulerQps: 50,
  schedulerBurst: 100,
};

/** All delays times the factor; limits on rates stay. 0: as fast as this machine can. */
export function scaleLatencies(latencies: Latencies, factor: number): Latencies {
  const scaled = Object.fromEntries(
    Object.entries(latencies).map(([name, value]: [string, number | Quantiles]) => [
      name,
      typeof value === 'number'
        ? value
        : { minMs: value.minMs * factor, medianMs: value.medianMs * factor, p90Ms: value.p90Ms * factor },
    ]),
  );
  return scaled as unknown as Latencies;
}

/**
 * Draws a delay: straight lines between min (0), median (0.5) and p90 (0.9); the last tenth goes half of the way from
 * median to p90 further, since longer tails are the machine's, not Kubernetes'.
 */
export function drawMs(quantiles: Quantiles, random: () => number): number {
  const { minMs, medianMs, p90Ms } = quantiles;
  const share = random();
  if (share < 0.5) return minMs + (medianMs - minMs) * (share / 0.5);
  if (share < 0.9) return medianMs + (p90Ms - medianMs) * ((share - 0.5) / 0.4);
  return p90Ms + (p90Ms - medianMs) * 0.5 * ((share - 0.9) / 0.1);
}
