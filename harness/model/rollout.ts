// When a rollout is complete or has failed, from facts alone.
import type { DeploymentFacts, PodFacts, RolloutFacts, WorkloadFacts } from './facts.ts';

/** As `kubectl rollout status` decides it: the controller has seen the spec, and all pods are new and available. */
export function rolloutComplete(workload: WorkloadFacts | undefined): boolean {
  if (!workload || (workload.observedGeneration ?? 0) < (workload.generation ?? 0)) return false;
  if (workload.kind === 'DaemonSet') {
    return workload.updated >= workload.desired && workload.available >= workload.desired;
  }
  if (workload.kind === 'Rollout') return promoted(workload);
  // Below the partition pods keep the old revision; kubectl calls that complete.
  if (workload.kind === 'StatefulSet') {
    return (
      workload.ready >= workload.specReplicas &&
      workload.replicas >= workload.specReplicas &&
      workload.updated >= workload.specReplicas - workload.partition &&
      (workload.partition > 0 || workload.updateRevision === workload.currentRevision)
    );
  }
  return (
    workload.updated >= workload.specReplicas &&
    workload.replicas <= workload.updated &&
    workload.available >= workload.updated
  );
}

/**
 * As the controller of Argo Rollouts says it: Healthy, and the newest template is the stable one. Old pods may run on
 * for its scaleDownDelaySeconds. Source: utils/rollout/rolloututil.go.
 */
const promoted = ({ phase, currentPodHash, stableHash }: RolloutFacts): boolean =>
  phase === 'Healthy' && currentPodHash !== undefined && currentPodHash === stableHash;

/**
 * Complete, and every pod that is too many or terminating is gone. After scaling down a Deployment reads complete at
 * once, before the first pod is deleted: only the number of pods says that it is over.
 */
export function rolloutSettled(
  workload: WorkloadFacts | undefined,
  pods: Iterable<Pick<PodFacts, 'phase' | 'terminating'>>,
): boolean {
  if (!workload || !rolloutComplete(workload)) return false;
  const wanted = workload.kind === 'DaemonSet' ? workload.desired : workload.specReplicas;
  let running = 0;
  for (const pod of pods) {
    if (pod.terminating) return false;
    if (pod.phase !== 'Succeeded' && pod.phase !== 'Failed') running++;
  }
  return running <= wanted;
}

/** Whether a scenario is over: by its rollout, or (`no-terminating`) when nothing that was deleted is left. */
export const scenarioSettled = (
  until: 'rollout' | 'no-terminating',
  workload: WorkloadFacts | undefined,
  pods: readonly Pick<PodFacts, 'phase' | 'terminating'>[],
): boolean =>
  until === 'rollout' ? rolloutSettled(workload, pods) : pods.every(({ terminating }) => !terminating);

export function progressDeadlineExceeded(deployment: DeploymentFacts | RolloutFacts | undefined): boolean {
  return (
    deployment?.conditions.some((c) => c.type === 'Progressing' && c.reason === 'ProgressDeadlineExceeded') ??
    false
  );
}
