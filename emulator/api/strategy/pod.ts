// Pod: admission, tolerations, graceful deletion (registry/core/pod/strategy.go).
import { admitPodReferences } from '../admission.ts';
import { addDefaultTolerations, mergeMatchLabelKeys } from '../defaults/pod.ts';
import { applyLimitRanges } from '../limit-range.ts';
import type { Pod } from '../types.ts';
import type { Strategy } from './strategy.ts';

export const podStrategy: Strategy = {
  admit(object, { storage }) {
    const pod = object as unknown as Pod;
    admitPodReferences(storage, pod);
    applyLimitRanges(storage, pod);
  },
  prepareForCreate(object) {
    const pod = object as unknown as Pod;
    addDefaultTolerations(pod);
    mergeMatchLabelKeys(pod);
    atLeastOneSecond(pod);
  },
  prepareForUpdate(object) {
    const pod = object as unknown as Pod;
    addDefaultTolerations(pod);
    atLeastOneSecond(pod);
  },
  prepareForStatusUpdate({ metadata }, current) {
    if (current.metadata.ownerReferences) metadata.ownerReferences = current.metadata.ownerReferences;
    else delete metadata.ownerReferences;
  },
  /** Zero when nothing runs: never scheduled, or all containers have ended. */
  graceSeconds(object, options) {
    const { spec, status } = object as unknown as Pod;
    const wanted = options.gracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? 0;
    const ended = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    if (!spec?.nodeName || ended) return 0;
    return wanted < 0 ? 1 : wanted;
  },
  returnsDeleted: true,
};

/** A negative grace period is one second. */
function atLeastOneSecond({ spec }: Pod): void {
  if (spec && (spec.terminationGracePeriodSeconds ?? 0) < 0) spec.terminationGracePeriodSeconds = 1;
}
