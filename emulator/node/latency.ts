// How long the steps of a pod's life take on a real node: medians of docs/embedded.md (kind, Kubernetes v1.34.4, two
// cores, lightly loaded), spread by ±20 % so that pods do not move in lockstep.

/** Medians in ms. Their sums are what the recordings show: scheduled → Pulled 600, app exit → terminated 370. */
const medians = {
  /** A change in the API → the pod's worker begins. */
  notice: 20,
  /** A status is decided → it is written (one GET and one PATCH). */
  statusWrite: 12,
  /** Worker begins → volumes are mounted. */
  volumes: 250,
  /** Volumes → sandbox with its network. */
  sandbox: 290,
  /** Pulled → Created. */
  create: 28,
  /** Created → Started. */
  start: 130,
  /** Event Killing → the stop signal (or the preStop hook begins). */
  signal: 12,
  /** The process has ended → the runtime says so. */
  exitReport: 60,
  /** From there → the pod's network is gone: its address stops refusing and hangs. */
  networkDown: 80,
  /** From there → the sandbox is down. */
  sandboxDown: 200,
  /** A terminated pod's last clean-up. */
  cleanUp: 15,
  /** A present image is checked with its registry (imagePullPolicy Always). */
  pullPresent: 400,
  /** A registry says that there is no such image. */
  pullAbsent: 400,
  /** kubectl exec or an exec probe: until the command runs. */
  exec: 60,
} as const;

export type Step = keyof typeof medians;

export interface Latencies {
  /** How long this step takes now, ms; of a pod that starts, also by how many start at the same time. */
  of(step: Step, start?: Start): number;
  /** A pod begins to start; it leaves the queue when it has started. */
  begin(): Start;
  /** The kubelet looks at its containers (PLEG relist) and at pods that are due (syncLoop) this often, ms. */
  readonly relistMs: number;
  readonly syncTickMs: number;
}

/** PLEG's relist period and syncLoop's tick. */
const TICK_MS = 1000;
const SHORTEST_TICK_MS = 10;

/** A pod's place among those that start at the same time. */
export interface Start {
  leave(): void;
}

/** A pod that began to start later slows one down by this share of what an earlier one does. */
export const LATER_SHARE = 0.6;

/**
 * `contention`: each pod that began to start earlier and has not started yet makes a start longer by this share, each
 * later one by LATER_SHARE of it; 0 where every node is a machine of its own, about 0.25 where all nodes share two cores
 * (kind).
 *
 * `factor` 1: as measured; 0: no time is added to what the processes need themselves. It scales what a node needs for
 * its work, never what a manifest says (periods, thresholds, grace) nor Kubernetes' back-offs.
 */
export function latencyModel(factor: number, random: () => number, contention = 0): Latencies {
  const starting = new Set<Start>();
  const crowd = (start: Start) => {
    const ahead = Math.max(0, [...starting].indexOf(start));
    const behind = Math.max(0, starting.size - ahead - 1);
    return 1 + contention * (ahead + LATER_SHARE * behind);
  };
  // A slower node does not look less often.
  const tickMs = Math.max(SHORTEST_TICK_MS, TICK_MS * Math.min(1, factor));
  return {
    of(step, start) {
      return medians[step] * factor * (start ? crowd(start) : 1) * (0.8 + 0.4 * random());
    },
    begin() {
      const start: Start = { leave: () => void starting.delete(start) };
      starting.add(start);
      return start;
    },
    relistMs: tickMs,
    syncTickMs: tickMs,
  };
}
