// Kubernetes objects reduced to what is recorded and judged: small, stable, free of secrets (no environment values).
import { z } from 'zod';

const containerFactsSchema = z.object({
  name: z.string(),
  image: z.string(),
  ready: z.boolean(),
  started: z.boolean().default(false),
  restarts: z.number().int().nonnegative(),
  state: z.enum(['waiting', 'running', 'terminated', 'unknown']),
  /** Waiting or terminated reason: ContainerCreating, CrashLoopBackOff, Completed, Error, OOMKilled ... */
  reason: z.string().optional(),
  exitCode: z.number().int().optional(),
  signal: z.number().int().optional(),
  /** API times: whole seconds, ISO 8601. */
  startedAt: z.string().optional(),
  finishedAt: z.string().optional(),
  /** What stops it, where the cluster says so (v1.33 on, behind a feature gate): SIGTERM, SIGQUIT ... */
  stopSignal: z.string().optional(),
  last: z.object({ reason: z.string().optional(), exitCode: z.number().int().optional() }).optional(),
});
const conditionFactsSchema = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
});
/** Names of the watched Services that stand before it; undefined: nothing was watched by Service. */
const services = z.array(z.string()).optional();
export const podFactsSchema = z.object({
  kind: z.literal('Pod'),
  role: z.string().optional(),
  services,
  ownerKind: z.string().optional(),
  owner: z.string().optional(),
  templateHash: z.string().optional(),
  node: z.string().optional(),
  ip: z.string().optional(),
  phase: z.string(),
  ready: z.boolean(),
  terminating: z.boolean(),
  deletionGracePeriodSeconds: z.number().optional(),
  terminationGracePeriodSeconds: z.number().optional(),
  containers: z.array(containerFactsSchema),
  /** Init containers that go on (restartPolicy: Always). */
  sidecars: z.array(containerFactsSchema).optional(),
  conditions: z.array(conditionFactsSchema),
});
export type PodFacts = z.infer<typeof podFactsSchema>;

const endpointFactsSchema = z.object({
  ip: z.string(),
  pod: z.string().optional(),
  node: z.string().optional(),
  ready: z.boolean(),
  serving: z.boolean(),
  terminating: z.boolean(),
});
export const endpointSliceFactsSchema = z.object({
  kind: z.literal('EndpointSlice'),
  service: z.string(),
  endpoints: z.array(endpointFactsSchema),
});
export type EndpointSliceFacts = z.infer<typeof endpointSliceFactsSchema>;

const workload = {
  role: z.string().optional(),
  services,
  generation: z.number().optional(),
  observedGeneration: z.number().optional(),
  images: z.array(z.string()),
};
const count = z.number().int().nonnegative().default(0);
export const deploymentFactsSchema = z.object({
  kind: z.literal('Deployment'),
  ...workload,
  specReplicas: count,
  paused: z.boolean(),
  revision: z.string().optional(),
  strategy: z.string().optional(),
  replicas: count,
  updated: count,
  ready: count,
  available: count,
  unavailable: count,
  conditions: z.array(conditionFactsSchema),
});
export type DeploymentFacts = z.infer<typeof deploymentFactsSchema>;

export const replicaSetFactsSchema = z.object({
  kind: z.literal('ReplicaSet'),
  ...workload,
  ownerKind: z.string().optional(),
  owner: z.string().optional(),
  templateHash: z.string().optional(),
  revision: z.string().optional(),
  revisionHistory: z.string().optional(),
  specReplicas: count,
  replicas: count,
  ready: count,
  available: count,
});
export type ReplicaSetFacts = z.infer<typeof replicaSetFactsSchema>;

const daemonSetFactsSchema = z.object({
  kind: z.literal('DaemonSet'),
  ...workload,
  desired: count,
  updated: count,
  ready: count,
  available: count,
});
export type DaemonSetFacts = z.infer<typeof daemonSetFactsSchema>;

const statefulSetFactsSchema = z.object({
  kind: z.literal('StatefulSet'),
  ...workload,
  specReplicas: count,
  /** Pods below this ordinal keep the old revision. */
  partition: count,
  strategy: z.string().optional(),
  replicas: count,
  updated: count,
  ready: count,
  available: count,
  currentRevision: z.string().optional(),
  updateRevision: z.string().optional(),
});
export type StatefulSetFacts = z.infer<typeof statefulSetFactsSchema>;

/** Of Argo Rollouts: its controller says by a phase how far it is. */
const rolloutFactsSchema = z.object({
  kind: z.literal('Rollout'),
  ...workload,
  specReplicas: count,
  paused: z.boolean(),
  /** Healthy, Progressing, Paused or Degraded; undefined: no controller has written its status. */
  phase: z.string().optional(),
  message: z.string().optional(),
  replicas: count,
  updated: count,
  ready: count,
  available: count,
  /** Hash of the newest template, and of the one that is fully promoted. */
  currentPodHash: z.string().optional(),
  stableHash: z.string().optional(),
  conditions: z.array(conditionFactsSchema),
});
export type RolloutFacts = z.infer<typeof rolloutFactsSchema>;
/** What a rollout is read from. */
export type WorkloadFacts = DeploymentFacts | DaemonSetFacts | StatefulSetFacts | RolloutFacts;
const workloadKinds = ['Deployment', 'DaemonSet', 'StatefulSet', 'Rollout'] as const;
type WorkloadKind = (typeof workloadKinds)[number];
/** Of a target's kind; a Deployment for kinds that have no facts of their own. */
export const factsKindOf = (kind: string): WorkloadKind =>
  workloadKinds.find((one) => one === kind) ?? 'Deployment';

export const isWorkloadFacts = (facts: Facts): facts is WorkloadFacts =>
  workloadKinds.some((kind) => kind === facts.kind);

const autoscalerFactsSchema = z.object({
  kind: z.literal('HorizontalPodAutoscaler'),
  min: count,
  max: count,
  current: count,
  desired: count,
  /** Utilization in per cent of the request, where the metric is cpu utilization. */
  currentUtilization: z.number().optional(),
  targetUtilization: z.number().optional(),
  conditions: z.array(conditionFactsSchema),
});
const eventFactsSchema = z.object({
  kind: z.literal('Event'),
  type: z.string(),
  reason: z.string(),
  message: z.string(),
  count: z.number().int().nonnegative().default(1),
  involvedKind: z.string(),
  involvedName: z.string(),
});
const nodeFactsSchema = z.object({
  kind: z.literal('Node'),
  ready: z.boolean(),
  unschedulable: z.boolean(),
});
const budgetFactsSchema = z.object({
  kind: z.literal('PodDisruptionBudget'),
  allowed: count,
  currentHealthy: count,
  desiredHealthy: count,
});

export const factsSchema = z.discriminatedUnion('kind', [
  podFactsSchema,
  endpointSliceFactsSchema,
  deploymentFactsSchema,
  replicaSetFactsSchema,
  daemonSetFactsSchema,
  statefulSetFactsSchema,
  rolloutFactsSchema,
  autoscalerFactsSchema,
  eventFactsSchema,
  nodeFactsSchema,
  budgetFactsSchema,
]);
export type Facts = z.infer<typeof factsSchema>;
export type FactsKind = Facts['kind'];
