// Puts the configuration's load on a scenario: what the configuration leaves out stays as the scenario says.
import { type LaneLoad, laneLoadSchema, type Scenario } from '../model/scenario.ts';
import type { LoadConfiguration } from './schema.ts';

export function withLoad(scenario: Scenario, load: LoadConfiguration): Scenario {
  const lanes = load.lanes ?? scenario.load.map((entry) => entry.lane);
  const { warmUpMs, tailMs, limitMs } = load.durationLimits ?? {};
  return {
    ...scenario,
    load: lanes.map((lane) => laneOf(scenario, lane, load)),
    ...(warmUpMs !== undefined && { warmUpMs }),
    ...(tailMs !== undefined && { tailMs }),
    ...(limitMs !== undefined && { limitMs }),
  };
}

function laneOf(scenario: Scenario, lane: LaneLoad['lane'], load: LoadConfiguration): LaneLoad {
  const own =
    scenario.load.find((entry) => entry.lane === lane) ??
    laneLoadSchema.parse({ lane, ...(lane === 'kept' && { connections: 20 }) });
  return {
    ...own,
    ...(load.rate && { rate: load.rate }),
    ...(load.timeoutMs !== undefined && { timeoutMs: load.timeoutMs }),
    ...(lane === 'kept' && load.connections !== undefined && { connections: load.connections }),
    ...(lane === 'long' && load.holdMs !== undefined && { holdMs: load.holdMs }),
  };
}
