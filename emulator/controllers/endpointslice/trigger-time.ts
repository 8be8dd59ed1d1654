// When the oldest change that a slice write carries happened: the annotation that kube-proxy measures its latency from.
// Source: staging/src/k8s.io/endpointslice/util/endpoint_trigger_time… (TriggerTimeTracker).
import type { Pod, Service } from '../../api/types.ts';
import { conditionOf } from '../runtime/pods.ts';

interface TriggerTimes {
  /** RFC 3339 of the oldest change since the last call for this Service; undefined: nothing that has a time. */
  changedAt(key: string, service: Service, pods: readonly Pod[]): string | undefined;
  forget(key: string): void;
}

export function createTriggerTimes(): TriggerTimes {
  const known = new Map<string, { service: string; pods: Map<string, string> }>();
  return {
    changedAt(key, service, pods) {
      const before = known.get(key);
      const now = new Map<string, string>();
      const times: string[] = [];
      for (const pod of pods) {
        const at = conditionOf(pod, 'Ready')?.lastTransitionTime;
        if (!at) continue;
        now.set(pod.metadata.name, at);
        const earlier = before?.pods.get(pod.metadata.name);
        if (before ? earlier === undefined || at > earlier : true) times.push(at);
      }
      const serviceAt = service.metadata.creationTimestamp;
      if (!before || serviceAt > before.service) times.push(serviceAt);
      known.set(key, { service: serviceAt, pods: now });
      return times.sort()[0];
    },
    forget: (key) => known.delete(key),
  };
}
