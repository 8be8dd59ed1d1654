// What `tune` concludes from measurements: which length to try, and what to say about it. Pure.
import { isProxied } from '../model/entry.ts';
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
  /** The lag of each entry, where several were measured side by side; without those of which nothing tells. */
  readonly byEntry?: Readonly<Record<string, number>>;
}

/** Undefined: the experiment does not tell (no pod ended, or no answer said which pod gave it). */
export function routingOf(experiment: ExperimentResult, preStopSeconds: number): Routing | undefined {
  const { measures, entries, routing } = experiment;
  const { lastNewConnectionAfterDeletionMsMax: lag, terminationMsMax: termination } = measures;
  const lags = Object.fromEntries(
    (entries ?? []).flatMap(({ name }) => {
      const own = measures[`lastNewConnectionAfterDeletionMsMax:${name}`];
      return typeof own === 'number' ? [[name, own]] : [];
    }),
  );
  const all = [...(typeof lag === 'number' ? [lag] : []), ...Object.values(lags)];
  if (all.length === 0) return undefined;
  const shutdownMs = typeof termination === 'number' ? Math.max(0, termination - preStopSeconds * 1000) : 0;
  return {
    lagMs: Math.max(...all),
    shutdownMs,
    // Whom a proxy asks, the kernel of the agent's node does not see.
    ...(routing && !entries?.some(isProxied) && { exact: true }),
    ...(entries && { byEntry: lags }),
  };
}

/** The app stopped before the routing had forgotten it: the true lag may be longer than what was seen. */
export const isCutOff = ({ lagMs, exact = false }: Routing, preStopSeconds: number): boolean =>
  !exact && lagMs > preStopSeconds * 1000 - SPARE_MS;

/** Whole seconds, as the hook takes them. Two cases: 0.4 s → 1; 2.9 s → 4, since 3 would leave 0.1 s only. */
export const candidateSeconds = (lagMs: number): number => Math.ceil((lagMs + MARGIN_MS) / 1000);

/** What runs with one length said of an entry. */
interface EntrySaid {
  readonly lost: number;
  /** Undefined: nothing tells. */
  readonly lagMs?: number;
}

/**
 * Looks for the shortest length of each of several ways in at once: each length that is tried says something of all of them.
 * A length is an entry's when it lost nothing and outlasts the latest connection that was ever seen there.
 */
export class ShortestLengths {
  readonly #lagMs = new Map<string, number>();
  /** Not shorter than this, s. */
  readonly #least = new Map<string, number>();
  readonly #found = new Map<string, number>();
  readonly #entries: readonly string[];

  constructor(entries: readonly string[], lagMsOf: (entry: string) => number) {
    this.#entries = entries;
    for (const entry of entries) this.#lagMs.set(entry, lagMsOf(entry));
  }

  /** The next length to try, s: the shortest that may be any entry's; undefined: all are found. */
  get next(): number | undefined {
    const open = this.#entries.filter((entry) => !this.#found.has(entry));
    if (open.length === 0) return undefined;
    return Math.min(
      ...open.map((entry) => Math.max(this.#least.get(entry) ?? 0, candidateSeconds(this.lagMs(entry)))),
    );
  }

  tried(seconds: number, saidOf: (entry: string) => EntrySaid): void {
    for (const entry of this.#entries) {
      const { lost, lagMs = 0 } = saidOf(entry);
      // A later connection than before counts even if this app happened to answer it.
      this.#lagMs.set(entry, Math.max(this.lagMs(entry), lagMs));
      const found = this.#found.get(entry);
      const needed = candidateSeconds(this.lagMs(entry));
      if (found !== undefined) {
        // What a longer sleep loses no shorter one keeps; what came later than a shorter one lasts is tried with that.
        if (lost > 0) this.#least.set(entry, seconds + 1);
        if (lost > 0 || needed > found) this.#found.delete(entry);
      } else if (lost === 0 && needed <= seconds) this.#found.set(entry, seconds);
      else this.#least.set(entry, seconds + 1);
    }
  }

  lagMs(entry: string): number {
    return this.#lagMs.get(entry) ?? 0;
  }

  of(entry: string): number | undefined {
    return this.#found.get(entry);
  }
}

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
