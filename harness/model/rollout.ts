// When a rollout is complete or has failed, from facts alone.
import type { DaemonSetFacts, DeploymentFacts } from './facts.ts';

/** As `kubectl rollout status` decides it: the controller has seen the spec, and all pods are new and available. */
export function rolloutComplete(workload: DeploymentFacts | DaemonSetFacts | undefined): boolean {
  if (!workload || (workload.observedGeneration ?? 0) < (workload.generation ?? 0)) return false;
  if (workload.kind === 'DaemonSet') {
    return workload.updated >= workload.desired && workload.available >= workload.desired;
  }
  return (
    workload.updated >= workload.specReplicas &&
    workload.replicas <= workload.updated &&
    workload.available >= workload.updated
  );
}

export function progressDeadlineExceeded(deployment: DeploymentFacts | undefined): boolean {
  return (
    deployment?.conditions.some((c) => c.type === 'Progressing' && c.reason === 'ProgressDeadlineExceeded') ??
    false
  );
}
