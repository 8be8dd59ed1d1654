// Puts the harness's clock and the agents' clocks on one axis: ms since the load's start (the first agent's).
import type { Journal } from './journal.ts';

export interface Clocks {
  /** Worst known error between any agent and the harness, ms; Infinity when an agent's clock was never measured. */
  readonly errorMs: number;
  /** Agents without a clock record. */
  readonly unmeasured: readonly string[];
  /** Agents whose measured offset moved by more than its errors allow, with how far, ms. */
  readonly drifted: readonly { readonly agent: string; readonly driftMs: number }[];
  fromHarness(t: number): number;
  fromAgent(agent: string, ms: number): number;
}

/** Of several measurements of an agent the one with the smallest error counts. */
export function alignClocks(journal: Journal): Clocks {
  const agents = new Set<string>();
  for (const { agent } of journal.frames) agents.add(agent);
  for (const { agent } of journal.streamEnds) agents.add(agent);
  const offsets = new Map<string, number>();
  const unmeasured: string[] = [];
  const drifted: { agent: string; driftMs: number }[] = [];
  let errorMs = 0;
  for (const agent of agents) {
    const measured = journal.clocks
      .filter((clock) => clock.agent === agent)
      .sort((a, b) => a.errorMs - b.errorMs);
    const best = measured[0];
    if (!best) {
      unmeasured.push(agent);
      const started = journal.loads.find((load) => load.agent === agent && load.event === 'started');
      offsets.set(agent, started?.t ?? 0);
      errorMs = Number.POSITIVE_INFINITY;
      continue;
    }
    offsets.set(agent, best.offsetMs);
    errorMs = Math.max(errorMs, best.errorMs);
    const driftMs = Math.max(
      ...measured.map((one) => Math.abs(one.offsetMs - best.offsetMs) - one.errorMs - best.errorMs),
    );
    if (driftMs > 0) drifted.push({ agent, driftMs });
  }
  const zero = offsets.size > 0 ? Math.min(...offsets.values()) : 0;
  return {
    errorMs,
    unmeasured,
    drifted,
    fromHarness: (t) => t - zero,
    fromAgent: (agent, ms) => ms + (offsets.get(agent) ?? zero) - zero,
  };
}
