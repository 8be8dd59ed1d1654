// What the target's EndpointSlices said over time, and between which of these states the routing may have been at a
// moment: kube-proxy applies a change at most about a second later, more with a recorded proxy delay.
import type { EndpointSliceFacts } from '../model/facts.ts';
import type { Clocks } from './clocks.ts';
import type { Journal } from './journal.ts';
import type { Moment } from './pods.ts';

/** kube-proxy's minSyncPeriod: later changes are coalesced to one sync per second. */
export const SYNC_MS = 1000;
/** Bound on the lag: a second of coalescing, a second of syncing (large or busy node), and the watch's way. */
export const LAG_BOUND_MS = 2500;

export interface EndpointState {
  readonly pod: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

export interface RoutingState extends Moment {
  /** Pods that the Service routes to: the ready ones; if there is none, those that serve while they terminate. */
  readonly routed: ReadonlySet<string>;
  readonly ready: number;
  readonly all: readonly EndpointState[];
}

export interface Routing {
  readonly states: readonly RoutingState[];
  /** The states that the agent's node may have been routing by at `atMs`, oldest first, for a lag up to `lagMs`. */
  possible(atMs: number, lagMs: number, errorMs: number): readonly RoutingState[];
  /** Recorded extra delay of the routing that was in force within `lagMs` before `atMs`, ms. */
  delayAt(atMs: number): number;
}

/** `of`: NAMESPACE/NAME of another Service than the target's. */
export function routing(journal: Journal, clocks: Clocks, of?: string): Routing {
  const service = serviceName(of ?? journal.header.target.service);
  const slices = new Map<string, EndpointSliceFacts>();
  const states: RoutingState[] = [];
  for (const { facts, event, name, t, line } of journal.watches) {
    if (facts.kind !== 'EndpointSlice' || (facts.service !== service && facts.service !== of)) continue;
    if (event === 'DELETED') slices.delete(name);
    else slices.set(name, facts);
    const all: EndpointState[] = [...slices.values()]
      .flatMap((slice) => slice.endpoints)
      .map(({ pod, ip, ready, serving, terminating }) => ({ pod: pod ?? ip, ready, serving, terminating }));
    const ready = all.filter((endpoint) => endpoint.ready);
    const routed =
      ready.length > 0 ? ready : all.filter((endpoint) => endpoint.serving && endpoint.terminating);
    states.push({
      atMs: clocks.fromHarness(t),
      line,
      all,
      ready: ready.length,
      routed: new Set(routed.map((endpoint) => endpoint.pod)),
    });
  }
  const delays = proxyDelays(journal, clocks);
  return {
    states,
    possible(atMs, lagMs, errorMs) {
      // The state in force at the start of the lag, and every one that came since (a little later: the harness may have
      // heard of it after kube-proxy did).
      let from = lastIndexAtOrBefore(states, atMs - lagMs);
      const to = lastIndexAtOrBefore(states, atMs + errorMs);
      if (from < 0) from = 0;
      return states.slice(from, to + 1);
    },
    delayAt(atMs) {
      let delayMs = 0;
      for (const delay of delays) {
        if (delay.fromMs <= atMs && atMs <= delay.toMs + delay.delayMs + LAG_BOUND_MS) {
          delayMs = Math.max(delayMs, delay.delayMs);
        }
      }
      return delayMs;
    },
  };
}

/** The header names the Service with its port ("web:80") and the workload with its kind ("Deployment/web"). */
export const serviceName = (service: string): string => lastPart(service).replace(/:.*$/, '');
export const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

export function lastIndexAtOrBefore(list: readonly Moment[], atMs: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.atMs ?? 0) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function proxyDelays(journal: Journal, clocks: Clocks): { fromMs: number; toMs: number; delayMs: number }[] {
  const delays: { fromMs: number; toMs: number; delayMs: number }[] = [];
  for (const { step, event, t } of journal.steps) {
    if (step.step !== 'proxy-delay' || event !== 'begin') continue;
    const atMs = clocks.fromHarness(t);
    const open = delays.at(-1);
    if (open && open.toMs === Number.POSITIVE_INFINITY) open.toMs = atMs;
    if (step.delayMs > 0)
      delays.push({ fromMs: atMs, toMs: Number.POSITIVE_INFINITY, delayMs: step.delayMs });
  }
  return delays;
}
