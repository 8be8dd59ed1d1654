// What connection tracking measures: how long each node's routing lagged behind the EndpointSlices, and from when to when
// each pod accepted connections.
import type { JournalFacts } from '../journal/facts.ts';
import { listeningOf } from '../journal/listening.ts';
import type { ExperimentResult, LagFigures, ListensResult, RoutingLag } from '../model/results.ts';

/** Nothing where connection tracking was not read. */
export function kernelResults(facts: JournalFacts): Pick<ExperimentResult, 'routing' | 'listens'> {
  if (facts.witness.connections.length === 0) return {};
  const routing = routingLags(facts);
  const listens = listenings(facts);
  return { ...(routing.length > 0 && { routing }), ...(listens.length > 0 && { listens }) };
}

/**
 * Per node: from the slice that no longer routes to a pod to the last connection that was sent to it all the same (0:
 * none was), and from the slice that routes to it to the first one. No finer than connections are apart.
 */
function routingLags({ witness, routing, pods }: JournalFacts): RoutingLag[] {
  const nodes = new Set(witness.connections.map(({ node }) => node));
  return [...nodes].sort().flatMap((node) => {
    const times = new Map<string, number[]>();
    for (const { pod, atMs, node: on } of witness.connections) {
      if (on !== node || !pods.has(pod)) continue;
      const own = times.get(pod);
      if (own) own.push(atMs);
      else times.set(pod, [atMs]);
    }
    const left: number[] = [];
    const joined: number[] = [];
    for (const [index, state] of routing.states.entries()) {
      const before = routing.states[index - 1];
      if (!before || !witness.covers(state.atMs, state.atMs)) continue;
      for (const pod of before.routed) {
        if (state.routed.has(pod)) continue;
        const again = routing.states.slice(index + 1).find(({ routed }) => routed.has(pod));
        const until = again?.atMs ?? Number.POSITIVE_INFINITY;
        const last = times.get(pod)?.findLast((atMs) => atMs < until);
        if (last !== undefined) left.push(Math.max(0, last - state.atMs));
      }
      for (const pod of state.routed) {
        if (before.routed.has(pod)) continue;
        // Reached before the slice was seen here: the node heard of it first.
        const first = times.get(pod)?.find((atMs) => atMs >= state.atMs - EARLY_MS);
        if (first !== undefined) joined.push(Math.max(0, first - state.atMs));
      }
    }
    if (left.length + joined.length === 0) return [];
    return [{ node, left: figures(left), joined: figures(joined) }];
  });
}

/** The harness may see a slice this much later than a node does, ms. */
const EARLY_MS = 200;

function figures(values: readonly number[]): LagFigures {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => Math.round((sorted[Math.ceil(share * sorted.length) - 1] ?? 0) * 10) / 10;
  return { count: sorted.length, p50Ms: at(0.5), p90Ms: at(0.9), maxMs: at(1) };
}

/** Of pods that came or went while it was watched. */
function listenings({ witness, pods }: JournalFacts): ListensResult[] {
  const heard = listeningOf(witness);
  return [...pods.values()].flatMap((pod) => {
    const own = heard.get(pod.name);
    const first = own?.accepted[0];
    const last = own?.accepted.at(-1);
    if (!own || first === undefined || last === undefined) return [];
    const began = pod.created !== undefined && pod.created.atMs >= 0;
    if (!began && !pod.terminating) return [];
    const refusedBefore = own.refused.findLast((atMs) => atMs < first);
    const refusedAfter = own.refused.find((atMs) => atMs > last);
    return [
      {
        pod: pod.name,
        ...(began && {
          fromMs: first,
          notBeforeMs: refusedBefore ?? pod.running?.atMs ?? pod.created?.atMs ?? 0,
        }),
        ...(pod.terminating && {
          toMs: last,
          ...(refusedAfter !== undefined && { notAfterMs: refusedAfter }),
        }),
        errorMs: Math.ceil(witness.errorMs),
      },
    ];
  });
}
