// Compares a meter's counts with a fault server's tally: outcome by outcome, phase by phase, new and reused apart.
import type { StreamEnd } from '../../harness/model/load.ts';
import type { FaultServer } from './fault-server.ts';
import { type Fault, faultOf } from './faults.ts';

/**
 * Sentences for everything that differs; empty when all agrees. A request that crossed the FIN or RST of a server that
 * closes idle connections never reached the server: such ones must be races, and nothing else may be missing.
 */
export function differences(end: StreamEnd, server: Pick<FaultServer, 'tally'>): string[] {
  const expected = new Map<string, number>();
  let ok = 0;
  let seen = 0;
  let mayCross = false;
  for (const [where, tally] of [
    ['new', server.tally.onNew],
    ['reused', server.tally.onReused],
  ] as const) {
    for (const [name, count] of tally) {
      const fault: Fault = faultOf(name);
      seen += count;
      mayCross ||= fault.closesIdle === true;
      if (fault.outcome === 'ok') ok += count;
      else add(expected, `${fault.outcome}/${fault.phase}/${where}`, count);
    }
  }
  const found: string[] = [...end.brokenIdentities];
  const crossed = end.attempts - seen;
  if (crossed < 0 || (crossed > 0 && !mayCross)) {
    found.push(`${end.attempts} attempts, but the server saw ${seen} requests`);
  }
  if (crossed > end.races)
    found.push(`${crossed} requests never came to the server, but there are ${end.races} races`);
  const crossings = ['closed/first-byte/reused', 'reset/first-byte/reused'];
  const inCrossings = (counts: ReadonlyMap<string, number>) =>
    crossings.reduce((sum, key) => sum + (counts.get(key) ?? 0), 0);
  const counted = new Map(Object.entries(end.phases));
  for (const key of new Set([...expected.keys(), ...counted.keys()])) {
    if (crossed > 0 && crossings.includes(key)) continue;
    const [left, right] = [counted.get(key) ?? 0, expected.get(key) ?? 0];
    if (left !== right) found.push(`${key}: counted ${left}, the server did ${right}`);
  }
  if (inCrossings(counted) !== inCrossings(expected) + crossed) {
    found.push(`crossings: counted ${inCrossings(counted)}, expected ${inCrossings(expected) + crossed}`);
  }
  if ((end.outcomes.ok ?? 0) !== ok) found.push(`ok: counted ${end.outcomes.ok ?? 0}, the server did ${ok}`);
  if (end.inFlight !== 0) found.push(`${end.inFlight} in flight at the end`);
  return found;
}

function add(into: Map<string, number>, key: string, count: number): void {
  into.set(key, (into.get(key) ?? 0) + count);
}
