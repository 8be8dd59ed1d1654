// A DaemonSet's rolling update. Source: pkg/controller/daemon/update.go.
import type { DaemonSet, Pod } from '../../api/types.ts';
import { scaledValue } from '../runtime/int-or-string.ts';
import { isAvailable, isTerminating } from '../runtime/pods.ts';

export const hashLabel = 'controller-revision-hash';
export const templateGenerationLabel = 'pod-template-generation';
const templateGenerationAnnotation = 'deprecated.daemonset.template.generation';

export function templateGenerationOf(daemonSet: DaemonSet): string {
  return daemonSet.metadata.annotations?.[templateGenerationAnnotation] ?? '';
}

export function isUpdated(daemonSet: DaemonSet, pod: Pod, hash: string): boolean {
  const { labels } = pod.metadata;
  const generation = templateGenerationOf(daemonSet);
  return (
    labels?.[hashLabel] === hash || (generation !== '' && labels?.[templateGenerationLabel] === generation)
  );
}

/** Both round up; both 0 (surge not set, unavailability 0 %): one may be unavailable. */
export function limitsOf(daemonSet: DaemonSet, nodes: number): { surge: number; unavailable: number } {
  const rolling = daemonSet.spec?.updateStrategy?.rollingUpdate;
  if (daemonSet.spec?.updateStrategy?.type === 'OnDelete') return { surge: 0, unavailable: 0 };
  const surge = scaledValue(rolling?.maxSurge, nodes, 'up');
  const unavailable = scaledValue(rolling?.maxUnavailable ?? 1, nodes, 'up');
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

export function allowsSurge(daemonSet: DaemonSet): boolean {
  return limitsOf(daemonSet, 1).surge > 0;
}

interface UpdateStep {
  readonly remove: readonly Pod[];
  /** Nodes that get a second, new pod. */
  readonly createOn: readonly string[];
}

/**
 * Without surge: old pods that are not available go at once; available ones as far as
 *
 *   nodes without an available pod + deleted ≤ maxUnavailable
 *
 *   3 nodes, maxUnavailable 1: delete on node1 → its pod terminal, new one there, available → delete on node2 …
 *
 * With surge: up to maxSurge nodes get a new pod beside the old one, which goes when the new one is available.
 * @param podsOnNode Pods per node that should have one; finished ones that are being deleted left out.
 */
export function nextUpdateStep(
  daemonSet: DaemonSet,
  podsOnNode: ReadonlyMap<string, readonly Pod[]>,
  hash: string,
  wantedNodes: number,
  nowMs: number,
): UpdateStep {
  const { surge, unavailable } = limitsOf(daemonSet, wantedNodes);
  const minReadySeconds = daemonSet.spec?.minReadySeconds ?? 0;
  const available = (pod: Pod) => isAvailable(pod, minReadySeconds, nowMs);
  return surge === 0
    ? stepWithoutSurge(daemonSet, podsOnNode, hash, unavailable, available)
    : stepWithSurge(daemonSet, podsOnNode, hash, surge, available);
}

function stepWithoutSurge(
  daemonSet: DaemonSet,
  podsOnNode: ReadonlyMap<string, readonly Pod[]>,
  hash: string,
  maxUnavailable: number,
  available: (pod: Pod) => boolean,
): UpdateStep {
  let unavailable = 0;
  const replacements: Pod[] = [];
  const candidates: Pod[] = [];
  for (const pods of podsOnNode.values()) {
    const pair = newAndOld(daemonSet, pods, hash);
    if (!pair || (pair.newPod === undefined) === (pair.oldPod === undefined)) unavailable++;
    else if (pair.newPod) unavailable += available(pair.newPod) ? 0 : 1;
    else if (pair.oldPod && !available(pair.oldPod)) {
      replacements.push(pair.oldPod);
      unavailable++;
    } else if (pair.oldPod && unavailable < maxUnavailable) candidates.push(pair.oldPod);
  }
  const room = Math.max(0, maxUnavailable - unavailable);
  return { remove: [...replacements, ...candidates.slice(0, room)], createOn: [] };
}

function stepWithSurge(
  daemonSet: DaemonSet,
  podsOnNode: ReadonlyMap<string, readonly Pod[]>,
  hash: string,
  maxSurge: number,
  available: (pod: Pod) => boolean,
): UpdateStep {
  let surging = 0;
  const remove: Pod[] = [];
  const replacements: string[] = [];
  const candidates: string[] = [];
  for (const [node, pods] of podsOnNode) {
    const pair = newAndOld(daemonSet, pods, hash);
    if (!pair) surging++;
    else if (!pair.oldPod) continue;
    else if (!pair.newPod) (available(pair.oldPod) ? candidates : replacements).push(node);
    else if (available(pair.newPod)) remove.push(pair.oldPod);
    else surging++;
  }
  const room = Math.max(0, maxSurge - surging);
  return { remove, createOn: [...replacements, ...candidates.slice(0, room)] };
}

/** undefined: more than one pod of a kind; the main loop tidies that up. */
function newAndOld(
  daemonSet: DaemonSet,
  pods: readonly Pod[],
  hash: string,
): { newPod: Pod | undefined; oldPod: Pod | undefined } | undefined {
  const staying = pods.filter((pod) => !isTerminating(pod));
  const [newPod, ...moreNew] = staying.filter((pod) => isUpdated(daemonSet, pod, hash));
  const [oldPod, ...moreOld] = staying.filter((pod) => !isUpdated(daemonSet, pod, hash));
  return moreNew.length + moreOld.length > 0 ? undefined : { newPod, oldPod };
}
