// Puts the configuration's load on a scenario: what the configuration leaves out stays as the scenario says.
import { type LaneLoad, laneLoadSchema, type Scenario } from '../model/scenario.ts';
import type { LoadConfiguration } from './schema.ts';

export function withLoad(scenario: Scenario, load: LoadConfiguration): Scenario {
  const loadOf = (own: readonly LaneLoad[]) =>
    (load.lanes ?? own.map((entry) => entry.lane)).map((lane) => laneOf(own, lane, load));
  const { warmUpMs, tailMs, limitMs } = load.durationLimits ?? {};
  return {
    ...scenario,
    load: loadOf(scenario.load),
    // A case that fires at nothing has nothing that could answer.
    cases: Object.fromEntries(
      Object.entries(scenario.cases).map(([name, one]) => [
        name,
        one.load?.length ? { ...one, load: loadOf(one.load) } : one,
      ]),
    ),
    ...(warmUpMs !== undefined && { warmUpMs }),
    ...(tailMs !== undefined && { tailMs }),
    ...(limitMs !== undefined && { limitMs }),
  };
}

function laneOf(of: readonly LaneLoad[], lane: LaneLoad['lane'], load: LoadConfiguration): LaneLoad {
  const own =
    of.find((entry) => entry.lane === lane) ??
    laneLoadSchema.parse({ lane, ...(lane === 'kept' && { connections: 20 }) });
  return {
    ...own,
    ...(load.rate && { rate: load.rate }),
    ...(load.timeoutMs !== undefined && { timeoutMs: load.timeoutMs }),
    ...(lane === 'kept' && load.connections !== undefined && { connections: load.connections }),
    ...(lane === 'long' && load.holdMs !== undefined && { holdMs: load.holdMs }),
  };
}
