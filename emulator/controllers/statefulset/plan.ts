// What a StatefulSet does next, as a pure function of its pods.
// Source: updateStatefulSet in pkg/controller/statefulset/stateful_set_control.go.
import type { Pod, StatefulSet } from '../../api/types.ts';
import { isAvailable, isReady, isTerminal, isTerminating } from '../runtime/pods.ts';
import { identify, identityMatches, ordinalOf, startOrdinal } from './identity.ts';
import { type Revision, revisionLabel } from './revisions.ts';

export type PodStep =
  | { readonly type: 'create'; readonly ordinal: number; readonly revision: 'current' | 'update' }
  | { readonly type: 'delete'; readonly pod: Pod }
  | { readonly type: 'repair'; readonly pod: Pod; readonly change: (draft: Pod) => void };

interface Situation {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  readonly current: Revision;
  readonly update: Revision;
  readonly nowMs: number;
}

/**
 * OrderedReady: at most one step, and none while a pod below is not there, ready and available. Parallel: all at once,
 * and only the update waits. Worked case, 3 replicas, ordered: web-0 is created; when it is ready web-1; scaled to 1:
 * web-2 is deleted, when it is gone web-1; a new template: web-2 is deleted, comes back updated, is ready, then web-1.
 */
export function planStep(situation: Situation): PodStep[] {
  const { set, pods, nowMs } = situation;
  const ordered = set.spec?.podManagementPolicy !== 'Parallel';
  const start = startOrdinal(set);
  const count = set.spec?.replicas ?? 1;
  const slots: (Pod | undefined)[] = new Array(count).fill(undefined);
  const condemned: Pod[] = [];
  for (const pod of pods) {
    const index = (ordinalOf(pod) ?? -1) - start;
    if (index >= 0 && index < count) slots[index] = pod;
    else condemned.push(pod);
  }
  condemned.sort((left, right) => (ordinalOf(right) ?? 0) - (ordinalOf(left) ?? 0));
  const available = (pod: Pod) =>
    isRunningAndReady(pod) && isAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);

  const steps: PodStep[] = [];
  for (const [index, pod] of slots.entries()) {
    const step = slotStep(situation, index + start, pod);
    if (step) steps.push(step);
    if (!ordered) continue;
    if (step && step.type !== 'repair') return steps;
    if (pod && (isTerminating(pod) || !available(pod))) return steps;
  }
  const firstUnhealthy = [...slots, ...[...condemned].reverse()].find((pod) => pod && !isHealthy(pod));
  for (const pod of condemned) {
    if (isTerminating(pod)) {
      if (ordered) return steps;
      continue;
    }
    if (ordered && !available(pod) && pod !== firstUnhealthy) return steps;
    steps.push({ type: 'delete', pod });
    if (ordered) return steps;
  }
  return steps.some(({ type }) => type !== 'repair') ? steps : [...steps, ...updateSteps(situation, slots)];
}

/** What the slot of one ordinal needs. */
function slotStep({ set }: Situation, ordinal: number, pod: Pod | undefined): PodStep | undefined {
  if (!pod) {
    const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
    const partition = type === 'OnDelete' ? 0 : (rollingUpdate?.partition ?? 0);
    return {
      type: 'create',
      ordinal,
      revision: ordinal < startOrdinal(set) + partition ? 'current' : 'update',
    };
  }
  // An ended pod makes room for its successor.
  if (isTerminal(pod)) return isTerminating(pod) ? undefined : { type: 'delete', pod };
  if (isTerminating(pod) || identityMatches(set, pod)) return undefined;
  return { type: 'repair', pod, change: (draft) => identify(draft, set) };
}

/** From the highest ordinal down to the partition, one pod at a time, each healthy before the next. */
function updateSteps({ set, update }: Situation, slots: readonly (Pod | undefined)[]): PodStep[] {
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type === 'OnDelete') return [];
  for (let index = slots.length - 1; index >= (rollingUpdate?.partition ?? 0); index--) {
    const pod = slots[index];
    if (!pod) return [];
    if (pod.metadata.labels?.[revisionLabel] !== update.metadata.name && !isTerminating(pod)) {
      return [{ type: 'delete', pod }];
    }
    if (!isHealthy(pod)) return [];
  }
  return [];
}

export function isRunningAndReady(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && isReady(pod);
}

function isHealthy(pod: Pod): boolean {
  return isRunningAndReady(pod) && !isTerminating(pod);
}
