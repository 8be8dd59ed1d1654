// What `tune` concludes from measurements: which length to try, and what to say about it. Pure.
import type { ExperimentResult } from '../model/results.ts';

/** Time by which a preStop sleep must outlast the last new connection: clocks, buckets, and the next rollout's luck. */
export const MARGIN_MS = 250;
/** A sleep was long enough to measure with when the last new connection came this long before its end. */
const SPARE_MS = 1000;
const DEFAULT_GRACE_SECONDS = 30;

export interface Routing {
  /** Longest time from a pod's deletion to the last new connection that was routed to it. */
  readonly lagMs: number;
  /** How long pods took to end when the sleep was over: the app's own shutdown, lingering included. */
  readonly shutdownMs: number;
  /** Measured at the kernel, which sees connections to pods that have stopped, too: the sleep does not bound it. */
  readonly exact?: boolean;
}

/** Undefined: the experiment does not tell (no pod ended, or no answer said which pod gave it). */
export function routingOf(experiment: ExperimentResult, preStopSeconds: number): Routing | undefined {
  const { lastNewConnectionAfterDeletionMsMax: lag, terminationMsMax: termination } = experiment.measures;
  if (typeof lag !== 'number') return undefined;
  const shutdownMs = typeof termination === 'number' ? Math.max(0, termination - preStopSeconds * 1000) : 0;
  return { lagMs: lag, shutdownMs, ...(experiment.routing && { exact: true }) };
}

/** The app stopped before the routing had forgotten it: the true lag may be longer than what was seen. */
export const isCutOff = ({ lagMs, exact = false }: Routing, preStopSeconds: number): boolean =>
  !exact && lagMs > preStopSeconds * 1000 - SPARE_MS;

/** Whole seconds, as the hook takes them. Two cases: 0.4 s → 1; 2.9 s → 4, since 3 would leave 0.1 s only. */
export const candidateSeconds = (lagMs: number): number => Math.ceil((lagMs + MARGIN_MS) / 1000);

export interface GraceCheck {
  readonly graceSeconds: number;
  readonly neededSeconds: number;
  readonly fits: boolean;
  readonly text: string;
}

/** The grace period counts from the deletion: sleep and shutdown must both end within it. */
export function graceCheck(
  preStopSeconds: number,
  shutdownMs: number,
  graceSeconds: number | undefined,
): GraceCheck {
  const grace = graceSeconds ?? DEFAULT_GRACE_SECONDS;
  const needed = preStopSeconds + Math.ceil(shutdownMs / 1000);
  const fits = needed < grace;
  const sum = `preStop ${preStopSeconds} s and the app's own shutdown of ${(shutdownMs / 1000).toFixed(1)} s (measured)`;
  return {
    graceSeconds: grace,
    neededSeconds: needed,
    fits,
    text: fits
      ? `It fits into the grace period of ${grace} s: ${sum}.`
      : `Warning: it does not fit into the grace period of ${grace} s: ${sum} take ${needed} s. Set terminationGracePeriodSeconds to ${needed + 1} at least, or pods are killed with requests in flight.`,
  };
}
